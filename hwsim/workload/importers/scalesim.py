"""SCALE-Sim topologies: convolutions, or products as M, N, K, one a row.

Source: scalesim-project/SCALE-Sim, its ``topologies`` folder and how it reads them. The header is matched by words, as
the files spell it in several ways; a separating tab, blank rows, notes after ``#`` and rows that hold nothing but
the name of a network occur too. Output sizes are SCALE-Sim's: rounded up, without padding.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from hwsim.errors import InputError
from hwsim.workload.contraction import conv2d, matmul
from hwsim.workload.importers.reading import located, text_of
from hwsim.workload.importers.unknown import Skips, Unknown
from hwsim.workload.operator import Operator, Role
from hwsim.workload.workload import Workload

CONVOLUTION = ("rows", "columns", "filter rows", "filter columns", "channels", "filters", "stride")
PRODUCT = ("m", "n", "k")
_OPTIONAL = {"sparsity": "sparsity", "batch size": "batch", "stride width": "column stride"}
_ROLES: tuple[Role, Role, Role] = ("activation", "parameter", "activation")
_RATIO = re.compile(r"\s*([0-9]+)\s*:\s*([0-9]+)\s*")


def recognises(text: str) -> bool:
    """Whether ``text`` begins with the header of a topology."""
    cells = _header(text.partition("\n")[0])
    return cells[1:4] == list(PRODUCT) or _is_convolution(cells)


def load(path: Path | str, data: bytes, unknown: Unknown = "error") -> Workload:
    """Return the layers of a topology, in order, as forward operators at batch 1 unless the file says otherwise."""
    lines = text_of(path, data).splitlines()
    header = _header(lines[0] if lines else "")
    if not (header[1:4] == list(PRODUCT) or _is_convolution(header)):
        raise InputError("must begin with a header: Layer, IFMAP Height ... or Layer, M, N, K", file=path,
                         field="line 1", value=lines[0] if lines else "")  # fmt: skip
    names = _columns(header)
    operators: list[Operator] = []
    skips = Skips(path, unknown)
    network = ""
    for number, line in enumerate(lines[1:], start=2):
        cells = _cells(line)
        if not any(cells):
            continue
        if not any(cells[1:]):
            network = cells[0]
            continue
        where = f"line {number}"
        row = _row(path, where, names, cells)
        with located(path, where):
            operators += _operators(row, network, skips)
    if not operators:
        raise InputError("must hold at least one layer", file=path)
    samples = {int(str(operator.dims["n"])) for operator in operators} if "batch" in names else {1}
    return Workload(
        name=Path(path).stem, source="SCALE-Sim topology", samples=max(samples), operators=tuple(operators),
        skipped=tuple(skips.operators),
    )  # fmt: skip


def _operators(row: Mapping[str, Any], network: str, skips: Skips) -> list[Operator]:
    name = ".".join(part for part in (network, row["name"]) if part)
    if row["sparsity"] != 1:
        shapes = [f"{key}={value}" for key, value in row.items() if key in CONVOLUTION + PRODUCT]
        skips.add("N:M sparse layer", name, shapes, why="hwsim has no model of N:M sparsity")
        return []
    return [_product(name, row) if "m" in row else _convolution(name, row)]


def _convolution(name: str, row: Mapping[str, Any]) -> Operator:
    size, kernel = (row["rows"], row["columns"]), (row["filter rows"], row["filter columns"])
    stride = (row["stride"], row.get("column stride", row["stride"]))
    if kernel[0] > size[0] or kernel[1] > size[1]:
        raise InputError("filter must not be larger than the input", value={"input": size, "filter": kernel})
    rows, columns = (-(-(i - k) // s) + 1 for i, k, s in zip(size, kernel, stride, strict=True))
    # SCALE-Sim marks a depthwise layer by these letters, and repeats it per channel
    groups = row["channels"] if "DP" in row["name"] else 1
    return conv2d(
        name, batch=row.get("batch", 1), in_channels=row["channels"], out_channels=groups * row["filters"],
        input_size=size, output_size=(rows, columns), kernel=kernel, stride=stride, groups=groups, roles=_ROLES,
        module=name, source="SCALE-Sim conv",
    )  # fmt: skip


def _product(name: str, row: Mapping[str, Any]) -> Operator:
    return matmul(
        name, rows=row["m"], columns=row["n"], inner=row["k"], roles=_ROLES, module=name, source="SCALE-Sim gemm"
    )


def _row(path: Path | str, where: str, names: Sequence[str], cells: Sequence[str]) -> dict[str, Any]:
    """Return the cells of a row by column; columns that only carry somebody's notes are left out."""
    row: dict[str, Any] = {"sparsity": 1}
    for index, cell in enumerate(cells):
        name = names[index] if index < len(names) else ""
        if not cell or name.startswith("note"):
            continue
        if not name:
            raise InputError("column must have a header", file=path, field=f"{where}, column {index + 1}", value=cell)
        row[name] = cell if name == "name" else _number(path, f"{where}, {name}", cell, ratio=name == "sparsity")
    required = PRODUCT if "m" in names else CONVOLUTION
    if missing := [name for name in ("name", *required) if name not in row]:
        raise InputError("is required", file=path, field=f"{where}, {missing[0]}")
    return row


def _number(path: Path | str, where: str, cell: str, *, ratio: bool) -> float:
    """Return a size from 1 to 2**48, or the density that ``N:M`` means."""
    match = _RATIO.fullmatch(cell)
    if ratio and match and 1 <= int(match[1]) <= int(match[2]):
        return int(match[1]) / int(match[2])
    if not ratio and cell.isascii() and cell.isdigit() and len(cell) < 16 and 1 <= int(cell) <= 2**48:
        return int(cell)
    rule = "must be N:M with 1 <= N <= M" if ratio else "must be a whole number from 1 to 2**48"
    raise InputError(rule, file=path, field=where, value=cell)


def _columns(header: Sequence[str]) -> list[str]:
    """Return what each column holds; text after the required columns that is not known is a note."""
    required = PRODUCT if header[1:4] == list(PRODUCT) else CONVOLUTION
    rest = header[1 + len(required) :]
    return ["name", *required, *(_OPTIONAL.get(cell, "note" if cell else "") for cell in rest)]


def _is_convolution(cells: Sequence[str]) -> bool:
    words = ("ifmap", "ifmap", "filter", "filter", "channel", "num filter", "stride")
    return len(cells) > len(words) and all(word in cell for word, cell in zip(words, cells[1:], strict=False))


def _header(line: str) -> list[str]:
    return [" ".join(cell.lower().split()) for cell in _cells(line.lstrip("\ufeff"))]


def _cells(line: str) -> list[str]:
    line = line.partition("#")[0]
    return [cell.strip() for cell in line.split("," if "," in line else "\t")]
