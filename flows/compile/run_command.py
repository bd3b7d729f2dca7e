"""Run images through a compiled program: on the accelerator's NumPy model or its RTL, then on the host."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer


def run(
    program: Annotated[Path, typer.Argument(help="Folder that hwsim compile wrote.")],
    data: Annotated[str, typer.Option("--input", help="Images: .npy, or FILE.py:FUNCTION.")],
    output: Annotated[Path | None, typer.Option("--output", "-o", help="Outputs to write (.npy).")] = None,
    simulator: Annotated[str, typer.Option(help="model (NumPy), or the RTL on verilator or icarus.")] = "model",
    as_json: Annotated[bool, typer.Option("--json", help="Print the outputs as JSON.")] = False,
) -> None:
    """Run images through a compiled program: on the accelerator's NumPy model or its RTL, then on the host.

    The output is in the network's real numbers, behind the layers that --host-ops left to the host.
    """
    import io
    import json

    import numpy as np

    from flows.compile.bundle import Bundle
    from flows.compile.check import outputs
    from flows.compile.sources import load_images
    from hwsim.errors import InputError
    from hwsim.files import write_bytes

    if output and output.suffix != ".npy":
        raise InputError("must end in .npy", field="--output", value=str(output))
    bundle = Bundle.load(program)
    scores = bundle.scores(outputs(bundle, bundle.integers(load_images(data).numpy()), simulator))
    if output:
        file = io.BytesIO()
        np.save(file, scores)
        write_bytes(output, file.getvalue())
    if as_json:
        typer.echo(json.dumps(scores.tolist()))
        return
    for index, score in enumerate(scores):
        flat = score.reshape(-1)
        typer.echo(f"{index}: largest of {flat.size} is number {flat.argmax()}, {flat.max():.6g}")
