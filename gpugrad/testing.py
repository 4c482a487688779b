"""Checks for one's own ops and functions: gradients against finite differences, arrays against arrays."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy

from gpugrad.arrays.devices import device_of, to_numpy
from gpugrad.arrays.dtypes import is_inexact, numpy_dtype
from gpugrad.differentiate import vjp
from gpugrad.errors import OptionError
from gpugrad.ops.transfer import to_device
from gpugrad.tape import Tensor, raw
from gpugrad.trees import Tree, aligned, leaves, map_leaves, same_structure

_TOLERANCES = {"float16": 2e-3, "float32": 2e-5, "float64": 1e-9, "complex64": 2e-5, "complex128": 1e-9}


def assert_close(actual: Tree, expected: Tree, *, rtol: float | None = None, atol: float | None = None) -> None:
    """Assert that two trees of arrays have the same structure and shapes and nearly the same values.

    ``|actual - expected| <= atol + rtol * |expected|``, elementwise; nan equals nan and inf equals inf. The default
    tolerances follow the less precise dtype: 2e-5 for float32, 1e-9 for float64. Devices and array types may differ.
    Raises AssertionError that names the leaf and its largest difference.
    """
    if not same_structure(actual, expected):
        raise AssertionError(f"the trees nest differently: {actual!r} and {expected!r}")
    for i, (x, y) in enumerate(zip(leaves(actual), aligned(actual, expected), strict=True)):
        where = f"leaf {i}: " if len(leaves(actual)) > 1 else ""
        if x is None or y is None:
            if x is not y:
                raise AssertionError(f"{where}{x!r} and {y!r}: None equals None alone")
            continue
        a, b = _array(x), _array(y)
        if a.shape != b.shape:
            raise AssertionError(f"{where}shapes differ: {a.shape} and {b.shape}")
        default = max(_TOLERANCES.get(a.dtype.name, 0.0), _TOLERANCES.get(b.dtype.name, 0.0))
        relative = default if rtol is None else rtol
        absolute = default if atol is None else atol
        if a.dtype.kind not in "fc" and b.dtype.kind not in "fc" and not (relative or absolute):
            numpy.testing.assert_array_equal(a, b, err_msg=where)
        else:
            numpy.testing.assert_allclose(a, b, rtol=relative, atol=absolute, err_msg=where)


def _array(x: Any) -> Any:
    array = raw(x)
    if isinstance(array, (bool, int, float, complex)):
        return numpy.asarray(array)
    array = to_numpy(array)
    return array.astype(numpy.float32) if array.dtype.name == "bfloat16" else array


def check_grads(
    function: Callable[..., Any],
    *args: Any,
    order: int = 2,
    argnums: Sequence[int] | None = None,
    eps: float | None = None,
    rtol: float | None = None,
    atol: float | None = None,
    seed: int = 0,
) -> None:
    """Assert that the gradients of `function` at `args` are right, up to derivatives of `order`.

    The derivative along a random direction t is measured by central differences of fourth order,
    ``(8 (f(x + h t) - f(x - h t)) - (f(x + 2 h t) - f(x - 2 h t))) / 12 h``, and must equal <u, J t> computed as <J* u, t> by
    the backward sweep, for random u: one number stands for the whole Jacobian. Order 2 checks the gradient function itself
    in the same way, and so on. Real and complex; a complex direction has random real and imaginary parts.

    Arguments are trees of float64 or complex128 arrays on any backend; integers, booleans and other leaves are passed on
    unchanged. `argnums` names the arguments to differentiate (all with floating-point leaves for None).
    Raises AssertionError with both numbers; OptionError for an argument in less than double precision.
    """
    rng = numpy.random.default_rng(seed)
    chosen = [i for i, arg in enumerate(args) if any(map(_differentiable, leaves(arg)))] if argnums is None else sorted(argnums)
    for i in chosen:
        for leaf in leaves(args[i]):
            if _differentiable(leaf) and numpy_dtype(raw(leaf).dtype).name not in ("float64", "complex128"):
                raise OptionError(f"check_grads: argument {i} has dtype {raw(leaf).dtype}, expected float64 or complex128")
    picked = [leaf for i in chosen for leaf in leaves(args[i]) if _differentiable(leaf)]

    def with_leaves(values: Sequence[Any]) -> list[Any]:
        remaining = iter(values)
        return [
            map_leaves(lambda leaf: next(remaining) if _differentiable(leaf) else leaf, arg) if i in chosen else arg
            for i, arg in enumerate(args)
        ]

    def flat(*values: Any) -> list[Any]:
        return [x for x in leaves(function(*with_leaves(values))) if _differentiable(x)]

    _check(flat, [Tensor(raw(x)) for x in picked], order, eps or 1e-3, rtol or 1e-6, atol or 1e-7, rng)


def _differentiable(x: Any) -> bool:
    array = raw(x)
    return hasattr(array, "dtype") and hasattr(array, "shape") and is_inexact(array.dtype)


def _check(
    function: Callable[..., list[Any]], inputs: list[Tensor], order: int, eps: float, rtol: float, atol: float, rng: Any
) -> None:
    """Check a function from Tensors to a list of Tensors."""
    if order < 1 or not inputs:
        return
    directions = [_random_like(x, rng) for x in inputs]
    outputs, pullback = vjp(function, *inputs)
    weights = [_random_like(x, rng) for x in outputs]
    found = sum(_inner(g, t) for g, t in zip(pullback(weights), directions, strict=True))

    def along(step: float) -> float:
        moved = [Tensor(raw(x + t * step)) for x, t in zip(inputs, directions, strict=True)]
        return sum(_inner(u, y) for u, y in zip(weights, function(*moved), strict=True))

    expected = (8 * (along(eps) - along(-eps)) - (along(2 * eps) - along(-2 * eps))) / (12 * eps)
    if not abs(found - expected) <= atol + rtol * max(abs(expected), abs(found)):
        raise AssertionError(
            f"the gradient along a random direction is {found!r} by the backward sweep and {expected!r} by central differences "
            f"(derivatives of order {order} are left to check, step {eps})"
        )

    def gradient(*values: Any) -> list[Any]:
        _, pull = vjp(function, *values)
        return list(pull(weights))

    _check(gradient, inputs, order - 1, eps, rtol, atol, rng)


def _random_like(x: Any, rng: Any) -> Tensor:
    """Uniform numbers in [-1, 1] (real and imaginary) in the shape, dtype and device of x: bounded, so that steps stay small."""
    array = raw(x)
    shape, dtype = tuple(array.shape), numpy_dtype(array.dtype)
    values = rng.uniform(-1, 1, shape) + (1j * rng.uniform(-1, 1, shape) if dtype.kind == "c" else 0)
    made = numpy.asarray(values, dtype=dtype)
    if isinstance(array, (numpy.ndarray, numpy.generic)):
        return Tensor(made)
    return Tensor(like(made, array))


def like(values: Any, array: Any) -> Any:
    """A NumPy array as an array of the library and device of the raw array `array`."""
    where = device_of(array)
    if str(where).startswith("cuda"):
        return to_device(values, where)
    namespace = array.__array_namespace__()
    return namespace.asarray(values, device=where)


def _inner(u: Any, v: Any) -> float:
    """The real inner product Re <u, v>, under which a gradient pairs with a direction."""
    return float(numpy.sum(numpy.conj(_array(u)) * _array(v)).real)


__all__ = ["assert_close", "check_grads"]
