"""From an exported program to the operators of the accelerator, or a complaint by the layer's name."""

from __future__ import annotations

from dataclasses import dataclass

from torch.fx import Node

from flows.compile.host import tail
from flows.compile.operators import Add, Graph, Image
from flows.compile.program import Program, UnsupportedError, path
from flows.compile.reading import NO_COMMAND, Reading, operator_name
from flows.compile.rules import RULES
from hwsim.errors import InputError


@dataclass(frozen=True)
class Split:
    """What runs where.

    Attributes
    ----------
    graph
        Of the accelerator.
    host
        Layers that are left to the host, behind the accelerator.
    tail
        Their program (`flows.compile.host`); empty without.
    """

    graph: Graph
    host: tuple[str, ...] = ()
    tail: bytes = b""


def capture(program: Program, *, host_ops: bool = False) -> Split:
    """Return the operators of a program.

    Parameters
    ----------
    host_ops
        Leave what the accelerator cannot do to the host, if nothing behind it needs the accelerator.

    Raises
    ------
    InputError
        Naming every layer that the accelerator cannot run.
    """
    state = Reading(program)
    state.values[program.input.name] = program.input.name
    state.shapes[program.input.name] = _image(program.input, tuple(program.input.meta["val"].shape))
    refused: list[tuple[Node, str]] = []
    for node in program.nodes:
        if any(
            source.name not in state.values and source.name not in program.constants for source in node.all_input_nodes
        ):
            # it needs the result of one refused, which is no fault of its own
            refused.append((node, "" if operator_name(node) in RULES else NO_COMMAND))
            continue
        try:
            _read(state, node)
        except UnsupportedError as error:
            refused.append((node, error.rule))
    if not refused:
        return Split(_graph(state, state.value(program.output)))
    if not host_ops:
        layers = "; ".join(f"{path(node)} ({node.target}) {reason}" for node, reason in refused if reason)
        raise InputError(f"holds layers that the accelerator cannot run: {layers}", field="model")
    return _split(state, [node for node, _ in refused])


def _split(state: Reading, host: list[Node]) -> Split:
    """Cut where the host takes over."""
    crossing = {state.value(s) for node in host for s in node.all_input_nodes if s.name in state.values}
    if state.program.output.name in state.values:
        crossing.add(state.value(state.program.output))
    if len(crossing) != 1 or crossing == {state.program.input.name}:
        raise InputError(
            f"must need one result of the accelerator on the host, behind {', '.join(path(node) for node in host)}",
            field="model", value=sorted(crossing),
        )  # fmt: skip
    cut = crossing.pop()
    last = {s: None for node in host for s in node.all_input_nodes if s.name in state.values}
    names = tuple(dict.fromkeys(path(node) for node in host))
    return Split(_graph(state, cut), names, tail(state.program, host, list(last)))


def _graph(state: Reading, output: str) -> Graph:
    """Return the operators that the output needs."""
    needed, kept = {output}, []
    for operator in reversed(state.operators):
        if operator.output in needed:
            kept.append(operator)
            needed.add(operator.source)
            if isinstance(operator, Add):
                needed.add(operator.other)
    if not kept:
        raise InputError("must hold a layer that the accelerator runs", field="model")
    source = state.program.input.name
    shapes = {name: shape for name, shape in state.shapes.items() if name in needed}
    return Graph(source, output, shapes, tuple(reversed(kept)), state.steps)


def _read(state: Reading, node: Node) -> None:
    if operator_name(node) not in RULES:
        raise UnsupportedError(NO_COMMAND)
    RULES[operator_name(node)](state, node)


def _image(node: Node, shape: tuple[int, ...]) -> Image:
    """Return the image of a sample; features are an image of one pixel."""
    if len(shape) not in (2, 4):
        raise InputError(
            "must have the shape (samples, channels, rows, columns) or (samples, features)",
            field=path(node),
            value=shape,
        )
    return (shape[1], shape[2], shape[3]) if len(shape) == 4 else (shape[1], 1, 1)
