"""Networks as a chip ran them: convolutions and, where they are known, the mappings it used."""

from __future__ import annotations

from importlib.resources import files
from pathlib import Path
from typing import Annotated, Literal

from pydantic import Field

from hwsim.errors import InputError
from hwsim.files import Frozen, read_model
from hwsim.mapping.row_stationary_chip import ChipMapping
from hwsim.workload.forms import Conv2d
from hwsim.workload.operator import Operand, Operator

_NETWORKS = Path(str(files("hwsim.validation") / "networks"))


class SiliconLayer(Conv2d):
    """A convolution and its mapping; without one, the best is used."""

    bias: bool = False
    mapping: ChipMapping | None = None

    def operator(self) -> Operator:
        """Expand to an extended einsum."""
        plain = super().operator()
        if not self.bias:
            return plain
        bias = Operand(name="bias", shape=(self.out_channels,), format=self.format, role="parameter")
        return plain.model_copy(update={"operands": (*plain.operands, bias)})


class SiliconNetwork(Frozen):
    """Layers in the order in which they ran."""

    schema_: Literal["hwsim/silicon-network/1"] = Field(alias="schema")
    name: str
    title: str
    source: str
    layers: Annotated[tuple[SiliconLayer, ...], Field(min_length=1)]


def load_network(name: str) -> SiliconNetwork:
    """Load a network by name, or by path if it ends in ``.yaml``."""
    if name.endswith((".yaml", ".yml", ".json")):
        return read_model(name, SiliconNetwork)
    path = _NETWORKS / f"{name}.yaml"
    if not path.is_file():
        known = ", ".join(sorted(path.stem for path in _NETWORKS.glob("*.yaml")))
        raise InputError(f"network must be a .yaml file or one of {known}", value=name)
    return read_model(path, SiliconNetwork)
