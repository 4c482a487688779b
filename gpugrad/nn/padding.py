"""Layers that pad the last one, two or three axes of an input; :func:`gpugrad.nn.functional.pad` says how."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, ClassVar

from gpugrad.arrays.windows import Sizes
from gpugrad.errors import DTypeError, ShapeError
from gpugrad.nn.functional.conv import axis_names
from gpugrad.nn.functional.linear import check_input
from gpugrad.nn.functional.pad import pad
from gpugrad.nn.module import Module


class _Pad(Module):
    """`padding` is an int, for all sides, or two ints for each axis: (left, right, top, bottom, ...), from the last axis on."""

    ndim: ClassVar[int]
    mode: ClassVar[str]
    padding: Sizes

    def __init__(self, padding: int | Sequence[int]) -> None:
        super().__init__()
        count = 2 * self.ndim
        found: tuple[Any, ...] = tuple(padding) if isinstance(padding, (tuple, list)) else (padding,) * count
        if not all(hasattr(n, "__index__") for n in found):
            raise DTypeError(f"{type(self).__name__}: padding is {padding!r}, expected an int or a tuple of {count} of them")
        if len(found) != count:
            raise ShapeError(f"{type(self).__name__}: padding is {padding!r}, expected an int or a tuple of {count} of them")
        self.padding = found

    def forward(self, input: Any) -> Any:
        """The input padded."""
        name = type(self).__name__
        check_input(input, name)
        if len(input.shape) not in (self.ndim + 1, self.ndim + 2):
            axes = axis_names(self.ndim)
            raise ShapeError(f"{name}: input {tuple(input.shape)}, expected (N, C, {axes}) or (C, {axes})")
        return pad(input, self.padding, self.mode)

    def extra_repr(self) -> str:
        return f"{self.padding}"


class _ConstantPad(_Pad):
    mode = "constant"

    def __init__(self, padding: int | Sequence[int], value: float) -> None:
        super().__init__(padding)
        self.value = value

    def forward(self, input: Any) -> Any:
        """The input padded, whatever its number of axes."""
        return pad(input, self.padding, self.mode, self.value)

    def extra_repr(self) -> str:
        return f"padding={self.padding}, value={self.value}"


class _ZeroPad(_ConstantPad):
    def __init__(self, padding: int | Sequence[int]) -> None:
        super().__init__(padding, 0.0)

    def extra_repr(self) -> str:
        return f"{self.padding}"


class ConstantPad1d(_ConstantPad):
    """`value` around the last axis. Shapes: input with 1 axis or more.

    Source: https://docs.pytorch.org/docs/stable/generated/torch.nn.ConstantPad1d.html
    """

    ndim = 1


class ConstantPad2d(_ConstantPad):
    """`value` around the last two axes. Shapes: input with 2 axes or more.

    Source: https://docs.pytorch.org/docs/stable/generated/torch.nn.ConstantPad2d.html
    """

    ndim = 2


class ConstantPad3d(_ConstantPad):
    """`value` around the last three axes. Shapes: input with 3 axes or more.

    Source: https://docs.pytorch.org/docs/stable/generated/torch.nn.ConstantPad3d.html
    """

    ndim = 3


class ZeroPad1d(_ZeroPad):
    """Zeros around the last axis. Shapes: input with 1 axis or more.

    Source: https://docs.pytorch.org/docs/stable/generated/torch.nn.ZeroPad1d.html
    """

    ndim = 1


class ZeroPad2d(_ZeroPad):
    """Zeros around the last two axes. Shapes: input with 2 axes or more.

    Source: https://docs.pytorch.org/docs/stable/generated/torch.nn.ZeroPad2d.html
    """

    ndim = 2


class ZeroPad3d(_ZeroPad):
    """Zeros around the last three axes. Shapes: input with 3 axes or more.

    Source: https://docs.pytorch.org/docs/stable/generated/torch.nn.ZeroPad3d.html
    """

    ndim = 3


class ReflectionPad1d(_Pad):
    """The elements seen in a mirror on the first and the last one around the last axis. Shapes: input (N, C, L) or (C, L).

    Source: https://docs.pytorch.org/docs/stable/generated/torch.nn.ReflectionPad1d.html
    """

    ndim = 1
    mode = "reflect"


class ReflectionPad2d(_Pad):
    """The elements seen in a mirror on the first and the last one around the last two axes. Shapes: input (N, C, H, W) or (C, H, W).

    Source: https://docs.pytorch.org/docs/stable/generated/torch.nn.ReflectionPad2d.html
    """

    ndim = 2
    mode = "reflect"


class ReflectionPad3d(_Pad):
    """The elements seen in a mirror on the first and the last one around the last three axes. Shapes: input (N, C, D, H, W) or (C, D, H, W).

    Source: https://docs.pytorch.org/docs/stable/generated/torch.nn.ReflectionPad3d.html
    """

    ndim = 3
    mode = "reflect"


class ReplicationPad1d(_Pad):
    """The first and the last element again around the last axis. Shapes: input (N, C, L) or (C, L).

    Source: https://docs.pytorch.org/docs/stable/generated/torch.nn.ReplicationPad1d.html
    """

    ndim = 1
    mode = "replicate"


class ReplicationPad2d(_Pad):
    """The first and the last element again around the last two axes. Shapes: input (N, C, H, W) or (C, H, W).

    Source: https://docs.pytorch.org/docs/stable/generated/torch.nn.ReplicationPad2d.html
    """

    ndim = 2
    mode = "replicate"


class ReplicationPad3d(_Pad):
    """The first and the last element again around the last three axes. Shapes: input (N, C, D, H, W) or (C, D, H, W).

    Source: https://docs.pytorch.org/docs/stable/generated/torch.nn.ReplicationPad3d.html
    """

    ndim = 3
    mode = "replicate"


class CircularPad1d(_Pad):
    """The elements of the other end around the last axis. Shapes: input (N, C, L) or (C, L).

    Source: https://docs.pytorch.org/docs/stable/generated/torch.nn.CircularPad1d.html
    """

    ndim = 1
    mode = "circular"


class CircularPad2d(_Pad):
    """The elements of the other end around the last two axes. Shapes: input (N, C, H, W) or (C, H, W).

    Source: https://docs.pytorch.org/docs/stable/generated/torch.nn.CircularPad2d.html
    """

    ndim = 2
    mode = "circular"


class CircularPad3d(_Pad):
    """The elements of the other end around the last three axes. Shapes: input (N, C, D, H, W) or (C, D, H, W).

    Source: https://docs.pytorch.org/docs/stable/generated/torch.nn.CircularPad3d.html
    """

    ndim = 3
    mode = "circular"
