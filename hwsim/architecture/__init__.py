"""Hardware descriptions and their presets."""

from hwsim.architecture.architecture import Architecture, architectures, load_architecture
from hwsim.architecture.bitfusion import BitFusion
from hwsim.architecture.gpu import Gpu
from hwsim.architecture.hierarchy import FreeDataflow
from hwsim.architecture.programmed import Programmed
from hwsim.architecture.row_stationary import RowStationary
from hwsim.architecture.row_stationary_chip import RowStationaryChip
from hwsim.architecture.systolic import Systolic

__all__ = [
    "Architecture", "BitFusion", "FreeDataflow", "Gpu", "Programmed", "RowStationary", "RowStationaryChip", "Systolic",
    "architectures", "load_architecture",
]  # fmt: skip
