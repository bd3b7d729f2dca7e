"""Hypothesis strategies that several test modules share."""

from hypothesis import strategies as st

from hwsim.workload.contraction import conv2d, matmul

small = st.integers(1, 6)


@st.composite
def convolutions(draw, writes=("output", "input", "weight")):
    """Small convolutions of every geometry, and their gradients."""
    groups = draw(st.integers(1, 3))
    kernel = (draw(st.integers(1, 3)), draw(st.integers(1, 3)))
    dilation = (draw(st.integers(1, 2)), draw(st.integers(1, 2)))
    padding = (draw(st.integers(0, 2)), draw(st.integers(0, 2)))
    extent = [
        draw(st.integers(max(1, d * (k - 1) + 1 - 2 * p), 8))
        for k, d, p in zip(kernel, dilation, padding, strict=True)
    ]
    return conv2d(
        "convolution", batch=draw(small), in_channels=groups * draw(small), out_channels=groups * draw(small),
        input_size=(extent[0], extent[1]), kernel=kernel, stride=(draw(st.integers(1, 3)), draw(st.integers(1, 3))),
        padding=padding, dilation=dilation, groups=groups, writes=draw(st.sampled_from(writes)),
    )  # fmt: skip


@st.composite
def products(draw, writes=("output", "input", "weight")):
    """Small batched matrix products and their gradients."""
    return matmul(
        "product", rows=draw(small), inner=draw(small), columns=draw(small), batch=draw(small),
        writes=draw(st.sampled_from(writes)),
    )  # fmt: skip
