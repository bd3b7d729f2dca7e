"""A build directory: everything that a bitstream and its host need, the same bytes for the same inputs."""

from __future__ import annotations

import inspect
import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import yaml

from flows.compile.bundle import Bundle
from flows.fpga import design, facts, manifest, memory, scripts, zynq
from flows.fpga.boards import Board, find_board
from flows.fpga.host import driver
from flows.fpga.memory import Store
from hwsim.errors import InputError
from hwsim.files import read_mapping
from rtl.accelerator import Accelerator


@dataclass(frozen=True)
class Build:
    """A complete build directory.

    Attributes
    ----------
    folder
        Where it is.
    board
        What it is for.
    accelerator
        What it holds.
    store
        The memory behind it.
    bundle
        The network's program and memory; None: no network.
    digest
        Of all files.
    """

    folder: Path
    board: Board
    accelerator: Accelerator
    store: Store
    bundle: Bundle | None
    digest: str

    @classmethod
    def load(cls, folder: Path) -> Build:
        """Read what `build` wrote.

        Raises
        ------
        InputError
            If it is not complete, or was altered.
        """
        found = manifest.load(folder)
        bundle = Bundle.load(folder) if "layout.json" in found.files else None
        held = read_mapping(folder / "board.json")["memory"]
        store = Store(held["kind"], held["words"])
        accelerator = Accelerator.load(folder / "accelerator.yaml")
        return cls(folder, find_board(found.board), accelerator, store, bundle, found.digest)

    @property
    def network(self) -> Bundle:
        """The network.

        Raises
        ------
        InputError
            If there is none.
        """
        if self.bundle is None:
            raise InputError("must hold a network", file=self.folder)
        return self.bundle

    @property
    def host(self) -> dict[str, Any]:
        """What the driver knows."""
        host: dict[str, Any] = read_mapping(self.folder / "board.json")
        return host


def build(
    board: Board, accelerator: Accelerator, folder: Path, bundle: Bundle | None = None, kind: str | None = None
) -> Build:
    """Write the build directory of an accelerator, with a network for its memory if there is one.

    Parameters
    ----------
    kind
        Of the memory; None: `flows.fpga.memory.choose` chooses.

    Raises
    ------
    InputError
        If the network was compiled for another accelerator, the folder holds something else, or the board has no
        memory of that kind and size.
    """
    if bundle is not None and bundle.accelerator != accelerator:
        raise InputError("must be that of the compiled network", field="--config")
    store = memory.choose(board, accelerator, bundle, kind)
    layout = bundle.layout if bundle else None
    registers = facts.register_map(accelerator)
    texts = sources(board, accelerator, store, bundle) | {
        "host.py": inspect.getsource(driver),
        "registers.json": _json(registers),
        "board.json": _json(facts.host_facts(board, accelerator, store, layout)),
        "accelerator.yaml": yaml.safe_dump(plain(accelerator), sort_keys=False),
    }
    if board.toolchain is None:
        texts["accelerator.h"] = zynq.header(registers)
    if bundle and layout:
        texts["memory.hex"] = _hex(accelerator, bundle)
        texts["layout.json"] = _json(layout.model_dump(mode="json"))
    files = {name: text.encode() for name, text in texts.items()}
    if bundle:
        files["memory.bin"] = bundle.content.tobytes()
    files["README.md"] = scripts.readme(board, accelerator, store, layout, sorted(files)).encode()
    digest = manifest.save(folder, board.name, files)
    return Build(folder, board, accelerator, store, bundle, digest)


def sources(board: Board, accelerator: Accelerator, store: Store, bundle: Bundle | None = None) -> dict[str, str]:
    """Return Verilog, constraints and scripts of a build, by name of the file."""
    if board.toolchain is None:
        return zynq.sources(board, accelerator)
    content = bundle.content if bundle else np.zeros(0, np.uint8)
    made = design.serial(board, accelerator, store, content)
    return made | scripts.lattice(board)


def _hex(accelerator: Accelerator, bundle: Bundle) -> str:
    """Words of the memory for ``$readmemh``."""
    bits = accelerator.memory_bits
    return "".join(f"{word:0{bits // 4}x}\n" for word in design.words(bundle.content, bits))


def _json(plain: dict[str, Any]) -> str:
    return json.dumps(plain, indent=1) + "\n"


def plain(accelerator: Accelerator) -> dict[str, Any]:
    """Return a configuration as its file has it."""
    fields = accelerator.model_dump(mode="json")
    return {**fields, "pe": {"kind": accelerator.pe.key, **fields["pe"]}}
