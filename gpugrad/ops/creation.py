"""Creation functions: constant Tensors on a device, float32 unless said otherwise (see ``gg.set_default_dtype``)."""

from __future__ import annotations

from typing import Any, cast

import numpy
from array_api_compat import array_namespace

from gpugrad.arrays.devices import Device, DeviceLike, device_of, module, on, parse
from gpugrad.arrays.dtypes import DTypeLike, default_dtype, native_dtype, numpy_dtype
from gpugrad.arrays.explain import describe, explain, explaining
from gpugrad.arrays.kernels import is_cupy
from gpugrad.compile.sizes import Size
from gpugrad.errors import DeviceError, DTypeError, ShapeError
from gpugrad.families import A, primitive
from gpugrad.ops.dtypes import astype, refuse_complex
from gpugrad.ops.transfer import to_device
from gpugrad.tape import Tensor, raw

Shape = int | tuple[int, ...]


def _create(name: str, *arguments: Any, device: DeviceLike | None, dtype: Any, **options: Any) -> Tensor:
    """A Tensor from the function `name` of NumPy or CuPy, on `device`."""
    where = parse(device)
    if hasattr(where, "namespace"):
        return Tensor(getattr(where.namespace, name)(*arguments, dtype=dtype, device=where, **options))
    if not isinstance(where, Device):
        raise DeviceError(
            f"{name}: device is {where!r}, expected 'cpu', 'cuda' or 'cuda:N'; for other libraries' arrays use the _like functions"
        )
    try:
        with on(where):  # CuPy creates on its current device, whatever a device= keyword says
            return Tensor(getattr(module(where), name)(*arguments, dtype=dtype, **options))
    except ValueError as error:
        raise ShapeError(f"{name}: got {', '.join(map(repr, arguments))}: {error}") from None
    except (TypeError, OverflowError) as error:
        raise DTypeError(f"{name}: got {', '.join(map(repr, arguments))} for dtype {dtype}: {error}") from None
    except Exception as error:  # out of memory
        raise explain(name, error, (), {}) from None


def _is_scalar(x: Any) -> bool:
    """Whether x is an array of no dimensions, which NumPy, CuPy and others take where the standard has a number."""
    return (isinstance(x, Tensor | numpy.ndarray) or is_cupy(type(x))) and x.shape == ()


def _numbers(name: str, dtype: DTypeLike | None, *values: Any) -> list[Any]:
    """The values as numbers; those of constant arrays of no dimensions are read, which waits for the GPU.

    Raises DTypeError for what is no number, and for a complex one of which a real dtype would keep half.
    """
    values = tuple(raw(x).item() if _is_scalar(x) and getattr(x, "node", None) is None else x for x in values)
    for value in values:
        if dtype is not None:
            refuse_complex(name, value, dtype)
        traced = getattr(value, "is_number", False)  # a float argument of a fused function
        if not traced and not isinstance(value, (int, float, complex, numpy.generic, Size)):
            what = describe(value) if hasattr(value, "dtype") else repr(value)
            raise DTypeError(f"{name}: got {what} where a Python number is expected, such as that of tensor.item()")
    return list(values)


@primitive(value=lambda g: g)  # the engine sums a gradient to the shape of what it belongs to
def _full(value: Any, /, shape: tuple[int, ...]) -> Any:
    return array_namespace(value).broadcast_to(value, shape)


def _full_of(value: Any, shape: Shape, dtype: DTypeLike | None, device: DeviceLike | None) -> Tensor:
    """An array of no dimensions, everywhere, with its gradient."""
    value = value if isinstance(value, Tensor) else Tensor(value)
    value = value if dtype is None else astype(value, dtype, copy=False)
    value = value if device is None else to_device(value, device)
    return cast("Tensor", _full(value, (shape,) if isinstance(shape, int) else tuple(shape)))


def _dtype(dtype: DTypeLike | None, *numbers: Any) -> Any:
    """The dtype asked for, else the default one for Python numbers of these types; without numbers, the default float."""
    if dtype is not None:
        return numpy_dtype(dtype)
    kinds = ["i" if isinstance(n, Size) else numpy.asarray(n).dtype.kind for n in numbers]
    return default_dtype(next((k for k in "cfi" if k in kinds), "b" if kinds else "f"))


def zeros(shape: Shape, *, dtype: DTypeLike | None = None, device: DeviceLike | None = None) -> Tensor:
    """A Tensor of zeros.

    Standard: https://data-apis.org/array-api/latest/API_specification/generated/array_api.zeros.html
    """
    return _create("zeros", shape, dtype=_dtype(dtype), device=device)


def ones(shape: Shape, *, dtype: DTypeLike | None = None, device: DeviceLike | None = None) -> Tensor:
    """A Tensor of ones.

    Standard: https://data-apis.org/array-api/latest/API_specification/generated/array_api.ones.html
    """
    return _create("ones", shape, dtype=_dtype(dtype), device=device)


def empty(shape: Shape, *, dtype: DTypeLike | None = None, device: DeviceLike | None = None) -> Tensor:
    """A Tensor whose elements are whatever the memory held.

    Standard: https://data-apis.org/array-api/latest/API_specification/generated/array_api.empty.html
    """
    return _create("empty", shape, dtype=_dtype(dtype), device=device)


def full(
    shape: Shape, fill_value: bool | int | float | complex, *, dtype: DTypeLike | None = None, device: DeviceLike | None = None
) -> Tensor:
    """A Tensor with `fill_value` everywhere; its dtype follows from the kind of number.

    Beyond the standard, as in NumPy, `fill_value` may be an array of no dimensions: it passes with its dtype, device and gradient.
    Standard: https://data-apis.org/array-api/latest/API_specification/generated/array_api.full.html
    """
    if _is_scalar(fill_value):
        return _full_of(fill_value, shape, dtype, device)
    _numbers("full", dtype, fill_value)
    return _create("full", shape, fill_value, dtype=_dtype(dtype, fill_value), device=device)


def arange(
    start: int | float,
    /,
    stop: int | float | None = None,
    step: int | float = 1,
    *,
    dtype: DTypeLike | None = None,
    device: DeviceLike | None = None,
) -> Tensor:
    """start, start + step, ... below stop; from 0 if only one number is given. int64 if all are integers.

    Standard: https://data-apis.org/array-api/latest/API_specification/generated/array_api.arange.html
    """
    if stop is None:
        start, stop = 0, start
    start, stop, step = _numbers("arange", dtype, start, stop, step)
    if (step > 0 and stop <= start) or (step < 0 and stop >= start):  # NumPy overflows on some empty ranges
        return empty((0,), dtype=_dtype(dtype, start, stop, step), device=device)
    return _create("arange", start, stop, step, dtype=_dtype(dtype, start, stop, step), device=device)


def linspace(
    start: int | float | complex,
    stop: int | float | complex,
    /,
    num: int,
    *,
    dtype: DTypeLike | None = None,
    device: DeviceLike | None = None,
    endpoint: bool = True,
) -> Tensor:
    """`num` evenly spaced numbers from `start` to `stop`, which is included if `endpoint`.

    Standard: https://data-apis.org/array-api/latest/API_specification/generated/array_api.linspace.html
    """
    start, stop = _numbers("linspace", dtype, start, stop)
    return _create("linspace", start, stop, num, dtype=_dtype(dtype, start, stop, 0.0), device=device, endpoint=endpoint)


def eye(
    n_rows: int, n_cols: int | None = None, /, *, k: int = 0, dtype: DTypeLike | None = None, device: DeviceLike | None = None
) -> Tensor:
    """A matrix with ones on diagonal `k` and zeros elsewhere.

    Standard: https://data-apis.org/array-api/latest/API_specification/generated/array_api.eye.html
    """
    return _create("eye", n_rows, n_cols, k, dtype=_dtype(dtype), device=device)


# Like another array: a Tensor for a Tensor, an array for an array ----------------------------------------------------


def raw_full(like: Any, shape: tuple[int, ...], value: Any, dtype: Any, device: Any = None) -> Any:
    """A raw array of the library of the raw array `like`, on its device unless another is named."""
    if shape == () and device is None and isinstance(like, (numpy.ndarray, numpy.generic)):
        return numpy.asarray(value, dtype)  # of the loss, whose gradient is 1
    if isinstance(like, (numpy.ndarray, numpy.generic)) or is_cupy(type(like)):
        where = device_of(like) if device is None else parse(device)
        try:
            with on(where):
                xp = module(where)
                return xp.zeros(shape, dtype) if value is False or value == 0 else xp.full(shape, value, dtype)
        except MemoryError as error:
            raise explain("full_like", error, (), {}) from None
    xp = array_namespace(like)
    where = device_of(like) if device is None else device
    return xp.full(shape, value, dtype=native_dtype(like, dtype), device=where)


@explaining
def full_like(
    x: A, /, fill_value: bool | int | float | complex, *, dtype: DTypeLike | None = None, device: DeviceLike | None = None
) -> A:
    """`fill_value` everywhere, in the shape, dtype and device of x where no other is named. It may be what :func:`full` takes.

    Standard: https://data-apis.org/array-api/latest/API_specification/generated/array_api.full_like.html
    """
    array = raw(x)
    target = array.dtype if dtype is None else numpy_dtype(dtype)
    if _is_scalar(fill_value):
        filled = _full_of(fill_value, array.shape, target, device_of(array) if device is None else device)
        return filled if isinstance(x, Tensor) or isinstance(fill_value, Tensor) else filled.array  # type: ignore[return-value]
    _numbers("full_like", target, fill_value)
    try:
        out: Any = raw_full(array, array.shape, fill_value, target, device)
    except (TypeError, OverflowError) as error:
        raise DTypeError(f"full_like: got {fill_value!r} for dtype {target}: {error}") from None
    return Tensor(out) if isinstance(x, Tensor) else out  # type: ignore[return-value]


@explaining
def zeros_like(x: A, /, *, dtype: DTypeLike | None = None, device: DeviceLike | None = None) -> A:
    """Zeros in the shape, dtype and device of x where no other is named.

    Standard: https://data-apis.org/array-api/latest/API_specification/generated/array_api.zeros_like.html
    """
    return full_like(x, 0, dtype=dtype, device=device)


@explaining
def ones_like(x: A, /, *, dtype: DTypeLike | None = None, device: DeviceLike | None = None) -> A:
    """Ones in the shape, dtype and device of x where no other is named.

    Standard: https://data-apis.org/array-api/latest/API_specification/generated/array_api.ones_like.html
    """
    return full_like(x, 1, dtype=dtype, device=device)


@explaining
def empty_like(x: A, /, *, dtype: DTypeLike | None = None, device: DeviceLike | None = None) -> A:
    """An array in the shape, dtype and device of x where no other is named; its elements are not to be relied on.

    Standard: https://data-apis.org/array-api/latest/API_specification/generated/array_api.empty_like.html
    """
    return full_like(x, 0, dtype=dtype, device=device)
