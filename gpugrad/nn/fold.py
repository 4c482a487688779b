"""Fold and Unfold: images as the windows that a kernel sees, and back."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from gpugrad.arrays.windows import as_sizes, as_window
from gpugrad.nn.functional.fold import fold, unfold
from gpugrad.nn.module import Module

Pair = int | Sequence[int]


class Unfold(Module):
    """The windows of a kernel as columns, (N, C, H, W) -> (N, C * taps, windows): see :func:`gpugrad.nn.functional.unfold`.

    Raises ShapeError for sizes below 1 and an input that does not fit, DTypeError for what is no int or no array.
    Source: https://docs.pytorch.org/docs/stable/generated/torch.nn.Unfold.html
    """

    def __init__(self, kernel_size: Pair, dilation: Pair = 1, padding: Pair = 0, stride: Pair = 1) -> None:
        super().__init__()
        as_window(type(self).__name__, 2, kernel_size, stride, padding, dilation)
        self.kernel_size, self.dilation, self.padding, self.stride = kernel_size, dilation, padding, stride

    def forward(self, input: Any) -> Any:
        """The columns."""
        return unfold(input, self.kernel_size, self.dilation, self.padding, self.stride)

    def extra_repr(self) -> str:
        return f"kernel_size={self.kernel_size}, dilation={self.dilation}, padding={self.padding}, stride={self.stride}"


class Fold(Unfold):
    """Columns added up where :class:`Unfold` took them from, (N, C * taps, windows) -> (N, C, *output_size).

    See :func:`gpugrad.nn.functional.fold`; errors as in :class:`Unfold`.
    Source: https://docs.pytorch.org/docs/stable/generated/torch.nn.Fold.html
    """

    def __init__(self, output_size: Pair, kernel_size: Pair, dilation: Pair = 1, padding: Pair = 0, stride: Pair = 1) -> None:
        super().__init__(kernel_size, dilation, padding, stride)
        as_sizes("Fold", "output_size", output_size, 2, 1)
        self.output_size = output_size

    def forward(self, input: Any) -> Any:
        """The images."""
        return fold(input, self.output_size, self.kernel_size, self.dilation, self.padding, self.stride)

    def extra_repr(self) -> str:
        return f"output_size={self.output_size}, {super().extra_repr()}"
