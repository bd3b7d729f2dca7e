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
from flows.fpga import design, facts, manifest, scripts
from flows.fpga.boards import Board, find_board
from flows.fpga.host import serial_host
from hwsim.errors import InputError
from hwsim.files import read_mapping
from rtl.accelerator import Accelerator

EMPTY_WORDS = 2048
"""Of the memory where no network is given."""


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
    bundle
        The network's program and memory; None: no network.
    digest
        Of all files.
    """

    folder: Path
    board: Board
    accelerator: Accelerator
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
        return cls(folder, find_board(found.board), Accelerator.load(folder / "accelerator.yaml"), bundle, found.digest)

    @property
    def host(self) -> dict[str, Any]:
        """What the driver knows."""
        host: dict[str, Any] = read_mapping(self.folder / "board.json")
        return host


def build(board: Board, accelerator: Accelerator, folder: Path, bundle: Bundle | None = None) -> Build:
    """Write the build directory of an accelerator, with a network in its memory if there is one.

    Raises
    ------
    InputError
        If the network was compiled for another accelerator, or the folder holds something else.
    """
    if bundle is not None and bundle.accelerator != accelerator:
        raise InputError("must be that of the compiled network", field="--config")
    content = bundle.content if bundle else np.zeros(0, np.uint8)
    memory_words = len(content) * 8 // accelerator.memory_bits or EMPTY_WORDS
    sources = design.serial(board, accelerator, memory_words, content)
    layout = bundle.layout if bundle else None
    known = facts.host_facts(board, accelerator, memory_words, layout, resident=bundle is not None)
    texts = sources | scripts.lattice(board) | {
        "host.py": inspect.getsource(serial_host),
        "registers.json": _json(facts.register_map(accelerator)),
        "board.json": _json(known),
        "accelerator.yaml": _yaml(accelerator),
        "README.md": scripts.readme(board, accelerator, memory_words, layout),
    }  # fmt: skip
    files = {name: text.encode() for name, text in texts.items()}
    if bundle and layout:
        width = accelerator.memory_bits // 4
        lines = (f"{word:0{width}x}\n" for word in design.words(content, accelerator.memory_bits))
        files |= {
            "memory.bin": content.tobytes(),
            "memory.hex": "".join(lines).encode(),
            "layout.json": _json(layout.model_dump(mode="json")).encode(),
        }
    digest = manifest.save(folder, board.name, files)
    return Build(folder, board, accelerator, bundle, digest)


def _json(plain: dict[str, Any]) -> str:
    return json.dumps(plain, indent=1) + "\n"


def _yaml(accelerator: Accelerator) -> str:
    plain = accelerator.model_dump(mode="json")
    plain["pe"] = {"kind": accelerator.pe.key, **plain["pe"]}
    return yaml.safe_dump(plain, sort_keys=False)
