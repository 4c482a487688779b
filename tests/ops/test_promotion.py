"""Dtype promotion: pairs of dtypes as NumPy promotes them, Python numbers never widening; gradients in the operand's dtype."""

from __future__ import annotations

from typing import Any

import numpy
import pytest
from backends import NUMPY, STRICT, Backend
from hypothesis import assume, given
from hypothesis import strategies as st

import gpugrad as gg
from gpugrad.arrays.dtypes import is_inexact, numpy_dtype

INTEGERS = ["int8", "int16", "int32", "int64", "uint8", "uint16", "uint32", "uint64"]
FLOATS = ["float32", "float64"]
COMPLEX = ["complex64", "complex128"]
STANDARD = ["bool", *INTEGERS, *FLOATS, *COMPLEX]

any_dtype = st.sampled_from([*STANDARD, "float16"])
inexact = st.sampled_from(["float16", *FLOATS, *COMPLEX])
number = st.sampled_from([True, 2, 2.5, 1 + 2j])


def ones(dtype: str) -> Any:
    return numpy.ones(2, dtype)


@given(one=any_dtype, two=any_dtype, op=st.sampled_from(["add", "multiply", "divide", "subtract", "maximum", "pow"]))
def test_arrays_promote_as_in_numpy(one: str, two: str, op: str) -> None:
    try:
        expected = getattr(numpy, op)(ones(one), ones(two))
    except TypeError:  # booleans have no minus
        with pytest.raises(gg.DTypeError, match=rf"^{op}: got {one} \(2,\) and {two} \(2,\)"):
            getattr(gg, op)(gg.asarray(ones(one)), gg.asarray(ones(two)))
        return
    out = getattr(gg, op)(gg.asarray(ones(one)), gg.asarray(ones(two)))
    assert out.dtype == expected.dtype
    assert gg.result_type(ones(one), ones(two)) == numpy.result_type(ones(one), ones(two))


@given(one=st.sampled_from(STANDARD), two=st.sampled_from(STANDARD))
def test_result_type_agrees_with_the_standard_where_that_decides(one: str, two: str) -> None:
    try:
        expected = str(
            STRICT.asarray(ones(one)).__array_namespace__().result_type(STRICT.asarray(ones(one)), STRICT.asarray(ones(two)))
        )
    except TypeError:
        assume(False)
    assert gg.result_type(getattr(gg, one), getattr(gg, two)).name == expected.rpartition(".")[2]


@given(
    dtype=inexact,
    value=number,
    order=st.permutations([0, 1]),
    op=st.sampled_from(["add", "multiply", "divide", "pow", "subtract"]),
)
def test_python_numbers_do_not_widen(dtype: str, value: Any, order: list[int], op: str) -> None:
    x = gg.tensor(ones(dtype), requires_grad=True)
    operands: list[Any] = [x, value]
    out = getattr(gg, op)(*(operands[i] for i in order))
    assert out.dtype == numpy.result_type(numpy.dtype(dtype), value)
    if not isinstance(value, complex):
        assert out.dtype == dtype
    out.backward(gg.ones_like(out.detach()))
    assert x.grad.dtype == dtype


@given(one=inexact, two=inexact, op=st.sampled_from(["add", "multiply", "divide", "subtract", "pow", "matmul", "vecdot"]))
def test_a_gradient_has_the_dtype_of_its_operand(one: str, two: str, op: str) -> None:
    x, y = gg.tensor(ones(one), requires_grad=True), gg.tensor(ones(two), requires_grad=True)
    out = getattr(gg, op)(x, y)
    assert out.dtype == numpy.result_type(numpy.dtype(one), numpy.dtype(two))
    out.backward(gg.ones_like(out.detach()))
    assert (x.grad.dtype, y.grad.dtype) == (one, two)


@given(dtypes=st.lists(any_dtype, min_size=1, max_size=3))
def test_joining_promotes(dtypes: list[str]) -> None:
    parts = [gg.asarray(ones(dtype)) for dtype in dtypes]
    leaves = [x.requires_grad_() for x in parts if is_inexact(x.dtype)]
    for out in (gg.concat(parts), gg.stack(parts)):
        assert out.dtype == numpy.result_type(*map(numpy.dtype, dtypes))
        if out.requires_grad:
            out.backward(gg.ones_like(out.detach()))
    assert [(x.grad.dtype, x.grad.tolist()) for x in leaves] == [(x.dtype, [2, 2]) for x in leaves]


@given(one=any_dtype, two=any_dtype)
def test_choosing_promotes(one: str, two: str) -> None:
    out = gg.where(gg.asarray([True, False]), gg.asarray(ones(one)), gg.asarray(ones(two)))
    assert out.dtype == numpy.result_type(numpy.dtype(one), numpy.dtype(two))


@pytest.mark.parametrize(
    ("x", "y", "dtype"),
    [
        (1.0, 0.0, gg.float32),
        (1, 0.5, gg.float32),
        (1, 0, gg.int64),
        (True, False, gg.bool),
        (True, 2, gg.int64),
        (1, 2j, gg.complex64),
    ],
)
def test_choosing_between_python_numbers_gives_a_default_dtype(x: Any, y: Any, dtype: Any, backend: Backend) -> None:
    mask = backend.asarray(numpy.asarray([True, False]))
    out = gg.where(mask, x, y)
    assert backend.is_array(out)
    assert numpy_dtype(out.dtype) == dtype
    assert backend.to_numpy(out).tolist() == [x, y]
    chosen = gg.where(gg.asarray(mask), x, y)
    assert (chosen.dtype, chosen.device) == (dtype, gg.asarray(mask).device)
    assert not hasattr(gg.where(True, x, y), "dtype")


@pytest.mark.parametrize("dtype", ["bool", *INTEGERS])
def test_integers_do_not_record(dtype: str) -> None:
    x = gg.tensor(ones("float32"), requires_grad=True)
    assert not x.astype(dtype).requires_grad
    assert not (x > 0).requires_grad
    with pytest.raises(gg.DTypeError, match=f"a tensor of dtype {dtype} cannot require a gradient"):
        gg.asarray(ones(dtype)).requires_grad_()


@pytest.mark.parametrize("dtype", INTEGERS)
@pytest.mark.parametrize("name", ["sum", "prod", "cumulative_sum", "cumulative_prod"])
def test_small_integers_are_summed_in_the_default_integer(name: str, dtype: str) -> None:
    found = getattr(gg, name)(gg.asarray(ones(dtype)))
    assert found.dtype == (gg.uint64 if dtype.startswith("u") else gg.int64)


@pytest.mark.parametrize("dtype", ["float16", *FLOATS, *COMPLEX])
@pytest.mark.parametrize("name", ["sum", "prod", "mean", "cumulative_sum", "cumulative_prod"])
def test_floats_are_summed_in_their_own_dtype(name: str, dtype: str) -> None:
    assert getattr(gg, name)(gg.asarray(ones(dtype))).dtype == dtype


@pytest.mark.parametrize("dtype", [*FLOATS, *COMPLEX])
def test_numpy_scalars_keep_their_dtype(dtype: str) -> None:
    scalar = numpy.dtype(dtype).type(2)
    for out in (gg.ones(2) * scalar, scalar * gg.ones(2), gg.add(NUMPY.asarray(ones("float32")), scalar)):
        assert out.dtype == numpy.result_type(numpy.float32, dtype)


def test_a_real_operand_of_a_complex_product_has_a_real_gradient() -> None:
    x = gg.tensor([1.0, 2.0], dtype=gg.float64, requires_grad=True)
    z = gg.asarray(numpy.asarray([1 + 2j, 3 - 1j]))
    gg.sum(gg.real(x * z)).backward()
    assert x.grad.tolist() == [1.0, 3.0]
