"""Parameters as one vector, and back: for optimizers and solvers that know only vectors."""

from __future__ import annotations

import math
from collections.abc import Iterable
from typing import Any

from gpugrad.errors import ShapeError
from gpugrad.nn.parameter import overwrite
from gpugrad.nn.utils.clip_grad import tensors_of
from gpugrad.ops.shape import concat, reshape
from gpugrad.tape import Tensor


def parameters_to_vector(parameters: Iterable[Tensor]) -> Tensor:
    """All elements of the parameters, one after the other, as one vector; gradients of it go to the parameters.

    Raises ShapeError if there are none, DTypeError for what is no Tensor, DeviceError if they are on several devices.
    Source: https://docs.pytorch.org/docs/stable/generated/torch.nn.utils.parameters_to_vector.html
    """
    given = tensors_of(parameters, "parameters_to_vector")
    if not given:
        raise ShapeError("parameters_to_vector: got no parameters, expected one or more")
    out: Tensor = concat([reshape(x, (-1,)) for x in given])
    return out


def vector_to_parameters(vec: Tensor, parameters: Iterable[Tensor]) -> None:
    """Give the elements of a vector to the parameters, one after the other, cast and moved where needed.

    Raises ShapeError if `vec` is no vector of as many elements as the parameters have; then nothing has changed.
    Source: https://docs.pytorch.org/docs/stable/generated/torch.nn.utils.vector_to_parameters.html
    """
    given = tensors_of(parameters, "vector_to_parameters")
    expected = sum(math.prod(x.shape) for x in given)
    if tuple(getattr(vec, "shape", ())) != (expected,):
        what = f"shape {tuple(vec.shape)}" if hasattr(vec, "shape") else type(vec).__name__
        raise ShapeError(f"vector_to_parameters: got {what}, expected a vector of {expected} elements, as the parameters have")
    values: Any = vec.detach() if isinstance(vec, Tensor) else vec
    start = 0
    for x in given:
        end = start + math.prod(x.shape)
        overwrite(x, reshape(values[start:end], x.shape))
        start = end
