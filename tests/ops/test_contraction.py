"""What products and einsum refuse."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

import numpy
import pytest
from backends import Backend

import gpugrad as gg
from gpugrad.ops import einsum as einsum_module

REFUSED: dict[str, tuple[Callable[[], Any], str]] = {
    "matmul": (
        lambda: gg.ones((2, 3)) @ gg.ones((2, 3)),
        r"matmul: got float32 \(2, 3\) and float32 \(2, 3\): the inner sizes, 3 and 2",
    ),
    "matmul of a vector": (lambda: gg.ones((2, 3)) @ gg.ones(2), r"matmul: .*: the inner sizes, 3 and 2, must be equal$"),
    "matmul of stacks": (
        lambda: gg.ones((2, 1, 3)) @ gg.ones((3, 3, 1)),
        r"matmul: .*: the leading shapes \(2,\) and \(3,\) do not broadcast$",
    ),
    "matmul of scalars": (
        lambda: gg.matmul(gg.ones(()), gg.ones(2)),
        r"matmul: got float32 \(\) and float32 \(2,\): expected one dim",
    ),
    "vecdot": (
        lambda: gg.vecdot(gg.ones(2), gg.ones(3)),
        r"vecdot: got shapes \(2,\) and \(3,\): the sizes along axis -1, 2 and 3, must be equal",
    ),
    "vecdot axis": (
        lambda: gg.vecdot(gg.ones(3), gg.ones((2, 3)), axis=-2),
        "vecdot: axis -2 is out of range for an array of 1 dimensions",
    ),
    "vecdot of scalars": (lambda: gg.vecdot(gg.ones(()), gg.ones(2)), "vecdot: axis -1 is out of range for an array of 0"),
    "vecdot of stacks": (
        lambda: gg.vecdot(gg.ones((2, 3)), gg.ones((4, 3))),
        r"vecdot: got shapes \(2, 3\) and \(4, 3\): the other axes, \(2,\) and \(4,\), do not broadcast",
    ),
    "tensordot": (
        lambda: gg.tensordot(gg.ones((2, 3)), gg.ones((2, 3)), axes=1),
        r"tensordot: shapes \(2, 3\) and \(2, 3\) with axes \(1,\) and \(0,\): the paired sizes \[3\] and \[2\] must be equal",
    ),
    "tensordot axes": (
        lambda: gg.tensordot(gg.ones(2), gg.ones(2), axes=2),
        r"tensordot: axes is 2, expected 0 to the smaller number",
    ),
    "einsum count": (lambda: gg.einsum("i,i", gg.ones(2)), "einsum: 'i,i' names 2 operands, but 1 were given"),
    "einsum axes": (lambda: gg.einsum("ij", gg.ones(2)), r"einsum: 'ij' of 'ij' does not fit operand 0 of shape \(2,\)"),
    "einsum sizes": (lambda: gg.einsum("i,i", gg.ones(2), gg.ones(3)), "einsum: in 'i,i' axis 'i' has sizes 2 and 3"),
    "einsum diagonal": (
        lambda: gg.einsum("ii->i", gg.ones((1, 3))),
        r"^einsum: in 'ii->i' axis 'i' has sizes 1 and 3 in operand 0 of shape \(1, 3\)",
    ),
    "einsum result": (lambda: gg.einsum("i->j", gg.ones(2)), "einsum: the result of 'i->j' must name each of its axes once"),
    "einsum letters": (lambda: gg.einsum("i;j", gg.ones(2)), "einsum: 'i;j' may only contain letters"),
}


@pytest.mark.parametrize("name", REFUSED)
def test_shapes_that_do_not_fit_are_named(name: str) -> None:
    function, message = REFUSED[name]
    with pytest.raises(gg.ShapeError, match=message):
        function()


@pytest.mark.parametrize("axis", [1.5, "x", (0,), None])
def test_an_axis_that_is_no_integer_is_named(axis: Any) -> None:
    for name, function in (
        ("vecdot", lambda: gg.vecdot(gg.ones((2, 2)), gg.ones((2, 2)), axis=axis)),
        ("unstack", lambda: gg.unstack(gg.ones((2, 2)), axis=axis)),
        ("diff", lambda: gg.diff(gg.ones((2, 2)), axis=axis)),
    ):
        with pytest.raises(gg.DTypeError, match=re.escape(f"{name}: axis is {axis!r}, expected an integer")):
            function()


def test_inner_sizes_are_named_on_every_backend(backend: Backend) -> None:
    x, y = (gg.asarray(backend.asarray(numpy.ones(shape))) for shape in ((2, 3), (4, 5)))
    with pytest.raises(
        gg.ShapeError, match=r"^matmul: got .*\(2, 3\) and .*\(4, 5\): the inner sizes, 3 and 4, must be equal$"
    ):
        gg.matmul(x, y)


def test_vecdot_conjugates_its_first_operand() -> None:
    x, y = numpy.asarray([1 + 2j, 3j]), numpy.asarray([2 - 1j, 1 + 1j])
    assert gg.vecdot(gg.asarray(x), gg.asarray(y)).item() == numpy.vdot(x, y)


@pytest.mark.parametrize("dtype", [gg.float32, gg.float16])
def test_products_keep_their_dtype(dtype: Any) -> None:
    x, y = gg.tensor(numpy.ones((2, 3), dtype), requires_grad=True), gg.tensor(numpy.ones((3, 2), dtype), requires_grad=True)
    out = gg.einsum("ij,jk->ik", x, y) + x @ y
    gg.sum(out).backward()
    assert (out.dtype, x.grad.dtype, y.grad.dtype) == (dtype,) * 3


def test_subscripts_that_are_no_string() -> None:
    with pytest.raises(gg.DTypeError, match="einsum: the subscripts are int, expected a string such as 'ij,jk->ik'"):
        gg.einsum(3, gg.ones(2))  # type: ignore[arg-type]


def test_einsum_multiplies_in_pairs() -> None:
    """Not all at once, nor from left to right, though results on the way are larger than operands and result."""
    shapes = ((9, 2, 9), (9, 2, 9), (9, 2, 9), (9, 2, 9))
    steps = list(einsum_module._searched(("iaj", "jbk", "kcl", "ldi"), "abcd", shapes))
    assert steps == [(0, 1), (0, 1), (0, 1)]
    rng = numpy.random.default_rng(0)
    operands = [rng.standard_normal(shape) for shape in shapes]
    subscripts = "iaj,jbk,kcl,ldi->abcd"
    numpy.testing.assert_allclose(gg.einsum(subscripts, *operands), numpy.einsum(subscripts, *operands))


def test_einsum_records_nothing_for_axes_that_are_in_order() -> None:
    x, y = (gg.tensor(numpy.ones((2, 3, 3)), requires_grad=True) for _ in range(2))
    out = gg.einsum("bij,bjk->bik", x, y)
    assert [parent for parent, _, _ in out.node.edges] == [x.node, y.node]


@pytest.mark.parametrize("subscripts", ["bj,boj->bo", "boj,bj->bo"])
def test_a_stack_of_matrices_times_vectors_has_gradients_that_lie_as_the_matrices_do(subscripts: str) -> None:
    rng = numpy.random.default_rng(0)
    arrays = {"boj": rng.standard_normal((2, 3, 4)), "bj": rng.standard_normal((2, 4))}
    operands = [arrays[labels] for labels in subscripts.partition("->")[0].split(",")]
    gradients = dict(
        zip(map(numpy.ndim, operands), gg.grad(lambda *xs: gg.sum(gg.einsum(subscripts, *xs)), (0, 1))(*operands), strict=True)
    )
    numpy.testing.assert_allclose(gradients[3], numpy.broadcast_to(arrays["bj"][:, None], (2, 3, 4)))
    numpy.testing.assert_allclose(gradients[2], arrays["boj"].sum(axis=1))
    assert gradients[3].flags.c_contiguous
