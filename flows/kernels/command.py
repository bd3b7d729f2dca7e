"""TVM kernels of networks without multiplications: build, run, tune and measure them, carry them to a GPU."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

if TYPE_CHECKING:
    from flows.kernels.kernel import Kernel
    from hwsim.gpu.measured import Measurements

kernels = typer.Typer(no_args_is_help=True, help=__doc__)

Name = Annotated[str, typer.Argument(help="A kernel of `hwsim kernels list`.")]
Names = Annotated[str, typer.Option("--kernels", help="Kernels, separated by commas; else all.")]
ShapeText = Annotated[str, typer.Option("--shape", help="MxKxN or BATCHxMxKxN.")]
Timeout = Annotated[float, typer.Option(min=1, help="Seconds after which a compilation or run is given up.")]
Json = Annotated[bool, typer.Option("--json", help="Print as JSON.")]
DEFAULT_SHAPE = "3136x64x512"
PACKED_SHAPES = "3136x64x512,3136x512x64,784x128x1024,784x1024x128"
"""Those that ShiftAddViT's repository times MatShift in."""


@kernels.command("list")
def list_(as_json: Json = False) -> None:
    """List the kernels."""
    from flows.kernels.registry import KERNELS

    rows = [
        {"name": one.name, "title": one.title, "term": one.primitive, "activation": one.formats[0],
         "weight": one.formats[1], "bits_stored": _bits(one)}
        for one in KERNELS.values()
    ]  # fmt: skip
    if as_json:
        typer.echo(json.dumps(rows, indent=1))
        return
    head = ("kernel", "term", "activation", "weight", "bits stored", "title")
    cells = [
        (row["name"], row["term"], row["activation"], row["weight"], f"{row['bits_stored']:g}", row["title"])
        for row in rows
    ]
    _print("", head, cells, numeric={4})


@kernels.command("build")
def build_(
    name: Name,
    output: Annotated[Path, typer.Option("--output", "-o", help="Folder for what is built.")],
    shape: ShapeText = DEFAULT_SHAPE,
    target: Annotated[str, typer.Option(help="native, a CPU that LLVM knows, sm_90 ..., or a GPU preset.")] = "native",
    timeout_s: Timeout = 120.0,
) -> None:
    """Compile a kernel: TensorIR and assembly for a CPU; CUDA source, cubin, SASS and its static score for a GPU."""
    from flows.kernels.build import build
    from flows.kernels.kernel import Shape
    from flows.kernels.registry import find

    for path in build(find(name), Shape.parse(shape), target, output, timeout_s):
        typer.echo(str(path))


@kernels.command("run")
def run_(
    name: Name,
    shape: ShapeText = DEFAULT_SHAPE,
    seed: Annotated[int, typer.Option(min=0, help="Of the random operands.")] = 0,
    tuned: Annotated[bool, typer.Option("--tuned", help="By the trace of the database, not by hand.")] = False,
    database: Annotated[Path | None, typer.Option("--database", help="Folder of traces, else the package's.")] = None,
    timeout_s: Timeout = 120.0,
) -> None:
    """Run a kernel on this CPU on random operands and compare with NumPy."""
    from flows.kernels.kernel import Shape
    from flows.kernels.registry import find
    from flows.kernels.run import run
    from flows.kernels.tune import DATABASE, load

    kernel, sizes = find(name), Shape.parse(shape)
    trace = load(kernel, sizes, database or DATABASE).trace if tuned else None
    a, stored = kernel.random(sizes, seed)
    found = run(kernel, a, stored, timeout_s, trace)
    error = kernel.check(found, a, stored)
    typer.echo(f"{name} {sizes}: {'equal to NumPy' if not error else f'within {error:.1g} of NumPy'}")


@kernels.command("score")
def score_(
    names: Names = "",
    on: Annotated[str, typer.Option("--on", help="GPU presets, separated by commas.")] = "rtx-3090,h100-sxm",
    shape: ShapeText = DEFAULT_SHAPE,
    timeout_s: Timeout = 120.0,
    as_json: Json = False,
) -> None:
    """Score kernels on GPUs that are not there, from their machine code: *modelled*, nothing is measured."""
    from flows.kernels.compare import factors, static_scores
    from flows.kernels.kernel import Shape

    found = static_scores(_chosen(names), Shape.parse(shape), on.split(","), timeout_s)
    beside = factors(found)
    if as_json:
        scores = [one.model_dump() | {"modelled_s": one.modelled_s} for one in found]
        typer.echo(json.dumps({"scores": scores, "factors": [one.model_dump() for one in beside]}, indent=1))
        return
    head = (
        "kernel", "device", "registers", "shared, B", "blocks/SM", "instructions/MAC", "most frequent", "bound",
        "modelled, us",
    )  # fmt: skip
    rows = [
        (one.kernel, one.device, str(one.registers), str(one.shared_bytes), str(one.resident_blocks),
         f"{one.instructions_per_mac:.2f}",
         ", ".join(f"{opcode} {count:.2f}" for opcode, count in list(one.mix_per_mac.items())[:3]), one.bound,
         f"{one.modelled_s * 1e6:.1f}")
        for one in found
    ]  # fmt: skip
    _print(f"{shape}, modelled from machine code", head, rows, numeric={2, 3, 4, 5, 8})
    if beside:
        cells = [
            (one.name, one.device, f"{one.printed:.2f}", f"{one.published:.2f}", f"{one.packed:.2f}", one.basis)
            for one in beside
        ]
        _print("Times faster", ("", "device", "printed", "as published", "packed", "basis"), cells, numeric={2, 3, 4})


@kernels.command("measure")
def measure_(
    names: Names = "",
    shape: ShapeText = DEFAULT_SHAPE,
    repetitions: Annotated[int, typer.Option(min=1, help="Calls in each of three rounds.")] = 50,
    output: Annotated[Path | None, typer.Option("--output", "-o", help="Write as JSON.")] = None,
    timeout_s: Timeout = 120.0,
    as_json: Json = False,
) -> None:
    """Time kernels on this CPU with one thread, beside PyTorch's fp32 product."""
    from rich.console import Console
    from rich.progress import Progress

    from flows.kernels.kernel import Shape
    from flows.kernels.measure import measure
    from hwsim.files import write_text

    chosen, sizes = _chosen(names), Shape.parse(shape)
    with Progress(console=Console(stderr=True), transient=True) as bars:
        bar = bars.add_task("measuring", total=None)
        found = measure(
            chosen, sizes, repetitions, timeout_s, lambda done, total: bars.update(bar, completed=done, total=total)
        )
    text = found.model_dump_json(by_alias=True, exclude_none=True, indent=1)
    if output:
        write_text(output, f"{text}\n")
    if as_json:
        typer.echo(text)
    else:
        _print_timings(found)


@kernels.command("pack")
def pack_(
    output: Annotated[Path, typer.Option("--output", "-o", help="The folder.")],
    names: Names = "",
    shapes: Annotated[str, typer.Option("--shapes", help="Shapes, separated by commas.")] = PACKED_SHAPES,
    archs: Annotated[str, typer.Option("--archs", help="Architectures, separated by commas.")] = "sm_80,sm_90",
    timeout_s: Timeout = 120.0,
) -> None:
    """Write a folder that measures kernels on a machine with a GPU: machine code, operands and a runner.

    There: python measure.py h100-sxm -o h100.json; here: HWSIM_KERNELS=FOLDER-OF-h100.json hwsim score ... --operators.
    """
    from rich.console import Console
    from rich.progress import Progress

    from flows.kernels.kernel import Shape
    from flows.kernels.pack import pack

    sizes = [Shape.parse(text) for text in shapes.split(",")]
    with Progress(console=Console(stderr=True), transient=True) as bars:
        bar = bars.add_task("packing", total=None)
        files = pack(
            _chosen(names), sizes, archs.split(","), output, timeout_s,
            lambda done, total: bars.update(bar, completed=done, total=total),
        )  # fmt: skip
    typer.echo(f"{output}: {len(files)} files, {sum(path.stat().st_size for path in files) / 1024:.0f} KiB")


@kernels.command("tune")
def tune_(
    name: Name,
    database: Annotated[Path, typer.Option("--database", help="Folder of traces, where a better one is kept.")],
    shape: ShapeText = DEFAULT_SHAPE,
    trials: Annotated[int, typer.Option(min=1, help="Schedules to draw and time.")] = 16,
    seed: Annotated[int, typer.Option(min=0, help="Of the search.")] = 0,
    timeout_s: Timeout = 3600.0,
) -> None:
    """Search for a schedule on this CPU with MetaSchedule, and keep its trace."""
    from flows.kernels.kernel import Shape
    from flows.kernels.registry import find
    from flows.kernels.tune import store, tune

    kernel, sizes = find(name), Shape.parse(shape)
    found = tune(kernel, sizes, trials, seed, timeout_s)
    path = store(found, kernel, sizes, database)
    typer.echo(f"{path}: best of {trials}, {found.failed} failed: {found.best_s * 1e3:.3f} ms")
    typer.echo(f"schedule by hand: {found.by_hand_s * 1e3:.3f} ms")


def _chosen(names: str) -> list[Kernel]:
    from flows.kernels.registry import KERNELS, find

    return [find(name) for name in names.split(",")] if names else list(KERNELS.values())


def _bits(kernel: Kernel) -> float:
    import numpy as np

    return sum(8 * np.dtype(one.dtype).itemsize / one.per_element for one in kernel.weights)


def _print_timings(found: Measurements) -> None:
    from flows.kernels.measure import BASELINE

    base = next(timing for timing in found.timings if timing.kernel == BASELINE)
    rows: list[tuple[str, ...]] = []
    for timing in found.timings:
        if timing.median_s is None or timing.best_s is None:
            rows.append((timing.kernel, timing.status, "", "", timing.detail))
            continue
        spread = (timing.upper_quartile_s or 0) - (timing.lower_quartile_s or 0)
        ratio = "" if base.best_s is None else f"{base.best_s / timing.best_s:.2f}"
        rows.append(
            (timing.kernel, f"{timing.best_s * 1e3:.3f}", f"{timing.median_s * 1e3:.3f}", f"{spread * 1e3:.3f}", ratio)
        )
    head = ("kernel", "best, ms", "median, ms", "quartiles apart, ms", f"best, times {BASELINE}")
    _print(f"{found.device_name}, {found.timings[0].shape}: {found.conditions}", head, rows, numeric={1, 2, 3, 4})


def _print(title: str, head: tuple[str, ...], rows: list[Any], numeric: set[int]) -> None:
    from hwsim.report.details import Table
    from hwsim.report.table import print_table

    print_table(Table(head=head, rows=tuple(rows), numeric=frozenset(numeric)), title)
