"""Records of gpugrad/nn/functional/conv.py and fold.py. The references go through the windows one by one."""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable, Iterator
from typing import Any

import numpy

from gpugrad.arrays.windows import Window
from gpugrad.check.records.case import Case, call, real
from gpugrad.families import REGISTRY
from gpugrad.nn import functional as F

Options = dict[str, Any]


def window_of(kernel: Any, stride: Any = 1, padding: Any = 0, dilation: Any = 1) -> Window:
    """A window from a kernel size for each axis and options that may be ints."""
    return Window(kernel, *(v if isinstance(v, tuple) else (v,) * len(kernel) for v in (stride, padding, dilation)))


def padded(x: Any, padding: tuple[int, ...], fill: float = 0) -> Any:
    return numpy.pad(x, [(0, 0), (0, 0), *((p, p) for p in padding)], constant_values=fill)


def views(x: Any, window: Window, counts: tuple[int, ...]) -> Iterator[tuple[tuple[int, ...], Any]]:
    """Each window by its place, and a view of what it sees of the padded x."""
    for place in itertools.product(*map(range, counts)):
        starts = [o * s for o, s in zip(place, window.stride, strict=True)]
        slices = [slice(a, a + (k - 1) * d + 1, d) for a, k, d in zip(starts, window.kernel, window.dilation, strict=True)]
        yield place, x[(slice(None), slice(None), *slices)]


def _counts(window: Window, sizes: tuple[int, ...]) -> tuple[int, ...]:
    return tuple((size + 2 * p - d * (k - 1) - 1) // s + 1 for size, k, s, p, d in zip(sizes, *window, strict=True))


def _im2col(x: Any, window: Window) -> Any:
    seen = [view for _, view in views(padded(x, window.padding), window, _counts(window, x.shape[2:]))]
    return numpy.stack(seen, axis=-1).reshape(len(x), x.shape[1] * math.prod(window.kernel), len(seen))


def _col2im(columns: Any, shape: tuple[int, ...], window: Window) -> Any:
    channels = columns.shape[1] // math.prod(window.kernel)
    whole = padded(numpy.zeros((len(columns), channels, *shape), columns.dtype), window.padding)
    for i, (_, view) in enumerate(views(whole, window, _counts(window, shape))):
        view += columns[:, :, i].reshape(view.shape)
    return whole[(slice(None), slice(None), *(slice(p, p + size) for p, size in zip(window.padding, shape, strict=True)))]


def _convolution(x: Any, weight: Any, stride: Any = 1, padding: Any = 0, dilation: Any = 1, groups: int = 1) -> Any:
    window = window_of(weight.shape[2:], stride, padding, dilation)
    counts = _counts(window, x.shape[2:])
    out: Any = numpy.zeros((len(x), len(weight), *counts), numpy.result_type(x, weight))
    for place, view in views(padded(x, window.padding), window, counts):
        kernels = weight.reshape(groups, len(weight) // groups, -1)
        seen = view.reshape(len(x), groups, kernels.shape[-1])
        out[(slice(None), slice(None), *place)] = numpy.einsum("ngk,gok->ngo", seen, kernels).reshape(len(x), len(weight))
    return out


def _conv(x: Any, weight: Any, bias: Any = None, **options: Any) -> Any:
    batch = x if x.ndim == weight.ndim else x[None]
    if options.get("padding") == "same":
        total = [(k - 1) * d for k, d in zip(weight.shape[2:], _dilations(weight, options), strict=True)]
        batch = numpy.pad(batch, [(0, 0), (0, 0), *((t // 2, t - t // 2) for t in total)])
    if isinstance(options.get("padding"), str):
        options["padding"] = 0
    out = _convolution(batch, weight, **options)
    if bias is not None:
        out = out + bias.reshape(-1, *[1] * (weight.ndim - 2))
    return out if x.ndim == weight.ndim else out[0]


def _dilations(weight: Any, options: Options) -> tuple[int, ...]:
    dilation = options.get("dilation", 1)
    return dilation if isinstance(dilation, tuple) else (dilation,) * (weight.ndim - 2)


def _by_basis(shape: tuple[int, ...], of: Callable[[Any], Any], g: Any) -> Any:
    """The transpose of the linear function `of`, at g: its products with the results for one element at a time."""
    found = numpy.zeros(shape, g.dtype)
    for place in numpy.ndindex(shape):
        one = numpy.zeros(shape, g.dtype)
        one[place] = 1
        found[place] = numpy.sum(g * of(one))
    return found


def _input_gradient(g: Any, weight: Any, shape: tuple[int, ...], groups: int, **options: Any) -> Any:
    full = (len(g), weight.shape[1] * groups, *shape)
    return _by_basis(full, lambda x: _convolution(x, weight, groups=groups, **options), g)


def _weight_gradient(g: Any, x: Any, shape: tuple[int, ...], groups: int, **options: Any) -> Any:
    full = (g.shape[1], x.shape[1] // groups, *shape)
    return _by_basis(full, lambda weight: _convolution(x, weight, groups=groups, **options), g)


def _unfold(x: Any, kernel_size: Any, dilation: Any = 1, padding: Any = 0, stride: Any = 1) -> Any:
    window = window_of(kernel_size, stride, padding, dilation)
    return _im2col(x, window) if x.ndim == 4 else _im2col(x[None], window)[0]


def _fold(x: Any, output_size: Any, kernel_size: Any, dilation: Any = 1, padding: Any = 0, stride: Any = 1) -> Any:
    window = window_of(kernel_size, stride, padding, dilation)
    return _col2im(x, output_size, window) if x.ndim == 3 else _col2im(x[None], output_size, window)[0]


def settings(*, stride: Any = (1,), padding: Any = (0,), dilation: Any = (1,), groups: int = 1) -> Options:
    """The options of the ops below the public functions."""
    return {"stride": stride, "padding": padding, "dilation": dilation, "groups": groups}


UNEVEN = settings(stride=(2, 1), padding=(1, 2), dilation=(1, 2))
GROUPED = settings(padding=(1,), groups=2)
POINTS = settings(stride=(1, 1), padding=(0, 0), dilation=(1, 1))
LARGE = window_of((2, 3), (2, 1), (1, 2), (1, 2))
SMALL = window_of((3,), 1, 1)
CUBE = window_of((2, 1, 2), (1, 1, 2), (0, 0, 1))

CASES = [
    Case(
        "im2col",
        [call(real(2, 2, 4, 3), LARGE), call(real(1, 2, 5), SMALL), call(real(1, 1, 3, 2, 3), CUBE), call(real(0, 2, 5), SMALL)],
        _im2col,
        complex=True,
        function=lambda x, window: REGISTRY["im2col"](x, window=window),
    ),
    Case(
        "col2im",
        [
            call(real(2, 12, 9), (4, 3), LARGE),
            call(real(1, 6, 5), (5,), SMALL),
            call(real(1, 4, 8), (3, 2, 3), CUBE),
            call(real(0, 6, 5), (5,), SMALL),
        ],
        _col2im,
        complex=True,
        function=lambda columns, shape, window: REGISTRY["col2im"](columns, shape=shape, window=window),
    ),
    Case(
        "convolution",
        [
            call(real(2, 2, 4, 3), real(3, 2, 2, 3), **UNEVEN),
            call(real(2, 4, 4), real(2, 2, 3), **GROUPED),
            call(real(2, 3, 2, 3), real(2, 3, 1, 1), **POINTS),
            call(real(0, 4, 4), real(2, 2, 3), **GROUPED),
        ],
        _convolution,
        complex=True,
    ),
    Case(
        "convolution_with_bias",
        [
            call(real(2, 2, 4, 3), real(3, 2, 2, 3), real(3), **UNEVEN),
            call(real(2, 4, 4), real(2, 2, 3), real(2), **GROUPED),
            call(real(0, 4, 4), real(2, 2, 3), real(2), **GROUPED),
        ],
        lambda x, weight, bias, **options: _convolution(x, weight, **options) + bias.reshape(-1, *[1] * (weight.ndim - 2)),
        complex=True,
    ),
    Case(
        "convolution_input_gradient",
        [
            call(real(2, 3, 3, 3), real(3, 2, 2, 3), shape=(4, 3), **UNEVEN),
            call(real(2, 2, 4), real(2, 2, 3), shape=(4,), **GROUPED),
            call(real(2, 2, 2, 3), real(2, 3, 1, 1), shape=(2, 3), **POINTS),
        ],
        _input_gradient,
        complex=True,
    ),
    Case(
        "convolution_weight_gradient",
        [
            call(real(2, 3, 3, 3), real(2, 2, 4, 3), shape=(2, 3), **UNEVEN),
            call(real(2, 2, 4), real(2, 4, 4), shape=(3,), **GROUPED),
            call(real(2, 3, 1), real(2, 2, 1), shape=(1,), **settings()),
            call(real(2, 6, 2), real(2, 2, 2), shape=(1,), **settings(groups=2)),
        ],
        _weight_gradient,
        complex=True,
    ),
    Case(
        "conv1d",
        [call(real(2, 2, 5), real(3, 2, 2), real(3), padding="same"), call(real(2, 5), real(1, 2, 3), stride=2, padding=1)],
        _conv,
        function=F.conv1d,
    ),
    Case(
        "conv2d",
        [
            call(real(1, 2, 4, 3), real(2, 1, 3, 2), real(2), stride=(2, 1), padding=(1, 0), groups=2),
            call(real(1, 4, 5), real(2, 1, 2, 2), dilation=(1, 3), padding="same"),
            call(real(1, 1, 3, 3), real(1, 1, 2, 2), padding="valid"),
        ],
        _conv,
        function=F.conv2d,
    ),
    Case(
        "conv3d",
        [call(real(1, 2, 2, 3, 2), real(2, 2, 1, 2, 2), real(2), stride=(1, 2, 1), padding=(0, 1, 0))],
        _conv,
        function=F.conv3d,
    ),
    Case(
        "unfold",
        [call(real(2, 2, 4, 3), (2, 3), (1, 2), (1, 2), (2, 1)), call(real(2, 3, 3), (2, 2))],
        _unfold,
        function=F.unfold,
    ),
    Case(
        "fold",
        [call(real(2, 12, 9), (4, 3), (2, 3), (1, 2), (1, 2), (2, 1)), call(real(8, 4), (3, 3), (2, 2))],
        _fold,
        function=F.fold,
    ),
]  # fmt: skip
