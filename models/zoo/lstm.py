"""An LSTM language model: W. Zaremba et al., Recurrent Neural Network Regularization, 2014."""

from __future__ import annotations

from torch import Tensor, nn


class LstmLanguageModel(nn.Module):
    """Embedding, LSTM layers and scores for the next token.

    Parameters
    ----------
    vocabulary
        Known tokens.
    width, depth
        Channels and number of LSTM layers.
    dropout
        Rate before, between and after the layers.
    """

    def __init__(self, *, vocabulary: int, width: int, depth: int, dropout: float) -> None:
        super().__init__()
        self.tokens = nn.Embedding(vocabulary, width)
        self.dropout = nn.Dropout(dropout)
        self.lstm = nn.LSTM(width, width, depth, dropout=dropout, batch_first=True)
        self.head = nn.Linear(width, vocabulary)

    def forward(self, tokens: Tensor) -> Tensor:
        """Return scores ``(batch, tokens, vocabulary)`` after each of the given tokens ``(batch, tokens)``."""
        x, _ = self.lstm(self.dropout(self.tokens(tokens)))
        scores: Tensor = self.head(self.dropout(x))
        return scores


def lstm_medium() -> LstmLanguageModel:
    """The medium network for Penn Treebank."""
    return LstmLanguageModel(vocabulary=10000, width=650, depth=2, dropout=0.5)
