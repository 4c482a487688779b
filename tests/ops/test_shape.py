"""What the shape functions refuse, and that they do not copy."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy
import pytest
from backends import Backend

import gpugrad as gg

REFUSED: dict[str, tuple[Callable[[], Any], str]] = {
    "reshape": (lambda: gg.reshape(gg.ones((2, 3)), (4,)), r"reshape: got float32 \(2, 3\), shape=\[4\]: cannot reshape"),
    "broadcast_to": (lambda: gg.broadcast_to(gg.ones((2, 3)), (2, 2)), r"broadcast_to: got float32 \(2, 3\), shape=\[2, 2\]"),
    "expand_dims": (lambda: gg.expand_dims(gg.ones(2), axis=3), r"expand_dims: got float32 \(2,\), axis=3"),
    "squeeze": (lambda: gg.squeeze(gg.ones((2, 1)), axis=0), r"squeeze: got float32 \(2, 1\)"),
    "permute_dims": (lambda: gg.permute_dims(gg.ones((2, 3)), (0, 0)), r"permute_dims: got float32 \(2, 3\), axes=\[0, 0\]"),
    "matrix_transpose": (lambda: gg.matrix_transpose(gg.ones(2)), r"matrix_transpose: got float32 \(2,\)"),
    "moveaxis": (lambda: gg.moveaxis(gg.ones((2, 3)), 2, 0), r"moveaxis: got float32 \(2, 3\), source=2"),
    "flip": (lambda: gg.flip(gg.ones((2, 3)), axis=2), r"flip: got float32 \(2, 3\), axis=2"),
    "roll": (lambda: gg.roll(gg.ones((2, 3)), 1, axis=2), r"roll: got float32 \(2, 3\), shift=1, axis=2"),
    "concat of nothing": (lambda: gg.concat([]), "concat: got no arrays, expected one or more"),
    "concat": (lambda: gg.concat([gg.ones((2, 3)), gg.ones((2, 2))]), r"concat: got .*float32 \(2, 3\).*float32 \(2, 2\)"),
    "concat of numbers of axes": (
        lambda: gg.concat([gg.ones((2, 3)), gg.ones(2)]),
        r"concat: got .*float32 \(2, 3\).*float32 \(2,\)",
    ),
    "stack": (lambda: gg.stack([gg.ones(2), gg.ones(3)]), r"stack: got shapes \(2,\) and \(3,\), expected the same for all"),
    "stack of nothing": (lambda: gg.stack([]), "^stack: got no arrays, expected one or more"),
    "stack axis": (lambda: gg.stack([gg.ones(2)], axis=2), "stack: axis 2 is out of range for an array of 2 dimensions"),
    "unstack": (lambda: gg.unstack(gg.ones(2), axis=1), "unstack: axis 1 is out of range for an array of 1 dimensions"),
    "meshgrid": (lambda: gg.meshgrid(gg.ones((2, 2))), r"meshgrid: got shapes \[\(2, 2\)\], expected 1-d arrays"),
    "broadcast_arrays": (lambda: gg.broadcast_arrays(gg.ones(2), gg.ones(3)), r"shapes \(2,\) and \(3,\) do not broadcast"),
}


@pytest.mark.parametrize("name", REFUSED)
def test_shapes_that_do_not_fit_are_named(name: str) -> None:
    function, message = REFUSED[name]
    with pytest.raises(gg.ShapeError, match=message):
        function()


@pytest.mark.parametrize("function", [gg.expand_dims, gg.sum, gg.unstack, gg.argmax, gg.cumulative_sum])
def test_an_axis_out_of_range_is_an_index_error_too(backend: Backend, function: Callable[..., Any]) -> None:
    x = gg.asarray(backend.asarray(numpy.ones(2)))
    with pytest.raises(IndexError, match=r"axis.*2"):
        function(x, axis=2)


def test_an_iterator_is_stacked() -> None:
    assert gg.stack(gg.full((1,), i) for i in range(2)).tolist() == [[0], [1]]


def test_meshgrid_knows_two_orders() -> None:
    with pytest.raises(ValueError, match="meshgrid: indexing is 'yx', expected 'xy' or 'ij'"):
        gg.meshgrid(gg.ones(2), indexing="yx")


@pytest.mark.parametrize(
    "function",
    [
        lambda x: gg.reshape(x, (6,)), lambda x: gg.permute_dims(x, (1, 0)), lambda x: gg.expand_dims(x, axis=0), gg.flip, gg.matrix_transpose,
        lambda x: gg.broadcast_to(x, (4, 2, 3)), lambda x: gg.unstack(x)[1], lambda x: gg.moveaxis(x, 0, 1),
    ],
)  # fmt: skip
def test_views_share_memory(function: Callable[[Any], Any]) -> None:
    x = gg.ones((2, 3))
    assert numpy.shares_memory(function(x).array, x.array)


def test_reshape_copies_when_asked() -> None:
    x = gg.ones((2, 3))
    assert not numpy.shares_memory(gg.reshape(x, (6,), copy=True).array, x.array)
    with pytest.raises(gg.ShapeError, match="reshape: got"):
        gg.reshape(x.mT, (6,), copy=False)


def test_a_part_of_unstack_that_is_not_used_has_a_zero_gradient() -> None:
    x = gg.tensor([[1.0, 2.0], [3.0, 4.0]], requires_grad=True)
    first, _ = gg.unstack(x)
    gg.sum(first * 3).backward()
    assert x.grad.tolist() == [[3.0, 3.0], [0.0, 0.0]]


def test_the_gradient_of_unstack_lies_as_its_operand() -> None:
    """The parts of a transposed view: its gradient is a view of a packed array, too, so that the view before it takes no copy."""
    x = gg.tensor(numpy.arange(120.0).reshape(5, 3, 2, 4), requires_grad=True)
    view = gg.moveaxis(x, 1, 0)
    seen: list[gg.Tensor] = []
    view.register_hook(seen.append)
    first, _, last = gg.unstack(view)
    (first * 2 + last * last).sum().backward()
    assert numpy.moveaxis(seen[0].numpy(), 0, 1).flags.c_contiguous
    expected = numpy.zeros((5, 3, 2, 4))
    expected[:, 0], expected[:, 2] = 2, 2 * x.detach().numpy()[:, 2]
    assert x.grad is not None
    numpy.testing.assert_array_equal(x.grad.numpy(), expected)
