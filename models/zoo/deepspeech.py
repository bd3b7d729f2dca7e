"""Deep Speech 2: D. Amodei et al., ICML 2016, in the shape of the open deepspeech.pytorch (five LSTM layers)."""

from __future__ import annotations

from torch import Tensor, nn

BANDS, CHARACTERS = 161, 29
"""Frequencies of a spectrogram of 20 ms windows at 16 kHz; letters, apostrophe, space and blank."""


class Recurrent(nn.Module):
    """A bidirectional LSTM over normalised inputs, the two directions summed."""

    def __init__(self, inputs: int, width: int, *, normalise: bool) -> None:
        super().__init__()
        self.norm = nn.BatchNorm1d(inputs) if normalise else None
        self.lstm = nn.LSTM(inputs, width, bidirectional=True)

    def forward(self, x: Tensor) -> Tensor:
        """Map ``(frames, batch, inputs)`` to ``(frames, batch, width)``."""
        frames, batch, inputs = x.shape
        if self.norm is not None:
            x = self.norm(x.view(frames * batch, inputs)).view(frames, batch, inputs)
        y, _ = self.lstm(x)
        summed: Tensor = y.view(frames, batch, 2, -1).sum(2)
        return summed


class DeepSpeech2(nn.Module):
    """Two convolutions over time and frequency, bidirectional LSTMs, scores of characters per frame."""

    def __init__(self, width: int = 1024, depth: int = 5) -> None:
        super().__init__()
        self.convolutions = nn.Sequential(
            nn.Conv2d(1, 32, (41, 11), stride=(2, 2), padding=(20, 5)), nn.BatchNorm2d(32),
            nn.Hardtanh(0, 20, inplace=True),
            nn.Conv2d(32, 32, (21, 11), stride=(2, 1), padding=(10, 5)), nn.BatchNorm2d(32),
            nn.Hardtanh(0, 20, inplace=True),
        )  # fmt: skip
        inputs = 32 * 41  # two strides of 2 leave 41 of 161 bands
        layers = [Recurrent(width if index else inputs, width, normalise=index > 0) for index in range(depth)]
        self.recurrent = nn.Sequential(*layers)
        self.norm = nn.BatchNorm1d(width)
        self.head = nn.Linear(width, CHARACTERS, bias=False)

    def forward(self, x: Tensor) -> Tensor:
        """Return scores ``(frames / 2, batch, characters)`` of spectrograms ``(batch, 1, bands, frames)``."""
        y = self.convolutions(x)
        batch, channels, bands, frames = y.shape
        y = self.recurrent(y.view(batch, channels * bands, frames).permute(2, 0, 1).contiguous())
        scores: Tensor = self.head(self.norm(y.view(frames * batch, -1))).view(frames, batch, -1)
        return scores
