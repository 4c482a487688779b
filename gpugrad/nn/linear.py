"""Linear, and the layers that only pass on or reshape: Identity, Flatten."""

from __future__ import annotations

import math
from typing import Any

from gpugrad.arrays.devices import DeviceLike
from gpugrad.arrays.dtypes import DTypeLike
from gpugrad.errors import ShapeError
from gpugrad.nn import init
from gpugrad.nn.functional.linear import check_input, linear
from gpugrad.nn.module import Module
from gpugrad.nn.parameter import Parameter
from gpugrad.ops.creation import empty
from gpugrad.ops.shape import normalize_axis, reshape


class Linear(Module):
    """x @ weight.T + bias.

    Shapes: input (..., in_features), result (..., out_features). Parameters: `weight` (out_features, in_features) and `bias`
    (out_features,), None without `bias`; both start uniform in +-1 / sqrt(in_features), as in PyTorch.
    Raises ShapeError for negative sizes and for an input of another size, DTypeError for an input that is no array.
    Source: https://docs.pytorch.org/docs/stable/generated/torch.nn.Linear.html
    """

    weight: Parameter
    bias: Parameter | None

    def __init__(
        self,
        in_features: int,
        out_features: int,
        bias: bool = True,
        device: DeviceLike | None = None,
        dtype: DTypeLike | None = None,
    ) -> None:
        super().__init__()
        self.in_features = in_features
        self.out_features = out_features
        self.weight = Parameter(empty((out_features, in_features), dtype=dtype, device=device))
        self.bias = Parameter(empty((out_features,), dtype=dtype, device=device)) if bias else None
        self.reset_parameters()

    def reset_parameters(self) -> None:
        """Draw the parameters anew."""
        init.kaiming_uniform_(self.weight, a=math.sqrt(5))  # that is +-1 / sqrt(in_features)
        if self.bias is not None:
            bound = 1 / math.sqrt(self.in_features) if self.in_features else 0
            init.uniform_(self.bias, -bound, bound)

    def forward(self, input: Any) -> Any:
        """x @ weight.T + bias."""
        check_input(input, type(self).__name__)
        return linear(input, self.weight, self.bias)

    def extra_repr(self) -> str:
        return f"in_features={self.in_features}, out_features={self.out_features}, bias={self.bias is not None}"


class Identity(Module):
    """Its argument, whatever the layer was made with: a place holder."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__()

    def forward(self, input: Any) -> Any:
        """The input."""
        return input


class Flatten(Module):
    """The axes `start_dim` to `end_dim` made one: by default (N, a, b, ...) becomes (N, a * b * ...).

    Raises ShapeError if an axis is out of range or they are in the wrong order.
    Source: https://docs.pytorch.org/docs/stable/generated/torch.nn.Flatten.html
    """

    def __init__(self, start_dim: int = 1, end_dim: int = -1) -> None:
        super().__init__()
        self.start_dim = start_dim
        self.end_dim = end_dim

    def forward(self, input: Any) -> Any:
        """The input reshaped."""
        shape = tuple(input.shape)
        first = normalize_axis(self.start_dim, len(shape), "Flatten")
        last = normalize_axis(self.end_dim, len(shape), "Flatten")
        if first > last:
            raise ShapeError(f"Flatten: start_dim {first} comes after end_dim {last} for an input of shape {shape}")
        return (
            input if first == last else reshape(input, (*shape[:first], math.prod(shape[first : last + 1]), *shape[last + 1 :]))
        )

    def extra_repr(self) -> str:
        return f"start_dim={self.start_dim}, end_dim={self.end_dim}"
