"""Networks in plain torch with exact published shapes, each with what its source says about it."""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial

from models.zoo.alexnet import AlexNet
from models.zoo.bert import bert_large
from models.zoo.deepspeech import DeepSpeech2
from models.zoo.entry import Entry
from models.zoo.graph import gat_cora, gcn_cora, graphsage_cora
from models.zoo.llama import llama_7b
from models.zoo.lstm import lstm_medium
from models.zoo.mobilenet import MobileNetV2
from models.zoo.ncf import NeuMF
from models.zoo.pvt import pvt_v2_b0, pvt_v2_b1, pvt_v2_b2
from models.zoo.resnet import resnet18, resnet50
from models.zoo.resnet_cifar import CifarResNet
from models.zoo.shufflenet import ShuffleNetV2
from models.zoo.transformer import decoder_tiny, gpt2_small
from models.zoo.vgg import vgg16, vgg19_small
from models.zoo.vit import deit, vit_b_16

__all__ = ["ZOO", "Entry"]

_IMAGE, _CIFAR, _CORA = (3, 224, 224), (3, 32, 32), (2708, 1433)

ZOO: Mapping[str, Entry] = {
    "resnet18": Entry(
        resnet18, _IMAGE, 11_689_512, 1_814_073_344,
        "torchvision resnet18: 11 689 512 parameters, 1.81 G; He et al., table 1: 1.8 G",
    ),
    "resnet50": Entry(
        resnet50, _IMAGE, 25_557_032, 4_089_184_256,
        "torchvision resnet50: 25 557 032 parameters, 4.09 G",
    ),
    "resnet20_cifar": Entry(
        partial(CifarResNet, 20), _CIFAR, 269_722, 40_551_040, "He et al., table 6: 0.27 M; 41 M in later papers",
    ),
    "resnet38_cifar": Entry(
        partial(CifarResNet, 38), _CIFAR, 561_370, 83_018_368, "as resnet20_cifar with 6 blocks a stage, by hand",
    ),
    "resnet74_cifar": Entry(
        partial(CifarResNet, 74), _CIFAR, 1_144_666, 167_953_024, "as resnet20_cifar with 12 blocks a stage, by hand",
    ),
    "resnet110_cifar": Entry(
        partial(CifarResNet, 110), _CIFAR, 1_727_962, 252_887_680, "He et al., table 6: 1.7 M; 0.25 G",
    ),
    "vgg16": Entry(
        vgg16, _IMAGE, 138_357_544, 15_470_264_320, "torchvision vgg16: 138 357 544 parameters, 15.47 G",
    ),
    "vgg19_small": Entry(
        vgg19_small, _CIFAR, 20_040_522, 398_136_320, "VGG-19 with batch norms for CIFAR-10: 20.04 M, 398 M",
    ),
    "alexnet": Entry(
        AlexNet, _IMAGE, 61_100_840, 714_188_480, "torchvision alexnet: 61 100 840 parameters, 0.71 G",
    ),
    "mobilenet_v2": Entry(
        MobileNetV2, _IMAGE, 3_504_872, 300_774_272,
        "torchvision mobilenet_v2: 3 504 872 parameters, 0.30 G; Sandler et al., table 4: 3.4 M, 300 M",
    ),
    "vit_b_16": Entry(
        vit_b_16, _IMAGE, 86_567_656, 17_563_828_224,
        "torchvision vit_b_16: 86 567 656 parameters, 17.56 G",
    ),
    "deit_tiny": Entry(
        partial(deit, 192), _IMAGE, 5_717_416, 1_253_683_200, "timm deit_tiny_patch16_224: 5.72 M, 1.26 G",
    ),
    "deit_small": Entry(
        partial(deit, 384), _IMAGE, 22_050_664, 4_598_882_304, "timm deit_small_patch16_224: 22.05 M, 4.61 G",
    ),
    "deit_base": Entry(
        partial(deit, 768), _IMAGE, 86_567_656, 17_563_828_224,
        "timm deit_base_patch16_224: 86.57 M, 17.58 G with its norms; the shape of ViT-B/16",
    ),
    "pvt_v2_b0": Entry(
        pvt_v2_b0, _IMAGE, 3_666_760, 566_065_664, "timm pvt_v2_b0: 3.67 M; Wang et al.: 0.6 G",
    ),
    "pvt_v2_b1": Entry(
        pvt_v2_b1, _IMAGE, 14_009_000, 2_108_355_584, "timm pvt_v2_b1: 14.01 M; Wang et al.: 2.1 G",
    ),
    "pvt_v2_b2": Entry(
        pvt_v2_b2, _IMAGE, 25_362_856, 4_026_734_592, "timm pvt_v2_b2: 25.36 M; Wang et al.: 4.0 G",
    ),
    "gpt2_small": Entry(
        gpt2_small, (1024,), 124_439_808, 145_824_153_600,
        "openai-community/gpt2: 124 439 808 parameters; MACs by hand: 1024 * (tied embedding + 12 * 12 * width^2) "
        "in the layers and 12 * 2 * 1024^2 * width in attention",
        tokens=50257,
    ),
    "llama_7b": Entry(
        llama_7b, (4096,), 6_738_415_616, 31_460_635_443_200,
        "meta-llama/Llama-2-7b: 6 738 415 616 parameters; MACs by hand as for gpt2_small",
        tokens=32000,
    ),
    "bert_large": Entry(
        bert_large, (512,), 335_141_888, 167_504_773_120,
        "google-bert/bert-large-uncased with its pooler: 335 141 888 parameters; MACs by hand",
        tokens=30522,
    ),
    "gcn_cora": Entry(
        gcn_cora, _CORA, 23_063, 62_392_320,
        "Kipf and Welling, section 5.2 (16 channels); 5429 links both ways less duplicates = 10 556, and 2708 loops",
        edges=10_556 + 2708,
    ),
    "graphsage_cora": Entry(
        graphsage_cora, _CORA, 46_103, 124_784_640, "two weights a layer, one bias: by hand", edges=10_556,
    ),
    "gat_cora": Entry(
        gat_cora, _CORA, 92_373, 249_569_280, "Velickovic et al., section 3.3 (8 heads of 8 channels): 92.4 k",
        edges=10_556 + 2708,
    ),
    "lstm_medium": Entry(
        lstm_medium, (35,), 19_780_400, 464_100_000,
        "Zaremba et al., section 4.1: 650 channels, 35 steps; 20 M in later papers",
        tokens=10_000,
    ),
    "shufflenet_v2_cifar": Entry(
        ShuffleNetV2, _CIFAR, 1_360_896, 43_675_520, "weiaicunzai/pytorch-cifar100: 1.3 M; both numbers by hand",
    ),
    "deep_speech_2": Entry(
        DeepSpeech2, (1, 161, 20), 86_618_400, 971_423_680,
        "a fifth of a second of speech; the shape of SeanNaren/deepspeech.pytorch; both numbers by hand",
    ),
    "neumf": Entry(
        NeuMF, (), 1_602_657, 43_072, "He et al., section 3.3, on MovieLens-1M with 32 factors; both numbers by hand",
        tokens=3706, arguments=2,
    ),
    "decoder_tiny": Entry(
        decoder_tiny, (16,), 29_184, 477_184, "sum over its layers, by hand", tokens=100,
    ),
}  # fmt: skip
