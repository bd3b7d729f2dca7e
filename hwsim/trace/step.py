"""Tracing a step of a model without running it on data."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from typing import Any, Literal, get_args

import torch
from torch import Tensor, nn
from torch._subclasses.fake_tensor import (
    DataDependentOutputException,
    DynamicOutputShapeException,
    UnsupportedOperatorException,
)
from torch.optim import Optimizer
from torch.utils._pytree import tree_leaves

from hwsim.errors import HwsimError, InputError
from hwsim.trace.capture import StepCapture
from hwsim.trace.eager import eager
from hwsim.trace.fake import copied, fake_inputs, fake_mode
from hwsim.trace.lowering import Unknown
from hwsim.workload import Workload
from hwsim.workload.fused import fuse

Level = Literal["aten", "update", "fused"]
Loss = Callable[[Any], Tensor]
MakeOptimizer = Callable[[Iterable[nn.Parameter]], Optimizer]


def trace(
    model: nn.Module,
    inputs: Tensor | tuple[Any, ...],
    *,
    loss: Loss | None = None,
    optimizer: Optimizer | MakeOptimizer | None = None,
    name: str | None = None,
    samples: int | None = None,
    fake: bool = True,
    unknown: Unknown = "error",
    level: Level = "update",
) -> Workload:
    """Return the operators of one steady-state step of ``model``.

    Two steps run on a copy and the second is kept: the first also creates the optimizer's state. Without ``loss``
    and ``optimizer`` the step is a forward pass without gradients; with either of them it is a training step.

    Parameters
    ----------
    model
        Any module, on any device, real, fake or meta; it is not changed. What is compiled is traced as if it were not.
    inputs
        Argument or tuple of arguments of the model. Only shapes and types of tensors matter.
    loss
        Scalar from the model's output; by default the mean of the output, which must be a tensor.
    optimizer
        An optimizer of the model's parameters, or a function that makes one from them, such as
        ``lambda parameters: torch.optim.SGD(parameters, lr=0.1)``.
    name
        Of the workload; by default the model's class.
    samples
        Of one step; by default the first size of the first input tensor.
    fake
        Trace without data, in little memory. A model whose control flow depends on data needs ``False``.
    unknown
        ``error``, or ``skip`` to leave out operators that hwsim does not know and list them.
    level
        ``aten`` for what PyTorch ran; ``update`` makes the update of a parameter one operator, whatever form the
        optimizer has; ``fused`` is the normal form of that, see `hwsim.workload.fused.fuse`.

    Raises
    ------
    UnknownOperatorError
        If an operator has no lowering rule.
    InputError
        If ``level`` is neither of the two, or a model that needs a loss has none.
    HwsimError
        If the model needs the values of tensors and there are none.
    """
    if level not in get_args(Level):
        raise InputError("must be aten, update or fused", field="level", value=level)
    arguments = inputs if isinstance(inputs, tuple) else (inputs,)
    model = getattr(model, "_orig_mod", model)  # what torch.compile wraps
    mode = fake_mode() if fake else None
    if mode is not None:
        arguments = fake_inputs(arguments, mode)
    with _needs_data(type(model).__name__), in_parts(), mode or torch.random.fork_rng():
        twin, update = copied(model, optimizer, fake=mode)
        if update is not None and not isinstance(update, Optimizer):
            update = update(twin.parameters())
        _check_closure(update)
        train = loss is not None or update is not None
        _step(twin, arguments, loss, update, train=train)
        with StepCapture() as capture:
            _step(twin, arguments, loss, update, train=train)
        workload = capture.workload(
            name=name or type(model).__name__, model=twin, optimizers=[] if update is None else [update],
            inputs=arguments, samples=_samples(arguments) if samples is None else samples, unknown=unknown,
            level="aten" if level == "aten" else "update",
        )  # fmt: skip
    return fuse(workload) if level == "fused" else workload


def capture_step(step: Callable[[], object], warm_up: int = 1) -> StepCapture:
    """Return the capture of one call of ``step``, after ``warm_up`` calls that create optimizer state.

    The step may be any training loop's body: gradient accumulation, clipping, loss scaling, several optimizers. Where
    its tensors are fake ones (everything made and run inside ``torch._subclasses.FakeTensorMode()``), so is the trace.

    Raises
    ------
    HwsimError
        If the step needs the values of tensors and there are none.
    """
    with _needs_data("the step"), in_parts():
        for _ in range(warm_up):
            step()
        with StepCapture() as capture:
            step()
    return capture


def _step(
    model: nn.Module, inputs: tuple[Any, ...], loss: Loss | None, optimizer: Optimizer | None, *, train: bool
) -> None:
    if not train:
        with torch.no_grad():
            model(*inputs)
        return
    model.zero_grad()
    value = (loss or _mean)(model(*inputs))
    value.backward()
    if optimizer is not None:
        optimizer.step()


def _check_closure(optimizer: Optimizer | None) -> None:
    closure = inspect.signature(optimizer.step).parameters.get("closure") if optimizer else None
    if closure is not None and closure.default is closure.empty:
        rule = "must step without a closure; capture a step that has one with hwsim.trace.capture_step or hwsim.record"
        raise InputError(rule, field="optimizer", value=type(optimizer).__name__)


def _mean(output: Any) -> Tensor:
    if not isinstance(output, Tensor):
        raise InputError("must be given for a model that does not return one tensor", field="loss", value=None)
    return output.mean()


def _samples(inputs: tuple[Any, ...]) -> int:
    shapes = [leaf.shape for leaf in tree_leaves(inputs) if isinstance(leaf, Tensor)]
    return int(shapes[0][0]) if shapes and shapes[0] else 1


@contextmanager
def in_parts() -> Iterator[None]:
    """Make what has one kernel of its own call its parts, which have paths, shapes and dependences.

    These are ``nn.TransformerEncoderLayer`` in evaluation, ``nn.LSTM``, and modules and functions that are compiled.
    """
    attention, recurrence = torch.backends.mha.get_fastpath_enabled(), torch._C._get_mkldnn_enabled()
    torch.backends.mha.set_fastpath_enabled(False)
    torch._C._set_mkldnn_enabled(False)
    try:
        with eager():
            yield
    finally:
        torch.backends.mha.set_fastpath_enabled(attention)
        torch._C._set_mkldnn_enabled(recurrence)


@contextmanager
def _needs_data(name: str) -> Iterator[None]:
    try:
        yield
    except (
        DataDependentOutputException, DynamicOutputShapeException, UnsupportedOperatorException
    ) as error:  # fmt: skip
        raise HwsimError(
            f"{name} calls {error.func}, whose result depends on the values of tensors: "
            f"trace with real tensors (fake=False)"
        ) from error


