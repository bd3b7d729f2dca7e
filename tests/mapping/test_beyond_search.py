"""What an optimum is blind to is said wherever it is shown."""

import pytest

from hwsim import Workload, score
from hwsim.mapper import map_operator
from hwsim.workload import Operand
from hwsim.workload.contraction import matmul
from tests.chips import CHIP

PRODUCT = matmul("p", rows=4, inner=4, columns=4)


def sparse():
    thin = [one.model_copy(update={"density": 0.5}) if one.name == "input" else one for one in PRODUCT.operands]
    return PRODUCT.model_copy(update={"operands": tuple(thin)})


def biased():
    return PRODUCT.model_copy(update={"operands": (*PRODUCT.operands, Operand(name="bias", shape=(4,), format="fp32"))})


@pytest.mark.parametrize(
    ("operator", "old", "new", "beyond"),
    [
        (PRODUCT, "", "", ""),
        (sparse(), "", "", ""),
        (sparse(), "nodes:", "zeros: {gating: [input]}\nnodes:", "zeros"),
        (PRODUCT, "nodes:", "zeros: {gating: [input]}\nnodes:", ""),
        (PRODUCT, "energy: dram}", "energy: dram, compression: {input: {format: bitmap}}}", "stored formats"),
        (PRODUCT, "nodes:", "dram_burst_bytes: 64\nnodes:", "bursts"),
        (PRODUCT, "size: 4", "size: 4, fill_cycles: 3", ""),
        (PRODUCT, "bits: 65536", "bits: 65536, double_buffered: false", ""),
        (PRODUCT, "bits: 65536", "bits: 65536, port_bits_per_cycle: {input: 8}", ""),
        (biased(), "nodes:", "dram_burst_bytes: 64\nnodes:", "bursts, operands beside the main three"),
    ],
)
def test_what_the_search_does_not_know_is_named(tmp_path, operator, old, new, beyond):
    path = tmp_path / "chip.yaml"
    assert old in CHIP
    path.write_text(CHIP.replace(old, new, 1))
    mapped = map_operator(operator, str(path))
    assert mapped.data()["not_counted"] == beyond
    assert (f"unknown to the search: {beyond} (" in str(mapped)) == bool(beyond)
    note = score(Workload(name="w", operators=(operator,)), str(path)).operators[0].note
    assert note.startswith(f"optimal but for {beyond}: " if beyond else "optimal: ")
