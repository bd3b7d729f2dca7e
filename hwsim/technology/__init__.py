"""Technology tables: what an operation and an access cost, and where the number comes from."""

from hwsim.technology.circuit import Circuit, Provenance
from hwsim.technology.coefficient import Coefficient
from hwsim.technology.resources import Fpga, Resources
from hwsim.technology.technology import Technology, load_technology, technologies

__all__ = ["Circuit", "Coefficient", "Fpga", "Provenance", "Resources", "Technology", "load_technology", "technologies"]
