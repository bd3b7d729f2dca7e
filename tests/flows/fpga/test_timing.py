"""Clock, critical path and fit, from what nextpnr says."""

import pytest

from flows.fpga import bitstream, timing
from flows.fpga.boards import ICE40

VERILOG = "module top(a);\nendmodule\nmodule \\top.board.core (a);\nendmodule\nmodule \\top.board.core.mover (b);\n"


def part(cell, delay):
    return {"delay": delay, "from": {"cell": "x"}, "to": {"cell": cell}}


def test_time_on_the_critical_path_goes_to_modules(tmp_path):
    (tmp_path / "top.v").write_text(VERILOG)
    slow = [part("board.core.mover.left_LUT", 3.0), part("board.core.command[3]_DFF", 2.0), part("$PACKER", 1.0)]
    report = {
        "fmax": {"clk": {"achieved": 166.666}, "other": {"achieved": 300.0}},
        "critical_paths": [
            {"from": "posedge clk", "to": "posedge clk", "path": slow[:2]},
            {"from": "posedge clk", "to": "posedge clk", "path": slow},
            {"from": "<async>", "to": "posedge clk", "path": [part("pin", 50.0)]},
        ],
    }
    found = timing.summary(report, tmp_path / "top.v")
    assert found["fmax_mhz"] == 166.67
    assert found["critical_path"]["by_module_ns"] == {"board.core.mover": 3.0, "board.core": 2.0, "top": 1.0}


def test_too_slow_says_by_how_much_and_where():
    placement = {"fmax_mhz": 10.0, "critical_path": {"by_module_ns": {"board.core": 1.5, "board.core.mover": 98.5}}}
    with pytest.raises(bitstream.TimingError) as error:
        bitstream.check_timing(placement, 12.5, 3)
    assert str(error.value) == (
        "timing is not met: 10.00 MHz of 12.5 MHz at the best seed 3, 20.00 ns too slow; most of the path is in "
        "board.core.mover (98.5 ns): more seeds, a processing element with stages, or a smaller array"
    )
    bitstream.check_timing(placement, 10.0, 3)


def test_what_does_not_fit_says_by_how_much():
    log = "Info: \t ICESTORM_LC: 5404/ 5280 102%\nInfo: \t ICESTORM_RAM: 27/ 30 90%\nInfo: ICESTORM_DSP: 8/8 100%\n"
    used = bitstream.utilisation(ICE40, log)
    assert used == {"lut": 5404, "dsp": 8, "bram": 27}
    with pytest.raises(bitstream.DoesNotFitError) as error:
        bitstream.check_fit(used, {"lut": 5280, "dsp": 8, "bram": 30})
    assert str(error.value) == (
        "the design does not fit: lut 5404 of 5280, 124 too many (fewer rows or columns, fewer lanes, or smaller "
        "loop_bits and coordinate_bits)"
    )
