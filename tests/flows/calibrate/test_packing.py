"""Numbers packed for a PE are the numbers that it computes with."""

import numpy as np
import pytest

from flows.calibrate import networks, packing, streams
from hwsim import formats
from rtl.pe import CATALOG, find

KNOWN = [name for name, pe in CATALOG.items() if packing.known(pe)]


def test_numbers_keep_their_value():
    values = np.array([-0.75, 0.25, 0.5])
    assert packing.encoded(values, "int8").tolist() == [-96, 32, 64]
    assert packing.encoded(values, "uint8").tolist() == [0, 64, 128]
    assert formats.decode(packing.encoded(values, "bf16"), "bf16").tolist() == pytest.approx([-0.75, 0.25, 0.5])


def test_every_pe_but_the_predictor_takes_numbers():
    assert {find(name).key for name in CATALOG if name not in KNOWN} == {"predictive_sign"}


@pytest.mark.parametrize("name", KNOWN)
def test_ports_of_every_mode_are_in_range(name):
    pe = find(name)
    group = networks.streams(pe, networks.FITTED, 4 * packing.modes(pe), 40, seed=0)
    assert set(group.operands) == set(pe.operands)
    for port in pe.operands:
        low, high = streams.limits(pe, port)
        assert low <= group.operands[port].min() <= group.operands[port].max() <= high
    for setting in packing.settings(pe):
        assert (group.operands[setting] == group.operands[setting][:, :1]).all()


def numbers(pe, mode, beats=30):
    generator = np.random.default_rng(mode)
    x, w = generator.uniform(-1, 1, (2, beats, packing.lanes(pe, mode)))
    first = np.arange(beats) % 10 == 0
    return x, w, packing.packed(pe, x, w, first, mode)


@pytest.mark.parametrize("name", ["fusible8", "fusible4", "fusible16"])
def test_lanes_of_a_fusible_pe_are_the_terms(name):
    pe = find(name)
    for mode in range(packing.modes(pe)):
        x, w, ports = numbers(pe, mode)
        assert (pe.products(**ports) == x.shape[1]).all()
        bits = [2 << chosen for chosen in divmod(mode, pe.modes)]
        exact = packing.encoded(x, f"int{bits[0]}") * packing.encoded(w, f"int{bits[1]}")
        assert pe.terms(**ports).tolist() == exact.sum(axis=1).tolist()


def test_a_serial_pe_multiplies_at_every_precision():
    pe = find("serial8")
    for mode in range(packing.modes(pe)):
        x, w, ports = numbers(pe, mode)
        exact = packing.encoded(x[:, 0], f"int{pe.x_bits - mode}") * packing.encoded(w[:, 0], "int8")
        assert pe.terms(**ports).tolist() == exact.tolist()


def test_lanes_of_a_hash_are_negated_by_the_weight():
    pe = find("simhash8x4")
    x, w, ports = numbers(pe, 0)
    assert pe.terms(**ports).tolist() == (packing.encoded(x, "int8") * np.where(w < 0, -1, 1)).sum(axis=1).tolist()


def test_both_layers_of_shift_and_add():
    pe = find("shiftadd8")
    for mode in (0, 1):
        x, w, ports = numbers(pe, mode)
        a = packing.encoded(x[:, 0], "int8")
        code = packing.encoded(w[:, 0], "pow2_4")
        shifted = np.where(code >> 3, -1, 1) * (a << (code & 7))
        expected = -np.abs(a - packing.encoded(w[:, 0], "int8")) if mode else shifted
        assert pe.terms(**ports).tolist() == expected.tolist()


def test_masks_and_seeds_of_a_ternary_pe():
    pe = find("ternary8")
    _, w, ports = numbers(pe, 0)
    assert ports["keep"].sum() == 15
    assert np.abs(w[ports["keep"] == 1]).min() > np.abs(w[ports["keep"] == 0]).max()
    assert (ports["seed"] > 0).all()
    assert ports["reseed"].tolist() == (np.arange(30) % 10 == 0).tolist()
