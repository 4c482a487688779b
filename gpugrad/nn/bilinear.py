"""Bilinear."""

from __future__ import annotations

import math
from typing import Any

from gpugrad.arrays.devices import DeviceLike
from gpugrad.arrays.dtypes import DTypeLike
from gpugrad.errors import ShapeError
from gpugrad.nn import init
from gpugrad.nn.functional.bilinear import bilinear
from gpugrad.nn.module import Module
from gpugrad.nn.parameter import Parameter
from gpugrad.ops.creation import empty


class Bilinear(Module):
    """input1^T A input2 + bias, with one matrix A for each output.

    Shapes: input1 (..., in1_features), input2 (..., in2_features) with the same leading axes, result (..., out_features). Parameters:
    `weight` (out_features, in1_features, in2_features) and `bias` (out_features,), None without `bias`; both start uniform in
    +-1 / sqrt(in1_features).
    Raises ShapeError for an in1_features below 1, negative sizes, and for inputs of other shapes.
    Source: https://docs.pytorch.org/docs/stable/generated/torch.nn.Bilinear.html
    """

    weight: Parameter
    bias: Parameter | None

    def __init__(
        self,
        in1_features: int,
        in2_features: int,
        out_features: int,
        bias: bool = True,
        device: DeviceLike | None = None,
        dtype: DTypeLike | None = None,
    ) -> None:
        super().__init__()
        if in1_features < 1 or min(in2_features, out_features) < 0:
            raise ShapeError(
                f"Bilinear: in1_features is {in1_features}, in2_features {in2_features} and out_features {out_features}, expected sizes, "
                "the first 1 or more"
            )
        self.in1_features = in1_features
        self.in2_features = in2_features
        self.out_features = out_features
        self.weight = Parameter(empty((out_features, in1_features, in2_features), dtype=dtype, device=device))
        self.bias = Parameter(empty((out_features,), dtype=dtype, device=device)) if bias else None
        self.reset_parameters()

    def reset_parameters(self) -> None:
        """Draw the parameters anew."""
        bound = 1 / math.sqrt(self.in1_features)
        init.uniform_(self.weight, -bound, bound)
        if self.bias is not None:
            init.uniform_(self.bias, -bound, bound)

    def forward(self, input1: Any, input2: Any) -> Any:
        """See :func:`gpugrad.nn.functional.bilinear`."""
        return bilinear(input1, input2, self.weight, self.bias)

    def extra_repr(self) -> str:
        return (
            f"in1_features={self.in1_features}, in2_features={self.in2_features}, out_features={self.out_features}, "
            f"bias={self.bias is not None}"
        )
