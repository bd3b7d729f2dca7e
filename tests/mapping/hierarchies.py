"""Hypothesis strategies of small hierarchies and of problems that brute force can finish."""

from hypothesis import strategies as st

from hwsim.mapping.hierarchy import Array, Hierarchy, Memory
from hwsim.mapping.problem import problem_of
from hwsim.workload.contraction import conv2d, matmul

WIDTHS = ((8, 8, 8), (16, 8, 32))
HOLDS = (
    (True, True, True), (True, False, True), (False, True, False), (False, True, True), (True, False, False),
    (False, False, True),
)  # fmt: skip
energies = st.tuples(*[st.integers(1, 40).map(lambda quarter: quarter / 4)] * 3)
capacities = st.tuples(*[st.sampled_from([None, 1, 2, 4, 6, 12])] * 3)


constraints = (
    st.sampled_from([None, None, None, frozenset("nmcq"), frozenset("gcprs")]), st.sampled_from([None, None, 0, 1, 2])
)  # fmt: skip


def memories(name, holds):
    return st.builds(
        Memory, st.just(name), holds, st.sampled_from(WIDTHS), energies, energies, capacities,
        st.sampled_from([None, 64, 160, 400]), st.sampled_from([None, 8.0, 32.0]), *constraints,
    )  # fmt: skip


def arrays(name):
    return st.builds(
        Array, st.just(name), st.sampled_from([2, 3, 4]),
        st.sampled_from([None, frozenset("nmc"), frozenset("cpr")]), st.tuples(*[st.booleans()] * 3), energies,
    )  # fmt: skip


@st.composite
def hierarchies(draw):
    """An unlimited outer memory, then up to three memories and arrays."""
    outer = Memory(
        "dram", (True,) * 3, draw(st.sampled_from(WIDTHS)), draw(energies), draw(energies),
        bits_per_cycle=draw(st.sampled_from([None, 16.0, 64.0])),
        dimensions=draw(constraints[0]), stationary=draw(constraints[1]),
    )  # fmt: skip
    inner = [
        draw(arrays(f"array{i}") if draw(st.booleans()) else memories(f"memory{i}", st.sampled_from(HOLDS)))
        for i in range(draw(st.integers(1, 3)))
    ]
    return Hierarchy("small", (outer, *inner), draw(st.integers(0, 4)) * 1.0, draw(st.sampled_from([1.0, 2.0])))


@st.composite
def operators(draw, padded=True):
    """Products and convolutions with a handful of points, and their gradients."""
    writes = draw(st.sampled_from(["output", "input", "weight"]))
    if draw(st.booleans()):
        return matmul(
            "product", rows=draw(st.sampled_from([1, 2, 3, 4])), inner=draw(st.sampled_from([1, 2, 4])),
            columns=draw(st.sampled_from([1, 2, 3])), batch=draw(st.sampled_from([1, 1, 2])), writes=writes,
        )  # fmt: skip
    stride = draw(st.sampled_from([1, 2])) if padded else 1
    padding = (1, 1) if padded else (0, 0)
    return conv2d(
        "convolution", batch=1, in_channels=draw(st.sampled_from([1, 2])), out_channels=draw(st.sampled_from([1, 2])),
        input_size=(draw(st.sampled_from([3, 4, 5])), draw(st.sampled_from([2, 3]))),
        kernel=draw(st.sampled_from([(1, 2), (2, 1), (3, 1), (1, 1)])), stride=(stride, 1), padding=padding,
        writes=writes,
    )  # fmt: skip


def problems(padded=True):
    return operators(padded).map(problem_of)
