"""The root command: finds verbs among entry points and imports only the one that is called."""

from __future__ import annotations

import ast
import importlib.util
import sys
from collections.abc import Callable, Sequence
from importlib.metadata import EntryPoint, entry_points
from pathlib import Path

import typer

import hwsim
from hwsim.errors import HwsimError

ORDER = ("demo", "record", "trace", "score", "map", "explain")
"""Verbs listed first, the way a newcomer meets them; the others follow by name."""


def main(arguments: Sequence[str] | None = None) -> None:
    """Run the command line; an `HwsimError` becomes one line on standard error and exit status 1."""
    arguments = sys.argv[1:] if arguments is None else arguments
    called = next((argument for argument in arguments if not argument.startswith("-")), "")
    try:
        _application(called)(args=list(arguments), prog_name="hwsim")
    except HwsimError as error:
        typer.echo(f"error: {error}", err=True)
        sys.exit(1)


def _application(called: str) -> typer.Typer:
    application = typer.Typer(
        help="What a deep-learning workload costs in energy, time and silicon, and why.",
        no_args_is_help=True, add_completion=False, pretty_exceptions_enable=False, rich_markup_mode=None,
    )  # fmt: skip
    application.callback()(_root)
    verbs = _verbs()
    for name, verb in verbs.items():
        if called in verbs and name != called:
            continue  # its package must not be imported, not even to describe it: a user's may have the same name
        if name != called:
            application.command(name, help=_first_line(verb))(_never_called)
            continue
        command: typer.Typer | Callable[..., None] = verb.load()
        if isinstance(command, typer.Typer):
            application.add_typer(command, name=name)
        else:
            settings = getattr(sys.modules[verb.module], "CONTEXT_SETTINGS", None)
            application.command(name, context_settings=settings)(command)
    return application


def _print_version(wanted: bool) -> None:
    if wanted:
        typer.echo(f"hwsim {hwsim.__version__}")
        raise typer.Exit


def _root(
    version: bool = typer.Option(False, "--version", help="Print the version.", callback=_print_version, is_eager=True),
) -> None:
    """Hold the options that come before a verb."""


def _never_called() -> None:
    """Stand for a verb that the command line does not call, so that it is listed without being imported."""


def _verbs() -> dict[str, EntryPoint]:
    points = {point.name: point for point in entry_points(group="hwsim.commands")}
    return dict(sorted(points.items(), key=lambda item: (ORDER.index(item[0]) if item[0] in ORDER else 99, item[0])))


def _first_line(verb: EntryPoint) -> str:
    """First line of the module's docstring, read from its source; no package on the way there is imported."""
    package, *modules = verb.module.split(".")
    spec = importlib.util.find_spec(package)
    folders = spec.submodule_search_locations if spec else None
    source = Path(*(folders or ())[:1], *modules).with_suffix(".py")
    if not folders or not source.is_file():
        return ""
    docstring = ast.get_docstring(ast.parse(source.read_text(encoding="utf-8"))) or ""
    return docstring.partition("\n")[0]


if __name__ == "__main__":
    main()
