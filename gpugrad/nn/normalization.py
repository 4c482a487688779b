"""LayerNorm, RMSNorm, GroupNorm and LocalResponseNorm."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from gpugrad.arrays.devices import DeviceLike
from gpugrad.arrays.dtypes import DTypeLike
from gpugrad.arrays.windows import as_sizes
from gpugrad.errors import ShapeError
from gpugrad.nn import init
from gpugrad.nn.functional.linear import check_input
from gpugrad.nn.functional.local_response_norm import local_response_norm
from gpugrad.nn.functional.normalization import check_eps, check_groups, group_norm, layer_norm, normal_shape, rms_norm
from gpugrad.nn.module import Module
from gpugrad.nn.parameter import Parameter
from gpugrad.ops.creation import empty


class LayerNorm(Module):
    """(x - mean(x)) / sqrt(var(x) + eps) * weight + bias, mean and variance over the last axes, of shape `normalized_shape`.

    Parameters: `weight`, which starts as ones, and `bias`, zeros, both of `normalized_shape`. Without `elementwise_affine` both are
    None, without `bias` the latter is. `normalized_shape` may be an int, the size of the last axis.
    Raises ShapeError for a `normalized_shape` without elements, and for an input with other last axes; OptionError for `eps` of 0 or less.
    Source: https://docs.pytorch.org/docs/stable/generated/torch.nn.LayerNorm.html
    """

    weight: Parameter | None
    bias: Parameter | None

    def __init__(
        self,
        normalized_shape: int | Sequence[int],
        eps: float = 1e-5,
        elementwise_affine: bool = True,
        bias: bool = True,
        device: DeviceLike | None = None,
        dtype: DTypeLike | None = None,
    ) -> None:
        super().__init__()
        self.normalized_shape = normal_shape(normalized_shape, "LayerNorm")
        check_eps("LayerNorm", eps)
        self.eps = eps
        self.elementwise_affine = elementwise_affine
        self.weight = Parameter(empty(self.normalized_shape, dtype=dtype, device=device)) if elementwise_affine else None
        has_bias = elementwise_affine and bias
        self.bias = Parameter(empty(self.normalized_shape, dtype=dtype, device=device)) if has_bias else None
        self.reset_parameters()

    def reset_parameters(self) -> None:
        """The weight to ones, the bias to zeros."""
        _reset(self)

    def forward(self, input: Any) -> Any:
        """See :func:`gpugrad.nn.functional.layer_norm`."""
        return layer_norm(input, self.normalized_shape, self.weight, self.bias, self.eps)

    def extra_repr(self) -> str:
        return f"{self.normalized_shape}, eps={self.eps}, elementwise_affine={self.elementwise_affine}"


class RMSNorm(Module):
    """x / sqrt(mean(x ** 2) + eps) * weight, the mean over the last axes, of shape `normalized_shape`.

    Parameter: `weight` of `normalized_shape`, which starts as ones; None without `elementwise_affine`. `eps` None is the distance
    from 1 to the next number of the input's dtype.
    Raises ShapeError for a `normalized_shape` without elements, and for an input with other last axes; OptionError for `eps` of 0 or less.
    Source: https://docs.pytorch.org/docs/stable/generated/torch.nn.RMSNorm.html
    """

    weight: Parameter | None

    def __init__(
        self,
        normalized_shape: int | Sequence[int],
        eps: float | None = None,
        elementwise_affine: bool = True,
        device: DeviceLike | None = None,
        dtype: DTypeLike | None = None,
    ) -> None:
        super().__init__()
        self.normalized_shape = normal_shape(normalized_shape, "RMSNorm")
        check_eps("RMSNorm", eps)
        self.eps = eps
        self.elementwise_affine = elementwise_affine
        self.weight = Parameter(empty(self.normalized_shape, dtype=dtype, device=device)) if elementwise_affine else None
        self.reset_parameters()

    def reset_parameters(self) -> None:
        """The weight to ones."""
        _reset(self)

    def forward(self, input: Any) -> Any:
        """See :func:`gpugrad.nn.functional.rms_norm`."""
        return rms_norm(input, self.normalized_shape, self.weight, self.eps)

    def extra_repr(self) -> str:
        return f"{self.normalized_shape}, eps={self.eps}, elementwise_affine={self.elementwise_affine}"


class GroupNorm(Module):
    """(x - mean(x)) / sqrt(var(x) + eps) * weight + bias, mean and variance of each image over each of `num_groups` groups of channels.

    Input (N, C, ...), with C = `num_channels`. Parameters, None without `affine`: `weight` (C,), which starts as ones, and `bias`
    (C,), zeros, None without `bias`.
    Raises ShapeError where the groups do not divide the channels, and for other inputs; OptionError for `eps` of 0 or less.
    Source: https://docs.pytorch.org/docs/stable/generated/torch.nn.GroupNorm.html
    """

    weight: Parameter | None
    bias: Parameter | None

    def __init__(
        self,
        num_groups: int,
        num_channels: int,
        eps: float = 1e-5,
        affine: bool = True,
        device: DeviceLike | None = None,
        dtype: DTypeLike | None = None,
        *,
        bias: bool = True,
    ) -> None:
        super().__init__()
        if not isinstance(num_channels, int) or num_channels < 1:
            raise ShapeError(f"GroupNorm: num_channels is {num_channels!r}, expected 1 or more")
        check_groups("GroupNorm", num_groups, num_channels, "channels")
        check_eps("GroupNorm", eps)
        self.num_groups = num_groups
        self.num_channels = num_channels
        self.eps = eps
        self.affine = affine
        self.weight = Parameter(empty(num_channels, dtype=dtype, device=device)) if affine else None
        self.bias = Parameter(empty(num_channels, dtype=dtype, device=device)) if affine and bias else None
        self.reset_parameters()

    def reset_parameters(self) -> None:
        """The weight to ones, the bias to zeros."""
        _reset(self)

    def forward(self, input: Any) -> Any:
        """See :func:`gpugrad.nn.functional.group_norm`."""
        check_input(input, "GroupNorm")
        shape = tuple(input.shape)
        if len(shape) < 2 or shape[1] != self.num_channels:
            raise ShapeError(f"GroupNorm: input {shape}, expected (N, {self.num_channels}, ...)")
        return group_norm(input, self.num_groups, self.weight, self.bias, self.eps)

    def extra_repr(self) -> str:
        return f"{self.num_groups}, {self.num_channels}, eps={self.eps}, affine={self.affine}, bias={self.bias is not None}"


class LocalResponseNorm(Module):
    """x / (k + alpha / size * sum(x ** 2)) ** beta, the sum over `size` channels around that of x. Input (N, C, ...).

    Raises ShapeError for a size below 1 and for an input of fewer than 3 axes.
    Source: https://docs.pytorch.org/docs/stable/generated/torch.nn.LocalResponseNorm.html
    """

    def __init__(self, size: int, alpha: float = 1e-4, beta: float = 0.75, k: float = 1.0) -> None:
        super().__init__()
        (self.size,) = as_sizes("LocalResponseNorm", "size", size, 1, 1)
        self.alpha = alpha
        self.beta = beta
        self.k = k

    def forward(self, input: Any) -> Any:
        """See :func:`gpugrad.nn.functional.local_response_norm`."""
        return local_response_norm(input, self.size, self.alpha, self.beta, self.k)

    def extra_repr(self) -> str:
        return f"{self.size}, alpha={self.alpha}, beta={self.beta}, k={self.k}"


def _reset(layer: LayerNorm | RMSNorm | GroupNorm) -> None:
    """The weight to ones, the bias to zeros, where there are some."""
    if layer.weight is not None:
        init.ones_(layer.weight)
    if (bias := getattr(layer, "bias", None)) is not None:
        init.zeros_(bias)
