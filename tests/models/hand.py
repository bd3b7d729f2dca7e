"""Multiply-accumulates of the zoo's networks by formula, from the sizes in their papers alone."""

from __future__ import annotations


def resnet(depths: tuple[int, ...], *, bottleneck: bool) -> int:
    """Sum over convolutions of output positions * outputs * inputs * kernel, and the classifier."""
    total, inputs, size = 112 * 112 * 64 * 3 * 49, 64, 56
    for stage, depth in enumerate(depths):
        width = 64 << stage
        for index in range(depth):
            before, size = size, size // 2 if stage and not index else size
            if bottleneck:
                total += before**2 * width * inputs + size**2 * (width * width * 9 + 4 * width * width)
                outputs = 4 * width
            else:
                total += size**2 * (width * inputs * 9 + width * width * 9)
                outputs = width
            if not index and (stage or bottleneck):
                total += size**2 * outputs * inputs
            inputs = outputs
    return total + inputs * 1000


def cifar_resnet(blocks: int) -> int:
    """A 3x3 layer that keeps width and size costs the same in each of the three stages."""
    layer = 32**2 * 16 * 16 * 9
    return 32**2 * 16 * 3 * 9 + 2 * blocks * layer + 2 * (2 * blocks - 1) * layer + 2 * layer // 2 + 64 * 10


def vgg(depths: tuple[int, ...], size: int, classifier: int) -> int:
    total, inputs = 0, 3
    for width, depth in zip((64, 128, 256, 512, 512), depths, strict=True):
        total += size**2 * 9 * width * (inputs + (depth - 1) * width)
        inputs, size = width, size // 2
    return total + classifier


def alexnet() -> int:
    convolutions = 55**2 * 64 * 3 * 121 + 27**2 * 192 * 64 * 25 + 13**2 * 9 * (384 * 192 + 256 * 384 + 256 * 256)
    return convolutions + 9216 * 4096 + 4096**2 + 4096 * 1000


def mobilenet_v2() -> int:
    total, inputs, size = 112**2 * 32 * 3 * 9, 32, 112
    table = [(1, 16, 1, 1), (6, 24, 2, 2), (6, 32, 3, 2), (6, 64, 4, 2), (6, 96, 3, 1), (6, 160, 3, 2), (6, 320, 1, 1)]
    for t, c, n, s in table:
        for index in range(n):
            hidden, before = t * inputs, size
            size = size // s if not index else size
            total += before**2 * inputs * hidden * (t > 1) + size**2 * hidden * (9 + c)
            inputs = c
    return total + 7**2 * 320 * 1280 + 1280 * 1000


def block(width: int, tokens: int) -> int:
    """Four projections, two layers of a feed-forward network four times as wide, scores and their use."""
    return tokens * 12 * width**2 + 2 * tokens**2 * width


def vit(width: int) -> int:
    return 196 * width * 3 * 16 * 16 + 12 * block(width, 197) + width * 1000


def pvt(widths: tuple[int, ...], depths: tuple[int, ...]) -> int:
    total, inputs = 0, 3
    for stage, (c, depth) in enumerate(zip(widths, depths, strict=True)):
        size = 56 >> stage
        tokens, r = size**2, (8, 4, 2, 1)[stage]
        keys, hidden = tokens // r**2, (8, 8, 4, 4)[stage] * c
        total += tokens * c * inputs * (9 if stage else 49)
        shrinking = keys * c * c * r**2 if r > 1 else 0
        attention = tokens * c * c * 2 + keys * c * 2 * c + 2 * tokens * keys * c + shrinking
        total += depth * (attention + tokens * (2 * c * hidden + 9 * hidden))
        inputs = c
    return total + inputs * 1000


def llama() -> int:
    width, tokens = 4096, 4096
    layer = tokens * (4 * width**2 + 3 * width * 11008) + 2 * tokens**2 * width
    return 32 * layer + tokens * width * 32000


def shufflenet_v2_cifar() -> int:
    """Units that shrink filter all channels twice; the others filter half of them once."""
    total, inputs, size = 32**2 * 24 * 3 * 9, 24, 32
    for width, blocks in ((116, 4), (232, 8), (464, 4)):
        half, before, size = width // 2, size, size // 2
        total += before**2 * inputs * inputs + 2 * size**2 * inputs * (9 + half)
        total += (blocks - 1) * size**2 * half * (2 * half + 9)
        inputs = width
    return total + size**2 * inputs * 1024 + 1024 * 100


def deep_speech_2(frames: int) -> int:
    """Two convolutions that halve the bands, the first also the frames; five layers of four gates both ways."""
    steps = (frames - 1) // 2 + 1
    convolutions = steps * (81 * 32 * 41 * 11 + 41 * 32 * 32 * 21 * 11)
    return convolutions + steps * (8 * 1024 * (32 * 41 + 4 * 1024 + 5 * 1024) + 1024 * 29)


MACS = {
    "resnet18": resnet((2, 2, 2, 2), bottleneck=False),
    "resnet50": resnet((3, 4, 6, 3), bottleneck=True),
    "resnet20_cifar": cifar_resnet(3),
    "resnet38_cifar": cifar_resnet(6),
    "resnet74_cifar": cifar_resnet(12),
    "resnet110_cifar": cifar_resnet(18),
    "vgg16": vgg((2, 2, 3, 3, 3), 224, 25088 * 4096 + 4096**2 + 4096 * 1000),
    "vgg19_small": vgg((2, 2, 4, 4, 4), 32, 512 * 10),
    "alexnet": alexnet(),
    "mobilenet_v2": mobilenet_v2(),
    "vit_b_16": vit(768),
    "deit_tiny": vit(192),
    "deit_small": vit(384),
    "deit_base": vit(768),
    "pvt_v2_b0": pvt((32, 64, 160, 256), (2, 2, 2, 2)),
    "pvt_v2_b1": pvt((64, 128, 320, 512), (2, 2, 2, 2)),
    "pvt_v2_b2": pvt((64, 128, 320, 512), (3, 4, 6, 3)),
    "gpt2_small": 12 * block(768, 1024) + 1024 * 768 * 50257,
    "llama_7b": llama(),
    "bert_large": 24 * block(1024, 512) + 1024**2,
    "gcn_cora": 2708 * (1433 * 16 + 16 * 7),
    "graphsage_cora": 2 * 2708 * (1433 * 16 + 16 * 7),
    "gat_cora": 2708 * (1433 * 64 + 64 * 7),
    "lstm_medium": 35 * (2 * 4 * 650 * (650 + 650) + 650 * 10000),
    "shufflenet_v2_cifar": shufflenet_v2_cifar(),
    "deep_speech_2": deep_speech_2(20),
    "neumf": 256 * 128 + 128 * 64 + 64 * 32 + 64,
    "decoder_tiny": 2 * block(32, 16) + 16 * 32 * 100,
}
