"""Hardware descriptions of every kind, from presets and YAML files; ``kind`` chooses which."""

from __future__ import annotations

from importlib.resources import files
from pathlib import Path
from typing import Annotated, Any

from pydantic import Discriminator, RootModel, Tag

from hwsim.architecture.bitfusion import BitFusion
from hwsim.architecture.gpu import Gpu
from hwsim.architecture.hierarchy import FreeDataflow
from hwsim.architecture.programmed import Programmed
from hwsim.architecture.row_stationary import RowStationary
from hwsim.architecture.row_stationary_chip import RowStationaryChip
from hwsim.architecture.systolic import Systolic
from hwsim.errors import InputError
from hwsim.files import read_model

_PRESETS = Path(str(files("hwsim.architecture") / "presets"))


def _kind(data: Any) -> Any:
    return str(data.get("kind", "row_stationary")) if isinstance(data, dict) else getattr(data, "kind", None)


Architecture = Annotated[
    Annotated[RowStationary, Tag("row_stationary")]
    | Annotated[RowStationaryChip, Tag("row_stationary_chip")]
    | Annotated[Systolic, Tag("systolic")]
    | Annotated[BitFusion, Tag("bitfusion")]
    | Annotated[FreeDataflow, Tag("hierarchy")]
    | Annotated[Gpu, Tag("gpu")]
    | Annotated[Programmed, Tag("accelerator")],
    Discriminator(_kind),
]
"""Any kind; files without ``kind`` describe a row-stationary array."""


class _File(RootModel[Architecture]):
    """A file that holds one architecture."""


SHORT_NAMES = {
    "h100": "h100-sxm", "shiftadd-45nm": "eyeriss-45nm-shiftadd", "ulx3s": "hwsim-ulx3s", "zc706": "hwsim-zc706",
}  # fmt: skip
"""What people call some presets."""


def load_architecture(name: str) -> tuple[Architecture, Path]:
    """Load a preset by name, or a file by a path that ends in ``.yaml``; return it with its folder."""
    if name.endswith((".yaml", ".yml", ".json")):
        return read_model(name, _File).root, Path(name).parent
    path = _PRESETS / f"{SHORT_NAMES.get(name, name)}.yaml"
    if not path.is_file():
        raise InputError(
            f"architecture must be a .yaml file or one of {', '.join(architectures())}", value=name
        )
    return read_model(path, _File).root, _PRESETS


def architectures() -> list[str]:
    """Names of the presets."""
    return sorted(path.stem for path in _PRESETS.glob("*.yaml"))
