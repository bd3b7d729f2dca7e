"""Presets load and are what their sources say; wrong files are refused."""

import re

import pytest

from hwsim import InputError, Workload, score
from hwsim.architecture import architectures, load_architecture
from hwsim.workload.contraction import matmul


@pytest.mark.parametrize("name", architectures())
def test_presets(name):
    architecture, _ = load_architecture(name)
    assert architecture.name == name
    assert architecture.source
    assert architecture.processing_elements == 14 * 12
    assert architecture.peak_operations_per_s == 168 * 250e6
    assert architecture.dram_bits_per_cycle == pytest.approx(12.8e9 * 8 / 250e6)


def test_a_users_own_architecture_and_technology(tmp_path):
    _, folder = load_architecture("eyeriss-45nm")
    text = (folder / "eyeriss-45nm.yaml").read_text()
    table = (folder.parents[1] / "technology" / "tables" / "shiftaddnet-45nm.yaml").read_text()
    (tmp_path / "mine.yaml").write_text(
        text.replace("technology: shiftaddnet-45nm", "technology: cheap.yaml").replace("name: eyeriss-45nm", "name: mine")
    )
    (tmp_path / "cheap.yaml").write_text(table.replace("{value: 200,", "{value: 0,"))
    work = Workload(name="w", operators=(matmul("p", rows=8, inner=8, columns=8),))
    mine, preset = score(work, on=[str(tmp_path / "mine.yaml"), "eyeriss-45nm"])
    assert mine.architecture.name == "mine"
    assert mine.energy_j_by("component")["dram",] == 0
    assert preset.energy_j_by("component")["dram",] > 0


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("clock_mhz: 250", "clock_mhz: 0", "clock_mhz: must be greater than 0, not 0"),
        ("clock_mhz: 250", "clock: 250", "clock_mhz: field is required"),
        ("input_words: 12", "input_words: none", "register_file.input_words: must be a valid integer, unable to parse string as an integer, not 'none'"),
    ],
)  # fmt: skip
def test_wrong_files(tmp_path, old, new, message):
    _, folder = load_architecture("eyeriss-45nm")
    path = tmp_path / "a.yaml"
    path.write_text((folder / "eyeriss-45nm.yaml").read_text().replace(old, new))
    with pytest.raises(InputError, match=f"^{re.escape(f'{path}: {message}')}$"):
        load_architecture(str(path))


def test_unknown_preset():
    with pytest.raises(InputError, match=r"^architecture must be a \.yaml file or one of eyeriss-45nm, .*, not 'tpu'$"):
        load_architecture("tpu")
