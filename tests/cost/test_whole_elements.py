"""Accounting `pe`: a contraction costs whole processing elements, and everything else what it cost before."""

from html import unescape
from io import StringIO
from types import SimpleNamespace

import pytest
from rich.console import Console

from hwsim import HwsimError, Workload, score
from hwsim.cost.charges import compute_charges
from hwsim.cost.result import Results
from hwsim.report.explain import explanations, print_explanation
from hwsim.technology import load_technology
from hwsim.workload.contraction import conv2d, matmul

LAYER = conv2d("c", batch=1, in_channels=16, out_channels=16, input_size=(8, 8), kernel=(3, 3), padding=(1, 1))
WORK = Workload(name="w", operators=(LAYER,))


def compute(result):
    return [charge for charge in result.operators[0].charges if charge.component == "compute"]


@pytest.mark.parametrize(
    ("kind", "key", "circuit"),
    [("int8", "pe.mac.int8", "int8_mac"), ("shift", "pe.shift.int8*pow2_4", "shift8")],
)
def test_every_point_costs_one_element(kind, key, circuit):
    result = score(WORK, on=f"pe-array-45nm-{kind}", accounting="pe")
    (charge,) = compute(result)
    assert (charge.coefficient, charge.times) == (key, LAYER.macs)
    measured = load_technology("nangate45").circuits[circuit].energy[-1]
    assert charge.energy_pj == pytest.approx(LAYER.macs * measured.total_pj)
    assert result.coefficients[key].recipe.endswith(f"operands of three networks: circuit {circuit}")
    assert result.coefficients["dram"].conditions == "LPDDR4, 1.1 V"


def sparse_layer(density):
    image = LAYER.operand("input").model_copy(update={"density": density, "density_structure": "random"})
    others = tuple(image if operand.name == "input" else operand for operand in LAYER.operands)
    return Workload(name="w", operators=(LAYER.model_copy(update={"operands": others}),))


def test_measured_zeros_make_elements_cheaper():
    results = [score(sparse_layer(density), on="pe-array-45nm-int8", accounting="pe") for density in (0.5, 0.25)]
    (half,), (quarter,) = map(compute, results)
    assert (half.coefficient, quarter.coefficient) == ("pe.mac.int8@50x100", "pe.mac.int8@25x100")
    circuit = load_technology("nangate45").circuits["int8_mac"]
    assert half.energy_pj == pytest.approx(LAYER.macs * circuit.sparse_pj(0.5, 1.0))
    assert quarter.energy_pj < half.energy_pj
    price = results[0].coefficients[half.coefficient]
    assert "50% of x and 100% of w not zero" in price.recipe
    assert price.uncertainty >= 0.2


def test_zeros_that_are_skipped_are_not_saved_twice():
    operands = {operand.name: operand for operand in sparse_layer(0.5).operators[0].operands}
    work = SimpleNamespace(
        rule=SimpleNamespace(operations={"element": 1}), primitive="mac", formats={"element": "int8"},
        densities=(operands["input"].density, 1.0),
    )  # fmt: skip
    table = load_technology("nangate45")
    (computed,) = compute_charges(LAYER, work, table)
    (skipped,) = compute_charges(LAYER, work, table, share=0.5, zeros=False)
    assert (computed.coefficient, skipped.coefficient) == ("pe.mac.int8@50x100", "pe.mac.int8")
    assert skipped.times == LAYER.macs / 2


def test_operators_alone_make_the_shift_look_better():
    """The whole point: a shifter is an eighth of a multiplier, a shift element half of a multiply-accumulate element."""
    ratio = {}
    for accounting in ("operator", "pe"):
        costs = [score(WORK, on=f"pe-array-45nm-{kind}", accounting=accounting) for kind in ("int8", "shift")]
        key, other = (compute(one)[0].energy_pj for one in costs)
        ratio[accounting] = key / other
    assert ratio["operator"] > 3 * ratio["pe"] > 3


def test_products_of_activations_stay_multiplications():
    product = matmul("p", rows=8, inner=16, columns=8)
    result = score(Workload(name="w", operators=(product,)), on="pe-array-45nm-shift", accounting="pe")
    expected = "pe.mac.int8" if product.operand("weight").role != "parameter" else "pe.shift.int8*pow2_4"
    assert compute(result)[0].coefficient == expected


def test_the_page_and_the_bill_trace_every_joule(tmp_path):
    result = score(WORK, on="pe-array-45nm-shift", accounting="pe")
    page = unescape(result.html(tmp_path / "page.html").read_text().replace("<wbr>", ""))
    saved = Results(results=(result,)).save(tmp_path / "bill.json")
    (bill,) = explanations(Results.load(saved), "c")
    assert bill.cost.energy_pj == pytest.approx(sum(charge.energy_pj for charge in bill.cost.charges))
    for charge in bill.cost.charges:
        coefficient = bill.coefficients[charge.coefficient]
        assert charge.energy_pj == pytest.approx(charge.times * coefficient.energy_pj(charge.bits))
        assert coefficient.source in page
        assert (coefficient.conditions or "45 nm, 1.1 V") in page
    shown = Console(file=StringIO(), width=200)
    print_explanation(bill, shown)
    text = shown.file.getvalue()
    assert "any at LPDDR4, 1.1 V; standard uncertainty 50%" in text
    assert "paper (read): Accelergy" in text


def test_a_table_without_the_element_is_an_error():
    message = r"^c: technology shiftaddnet-45nm has no coefficient pe.mac.fp32; it has mult.fp32"
    with pytest.raises(HwsimError, match=message):
        score(WORK, on="eyeriss-45nm", accounting="pe")
