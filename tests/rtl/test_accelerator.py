"""The accelerator's RTL: bit for bit its twin and the definition of the operators, cycle for cycle the model."""

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from flows.verify.accelerator import Memory, Simulation
from flows.verify.accelerator_cycles import predict
from rtl.control.execution import Error
from rtl.pe.catalog import KINDS as CATALOG
from tests.rtl.layers import KINDS, layers

SMALL = (
    {"kind": "shift", "rows": 2, "columns": 3, "lanes": 6, "memory_bits": 32, "buffered_tiles": 2},
    {"kind": "adder", "rows": 3, "columns": 2, "lanes": 2, "memory_bits": 64, "buffered_tiles": 1},
)

SIZES = {
    "mac": (1, 1), "mac_piped": (1, 4), "shift": (8, 8), "shift_piped": (2, 3), "adder": (3, 2), "binary": (7, 5),
    "sign": (5, 1), "fusible": (2, 2), "fusible_x8w4": (3, 1), "serial": (3, 2), "shift_add": (4, 4), "add_shift": (2, 2),
    "hash": (2, 4), "ternary": (3, 4),
}  # fmt: skip


def configurations():
    """Every kind of PE; sizes, words, ports and buffers vary with it."""
    return [
        {
            "kind": kind, "rows": rows, "columns": columns, "lanes": columns << index % 3,
            "memory_bits": (64, 32, 128, 8)[index % 4], "buffered_tiles": 1 + index % 3,
        }
        for index, (kind, (rows, columns)) in enumerate(SIZES.items())
    ]  # fmt: skip


def test_every_kind_has_a_configuration():
    assert set(SIZES) == set(KINDS)


def test_every_kind_of_pe_of_the_library_that_sums_integers_is_run():
    """Floats are no activations, and a predictive-sign PE needs two passes over the same beats."""
    assert CATALOG.keys() - {kind.pe.key for kind in KINDS.values()} == {"float_mac", "predictive_sign"}


def check(simulation, layer, memory):
    """Run one layer everywhere."""
    accelerator = simulation.accelerator
    _, image, start, place = layer.program(accelerator)
    twin = accelerator.compute(image, start)
    (outcome,), after = simulation.run(image, [start], memory, limit=10**6)
    assert (outcome.error, outcome.index) == (Error.NONE, len(twin.commands) - 1)
    np.testing.assert_array_equal(after, twin.image)
    np.testing.assert_array_equal(layer.output_image(accelerator, after, place), layer.expected())
    if not memory.stalls:
        expected = vars(predict(accelerator, twin.commands, memory))
        assert {name: outcome.counters[name] for name in expected} == expected


def check_random_layers(configuration, folder, simulator, examples):
    """Build the configuration once and run random layers on it, some of them with a memory that stalls."""
    built = []

    @given(
        layers(st.just(configuration)), st.integers(1, 20), st.integers(1, 4),
        st.sampled_from((0, 0, 0, 0, 0, 0, 40, 160)),
    )  # fmt: skip
    @settings(max_examples=examples, deadline=None, suppress_health_check=list(HealthCheck), derandomize=True)
    def run(layer, latency, interval, stalled):
        if not built:
            built.append(Simulation(layer.accelerator(), folder, simulator, memory_words=1 << 15))
        check(built[0], layer, Memory(latency, interval, stalled, layer.seed))

    run()


@pytest.mark.parametrize("configuration", SMALL, ids=lambda own: own["kind"])
def test_random_layers_on_icarus(configuration, tmp_path):
    check_random_layers(configuration, tmp_path, "icarus", examples=4)


@pytest.mark.slow
@pytest.mark.parametrize("configuration", configurations(), ids=lambda own: f"{own['kind']}-{own['rows']}x{own['columns']}")
def test_random_layers_on_verilator(configuration, tmp_path):
    check_random_layers(configuration, tmp_path, "verilator", examples=40)
