"""Networks of published power traces have their published or closed-form parameters."""

from torch import nn

from models.zoo.deepspeech import DeepSpeech2
from models.zoo.ncf import NeuMF
from models.zoo.shufflenet import ShuffleNetV2


def parameters(model: nn.Module) -> int:
    return sum(parameter.numel() for parameter in model.parameters())


def test_shufflenet() -> None:
    model = ShuffleNetV2(classes=1000)
    biases = sum(layer.bias.numel() for layer in model.modules() if isinstance(layer, nn.Conv2d))
    torchvision = 2_278_604  # shufflenet_v2_x1_0: no biases, and its first unit widens from 24 to 58 a layer earlier
    earlier = (24 * 58 + 9 * 58 + 58 * 58 + 4 * 58) - (24 * 24 + 9 * 24 + 24 * 58 + 4 * 24)
    assert parameters(model) - biases == torchvision - earlier


def test_deep_speech() -> None:
    width, depth = 1024, 5
    convolutions = 32 * (41 * 11 + 1) + 32 * (32 * 21 * 11 + 1) + 2 * 2 * 32
    recurrent = sum(
        2 * (4 * width * (inputs + width) + 8 * width) for inputs in [32 * 41, *[width] * (depth - 1)]
    )  # fmt: skip
    norms = depth * 2 * width
    assert parameters(DeepSpeech2()) == convolutions + recurrent + norms + 29 * width


def test_neural_collaborative_filtering() -> None:
    rows, factors, width = 6040 + 3706, 32, 128
    layers = sum(size * size // 2 + size // 2 for size in (2 * width, width, width // 2))
    assert parameters(NeuMF()) == rows * (factors + width) + layers + 2 * factors + 1
