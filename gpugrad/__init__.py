"""gpugrad: the Array API standard, differentiable, on NumPy and on CuPy.

    import gpugrad as gg

    def loss(w, x):
        return gg.mean(gg.tanh(x @ w) ** 2)

    gg.grad(loss)(w, x)        # on whatever arrays w and x are: numpy.ndarray, cupy.ndarray, gg.Tensor

This module is a namespace of the standard (2025.12). ``gg.linalg``, ``gg.fft``, ``gg.special``, ``gg.nn``, ``gg.optim`` and ``gg.data``
load when they are first used.
"""

from __future__ import annotations

# fmt: off
import importlib
import math as _math
from typing import TYPE_CHECKING, Any

from gpugrad import cuda, random
from gpugrad.arrays.devices import Device, get_default_device, set_default_device
from gpugrad.arrays.dtypes import bool_ as bool
from gpugrad.arrays.dtypes import (
    complex64, complex128, float16, float32, float64, get_default_dtype, int8, int16, int32, int64, set_default_dtype,
    uint8, uint16, uint32, uint64,
)
from gpugrad.checkpoint import checkpoint
from gpugrad.custom import custom_vjp
from gpugrad.differentiate import (
    backward, grad, gradients, hessian, hvp, jacobian, jvp, stop_gradient, value_and_grad, vjp,
)
from gpugrad.errors import (
    AnomalyError, AxisError, ConversionError, DetachedWarning, DeterminismError, DeviceError, DTypeError, FileFormatError,
    GpugradError, GraphError, IndexingError, InplaceError, LibraryError, LinAlgError, OptionError, OutOfMemoryError, RuleError,
    ShapeError, TracingError, UntraceableError,
)
from gpugrad.mixed_precision import autocast
from gpugrad.modes import (
    are_deterministic_algorithms_enabled, debug, enable_grad, get_float32_matmul_precision,
    is_deterministic_algorithms_warn_only_enabled, is_grad_enabled, no_grad, set_float32_matmul_precision, set_grad_enabled,
    use_deterministic_algorithms,
)
from gpugrad.namespace import SUPPORTED_API_VERSIONS, __array_api_version__, __array_namespace_info__
from gpugrad.operators import Tensor
from gpugrad.ops.contraction import matmul, tensordot, vecdot
from gpugrad.ops.conversion import asarray, from_dlpack, tensor
from gpugrad.ops.creation import (
    arange, empty, empty_like, eye, full, full_like, linspace, ones, ones_like, zeros, zeros_like,
)
from gpugrad.ops.dtypes import astype, can_cast, finfo, iinfo, isdtype, result_type
from gpugrad.ops.einsum import einsum
from gpugrad.ops.elementwise import (
    abs, acos, acosh, add, asin, asinh, atan, atan2, atanh, bitwise_and, bitwise_invert, bitwise_left_shift, bitwise_or,
    bitwise_right_shift, bitwise_xor, ceil, clip, conj, copysign, cos, cosh, divide, equal, exp, expm1, floor,
    floor_divide, greater, greater_equal, hypot, imag, isfinite, isinf, isnan, less, less_equal, log, log1p, log2,
    log10, logaddexp, logical_and, logical_not, logical_or, logical_xor, maximum, minimum, multiply, negative,
    nextafter, not_equal, positive, pow, real, reciprocal, remainder, round, sign, signbit, sin, sinh, sqrt, square,
    subtract, tan, tanh, trunc, where,
)
from gpugrad.ops.indexing import diag, repeat, take, take_along_axis
from gpugrad.ops.reduction import (
    all, any, count_nonzero, cumulative_prod, cumulative_sum, diff, max, mean, min, prod, std, sum, var,
)
from gpugrad.ops.searching import (
    argmax, argmin, argsort, isin, nonzero, searchsorted, sort, unique_all, unique_counts, unique_inverse,
    unique_values,
)
from gpugrad.ops.shape import (
    broadcast_arrays, broadcast_shapes, broadcast_to, concat, expand_dims, flip, matrix_transpose, meshgrid, moveaxis,
    permute_dims, reshape, roll, squeeze, stack, tile, tril, triu, unstack,
)
from gpugrad.ops.transfer import to_device
from gpugrad.pytorch_names import OF_MODULE, absent
from gpugrad.random import manual_seed

if TYPE_CHECKING:
    from gpugrad import amp, data, fft, linalg, nn, optim, special, testing
    from gpugrad.chainer import load_chainer as load_chainer
    from gpugrad.compile.runtime import get_num_threads as get_num_threads
    from gpugrad.compile.runtime import set_num_threads as set_num_threads
    from gpugrad.files import load as load
    from gpugrad.files import save as save
    from gpugrad.fusion import fuse as fuse

__version__ = "0.1.0"

e = _math.e
inf = _math.inf
nan = _math.nan
newaxis = None
pi = _math.pi

device = Device  # PyTorch's name

__all__ = [
    "AnomalyError", "AxisError", "ConversionError", "DTypeError", "DetachedWarning", "DeterminismError", "Device", "DeviceError",
    "FileFormatError", "GpugradError", "GraphError", "IndexingError", "InplaceError", "LibraryError", "LinAlgError",
    "OptionError", "OutOfMemoryError", "RuleError", "SUPPORTED_API_VERSIONS", "ShapeError", "Tensor", "TracingError", "UntraceableError",
    "__array_api_version__", "__array_namespace_info__", "__version__", "abs", "acos", "acosh", "add", "all", "amp", "any",
    "arange", "are_deterministic_algorithms_enabled", "argmax", "argmin", "argsort", "asarray", "asin", "asinh", "astype",
    "atan", "atan2", "atanh", "autocast", "backward", "bitwise_and", "bitwise_invert", "bitwise_left_shift", "bitwise_or",
    "bitwise_right_shift", "bitwise_xor", "bool", "broadcast_arrays", "broadcast_shapes", "broadcast_to", "can_cast",
    "ceil", "checkpoint", "clip", "complex128", "complex64", "concat", "conj", "copysign", "cos", "cosh", "count_nonzero",
    "cuda", "cumulative_prod", "cumulative_sum", "custom_vjp", "data", "debug", "device", "diag", "diff", "divide", "e", "einsum",
    "empty", "empty_like", "enable_grad", "equal", "exp", "expand_dims", "expm1", "eye", "fft", "finfo", "flip", "float16",
    "float32", "float64", "floor", "floor_divide", "from_dlpack", "full", "full_like", "fuse", "get_default_device",
    "get_default_dtype", "get_float32_matmul_precision", "get_num_threads", "grad", "gradients", "greater", "greater_equal",
    "hessian", "hvp", "hypot", "iinfo", "imag", "inf", "int16", "int32", "int64", "int8",
    "is_deterministic_algorithms_warn_only_enabled", "is_grad_enabled", "isdtype", "isfinite", "isin", "isinf", "isnan",
    "jacobian", "jvp", "less", "less_equal", "linalg", "linspace", "load", "load_chainer", "log", "log10", "log1p", "log2", "logaddexp",
    "logical_and", "logical_not", "logical_or", "logical_xor", "manual_seed", "matmul", "matrix_transpose", "max",
    "maximum", "mean", "meshgrid", "min", "minimum", "moveaxis", "multiply", "nan", "negative", "newaxis", "nextafter",
    "nn", "no_grad", "nonzero", "not_equal", "ones", "ones_like", "optim", "permute_dims", "pi", "positive", "pow", "prod",
    "random", "real", "reciprocal", "remainder", "repeat", "reshape", "result_type", "roll", "round", "save",
    "searchsorted", "set_default_device", "set_default_dtype", "set_float32_matmul_precision", "set_grad_enabled",
    "set_num_threads", "sign", "signbit", "sin", "sinh", "sort", "special", "sqrt", "square", "squeeze", "stack", "std",
    "stop_gradient", "subtract", "sum", "take", "take_along_axis", "tan", "tanh", "tensor", "tensordot", "testing", "tile",
    "to_device", "tril", "triu", "trunc", "uint16", "uint32", "uint64", "uint8", "unique_all", "unique_counts",
    "unique_inverse", "unique_values", "unstack", "use_deterministic_algorithms", "value_and_grad", "var", "vecdot", "vjp",
    "where", "zeros", "zeros_like",
]

_LAZY = ("amp", "data", "fft", "linalg", "nn", "optim", "special", "testing")
# The kernel compiler is loaded when it is first used, and so is what reads and writes files.
_LAZY_FUNCTIONS = {
    "fuse": "gpugrad.fusion", "load": "gpugrad.files", "load_chainer": "gpugrad.chainer", "save": "gpugrad.files",
    "get_num_threads": "gpugrad.compile.runtime", "set_num_threads": "gpugrad.compile.runtime",
}
# fmt: on


def __getattr__(name: str) -> Any:
    if name in _LAZY:
        return importlib.import_module(f"gpugrad.{name}")
    if name in _LAZY_FUNCTIONS:
        found = globals()[name] = getattr(importlib.import_module(_LAZY_FUNCTIONS[name]), name)
        return found
    raise absent("module 'gpugrad'", name, OF_MODULE)


def __dir__() -> list[str]:
    return sorted(__all__)
