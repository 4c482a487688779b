"""Convolution and its two gradients by cuDNN: float32, float16 and bfloat16, over one to three spatial axes.

Arrays are taken as (N, C, *spatial) in C order or with the channels last in memory, and the result has the order of the images;
other strides are copied. One spatial axis is two, the first of size 1. cuDNN reads the number of groups off the shapes.

float32 is multiplied in TF32 if ``set_float32_matmul_precision("high")`` allows it, and 16 bits are added up in float32.
"""

from __future__ import annotations

import math
from typing import Any

import cupy

from gpugrad import modes
from gpugrad.arrays.cuda import cudnn
from gpugrad.arrays.windows import Sizes, Window

DTYPES = frozenset({"float32", "float16", "bfloat16"})


def convolution(x: Any, weight: Any, /, *, stride: Sizes, padding: Sizes, dilation: Sizes, groups: int) -> Any:
    """x (N, C, *spatial), weight (O, C / groups, *kernel) -> (N, O, *windows)."""
    windows = Window(weight.shape[2:], stride, padding, dilation).counts(x.shape[2:])
    return _run(
        "convolution", "conv_fprop", ("image", "weight"), (x, weight), (x,),
        (x.shape[0], weight.shape[0], *windows), stride, padding, dilation,
    )  # fmt: skip


def convolution_input_gradient(
    g: Any, weight: Any, /, *, shape: Sizes, stride: Sizes, padding: Sizes, dilation: Sizes, groups: int
) -> Any:
    """g (N, O, *windows), weight (O, C / groups, *kernel) -> (N, C, *shape)."""
    return _run(
        "convolution_input_gradient", "conv_dgrad", ("loss", "filter"), (g, weight), (g,),
        (g.shape[0], weight.shape[1] * groups, *shape), stride, padding, dilation,
    )  # fmt: skip


def convolution_weight_gradient(
    g: Any, x: Any, /, *, shape: Sizes, stride: Sizes, padding: Sizes, dilation: Sizes, groups: int
) -> Any:
    """g (N, O, *windows), x (N, C, *spatial) -> (O, C / groups, *shape)."""
    return _run(
        "convolution_weight_gradient", "conv_wgrad", ("loss", "image"), (g, x), (g, x),
        (g.shape[1], x.shape[1] // groups, *shape), stride, padding, dilation,
    )  # fmt: skip


def _run(
    name: str, operation: str, arguments: tuple[str, str], operands: tuple[Any, Any], images: tuple[Any, ...],
    shape: Sizes, stride: Sizes, padding: Sizes, dilation: Sizes,
) -> Any:  # fmt: skip
    """The result of an operation of cuDNN's graphs, of this shape, or NotImplemented."""
    if cudnn.library().module is None or not _taken(operands, shape):
        return NotImplemented
    last = any(_channels_last(x) for x in images)
    given = [_ordered(x, last) for x in operands]
    out = _empty(shape, given[0].dtype, last)
    views = [_spatial(x) for x in (*given, out)]
    ones: Sizes = (1,) * (len(shape) == 3)
    zeros: Sizes = (0,) * (len(shape) == 3)
    options = {"padding": [*zeros, *padding], "stride": [*ones, *stride], "dilation": [*ones, *dilation]}

    def build(module: Any, graph: Any) -> None:
        tensors = {argument: cudnn.describes(module, graph, i + 1, views[i]) for i, argument in enumerate(arguments)}
        found = getattr(graph, operation)(**tensors, **options, compute_data_type=module.data_type.FLOAT, name=name)
        cudnn.returns(module, found, 3, views[2])

    done = cudnn.run(name, (stride, padding, dilation), build, dict(enumerate(views, 1)), _left_out(out.dtype))
    return out if done else NotImplemented


def _taken(operands: tuple[Any, Any], shape: Sizes) -> bool:
    """Whether cuDNN takes such operands; what it refuses beyond that, it says when the graph is built."""
    x, y = operands
    if x.dtype != y.dtype or x.dtype.name not in DTYPES or not 3 <= len(shape) <= 5:
        return False
    sizes = (x.size, y.size, math.prod(shape))
    return min(sizes) > 0 and min(shape) > 0 and max(sizes) <= cudnn.LARGEST


def _left_out(dtype: Any) -> tuple[str, ...]:
    """The numerical notes of engines that compute less exactly, or in another order in each run, than was asked for."""
    notes: tuple[str, ...] = ("NONDETERMINISTIC",) if modes.are_deterministic_algorithms_enabled() else ()
    if dtype.name == "float32":
        notes += ("DOWN_CONVERT_INPUTS",)
        if modes.get_float32_matmul_precision() == "highest":
            notes += ("TENSOR_CORE",)
    return notes


def _channels_last(x: Any) -> bool:
    return not x.flags.c_contiguous and cupy.moveaxis(x, 1, -1).flags.c_contiguous


def _ordered(x: Any, last: bool) -> Any:
    """x in the order of memory asked for, at an address that is a multiple of 16: a copy if it is not."""
    moved = cupy.moveaxis(x, 1, -1) if last else x
    if not moved.flags.c_contiguous or moved.data.ptr % 16:
        moved = moved.copy(order="C")
    return cupy.moveaxis(moved, -1, 1) if last else moved


def _empty(shape: Sizes, dtype: Any, last: bool) -> Any:
    if not last:
        return cupy.empty(shape, dtype)
    return cupy.moveaxis(cupy.empty((shape[0], *shape[2:], shape[1]), dtype), -1, 1)


def _spatial(x: Any) -> Any:
    """x with two spatial axes at least."""
    return x[:, :, None] if x.ndim == 3 else x
