"""Operators of small chains."""

import math

from hwsim.workload import Operand, Operator
from hwsim.workload.contraction import conv2d, matmul


def pointwise(name, shape, read, written, *, reduced=(), also=()):
    operands = [Operand(name="input", shape=shape, format="fp32", tensor=read)]
    operands += [Operand(name=f"other{i}", shape=shape, format="fp32", tensor=one) for i, one in enumerate(also)]
    operands.append(Operand(name="output", shape=shape, format="fp32", tensor=written, access="write"))
    return Operator(name=name, primitive="elementwise", dims={"x": math.prod(shape)}, reduced=reduced,
                    arithmetic={"add": 1}, operands=tuple(operands))  # fmt: skip


def conv(name, read, written, *, size=8, channels=4, batch=2, kernel=3, stride=1):
    return conv2d(name, batch=batch, in_channels=channels, out_channels=channels, input_size=(size, size),
                  kernel=(kernel, kernel), stride=(stride, stride), padding=(kernel // 2, kernel // 2),
                  tensors=(read, f"{name}.weight.0", written))  # fmt: skip


def attention():
    return (
        matmul("scores", rows=16, inner=8, columns=16, batch=4, tensors=("1.0", "2.0", "3.0")),
        pointwise("softmax", (4, 16, 16), "3.0", "4.0", reduced=(2,)),
        matmul("values", rows=16, inner=16, columns=8, batch=4, tensors=("4.0", "5.0", "6.0")),
    )
