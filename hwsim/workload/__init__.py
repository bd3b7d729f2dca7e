"""The intermediate representation: workloads of operators, and their YAML form."""

from hwsim.workload.memory import Memory
from hwsim.workload.operator import Operand, Operator
from hwsim.workload.workload import Workload

__all__ = ["Memory", "Operand", "Operator", "Workload"]
