"""Results as JUnit XML, which every CI system shows."""

from __future__ import annotations

import re
from pathlib import Path
from xml.etree import ElementTree

from flows.verify.plan import Result
from hwsim.files import write_text

_FORBIDDEN = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f\ufffe\uffff]")


def write(results: list[Result], path: Path) -> Path:
    """Write one test suite per configuration and one test case per check; processor time is a property of it."""
    suites = ElementTree.Element("testsuites", name="hwsim verify")
    for name in sorted({result.name for result in results}):
        mine = sorted((result for result in results if result.name == name), key=lambda result: result.check)
        failures = sum(not result.passed for result in mine)
        suite = ElementTree.SubElement(
            suites, "testsuite", name=name, tests=str(len(mine)), failures=str(failures), errors="0",
            time=f"{sum(result.seconds for result in mine):.1f}",
        )  # fmt: skip
        for result in mine:
            case = ElementTree.SubElement(
                suite, "testcase", classname=name, name=result.check, time=f"{result.seconds:.1f}"
            )
            properties = ElementTree.SubElement(case, "properties")
            ElementTree.SubElement(properties, "property", name="cpu_seconds", value=f"{result.cpu_seconds:.1f}")
            text = _FORBIDDEN.sub("?", result.detail)
            if result.passed:
                ElementTree.SubElement(case, "system-out").text = text
            else:
                ElementTree.SubElement(case, "failure", message=text).text = text
    ElementTree.indent(suites)
    return write_text(path, ElementTree.tostring(suites, encoding="unicode", xml_declaration=True) + "\n")
