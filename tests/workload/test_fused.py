"""The normal form: what fusing must conserve on random graphs, and what becomes one operator, by hand."""

from __future__ import annotations

from collections import Counter

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hwsim.workload import Operator, Workload
from hwsim.workload.fused import fuse
from hwsim.workload.merged import operations
from hwsim.workload.operator import Operand


def tensor(identity, access="read", elements=8, role="activation", format="fp32"):
    return Operand(
        name=f"{access}{identity}", shape=(elements,), format=format, access=access, role=role, tensor=identity
    )


def step(reads, writes, *, elements=8, primitive="elementwise", arithmetic=None, role="activation", **fields):
    """An operator on tensors given by their identities, separated by blanks."""
    operands = [tensor(identity, elements=elements, role=role) for identity in reads.split()]
    operands += [tensor(identity, "write", elements, role) for identity in writes.split()]
    return Operator(
        name=f"to {writes}", primitive=primitive, dims={"x": elements}, operands=tuple(operands),
        arithmetic={"add": 1} if arithmetic is None else arithmetic, **({"module": "m", "source": writes} | fields),
    )  # fmt: skip


def workload(*operators):
    return Workload(name="graph", operators=operators)


def shape(*operators):
    """What each operator of the normal form reads and writes."""
    return [
        (
            " ".join(o.tensor for o in operator.operands if o.access == "read"),
            " ".join(o.tensor for o in operator.operands if o.access == "write"),
        )
        for operator in fuse(workload(*operators)).operators
    ]


@st.composite
def graphs(draw):
    """Steps that read any current tensors, some in place, some of two sizes, in several modules and phases."""
    current = {name: (0, draw(st.sampled_from([4, 12]))) for name in "ab"}  # version and elements by storage
    operators = []
    for index in range(draw(st.integers(1, 14))):
        names = draw(st.lists(st.sampled_from(sorted(current)), max_size=3, unique=True))
        read = [tensor(f"{name}.{current[name][0]}", elements=current[name][1]) for name in names]
        if names and draw(st.booleans()):  # in place, sometimes in part
            target, (version, elements) = names[0], current[names[0]]
            current[target] = (version + 1, elements)
            elements = draw(st.sampled_from([elements, elements, elements // 2]))
        else:
            target, elements, version = f"t{index}", draw(st.sampled_from([4, 12])), -1
            current[target] = (0, elements)
        written = tensor(f"{target}.{version + 1}", "write", elements)
        operators.append(
            Operator(
                name=f"o{index}", primitive=draw(st.sampled_from(["elementwise"] * 4 + ["copy"])),
                module=draw(st.sampled_from("mmn")), phase=draw(st.sampled_from(["forward", "forward", "optimizer"])),
                dims={"x": draw(st.sampled_from([1, 4, 6, 12]))}, operands=(*read, written),
                arithmetic={"add": draw(st.sampled_from([0.25, 1, 3])), "mult": draw(st.integers(0, 9))},
            )
        )  # fmt: skip
    return workload(*operators)


def places(work):
    return {
        key: operations(o for o in work.operators if (o.module, o.phase) == key)
        for key in {(o.module, o.phase) for o in work.operators}
    }


def outside(work):
    """Tensors read before they are written, and tensors that nobody reads: what the workload takes and leaves."""
    written, taken, read = set(), set(), set()
    for operator in work.operators:
        now = {o.tensor for o in operator.operands if o.access == "read"}
        taken |= now - written
        read |= now
        written |= {o.tensor for o in operator.operands if o.access == "write"}
    return taken, written - read


def ancestors(work):
    """For each tensor, the tensors taken from outside that it depends on."""
    of = {}
    for operator in work.operators:
        read = [o.tensor for o in operator.operands if o.access == "read"]
        known = frozenset().union(*(of.get(t, frozenset({t})) for t in read))
        of |= {o.tensor: known for o in operator.operands if o.access == "write"}
    return of


def unfused(work):
    return [o for o in work.operators if o.primitive != "elementwise"]


@given(graphs())
def test_what_fusing_conserves(work):
    fused = fuse(work)
    taken, left = outside(work)
    assert places(fused) == places(work)
    assert outside(fused)[0] == taken  # in particular nothing is read before its own operator writes it
    assert outside(fused)[1] >= left
    assert unfused(fused) == unfused(work)
    before, after = ancestors(work), ancestors(fused)
    assert all(before[tensor] <= after[tensor] for tensor in after)
    assert sum(o.bits_moved for o in fused.operators) <= sum(o.bits_moved for o in work.operators)
    last = {o.tensor.partition(".")[0]: o.tensor for w in work.operators for o in w.operands if o.access == "write"}
    assert {t for t in last.values() if t.partition(".")[0] in "ab"} <= after.keys()
    assert fuse(fused) == fused
    assert len({o.name for o in fused.operators}) == len(fused.operators)


@given(graphs())
def test_what_fusing_across_modules_conserves(work):
    fused = fuse(work, across_modules=True)
    for phase in ("forward", "optimizer"):
        before, after = (operations(o for o in one.operators if o.phase == phase) for one in (work, fused))
        assert Counter(before) == Counter(after)  # none is as many as zero
    assert outside(fused)[0] == outside(work)[0]
    assert unfused(fused) == unfused(work)
    assert sum(o.bits_moved for o in fused.operators) <= sum(o.bits_moved for o in work.operators)
    assert fuse(fused, across_modules=True) == fused


def test_modules_are_borders_unless_a_compiler_crosses_them():
    chain = workload(step("x.0", "a.0", module="norm"), step("a.0", "y.0", module="relu"))
    assert len(fuse(chain).operators) == 2
    (fused,) = fuse(chain, across_modules=True).operators
    assert [operand.tensor for operand in fused.operands] == ["x.0", "y.0"]


def test_a_chain_reads_and_writes_its_ends():
    chain = [step("x.0", "a.0"), step("a.0 x.0", "b.0", arithmetic={"mult": 2}), step("b.0", "y.0")]
    (fused,) = fuse(workload(*chain)).operators
    assert shape(*chain) == [("x.0", "y.0")]
    assert (fused.name, fused.dims, fused.arithmetic) == ("m.fused", {"x": 8}, {"add": 2, "mult": 2})
    assert [o.name for o in fused.operands] == ["input0", "output0"]
    assert fused.source == "a.0 + b.0 + y.0"


def test_what_others_read_is_written_still():
    assert shape(step("x.0", "a.0"), step("a.0", "b.0"), step("a.0", "c.0", phase="grad_input")) == [
        ("x.0", "a.0 b.0"), ("a.0", "c.0"),
    ]  # fmt: skip


@pytest.mark.parametrize(
    "other", [{"module": "n"}, {"phase": "grad_input"}, {"primitive": "copy"}, {"count": 2}, {"on_chip": True}]
)
def test_what_is_not_fused(other):
    operators = [step("x.0", "a.0"), step("a.0", "y.0", **other)]
    assert fuse(workload(*operators)) == workload(*operators)


def test_a_result_that_is_needed_in_between_keeps_two_apart():
    """The shortcut around another module: fused, the two would have to run before and after it."""
    operators = [step("x.0", "a.0"), step("a.0", "b.0", module="n"), step("a.0 b.0", "c.0")]
    assert fuse(workload(*operators)) == workload(*operators)


def test_two_pairs_that_need_each_other_do_not_become_a_cycle():
    operators = [
        step("x.0", "a.0"), step("y.0", "b.0", module="n"),
        step("a.0 b.0", "c.0", module="n"), step("a.0 b.0", "d.0"),
    ]  # fmt: skip
    assert shape(*operators) == [("x.0", "a.0"), ("y.0 a.0", "b.0 c.0"), ("a.0 b.0", "d.0")]


def test_a_branch_that_may_not_join_does_not_keep_the_other_out():
    operators = [
        step("x.0", "a.0"), step("a.0", "c.0", primitive="copy"), step("c.0", "b.0"), step("a.0 b.0", "y.0"),
    ]  # fmt: skip
    assert shape(*operators) == [("x.0", "a.0"), ("a.0", "c.0"), ("c.0 a.0", "y.0")]


def test_sizes_that_differ_add_up_exactly():
    rows = step("a.0", "r.0", elements=6, arithmetic={"mult": 1})
    (fused,) = fuse(workload(step("x.0", "a.0", elements=15, arithmetic={"add": 0.25}), rows)).operators
    assert (fused.dims, fused.arithmetic) == ({"x": 3}, {"add": 1.25, "mult": 2.0})


def test_halves_of_a_tensor_are_both_read():
    def half(identity):
        return step("x.0", identity, elements=4)

    operators = [step("w.0", "x.0"), half("a.0"), half("b.0"), step("a.0 b.0", "y.0", elements=4)]
    assert [o.elements for o in fuse(workload(*operators[1:])).operators[0].operands] == [4, 4]  # nothing says more
    operators[0] = step("w.0", "x.0", module="n")
    assert [o.elements for o in fuse(workload(*operators)).operators[1].operands] == [8, 4]


def test_a_storage_written_in_part_is_left_alone():
    parts = [step("x.0", "s.0"), step("s.0", "s.1", elements=4), step("s.1", "y.0")]
    assert fuse(workload(*parts)) == workload(*parts)


def test_state_is_written_though_only_its_own_step_reads_it():
    assert shape(step("s.0 x.0", "s.1"), step("s.1 x.0", "p.0")) == [("s.0 x.0", "s.1 p.0")]


def test_operators_without_identities_stay():
    operators = [
        step("", "").model_copy(update={"name": name, "operands": (tensor(""), tensor("", "write"))}) for name in "ab"
    ]
    assert fuse(workload(*operators)) == workload(*operators)


def test_counters_join_the_update_of_their_parameter():
    def counter(name):
        return step(f"{name}.0", f"{name}.1", elements=1, role="state", phase="optimizer")

    def update(name):
        return step(f"{name}.0", f"{name}.1", role="parameter", phase="optimizer")

    assert shape(counter("s"), update("p"), counter("t"), update("q")) == [("p.0 s.0", "p.1 s.1"), ("q.0 t.0", "q.1 t.1")]
    assert shape(counter("s"), counter("t"), update("p")) == [("s.0", "s.1"), ("t.0", "t.1"), ("p.0", "p.1")]
    names = [o.name for o in fuse(workload(counter("s"), counter("t"), update("p"), update("q"))).operators]
    assert names == ["m.update", "m.update#2"]


def test_a_chain_of_a_thousand_is_one():
    assert len(shape(*(step(f"t{i}.0", f"t{i + 1}.0") for i in range(1000)))) == 1


def test_names_stay_unique():
    pairs = [step(f"{i}.0", f"{i}a.0") for i in range(2)] + [step(f"{i}a.0", f"{i}b.0") for i in range(2)]
    taken = step("z.0", "y.0", module="other").model_copy(update={"name": "m.fused"})
    assert Counter(o.name for o in fuse(workload(*pairs, taken)).operators) == {
        "m.fused": 1, "m.fused#2": 1, "m.fused#3": 1,
    }  # fmt: skip
