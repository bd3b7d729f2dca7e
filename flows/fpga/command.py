"""FPGA boards: build directories, bitstreams, estimates, and simulation of what was synthesised."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

if TYPE_CHECKING:
    from flows.compile.bundle import Bundle
    from flows.fpga.boards import Board
    from flows.fpga.build import Build
    from rtl.accelerator import Accelerator

fpga = typer.Typer(no_args_is_help=True, help=__doc__)

BoardName = Annotated[str, typer.Option("--board", help="icebreaker, ulx3s-85f or zc706.")]
Config = Annotated[Path | None, typer.Option("--config", help="Accelerator, a .yaml file; else the board's own.")]
MemoryKind = Annotated[
    str | None, typer.Option("--memory", help="block or sdram, of the network; else blocks if they are enough.")
]
UNKNOWN = "not known: Vivado places the designs of this board"
Json = Annotated[bool, typer.Option("--json", help="Print as JSON.")]


@fpga.command("build")
def build_(
    board: BoardName,
    output: Annotated[Path, typer.Option("--output", "-o", help="The build directory.")],
    model: Annotated[
        str | None, typer.Option(help="FILE.py:FUNCTION, PACKAGE.MODULE:FUNCTION, .pt2, or a folder of hwsim compile.")
    ] = None,
    config: Config = None,
    data: Annotated[str, typer.Option(help="Images to take scales from: .npy, or FILE.py:FUNCTION.")] = "",
    checkpoint: Annotated[Path | None, typer.Option(help="Weights, a state_dict saved by torch.save.")] = None,
    memory: MemoryKind = None,
    bitstream: Annotated[bool, typer.Option("--bitstream", help="Synthesise, place and pack as well.")] = False,
    netlist: Annotated[
        bool, typer.Option("--netlist", help="zc706: synthesise by yosys as well, for resources and simulation.")
    ] = False,
    seeds: Annotated[int, typer.Option(min=1, max=64, help="Placements to try; the fastest is kept.")] = 2,
    jobs: Annotated[int, typer.Option(min=1, help="Placements at a time.")] = 2,
    force: Annotated[bool, typer.Option("--force", help="Also where the estimate says that it cannot fit.")] = False,
    as_json: Json = False,
) -> None:
    """Write what a bitstream needs into a directory: Verilog, pins, memory, scripts, driver; and, if asked, make it."""
    from flows.fpga import estimate, manifest
    from flows.fpga.bitstream import check_open_tools
    from flows.fpga.boards import find_board
    from flows.fpga.build import build
    from flows.fpga.memory import choose
    from flows.fpga.netlist import check_board

    target = find_board(board)
    manifest.check_free(output)
    if bitstream:
        check_open_tools(target)
    if netlist:
        check_board(target)
    accelerator, bundle = _design(target, model, config, data, checkpoint)
    store = choose(target, accelerator, bundle, memory)
    if not force:
        estimate.check(target, accelerator, store, bundle)
    if bitstream and not force:
        estimate.check_bitstream(target, accelerator, store, bundle)
    made = build(target, accelerator, output, bundle, memory)
    result: dict[str, Any] = {"folder": str(output), "digest": made.digest}
    if bitstream:
        result |= _bitstream(made, seeds, jobs)
    if netlist:
        result |= _netlist(made)
    if as_json:
        typer.echo(json.dumps(result, indent=1))
        return
    typer.echo(f"{output}: digest {made.digest}")
    if bitstream or netlist:
        _print(result)


@fpga.command("estimate")
def estimate_(
    board: BoardName,
    model: Annotated[str | None, typer.Option(help="As of build; its memory counts.")] = None,
    config: Config = None,
    data: Annotated[str, typer.Option(help="As of build.")] = "",
    checkpoint: Annotated[Path | None, typer.Option(help="As of build.")] = None,
    memory: MemoryKind = None,
    as_json: Json = False,
) -> None:
    """Estimate resources and clock before synthesis."""
    from flows.fpga import estimate
    from flows.fpga.boards import find_board
    from flows.fpga.memory import choose

    target = find_board(board)
    accelerator, bundle = _design(target, model, config, data, checkpoint)
    found = estimate.estimate(target, accelerator, choose(target, accelerator, bundle, memory), bundle)
    if as_json:
        typer.echo(json.dumps(found, indent=1))
        return
    _print({"resources": found["resources"]})
    clock = found["fmax_mhz"]
    typer.echo(f"clock {f'about {clock:.0f} MHz' if clock else UNKNOWN}; {target.clock_mhz:g} MHz needed")


@fpga.command("simulate")
def simulate_(
    folder: Annotated[Path, typer.Argument(help="A build directory with a bitstream, or for zc706 a netlist.")],
    images: Annotated[str, typer.Option("--image", help="Images: .npy, or FILE.py:FUNCTION; the first is computed.")],
    rtl: Annotated[bool, typer.Option("--rtl", help="The build's Verilog, not the netlist.")] = False,
    load: Annotated[bool, typer.Option("--load", help="Fill the SDRAM through the line, as a host does.")] = False,
    verilator: Annotated[bool, typer.Option("--verilator", help="Slow to build, then fast; else Icarus.")] = False,
    as_json: Json = False,
) -> None:
    """Compute an image on the synthesised netlist through the board's host port, and compare with the twin.

    An SDRAM holds the network from the start unless --load is given.
    """
    from flows.fpga import axi, simulate
    from flows.fpga.build import Build
    from hwsim.errors import HwsimError

    build = Build.load(folder)
    image = _image(build, images)
    simulator = "verilator" if verilator else "icarus"
    if build.board.toolchain is None:
        _absent(f"on {build.board.name}", load=load, verilator=verilator)
        found = axi.run(build, image, rtl=rtl)
    else:
        found = simulate.run(build, image, rtl=rtl, load=load, simulator=simulator)
    expected = build.network.run([image])[0]
    if (found != expected).any():
        raise HwsimError(f"the board computes {found.ravel().tolist()}, not {expected.ravel().tolist()}")
    integers = found.ravel().tolist()
    typer.echo(json.dumps({"output": integers}) if as_json else f"equal to the twin: {integers}")


def _image(build: Build, source: str) -> Any:
    """Return the first image in the integers that the accelerator takes."""
    from flows.compile.sources import load_images
    from hwsim.errors import InputError

    images = load_images(source).numpy()
    if not len(images):
        raise InputError("must hold an image", field="--image", value=images.shape)
    return build.network.integers(images[:1])[0]


def _design(
    board: Board, model: str | None, config: Path | None, data: str, checkpoint: Path | None
) -> tuple[Accelerator, Bundle | None]:
    from flows.compile.bundle import Bundle
    from hwsim.errors import InputError
    from rtl.accelerator import Accelerator

    if model is not None and Path(model).is_dir():
        _absent("for a compiled network", config=config, data=data, checkpoint=checkpoint)
        bundle = Bundle.load(model)
        return bundle.accelerator, bundle
    accelerator = Accelerator.load(config) if config else board.accelerator()
    if model is None:
        _absent("without --model", data=data, checkpoint=checkpoint)
        return accelerator, None
    if not data:
        raise InputError("must be given with a model", field="--data", value=data)
    from flows.compile.network import compile_network
    from flows.compile.sources import load_images, load_model

    network = compile_network(load_model(model, checkpoint), load_images(data), accelerator)
    return accelerator, network.bundle


def _absent(why: str, **options: Path | str | bool | None) -> None:
    """Raise if one of the options is given."""
    from hwsim.errors import InputError

    for name, value in options.items():
        if value:
            raise InputError(f"must be absent {why}", field=f"--{name}")


def _bitstream(build: Build, seeds: int, jobs: int) -> dict[str, Any]:
    from flows.fpga import bitstream

    with _shown(build, "bitstream") as show:
        return bitstream.make(build, range(1, seeds + 1), jobs, show)


def _netlist(build: Build) -> dict[str, Any]:
    from flows.fpga import netlist

    with _shown(build, "netlist") as show:
        return netlist.make(build, show)


@contextmanager
def _shown(build: Build, made: str) -> Iterator[Callable[[str], None]]:
    """Give what shows the step that is under way; an interrupt is an error that says what is left."""
    from rich.console import Console
    from rich.progress import Progress, SpinnerColumn, TextColumn, TimeElapsedColumn

    from hwsim.errors import HwsimError

    columns = (SpinnerColumn(), TextColumn("{task.description}"), TimeElapsedColumn())
    with Progress(*columns, console=Console(stderr=True), transient=True) as progress:
        task = progress.add_task("starting", total=None)
        try:
            yield lambda step: progress.update(task, description=step)
        except KeyboardInterrupt:
            raise HwsimError(f"interrupted: {build.folder} is a build without a {made}") from None


def _print(result: dict[str, Any]) -> None:
    from rich.box import SIMPLE_HEAD
    from rich.console import Console
    from rich.table import Column, Table

    console = Console()
    table = Table("Resource", *(Column(name, justify="right") for name in ("used", "available", "%")), box=SIMPLE_HEAD)
    for name, numbers in result["resources"].items():
        used, available = numbers["used"], numbers["available"]
        share = f"{100 * used / available:.0f}" if available else ""
        table.add_row(name, str(used), str(available or ""), share)
    console.print(table)
    if "fmax_mhz" in result:
        clock, needed, seed = result["fmax_mhz"], result["constraint_mhz"], result["seed"]
        console.print(f"clock {clock:g} MHz, {needed:g} MHz needed; best seed {seed}")
        parts = ", ".join(f"{name} {ns:g} ns" for name, ns in result["critical_path"]["by_module_ns"].items())
        console.print(f"critical path: {parts}")
    elif "constraint_mhz" in result:
        console.print(f"clock {UNKNOWN}; {result['constraint_mhz']:g} MHz needed")
    if "image" in result:
        image = result["image"]
        energy = image.get("energy_45nm_nj")
        nanojoules = f"; {energy['total']:g} nJ if it were silicon of 45 nm, an FPGA takes more" if energy else ""
        when = f"at {result['constraint_mhz']:g} MHz"
        console.print(f"an image: {image['cycles']} cycles, {image['time_us']} us {when}{nanojoules}")
