"""Sources of a ZC706 build: Verilog wrapper, Vivado project with the processing system, pins, C header."""

from __future__ import annotations

from typing import Any

from amaranth.back import verilog
from amaranth.lib.wiring import Out

from flows.fpga.boards import Board
from rtl.accelerator import Accelerator
from rtl.control.axi import AxiAccelerator

LEDS = {"led_interrupt": ("Y21", "LVCMOS25")}
"""Ports of the top and their pins: GPIO_LED_LEFT of the user guide UG954."""

REGISTERS_BASE = 0x43C0_0000
MEMORY_BASE = 0x3000_0000
"""Physical address of the memory that the accelerator sees: to be reserved in the device tree for u-dma-buf."""


def sources(board: Board, accelerator: Accelerator) -> dict[str, str]:
    """Return the Verilog of the accelerator with its AXI ports, pins and project, by name of the file."""
    top = AxiAccelerator(accelerator)
    return {
        "wrapper.v": _wrapper(top), "top.v": verilog.convert(top, name="accelerator", emit_src=False),
        "top.xdc": _constraints(), "build.tcl": _project(board),
    }  # fmt: skip


def _wrapper(top: AxiAccelerator) -> str:
    """A Verilog module that tells Vivado which ports are a bus, the clock and the reset."""
    ports, inner = [], []
    for name, member in top.signature.members.items():
        width = member.shape if isinstance(member.shape, int) else member.shape.width
        if name == "m_base":
            inner.append(f".m_base({width}'h{MEMORY_BASE:x})")
            continue
        inner.append(f".{name}({name})")
        size = f"[{width - 1}:0] " if width > 1 or name.endswith(("len", "strb")) else ""
        ports.append(f"  {'output' if member.flow == Out else 'input'} {size}{name}")
    return (
        "module accelerator_top (\n"
        '  (* X_INTERFACE_PARAMETER = "ASSOCIATED_BUSIF s_axil:m_axi, ASSOCIATED_RESET resetn" *)\n'
        "  input clk,\n"
        '  (* X_INTERFACE_PARAMETER = "POLARITY ACTIVE_LOW" *)\n'
        "  input resetn,\n" + ",\n".join(ports) + "\n);\n"
        f"  accelerator accelerator (.clk(clk), .rst(~resetn), {', '.join(inner)});\n"
        "endmodule\n"
    )  # fmt: skip


def _constraints() -> str:
    """The XDC: the processing system brings clock, memory and its own pins."""
    lines = []
    for port, (pin, standard) in LEDS.items():
        lines += [f"set_property PACKAGE_PIN {pin} [get_ports {port}]"]
        lines += [f"set_property IOSTANDARD {standard} [get_ports {port}]"]
    return "\n".join(lines) + "\n"


def _project(board: Board) -> str:
    """The Tcl that makes the project, the block design and the bitstream: ``vivado -mode batch -source``."""
    return f"""# Makes accelerator.xsa with its bitstream; fails if the clock of {board.clock_mhz:g} MHz is not met.
create_project -force accelerator project -part {board.part}
set_property board_part xilinx.com:zc706:part0:1.4 [current_project]
add_files {{top.v wrapper.v}}
add_files -fileset constrs_1 top.xdc
create_bd_design system
create_bd_cell -type ip -vlnv xilinx.com:ip:processing_system7 ps
apply_bd_automation -rule xilinx.com:bd_rule:processing_system7 \\
  -config {{make_external "FIXED_IO, DDR" apply_board_preset 1}} [get_bd_cells ps]
set_property -dict [list CONFIG.PCW_USE_M_AXI_GP0 1 CONFIG.PCW_USE_S_AXI_HP0 1 CONFIG.PCW_USE_FABRIC_INTERRUPT 1 \\
  CONFIG.PCW_IRQ_F2P_INTR 1 CONFIG.PCW_FPGA0_PERIPHERAL_FREQMHZ {board.clock_mhz:g}] [get_bd_cells ps]
create_bd_cell -type module -reference accelerator_top accelerator
apply_bd_automation -rule xilinx.com:bd_rule:axi4 \\
  -config {{Master /ps/M_AXI_GP0 Clk /ps/FCLK_CLK0}} [get_bd_intf_pins accelerator/s_axil]
apply_bd_automation -rule xilinx.com:bd_rule:axi4 \\
  -config {{Master /accelerator/m_axi Clk /ps/FCLK_CLK0}} [get_bd_intf_pins ps/S_AXI_HP0]
connect_bd_net [get_bd_pins accelerator/interrupt] [get_bd_pins ps/IRQ_F2P]
create_bd_port -dir O led_interrupt
connect_bd_net [get_bd_pins accelerator/interrupt] [get_bd_ports led_interrupt]
assign_bd_address -offset {REGISTERS_BASE:#x} -range 4K [get_bd_addr_segs accelerator/s_axil/reg0]
assign_bd_address
validate_bd_design
save_bd_design
make_wrapper -files [get_files system.bd] -top -import
set_property top system_wrapper [current_fileset]
launch_runs impl_1 -to_step write_bitstream -jobs 2
wait_on_run impl_1
set slack [get_property STATS.WNS [get_runs impl_1]]
if {{$slack < 0}} {{ error "timing is not met: slack $slack ns" }}
write_hw_platform -fixed -include_bit -force accelerator.xsa
"""


def header(registers: dict[str, Any]) -> str:
    """Return the register map as a C header."""
    lines = ["#pragma once", "", f"#define ACCELERATOR_BASE {REGISTERS_BASE:#x}u",
             f"#define ACCELERATOR_MEMORY {MEMORY_BASE:#x}u", ""]  # fmt: skip
    for name, entry in registers["registers"].items():
        lines.append(f"#define ACCELERATOR_{name.upper()} {entry['byte']:#04x}u")
        for field, (low, high) in entry["fields"].items():
            mask = ((1 << high - low + 1) - 1) << low
            lines.append(f"#define ACCELERATOR_{name.upper()}_{field.upper()} {mask:#x}u")
    lines += ["", *(f"#define ACCELERATOR_ERROR_{name.upper()} {code}" for name, code in registers["errors"].items())]
    return "\n".join(lines) + "\n"
