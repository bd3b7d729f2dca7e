"""Graph networks that gather and add along a list of edges.

GCN: T. Kipf and M. Welling, ICLR 2017. GraphSAGE: W. Hamilton et al., NIPS 2017. GAT: P. Velickovic et al., ICLR 2018.
An edge goes from ``edges[0]`` to ``edges[1]``; GCN and GAT want a self-loop at every node.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional as F


def gather(x: Tensor, nodes: Tensor) -> Tensor:
    """Return the rows of ``x`` at ``nodes``."""
    return x.index_select(0, nodes)


def add_up(messages: Tensor, nodes: Tensor, count: int) -> Tensor:
    """Return for each of ``count`` nodes the sum of the messages ``(edges, ...)`` that go to it."""
    return messages.new_zeros(count, *messages.shape[1:]).index_add(0, nodes, messages)


def degrees(edges: Tensor, count: int) -> Tensor:
    """Return the number of edges that end at each node."""
    return add_up(torch.ones(edges.shape[1], device=edges.device), edges[1], count)


class GraphConvolution(nn.Module):
    """``D^-1/2 A D^-1/2 (x W) + b``."""

    def __init__(self, inputs: int, outputs: int) -> None:
        super().__init__()
        self.linear = nn.Linear(inputs, outputs, bias=False)
        self.bias = nn.Parameter(torch.zeros(outputs))

    def forward(self, x: Tensor, edges: Tensor) -> Tensor:
        """Map nodes ``(nodes, inputs)`` to ``(nodes, outputs)``."""
        scale = degrees(edges, len(x)).clamp(min=1).rsqrt()
        weight = gather(scale, edges[0]) * gather(scale, edges[1])
        messages = gather(self.linear(x), edges[0]) * weight[:, None]
        return add_up(messages, edges[1], len(x)) + self.bias


class MeanAggregation(nn.Module):
    """``mean(neighbours) W + b + x V``."""

    def __init__(self, inputs: int, outputs: int) -> None:
        super().__init__()
        self.neighbours = nn.Linear(inputs, outputs)
        self.itself = nn.Linear(inputs, outputs, bias=False)

    def forward(self, x: Tensor, edges: Tensor) -> Tensor:
        """Map nodes ``(nodes, inputs)`` to ``(nodes, outputs)``."""
        total = add_up(gather(x, edges[0]), edges[1], len(x))
        y: Tensor = self.neighbours(total / degrees(edges, len(x)).clamp(min=1)[:, None]) + self.itself(x)
        return y


class GraphAttention(nn.Module):
    """Heads that weigh the neighbours by a softmax over each node's edges; their results side by side."""

    def __init__(self, inputs: int, outputs: int, heads: int) -> None:
        super().__init__()
        self.heads = heads
        self.linear = nn.Linear(inputs, heads * outputs, bias=False)
        self.source = nn.Parameter(torch.empty(heads, outputs).normal_(std=outputs**-0.5))
        self.target = nn.Parameter(torch.empty(heads, outputs).normal_(std=outputs**-0.5))
        self.bias = nn.Parameter(torch.zeros(heads * outputs))

    def forward(self, x: Tensor, edges: Tensor) -> Tensor:
        """Map nodes ``(nodes, inputs)`` to ``(nodes, heads * outputs)``."""
        source, target = edges
        y = self.linear(x).view(len(x), self.heads, -1)
        scores = gather((y * self.source).sum(-1), source) + gather((y * self.target).sum(-1), target)
        scores = F.leaky_relu(scores, 0.2)
        weights = (scores - scores.detach().amax(0)).exp()
        weights = weights / gather(add_up(weights, target, len(x)), target)
        return add_up(gather(y, source) * weights[..., None], target, len(x)).flatten(1) + self.bias


class GraphNetwork(nn.Module):
    """Two layers over one graph, with an activation and dropout between them."""

    def __init__(self, first: nn.Module, second: nn.Module, dropout: float) -> None:
        super().__init__()
        self.first, self.second, self.dropout = first, second, nn.Dropout(dropout)

    def forward(self, x: Tensor, edges: Tensor) -> Tensor:
        """Return class scores ``(nodes, classes)`` of nodes ``(nodes, features)`` with edges ``(2, edges)``."""
        x = self.dropout(F.relu(self.first(self.dropout(x), edges)))
        scores: Tensor = self.second(x, edges)
        return scores


def gcn_cora() -> GraphNetwork:
    """GCN for Cora."""
    return GraphNetwork(GraphConvolution(1433, 16), GraphConvolution(16, 7), 0.5)


def graphsage_cora() -> GraphNetwork:
    """GraphSAGE with mean aggregation, as wide as the GCN, for Cora."""
    return GraphNetwork(MeanAggregation(1433, 16), MeanAggregation(16, 7), 0.5)


def gat_cora() -> GraphNetwork:
    """GAT for Cora: eight heads of eight channels, then one of the classes."""
    return GraphNetwork(GraphAttention(1433, 8, 8), GraphAttention(64, 7, 1), 0.6)
