"""Data parallel training in the manner of ``DistributedDataParallel``, which cannot be traced: its reducer is C++."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from hwsim.errors import InputError
from hwsim.workload.operator import Operand, Operator
from hwsim.workload.workload import Workload

MEBIBYTE_BITS = 8 * 2**20


def data_parallel(
    workload: Workload, devices: int, *, bucket_mib: float = 25.0, first_bucket_mib: float = 1.0
) -> Workload:
    """Return the step of one of ``devices`` replicas: gradients are all-reduced in buckets before they are used.

    As in PyTorch, a bucket takes gradients of one format in the order in which the backward pass makes them and is
    sent as soon as it holds at least its size; the first bucket is small so that communication starts early. The
    update then reads the averaged gradients.

    Parameters
    ----------
    workload
        A training step with its optimizer.
    devices
        Number of replicas.
    bucket_mib, first_bucket_mib
        Sizes, by default those of PyTorch.

    Raises
    ------
    InputError
        If there are fewer than two devices or no gradient is read by an optimizer.
    """
    if devices < 2:
        raise InputError("must be at least 2", field="devices", value=devices)
    made = list(_gradients(workload.operators))
    if not made:
        raise InputError("must be a training step with an optimizer", field="workload", value=workload.name)
    after: dict[int, list[Operator]] = {}
    for number, bucket in enumerate(_buckets(made, first_bucket_mib, bucket_mib)):
        after.setdefault(max(index for index, _ in bucket), []).append(
            _all_reduce(number, [gradient for _, gradient in bucket], devices)
        )
    reduced = {gradient.tensor: f"{gradient.tensor}.reduced" for _, gradient in made}
    operators: list[Operator] = []
    for index, operator in enumerate(workload.operators):
        operators.append(_renamed(operator, reduced) if operator.phase == "optimizer" else operator)
        operators += after.get(index, [])
    return workload.model_copy(update={"operators": tuple(operators)})


def _gradients(operators: Sequence[Operator]) -> Iterator[tuple[int, Operand]]:
    """Yield what the backward pass makes and the optimizer reads, each with the index of its operator."""
    used = {o.tensor for operator in operators if operator.phase == "optimizer" for o in _read(operator)}
    for index, operator in enumerate(operators):
        if operator.phase in {"grad_weight", "grad_input"}:
            yield from ((index, o) for o in operator.operands if o.access == "write" and o.tensor in used)


def _buckets(
    made: Sequence[tuple[int, Operand]], first_mib: float, mib: float
) -> Iterator[list[tuple[int, Operand]]]:
    for format_ in dict.fromkeys(gradient.format for _, gradient in made):
        limit, bucket, bits = first_mib, [], 0
        for index, gradient in (one for one in made if one[1].format == format_):
            bucket.append((index, gradient))
            bits += gradient.bits
            if bits >= limit * MEBIBYTE_BITS:
                yield bucket
                limit, bucket, bits = mib, [], 0
        if bucket:
            yield bucket


def _all_reduce(number: int, gradients: Sequence[Operand], devices: int) -> Operator:
    read = [_operand(gradient, "read", gradient.tensor) for gradient in gradients]
    written = [_operand(gradient, "write", f"{gradient.tensor}.reduced") for gradient in gradients]
    return Operator(
        name=f"bucket{number}.all_reduce", primitive="comm", phase="grad_weight", source="data_parallel",
        collective="all_reduce", group_size=devices, dims={"x": sum(gradient.elements for gradient in gradients)},
        operands=(*read, *written), arithmetic={"add": (devices - 1) / devices},
    )  # fmt: skip


def _operand(gradient: Operand, access: str, tensor: str) -> Operand:
    return gradient.model_copy(
        update={"name": "gradient", "access": access, "tensor": tensor, "role": "gradient", "projection": ()}
    )


def _renamed(operator: Operator, names: dict[str, str]) -> Operator:
    operands = tuple(
        o.model_copy(update={"tensor": names[o.tensor]}) if o.access == "read" and o.tensor in names else o
        for o in operator.operands
    )
    return operator.model_copy(update={"operands": operands})


def _read(operator: Operator) -> Iterator[Operand]:
    return (o for o in operator.operands if o.access == "read" and o.tensor)
