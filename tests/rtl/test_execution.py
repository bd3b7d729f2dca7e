"""The accelerator's twin against the definition of the operators."""

import numpy as np
from hypothesis import given, settings

from rtl.control.execution import Error
from tests.rtl.layers import arrays, layers


@given(layers(arrays(largest=5)))
@settings(max_examples=60, deadline=None)
def test_programs_compute_layers(layer):
    accelerator, memory, start, place = layer.program()
    run = accelerator.compute(memory, start)
    assert run.error == Error.NONE
    np.testing.assert_array_equal(layer.output_image(accelerator, run.image, place), layer.expected())
