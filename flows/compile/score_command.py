"""What ``hwsim score`` does with a network or a compiled program."""

from __future__ import annotations

from flows.verify.simulate import Simulator
from hwsim.cost.result import Result
from hwsim.errors import InputError


def score_network(
    name: str, on: list[str], accounting: str, *, data: str, simulator: str, host_ops: bool, fuse: bool
) -> list[Result]:
    """Price a network or a program on architectures.

    Parameters
    ----------
    data
        Images as `hwsim compile` takes them; empty: the network's function returns them too.
    simulator
        That runs the RTL; empty: nothing does.

    Raises
    ------
    HwsimError
        If something is wrong with any of them.
    """
    from flows.compile.score import load_source, score

    if fuse:
        raise InputError("must be absent: networks are priced operator by operator", field="--fuse", value=fuse)
    return score(load_source(name, data), on, accounting, rtl=_known(simulator), host_ops=host_ops)


def _known(simulator: str) -> Simulator | None:
    known: dict[str, Simulator | None] = {"": None, "verilator": "verilator", "icarus": "icarus"}
    if simulator not in known:
        raise InputError("must be verilator or icarus", field="--simulator", value=simulator)
    return known[simulator]
