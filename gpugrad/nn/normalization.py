"""LayerNorm and RMSNorm."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from gpugrad.arrays.devices import DeviceLike
from gpugrad.arrays.dtypes import DTypeLike
from gpugrad.nn import init
from gpugrad.nn.functional.normalization import layer_norm, normal_shape, rms_norm
from gpugrad.nn.module import Module
from gpugrad.nn.parameter import Parameter
from gpugrad.ops.creation import empty


class LayerNorm(Module):
    """(x - mean(x)) / sqrt(var(x) + eps) * weight + bias, mean and variance over the last axes, of shape `normalized_shape`.

    Parameters: `weight`, which starts as ones, and `bias`, zeros, both of `normalized_shape`. Without `elementwise_affine` both are
    None, without `bias` the latter is. `normalized_shape` may be an int, the size of the last axis.
    Raises ShapeError for a `normalized_shape` without elements, and for an input with other last axes.
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
        self.eps = eps
        self.elementwise_affine = elementwise_affine
        self.weight = Parameter(empty(self.normalized_shape, dtype=dtype, device=device)) if elementwise_affine else None
        has_bias = elementwise_affine and bias
        self.bias = Parameter(empty(self.normalized_shape, dtype=dtype, device=device)) if has_bias else None
        self.reset_parameters()

    def reset_parameters(self) -> None:
        """The weight to ones, the bias to zeros."""
        if self.weight is not None:
            init.ones_(self.weight)
        if self.bias is not None:
            init.zeros_(self.bias)

    def forward(self, input: Any) -> Any:
        """See :func:`gpugrad.nn.functional.layer_norm`."""
        return layer_norm(input, self.normalized_shape, self.weight, self.bias, self.eps)

    def extra_repr(self) -> str:
        return f"{self.normalized_shape}, eps={self.eps}, elementwise_affine={self.elementwise_affine}"


class RMSNorm(Module):
    """x / sqrt(mean(x ** 2) + eps) * weight, the mean over the last axes, of shape `normalized_shape`.

    Parameter: `weight` of `normalized_shape`, which starts as ones; None without `elementwise_affine`. `eps` None is the distance
    from 1 to the next number of the input's dtype.
    Raises ShapeError for a `normalized_shape` without elements, and for an input with other last axes.
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
        self.eps = eps
        self.elementwise_affine = elementwise_affine
        self.weight = Parameter(empty(self.normalized_shape, dtype=dtype, device=device)) if elementwise_affine else None
        self.reset_parameters()

    def reset_parameters(self) -> None:
        """The weight to ones."""
        if self.weight is not None:
            init.ones_(self.weight)

    def forward(self, input: Any) -> Any:
        """See :func:`gpugrad.nn.functional.rms_norm`."""
        return rms_norm(input, self.normalized_shape, self.weight, self.eps)

    def extra_repr(self) -> str:
        return f"{self.normalized_shape}, eps={self.eps}, elementwise_affine={self.elementwise_affine}"
