"""Convolution over one, two or three spatial axes, as products with the windows that :mod:`~gpugrad.nn.functional.fold` lays out.

Three linear ops, and each is a rule of the other two: the convolution, its gradient of the input (a transposed convolution), and
its gradient of the weight. So every order of derivative is made of the same three, and a library's kernels for them serve all:
cuDNN's for CuPy's arrays, and those of :mod:`gpugrad.compile.convolution` for NumPy's.
"""

from __future__ import annotations

import functools
import importlib
import math
import operator
from collections.abc import Callable
from typing import Any

import numpy

from gpugrad.arrays.numpy import SPELLINGS
from gpugrad.arrays.windows import Sizes, Window, as_sizes, as_window, fitting
from gpugrad.compile.accelerate import accelerated
from gpugrad.errors import OptionError, ShapeError
from gpugrad.families import TABLES, A, composite, fused
from gpugrad.nn.functional.fold import _col2im, _im2col, over_batch
from gpugrad.nn.functional.linear import check_input, check_kind
from gpugrad.nn.functional.precision import narrow, wide
from gpugrad.ops.contraction import matmul
from gpugrad.ops.creation import raw_full
from gpugrad.ops.elementwise import add
from gpugrad.ops.reduction import sum
from gpugrad.ops.shape import concat, matrix_transpose, moveaxis, reshape
from gpugrad.tape import raw

_MOST = {True: 2**20, False: 2**26}
"""Elements that columns may have, on the CPU and on a GPU: what caches hold, and what keeps a GPU busy without filling it."""


def _parts(x: Any, channels: int, window: Window, sizes: Sizes) -> list[slice]:
    """The images of x in as many parts as it takes for the columns of each not to be too many."""
    images, each = x.shape[0], channels * math.prod(window.kernel) * math.prod(window.counts(sizes))
    step = images if window.is_element else _MOST[isinstance(x, numpy.ndarray)] // max(1, each)
    return [slice(i, i + max(1, step)) for i in range(0, max(1, images), max(1, step))]


def _split(groups: int) -> Sizes:
    """The axis of the groups, which products have as a batch axis; a convolution of one group does without."""
    return (groups,) if groups > 1 else ()


def _matrix(weight: Any, groups: int) -> Any:
    """(O, C / groups, *kernel) -> (groups, O / groups, C / groups * taps)."""
    return reshape(weight, (*_split(groups), weight.shape[0] // groups, math.prod(weight.shape[1:])))


def _columns(x: Any, window: Window, groups: int) -> Any:
    """(N, C, *spatial) -> (N, groups, C / groups * taps, windows)."""
    n, channels, *sizes = x.shape
    rows = channels // groups * math.prod(window.kernel)
    columns = x if window.is_element else _im2col(x, window=window)
    return reshape(columns, (n, *_split(groups), rows, math.prod(window.counts(tuple(sizes)))))


def _maps(g: Any, groups: int) -> Any:
    """(N, O, *windows) -> (N, groups, O / groups, windows)."""
    n, channels, *counts = g.shape
    return reshape(g, (n, *_split(groups), channels // groups, math.prod(counts)))


def _of_x(g: Any, weight: Any, x_shape: Any, stride: Sizes, padding: Sizes, dilation: Sizes, groups: int) -> Any:
    return _convolution_input_gradient(
        g, weight, shape=tuple(x_shape[2:]), stride=stride, padding=padding, dilation=dilation, groups=groups
    )


def _of_weight(g: Any, x: Any, weight_shape: Any, stride: Sizes, padding: Sizes, dilation: Sizes, groups: int) -> Any:
    return _convolution_weight_gradient(
        g, x, shape=tuple(weight_shape[2:]), stride=stride, padding=padding, dilation=dilation, groups=groups
    )


def _of_bias(g: Any) -> Any:
    return narrow(sum(wide(g), axis=(0, *range(2, len(g.shape)))), g)


# NumPy would sum on one thread.
SPELLINGS["convolution_with_bias_dbias"] = accelerated(_of_bias, "convolution_with_bias_dbias")


@fused(compiles=False, x=_of_x, weight=_of_weight)
def _convolution(x: Any, weight: Any, /, *, stride: Sizes, padding: Sizes, dilation: Sizes, groups: int) -> Any:
    """x (N, C, *spatial), weight (O, C / groups, *kernel) -> (N, O, *windows)."""
    window = Window(tuple(weight.shape[2:]), stride, padding, dilation)
    parts = _parts(x, x.shape[1], window, tuple(x.shape[2:]))
    if len(parts) > 1:
        options: Any = {"stride": stride, "padding": padding, "dilation": dilation, "groups": groups}
        return concat([_convolution(x[part, ...], weight, **options) for part in parts])
    maps = matmul(_matrix(weight, groups), _columns(x, window, groups))
    return reshape(maps, (x.shape[0], weight.shape[0], *window.counts(tuple(x.shape[2:]))))


@fused(compiles=False, x=_of_x, weight=_of_weight, bias=_of_bias)
def _convolution_with_bias(
    x: Any, weight: Any, bias: Any, /, *, stride: Sizes, padding: Sizes, dilation: Sizes, groups: int
) -> Any:
    """The same and bias (O,) added, which a kernel does while it writes the result."""
    out = _convolution(x, weight, stride=stride, padding=padding, dilation=dilation, groups=groups)
    return add(out, reshape(bias, (-1, *(1,) * (len(weight.shape) - 2))))


@fused(
    compiles=False,
    g=lambda h, weight, stride, padding, dilation, groups: _convolution(
        h, weight, stride=stride, padding=padding, dilation=dilation, groups=groups
    ),
    weight=lambda h, g, weight_shape, stride, padding, dilation, groups: _convolution_weight_gradient(
        g, h, shape=tuple(weight_shape[2:]), stride=stride, padding=padding, dilation=dilation, groups=groups
    ),
)
def _convolution_input_gradient(
    g: Any, weight: Any, /, *, shape: Sizes, stride: Sizes, padding: Sizes, dilation: Sizes, groups: int
) -> Any:
    """g (N, O, *windows), weight (O, C / groups, *kernel) -> (N, C, *shape)."""
    window = Window(tuple(weight.shape[2:]), stride, padding, dilation)
    channels = weight.shape[1] * groups
    parts = _parts(g, channels, window, shape)
    if len(parts) > 1:
        options: Any = {"shape": shape, "stride": stride, "padding": padding, "dilation": dilation, "groups": groups}
        return concat([_convolution_input_gradient(g[part, ...], weight, **options) for part in parts])
    columns = matmul(matrix_transpose(_matrix(weight, groups)), _maps(g, groups))
    if window.is_element:
        return reshape(columns, (g.shape[0], channels, *shape))
    columns = reshape(columns, (g.shape[0], channels * math.prod(window.kernel), math.prod(window.counts(shape))))
    return _col2im(columns, shape=shape, window=window)


@fused(
    compiles=False,
    g=lambda h, x, stride, padding, dilation, groups: _convolution(
        x, h, stride=stride, padding=padding, dilation=dilation, groups=groups
    ),
    x=lambda h, g, x_shape, stride, padding, dilation, groups: _convolution_input_gradient(
        g, h, shape=tuple(x_shape[2:]), stride=stride, padding=padding, dilation=dilation, groups=groups
    ),
)
def _convolution_weight_gradient(
    g: Any, x: Any, /, *, shape: Sizes, stride: Sizes, padding: Sizes, dilation: Sizes, groups: int
) -> Any:
    """g (N, O, *windows), x (N, C, *spatial) -> (O, C / groups, *shape), where `shape` is the kernel's."""
    window = Window(shape, stride, padding, dilation)
    parts = _parts(x, x.shape[1], window, tuple(x.shape[2:]))
    if len(parts) > 1:
        options: Any = {"shape": shape, "stride": stride, "padding": padding, "dilation": dilation, "groups": groups}
        found = [wide(_convolution_weight_gradient(g[part, ...], x[part, ...], **options)) for part in parts]
        return narrow(functools.reduce(operator.add, found), x)  # 16-bit numbers are not added up in 16 bits
    columns = _columns(x, window, groups)
    maps = _maps(g, groups)
    (*_, rows, count), outputs = columns.shape, maps.shape[-2]
    if outputs <= count:  # a product for each image, and their sum: less to write than the columns of all images side by side
        products = matmul(maps, matrix_transpose(columns))
        total = narrow(sum(wide(products), axis=0), products)
    else:
        lead, beside = _split(groups), x.shape[0] * count
        maps = reshape(moveaxis(maps, 0, -2), (*lead, outputs, beside))
        total = matmul(maps, matrix_transpose(reshape(moveaxis(columns, 0, -2), (*lead, rows, beside))))
    return reshape(total, (g.shape[1], x.shape[1] // groups, *shape))


def on_numpy(module: str, *names: str) -> None:
    """Let these ops run on NumPy's arrays by the kernels of a module of gpugrad.compile, which go back to what is there without."""

    def kernel_of(name: str) -> Callable[..., Any]:
        """The kernel of an op."""
        otherwise = TABLES[name][numpy.ndarray]

        @functools.cache
        def kernel() -> Any:
            """Imported when it first runs: what it takes to compile kernels is not needed to import gpugrad.nn."""
            kernels = importlib.import_module(f"gpugrad.compile.{module}").KERNELS
            return functools.partial(kernels[name], otherwise)

        return lambda *operands, **options: kernel()(*operands, **options)

    for name in names:
        TABLES[name][numpy.ndarray] = kernel_of(name)


on_numpy("convolution", "convolution", "convolution_with_bias", "convolution_input_gradient", "convolution_weight_gradient")


def _convolve(
    name: str, ndim: int, x: Any, weight: Any, bias: Any, stride: Any, padding: Any, dilation: Any, groups: int
) -> Any:
    """A convolution over `ndim` axes, its arguments checked."""
    check_input(x, name)
    check_input(weight, name, "weight")
    check_kind(x, weight, name)
    if bias is not None:
        check_input(bias, name, "bias")
    (groups,) = as_sizes(name, "groups", groups, 1, 1)
    check_shapes(name, ndim, tuple(x.shape), tuple(weight.shape), None if bias is None else tuple(bias.shape), groups)
    window = as_window(name, ndim, tuple(weight.shape[2:]), stride, 0 if isinstance(padding, str) else padding, dilation)
    extra = (0,) * ndim
    if isinstance(padding, str):
        if padding not in ("same", "valid"):
            raise OptionError(f"{name}: padding is {padding!r}, expected 'same', 'valid' or ints")
        if padding == "same":
            if math.prod(window.stride) != 1:
                raise ShapeError(
                    f"{name}: padding is 'same' and stride {window.stride}, expected stride 1, which keeps the sizes"
                )
            window = window._replace(padding=tuple((span - 1) // 2 for span in window.spans))
            extra = tuple((span - 1) % 2 for span in window.spans)  # an odd number of zeros: one more after than before

    shape = tuple(x.shape)
    fitting(name, (*shape[:-ndim], *(n + e for n, e in zip(shape[-ndim:], extra, strict=True))), window)

    def convolve(x: Any) -> Any:
        x = extended(x, extra)
        _, stride, padding, dilation = window
        options: Any = {"stride": stride, "padding": padding, "dilation": dilation, "groups": groups}
        return _convolution(x, weight, **options) if bias is None else _convolution_with_bias(x, weight, bias, **options)

    return over_batch(convolve, x, ndim + 2)


def check_shapes(name: str, ndim: int, x: Sizes, weight: Sizes, bias: Sizes | None, groups: int) -> None:
    """Raise ShapeError for shapes of which there is no convolution in so many groups."""
    axes = axis_names(ndim)
    if len(weight) != ndim + 2 or len(x) not in (ndim + 1, ndim + 2):
        raise ShapeError(
            f"{name}: got input {x} and weight {weight}, expected (N, C, {axes}) or (C, {axes}) and (O, C / groups, "
            f"{'*kernel' if ndim > 1 else 'kernel'})"
        )
    channels = x[-ndim - 1]
    if weight[0] % groups:
        raise ShapeError(f"{name}: weight {weight} has {weight[0]} output channels, expected a multiple of groups={groups}")
    if channels != weight[1] * groups:
        grouped = f" and groups={groups}" if groups > 1 else ""
        raise ShapeError(f"{name}: input {x}, expected {weight[1] * groups} channels for weight {weight}{grouped}")
    if bias is not None and bias != weight[:1]:
        raise ShapeError(f"{name}: got bias {bias} and weight {weight}, expected bias ({weight[0]},), one per output")


def axis_names(ndim: int) -> str:
    """The spatial axes of so many dimensions as messages name them: "L", "H, W" or "D, H, W"."""
    return ", ".join("DHW"[-ndim:] if ndim > 1 else "L")


def extended(x: Any, extra: Sizes) -> Any:
    """x with so many zeros behind the end of its last axes."""
    for axis, count in enumerate(extra, len(x.shape) - len(extra)):
        if count:
            shape = (*x.shape[:axis], count, *x.shape[axis + 1 :])
            x = concat([x, raw_full(raw(x), shape, 0, x.dtype)], axis=axis)
    return x


@composite
def conv2d(input: A, weight: Any, bias: Any = None, stride: Any = 1, padding: Any = 0, dilation: Any = 1, groups: int = 1) -> A:
    """The convolution of images with a kernel, as neural networks have it: the kernel is not flipped.

    ``out[n, o, y] = bias[o] + sum(weight[o, c, k] * input[n, c, y * stride - padding + k * dilation])`` over the channels c and
    the taps k, where y and k have a component for each spatial axis and the input is zero outside.

    Shapes: input (N, C, H, W) or (C, H, W), weight (O, C / groups, kernel height, kernel width), bias (O,) or None, result
    (N, O, H', W') or without N, where H' = floor((H + 2 * padding - dilation * (kernel height - 1) - 1) / stride) + 1.
    `stride`, `padding` and `dilation` are ints or pairs of ints; padding "valid" is none, and "same" gives the result the sizes
    of the input, for a stride of 1. With `groups`, each group of O / groups results sees C / groups channels of its own.
    Dtypes: floating and complex; different ones promote.
    Raises ShapeError for shapes that do not fit, OptionError for other padding by name, DTypeError for what is no array or int
    and for an input of integers with a floating weight, DeviceError if the devices differ.
    Source: https://docs.pytorch.org/docs/stable/generated/torch.nn.functional.conv2d.html
    """
    out: A = _convolve("conv2d", 2, input, weight, bias, stride, padding, dilation, groups)
    return out


@composite
def conv1d(input: A, weight: Any, bias: Any = None, stride: Any = 1, padding: Any = 0, dilation: Any = 1, groups: int = 1) -> A:
    """:func:`conv2d` over one spatial axis: input (N, C, L) or (C, L), weight (O, C / groups, kernel size), result (N, O, L').

    Source: https://docs.pytorch.org/docs/stable/generated/torch.nn.functional.conv1d.html
    """
    out: A = _convolve("conv1d", 1, input, weight, bias, stride, padding, dilation, groups)
    return out


@composite
def conv3d(input: A, weight: Any, bias: Any = None, stride: Any = 1, padding: Any = 0, dilation: Any = 1, groups: int = 1) -> A:
    """:func:`conv2d` over three spatial axes: input (N, C, D, H, W) or (C, D, H, W), weight (O, C / groups, *kernel sizes).

    The result is (N, O, D', H', W') or without N.
    Source: https://docs.pytorch.org/docs/stable/generated/torch.nn.functional.conv3d.html
    """
    out: A = _convolve("conv3d", 3, input, weight, bias, stride, padding, dilation, groups)
    return out
