"""Broadcasting on random shapes: values as NumPy's, and gradients summed back to the shape of each operand."""

from __future__ import annotations

from typing import Any

import hypothesis.extra.numpy as hnp
import numpy
import pytest
from backends import Backend
from hypothesis import given
from hypothesis import strategies as st

import gpugrad as gg

SHAPES = hnp.mutually_broadcastable_shapes(num_shapes=2, max_dims=4, max_side=3, min_side=0)


def summed_to(g: Any, shape: tuple[int, ...]) -> Any:
    """The sum of g over the axes along which an array of `shape` was stretched, the slow and obvious way."""
    out = numpy.zeros(shape)
    numpy.add.at(out.reshape(-1), numpy.broadcast_to(numpy.arange(out.size).reshape(shape), g.shape).reshape(-1), g.reshape(-1))
    return out


def draws(seed: int, *shapes: tuple[int, ...]) -> list[Any]:
    rng = numpy.random.default_rng(seed)
    return [rng.uniform(0.5, 2, shape) for shape in shapes]


# The derivative of each op with respect to its operands, of the operands stretched to the common shape.
OPS = {
    "add": lambda x, y: (numpy.ones_like(x), numpy.ones_like(x)),
    "subtract": lambda x, y: (numpy.ones_like(x), -numpy.ones_like(x)),
    "multiply": lambda x, y: (y, x),
    "divide": lambda x, y: (1 / y, -x / y**2),
    "hypot": lambda x, y: (x / numpy.hypot(x, y), y / numpy.hypot(x, y)),
    "maximum": lambda x, y: (x > y, y > x),
}


@pytest.mark.parametrize("name", OPS)
@given(shapes=SHAPES, seed=st.integers(0, 99))
def test_values_and_gradients_broadcast(backend: Backend, name: str, shapes: Any, seed: int) -> None:
    (shape1, shape2), result_shape = shapes
    x, y, weights = draws(seed, shape1, shape2, result_shape)
    one, two = (gg.asarray(backend.asarray(a)).requires_grad_() for a in (x, y))
    out = getattr(gg, name)(one, two)
    assert out.shape == result_shape
    numpy.testing.assert_allclose(backend.to_numpy(out.array), getattr(numpy, name)(x, y))
    out.backward(gg.asarray(backend.asarray(weights)))
    slopes = OPS[name](*numpy.broadcast_arrays(x, y))
    for operand, given_shape, slope in ((one, shape1, slopes[0]), (two, shape2, slopes[1])):
        assert operand.grad.shape == given_shape
        numpy.testing.assert_allclose(backend.to_numpy(operand.grad.array), summed_to(weights * slope, given_shape), atol=1e-12)


@given(shapes=hnp.mutually_broadcastable_shapes(num_shapes=3, max_dims=3, max_side=3), seed=st.integers(0, 99))
def test_where_broadcasts_three_ways(backend: Backend, shapes: Any, seed: int) -> None:
    (shape0, shape1, shape2), result_shape = shapes
    condition, x, y, weights = draws(seed, shape0, shape1, shape2, result_shape)
    chosen = condition > 1
    one, two = (gg.asarray(backend.asarray(a)).requires_grad_() for a in (x, y))
    out = gg.where(gg.asarray(backend.asarray(chosen)), one, two)
    numpy.testing.assert_array_equal(backend.to_numpy(out.array), numpy.where(chosen, x, y))
    out.backward(gg.asarray(backend.asarray(weights)))
    numpy.testing.assert_allclose(backend.to_numpy(one.grad.array), summed_to(weights * chosen, shape1), atol=1e-12)
    numpy.testing.assert_allclose(backend.to_numpy(two.grad.array), summed_to(weights * ~chosen, shape2), atol=1e-12)


@given(
    shapes=hnp.mutually_broadcastable_shapes(signature="(n,k),(k,m)->(n,m)", max_dims=2, max_side=3, min_side=0),
    seed=st.integers(0, 99),
)
def test_matmul_broadcasts_stacks(backend: Backend, shapes: Any, seed: int) -> None:
    (shape1, shape2), result_shape = shapes
    x, y, weights = draws(seed, shape1, shape2, result_shape)
    one, two = (gg.asarray(backend.asarray(a)).requires_grad_() for a in (x, y))
    out = one @ two
    assert out.shape == result_shape
    numpy.testing.assert_allclose(backend.to_numpy(out.array), x @ y)
    out.backward(gg.asarray(backend.asarray(weights)))
    of_x, of_y = (
        weights @ numpy.broadcast_to(y, (*result_shape[:-2], *shape2[-2:])).mT,
        numpy.broadcast_to(x, (*result_shape[:-2], *shape1[-2:])).mT @ weights,
    )
    numpy.testing.assert_allclose(backend.to_numpy(one.grad.array), summed_to(of_x, shape1), atol=1e-12)
    numpy.testing.assert_allclose(backend.to_numpy(two.grad.array), summed_to(of_y, shape2), atol=1e-12)


@given(shapes=hnp.mutually_broadcastable_shapes(num_shapes=3, max_dims=4, max_side=3, min_side=0))
def test_broadcast_shapes(shapes: Any) -> None:
    assert gg.broadcast_shapes(*shapes.input_shapes) == shapes.result_shape


@given(one=hnp.array_shapes(min_dims=0, max_dims=3, max_side=3), two=hnp.array_shapes(min_dims=0, max_dims=3, max_side=3))
def test_shapes_that_do_not_broadcast_are_named(one: tuple[int, ...], two: tuple[int, ...]) -> None:
    x, y = numpy.ones(one), numpy.ones(two)
    try:
        expected = numpy.broadcast_shapes(one, two)
    except ValueError:
        with pytest.raises(gg.ShapeError) as caught:
            gg.asarray(x) * y
        assert str(caught.value).startswith(f"multiply: shapes {one} and {two} do not broadcast")
    else:
        assert (gg.asarray(x) * y).shape == expected
