"""Every network of the zoo has its published parameters, and the multiply-accumulates a hand formula gives."""

from __future__ import annotations

import pytest
import torch
from torch._subclasses.fake_tensor import FakeTensorMode

from hwsim.errors import InputError
from hwsim.trace import trace
from models.zoo import ZOO
from models.zoo.graph import GraphAttention, GraphConvolution, MeanAggregation
from models.zoo.resnet_cifar import CifarResNet
from tests.models import hand


@pytest.mark.parametrize("name", ZOO)
def test_published_numbers(name):
    entry = ZOO[name]
    with FakeTensorMode():
        model = entry.make()
    assert sum(parameter.numel() for parameter in model.parameters()) == entry.parameters
    assert entry.macs == hand.MACS[name]
    workload = trace(model, entry.inputs(2), name=name, samples=2)
    assert workload.macs == 2 * entry.macs
    assert {operator.phase for operator in workload.operators} == {"forward"}
    assert entry.source


@pytest.mark.parametrize("name", ["resnet18", "resnet20_cifar", "vgg19_small", "mobilenet_v2", "pvt_v2_b0",
                                  "gcn_cora", "graphsage_cora", "gat_cora", "decoder_tiny"])  # fmt: skip
def test_small_networks_run_on_data(name):
    torch.manual_seed(0)
    inputs = ZOO[name].inputs(1)
    with torch.no_grad():
        output = ZOO[name].make().eval()(*(inputs if isinstance(inputs, tuple) else (inputs,)))
    assert output.isfinite().all()


def test_residual_networks_for_cifar_have_certain_depths():
    with pytest.raises(InputError, match=r"^layers: must be 6n \+ 2 with n at least 1, not 18$"):
        CifarResNet(18)


def test_graph_layers_are_products_with_the_adjacency_matrix():
    torch.manual_seed(0)
    edges = torch.tensor([[0, 1, 2, 0, 1, 2], [1, 2, 0, 0, 1, 2]])
    adjacency = torch.zeros(3, 3).index_put_((edges[1], edges[0]), torch.ones(6))
    x, degree = torch.randn(3, 4), adjacency.sum(1)
    convolution, mean, attention = GraphConvolution(4, 5), MeanAggregation(4, 5), GraphAttention(4, 5, 1)
    scale = degree.rsqrt()
    torch.testing.assert_close(convolution(x, edges), (scale[:, None] * adjacency * scale) @ convolution.linear(x))
    expected = mean.neighbours(adjacency @ x / degree[:, None]) + mean.itself(x)
    torch.testing.assert_close(mean(x, edges), expected)
    y = attention.linear(x)
    scores = torch.nn.functional.leaky_relu((y @ attention.target.T) + (y @ attention.source.T).T, 0.2)
    weights = scores.masked_fill(adjacency == 0, -torch.inf).softmax(1)
    torch.testing.assert_close(attention(x, edges), weights @ y)
