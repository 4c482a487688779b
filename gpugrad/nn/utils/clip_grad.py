"""Clipping gradients before an optimizer's step: clip_grad_norm_, clip_grad_value_, and the norm and the scaling by themselves.

On NumPy and CuPy one kernel reads a gradient for its norm and one scales it; nothing waits for a GPU.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable
from typing import Any

from gpugrad.arrays.devices import device_of, on
from gpugrad.arrays.dtypes import numpy_dtype
from gpugrad.compile.accelerate import accelerated
from gpugrad.errors import AnomalyError, DTypeError, OptionError
from gpugrad.nn.functional.precision import wide
from gpugrad.operators import _unshared
from gpugrad.ops.conversion import asarray
from gpugrad.ops.dtypes import astype, result_type
from gpugrad.ops.elementwise import abs, clip, minimum, multiply, sqrt, square
from gpugrad.ops.reduction import max, sum
from gpugrad.ops.shape import stack
from gpugrad.ops.transfer import to_device
from gpugrad.tape import Tensor

__all__ = ["clip_grad_norm_", "clip_grad_value_", "clip_grads_with_norm_", "get_total_norm"]


def clip_grad_norm_(
    parameters: Tensor | Iterable[Tensor], max_norm: float, norm_type: float = 2.0, error_if_nonfinite: bool = False
) -> Tensor:
    """Scale the gradients of all parameters by one factor, so that their norm is at most `max_norm`; returns what it was.

    The norm is that of all gradients as one vector: of order `norm_type`, a positive number or inf. The factor is
    min(1, max_norm / (norm + 1e-6)). The norm is a 0-d Tensor where the first gradient is, in float32 or wider; 0 if no parameter
    has a gradient. Gradients are scaled where they are, unless a graph or the user holds the same memory, who keep what they have.
    Raises AnomalyError if the norm is nan or inf and `error_if_nonfinite`, which waits for a GPU (otherwise all gradients become
    0 or nan); OptionError for another `norm_type` and a negative `max_norm`, DTypeError for what is no Tensor.
    Source: https://docs.pytorch.org/docs/stable/generated/torch.nn.utils.clip_grad_norm_.html
    """
    owners = _with_gradients(parameters, "clip_grad_norm_")
    limit = _limit_of("clip_grad_norm_", "max_norm", max_norm)
    found = _norm("clip_grad_norm_", [owner.grad.array for owner in owners], limit, norm_type, error_if_nonfinite)
    if found is None:
        return asarray(0.0)
    norm, factor = found
    _scale_all(owners, factor)
    return Tensor(norm)


def get_total_norm(tensors: Tensor | Iterable[Tensor], norm_type: float = 2.0, error_if_nonfinite: bool = False) -> Tensor:
    """The norm of all Tensors as one vector, of the kind that :func:`clip_grad_norm_` has for gradients. A constant.

    Raises as :func:`clip_grad_norm_`.
    Source: https://docs.pytorch.org/docs/stable/generated/torch.nn.utils.get_total_norm.html
    """
    given = tensors_of(tensors, "get_total_norm")
    found = _norm("get_total_norm", [x.array for x in given], 1.0, norm_type, error_if_nonfinite)
    return asarray(0.0) if found is None else Tensor(found[0])


def clip_grads_with_norm_(parameters: Tensor | Iterable[Tensor], max_norm: float, total_norm: Tensor) -> None:
    """Scale the gradients by min(1, max_norm / (total_norm + 1e-6)): :func:`clip_grad_norm_` with a norm that is known.

    Raises DTypeError for what is no Tensor, OptionError for a negative `max_norm`.
    Source: https://docs.pytorch.org/docs/stable/generated/torch.nn.utils.clip_grads_with_norm_.html
    """
    owners = _with_gradients(parameters, "clip_grads_with_norm_")
    limit = _limit_of("clip_grads_with_norm_", "max_norm", max_norm)
    _scale_all(owners, _clip_factor(asarray(total_norm).array, limit))


def _norm(name: str, arrays: list[Any], max_norm: float, norm_type: float, error_if_nonfinite: bool) -> tuple[Any, Any] | None:
    """The norm of arrays, and the factor for `max_norm`, where the first one is; None if there are no elements."""
    if not norm_type > 0:
        raise OptionError(f"{name}: norm_type is {norm_type}, expected a positive number or inf")
    if not arrays:
        return None
    # An int is part of the program, a float an argument: the square of a norm of order 2 must not become a power.
    order = int(norm_type) if float(norm_type).is_integer() else 0 if norm_type == math.inf else float(norm_type)
    first = device_of(arrays[0])
    powers = []
    for array in arrays:
        if 0 not in array.shape:
            device = device_of(array)
            with on(device):
                power = _power_kernel(_flat(array), order)
            powers.append(power if device == first else to_device(power, first))
    if not powers:
        return None
    if len({x.dtype for x in powers}) > 1:
        dtype = result_type(*powers)
        powers = [astype(x, dtype) for x in powers]
    norm, factor = _factor_kernel(stack(powers), order, float(max_norm))
    if error_if_nonfinite and not math.isfinite(norm):
        raise AnomalyError(
            f"{name}: the norm of order {norm_type} of the gradients is {float(norm)}, so they cannot be clipped; look for "
            "its cause with gg.debug(), or clip with error_if_nonfinite=False"
        )
    return norm, factor


def _scale_all(owners: list[Any], factor: Any) -> None:
    first = device_of(factor)
    for owner in owners:
        device = device_of(owner.grad.array)
        _update(owner, _scale, _scale_in_place, factor if device == first else to_device(factor, device))


def scale_gradients(parameters: Tensor | Iterable[Tensor], factor: float) -> None:
    """Multiply all gradients by one number, changing them as :func:`clip_grad_norm_` does."""
    for owner in _with_gradients(parameters, "scale_gradients"):
        _update(owner, _scale, _scale_in_place, float(factor))


def clip_grad_value_(parameters: Tensor | Iterable[Tensor], clip_value: float) -> None:
    """Limit every element of the gradients to [-clip_value, clip_value]; nan stays.

    Gradients are changed as by :func:`clip_grad_norm_`. Raises DTypeError for what is no Tensor, and for complex gradients; OptionError for a
    negative `clip_value`.
    Source: https://docs.pytorch.org/docs/stable/generated/torch.nn.utils.clip_grad_value_.html
    """
    owners = _with_gradients(parameters, "clip_grad_value_")
    for dtype in {numpy_dtype(owner.grad.array.dtype) for owner in owners}:
        if dtype.kind == "c":
            raise DTypeError(f"clip_grad_value_: got a gradient of {dtype}, expected real ones: complex numbers have no order")
    limit = _limit_of("clip_grad_value_", "clip_value", clip_value)
    for owner in owners:
        _update(owner, _limit, _limit_in_place, limit)


def _limit_of(name: str, option: str, value: Any) -> float:
    """The limit as a number. Raises OptionError for a negative one, which would turn gradients round, and for nan."""
    limit = float(value)
    if not limit >= 0:
        raise OptionError(f"{name}: {option} is {value}, expected 0 or more")
    return limit


def _with_gradients(parameters: Tensor | Iterable[Tensor], name: str) -> list[Any]:
    """The parameters that have a gradient, each once."""
    return [x for x in {id(x): x for x in tensors_of(parameters, name)}.values() if x.grad is not None]


def tensors_of(given: Tensor | Iterable[Tensor], name: str) -> list[Tensor]:
    """The Tensors given. Raises DTypeError for what is none."""
    tensors = [given] if isinstance(given, Tensor) else list(given)
    for x in tensors:
        if not isinstance(x, Tensor):
            raise DTypeError(
                f"{name}: got a parameter of type {type(x).__name__}, expected Tensors, as model.parameters() gives"
            )
    return tensors


# Norms ---------------------------------------------------------------------------------------------------------------


def _power_sum(x: Any, order: Any) -> Any:
    """sum(abs(x) ** order); for order 0, which stands for inf, max(abs(x))."""
    size = abs(wide(x))
    if order == 0:
        return max(size)
    return sum(size if order == 1 else square(size) if order == 2 else size**order)


def _factor(powers: Any, order: Any, max_norm: float) -> tuple[Any, Any]:
    """The norm, and the factor for the gradients, from the power sums of all gradients."""
    if order == 0:
        norm = max(powers)
    else:
        total = sum(powers)
        norm = total if order == 1 else sqrt(total) if order == 2 else total ** (1 / order)
    return norm, _clip_factor(norm, max_norm)


def _clip_factor(norm: Any, max_norm: float) -> Any:
    return minimum(max_norm / (norm + 1e-6), 1.0)


_power_kernel = accelerated(_power_sum, "norm_power")
_factor_kernel = accelerated(_factor, "clip_factor")


# New values for a gradient --------------------------------------------------------------------------------------------


def _scaled(x: Any, factor: Any) -> Any:
    return astype(multiply(x, factor), numpy_dtype(x.dtype), copy=False)


def _limited(x: Any, limit: float) -> Any:
    return clip(x, -limit, limit)


def _written(function: Callable[[Any, Any], Any]) -> Callable[[Any, Any], None]:
    """`function`, its result written over its first argument."""

    def write(x: Any, value: Any) -> None:
        x[...] = function(x, value)

    return write


_scale = accelerated(_scaled, "scale")
_scale_in_place = accelerated(_scaled, "scale", _written(_scaled), into={0: 0})
_limit = accelerated(_limited, "limit")
_limit_in_place = accelerated(_limited, "limit", _written(_limited), into={0: 0})


def _update(owner: Any, function: Callable[..., Any], in_place: Callable[..., Any], value: Any) -> None:
    """Give a parameter's gradient new values: in its own memory if nobody else holds that, and it was not recorded."""
    gradient = owner.grad
    with on(device_of(gradient.array)):
        if gradient.node is None and _unshared(gradient):
            in_place(_flat(gradient.array), value)
        elif gradient.node is None:
            gradient.array = function(gradient.array, value)
        else:
            owner.grad = Tensor(function(gradient.array, value))


def _flat(x: Any) -> Any:
    """A contiguous array of NumPy or CuPy as a vector: then one kernel serves gradients of any number of axes."""
    flags = getattr(x, "flags", None)
    return x.reshape(-1) if flags is not None and getattr(flags, "c_contiguous", False) else x
