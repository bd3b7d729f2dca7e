"""Operators as kernels: what attention keeps on chip, where rows begin, which normalisations are planar."""

import pytest
import torch
from torch import nn
from torch.nn import functional

import hwsim
from hwsim.gpu.kernels import kernel_of, laid_out


class Attention(nn.Module):
    def forward(self, x):
        return functional.scaled_dot_product_attention(x, x, x)


def kernels(model, *inputs, **changes):
    return [kernel_of(one, **changes) for one in hwsim.trace(model, inputs).operators]


def test_attention_is_one_kernel_that_keeps_its_scores():
    x = torch.zeros(2, 4, 128, 32)
    scores, softmax, values = kernels(Attention(), x)
    assert [one.is_inner for one in (scores, softmax, values)] == [True, True, False]
    assert scores.bytes == 2 * x.numel() * 4
    assert softmax.bytes == 2 * 4 * 128 * 4  # logarithms of sums, kept for the backward pass
    assert values.bytes == 2 * x.numel() * 4
    apart = kernels(Attention(), x, one_kernel=False)
    assert not any(one.is_inner for one in apart)
    assert (
        sum(one.bytes for one in apart) - sum(one.bytes for one in (scores, softmax, values)) == 4 * 2 * 4 * 128**2 * 4
    )


@pytest.mark.parametrize(("outputs", "aligned"), [(64, True), (68, True), (66, False), (65, False)])
def test_rows_begin_at_multiples_of_16_bytes(outputs, aligned):
    (found,) = kernels(nn.Linear(64, outputs, bias=False), torch.zeros(10, 64))
    assert found.is_aligned == aligned
    assert laid_out(found, channels_last=False, padded_rows=True).is_aligned


def test_convolutions_are_laid_out_by_their_library():
    (found,) = kernels(nn.Conv2d(3, 5, 3, bias=False), torch.zeros(1, 3, 9, 9))
    assert (found.is_convolution, found.is_aligned) == (True, True)
    assert found.images == 4 * (3 * 9 * 9 + 5 * 7 * 7)
    assert laid_out(found, channels_last=True, padded_rows=False).images == 0


def test_batch_normalisations_are_planar_while_they_take_statistics():
    x = torch.zeros(4, 8, 6, 6)
    (training,) = (one for one in kernels(nn.BatchNorm2d(8), x) if one.operations > 8)
    assert training.is_planar
    assert not laid_out(training, channels_last=True, padded_rows=False).is_planar
    assert not any(one.is_planar for one in kernels(nn.BatchNorm2d(8).eval(), x))
    assert not any(one.is_planar for one in kernels(nn.LayerNorm(6), x))
