"""Write the kernels of the training steps that power traces measured, as formulas of batch and padded length.

``python -m benchmarks.validation.training_steps`` traces every network at a few sizes, solves for the formulas, checks
them at a further size and writes ``hwsim/validation/steps/kernels.csv``. The recurrent layers of Deep Speech 2 are
18,450 small kernels, which are written down by hand.
"""

from __future__ import annotations

import csv
import io
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from importlib.resources import files
from pathlib import Path

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional

import hwsim
from hwsim.files import write_text
from hwsim.gpu.kernels import kernel_of
from models.zoo.bert import Bert
from models.zoo.deepspeech import DeepSpeech2
from models.zoo.ncf import NeuMF
from models.zoo.resnet import resnet50
from models.zoo.shufflenet import ShuffleNetV2

QUANTITIES = ("m", "k", "n", "repeats", "operations", "bytes", "images")
IMAGES = ((8, 0), (16, 0), (24, 0))
SEQUENCES = ((4, 64), (8, 64), (4, 128), (8, 128), (4, 192), (8, 192))
"""Batch and length of what is traced."""
FRAMES = 615
"""Of an utterance of 12.3 s, the mean of LibriSpeech, after the convolutions."""

Row = tuple[str, ...]


class Answering(nn.Module):
    """BERT-base with a score for the begin and the end of an answer at every token."""

    def __init__(self) -> None:
        super().__init__()
        self.encoder = Bert(width=768, depth=12, heads=12)
        self.head = nn.Linear(768, 2)

    def forward(self, tokens: Tensor) -> Tensor:
        """Map ``(batch, tokens)`` to ``(batch, tokens, 2)``."""
        bert = self.encoder
        positions = torch.arange(tokens.shape[1])
        x = bert.tokens(tokens) + bert.positions(positions) + bert.segments(torch.zeros_like(positions))
        scores: Tensor = self.head(bert.blocks(bert.dropout(bert.norm(x))))
        return scores


class Classifying(nn.Module):
    """BERT-base with scores of two classes."""

    def __init__(self) -> None:
        super().__init__()
        self.encoder = Bert(width=768, depth=12, heads=12)
        self.head = nn.Linear(768, 2)

    def forward(self, tokens: Tensor) -> Tensor:
        """Map ``(batch, tokens)`` to ``(batch, 2)``."""
        scores: Tensor = self.head(self.encoder(tokens))
        return scores


class AroundRecurrent(nn.Module):
    """Deep Speech 2 without its recurrent layers."""

    def __init__(self) -> None:
        super().__init__()
        whole = DeepSpeech2()
        self.convolutions, self.norm, self.head = whole.convolutions, whole.norm, whole.head

    def forward(self, spectrograms: Tensor) -> Tensor:
        """Map ``(batch, 1, bands, frames)`` to scores of characters."""
        y = self.convolutions(spectrograms)
        batch, channels, bands, frames = y.shape
        y = y.view(batch, channels * bands, frames).permute(2, 0, 1)[..., : self.norm.num_features]
        scores: Tensor = self.head(self.norm(y.reshape(frames * batch, -1)))
        return scores


def _classes(scores: Tensor) -> Tensor:
    return functional.cross_entropy(scores, torch.zeros(scores.shape[0], dtype=torch.int64))


def _spans(scores: Tensor) -> Tensor:
    return _classes(scores[..., 0]) + _classes(scores[..., 1])


def _clicks(scores: Tensor) -> Tensor:
    return functional.binary_cross_entropy_with_logits(scores, torch.zeros_like(scores))


def _any_loss(scores: Tensor) -> Tensor:
    return scores.logsumexp(-1).sum()


def _images(size: int) -> Callable[[int, int], tuple[Tensor, ...]]:
    return lambda batch, _: (torch.zeros(batch, 3, size, size),)


def _tokens(batch: int, length: int) -> tuple[Tensor, ...]:
    return (torch.zeros(batch, length, dtype=torch.int64),)


def _pairs(batch: int, _: int) -> tuple[Tensor, ...]:
    return torch.zeros(batch, dtype=torch.int64), torch.zeros(batch, dtype=torch.int64)


def _spectrograms(batch: int, _: int) -> tuple[Tensor, ...]:
    return (torch.zeros(batch, 1, 161, 2 * FRAMES),)


def rows_of(
    model: nn.Module,
    inputs: Callable[[int, int], tuple[Tensor, ...]],
    loss: Callable[[Tensor], Tensor],
    optimizer: Callable[[Iterable[nn.Parameter]], torch.optim.Optimizer],
    points: Sequence[tuple[int, int]],
) -> Counter[Row]:
    """Trace a step at every point and return its kernels as formulas, each with how often it runs."""
    steps = [
        hwsim.trace(model, inputs(*point), loss=loss, optimizer=optimizer(model.parameters()), level="aten").operators
        for point in points
    ]
    rows: Counter[Row] = Counter()
    for alike in zip(*steps, strict=True):
        kernels = [kernel_of(operator, one_kernel=False) for operator in alike]
        first = kernels[0]
        formulas = [_formula([getattr(kernel, name) for kernel in kernels], points) for name in QUANTITIES]
        rows[first.part, first.format, *formulas, "1"] += alike[0].count
    return rows


def _formula(values: Sequence[float], points: Sequence[tuple[int, int]]) -> str:
    """Solve for the factors of 1, b, t, b*t and b*t*t (without lengths, 1 and b), which must give every value."""
    terms: dict[str, Callable[[int, int], int]] = {"": lambda b, t: 1, "b": lambda b, t: b}
    if any(length for _, length in points):
        terms |= {"t": lambda b, t: t, "b*t": lambda b, t: b * t, "b*t*t": lambda b, t: b * t * t}
    basis = np.array([[term(*point) for term in terms.values()] for point in points], float)
    scale = np.abs(basis).max(axis=0)
    factors = np.linalg.lstsq(basis / scale, np.array(values), rcond=None)[0] / scale
    factors = factors.round(4)
    np.testing.assert_allclose(basis @ factors, values, rtol=1e-6)
    named = zip(factors, terms, strict=True)
    return " + ".join("*".join(filter(None, (f"{factor:.12g}", name))) for factor, name in named if factor) or "0"


def _recurrent_rows(width: int = 1024, first_inputs: int = 32 * 41, depth: int = 5) -> Iterator[tuple[Row, int]]:
    """Five bidirectional LSTM layers in half precision: products with the inputs of all steps, and step by step."""
    gates, half = 4 * width, 2
    for layer in range(depth):
        inputs = width if layer else first_inputs
        for part, count in (("forward", 2), ("backward", 4)):
            moved = f"{inputs * gates * half} + {FRAMES * (inputs + gates) * half}*b"
            yield _product(part, f"{FRAMES}*b", inputs, 2 * FRAMES * inputs * gates, moved), count
        for part in ("forward", "backward"):
            moved = f"{width * gates * half} + {(width + gates) * half}*b"
            yield _product(part, "b", width, 2 * width * gates, moved), 2 * FRAMES
            yield (part, "fp16", "0", "0", "0", "0", f"{30 * width}*b", f"{10 * width * half}*b", "0", "0"), 2 * FRAMES
        moved = f"{FRAMES * (width + gates) * half}*b"
        yield _product("backward", f"{FRAMES}*b", width, 2 * FRAMES * width * gates, moved), 2


def _product(part: str, m: str, k: int, operations: int, moved: str) -> Row:
    return part, "fp16", m, str(k), "4096", "1", f"{operations}*b", moved, "0", "0"


def main() -> None:
    """Trace, solve, write."""
    shufflenet = ShuffleNetV2()
    steps = {
        "shufflenetv2-adadelta": rows_of(shufflenet, _images(32), _classes, torch.optim.Adadelta, IMAGES),
        "shufflenetv2-adam": rows_of(shufflenet, _images(32), _classes, torch.optim.Adam, IMAGES),
        "resnet50-adadelta": rows_of(resnet50(), _images(224), _classes, torch.optim.Adadelta, IMAGES),
        "ncf-adam": rows_of(NeuMF(), _pairs, _clicks, torch.optim.Adam, IMAGES),
        "bert-answering-adamw": rows_of(Answering(), _tokens, _spans, torch.optim.AdamW, SEQUENCES),
        "bert-classifying-adamw": rows_of(Classifying(), _tokens, _classes, torch.optim.AdamW, SEQUENCES),
        "deepspeech2-adamw": rows_of(AroundRecurrent(), _spectrograms, _any_loss, torch.optim.AdamW, IMAGES),
    }
    for row, count in _recurrent_rows():
        steps["deepspeech2-adamw"][row] += count
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(["step", "part", "format", *QUANTITIES, "launched", "count"])
    for name, rows in steps.items():
        writer.writerows([name, *row, count] for row, count in rows.items())
    write_text(Path(str(files("hwsim.validation") / "steps" / "kernels.csv")), text.getvalue())


if __name__ == "__main__":
    main()
