"""Power-average pooling: the p-norm of each window."""

from __future__ import annotations

import math
from typing import Any

from gpugrad.arrays.windows import as_sizes
from gpugrad.errors import OptionError
from gpugrad.families import A, composite
from gpugrad.nn.functional.linear import check_input
from gpugrad.nn.functional.pooling import average
from gpugrad.nn.functional.precision import narrow, wide
from gpugrad.nn.functional.softmax import floating
from gpugrad.ops.elementwise import pow, where


def check_norm_type(name: str, norm_type: float) -> None:
    """Raise OptionError for an order of which there is no root."""
    if not math.isfinite(norm_type) or norm_type == 0:
        raise OptionError(
            f"{name}: norm_type is {norm_type}, expected a finite number other than 0; max_pool is that of infinity"
        )


def _lp_pool(ndim: int, x: Any, norm_type: float, kernel_size: Any, stride: Any, ceil_mode: bool) -> Any:
    name = f"lp_pool{ndim}d"
    check_input(x, name)
    check_norm_type(name, norm_type)
    kernel = as_sizes(name, "kernel_size", kernel_size, ndim, 1)
    powers = wide(floating(x, None, name)) ** float(norm_type)
    total = average(name, ndim, powers, kernel, stride, 0, ceil_mode, True, None) * math.prod(kernel)
    # The root has no gradient at 0: there it is 0, as in PyTorch.
    root = where(total == 0, 0, pow(where(total == 0, 1, total), 1 / norm_type))
    return narrow(root, x)


@composite
def lp_pool2d(input: A, norm_type: float, kernel_size: Any, stride: Any = None, ceil_mode: bool = False) -> A:
    """(sum of x ** p over the window) ** (1 / p) with p = `norm_type`: for p = 1 the sum, towards infinity the maximum.

    x is not made positive first: an odd or fractional p gives nan where the sum of a window, or an element, is below 0. The
    gradient is 0 where the sum is. Of a window that `ceil_mode` lets reach over the end the mean is multiplied by the size of
    the whole kernel, as in PyTorch.
    Shapes and options as in :func:`max_pool2d`. Dtypes: real floating, 16 bits computed with in float32.
    Raises ShapeError for shapes that do not fit, DTypeError for other dtypes, OptionError for p of 0 or infinity.
    Source: https://docs.pytorch.org/docs/stable/generated/torch.nn.functional.lp_pool2d.html
    """
    out: A = _lp_pool(2, input, norm_type, kernel_size, stride, ceil_mode)
    return out


@composite
def lp_pool1d(input: A, norm_type: float, kernel_size: Any, stride: Any = None, ceil_mode: bool = False) -> A:
    """:func:`lp_pool2d` over one spatial axis: input (N, C, L) or (C, L).

    Source: https://docs.pytorch.org/docs/stable/generated/torch.nn.functional.lp_pool1d.html
    """
    out: A = _lp_pool(1, input, norm_type, kernel_size, stride, ceil_mode)
    return out


@composite
def lp_pool3d(input: A, norm_type: float, kernel_size: Any, stride: Any = None, ceil_mode: bool = False) -> A:
    """:func:`lp_pool2d` over three spatial axes: input (N, C, D, H, W) or (C, D, H, W).

    Source: https://docs.pytorch.org/docs/stable/generated/torch.nn.functional.lp_pool3d.html
    """
    out: A = _lp_pool(3, input, norm_type, kernel_size, stride, ceil_mode)
    return out
