"""Measured kernels in prices: they replace the model where primitive, formats and sizes are theirs."""

import pytest

import hwsim
from hwsim.architecture import load_architecture
from hwsim.gpu.measured import FOLDER, Measurements, Timing
from hwsim.report.operators import operator_table
from hwsim.workload import Workload
from hwsim.workload.forms import Linear

GPU = "h100-pcie"
"""Of which the package holds no measurement."""


def timing(**changes):
    row = {
        "kernel": "fp32", "primitive": "mac", "formats": ("fp32", "fp32"), "batch": 1, "m": 3136, "k": 64, "n": 512,
        "repetitions": 20, "best_s": 0.9e-3, "median_s": 1e-3,
    }  # fmt: skip
    return Timing(**(row | changes))


@pytest.fixture
def database(tmp_path, monkeypatch):
    def write(*timings, device=GPU):
        found = Measurements(
            device=device, device_name="", date="", versions={}, conditions="", timings=timings
        )  # fmt: skip
        folder = tmp_path / str(len(list(tmp_path.iterdir())))
        folder.mkdir()
        (folder / "h100.json").write_text(found.model_dump_json(by_alias=True))
        monkeypatch.setenv(FOLDER, str(folder))

    return write


def work(batch=3136, inner=64, outer=512):
    forms = [Linear(kind="linear", name=name, batch=rows, in_features=inner, out_features=outer)
             for name, rows in (("fc1", batch), ("fc2", 50))]  # fmt: skip
    return Workload(name="w", operators=tuple(form.operator() for form in forms))


def costs(on=GPU):
    return hwsim.score(work(), on).operators


def test_the_fastest_kernel_of_the_same_product_gives_the_time(database):
    host_s = costs()[1].latency_s  # of a small operator, whose time is that of its launch
    database(timing(median_s=2.0), timing(median_s=1.0, kernel="better"), timing(median_s=0.5, status="failed"))
    first, second = costs()
    assert first.latency_s == pytest.approx(1.0, abs=host_s)
    assert first.note == "measured: kernel better"
    assert second.note.startswith("modelled")


def test_a_product_is_found_from_either_side(database):
    database(timing(m=512, n=3136))
    assert costs()[0].note == "measured: kernel fp32"


@pytest.mark.parametrize(
    "changes", [{"m": 3137}, {"k": 65}, {"batch": 2}, {"primitive": "shift"}, {"formats": ("fp16", "fp32")}]
)
def test_another_product_stays_modelled(database, changes):
    database(timing(**changes))
    assert costs()[0].note.startswith("modelled")


def test_another_device_stays_modelled(database):
    database(timing())
    assert costs("a100")[0].note.startswith("modelled")


def test_measured_energy_is_that_of_the_whole_board(database):
    database(timing(energy_j=0.4))
    cost = costs()[0]
    idle_w = load_architecture(GPU)[0].idle_w
    active_pj = sum(charge.energy_pj for charge in cost.charges if charge.coefficient != "idle")
    assert active_pj * 1e-12 == pytest.approx(0.4 - idle_w * 1e-3)


def test_operators_stand_side_by_side_with_their_basis(database):
    database(timing())
    table = operator_table(hwsim.score(work(), [GPU, "eyeriss-45nm"]))
    assert [row[:3] for row in table.rows] == [("fc1", "forward", "1"), ("fc2", "forward", "1")]
    assert [(row[5], row[8]) for row in table.rows] == [("measured", "modelled"), ("modelled", "modelled")]
    assert table.head[3].startswith(f"{GPU} (")
    assert table.head[6].startswith("eyeriss-45nm (")
