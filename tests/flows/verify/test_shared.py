"""One module for all elements; `tests/rtl` runs what is made so against the twins."""

import re

from flows.verify import shared
from rtl.accelerator import Accelerator
from rtl.pe import find


def test_elements_are_instances_of_one_module(monkeypatch):
    chip = Accelerator(rows=2, columns=3, pe=find("shift8"), activation_words=64, weight_words=64)
    plain = shared.text(chip)
    assert len(re.findall(r"^module element\(", plain, re.MULTILINE)) == 1
    assert len(re.findall(r"^ +element +\S+ \($", plain, re.MULTILINE)) == 6
    assert shared.APART not in plain
    monkeypatch.setattr(shared, "LARGE", 1000)
    header = re.search(r"^module element\([^;]*; " + re.escape(shared.APART), shared.text(chip), re.MULTILINE)
    assert header
    assert shared.text(chip).replace(f" {shared.APART}", "") == plain
