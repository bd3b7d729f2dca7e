# mypy: disable-error-code="valid-type, untyped-decorator"
"""Dot products of pairs of 16-bit words in AVX-512, as intrinsics of TensorIR.

Both sum in ``vpmaddwd``, which LLVM joins with the addition to ``vpdpwssd`` where there is one. A sign is applied in
it, by a multiplication with 1 or -1: x86 has no instruction that adds and subtracts words by a mask and widens them.
What annotates parameters here are values, as TVM's script wants it.
"""

from __future__ import annotations

from typing import Any

LANES, PAIRS = 16, 2
FEATURE = "avx512bw"
"""What a CPU needs for them."""


def register() -> None:
    """Make the intrinsics ``pair_dot`` and ``shift_dot`` known to this process's TVM."""
    from tvm.s_tir import TensorIntrin

    TensorIntrin.register("pair_dot", *_pair_dot(), override=True)
    TensorIntrin.register("shift_dot", *_shift_dot(), override=True)


def _pair_dot() -> tuple[Any, Any]:
    """What the intrinsic of products of pairs computes, and how."""
    from tvm.script import tirx as T

    @T.prim_func(s_tir=True)
    def pair_dot(
        a: T.Buffer((2,), "int16", offset_factor=1),
        w: T.Buffer((16, 2), "int16", offset_factor=1),
        c: T.Buffer((16,), "int32", offset_factor=1, scope="local"),
    ) -> None:
        with T.sblock("root"):
            T.reads(c[0:16], a[0:2], w[0:16, 0:2])
            T.writes(c[0:16])
            for i in T.serial(0, 16):
                for k in T.serial(0, 2):
                    with T.sblock("update"):
                        vi, vk = T.axis.remap("SR", [i, k])
                        c[vi] = c[vi] + T.cast(a[vk], "int32") * T.cast(w[vi, vk], "int32")

    @T.prim_func(s_tir=True)
    def pair_dot_avx512(
        a: T.Buffer((2,), "int16", offset_factor=1),
        w: T.Buffer((16, 2), "int16", offset_factor=1),
        c: T.Buffer((16,), "int32", offset_factor=1, scope="local"),
    ) -> None:
        with T.sblock("root"):
            T.reads(c[0:16], a[0:2], w[0:16, 0:2])
            T.writes(c[0:16])
            c[T.ramp(T.int32(0), 1, 16)] += T.call_llvm_pure_intrin(
                T.llvm_lookup_intrinsic_id("llvm.x86.avx512.pmaddw.d.512"),
                T.reinterpret(T.broadcast(T.reinterpret(a.vload([0], "int16x2"), dtype="int32"), 16), dtype="int16x32"),
                w.vload([0, 0], "int16x32"),
                dtype="int32x16",
            )

    return pair_dot, pair_dot_avx512


def _shift_dot() -> tuple[Any, Any]:
    """What the intrinsic of pairs that are shifted and signed computes, and how."""
    from tvm.script import tirx as T

    @T.prim_func(s_tir=True)
    def shift_dot(
        a: T.Buffer((2,), "int16", offset_factor=1),
        shift: T.Buffer((16, 2), "int16", offset_factor=1),
        sign: T.Buffer((16, 2), "int16", offset_factor=1),
        c: T.Buffer((16,), "int32", offset_factor=1, scope="local"),
    ) -> None:
        with T.sblock("root"):
            T.reads(c[0:16], a[0:2], shift[0:16, 0:2], sign[0:16, 0:2])
            T.writes(c[0:16])
            for i in T.serial(0, 16):
                for k in T.serial(0, 2):
                    with T.sblock("update"):
                        vi, vk = T.axis.remap("SR", [i, k])
                        c[vi] = c[vi] + T.cast(T.shift_left(a[vk], shift[vi, vk]), "int32") * T.cast(
                            sign[vi, vk], "int32"
                        )

    @T.prim_func(s_tir=True)
    def shift_dot_avx512(
        a: T.Buffer((2,), "int16", offset_factor=1),
        shift: T.Buffer((16, 2), "int16", offset_factor=1),
        sign: T.Buffer((16, 2), "int16", offset_factor=1),
        c: T.Buffer((16,), "int32", offset_factor=1, scope="local"),
    ) -> None:
        with T.sblock("root"):
            T.reads(c[0:16], a[0:2], shift[0:16, 0:2], sign[0:16, 0:2])
            T.writes(c[0:16])
            c[T.ramp(T.int32(0), 1, 16)] += T.call_llvm_pure_intrin(
                T.llvm_lookup_intrinsic_id("llvm.x86.avx512.pmaddw.d.512"),
                T.shift_left(
                    T.reinterpret(
                        T.broadcast(T.reinterpret(a.vload([0], "int16x2"), dtype="int32"), 16), dtype="int16x32"
                    ),
                    shift.vload([0, 0], "int16x32"),
                ),
                sign.vload([0, 0], "int16x32"),
                dtype="int32x16",
            )

    return shift_dot, shift_dot_avx512
