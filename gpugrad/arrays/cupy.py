"""CuPy's spellings and kernels. Imported with the first CuPy array, never before.

Kernels run on the device where their operands are: CuPy computes on its *current* device, and would otherwise put the results
of arrays on another GPU there, or read them across. On a machine with one GPU that check is left out.
"""

from __future__ import annotations

import math
from typing import Any

import array_api_compat.cupy
import cupy
import cupyx
import numpy

from gpugrad.arrays import allocator
from gpugrad.arrays.cuda import cudnn_attention, cudnn_convolution, gemm, linalg, modules, scatter, transpose, windows
from gpugrad.arrays.spellings import METHODS, Kernel, cumulative, moving, registrar, typed
from gpugrad.errors import DeviceError
from gpugrad.modes import refuse_nondeterministic

allocator.watch(cupy)

SPELLINGS: dict[str, Kernel] = dict(METHODS)
"""Kernels by the name of the op."""

HAND_WRITTEN: dict[str, Kernel] = {}
"""Kernels of our own (``arrays/cuda/``), in front of the others; they return NotImplemented for what they do not take."""

CUDNN: dict[str, Kernel] = {}
"""Ops by cuDNN, in front of all others where it is installed; they return NotImplemented where it is not, too."""

HAND_WRITTEN["matmul"] = gemm.matmul
HAND_WRITTEN["im2col"] = windows.im2col
HAND_WRITTEN["col2im"] = windows.col2im
HAND_WRITTEN["max_pool_indices"] = windows.max_pool_indices
HAND_WRITTEN["pool_take"] = windows.pool_take
HAND_WRITTEN["pool_put"] = windows.pool_put
HAND_WRITTEN["scatter_add"], HAND_WRITTEN["put"] = scatter.scatter_add, scatter.put
HAND_WRITTEN["copy"], HAND_WRITTEN["reshape"] = transpose.copy, transpose.reshape
CUDNN["convolution"] = cudnn_convolution.convolution
CUDNN["convolution_input_gradient"] = cudnn_convolution.convolution_input_gradient
CUDNN["convolution_weight_gradient"] = cudnn_convolution.convolution_weight_gradient
CUDNN["attention"] = cudnn_attention.attention
CUDNN["attention_gradient"] = cudnn_attention.attention_gradient


def kernel(name: str, standard: bool, definition: Kernel) -> Kernel:
    """The CuPy kernel of the op `name`; `standard` says whether a CuPy function of that name is the op."""
    found = SPELLINGS.get(name)
    if found is None and standard:
        found = getattr(array_api_compat.cupy, name, None)
    if found is None:
        found = definition
    if name in linalg.FAILURES:
        found = linalg.checked(name, found)
    if name in ("eig", "eigvals"):
        found = linalg.general(name, found)
    for table in (HAND_WRITTEN, CUDNN):
        if name in table:
            found = modules.in_front(name, table[name], found)
    return found if cupy.cuda.runtime.getDeviceCount() < 2 else _placed(name, found)


def _placed(name: str, function: Kernel) -> Kernel:
    """`function`, run on the device of its operands. Raises DeviceError if they are on several."""

    def placed(*operands: Any, **options: Any) -> Any:
        devices = {x.device.id for x in _arrays(operands)}
        if len(devices) > 1:
            names = " and ".join(f"cuda:{i}" for i in sorted(devices))
            raise DeviceError(f"{name}: operands are on {names}; move them to one device with .to(device)")
        if not devices:
            return function(*operands, **options)
        with cupy.cuda.Device(devices.pop()):
            return function(*operands, **options)

    return placed


def _arrays(operands: Any) -> list[Any]:
    found = []
    for x in operands:
        if isinstance(x, cupy.ndarray):
            found.append(x)
        elif isinstance(x, (list, tuple)):
            found += _arrays(x)
    return found


_spells = registrar(SPELLINGS)


# Elementwise --------------------------------------------------------------------------------------------------------


@_spells("conj")
def _conj(x: Any, /) -> Any:
    return cupy.conjugate(x) if x.dtype.kind == "c" else x


@_spells("sign")
def _sign(x: Any, /) -> Any:
    # CuPy's own, the standard's for nan and complex numbers since version 14: array_api_compat still mends it by boolean masks, which
    # wait for the GPU.
    if x.dtype.kind == "b":
        raise TypeError("booleans have no sign, expected numbers")
    return cupy.sign(x)


@_spells("where")
def _where(condition: Any, x: Any, y: Any, /) -> Any:
    like = x if isinstance(x, cupy.ndarray) else y
    if isinstance(like, cupy.ndarray) and like.dtype.kind == "V":  # bfloat16, for which CuPy has no loop: it would give float32
        dtype = like.dtype
        if all(type(z) in (float, int, bool) or z.dtype == dtype for z in (x, y)):
            return cupy.where(condition, _bits(x, dtype), _bits(y, dtype)).view(dtype)
    return cupy.where(condition, x, y)


def _bits(x: Any, dtype: Any) -> Any:
    """16-bit numbers as integers, which are selected as well."""
    return x.view(numpy.int16) if isinstance(x, cupy.ndarray) else numpy.asarray(x, dtype).view(numpy.int16)[()]


@_spells("clip")
def _clip(x: Any, low: Any, high: Any, /) -> Any:
    if x.dtype.kind == "V":
        low, high = typed(low, x.dtype), typed(high, x.dtype)
    if low is not None:
        x = cupy.maximum(x, low)
    return x if high is None else cupy.minimum(x, high)


# Reductions ---------------------------------------------------------------------------------------------------------


SPELLINGS["cumulative_sum"] = cumulative(lambda: array_api_compat.cupy.cumulative_sum)
SPELLINGS["cumulative_prod"] = cumulative(lambda: array_api_compat.cupy.cumulative_prod)


# Products -----------------------------------------------------------------------------------------------------------


@_spells("matmul")
def _matmul(x: Any, y: Any, /) -> Any:
    # Without cuBLAS at hand, and for integers. A stack of matrices times one matrix is one product of a taller matrix: CuPy would copy
    # and loop through pointers. For stacks of bfloat16 it has nothing.
    if not (isinstance(x, cupy.ndarray) and isinstance(y, cupy.ndarray)) or max(x.ndim, y.ndim) < 3:
        return cupy.matmul(x, y)
    if y.ndim == 2 and x.shape[-1] == y.shape[0]:
        rows = math.prod(x.shape[:-1])
        return cupy.matmul(x.reshape(rows, x.shape[-1]), y).reshape(*x.shape[:-1], y.shape[1])
    dtype = numpy.promote_types(x.dtype, y.dtype)
    if dtype.name == "bfloat16":
        return cupy.matmul(x.astype(numpy.float32), y.astype(numpy.float32)).astype(dtype)
    return cupy.matmul(x, y)


SPELLINGS["solve_triangular"] = linalg.solve_triangular


# Indexing -----------------------------------------------------------------------------------------------------------

SPELLINGS.update(moving(cupy))


@_spells("put")
def _put(x: Any, value: Any, /, key: Any) -> Any:
    out = x.copy()
    out[key] = value
    return out


@_spells("scatter_add")
def _scatter_add(values: Any, /, key: Any, shape: Any, unique: bool) -> Any:
    if not unique and values.dtype.kind not in "biu":
        refuse_nondeterministic("scatter_add")
    out = cupy.zeros(shape, values.dtype)
    if unique:
        out[key] = values
    elif values.dtype.kind == "c":  # atomics exist for real numbers only
        out.real = _scatter_add(values.real, key, shape, unique)
        out.imag = _scatter_add(values.imag, key, shape, unique)
    else:
        cupyx.scatter_add(out, key, values)
    return out


@_spells("unstack")
def _unstack(x: Any, /, *, axis: int = 0) -> Any:
    moved = cupy.moveaxis(x, axis, 0)
    return tuple(moved[i] for i in range(moved.shape[0]))


# In place, for the engine -------------------------------------------------------------------------------------------


@_spells("add_into")
def _add_into(x: Any, y: Any, /) -> Any:
    return cupy.add(x, y, out=x)


@_spells("owned")
def _owned(x: Any, alone: bool, /) -> Any:
    """`x` itself if nobody else holds it (`alone`) and its elements share no memory, as in the broadcast gradient of a sum."""
    return x if alone and (x.size <= 1 or 0 not in x.strides) else x.copy()
