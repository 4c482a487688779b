"""CuPy's kernel objects, compiled for the CPU by g++ and run one pretend thread after another."""

from cupy._kernels.elementwise import ElementwiseKernel
from cupy._kernels.raw import RawKernel, RawModule
from cupy._kernels.reduction import ReductionKernel

for _class in (ElementwiseKernel, RawKernel, RawModule, ReductionKernel):
    _class.__module__ = "cupy"
