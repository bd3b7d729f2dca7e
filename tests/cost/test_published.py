"""Published energies of the ShiftAddNAS and ShiftAddViT simulators, to their last printed digit."""

import pytest

from hwsim import score
from hwsim.workload import Workload
from hwsim.workload.forms import Linear
from tests.cost.published import decoder, encoder, fully_connected, workload

BASE = ([2048] * 6, [8] * 6)
NAS_300 = {
    "encoder": ([3072, *[4096] * 5], [4, 4, 4, 4, 4, 16], ["conv", "conv", "conv", "add", "add", ""]),
    "decoder": (
        [4096, 3072, 4096, 4096], [16, 4, 4, 4], [8, 4, 4, 4], 768, ["", "shiftadd", "add", "conv"], [90, 60, 60, 60]
    ),
}  # fmt: skip
NAS_350 = {
    "encoder": ([3072, 3072, 2048, 3072, 4096, 4096], [4, 4, 4, 4, 4, 16], ["add", "shiftadd", "add", "add", "", ""]),
    "decoder": (
        [4096] * 5, [16, 4, 4, 4, 4], [8, 4, 4, 4, 4], 768, ["conv", "shiftadd", "add", "", "conv"],
        [90, 30, 90, 90, 90],
    ),
}  # fmt: skip
SHIFTED = {"primitive": "shift", "memory_bits": 32}

TOTALS_MJ = [
    ("Transformer encoder", encoder(*BASE), 32, "29.629"),
    ("Transformer decoder", decoder(*BASE, [8] * 6), 32, "39.785"),
    ("HAT 27.6 encoder", encoder([3072] * 6, [4, 8, 8, 4, 8, 8]), 32, "39.368"),
    ("HAT 27.6 decoder", decoder([3072] * 2, [8, 8], [8, 8]), 32, "16.509"),
    ("HAT 27.8 encoder", encoder([3072, 3072, 3072, 2048, 3072, 3072], [8, 8, 8, 8, 8, 4]), 32, "37.745"),
    ("HAT 27.8 decoder", decoder([1024, 2048, 3072], [4, 8, 8], [4, 8, 8]), 32, "19.896"),
    ("NAS 350 ms encoder", encoder(*NAS_350["encoder"]), 32, "38.645"),
    ("NAS 350 ms decoder", decoder(*NAS_350["decoder"]), 32, "73.653"),
    ("all-shift encoder", encoder(*NAS_350["encoder"], **SHIFTED), 32, "36.511"),
    ("all-shift decoder", decoder(*NAS_350["decoder"], **SHIFTED), 32, "70.284"),
    ("NAS 300 ms encoder", encoder(*NAS_300["encoder"], bits=8), 8, "10.056"),
    ("NAS 300 ms decoder", decoder(*NAS_300["decoder"], bits=8), 8, "12.556"),
    ("NAS 350 ms encoder", encoder(*NAS_350["encoder"], bits=8), 8, "8.722"),
    ("NAS 350 ms decoder", decoder(*NAS_350["decoder"], bits=8), 8, "16.573"),
]


@pytest.mark.parametrize(("forms", "bits", "printed_mj"), [row[1:] for row in TOTALS_MJ], ids=[r[0] for r in TOTALS_MJ])
def test_printed_totals_of_translation_models(forms, bits, printed_mj):
    result = score(workload(forms, "fp32" if bits == 32 else "int8"), "eyeriss-45nm", "shiftaddnas")
    assert f"{result.energy_j * 1e3:.3f}" == printed_mj


def test_printed_breakdown_of_the_transformer():
    result = score(workload(encoder(*BASE)), "eyeriss-45nm", "shiftaddnas")
    parts = {component: f"{energy * 1e3:.3f}" for (component,), energy in result.energy_j_by("component").items()}
    assert parts == {
        "compute": "2.116", "dram": "8.331", "global_buffer": "1.510", "network": "4.973", "register_file": "12.700"
    }  # fmt: skip
    assert f"{result.latency_s:.6f}" == "0.017873"
    assert f"{score(workload(decoder(*BASE, [8] * 6)), accounting='shiftaddnas').latency_s:.6f}" == "0.023950"


@pytest.mark.parametrize(
    ("rows", "inner", "columns", "printed_mj"),
    [(30, 512, 512, "0.4098455552"), (30, 512, 2048, "1.6209502208"), (240, 64, 30, "0.026621376")],
)
def test_printed_single_operators(rows, inner, columns, printed_mj):
    result = score(workload([fully_connected(rows, inner, columns)]), accounting="shiftaddnas")
    assert f"{result.energy_j * 1e3:.10f}".rstrip("0") == printed_mj
    if (inner, columns) == (512, 512):
        assert result.latency_s * 250e6 == pytest.approx(61440, abs=1e-6)


VIT = [
    # rows, inner, columns, primitive, energy mJ, compute mJ, latency ms (ShiftAddViT settings, recomputed)
    (3136, 64, 512, "mac", "4.7121", "0.3802", "3.2113"),
    (3136, 64, 512, "shift", "1.3671", "0.0134", "1.0035"),
    (3136, 512, 64, "mac", "4.5916", None, None),
    (3136, 512, 64, "shift", "1.3294", None, None),
    (784, 128, 1024, "mac", "4.4241", None, None),
    (784, 128, 1024, "shift", "1.2771", None, None),
    (16, 3136, 32, "mac", "0.12108", None, "0.05018"),
    (16, 3136, 32, "add", "0.03710", None, "0.20070"),
    (32, 784, 32, "mac", "0.05053", None, None),
    (32, 784, 32, "add", "0.01856", None, None),
]


@pytest.mark.parametrize(("rows", "inner", "columns", "primitive", "energy_mj", "compute_mj", "latency_ms"), VIT)
def test_operators_of_shiftaddvit(rows, inner, columns, primitive, energy_mj, compute_mj, latency_ms):
    form = Linear(
        kind="linear", name="fc", batch=rows, in_features=inner, out_features=columns, primitive=primitive
    )
    result = score(Workload(name="vit", operators=(form.operator(),)), "eyeriss-45nm", "shiftaddvit")
    assert f"{result.energy_j * 1e3:.{len(energy_mj) - 2}f}" == energy_mj
    if compute_mj:
        assert f"{result.energy_j_by('component')['compute',] * 1e3:.4f}" == compute_mj
    if latency_ms:
        assert f"{result.latency_s * 1e3:.{len(latency_ms) - 2}f}" == latency_ms
