"""Kernels of multiplication-less networks in TVM TensorIR: built and run on CPUs, carried to GPUs, measured.

Whatever needs TVM runs in a process of its own (`flows.kernels.worker`): a crash of the compiler is a result, not the
end of the caller.
"""
