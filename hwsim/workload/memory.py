"""Memory that one step needs."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from hwsim.files import Frozen

Bytes = Annotated[int, Field(ge=0)]


class Memory(Frozen):
    """Bytes that are alive at the moment of a step when most are.

    Tensors only: what kernels use inside and what an allocator wastes comes on top.
    """

    parameters_bytes: Bytes = 0
    gradients_bytes: Bytes = 0
    """Of parameters."""
    optimizer_state_bytes: Bytes = 0
    activations_bytes: Bytes = 0
    """Everything the forward pass made that is still needed."""
    other_bytes: Bytes = 0
    """Inputs, buffers, and what the backward pass and the optimizer hold for a moment."""
    at: str = ""
    """The operator that ran at that moment."""

    @property
    def peak_bytes(self) -> int:
        """Sum of the categories."""
        held = (self.parameters_bytes, self.gradients_bytes, self.optimizer_state_bytes, self.activations_bytes)
        return sum(held) + self.other_bytes
