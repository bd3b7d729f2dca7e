"""Layers without multiplications, and quantised ones: trainable, known to the tracer, and input of the compiler."""

from models.layers.adder import AdderConv2d, AdderLinear, adder_conv2d
from models.layers.convert import ShiftAddConv2d, convert_to_shiftadd
from models.layers.products import product_conv2d
from models.layers.quantised import BinaryLinear, QuantisedConv2d, QuantisedLinear
from models.layers.quantisers import Sbm, Wageubn
from models.layers.rounding import fixed_point
from models.layers.shift import ShiftConv2d, ShiftLinear

__all__ = [
    "AdderConv2d", "AdderLinear", "BinaryLinear", "QuantisedConv2d", "QuantisedLinear", "Sbm", "ShiftAddConv2d",
    "ShiftConv2d", "ShiftLinear", "Wageubn", "adder_conv2d", "convert_to_shiftadd", "fixed_point", "product_conv2d",
]  # fmt: skip
