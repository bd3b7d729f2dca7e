"""Operators of skipped modules come back where they were: after what came before them."""

from hypothesis import given
from hypothesis import strategies as st

import hwsim
from hwsim.training.completion import completed
from hwsim.workload import Workload

MODULES = ("stem", "a", "a.conv", "b", "head")


def operator(name, module, phase="forward"):
    return hwsim.Operator(
        name=name, module=module, phase=phase, primitive="elementwise", dims={"x": 4}, arithmetic={"add": 1},
        operands=[{"name": "x", "shape": [4], "format": "fp32", "access": "write", "tensor": f"{name}.0"}],
    )  # fmt: skip


def step(operators):
    return Workload(name="step", samples=1, operators=tuple(operators))


@given(st.lists(st.sampled_from(MODULES), min_size=1, max_size=12), st.sets(st.sampled_from(MODULES[1:4])))
def test_a_step_without_some_modules_becomes_the_whole_step_again(modules, absent):
    whole = [operator(f"{module}.{place}", module) for place, module in enumerate(modules)]
    left = [one for one in whole if not any(f"{one.module}.".startswith(f"{path}.") for path in absent)]
    if not left:
        return
    made = completed(step(left), step(whole), absent)
    assert [one.name for one in made.operators] == [one.name for one in whole]
    for one in made.operators:
        assert [operand.tensor for operand in one.operands] == ([f"{one.name}.0"] if one in left else [""])


def test_forward_and_backward_have_places_of_their_own():
    order = [("stem", "forward"), ("a", "forward"), ("head", "forward"), ("head", "grad_input"), ("a", "grad_input")]
    whole = [operator(module, module, phase) for module, phase in order]
    made = completed(step([one for one in whole if one.module != "a"]), step(whole), {"a"})
    assert [(one.module, one.phase) for one in made.operators] == order


def test_what_is_new_stays_where_it_is():
    old = step([operator("stem", "stem"), operator("a", "a"), operator("head", "head")])
    new = step([operator("stem", "stem"), operator("b", "b"), operator("head", "head")])
    assert [one.name for one in completed(new, old, {"a"}).operators] == ["stem", "a", "b", "head"]
    assert completed(new, old, set()) is new
