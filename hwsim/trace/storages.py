"""Identity of tensors: a number for each storage and a count of the writes to it."""

from __future__ import annotations

import weakref
from collections import Counter

import torch
from torch.multiprocessing.reductions import StorageWeakRef
from torch.utils._python_dispatch import is_traceable_wrapper_subclass

from hwsim.errors import HwsimError
from hwsim.trace.records import TensorRef


class Storages:
    """Numbers storages in the order of their first use.

    Weak references free the data and yet keep the storage's address from being used again.
    """

    def __init__(self) -> None:
        self._known: dict[int, tuple[StorageWeakRef, int]] = {}
        self._versions: Counter[int] = Counter()
        self.sizes: dict[int, int] = {}
        """Bytes of each storage."""
        self.freed: dict[int, int] = {}
        """Value of `clock` when a storage went away, for those that did."""
        self.clock = 0
        """Number of records so far."""

    def number(self, tensor: torch.Tensor) -> int:
        """Return the number of the tensor's storage; of a tensor made of parts, that of its first part."""
        while is_traceable_wrapper_subclass(tensor):
            tensor = getattr(tensor, tensor.__tensor_flatten__()[0][0])
        if tensor.layout is not torch.strided:
            raise HwsimError(f"a {tensor.layout} tensor cannot be traced: its storage has no single identity")
        storage = tensor.untyped_storage()
        known = self._known.get(storage._cdata)
        if known is not None:
            return known[1]
        number = len(self.sizes) + 1
        self.sizes[number] = storage.nbytes()
        weakref.finalize(storage, self._free, number).atexit = False
        return self._name(storage, number)

    def alias(self, view: torch.Tensor, base: torch.Tensor) -> None:
        """Give ``view`` the number of ``base``: a fake view of a real tensor has a storage of its own."""
        storage = view.untyped_storage()
        if storage._cdata != base.untyped_storage()._cdata:
            self._name(storage, self.number(base))

    def ref(self, tensor: torch.Tensor) -> TensorRef:
        """Describe the tensor as it is now."""
        number = self.number(tensor)
        shape = tuple(tensor.shape)
        stride = tuple(tensor.stride())
        whole = tensor.numel() * tensor.element_size() >= tensor.untyped_storage().nbytes()
        offset = int(tensor.storage_offset())
        return TensorRef(number, self._versions[number], shape, tensor.dtype, stride, whole, offset)

    def write(self, tensor: torch.Tensor) -> None:
        """Note that the tensor's storage has been written in place."""
        self._versions[self.number(tensor)] += 1

    def _free(self, number: int) -> None:
        self.freed[number] = self.clock

    def _name(self, storage: torch.UntypedStorage, number: int) -> int:
        weak = StorageWeakRef(storage)
        self._known[storage._cdata] = (weak, number)
        return number
