"""Reductions where the record's checks do not reach: ties, zeros, nothing to reduce, axes that do not exist."""

from __future__ import annotations

import warnings
from typing import Any

import numpy
import pytest
from backends import STRICT, Backend

import gpugrad as gg


def gradient(function: Any, values: Any) -> Any:
    x = gg.tensor(values, dtype=gg.float64, requires_grad=True)
    with numpy.errstate(all="ignore"):
        gg.sum(function(x)).backward()
    return x.grad.tolist()


@pytest.mark.parametrize("name", ["max", "min"])
def test_ties_share_equally(name: str, backend: Backend) -> None:
    x = gg.asarray(backend.asarray(numpy.asarray([[2.0, 2.0, 2.0], [2.0, 2.0, 2.0]]))).requires_grad_()
    gg.sum(getattr(gg, name)(x, axis=1) * 6).backward()
    assert backend.to_numpy(x.grad.array).tolist() == [[2.0, 2.0, 2.0], [2.0, 2.0, 2.0]]
    x.grad = None
    getattr(gg, name)(x).backward()
    assert backend.to_numpy(x.grad.array) == pytest.approx(numpy.full((2, 3), 1 / 6))


@pytest.mark.parametrize("name", ["max", "min"])
def test_nan_propagates(name: str) -> None:
    assert numpy.isnan(getattr(gg, name)(gg.asarray([1.0, gg.nan, 2.0])).item())


def test_std_of_equal_elements_has_a_zero_gradient() -> None:
    assert gradient(gg.std, [3.0, 3.0, 3.0]) == [0.0, 0.0, 0.0]


@pytest.mark.parametrize("correction", [0, 1, 0.5, 2])
def test_correction_is_not_ignored(correction: float) -> None:
    values = [1.0, 2.0, 4.0, 8.0]
    x = numpy.asarray(values)
    scale = 2 / (4 - correction)
    assert gradient(lambda t: gg.var(t, correction=correction), values) == pytest.approx(scale * (x - x.mean()))
    assert gradient(lambda t: gg.std(t, correction=correction), values) == pytest.approx(
        scale * (x - x.mean()) / (2 * x.std(ddof=correction))
    )


def test_products_of_zeros() -> None:
    assert gradient(gg.prod, [2.0, 0.0, 3.0]) == [0.0, 6.0, 0.0]
    assert gradient(gg.prod, [0.0, 0.0, 3.0]) == [0.0, 0.0, 0.0]
    assert gradient(gg.cumulative_prod, [2.0, 0.0, 3.0]) == [1.0, 8.0, 0.0]


def test_sums_and_products_of_nothing() -> None:
    assert gg.sum(gg.zeros((0, 2)), axis=0).tolist() == [0.0, 0.0]
    assert gg.prod(gg.zeros((0, 2)), axis=0).tolist() == [1.0, 1.0]
    assert gradient(lambda x: gg.sum(x) + gg.prod(x), numpy.zeros((0, 2))) == []


@pytest.mark.parametrize("name", ["max", "min"])
def test_no_extremum_of_nothing(name: str) -> None:
    with pytest.raises(gg.ShapeError, match=rf"{name}: got float32 \(0, 2\), axis=0: "):
        getattr(gg, name)(gg.zeros((0, 2)), axis=0)


@pytest.mark.parametrize("name", ["sum", "prod", "mean", "var", "std", "max", "min", "all", "any", "count_nonzero"])
def test_an_axis_out_of_range_is_named(name: str) -> None:
    with pytest.raises(gg.ShapeError, match=rf"{name}: got float32 \(2, 3\), axis=2.*out of bounds"):
        getattr(gg, name)(gg.ones((2, 3)), axis=2)


@pytest.mark.parametrize("name", ["sum", "prod", "mean", "var", "std", "max", "min"])
def test_an_axis_named_twice_is_refused(name: str) -> None:
    with pytest.raises(gg.ShapeError, match=rf"{name}: got float32 \(2, 3\), axis=.*duplicate"):
        getattr(gg, name)(gg.ones((2, 3)), axis=(0, -2))


@pytest.mark.parametrize("name", ["cumulative_sum", "cumulative_prod"])
def test_the_axis_of_a_cumulative_function_may_be_left_out_for_one_dimension_only(name: str) -> None:
    with pytest.raises(gg.ShapeError, match=rf"{name}: got float32 \(2, 3\): axis must be specified"):
        getattr(gg, name)(gg.ones((2, 3)))
    with pytest.raises(gg.ShapeError, match=rf"{name}: got float32 \(3,\), axis=1.*out of bounds"):
        getattr(gg, name)(gg.ones(3), axis=1)


def test_mean_of_float16_does_not_overflow() -> None:
    assert gg.mean(gg.full((100_000,), 2.0, dtype=gg.float16)).item() == 2.0


def test_a_float32_mean_of_integers_is_a_float64() -> None:
    assert gg.mean(gg.asarray([1, 2])).item() == 1.5


def test_diff_refuses_a_negative_number_of_times() -> None:
    with pytest.raises(ValueError, match="diff: n is -1, expected 0 or more"):
        gg.diff(gg.ones(3), n=-1)


HALVES = 70_000  # float16 ends at 65504


@pytest.mark.parametrize("name", ["mean", "max", "min", "var", "std"])
@pytest.mark.parametrize("scale", [1.0, 1000.0])
def test_gradients_of_many_float16_elements(name: str, scale: float, backend: Backend) -> None:
    if backend is STRICT:
        return  # it has no float16
    values = numpy.full(HALVES, 2.0, "float16")
    if name in ("var", "std"):
        values[::2] = -2.0
    x = gg.asarray(backend.asarray(values)).requires_grad_()
    expected = gg.asarray(backend.asarray(values.astype("float64"))).requires_grad_()
    out = getattr(gg, name)(x)
    assert out.item() == getattr(numpy, name)(values.astype("float64"))
    for argument in (x, expected):
        gg.sum(getattr(gg, name)(argument) * scale).backward()
    assert x.grad.dtype == gg.float16
    numpy.testing.assert_allclose(backend.to_numpy(x.grad.array), backend.to_numpy(expected.grad.array), rtol=5e-3)


@pytest.mark.parametrize("correction", [3, 4])
def test_a_variance_of_too_few_elements_is_infinite_and_so_is_its_gradient(correction: int) -> None:
    """As in NumPy and PyTorch, whose gradient of var has no sign though."""
    with numpy.errstate(all="ignore"), warnings.catch_warnings(action="ignore"):
        assert gg.var(gg.asarray([1.0, 2.0, 4.0]), correction=correction).item() == gg.inf
        assert numpy.isnan(gg.var(gg.ones(3), correction=correction).item())
        found = gradient(lambda x: gg.var(x, correction=correction), [1.0, 2.0, 6.0])
        assert found == [-gg.inf, -gg.inf, gg.inf]
        assert numpy.isnan(gradient(lambda x: gg.var(x, correction=correction), [1.0, 1.0, 1.0])).all()
        assert numpy.isnan(gradient(lambda x: gg.std(x, correction=correction), [1.0, 2.0, 6.0])).all()


@pytest.mark.parametrize("name", ["sum", "prod", "cumulative_sum", "cumulative_prod"])
def test_half_of_a_complex_number_is_not_lost(name: str, backend: Backend) -> None:
    z = backend.asarray(numpy.asarray([1 + 2j, 3j]))
    for x in (z, gg.asarray(z)):
        for dtype in (gg.float32, gg.int64):
            with pytest.raises(
                gg.DTypeError, match=rf"^{name}: got .*complex128 \(2,\) for dtype {dtype}; a complex array has"
            ):
                getattr(gg, name)(x, dtype=dtype)
    assert getattr(gg, name)(gg.asarray(z), dtype=gg.complex64).dtype == gg.complex64
