"""Presets load and are what their sources say; wrong files are refused."""

import re

import pytest

from hwsim import InputError, Workload, score
from hwsim.architecture import architectures, load_architecture
from hwsim.architecture.architecture import SHORT_NAMES
from hwsim.cost.priced import technology_of
from hwsim.workload.contraction import matmul


@pytest.mark.parametrize("name", architectures())
def test_presets(name):
    architecture, folder = load_architecture(name)
    assert architecture.name == name
    assert architecture.source
    assert technology_of(architecture, folder).coefficients


@pytest.mark.parametrize("name", ["eyeriss-45nm", "eyeriss-45nm-int8", "eyeriss-45nm-shiftadd"])
def test_row_stationary_presets(name):
    architecture, _ = load_architecture(name)
    assert architecture.kind == "row_stationary"
    assert architecture.processing_elements == 14 * 12
    assert architecture.peak_operations_per_s == 168 * 250e6
    assert architecture.dram_bits_per_cycle == pytest.approx(12.8e9 * 8 / 250e6)


@pytest.mark.parametrize(
    ("name", "peak_tera", "narrow_factor", "buffer"),
    [
        ("tpu-v1-like", 256 * 256 * 0.7e-3, None, "28,928 KiB"),  # published: 92 TOPS, an operation being half a MAC
        ("gemmini-like-16x16", 0.256, None, "320 KiB"),
        ("bitfusion-16x32", 0.256, 16, "112 KiB"),
    ],
)
def test_peaks_of_arrays(name, peak_tera, narrow_factor, buffer):
    architecture, _ = load_architecture(name)
    assert architecture.peak_operations_per_s == pytest.approx(peak_tera * 1e12)
    assert (architecture.narrow and architecture.narrow.elements_factor) == narrow_factor
    assert architecture.buffer == buffer


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
        ("clock_mhz: 250", "clock_mhz: 250\nkind: tpu", "kind: must be one of row_stationary, row_stationary_chip, systolic, bitfusion, hierarchy, gpu, accelerator, not 'tpu'"),
        ("clock_mhz: 250", "clock_mhz: 250\nkind:", "kind: must be one of row_stationary, row_stationary_chip, systolic, bitfusion, hierarchy, gpu, accelerator, not 'None'"),
        ("clock_mhz: 250", "clock_mhz: 250\nkind: systolic", "rows: field is required"),
    ],
)  # fmt: skip
def test_wrong_files(tmp_path, old, new, message):
    _, folder = load_architecture("eyeriss-45nm")
    path = tmp_path / "a.yaml"
    path.write_text((folder / "eyeriss-45nm.yaml").read_text().replace(old, new))
    with pytest.raises(InputError, match=f"^{re.escape(f'{path}: {message}')}$"):
        load_architecture(str(path))


@pytest.mark.parametrize("short", SHORT_NAMES)
def test_short_names(short):
    assert short not in architectures()
    assert load_architecture(short)[0].name == SHORT_NAMES[short]


def test_unknown_preset():
    with pytest.raises(InputError, match=r"^architecture must be a \.yaml file or one of a100, a40, bitfusion-16x32, .*, not 'tpu'$"):
        load_architecture("tpu")


@pytest.mark.parametrize(
    ("name", "old", "new", "message"),
    [
        ("gemmini-like-16x16", "dataflow: ws", "dataflow: rs", "dataflow: must be 'os', 'ws' or 'is', not 'rs'"),
        ("gemmini-like-16x16", "output_kib: 64", "output_kib: 0", "sram.output_kib: must be greater than 0, not 0"),
        ("gemmini-like-16x16", "rows: 16", "global_buffer_words: 16", "rows: field is required"),
        ("bitfusion-16x32", "min_bits: 2", "min_bits: 9", "min_bits: must be at most max_bits = 8, not 9"),
    ],
)
def test_wrong_files_of_other_kinds(tmp_path, name, old, new, message):
    _, folder = load_architecture(name)
    path = tmp_path / "a.yaml"
    path.write_text((folder / f"{name}.yaml").read_text().replace(old, new))
    with pytest.raises(InputError, match=f"^{re.escape(f'{path}: {message}')}$"):
        load_architecture(str(path))
