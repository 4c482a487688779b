"""Indexing with everything NumPy indexes with: reading, writing into a copy, and the gradients of both."""

from __future__ import annotations

from typing import Any

import hypothesis.extra.numpy as hnp
import numpy
import pytest
from backends import CUPY, Backend
from hypothesis import assume, given
from hypothesis import strategies as st

import gpugrad as gg
from gpugrad.ops.indexing import put
from gpugrad.tape import raw
from gpugrad.testing import assert_close, check_grads

SHAPES = hnp.array_shapes(min_dims=1, max_dims=3, min_side=1, max_side=4)


@st.composite
def advanced_keys(draw: Any, shape: tuple[int, ...]) -> Any:
    """Tuples of ints, slices, None, at most one Ellipsis, boolean masks and integer arrays that broadcast together."""
    together = draw(hnp.array_shapes(min_dims=0, max_dims=2, min_side=1, max_side=3))
    key: list[Any] = []
    axis = 0
    stop = draw(st.integers(0, len(shape)))  # axes that the key names; the rest is left out or stands for an Ellipsis
    while axis < stop:
        n = shape[axis]
        kind = draw(st.sampled_from(["int", "slice", "array", "mask", "new"]))
        if kind == "int":
            key.append(draw(st.integers(-n, n - 1)))
        elif kind == "slice":
            key.append(draw(st.slices(n)))
        elif kind == "array":
            sides = tuple(1 if draw(st.booleans()) else side for side in together)
            key.append(numpy.asarray(draw(hnp.arrays("int64", sides, elements=st.integers(-n, n - 1)))))
        elif kind == "mask" and together == ():  # the positions of a mask would have to broadcast with other arrays
            key.append(draw(hnp.arrays(bool, (n,))))
            together = (1,)
        elif kind == "new":
            key.append(None)
            continue
        else:
            key.append(slice(None, None, -1))
        axis += 1
    if draw(st.booleans()):
        key.append(Ellipsis)
    return key[0] if len(key) == 1 and draw(st.booleans()) else tuple(key)


@st.composite
def indexed(draw: Any) -> tuple[Any, Any]:
    """An array of distinct numbers and a key for it."""
    shape = draw(SHAPES)
    whole = hnp.arrays(bool, shape)
    kinds = st.one_of(
        hnp.basic_indices(shape, allow_newaxis=True, allow_ellipsis=True),
        advanced_keys(shape),
        whole,
        hnp.integer_array_indices(shape),
    )
    return numpy.arange(1.0, 1 + numpy.prod(shape)).reshape(shape), draw(kinds)


def on_backend(backend: Backend, key: Any) -> Any:
    """A key with Tensors of the backend for its arrays."""
    if isinstance(key, tuple):
        return tuple(on_backend(backend, part) for part in key)
    return gg.asarray(backend.asarray(key)) if isinstance(key, numpy.ndarray) else key


def weights_like(x: Any) -> Any:
    return 0.5 + numpy.arange(x.size).reshape(x.shape) ** 2


@given(case=indexed())
def test_reading(backend: Backend, case: tuple[Any, Any]) -> None:
    x, key = case
    expected = x[key]
    tensor = gg.asarray(backend.asarray(x)).requires_grad_()
    found = tensor[on_backend(backend, key)]
    assert found.shape == expected.shape
    numpy.testing.assert_array_equal(backend.to_numpy(found.array), expected)
    weights = weights_like(expected)
    found.backward(gg.asarray(backend.asarray(weights)))
    gradient = numpy.zeros_like(x)
    numpy.add.at(gradient, key, weights)
    numpy.testing.assert_array_equal(backend.to_numpy(tensor.grad.array), gradient)


@given(case=indexed())
def test_a_key_may_hold_arrays_and_lists(case: tuple[Any, Any]) -> None:
    """The other tests have Tensors in it."""
    x, key = case
    numpy.testing.assert_array_equal(gg.asarray(x)[key].array, x[key])
    if isinstance(key, numpy.ndarray) and key.size:
        numpy.testing.assert_array_equal(gg.asarray(x)[key.tolist()].array, x[key])


@given(case=indexed(), stretched=st.booleans())
def test_writing(backend: Backend, case: tuple[Any, Any], stretched: bool) -> None:
    """``y[key] = value`` on a recorded copy: NumPy's in-place result; gradients to what is still there and to what was stored."""
    x, key = case
    value = -weights_like(x[key]) - 1
    # Of several values for one element a GPU stores any.
    assume(backend is not CUPY or numpy.unique(x[key]).size == value.size)
    if stretched and value.ndim:
        value = value[:1]
    expected = x.copy()
    expected[key] = value
    source, stored = (gg.asarray(backend.asarray(a)).requires_grad_() for a in (x, numpy.asarray(value)))
    y = +source
    before = y.array
    y[on_backend(backend, key)] = stored
    numpy.testing.assert_array_equal(backend.to_numpy(y.array), expected)
    numpy.testing.assert_array_equal(backend.to_numpy(before), x)  # what others hold has not changed
    weights = weights_like(x)
    y.backward(gg.asarray(backend.asarray(weights)))
    # Which element of `value` was stored in each place, 0 for none: stored in the same way.
    number = numpy.zeros(x.shape, int)
    number[key] = 1 + numpy.arange(value.size).reshape(value.shape)
    numpy.testing.assert_array_equal(backend.to_numpy(source.grad.array), numpy.where(number, 0, weights))
    of_value = numpy.bincount(number.reshape(-1), weights.reshape(-1), minlength=1 + value.size)[1:].reshape(value.shape)
    numpy.testing.assert_allclose(backend.to_numpy(stored.grad.array), of_value, rtol=1e-15)


@given(case=indexed())
def test_second_order(case: tuple[Any, Any]) -> None:
    x, key = case

    def read_and_write(a: gg.Tensor, b: gg.Tensor) -> gg.Tensor:
        out = a * a
        out[key] = b[key] ** 3
        return out * out[key].sum()

    # Reading and writing are linear: no step is too long for central differences.
    check_grads(read_and_write, x / x.size, (x + 1) / x.size, order=2, rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize(
    ("key", "message"),
    [
        (3, "key=3: .*out of bounds"),
        ((0, 0), r"key=\[0, 0\]: too many indices"),
        (1.5, r"key=1\.5: only integers"),
        ("a", "only integers"),
        ([True, False], r"key=bool \(2,\): boolean index did not match"),
    ],
)
def test_bad_keys(key: Any, message: str) -> None:
    x = gg.ones(3)
    with pytest.raises(gg.IndexingError, match=rf"getitem: got float32 \(3,\), .*{message}"):
        x[key]
    with pytest.raises(gg.IndexingError, match=rf"put: got float32 \(3,\) and 1\.0, .*{message}"):
        x[key] = 1.0


def test_a_value_that_does_not_fit_is_named() -> None:
    x = +gg.tensor([1.0, 2.0, 3.0], requires_grad=True)
    with pytest.raises(gg.ShapeError, match=r"put: got float32 \(3,\) and float32 \(2,\)"):
        x[:] = gg.ones(2)
    assert x.tolist() == [1.0, 2.0, 3.0]


@pytest.mark.parametrize("value", [1j, numpy.complex64(1j), numpy.asarray([1j])])
def test_half_of_a_complex_value_is_not_lost(value: Any, backend: Backend) -> None:
    x = +gg.asarray(backend.asarray(numpy.ones(2))).requires_grad_()
    written = gg.asarray(backend.asarray(value)) if isinstance(value, numpy.ndarray) else value
    message = r"^put: got .* for dtype float64; a complex array has two: gg.real\(x\)"
    with pytest.raises(gg.DTypeError, match=message):
        x[:1] = written
    with pytest.raises(gg.DTypeError, match=message):
        put(x.array, raw(written), slice(1))
    assert backend.to_numpy(x.array).tolist() == [1.0, 1.0]


def test_writing_without_recording_changes_no_array_that_another_holds() -> None:
    theirs = numpy.zeros(3)
    x = gg.asarray(theirs)
    x[0] = 5.0
    assert x.tolist() == [5.0, 0.0, 0.0]
    assert theirs.tolist() == [0.0, 0.0, 0.0]


def test_take_of_repeated_indices_adds_gradients(backend: Backend) -> None:
    x = gg.asarray(backend.asarray(numpy.asarray([1.0, 2.0, 3.0]))).requires_grad_()
    indices = gg.asarray(backend.asarray(numpy.asarray([0, 2, 0])))
    gg.sum(gg.take(x, indices) * 2).backward()
    assert backend.to_numpy(x.grad.array).tolist() == [4.0, 0.0, 2.0]


@pytest.mark.parametrize("name", ["take", "take_along_axis"])
def test_indices_out_of_range_are_named(name: str) -> None:
    with pytest.raises(gg.IndexingError, match=rf"{name}: got float32 \(3,\) and int64 \(1,\).*out of bounds"):
        getattr(gg, name)(gg.ones(3), gg.asarray([3]), axis=0)


def test_repeats_that_do_not_fit_are_named() -> None:
    with pytest.raises(
        gg.ShapeError, match=r"repeat: got repeats of shape \(2,\), expected \(3,\), one for each element of axis 0"
    ):
        gg.repeat(gg.ones(3), gg.asarray([1, 2]))
    with pytest.raises(gg.ShapeError, match="repeat: repeats is -1, expected 0 or more"):
        gg.repeat(gg.ones(3), -1)
    for repeats in (1.5, gg.tensor(1.5, requires_grad=True), numpy.array([1.0, 2.0, 3.0]), [1, 2, 3]):
        with pytest.raises(gg.DTypeError, match="repeat: repeats is .*, expected an integer or an array of integers"):
            gg.repeat(gg.ones(3), repeats)


def test_a_diagonal_needs_a_vector_or_a_matrix() -> None:
    with pytest.raises(gg.ShapeError, match=r"^diag: got shape \(2, 2, 2\), expected one or two dimensions"):
        gg.diag(gg.ones((2, 2, 2)))


@pytest.mark.parametrize("places", [(7, 9), (400,)])
@pytest.mark.parametrize("row", [(32,), (4, 8)])
def test_rows_that_many_places_take_give_it_the_sum(places: tuple[int, ...], row: tuple[int, ...]) -> None:
    """So many elements that NumPy's are added up row by row."""
    rng = numpy.random.default_rng(0)
    key, g = rng.integers(-11, 11, places), rng.normal(size=(*places, *row))
    x = gg.tensor(numpy.zeros((11, *row)), requires_grad=True)
    (found,) = gg.gradients([x[key]], [x], [gg.asarray(g)])
    expected = numpy.zeros((11, *row))
    numpy.add.at(expected, (key,), g)
    assert_close(found, expected)


@pytest.mark.parametrize("dtype", [numpy.int8, numpy.uint8, numpy.uint64])
def test_rows_are_added_up_for_indices_of_any_dtype(dtype: type) -> None:
    """More rows than the smaller ones can count."""
    key = numpy.asarray([3, 100, 3], dtype)
    x = gg.tensor(numpy.zeros((1000, 400)), requires_grad=True)
    gg.take(x, key, axis=0).sum().backward()
    assert x.grad is not None
    assert_close(gg.sum(x.grad, axis=1)[numpy.asarray([3, 100])], numpy.asarray([800.0, 400.0]))
