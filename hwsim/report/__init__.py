"""Showing results to people: a table for the terminal and a self-contained HTML page."""

from hwsim.report.page import write_html
from hwsim.report.table import comparison_text, print_comparison

__all__ = ["comparison_text", "print_comparison", "write_html"]
