"""Convolutions and transposed convolutions over one to three spatial axes: one definition for each, whatever the number of axes."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Any, ClassVar

from gpugrad.arrays.devices import DeviceLike
from gpugrad.arrays.dtypes import DTypeLike
from gpugrad.arrays.windows import Sizes, Window, as_sizes, as_window
from gpugrad.errors import OptionError, ShapeError
from gpugrad.nn import init
from gpugrad.nn.functional.conv import check_shapes, conv1d, conv2d, conv3d
from gpugrad.nn.functional.conv_transpose import (
    as_output_padding,
    check_transposed,
    conv_transpose1d,
    conv_transpose2d,
    conv_transpose3d,
)
from gpugrad.nn.functional.linear import check_input
from gpugrad.nn.functional.pad import pad
from gpugrad.nn.module import Module
from gpugrad.nn.parameter import Parameter
from gpugrad.ops.creation import empty

_PADDING_MODES = ("zeros", "reflect", "replicate", "circular")
_USUAL = {"padding": (0,), "dilation": (1,), "output_padding": (0,), "groups": 1, "bias": True, "padding_mode": "zeros"}
"""Values of options that a repr leaves out; a tuple has as many as there are axes."""


class _Kernels(Module):
    """What convolutions and transposed ones share: their options, checked, and their parameters.

    Both `weight` and `bias` start uniform in +-1 / sqrt(weight.shape[1] * taps), as in PyTorch.
    """

    ndim: ClassVar[int]
    function: ClassVar[Callable[..., Any]]
    transposed: ClassVar[bool] = False

    weight: Parameter
    bias: Parameter | None
    kernel_size: Sizes
    stride: Sizes
    padding: Sizes | str
    dilation: Sizes

    def _make(
        self,
        in_channels: int,
        out_channels: int,
        window: tuple[Any, Any, Any, Any],
        groups: int,
        bias: bool,
        padding_mode: str,
        device: DeviceLike | None,
        dtype: DTypeLike | None,
    ) -> None:
        name = type(self).__name__
        for what, value in (("in_channels", in_channels), ("out_channels", out_channels), ("groups", groups)):
            as_sizes(name, what, value, 1, 1)
        if in_channels % groups or out_channels % groups:
            raise OptionError(
                f"{name}: groups={groups} for in_channels={in_channels} and out_channels={out_channels}, expected a divisor of both"
            )
        if padding_mode not in _PADDING_MODES:
            raise OptionError(
                f"{name}: padding_mode is {padding_mode!r}, expected one of {', '.join(map(repr, _PADDING_MODES))}"
            )
        self.in_channels, self.out_channels = in_channels, out_channels
        self.kernel_size, self.stride, self.padding, self.dilation = as_window(name, self.ndim, *window)
        self.groups, self.padding_mode = groups, padding_mode
        first, second = (in_channels, out_channels) if self.transposed else (out_channels, in_channels)
        self.weight = Parameter(empty((first, second // groups, *self.kernel_size), dtype=dtype, device=device))
        self.bias = Parameter(empty((out_channels,), dtype=dtype, device=device)) if bias else None
        self.reset_parameters()

    def reset_parameters(self) -> None:
        """Draw the parameters anew."""
        init.kaiming_uniform_(self.weight, a=math.sqrt(5))  # that is +-1 / sqrt(fan-in)
        if self.bias is not None:
            bound = 1 / math.sqrt(math.prod(self.weight.shape[1:]))
            init.uniform_(self.bias, -bound, bound)

    def extra_repr(self) -> str:
        shown = [f"{self.in_channels}, {self.out_channels}, kernel_size={self.kernel_size}, stride={self.stride}"]
        options = {**vars(self), "bias": self.bias is not None}
        for name, usual in _USUAL.items():
            value = options.get(name, usual)
            if value not in (usual, usual * self.ndim if isinstance(usual, tuple) else usual):
                shown.append(f"{name}={value}")
        return ", ".join(shown)


class _Convolution(_Kernels):
    def __init__(
        self,
        in_channels: int,
        out_channels: int,
        kernel_size: int | Sequence[int],
        stride: int | Sequence[int] = 1,
        padding: int | Sequence[int] | str = 0,
        dilation: int | Sequence[int] = 1,
        groups: int = 1,
        bias: bool = True,
        padding_mode: str = "zeros",
        device: DeviceLike | None = None,
        dtype: DTypeLike | None = None,
    ) -> None:
        super().__init__()
        named = isinstance(padding, str)
        if named and padding not in ("same", "valid"):
            raise OptionError(f"{type(self).__name__}: padding is {padding!r}, expected 'same', 'valid' or ints")
        window = (kernel_size, stride, 0 if named else padding, dilation)
        self._make(in_channels, out_channels, window, groups, bias, padding_mode, device, dtype)
        if padding == "same" and math.prod(self.stride) != 1:
            raise OptionError(
                f"{type(self).__name__}: padding is 'same' and stride {self.stride}, expected stride 1, which keeps the sizes"
            )
        before = after = self.padding
        if padding == "same":  # of an odd number the last is more
            reach = [(k - 1) * d for k, d in zip(self.kernel_size, self.dilation, strict=True)]
            before, after = tuple(n // 2 for n in reach), tuple(n - n // 2 for n in reach)
        self._around = tuple(n for pair in zip(reversed(before), reversed(after), strict=True) for n in pair)
        if isinstance(padding, str):
            self.padding = padding

    def forward(self, input: Any) -> Any:
        """The convolution of the input with the weight, plus the bias."""
        padding: Any = self.padding
        if self.padding_mode != "zeros":
            name = self.function.__name__
            check_input(input, name)
            check_shapes(name, self.ndim, tuple(input.shape), tuple(self.weight.shape), None, self.groups)
            input, padding = pad(input, self._around, self.padding_mode), 0
        return type(self).function(input, self.weight, self.bias, self.stride, padding, self.dilation, self.groups)


class Conv2d(_Convolution):
    """A convolution of images with a kernel: see :func:`gpugrad.nn.functional.conv2d`.

    ``out[n, o] = bias[o] + sum(weight[o, c] * input[n, c])`` over the channels c, where * slides the kernel over the image.

    `padding` adds so many elements on both sides: zeros, or what `padding_mode` "reflect", "replicate" or "circular" says (see
    :func:`gpugrad.nn.functional.pad`); "valid" adds none, "same" as many as keep the sizes.
    Shapes: input (N, in_channels, H, W) or without N, result (N, out_channels, H', W') or without N, where
    H' = floor((H + 2 * padding - dilation * (kernel_size - 1) - 1) / stride) + 1. Sizes are ints or pairs of ints.
    Parameters: `weight` (out_channels, in_channels / groups, *kernel_size) and `bias` (out_channels,), None without `bias`. Both start
    uniform in +-1 / sqrt(in_channels / groups * taps of the kernel), as in PyTorch.
    Raises OptionError for groups that do not divide the channels, unknown padding and "same" with a stride; ShapeError for sizes below 1
    and an input that does not fit; DTypeError for what is no int or no array.
    Source: https://docs.pytorch.org/docs/stable/generated/torch.nn.Conv2d.html
    """

    ndim = 2
    function = staticmethod(conv2d)


class Conv1d(_Convolution):
    """:class:`Conv2d` over one spatial axis: input (N, in_channels, L) or (in_channels, L).

    Source: https://docs.pytorch.org/docs/stable/generated/torch.nn.Conv1d.html
    """

    ndim = 1
    function = staticmethod(conv1d)


class Conv3d(_Convolution):
    """:class:`Conv2d` over three spatial axes: input (N, in_channels, D, H, W) or (in_channels, D, H, W).

    Source: https://docs.pytorch.org/docs/stable/generated/torch.nn.Conv3d.html
    """

    ndim = 3
    function = staticmethod(conv3d)


class _ConvolutionTranspose(_Kernels):
    transposed = True

    padding: Sizes

    def __init__(
        self,
        in_channels: int,
        out_channels: int,
        kernel_size: int | Sequence[int],
        stride: int | Sequence[int] = 1,
        padding: int | Sequence[int] = 0,
        output_padding: int | Sequence[int] = 0,
        groups: int = 1,
        bias: bool = True,
        dilation: int | Sequence[int] = 1,
        padding_mode: str = "zeros",
        device: DeviceLike | None = None,
        dtype: DTypeLike | None = None,
    ) -> None:
        super().__init__()
        if padding_mode != "zeros":
            raise OptionError(f"{type(self).__name__}: padding_mode is {padding_mode!r}, expected 'zeros', the only one it has")
        self._make(
            in_channels, out_channels, (kernel_size, stride, padding, dilation), groups, bias, padding_mode, device, dtype
        )
        self.output_padding = as_output_padding(type(self).__name__, output_padding, self._window())

    def forward(self, input: Any, output_size: Sequence[int] | None = None) -> Any:
        """The transposed convolution of the input with the weight, plus the bias; its spatial sizes `output_size`, if that is given."""
        more = self.output_padding if output_size is None else self._beyond(input, output_size)
        return type(self).function(input, self.weight, self.bias, self.stride, self.padding, more, self.groups, self.dilation)

    def _window(self) -> Window:
        return Window(self.kernel_size, self.stride, self.padding, self.dilation)

    def _beyond(self, input: Any, output_size: Sequence[int]) -> Sizes:
        """The output padding that gives the sizes asked for. Raises ShapeError if there is none."""
        name = self.function.__name__
        check_input(input, name)
        shape, ndim = tuple(input.shape), self.ndim
        check_transposed(name, ndim, shape, tuple(self.weight.shape), None, self.groups)
        wanted = tuple(output_size)
        if len(wanted) not in (ndim, len(shape)):
            raise ShapeError(f"{name}: output_size is {wanted} for input {shape}, expected {ndim} sizes, or {len(shape)}")
        wanted = as_sizes(name, "output_size", wanted[-ndim:], ndim, 1)
        least = self._window().sizes(shape[-ndim:])
        if any(not low <= n < low + s for n, low, s in zip(wanted, least, self.stride, strict=True)):
            most = tuple(low + s - 1 for low, s in zip(least, self.stride, strict=True))
            raise ShapeError(f"{name}: output_size is {wanted} for input {shape}, expected sizes from {least} to {most}")
        return tuple(n - low for n, low in zip(wanted, least, strict=True))


class ConvTranspose2d(_ConvolutionTranspose):
    """A transposed convolution: the gradient of :class:`Conv2d` of the same options; see :func:`gpugrad.nn.functional.conv_transpose2d`.

    Shapes: input (N, in_channels, H, W) or without N, result (N, out_channels, H', W') or without N, where
    H' = (H - 1) * stride - 2 * padding + dilation * (kernel_size - 1) + output_padding + 1. Sizes are ints or pairs of ints. The
    call takes an `output_size` too, one of those that a convolution with this stride takes to H, in place of `output_padding`.
    Parameters: `weight` (in_channels, out_channels / groups, *kernel_size) and `bias` (out_channels,), None without `bias`. Both start
    uniform in +-1 / sqrt(out_channels / groups * taps of the kernel), as in PyTorch.
    Raises OptionError for groups that do not divide the channels and for a `padding_mode` other than "zeros"; ShapeError for sizes below
    1, an `output_padding` that is not below stride or dilation, and an input that does not fit; DTypeError for what is no int or no array.
    Source: https://docs.pytorch.org/docs/stable/generated/torch.nn.ConvTranspose2d.html
    """

    ndim = 2
    function = staticmethod(conv_transpose2d)


class ConvTranspose1d(_ConvolutionTranspose):
    """:class:`ConvTranspose2d` over one spatial axis: input (N, in_channels, L) or (in_channels, L).

    Source: https://docs.pytorch.org/docs/stable/generated/torch.nn.ConvTranspose1d.html
    """

    ndim = 1
    function = staticmethod(conv_transpose1d)


class ConvTranspose3d(_ConvolutionTranspose):
    """:class:`ConvTranspose2d` over three spatial axes: input (N, in_channels, D, H, W) or (in_channels, D, H, W).

    Source: https://docs.pytorch.org/docs/stable/generated/torch.nn.ConvTranspose3d.html
    """

    ndim = 3
    function = staticmethod(conv_transpose3d)
