"""Every common layer, loss and optimizer of PyTorch lowers: forward, backward and update have operators."""

from __future__ import annotations

import pytest
import torch
from torch import nn
from torch.nn import functional as F
from torch.nn.utils.parametrizations import spectral_norm, weight_norm

from hwsim.trace import trace

LINE, IMAGE, VOLUME = (2, 8, 20), (2, 8, 16, 16), (2, 8, 6, 6, 6)
BEFORE = {LINE: nn.Conv1d(8, 8, 1), IMAGE: nn.Conv2d(8, 8, 1), VOLUME: nn.Conv3d(8, 8, 1)}

LAYERS = {
    "MaxPool1d": (nn.MaxPool1d(2), LINE),
    "AvgPool1d": (nn.AvgPool1d(2), LINE),
    "MaxPool2d": (nn.MaxPool2d(3, 2, 1, ceil_mode=True), IMAGE),
    "AvgPool2d": (nn.AvgPool2d(2), IMAGE),
    "AdaptiveAvgPool2d": (nn.AdaptiveAvgPool2d(4), IMAGE),
    "AdaptiveAvgPool2d(1)": (nn.AdaptiveAvgPool2d(1), IMAGE),
    "AdaptiveMaxPool2d": (nn.AdaptiveMaxPool2d(2), IMAGE),
    "MaxPool3d": (nn.MaxPool3d(2), VOLUME),
    "AvgPool3d": (nn.AvgPool3d(2), VOLUME),
    "BatchNorm2d": (nn.BatchNorm2d(8), IMAGE),
    "GroupNorm": (nn.GroupNorm(2, 8), IMAGE),
    "InstanceNorm2d": (nn.InstanceNorm2d(8, affine=True), IMAGE),
    "LayerNorm": (nn.LayerNorm(20), LINE),
    "RMSNorm": (nn.RMSNorm(20), LINE),
    "Dropout": (nn.Dropout(), IMAGE),
    "Dropout2d": (nn.Dropout2d(), IMAGE),
    "AlphaDropout": (nn.AlphaDropout(), IMAGE),
    "Upsample": (nn.Upsample(scale_factor=2), IMAGE),
    "Upsample(bilinear)": (nn.Upsample(scale_factor=2, mode="bilinear"), IMAGE),
    "PixelShuffle": (nn.PixelShuffle(2), IMAGE),
    "ZeroPad2d": (nn.ZeroPad2d(2), IMAGE),
    "ReflectionPad2d": (nn.ReflectionPad2d(1), IMAGE),
    "Unfold": (nn.Unfold(3), IMAGE),
    "PReLU": (nn.PReLU(), IMAGE),
    "GLU": (nn.GLU(), IMAGE),
    "Softmax": (nn.Softmax(1), IMAGE),
    "LogSoftmax": (nn.LogSoftmax(1), IMAGE),
    "weight_norm": (weight_norm(nn.Linear(20, 5)), LINE),
    "spectral_norm": (spectral_norm(nn.Linear(20, 5)), LINE),
    "reflect": (nn.Conv2d(8, 8, 3, padding="same", padding_mode="reflect"), IMAGE),
    "TransformerEncoderLayer": (nn.TransformerEncoderLayer(20, 4, 32, batch_first=True), LINE),
}
ACTIVATIONS = [
    "ReLU", "ReLU6", "LeakyReLU", "ELU", "SELU", "CELU", "GELU", "SiLU", "Mish", "Hardswish", "Hardsigmoid", "Hardtanh",
    "Sigmoid", "Tanh", "Softplus", "Softsign", "LogSigmoid", "Tanhshrink", "Softshrink", "Hardshrink",
]  # fmt: skip
TARGET, ZEROS = torch.zeros(3, dtype=torch.long), torch.zeros(3, 5)
LOSSES = {
    "cross_entropy": lambda y: F.cross_entropy(y, TARGET),
    "smoothed": lambda y: F.cross_entropy(y, TARGET, label_smoothing=0.1),
    "nll_loss": lambda y: F.nll_loss(y, TARGET),
    "mse_loss": lambda y: F.mse_loss(y, ZEROS),
    "l1_loss": lambda y: F.l1_loss(y, ZEROS),
    "smooth_l1_loss": lambda y: F.smooth_l1_loss(y, ZEROS),
    "huber_loss": lambda y: F.huber_loss(y, ZEROS),
    "binary_cross_entropy": lambda y: F.binary_cross_entropy(y.sigmoid(), ZEROS),
    "with_logits": lambda y: F.binary_cross_entropy_with_logits(y, ZEROS),
    "kl_div": lambda y: F.kl_div(y.log_softmax(1), ZEROS, reduction="batchmean"),
    "cosine": lambda y: F.cosine_embedding_loss(y, 2 * y, torch.ones(3)),
    "triplet": lambda y: F.triplet_margin_loss(y, y + 1, y - 1),
}
UPDATES = {
    "SGD": {"momentum": 0.9, "nesterov": True}, "Adam": {"amsgrad": True}, "NAdam": {}, "RAdam": {}, "Adamax": {},
    "RMSprop": {"centered": True}, "Adagrad": {}, "Adadelta": {}, "Rprop": {},
}  # fmt: skip


def lowers(model, x, **fields):
    workload = trace(model, x, **fields)
    phases = {operator.phase for operator in workload.operators}
    assert {"forward", "grad_input", "grad_weight"} <= phases
    assert not workload.skipped
    return workload


@pytest.mark.parametrize("name", LAYERS)
def test_layers(name):
    layer, shape = LAYERS[name]
    workload = lowers(nn.Sequential(BEFORE[shape], layer), torch.zeros(shape), loss=lambda y: y.mean())
    assert any(operator.module.startswith("1") for operator in workload.operators)


@pytest.mark.parametrize("name", ACTIVATIONS)
def test_activations(name):
    lowers(nn.Sequential(nn.Linear(16, 16), getattr(nn, name)()), torch.zeros(4, 16), loss=lambda y: y.mean())


@pytest.mark.parametrize("how", [{}, {"batch_first": True, "bidirectional": True, "num_layers": 2}])
@pytest.mark.parametrize("cell", [nn.GRU, nn.RNN, nn.LSTM])
def test_recurrent_layers(cell, how):
    lowers(cell(8, 6, **how), torch.zeros(5, 2, 8), loss=lambda y: y[0].mean())


@pytest.mark.parametrize("name", LOSSES)
def test_losses(name):
    lowers(nn.Linear(4, 5), torch.zeros(3, 4), loss=LOSSES[name])


@pytest.mark.parametrize("foreach", [False, True])
@pytest.mark.parametrize("name", UPDATES)
def test_optimizers(name, foreach):
    make = getattr(torch.optim, name)
    workload = lowers(
        nn.Linear(4, 5), torch.zeros(3, 4), optimizer=lambda p: make(p, lr=0.1, foreach=foreach, **UPDATES[name])
    )
    written = [o for op in workload.operators for o in op.operands if o.access == "write" and o.role == "parameter"]
    assert {o.shape for o in written} == {(5, 4), (5,)}


@pytest.mark.parametrize("name", ["SGD", "Adam", "AdamW", "Adagrad"])
def test_fused_optimizers(name):
    make = getattr(torch.optim, name)
    lowers(nn.Linear(4, 5), torch.zeros(3, 4), optimizer=lambda p: make(p, lr=0.1, fused=True))
