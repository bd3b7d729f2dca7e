"""What joins and feeds several GPUs: a link between them, and everything else in the chassis that draws power."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field, PositiveInt

from hwsim.architecture.base import Positive
from hwsim.files import Frozen


class Link(Frozen):
    """How every GPU of a node reaches all others."""

    name: str
    gb_per_s: Positive
    """Of one GPU in one direction, in 10^9 bytes per second."""
    efficiency: Annotated[float, Field(gt=0, le=1)]
    """Share of it that payload reaches."""
    latency_us: Positive
    """Of one step of a collective."""
    reduces: bool = False
    """Whether its switches add, so that an all-reduce sends every byte about once."""
    source: str

    @property
    def bytes_per_s(self) -> float:
        """Payload that one GPU sends, while it receives as much."""
        return self.gb_per_s * 1e9 * self.efficiency

    @property
    def latency_s(self) -> float:
        """Of one step of a collective."""
        return self.latency_us * 1e-6


class Node(Frozen):
    """A chassis with GPUs."""

    gpus: PositiveInt
    link: Link
    host_w: Positive
    """Of processors, memory, network, switches and fans together, at the direct-current side of the supplies."""
    host_source: str
    supply_efficiency: Annotated[float, Field(gt=0, le=1)]
    """Direct current over what the socket gives."""
    supply_source: str

    def direct_w(self, gpu_w: float) -> float:
        """Power of the whole node behind its supplies, each of its GPUs drawing ``gpu_w``."""
        return self.gpus * gpu_w + self.host_w

    def socket_w(self, gpu_w: float) -> float:
        """Power of the whole node at the socket."""
        return self.direct_w(gpu_w) / self.supply_efficiency
