"""A kernel's time on a GPU that is not there: a roofline of its instructions, pipe by pipe, and of its bytes.

The least time that is possible with this machine code: nothing waits for a load, and all multiprocessors run at the
clock of the data sheet. Launching is not in it.
"""

from __future__ import annotations

from collections import Counter
from functools import lru_cache
from pathlib import Path
from typing import Annotated, Literal

from pydantic import Field

from flows.kernels import cuda
from flows.kernels.cubin import Cubin
from flows.kernels.kernel import Kernel, Shape
from flows.kernels.sass import executed
from hwsim.architecture import Gpu, load_architecture
from hwsim.errors import InputError
from hwsim.files import Frozen, read_model

Positive = Annotated[int, Field(gt=0)]
Pipe = Literal["fma", "alu", "xu", "lsu"]
_THREADS = cuda.THREADS**2


class Multiprocessor(Frozen):
    """Threads per cycle: of all instructions, and by pipe; and what a multiprocessor holds."""

    issue: Positive
    fma: Positive
    integer_products: Positive
    alu: Positive
    xu: Positive
    lsu: Positive
    registers: Positive
    shared_kib: Positive
    threads: Positive


class Throughput(Frozen):
    """The table of all architectures."""

    source: str
    pipes: dict[Pipe, tuple[str, ...]]
    architectures: dict[str, Multiprocessor]
    devices: dict[str, str]
    """Architecture of presets of `hwsim`."""


class StaticScore(Frozen):
    """What is known of a kernel on a device without running it."""

    kernel: str
    shape: str
    device: str
    arch: str
    registers: int
    shared_bytes: int
    spilled_bytes: int
    blocks: int
    resident_blocks: int
    """Of a multiprocessor."""
    instructions_per_mac: float
    mix_per_mac: dict[str, float]
    """Executions of all threads by opcode, over the terms that are summed; most frequent first."""
    operand_bytes: int
    """Of A, W and C, each once."""
    compute_s: float
    memory_s: float
    bound: str
    """The pipe that limits, ``issue`` or ``dram``."""

    @property
    def modelled_s(self) -> float:
        """The larger of the two times."""
        return max(self.compute_s, self.memory_s)


@lru_cache(maxsize=1)
def throughput() -> Throughput:
    """Return the table that is part of the package."""
    return read_model(Path(__file__).with_name("throughput.yaml"), Throughput)


def arch_of(device: str) -> str:
    """Return the architecture of a preset.

    Raises
    ------
    InputError
        If the table does not know it.
    """
    known = throughput().devices
    if device not in known:
        raise InputError(f"must be one of {', '.join(known)}", field="device", value=device)
    return known[device]


def static_score(kernel: Kernel, shape: Shape, device: str, cubin: Cubin) -> StaticScore:
    """Score machine code for the architecture of ``device``, a GPU preset."""
    arch = arch_of(device)
    gpu, _ = load_architecture(device)
    if not isinstance(gpu, Gpu):
        raise InputError("must be a GPU", field="device", value=device)
    unit = throughput().architectures[arch]
    counts = executed(cubin.listing, cuda.steps(shape))
    rows, columns = cuda.grid(shape)
    waves = -(-rows * columns // gpu.multiprocessors)
    cycles = {pipe: _THREADS * waves * threads for pipe, threads in _threads_cycles(counts, unit).items()}
    slowest = max(cycles, key=cycles.__getitem__)
    compute_s = cycles[slowest] / (gpu.clock_mhz * 1e6)
    memory_s = kernel.operand_bytes(shape) / gpu.dram_bytes_per_s
    per_mac = rows * columns * _THREADS / shape.macs
    return StaticScore(
        kernel=kernel.name, shape=str(shape), device=device, arch=arch, registers=cubin.registers,
        shared_bytes=cubin.shared_bytes, spilled_bytes=cubin.spilled_bytes, blocks=rows * columns,
        resident_blocks=_resident(cubin, unit), instructions_per_mac=counts.total() * per_mac,
        mix_per_mac={opcode: count * per_mac for opcode, count in counts.most_common()},
        operand_bytes=kernel.operand_bytes(shape), compute_s=compute_s, memory_s=memory_s,
        bound=slowest if compute_s > memory_s else "dram",
    )  # fmt: skip


def _threads_cycles(counts: Counter[str], unit: Multiprocessor) -> dict[str, float]:
    """Cycles that a pipe needs for the executions of one thread, if it did nothing else."""
    lanes = {"fma": unit.fma, "alu": unit.alu, "xu": unit.xu, "lsu": unit.lsu}
    found = {"issue": counts.total() / unit.issue}
    for pipe, opcodes in throughput().pipes.items():
        found[pipe] = sum(
            counts[opcode] / (unit.integer_products if opcode == "IMAD" else lanes[pipe]) for opcode in opcodes
        )
    return found


def _resident(cubin: Cubin, unit: Multiprocessor) -> int:
    by_registers = unit.registers // (max(8, -(-cubin.registers // 8) * 8) * _THREADS)
    by_shared = unit.shared_kib * 1024 // (cubin.shared_bytes + 1024)  # the system reserves 1 KiB a block
    return min(by_registers, by_shared, unit.threads // _THREADS)
