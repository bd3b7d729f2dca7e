"""MatAdd: a product with a matrix of zeros and ones, which adds the rows of the other matrix that the ones select.

An operator of its own, so that the tracer knows that nothing is multiplied; PyTorch computes it as a product.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor


@torch.library.custom_op("hwsim::binary_matmul", mutates_args=())
def binary_matmul(codes: Tensor, values: Tensor) -> Tensor:
    """Return ``codes @ values``: ``(products, rows, inner)`` zeros and ones, ``(products, inner, columns)`` values."""
    return torch.bmm(codes, values)


@binary_matmul.register_fake
def _(codes: Tensor, values: Tensor) -> Tensor:
    return torch.bmm(codes, values)


def _remember(ctx: Any, inputs: tuple[Tensor, Tensor], output: Tensor) -> None:
    ctx.save_for_backward(*inputs)


def _gradients(ctx: Any, gradient: Tensor) -> tuple[Tensor | None, Tensor | None]:
    codes, values = ctx.saved_tensors
    to_codes = torch.bmm(gradient, values.mT) if ctx.needs_input_grad[0] else None
    to_values = binary_matmul(codes.mT, gradient) if ctx.needs_input_grad[1] else None
    return to_codes, to_values


binary_matmul.register_autograd(_gradients, setup_context=_remember)


def matadd(codes: Tensor, values: Tensor) -> Tensor:
    """Return `binary_matmul` over all leading axes, which both share."""
    product: Tensor = binary_matmul(codes.flatten(0, -3), values.flatten(0, -3))
    return product.view(*codes.shape[:-1], values.shape[-1])
