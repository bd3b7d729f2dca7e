"""Kernels that keep one part of a GPU busy: an instruction, shared memory, the second-level cache, the memory.

Their rates and energies are what a model of the board is fitted on. Operands are hashes of the thread's number, because
zeros cost less than data.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

SYMBOL = "run"
THREADS = 256
BLOCKS_PER_MULTIPROCESSOR = 24
"""A multiple of what one holds at a time: eight blocks, or six (compute capability 8.6 and 8.9)."""
_CHAINS = 8
"""Independent sums of a thread, so that no instruction waits for the one before."""
_UNROLLED = 16
_ITERATIONS = 2000
_LANES = 32
_BYTES = 16
"""Of a load."""
_LOADS = 4
"""Of shared memory in an iteration, all different: equal ones would become one."""


@dataclass(frozen=True)
class Microbenchmark:
    """One kernel and what it does.

    Attributes
    ----------
    name
        Of what it measures.
    opcode
        Instruction that it consists of, as nvdisasm writes it; empty for none.
    unit
        ``operation``: a multiply-add is two; ``byte``; ``second`` where nothing is counted.
    code
        CUDA of one kernel called ``run``.
    per_thread
        Units of a thread of a launch.
    in_buffer
        Units of a launch that goes through the whole buffer, whatever the number of threads.
    buffer_bytes
        Size of the buffer.
    blocks_per_multiprocessor
        Blocks of `THREADS` threads.
    """

    name: str
    opcode: str
    unit: Literal["operation", "byte", "second"]
    code: str
    per_thread: float = 0
    in_buffer: float = 0
    buffer_bytes: int = 16
    blocks_per_multiprocessor: int = BLOCKS_PER_MULTIPROCESSOR


_START = """\
__device__ unsigned hash(unsigned x) {
  x ^= x >> 16; x *= 0x7feb352du; x ^= x >> 15; x *= 0x846ca68bu; return x ^ (x >> 16);
}
extern "C" __global__ void __launch_bounds__(256) run(uint4* buffer, unsigned long long words) {
  const unsigned thread = blockIdx.x * blockDim.x + threadIdx.x;
"""


def _chained(name: str, opcode: str, kind: str, statement: str, operations: int) -> Microbenchmark:
    """Values ``x[j]`` that each step renews by ``statement``; of floats, towards points that differ by chain."""
    start = "hash(thread * 19 + {0})" if kind == "unsigned" else "(int)hash(thread * 19 + {0}) * 0x1p-31f"
    code = f"""{_START}  {kind} x[{_CHAINS}], z[{_CHAINS}], y = {start.format(17)};
  for (int j = 0; j < {_CHAINS}; ++j) {{ x[j] = {start.format("j")}; z[j] = {start.format("j + 8")}; }}
  #pragma unroll 1
  for (int i = 0; i < {_ITERATIONS}; ++i) {{
    #pragma unroll
    for (int u = 0; u < {_UNROLLED}; ++u)
      #pragma unroll
      for (int j = 0; j < {_CHAINS}; ++j) {{ const int next = (j + 1) % {_CHAINS}; {statement} }}
  }}
  {kind} sum = 0;
  for (int j = 0; j < {_CHAINS}; ++j) sum += x[j];
  if (sum == ({kind})12345) *(({kind}*)buffer) = sum;
}}
"""
    return Microbenchmark(name, opcode, "operation", code, per_thread=operations * _ITERATIONS * _UNROLLED * _CHAINS)


def _matrix(name: str, opcode: str, instruction: str, kind: str, depth: int, element: str) -> Microbenchmark:
    """Products of tiles 16 x depth and depth x 8, summed in four chains of a warp."""
    chains, register = 4, "f" if kind == "float" else "r"
    code = f"""{_START}  unsigned a[4], b[2]; {kind} c[{chains}][4] = {{}};
  for (int j = 0; j < 4; ++j) a[j] = {element.format("thread * 6 + j")};
  for (int j = 0; j < 2; ++j) b[j] = {element.format("thread * 6 + 4 + j")};
  #pragma unroll 1
  for (int i = 0; i < {_ITERATIONS}; ++i) {{
    #pragma unroll
    for (int u = 0; u < {_UNROLLED}; ++u)
      #pragma unroll
      for (int j = 0; j < {chains}; ++j)
        asm volatile("{instruction} {{%0,%1,%2,%3}}, {{%4,%5,%6,%7}}, {{%8,%9}}, {{%0,%1,%2,%3}};"
                     : "+{register}"(c[j][0]), "+{register}"(c[j][1]), "+{register}"(c[j][2]), "+{register}"(c[j][3])
                     : "r"(a[0]), "r"(a[1]), "r"(a[2]), "r"(a[3]), "r"(b[0]), "r"(b[1]));
  }}
  {kind} sum = 0;
  for (int j = 0; j < {chains}; ++j) for (int i = 0; i < 4; ++i) sum += c[j][i];
  if (sum == ({kind})12345) *(({kind}*)buffer) = sum;
}}
"""
    operations = 2 * 16 * 8 * depth / _LANES
    return Microbenchmark(name, opcode, "operation", code, per_thread=operations * _ITERATIONS * _UNROLLED * chains)


def _through(name: str, opcode: str, mebibytes: int, times: int, statement: str) -> Microbenchmark:
    """All threads together go through a buffer, ``times`` times; ``statement`` moves ``v`` from or to ``p``."""
    code = f"""{_START}  const unsigned long long stride = (unsigned long long)gridDim.x * blockDim.x;
  uint4 sum = {{thread, 0, 0, 0}};
  #pragma unroll 1
  for (int again = 0; again < {times}; ++again)
    #pragma unroll 8
    for (unsigned long long i = thread; i < words; i += stride) {{ uint4* p = buffer + i; {statement} }}
  if ((sum.x ^ sum.y ^ sum.z ^ sum.w) == 12345) buffer[0] = sum;
}}
"""
    size = mebibytes << 20
    return Microbenchmark(name, opcode, "byte", code, in_buffer=size * times, buffer_bytes=size)


_READ = """\
uint4 v; asm volatile("ld.global.cg.v4.u32 {%0,%1,%2,%3}, [%4];" : "=r"(v.x), "=r"(v.y), "=r"(v.z), "=r"(v.w) : "l"(p));
      sum.x ^= v.x; sum.y ^= v.y; sum.z ^= v.z; sum.w ^= v.w;"""
_WRITE = "const unsigned h = hash(i); *p = make_uint4(h, h * 3, h * 5, h * 7);"
_SHARED = f"""{_START}  __shared__ uint4 words_of_block[{_LOADS} * {THREADS}];
  for (int j = 0; j < {_LOADS}; ++j)
    words_of_block[j * {THREADS} + threadIdx.x] = make_uint4(hash(thread), hash(thread + j), hash(thread * 3), hash(j));
  __syncthreads();
  const unsigned start = __cvta_generic_to_shared(words_of_block + threadIdx.x);
  uint4 sum = {{0, 0, 0, 0}};
  #pragma unroll 1
  for (int i = 0; i < {_ITERATIONS}; ++i) {{
    #pragma unroll
    for (int j = 0; j < {_LOADS}; ++j) {{
      uint4 v;
      asm volatile("ld.shared.v4.u32 {{%0,%1,%2,%3}}, [%4];"
                   : "=r"(v.x), "=r"(v.y), "=r"(v.z), "=r"(v.w) : "r"(start + j * {THREADS * _BYTES}));
      sum.x ^= v.x; sum.y ^= v.y; sum.z ^= v.z; sum.w ^= v.w;
    }}
  }}
  if ((sum.x ^ sum.y ^ sum.z ^ sum.w) == 12345) buffer[0] = sum;
}}
"""
_SPINNING = f"""{_START}  unsigned x = hash(thread);
  if (threadIdx.x < {_LANES}) {{
    #pragma unroll 1
    for (int i = 0; i < {_ITERATIONS * _UNROLLED * _CHAINS}; ++i)
      asm volatile("shf.l.wrap.b32 %0, %0, %0, 7;" : "+r"(x));
  }}
  if (x == 12345) buffer[0].x = x;
}}
"""
_HALF = "0x38003800u | hash({0}) & 0x83ff83ffu"  # two of 0.5 to 1 with random signs
_BRAIN = "0x3f003f00u | hash({0}) & 0x807f807fu"
_TENSOR = "0x3f000000u | hash({0}) & 0x807fe000u"


def _asm(instruction: str, kind: Literal["f", "r"], *operands: str) -> str:
    named = ", ".join(f'"{kind}"({operand})' for operand in operands)
    return f'asm volatile("{instruction};" : "+{kind}"(x[j]) : {named});'


_MMA = "mma.sync.aligned.{0}.row.col.{1}"
# the first fills the buffer for those that read
MICROBENCHMARKS = (
    _through("dram-write", "STG.E.128", 4096, 1, _WRITE),
    _through("dram-read", "LDG.E.128.STRONG.GPU", 4096, 1, _READ),
    _through("cache-read", "LDG.E.128.STRONG.GPU", 16, 200, _READ),
    Microbenchmark("shared-read", "LDS.128", "byte", _SHARED, per_thread=_BYTES * _ITERATIONS * _LOADS),
    Microbenchmark("spinning", "SHF", "second", _SPINNING, blocks_per_multiprocessor=1),
    _chained("ffma", "FFMA", "float", _asm("fma.rn.f32 %0, %0, %1, %2", "f", "y", "z[j]"), 2),
    _chained("iadd3", "IADD3", "unsigned", "x[j] = x[j] + x[next] + y;", 2),
    _chained("lop3", "LOP3", "unsigned", _asm("lop3.b32 %0, %0, %1, %2, 0x96", "r", "x[next]", "y"), 1),
    _chained("shf", "SHF", "unsigned", _asm("shf.l.wrap.b32 %0, %0, %1, %2", "r", "x[next]", "y"), 1),
    _chained("imad", "IMAD", "unsigned", _asm("mad.lo.u32 %0, %0, %1, %2", "r", "y", "x[next]"), 2),
    _chained("dp4a", "IDP.4A", "unsigned", _asm("dp4a.u32.u32 %0, %1, %2, %0", "r", "x[next]", "y"), 8),
    _matrix("hmma-fp16", "HMMA.16816.F32", _MMA.format("m16n8k16", "f32.f16.f16.f32"), "float", 16, _HALF),
    _matrix("hmma-bf16", "HMMA.16816.F32.BF16", _MMA.format("m16n8k16", "f32.bf16.bf16.f32"), "float", 16, _BRAIN),
    _matrix("hmma-tf32", "HMMA.1688.F32.TF32", _MMA.format("m16n8k8", "f32.tf32.tf32.f32"), "float", 8, _TENSOR),
    _matrix("imma-int8", "IMMA.16832.S8.S8", _MMA.format("m16n8k32", "s32.s8.s8.s32"), "int", 32, "hash({0})"),
)
