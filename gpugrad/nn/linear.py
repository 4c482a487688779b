"""Linear, and the layers that only pass on or reshape: Identity, Flatten, Unflatten."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

from gpugrad.arrays.devices import DeviceLike
from gpugrad.arrays.dtypes import DTypeLike
from gpugrad.errors import DTypeError, OptionError, ShapeError
from gpugrad.nn import init
from gpugrad.nn.functional.linear import linear
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
        if in_features < 0 or out_features < 0:
            raise ShapeError(f"Linear: in_features {in_features} and out_features {out_features}, expected no negative sizes")
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


class Unflatten(Module):
    """One axis made several, row-major: the inverse of Flatten.

    `dim` is an axis, `unflattened_size` the sizes in its place, one of which may be -1: whatever is left. Named axes are not there.
    Raises DTypeError for sizes that are no integers, OptionError for a second -1 or other negative sizes, ShapeError for an input
    whose axis is not their product.
    Source: https://docs.pytorch.org/docs/stable/generated/torch.nn.Unflatten.html
    """

    def __init__(self, dim: int, unflattened_size: Sequence[int]) -> None:
        super().__init__()
        if not isinstance(dim, int) or not all(isinstance(n, int) for n in unflattened_size):
            raise DTypeError(f"Unflatten: got dim {dim!r} and unflattened_size {unflattened_size!r}, expected integers")
        if min(unflattened_size, default=0) < -1 or list(unflattened_size).count(-1) > 1 or not unflattened_size:
            raise OptionError(f"Unflatten: unflattened_size is {unflattened_size}, expected sizes, of which one may be -1")
        self.dim = dim
        self.unflattened_size = tuple(unflattened_size)

    def forward(self, input: Any) -> Any:
        """The input reshaped."""
        shape, sizes = tuple(input.shape), self.unflattened_size
        axis = normalize_axis(self.dim, len(shape), "Unflatten")
        known = math.prod(n for n in sizes if n != -1)
        if shape[axis] != known if -1 not in sizes else not known or shape[axis] % known:
            raise ShapeError(f"Unflatten: input {shape}, expected axis {self.dim} to have the size of {sizes}")
        return reshape(input, (*shape[:axis], *(shape[axis] // known if n == -1 else n for n in sizes), *shape[axis + 1 :]))

    def extra_repr(self) -> str:
        return f"dim={self.dim}, unflattened_size={self.unflattened_size}"
