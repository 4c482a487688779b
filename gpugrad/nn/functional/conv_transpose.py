"""Transposed convolution over one, two or three spatial axes: what the gradient of a convolution's input computes."""

from __future__ import annotations

from typing import Any

from gpugrad.arrays.windows import Sizes, Window, as_sizes, as_window
from gpugrad.errors import ShapeError
from gpugrad.families import A, composite
from gpugrad.nn.functional.conv import _convolution_input_gradient, axis_names, extended
from gpugrad.nn.functional.fold import over_batch
from gpugrad.nn.functional.linear import check_input, check_kind
from gpugrad.ops.elementwise import add
from gpugrad.ops.shape import reshape


def _conv_transpose(
    name: str, ndim: int, x: Any, weight: Any, bias: Any, stride: Any, padding: Any, more: Any, groups: int, dilation: Any
) -> Any:
    """A transposed convolution over `ndim` axes, its arguments checked."""
    check_input(x, name)
    check_input(weight, name, "weight")
    check_kind(x, weight, name)
    if bias is not None:
        check_input(bias, name, "bias")
    (groups,) = as_sizes(name, "groups", groups, 1, 1)
    check_transposed(name, ndim, tuple(x.shape), tuple(weight.shape), None if bias is None else tuple(bias.shape), groups)
    window = as_window(name, ndim, tuple(weight.shape[2:]), stride, padding, dilation)
    more = as_output_padding(name, more, window)
    sizes = tuple(x.shape[-ndim:])
    shape = tuple(n + e for n, e in zip(window.sizes(sizes), more, strict=True))
    if min(sizes) < 1 or min(shape) < 1:
        raise ShapeError(
            f"{name}: of input {tuple(x.shape)} with kernel {window.kernel}, stride {window.stride}, padding {window.padding} and "
            f"dilation {window.dilation}, the result would have spatial sizes {shape}, expected 1 or more"
        )
    # Where the result is longer by a stride or more, the convolution has windows there that this input does not: zeros.
    late = tuple(e // s for e, s in zip(more, window.stride, strict=True))
    options: Any = {"stride": window.stride, "padding": window.padding, "dilation": window.dilation, "groups": groups}

    def transposed(x: Any) -> Any:
        """That of a batch."""
        out = _convolution_input_gradient(extended(x, late), weight, shape=shape, **options)
        return out if bias is None else add(out, reshape(bias, (-1, *(1,) * ndim)))

    return over_batch(transposed, x, ndim + 2)


def as_output_padding(name: str, output_padding: Any, window: Window) -> Sizes:
    """`output_padding` as an int for each axis. Raises ShapeError where it is not less than the stride or the dilation."""
    more = as_sizes(name, "output_padding", output_padding, len(window.kernel), 0)
    if any(e >= max(s, d) for e, s, d in zip(more, window.stride, window.dilation, strict=True)):
        raise ShapeError(
            f"{name}: output_padding is {more}, expected less than stride {window.stride} or dilation {window.dilation} "
            "along each axis"
        )
    return more


def check_transposed(name: str, ndim: int, x: Sizes, weight: Sizes, bias: Sizes | None, groups: int) -> None:
    """Raise ShapeError for shapes of which there is no transposed convolution in so many groups."""
    axes = axis_names(ndim)
    if len(weight) != ndim + 2 or len(x) not in (ndim + 1, ndim + 2):
        raise ShapeError(
            f"{name}: got input {x} and weight {weight}, expected (N, C, {axes}) or (C, {axes}) and (C, O / groups, "
            f"{'*kernel' if ndim > 1 else 'kernel'})"
        )
    if x[-ndim - 1] != weight[0]:
        raise ShapeError(f"{name}: input {x}, expected {weight[0]} channels for weight {weight}")
    if weight[0] % groups:
        raise ShapeError(f"{name}: weight {weight} has {weight[0]} input channels, expected a multiple of groups={groups}")
    outputs = weight[1] * groups
    if bias is not None and bias != (outputs,):
        raise ShapeError(
            f"{name}: got bias {bias} and weight {weight} with groups={groups}, expected bias ({outputs},), one per output"
        )


@composite
def conv_transpose2d(
    input: A, weight: Any, bias: Any = None, stride: Any = 1, padding: Any = 0, output_padding: Any = 0, groups: int = 1,
    dilation: Any = 1,
) -> A:  # fmt: skip
    """The transpose of a convolution: each element of the input lays a kernel, times itself, into the result.

    ``out[n, o, y * stride - padding + k * dilation] += weight[c, o, k] * input[n, c, y]`` over the channels c, the places y and the
    taps k, plus ``bias[o]``. It is the gradient of :func:`conv2d` with respect to its input, for the same weight.

    Shapes: input (N, C, H, W) or (C, H, W), weight (C, O / groups, kernel height, kernel width), bias (O,) or None, result
    (N, O, H', W') or without N, where H' = (H - 1) * stride - 2 * padding + dilation * (kernel height - 1) + output_padding + 1.
    The options are ints or pairs of ints. `output_padding` makes the result longer at the end of an axis: of the sizes that a
    convolution with such a stride takes to that of the input it chooses one, and is less than the stride or the dilation.
    Dtypes: floating and complex; different ones promote.
    Raises ShapeError for shapes that do not fit, DTypeError for what is no array or int, DeviceError if the devices differ.
    Source: https://docs.pytorch.org/docs/stable/generated/torch.nn.functional.conv_transpose2d.html
    """
    out: A = _conv_transpose("conv_transpose2d", 2, input, weight, bias, stride, padding, output_padding, groups, dilation)
    return out


@composite
def conv_transpose1d(
    input: A, weight: Any, bias: Any = None, stride: Any = 1, padding: Any = 0, output_padding: Any = 0, groups: int = 1,
    dilation: Any = 1,
) -> A:  # fmt: skip
    """:func:`conv_transpose2d` over one spatial axis: input (N, C, L) or (C, L), weight (C, O / groups, kernel size).

    Source: https://docs.pytorch.org/docs/stable/generated/torch.nn.functional.conv_transpose1d.html
    """
    out: A = _conv_transpose("conv_transpose1d", 1, input, weight, bias, stride, padding, output_padding, groups, dilation)
    return out


@composite
def conv_transpose3d(
    input: A, weight: Any, bias: Any = None, stride: Any = 1, padding: Any = 0, output_padding: Any = 0, groups: int = 1,
    dilation: Any = 1,
) -> A:  # fmt: skip
    """:func:`conv_transpose2d` over three spatial axes: input (N, C, D, H, W) or (C, D, H, W), weight (C, O / groups, *kernel sizes).

    Source: https://docs.pytorch.org/docs/stable/generated/torch.nn.functional.conv_transpose3d.html
    """
    out: A = _conv_transpose("conv_transpose3d", 3, input, weight, bias, stride, padding, output_padding, groups, dilation)
    return out
