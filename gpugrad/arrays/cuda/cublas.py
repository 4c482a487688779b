"""NVIDIA's cuBLAS, the library that CuPy has loaded, by ctypes: matrix products that a CUDA graph can capture.

CuPy's own bindings refuse to be captured, and have no 64-bit sizes. Here each thread has a handle of its own on each device, on CuPy's
current stream and with a workspace of its own, so a product neither allocates (but for its result) nor waits; with its own workspace it
is the same in every run, too. Prototypes and failures have been tried on cuBLAS 12.1 without a GPU; no GPU has run this so far.
Source: https://docs.nvidia.com/cuda/cublas/
"""

from __future__ import annotations

import ctypes
import functools
import importlib
import logging
import sys
import threading
from ctypes import POINTER, c_char_p, c_double, c_float, c_int, c_int64, c_longlong, c_size_t, c_void_p
from typing import Any, ClassVar, NamedTuple

import cupy

from gpugrad.arrays import allocator
from gpugrad.errors import LibraryError
from gpugrad.modes import get_float32_matmul_precision

_log = logging.getLogger("gpugrad")

# From library_types.h and cublas_api.h.
_R_32F, _R_64F, _R_16F, _C_32F, _C_64F, _R_16BF = 0, 1, 2, 4, 5, 14
_COMPUTE_32F, _COMPUTE_64F, _COMPUTE_32F_FAST_TF32 = 68, 70, 77
_GEMM_DEFAULT = -1
_MATH_DISALLOW_REDUCED_PRECISION_REDUCTION = 16
_NOT_SUPPORTED = frozenset({8, 15})  # ARCH_MISMATCH, NOT_SUPPORTED

_PRODUCT = [c_void_p, c_int, c_int, c_int64, c_int64, c_int64, c_void_p]  # handle, transa, transb, m, n, k, alpha
_MATRIX, _STACK = [c_void_p, c_int, c_int64], [c_void_p, c_int, c_int64, c_longlong]  # pointer, type, leading dimension, stride
_PROTOTYPES: dict[str, list[Any]] = {
    "cublasCreate_v2": [POINTER(c_void_p)],
    "cublasGetProperty": [c_int, POINTER(c_int)],
    "cublasGetStatusName": [c_int],
    "cublasSetStream_v2": [c_void_p, c_void_p],
    "cublasSetWorkspace_v2": [c_void_p, c_void_p, c_size_t],
    "cublasSetMathMode": [c_void_p, c_int],
    "cublasGemmEx_64": [*_PRODUCT, *_MATRIX, *_MATRIX, c_void_p, *_MATRIX, c_int, c_int],
    "cublasGemmStridedBatchedEx_64": [*_PRODUCT, *_STACK, *_STACK, c_void_p, *_STACK, c_int64, c_int, c_int],
}

# alpha and beta in host memory: 1 and 0, each with an imaginary part behind it.
_FLOATS, _DOUBLES = (c_float * 4)(1, 0, 0, 0), (c_double * 4)(1, 0, 0, 0)


class Arithmetic(NamedTuple):
    """How matrices of one dtype are multiplied."""

    type: int  # of the elements
    compute: int  # the arithmetic and the accumulation
    fast: int  # the same with the precision "high"
    one: int  # addresses of alpha and beta
    zero: int


def _arithmetic(type: int, compute: int, fast: int | None = None) -> Arithmetic:
    one = ctypes.addressof(_DOUBLES if compute == _COMPUTE_64F else _FLOATS)
    width = 16 if compute == _COMPUTE_64F else 8
    return Arithmetic(type, compute, compute if fast is None else fast, one, one + width)


ARITHMETIC = {
    "float16": _arithmetic(_R_16F, _COMPUTE_32F),
    "bfloat16": _arithmetic(_R_16BF, _COMPUTE_32F),
    "float32": _arithmetic(_R_32F, _COMPUTE_32F, _COMPUTE_32F_FAST_TF32),
    "float64": _arithmetic(_R_64F, _COMPUTE_64F),
    "complex64": _arithmetic(_C_32F, _COMPUTE_32F, _COMPUTE_32F_FAST_TF32),
    "complex128": _arithmetic(_C_64F, _COMPUTE_64F),
}
"""By the name of the dtype."""


def _name() -> str:
    """The file that CuPy is linked to: it has been loaded, and its name alone finds it."""
    major = cupy.cuda.runtime.runtimeGetVersion() // 1000
    return f"cublas64_{major}.dll" if sys.platform == "win32" else f"libcublas.so.{major}"


@functools.cache
def _functions() -> dict[str, Any]:
    """The functions of the library by name. Raises LibraryError without it."""
    if cupy.cuda.runtime.is_hip:
        raise LibraryError("CuPy is built for ROCm")
    try:
        importlib.import_module("cupy_backends.cuda.libs").cublas  # noqa: B018  the attribute loads the library, as CuPy itself does
        library = ctypes.CDLL(_name())
        found = {name: getattr(library, name) for name in _PROTOTYPES}
    except (ImportError, OSError, AttributeError) as error:
        raise LibraryError(str(error).partition("\n")[0]) from error
    for name, types in _PROTOTYPES.items():
        found[name].argtypes, found[name].restype = types, c_int
    found["cublasGetStatusName"].restype = c_char_p
    return found


def _call(name: str, *arguments: Any) -> None:
    status = _functions()[name](*arguments)
    if status:
        raise LibraryError(f"{name}: {_status_name(status)}")


def _status_name(status: int) -> str:
    name: bytes = _functions()["cublasGetStatusName"](status)
    return name.decode()


class _Handle:
    """A cuBLAS handle with its stream and workspace."""

    __slots__ = ("gemm", "gemm_batched", "pointer", "stream", "workspace")
    workspace: Any  # CuPy's MemoryPointer, or None
    made: ClassVar[list[_Handle]] = []  # all that there are: none is ever destroyed

    def __init__(self) -> None:
        """On CuPy's current device. Raises LibraryError if the library is not there, or makes none."""
        functions = _functions()
        self.gemm, self.gemm_batched = functions["cublasGemmEx_64"], functions["cublasGemmStridedBatchedEx_64"]
        pointer = c_void_p()
        _call("cublasCreate_v2", ctypes.byref(pointer))
        # 16-bit products that are split along k then add up their parts in float32, too.
        _call("cublasSetMathMode", pointer, _MATH_DISALLOW_REDUCED_PRECISION_REDUCTION)
        self.pointer = pointer.value
        self.forget()
        self.made.append(self)

    def forget(self) -> None:
        """Give the workspace back: to the pool of the stream that it was allocated on, where later work comes after the present."""
        self.stream, self.workspace = -1, None

    def use(self, stream: int) -> None:
        """Go to another stream, with a workspace allocated there: work on two streams must not share one."""
        self.forget()
        capability = int(cupy.cuda.Device().compute_capability)
        size = (32 if capability >= 90 else 4) << 20  # what NVIDIA recommends
        workspace = cupy.cuda.alloc(size)
        _call("cublasSetStream_v2", self.pointer, stream)  # which forgets the workspace that was set before
        _call("cublasSetWorkspace_v2", self.pointer, workspace.ptr, size)
        self.stream, self.workspace = stream, workspace


class _Handles(dict[int, _Handle]):
    """The handles of one thread by device. When it ends, the next thread takes them: making one takes long, destroying one waits."""

    spare: ClassVar[dict[int, list[_Handle]]] = {}

    def __missing__(self, device: int) -> _Handle:
        try:
            handle = self.spare.setdefault(device, []).pop()
        except IndexError:
            with cupy.cuda.Device(device):
                handle = _Handle()
        self[device] = handle
        return handle

    def __del__(self) -> None:
        for device, handle in self.items():
            handle.forget()
            self.spare.setdefault(device, []).append(handle)


def _workspaces(device: int) -> list[tuple[int, str]]:
    held = [handle.workspace for handle in _Handle.made]
    return [(memory.mem.size, "cuBLAS workspace") for memory in held if memory is not None and memory.device_id == device]


allocator.workspaces.append(_workspaces)


class _Thread(threading.local):
    def __init__(self) -> None:
        self.handles = _Handles()


_thread = _Thread()

unusable: list[str] = []
"""Why cuBLAS is not used, once that is known; empty as long as nothing failed."""


def _handle(device: int) -> _Handle | None:
    """This thread's handle for the current device, on CuPy's current stream; None, and a warning, if there can be none."""
    try:
        handle = _thread.handles[device]
    except LibraryError as error:
        if not unusable:
            unusable.append(str(error))
            _log.warning("gpugrad: matmul: cuBLAS cannot be used directly, so CuPy's products are taken: %s", error)
        return None
    stream = cupy.cuda.get_current_stream(device).ptr
    if stream != handle.stream:
        handle.use(stream)
    return handle


def gemm(
    kind: Arithmetic, device: int, transpose_a: int, transpose_b: int, m: int, n: int, k: int,
    a: int, lda: int, stride_a: int, b: int, ldb: int, stride_b: int, c: int, stride_c: int, count: int,
) -> bool:  # fmt: skip
    """C = op(A) op(B) for `count` matrices, of which each begins `stride` elements after the one before.

    A, B and C are column-major; op(A) is (m, k), op(B) is (k, n), C is (m, n) without gaps. `a`, `b` and `c` are addresses on `device`,
    which is the current one. Returns False where cuBLAS cannot be used, or has no such product on this GPU.
    Raises LibraryError if it fails, OutOfMemoryError if there is no room for its workspace.
    """
    handle = _handle(device)
    if handle is None:
        return False
    type, compute, fast, one, zero = kind
    if fast != compute and get_float32_matmul_precision() == "high":
        compute = fast
    if count == 1:
        status = handle.gemm(
            handle.pointer, transpose_a, transpose_b, m, n, k, one, a, type, lda, b, type, ldb,
            zero, c, type, m, compute, _GEMM_DEFAULT,
        )  # fmt: skip
    else:
        status = handle.gemm_batched(
            handle.pointer, transpose_a, transpose_b, m, n, k, one, a, type, lda, stride_a, b, type, ldb, stride_b,
            zero, c, type, m, stride_c, count, compute, _GEMM_DEFAULT,
        )  # fmt: skip
    if status == 0:
        return True
    if status in _NOT_SUPPORTED:
        return False
    raise LibraryError(
        f"matmul: cuBLAS reports {_status_name(status)} for {count} products ({n}, {k}) @ ({k}, {m}) on cuda:{device}"
    )


def take_workspace() -> Any:
    """The workspace that products of this thread have used on the current device, for whoever captured them into a CUDA graph: it must
    live as long as the graph. The next product gets another. None if there is none.
    """
    handle = _thread.handles.get(cupy.cuda.Device().id)
    if handle is None:
        return None
    workspace = handle.workspace
    handle.forget()
    return workspace


def describe() -> str:
    """The version of cuBLAS, "12.9.1", or why it is not used: "not used: ...". Makes a handle on the current device."""
    if unusable or _handle(cupy.cuda.Device().id) is None:
        return f"not used: {unusable[0]}"
    part, parts = c_int(), []
    for number in range(3):  # MAJOR_VERSION, MINOR_VERSION, PATCH_LEVEL
        _call("cublasGetProperty", number, ctypes.byref(part))
        parts.append(str(part.value))
    return ".".join(parts)
