"""bilinear: x1^T A x2 + b."""

from __future__ import annotations

import math
from typing import Any

from gpugrad.errors import ShapeError
from gpugrad.families import composite
from gpugrad.nn.functional.linear import check_input
from gpugrad.ops.contraction import matmul
from gpugrad.ops.elementwise import add
from gpugrad.ops.shape import expand_dims, permute_dims, reshape


@composite
def bilinear(input1: Any, input2: Any, weight: Any, bias: Any = None) -> Any:
    """For each output o the sum over i and j of input1[i] * weight[o, i, j] * input2[j], plus bias[o].

    Shapes: input1 (..., in1_features), input2 (..., in2_features) with the same leading axes, weight (out_features, in1_features,
    in2_features), bias (out_features,) or None, result (..., out_features). Dtypes: floating; different ones promote.
    Raises ShapeError for any other shapes, DTypeError for inputs that are no arrays.
    Source: https://docs.pytorch.org/docs/stable/generated/torch.nn.functional.bilinear.html
    """
    for x, what in ((input1, "input1"), (input2, "input2")):
        check_input(x, "bilinear", what)
    first, second, shape = (tuple(x.shape) for x in (input1, input2, weight))
    if len(shape) != 3 or not first or first[:-1] != second[:-1] or (first[-1], second[-1]) != shape[1:]:
        raise ShapeError(
            f"bilinear: input1 {first}, input2 {second}, expected (..., in1_features) and (..., in2_features) with the same leading axes "
            f"for weight {shape}, (out_features, in1_features, in2_features)"
        )
    outputs, m, n = shape
    if bias is not None and tuple(bias.shape) != (outputs,):
        raise ShapeError(f"bilinear: bias {tuple(bias.shape)}, expected ({outputs},), one number per output of weight {shape}")
    count = math.prod(first[:-1])
    flat = matmul(reshape(input1, (count, m)), reshape(permute_dims(weight, (1, 0, 2)), (m, outputs * n)))
    out = matmul(reshape(flat, (count, outputs, n)), expand_dims(reshape(input2, (count, n)), -1))
    out = reshape(out, (*first[:-1], outputs))
    return out if bias is None else add(out, bias)
