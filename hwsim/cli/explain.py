"""Show which coefficient, from which source, made each joule of an operator."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer


def explain(
    result: Annotated[Path, typer.Argument(help="Result written by score, record or demo (.json).")],
    operator: Annotated[str, typer.Argument(help="Name of an operator, or its number in the result.")],
    on: Annotated[str, typer.Option(help="Architecture, where the result holds several.")] = "",
    json: Annotated[bool, typer.Option("--json", help="Print as JSON.")] = False,
) -> None:
    """Show which coefficient, from which source, made each joule of an operator."""
    import json as json_text

    from hwsim.cost.result import Results
    from hwsim.report.explain import explanations, print_explanation

    bills = explanations(Results.load(result), operator, on)
    if json:
        typer.echo(json_text.dumps([bill.model_dump(mode="json") for bill in bills]))
    else:
        for bill in bills:
            print_explanation(bill)
