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

from gpugrad.arrays.spellings import METHODS, Kernel, registrar
from gpugrad.errors import DeviceError

SPELLINGS: dict[str, Kernel] = dict(METHODS)
"""Kernels by the name of the op."""


def kernel(name: str, standard: bool, definition: Kernel) -> Kernel:
    """The CuPy kernel of the op `name`; `standard` says whether a CuPy function of that name is the op."""
    found = SPELLINGS.get(name)
    if found is None and standard:
        found = getattr(array_api_compat.cupy, name, None)
    if found is None:
        found = definition
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


@_spells("clip")
def _clip(x: Any, low: Any, high: Any, /) -> Any:
    if low is not None:
        x = cupy.maximum(x, low)
    return x if high is None else cupy.minimum(x, high)


# Products -----------------------------------------------------------------------------------------------------------


@_spells("matmul")
def _matmul(x: Any, y: Any, /) -> Any:
    # A stack of matrices times one matrix is one product of a taller matrix: CuPy would copy and loop through pointers.
    if x.ndim > 2 and y.ndim == 2 and x.shape[-1] == y.shape[0]:
        rows = math.prod(x.shape[:-1])
        return cupy.matmul(x.reshape(rows, x.shape[-1]), y).reshape(*x.shape[:-1], y.shape[1])
    return cupy.matmul(x, y)


# Indexing -----------------------------------------------------------------------------------------------------------


@_spells("put")
def _put(x: Any, value: Any, /, key: Any) -> Any:
    out = x.copy()
    out[key] = value
    return out


@_spells("scatter_add")
def _scatter_add(values: Any, /, key: Any, shape: Any, unique: bool) -> Any:
    if not unique and values.dtype.kind == "c":  # atomics exist for real numbers only
        real = _scatter_add(values.real, key, shape, unique)
        return real + 1j * _scatter_add(values.imag, key, shape, unique)
    out = cupy.zeros(shape, values.dtype)
    if unique:
        out[key] = values
    else:
        cupyx.scatter_add(out, key, values)
    return out


@_spells("unstack")
def _unstack(x: Any, /, *, axis: int = 0) -> Any:
    moved = cupy.moveaxis(x, axis, 0)
    return tuple(moved[i] for i in range(moved.shape[0]))


# In place, for the engine and the optimizers ------------------------------------------------------------------------


@_spells("add_into")
def _add_into(x: Any, y: Any, /) -> Any:
    return cupy.add(x, y, out=x)


@_spells("owned")
def _owned(x: Any, alone: bool, /) -> Any:
    """`x` itself if nobody else holds it (`alone`) and its elements share no memory, as in the broadcast gradient of a sum."""
    return x if alone and (x.size <= 1 or 0 not in x.strides) else x.copy()


# The operators of CuPy's class float16 return float, and a conditional expression of one and the other is ambiguous: hence the
# if statements in these kernels.


@_spells("sgd")
def _sgd(p: Any, g: Any, buffer: Any = None, **options: Any) -> None:
    if buffer is None:
        names = ("lr", "weight_decay", "maximize")
        _SGD_PLAIN(g, *_numbers(p.dtype, **{name: options[name] for name in names}), p)
    else:
        _SGD(g, *_numbers(p.dtype, **options), p, buffer)


_SGD_PLAIN = cupy.ElementwiseKernel(
    "T g, T lr, T weight_decay, int32 maximize",
    "T p",
    """
    T d = g;
    if (maximize) d = -d;
    p -= lr * (d + weight_decay * p);
    """,
    "gpugrad_sgd_plain",
)


_SGD = cupy.ElementwiseKernel(
    "T g, T lr, T momentum, T dampening, T weight_decay, int32 nesterov, int32 maximize, int32 first",
    "T p, T buffer",
    """
    T d = g;
    if (maximize) d = -d;
    d += weight_decay * p;
    if (first) buffer = d;
    else buffer = momentum * buffer + (T(1) - dampening) * d;
    if (nesterov) d += momentum * buffer;
    else d = buffer;
    p -= lr * d;
    """,
    "gpugrad_sgd",
)


@_spells("adam")
def _adam(p: Any, g: Any, exp_avg: Any, exp_avg_sq: Any, max_exp_avg_sq: Any = None, **options: Any) -> None:
    if max_exp_avg_sq is None:
        _ADAM(g, *_numbers(p.dtype, **options), p, exp_avg, exp_avg_sq)
    else:
        _AMSGRAD(g, *_numbers(p.dtype, **options), p, exp_avg, exp_avg_sq, max_exp_avg_sq)


_ADAM_NUMBERS = "T g, T step_size, T beta1, T beta2, T eps, T correction2_sqrt, T weight_decay, T decay, int32 maximize"
_ADAM_MOMENTS = """
    p *= decay;
    T d = g;
    if (maximize) d = -d;
    d += weight_decay * p;
    m += (T(1) - beta1) * (d - m);
    v = beta2 * v + (T(1) - beta2) * d * d;
"""

_ADAM = cupy.ElementwiseKernel(
    _ADAM_NUMBERS,
    "T p, T m, T v",
    _ADAM_MOMENTS + "p -= step_size * m / (sqrt(v) / correction2_sqrt + eps);",
    "gpugrad_adam",
)

_AMSGRAD = cupy.ElementwiseKernel(
    _ADAM_NUMBERS,
    "T p, T m, T v, T largest",
    _ADAM_MOMENTS
    + """
    if (largest == largest && !(v <= largest)) largest = v;  // nan stays, as in numpy.maximum
    p -= step_size * m / (sqrt(largest) / correction2_sqrt + eps);
    """,
    "gpugrad_amsgrad",
)


def _numbers(dtype: Any, **options: Any) -> list[Any]:
    """Python numbers as kernel arguments: floats in the dtype of the arrays, flags as 32-bit integers."""
    return [cupy.int32(x) if isinstance(x, bool) else dtype.type(x) for x in options.values()]
