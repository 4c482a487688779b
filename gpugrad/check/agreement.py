"""How a record is held to a reference: how far results are apart, and the gradients of an example on a backend."""

from __future__ import annotations

from typing import Any

import numpy

from gpugrad.arrays.dtypes import is_inexact, numpy_dtype
from gpugrad.check.backend import Backend
from gpugrad.check.records.case import Example
from gpugrad.compile.keys import is_array
from gpugrad.differentiate import gradients as gradients_of
from gpugrad.ops.conversion import asarray
from gpugrad.tape import Tensor
from gpugrad.trees import leaves, map_leaves


def distance(found: Any, expected: Any, backend: Backend, rtol: float, atol: float | None = None) -> float:
    """How far the trees of results are apart: the largest ``|found - expected| / (atol + rtol |expected|)``, agreement up to 1.

    `expected` holds NumPy's arrays; `atol` is `rtol` unless given. Infinite where nan or infinity stands in one alone, and where
    integers, booleans and what is no array differ. Raises AssertionError where shapes, dtypes or numbers of results differ.
    """
    found, expected = leaves(found), leaves(expected)
    assert len(found) == len(expected), f"{len(found)} results, expected {len(expected)}"
    atol = rtol if atol is None else atol
    return max((_distance(x, y, backend, rtol, atol) for x, y in zip(found, expected, strict=True)), default=0.0)


def _distance(x: Any, y: Any, backend: Backend, rtol: float, atol: float) -> float:
    if not is_array(y):
        return 0.0 if x == y or str(x) == str(y) else numpy.inf
    array = x if isinstance(x, numpy.generic) else backend.to_numpy(x)
    assert tuple(x.shape) == y.shape, f"the shape is {tuple(x.shape)}, expected {y.shape}"
    assert array.dtype == y.dtype, f"the dtype is {array.dtype}, expected {y.dtype}"
    return apart(array, y, rtol, atol)


def apart(x: Any, y: Any, rtol: float, atol: float) -> float:
    """The same for two of NumPy's arrays of one shape, whatever their dtypes."""
    x, y = numpy.asarray(x), numpy.asarray(y)
    if not is_inexact(y.dtype):
        return 0.0 if numpy.array_equal(x, y) else numpy.inf
    wide = numpy.complex128 if y.dtype.kind == "c" else numpy.float64
    x, y = x.astype(wide), y.astype(wide)
    with numpy.errstate(all="ignore"):
        ratio = numpy.abs(x - y) / (atol + rtol * numpy.abs(y))
    same = (x == y) | (numpy.isnan(x) & numpy.isnan(y))
    ratio = numpy.where(same, 0.0, numpy.where(numpy.isfinite(ratio) & numpy.isfinite(y), ratio, numpy.inf))
    return float(numpy.max(ratio, initial=0.0))


def records(x: Any) -> bool:
    """Whether an argument is one to differentiate."""
    return is_array(x) and is_inexact(x.dtype)


def gradients(
    example: Example, backend: Backend, *, precision: str = "float64", create_graph: bool = False, order: int = 1
) -> list[Any]:
    """The gradients of <random weights, results> with respect to the arguments: Tensors. Of `order` 2, those of these gradients.

    The weights are the same for every backend. Raises AssertionError for a gradient of another library, shape or dtype than its
    argument. An argument that the gradients of the order before do not depend on has a gradient of None; where they depend on
    none, there are no gradients.
    """
    arguments = map_leaves(lambda x: asarray(x).requires_grad_() if records(x) else x, example.arguments(precision, backend))
    outputs = [x for x in leaves(example.run(*arguments)) if isinstance(x, Tensor) and x.requires_grad]
    inputs = [x for x in leaves(arguments) if isinstance(x, Tensor)]
    rng = numpy.random.default_rng(0)
    found: list[Any] = []
    for remaining in reversed(range(order)):
        weights = [asarray(backend.asarray(_weight(rng, x.shape, x.dtype))) for x in outputs]
        found = gradients_of(outputs, inputs, weights, create_graph=create_graph or remaining > 0, allow_unused=order > 1)
        for g, x in zip(found, inputs, strict=True):
            assert g is None or backend.is_array(g.array), f"a gradient is a {type(g.array)}"
            assert g is None or (g.shape, g.dtype) == (x.shape, x.dtype), (
                f"a gradient is {g.dtype}{g.shape} of {x.dtype}{x.shape}"
            )
        outputs = [g for g in found if g is not None and g.requires_grad]
        if not outputs and remaining:
            return []
    return found


def _weight(rng: numpy.random.Generator, shape: tuple[int, ...], dtype: Any) -> Any:
    values = rng.uniform(-1, 1, shape)
    made = values + 1j * rng.uniform(-1, 1, shape) if numpy_dtype(dtype).kind == "c" else values
    return numpy.asarray(made).astype(dtype)
