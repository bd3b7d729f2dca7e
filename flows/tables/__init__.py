"""Tables and pages that are generated: memory macros, register files, FPGA resources, what a shift really saves."""
