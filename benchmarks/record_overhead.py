"""What recording costs a training loop: time per step with and without it, in one process.

The loops are a ResNet-20 whose blocks report bits that change at every step, and a transformer. Prints the ratio of
medians over the counted steps, which must stay below 1.02, what a sampled step adds, spread over the default interval
of sampling, and the ratio of total times with the steps that are traced. Times are those of the processor, which other
processes disturb little; plain and recorded steps take turns in going first, so that drifts of the machine cancel.
"""

from __future__ import annotations

import argparse
import statistics
import tempfile
import time
from collections.abc import Callable
from itertools import cycle, pairwise
from pathlib import Path
from typing import Any

import torch
from torch import nn

import hwsim
from hwsim.training.sampling import EVERY

LIMIT = 1.02
TRACED = 2


class BasicBlock(nn.Module):
    """Two 3 x 3 convolutions with a shortcut; the CIFAR variant (He et al. 2016, section 4.2)."""

    def __init__(self, in_channels: int, channels: int, stride: int) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(in_channels, channels, 3, stride, 1, bias=False)
        self.bn1 = nn.BatchNorm2d(channels)
        self.conv2 = nn.Conv2d(channels, channels, 3, 1, 1, bias=False)
        self.bn2 = nn.BatchNorm2d(channels)
        self.shortcut = nn.Conv2d(in_channels, channels, 1, stride, bias=False) if stride > 1 else nn.Identity()

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Return activations (N, channels, H / stride, W / stride)."""
        y = self.bn2(self.conv2(self.bn1(self.conv1(x)).relu()))
        return (y + self.shortcut(x)).relu()


def resnet20() -> nn.Module:
    """Return ResNet-20 for 32 x 32 images."""
    widths = [16] * 4 + [32] * 3 + [64] * 3
    blocks = [BasicBlock(a, b, 1 if a == b else 2) for a, b in pairwise(widths)]
    stem = (nn.Conv2d(3, 16, 3, padding=1, bias=False), nn.BatchNorm2d(16), nn.ReLU())
    return nn.Sequential(*stem, *blocks, nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(64, 10))


Step = Callable[[], None]


def images(batch: int) -> tuple[nn.Module, torch.optim.Optimizer, Step]:
    """Return a model, its optimizer and a function that makes one training step."""
    model = resnet20()
    optimizer = torch.optim.SGD(model.parameters(), lr=0.01, momentum=0.9)
    blocks = [module for module in model if isinstance(module, BasicBlock)]
    inputs, labels = torch.randn(batch, 3, 32, 32), torch.randint(10, (batch,))
    bits = cycle((3, 4, 6, 8, 5, 7, 4))

    def step() -> None:
        for block in blocks:
            hwsim.annotate(block, weights=next(bits), activations=8)
        optimizer.zero_grad()
        nn.functional.cross_entropy(model(inputs), labels).backward()
        optimizer.step()

    return model, optimizer, step


def tokens(batch: int) -> tuple[nn.Module, torch.optim.Optimizer, Step]:
    """Return the same of a transformer encoder on sequences of 32 tokens."""
    layer = nn.TransformerEncoderLayer(128, 4, 512, dropout=0.0, batch_first=True)
    model = nn.Sequential(nn.TransformerEncoder(layer, 4, enable_nested_tensor=False), nn.Linear(128, 10))
    optimizer = torch.optim.AdamW(model.parameters())
    inputs = torch.randn(batch, 32, 128)

    def step() -> None:
        optimizer.zero_grad()
        model(inputs).square().mean().backward()
        optimizer.step()

    return model, optimizer, step


def timed(step: Step) -> float:
    """Return the CPU seconds that one step took."""
    start = time.process_time()
    step()
    return time.process_time() - start


def measure(name: str, loop: Callable[[int], tuple[nn.Module, torch.optim.Optimizer, Step]], options: Any) -> None:
    """Print the ratios of a loop, and fail above the limits."""
    _, _, plain_step = loop(options.batch)
    model, optimizer, recorded_step = loop(options.batch)
    plain: list[float] = []
    recorded: list[float] = []
    pair = [(plain, plain_step), (recorded, recorded_step)]
    with tempfile.TemporaryDirectory() as folder, hwsim.record(
        Path(folder) / "run", model, optimizer, sample_every=options.every
    ):
        for _ in range(TRACED + options.steps):
            for times, step in pair:
                times.append(timed(step))
            pair.reverse()
    medians = [statistics.median(times[TRACED:]) for times in (plain, recorded)]
    ratio = medians[1] / medians[0]
    sampled = statistics.median(recorded[TRACED :: options.every]) - medians[1]
    ratio_sampled = sampled / (EVERY * medians[0])
    print(f"{name}: median step {medians[0] * 1e3:.2f} ms plain, {medians[1] * 1e3:.2f} ms recorded, ratio {ratio:.4f}")
    print(f"  a sampled step adds {sampled * 1e3:.1f} ms, {ratio_sampled:.2%} of {EVERY} steps")
    print(f"  total of {len(plain)} steps, {TRACED} traced: ratio {sum(recorded) / sum(plain):.4f}")
    print(f"  traced steps: {', '.join(f'{seconds:.2f} s' for seconds in recorded[:TRACED])}")
    assert ratio < LIMIT, f"recording must cost less than {LIMIT - 1:.0%} of a step"


def main() -> None:
    """Measure both loops."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--steps", type=int, default=200)
    parser.add_argument("--batch", type=int, default=8)
    parser.add_argument("--every", type=int, default=50, help="steps between samples here, so that there are several")
    options = parser.parse_args()
    torch.manual_seed(0)
    torch.set_num_threads(1)  # other processes then disturb the times less
    measure("ResNet-20", images, options)
    measure("transformer", tokens, options)


if __name__ == "__main__":
    main()
