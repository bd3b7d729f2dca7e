"""Processing elements: frozen parameters with two faces, hardware (`create`) and twin (`compute`)."""

from rtl.pe.catalog import CATALOG, find
from rtl.pe.element import ProcessingElement

__all__ = ["CATALOG", "ProcessingElement", "find"]
