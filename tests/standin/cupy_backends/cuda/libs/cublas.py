"""Loads a library that plays cuBLAS (cublas.cpp), under the name by which the process then finds it, and tells what was called.

with cublas.recording() as calls:
    gg.matmul(x, y)
assert [call.count for call in calls] == [1]
"""

import contextlib
import ctypes
import pathlib
from collections import namedtuple

from cupy._kernels import compiler
from cupy.cuda import runtime

SOURCE = pathlib.Path(__file__).with_name("cublas.cpp")
FLAGS = ("-std=c++17", "-O3", "-shared", "-fPIC", "-fcx-limited-range", "-fno-exceptions", "-fno-rtti")
SONAME = f"libcublas.so.{runtime.runtimeGetVersion() // 1000}"

Call = namedtuple(
    "Call", "batched transa transb m n k lda stride_a ldb stride_b ldc stride_c count type compute math stream workspace_size"
)

try:
    path = compiler._build(SOURCE.read_text(), (*FLAGS, f"-Wl,-soname,{SONAME}"))
except compiler.CompilerMissing as error:
    raise ImportError(str(error)) from error  # what CuPy raises where the library is missing
# A library that is loaded is found by its name: ctypes.CDLL(SONAME) gives this one.
library = ctypes.CDLL(str(path))


def fail(function, status):
    """Let the next call of a function, "cublasCreate_v2" for instance, return a status."""
    library.standin_fail(function.encode(), status)


@contextlib.contextmanager
def recording():
    """The list of products made within the block, filled when it ends."""
    calls = []
    start = library.standin_calls()
    try:
        yield calls
    finally:
        numbers = (ctypes.c_int64 * len(Call._fields))()
        for i in range(start, library.standin_calls()):
            library.standin_call(i, numbers)
            calls.append(Call(*numbers))
