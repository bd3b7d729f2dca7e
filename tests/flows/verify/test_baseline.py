"""The accepted figures: a row for every configuration, and the targets that no update may lose."""

import re
from pathlib import Path

import pytest

from flows.verify import baseline, fpga
from rtl.pe import CATALOG


def test_every_configuration_has_accepted_figures_on_every_target() -> None:
    accepted = baseline.accepted()
    missing = [
        f"{name} on {target}"
        for name in CATALOG
        for target in ("osu018", *fpga.PARTS)
        if target not in accepted.get(name, {})
    ]
    assert missing == []
    assert set(accepted) == set(CATALOG)


@pytest.mark.parametrize(("name", "target"), baseline.TARGETS)
def test_accepted_figures_meet_their_targets(name: str, target: str) -> None:
    baseline.meet(name, target, baseline.accepted()[name][target])


def test_targets_are_for_eight_bits_and_an_accumulator_of_thirty_two() -> None:
    for name, _ in baseline.TARGETS:
        parameters = CATALOG[name].model_dump()
        assert parameters["accumulator"] == 32
        assert parameters.get("x_bits", parameters.get("bits")) == 8


def test_a_missed_target_is_named_even_if_it_were_accepted() -> None:
    message = (
        "shift8_piped on ecp5-25k: lut 91, must be at most 90; fmax_mhz 199.9, must be at least 200"
    )
    with pytest.raises(baseline.BaselineError, match=f"^{re.escape(message)}$"):
        baseline.meet("shift8_piped", "ecp5-25k", {"lut": 91, "fmax_mhz": 199.9})


def test_the_page_shows_the_accepted_figures() -> None:
    text = (Path(__file__).parents[3] / "docs" / "verify.md").read_text()
    shown = dict(re.findall(r"^\| `(\w+)` \| (\d+ \| \d+ \| .*) \|$", text, re.MULTILINE))
    rows = {}
    for name, targets in baseline.accepted().items():
        ecp5, ice40, cells = (targets[target] for target in ("ecp5-25k", "ice40-hx8k", "osu018"))
        clock = f"{ecp5['fmax_mhz']} ({ecp5['fmax_spread_mhz']})"
        slow = f"{ice40['lut']} / {ice40['fmax_mhz']}"
        rows[name] = f"{ecp5['lut']} | {ecp5['dsp']} | {clock} | {slow} | {cells['area_um2']:.0f}"
    assert shown == rows
