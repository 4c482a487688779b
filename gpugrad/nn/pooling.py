"""Pooling layers: maxima, means and norms of windows and of adaptive regions, and maxima put back.

The layers over one, two and three spatial axes share one definition, in which `axes` says how many there are.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, ClassVar

from gpugrad.nn import functional
from gpugrad.nn.functional.adaptive_pooling import as_output_size
from gpugrad.nn.functional.lp_pool import check_norm_type
from gpugrad.nn.functional.pooling import check_divisor, pool_window
from gpugrad.nn.module import Module


class _Pool(Module):
    axes: ClassVar[int]
    shown: ClassVar[tuple[str, ...]]
    """The options that the repr shows."""

    def function(self, name: str) -> Any:
        """The function of nn.functional of this name, for so many axes."""
        return getattr(functional, f"{name}{self.axes}d")

    def windows(self, kernel_size: Any, stride: Any, padding: Any = 0, dilation: Any = 1) -> None:
        """Keep the options of windows, checked."""
        pool_window(type(self).__name__, self.axes, kernel_size, stride, padding, dilation)
        self.kernel_size = kernel_size
        self.stride = kernel_size if stride is None else stride
        self.padding = padding
        self.dilation = dilation

    def extra_repr(self) -> str:
        return ", ".join(f"{name}={getattr(self, name)}" for name in self.shown)


class _MaxPool(_Pool):
    shown = ("kernel_size", "stride", "padding", "dilation", "ceil_mode")

    def __init__(
        self,
        kernel_size: Any,
        stride: Any = None,
        padding: Any = 0,
        dilation: Any = 1,
        return_indices: bool = False,
        ceil_mode: bool = False,
    ) -> None:
        super().__init__()
        self.windows(kernel_size, stride, padding, dilation)
        self.return_indices = return_indices
        self.ceil_mode = ceil_mode

    def forward(self, input: Any) -> Any:
        """See :func:`gpugrad.nn.functional.max_pool2d`."""
        options = (self.kernel_size, self.stride, self.padding, self.dilation, self.ceil_mode, self.return_indices)
        return self.function("max_pool")(input, *options)


class MaxPool1d(_MaxPool):
    """The largest element of each window; with `return_indices` a pair, of these and of their places.

    Input (N, C, L) or (C, L). Raises ShapeError for sizes below 1 and more padding than half a kernel, DTypeError for what is no
    int. Source: https://docs.pytorch.org/docs/stable/generated/torch.nn.MaxPool1d.html
    """

    axes = 1


class MaxPool2d(_MaxPool):
    """:class:`MaxPool1d` of images: input (N, C, H, W) or (C, H, W).

    Source: https://docs.pytorch.org/docs/stable/generated/torch.nn.MaxPool2d.html
    """

    axes = 2


class MaxPool3d(_MaxPool):
    """:class:`MaxPool1d` of volumes: input (N, C, D, H, W) or (C, D, H, W).

    Source: https://docs.pytorch.org/docs/stable/generated/torch.nn.MaxPool3d.html
    """

    axes = 3


class _MaxUnpool(_Pool):
    shown = ("kernel_size", "stride", "padding")

    def __init__(self, kernel_size: Any, stride: Any = None, padding: Any = 0) -> None:
        super().__init__()
        self.windows(kernel_size, stride, padding)

    def forward(self, input: Any, indices: Any, output_size: Sequence[int] | None = None) -> Any:
        """See :func:`gpugrad.nn.functional.max_unpool2d`."""
        return self.function("max_unpool")(input, indices, self.kernel_size, self.stride, self.padding, output_size)


class MaxUnpool1d(_MaxUnpool):
    """Zeros, with each element of the input where its index says: the maxima of :class:`MaxPool1d` back in their places.

    Called with the input, the indices and, where pooling makes the same size of several, the `output_size`.
    Input (N, C, L) or (C, L). Source: https://docs.pytorch.org/docs/stable/generated/torch.nn.MaxUnpool1d.html
    """

    axes = 1


class MaxUnpool2d(_MaxUnpool):
    """:class:`MaxUnpool1d` of images: input (N, C, H, W) or (C, H, W).

    Source: https://docs.pytorch.org/docs/stable/generated/torch.nn.MaxUnpool2d.html
    """

    axes = 2


class MaxUnpool3d(_MaxUnpool):
    """:class:`MaxUnpool1d` of volumes: input (N, C, D, H, W) or (C, D, H, W).

    Source: https://docs.pytorch.org/docs/stable/generated/torch.nn.MaxUnpool3d.html
    """

    axes = 3


class AvgPool1d(_Pool):
    """The mean of each window, of which the zeros of the padding are a part if `count_include_pad`. Input (N, C, L) or (C, L).

    Raises ShapeError for sizes below 1 and more padding than half a kernel, DTypeError for what is no int.
    Source: https://docs.pytorch.org/docs/stable/generated/torch.nn.AvgPool1d.html
    """

    axes = 1
    shown = ("kernel_size", "stride", "padding")

    def __init__(
        self, kernel_size: Any, stride: Any = None, padding: Any = 0, ceil_mode: bool = False, count_include_pad: bool = True
    ) -> None:
        super().__init__()
        self.windows(kernel_size, stride, padding)
        self.ceil_mode = ceil_mode
        self.count_include_pad = count_include_pad

    def forward(self, input: Any) -> Any:
        """See :func:`gpugrad.nn.functional.avg_pool1d`."""
        return functional.avg_pool1d(input, self.kernel_size, self.stride, self.padding, self.ceil_mode, self.count_include_pad)


class AvgPool2d(_Pool):
    """:class:`AvgPool1d` of images: input (N, C, H, W) or (C, H, W). `divisor_override` divides the sums in place of the number of elements.

    Source: https://docs.pytorch.org/docs/stable/generated/torch.nn.AvgPool2d.html
    """

    axes = 2
    shown = ("kernel_size", "stride", "padding")

    def __init__(
        self,
        kernel_size: Any,
        stride: Any = None,
        padding: Any = 0,
        ceil_mode: bool = False,
        count_include_pad: bool = True,
        divisor_override: int | None = None,
    ) -> None:
        super().__init__()
        self.windows(kernel_size, stride, padding)
        check_divisor(type(self).__name__, divisor_override)
        self.ceil_mode = ceil_mode
        self.count_include_pad = count_include_pad
        self.divisor_override = divisor_override

    def forward(self, input: Any) -> Any:
        """See :func:`gpugrad.nn.functional.avg_pool2d`."""
        options = (self.kernel_size, self.stride, self.padding, self.ceil_mode, self.count_include_pad, self.divisor_override)
        return self.function("avg_pool")(input, *options)


class AvgPool3d(AvgPool2d):
    """:class:`AvgPool2d` of volumes: input (N, C, D, H, W) or (C, D, H, W).

    Source: https://docs.pytorch.org/docs/stable/generated/torch.nn.AvgPool3d.html
    """

    axes = 3


class _AdaptiveAvgPool(_Pool):
    shown = ("output_size",)

    def __init__(self, output_size: Any) -> None:
        super().__init__()
        as_output_size(type(self).__name__, self.axes, output_size)
        self.output_size = output_size

    def forward(self, input: Any) -> Any:
        """See :func:`gpugrad.nn.functional.adaptive_avg_pool2d`."""
        return self.function("adaptive_avg_pool")(input, self.output_size)


class AdaptiveAvgPool1d(_AdaptiveAvgPool):
    """The means of `output_size` regions of the axis, however long it is. Input (N, C, L) or (C, L).

    Raises ShapeError for sizes below 1, DTypeError for what is no int and not None.
    Source: https://docs.pytorch.org/docs/stable/generated/torch.nn.AdaptiveAvgPool1d.html
    """

    axes = 1


class AdaptiveAvgPool2d(_AdaptiveAvgPool):
    """:class:`AdaptiveAvgPool1d` of images: input (N, C, H, W) or (C, H, W). None stands for the input's own size along an axis.

    Source: https://docs.pytorch.org/docs/stable/generated/torch.nn.AdaptiveAvgPool2d.html
    """

    axes = 2


class AdaptiveAvgPool3d(_AdaptiveAvgPool):
    """:class:`AdaptiveAvgPool2d` of volumes: input (N, C, D, H, W) or (C, D, H, W).

    Source: https://docs.pytorch.org/docs/stable/generated/torch.nn.AdaptiveAvgPool3d.html
    """

    axes = 3


class _AdaptiveMaxPool(_AdaptiveAvgPool):
    def __init__(self, output_size: Any, return_indices: bool = False) -> None:
        super().__init__(output_size)
        self.return_indices = return_indices

    def forward(self, input: Any) -> Any:
        """See :func:`gpugrad.nn.functional.adaptive_max_pool2d`."""
        return self.function("adaptive_max_pool")(input, self.output_size, self.return_indices)


class AdaptiveMaxPool1d(_AdaptiveMaxPool):
    """The largest elements of `output_size` regions of the axis; with `return_indices` a pair, of these and of their places.

    Input and errors as for :class:`AdaptiveAvgPool1d`.
    Source: https://docs.pytorch.org/docs/stable/generated/torch.nn.AdaptiveMaxPool1d.html
    """

    axes = 1


class AdaptiveMaxPool2d(_AdaptiveMaxPool):
    """:class:`AdaptiveMaxPool1d` of images: input (N, C, H, W) or (C, H, W). None stands for the input's own size along an axis.

    Source: https://docs.pytorch.org/docs/stable/generated/torch.nn.AdaptiveMaxPool2d.html
    """

    axes = 2


class AdaptiveMaxPool3d(_AdaptiveMaxPool):
    """:class:`AdaptiveMaxPool2d` of volumes: input (N, C, D, H, W) or (C, D, H, W).

    Source: https://docs.pytorch.org/docs/stable/generated/torch.nn.AdaptiveMaxPool3d.html
    """

    axes = 3


class _LPPool(_Pool):
    shown = ("norm_type", "kernel_size", "stride", "ceil_mode")

    def __init__(self, norm_type: float, kernel_size: Any, stride: Any = None, ceil_mode: bool = False) -> None:
        super().__init__()
        check_norm_type(type(self).__name__, norm_type)
        self.windows(kernel_size, stride)
        self.norm_type = norm_type
        self.ceil_mode = ceil_mode

    def forward(self, input: Any) -> Any:
        """See :func:`gpugrad.nn.functional.lp_pool2d`."""
        return self.function("lp_pool")(input, float(self.norm_type), self.kernel_size, self.stride, self.ceil_mode)


class LPPool1d(_LPPool):
    """(sum of x ** p over each window) ** (1 / p), with p = `norm_type`. Input (N, C, L) or (C, L).

    Raises ShapeError for sizes below 1, DTypeError for what is no int, OptionError for p of 0 or infinity.
    Source: https://docs.pytorch.org/docs/stable/generated/torch.nn.LPPool1d.html
    """

    axes = 1


class LPPool2d(_LPPool):
    """:class:`LPPool1d` of images: input (N, C, H, W) or (C, H, W).

    Source: https://docs.pytorch.org/docs/stable/generated/torch.nn.LPPool2d.html
    """

    axes = 2


class LPPool3d(_LPPool):
    """:class:`LPPool1d` of volumes: input (N, C, D, H, W) or (C, D, H, W).

    Source: https://docs.pytorch.org/docs/stable/generated/torch.nn.LPPool3d.html
    """

    axes = 3
