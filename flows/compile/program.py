"""A network as PyTorch exports it, with what depends on parameters alone computed once."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Iterator
from typing import Any

import torch
from torch import Tensor, nn
from torch.export import ExportedProgram
from torch.export.graph_signature import InputKind
from torch.fx import Node, map_arg

from hwsim.errors import InputError


class UnsupportedError(InputError):
    """A node for which the accelerator has no command."""


class Program:
    """An exported network in evaluation mode.

    Attributes
    ----------
    constants
        Parameters, buffers and everything computed from them, by name of the node.
    nodes
        What depends on the input, in order.
    input, output
        Nodes.
    """

    def __init__(self, exported: ExportedProgram) -> None:
        state = {**exported.state_dict, **exported.constants}
        inputs: list[Node] = []
        self.constants: dict[str, Any] = {}
        self.nodes: list[Node] = []
        specifications = {spec.arg.name: spec for spec in exported.graph_signature.input_specs}
        for node in exported.graph.nodes:
            if node.op == "placeholder":
                spec = specifications[node.name]
                if spec.kind == InputKind.USER_INPUT:
                    inputs.append(node)
                else:
                    self.constants[node.name] = state[spec.target].detach()
            elif node.op == "call_function":
                if all(argument.name in self.constants for argument in node.all_input_nodes):
                    with torch.no_grad():
                        self.constants[node.name] = self._call(node, self.constants)
                else:
                    self.nodes.append(node)
            else:
                outputs = node.args[0]
        if len(inputs) != 1 or len(outputs) != 1 or not isinstance(outputs[0], Node):
            raise InputError("must have one input and one output", field="model", value=(len(inputs), len(outputs)))
        self.input, self.output = inputs[0], outputs[0]

    @property
    def batch(self) -> int:
        """Samples that it takes at a time."""
        return int(self.input.meta["val"].shape[0])

    def constant(self, argument: Any) -> Any:
        """Return an argument's value: itself, or of a node the constant.

        Raises
        ------
        InputError
            If it depends on the input.
        """
        if not isinstance(argument, Node):
            return argument
        if argument.name not in self.constants:
            raise InputError("must not depend on the input", field=path(argument), value=argument.name)
        return self.constants[argument.name]

    @torch.no_grad()
    def run(self, values: dict[str, Tensor]) -> Iterator[tuple[str, Any]]:
        """Compute every node that ``values`` leave open, one after the other, and yield each with its name."""
        known = {**self.constants, **values}
        last = {source.name: node for node in self.nodes for source in node.all_input_nodes}
        for node in self.nodes:
            if node.name in values or not all(source.name in known for source in node.all_input_nodes):
                continue
            known[node.name] = self._call(node, known)
            yield node.name, known[node.name]
            for source in node.all_input_nodes:
                if last[source.name] is node and source is not self.output:
                    known.pop(source.name, None)

    def _call(self, node: Node, known: dict[str, Any]) -> Any:
        def value(argument: Node) -> Any:
            return known[argument.name]

        target: Callable[..., Any] = node.target  # type: ignore[assignment]
        return target(*map_arg(node.args, value), **map_arg(node.kwargs, value))


def export(model: nn.Module | ExportedProgram, example: Tensor) -> Program:
    """Return the program of ``model`` for inputs of the shape of ``example``.

    Raises
    ------
    InputError
        If PyTorch cannot export it, or it has more than one input or output.
    """
    if isinstance(model, nn.Module):
        training = model.training
        model.eval()
        try:
            exported = torch.export.export(model, (example,), strict=False)
        except (RuntimeError, TypeError, ValueError, IndexError) as error:
            reason = " ".join(str(error).split())
            raise InputError(
                f"cannot be exported for an input of {tuple(example.shape)}: {reason}", field="model"
            ) from error
        finally:
            model.train(training)
    else:
        exported = model
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", FutureWarning)  # of torch about itself
        return Program(exported.run_decompositions({}))


def path(node: Node) -> str:
    """Return the dotted path of the module that called the node; without one, the node's name."""
    stack = node.meta.get("nn_module_stack") or {}
    names = [place[0] for place in stack.values() if place[0]]
    return names[-1].removeprefix("L['self'].") if names else node.name
