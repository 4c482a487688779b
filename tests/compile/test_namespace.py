"""The Array API on Symbols: every function computes what NumPy's does, in dtype, shape and the corners of arithmetic."""

from __future__ import annotations

import math
import platform
import warnings
from collections.abc import Callable, Iterator
from typing import Any

import numpy
import pytest

import gpugrad as gg
from gpugrad.compile import namespace
from gpugrad.compile.compiled import Compiled
from gpugrad.compile.symbols import Trace, tracing
from gpugrad.errors import IndexingError, ShapeError, TracingError, UntraceableError

pytestmark = pytest.mark.usefixtures("kernels")

SPECIAL = numpy.array([0.0, -0.0, 1.0, -1.0, 0.5, -0.5, 1.5, 2.5, -2.5, 3.0, 1e-40, -1e30, 1e30, math.inf, -math.inf, math.nan])


@pytest.fixture(autouse=True)
def quiet() -> Iterator[None]:
    """NumPy warns of nan and of integers that wrap round."""
    with warnings.catch_warnings(), numpy.errstate(all="ignore"):
        warnings.simplefilter("ignore")
        yield


def check(function: Callable[..., Any], *arguments: Any, ulp: int = 0) -> None:
    """Hold the compiled function to its own run on NumPy arrays: values to `ulp` units in the last place, signs of zeros, dtypes."""

    def definition(*args: Any, **options: Any) -> Any:
        raise AssertionError("the definition ran")

    found = Compiled(function, strict=True, otherwise=definition)(*arguments)
    expected = function(*arguments)
    if not isinstance(found, tuple):
        found, expected = (found,), (expected,)
    for i, (a, b) in enumerate(zip(found, expected, strict=True)):
        b = numpy.asarray(b)
        assert (a.dtype, a.shape) == (b.dtype, b.shape), i
        if b.dtype.kind == "f":
            numpy.testing.assert_array_equal(numpy.isnan(a), numpy.isnan(b), err_msg=str(i))
            real = ~numpy.isnan(b)
            if ulp:
                numpy.testing.assert_allclose(a[real], b[real], rtol=ulp * float(numpy.finfo(b.dtype).eps), err_msg=str(i))
            else:
                numpy.testing.assert_array_equal(a[real], b[real], err_msg=str(i))
                numpy.testing.assert_array_equal(numpy.signbit(a[real]), numpy.signbit(b[real]), err_msg=str(i))
        else:
            numpy.testing.assert_array_equal(a, b, err_msg=str(i))


def pairs(values: Any) -> tuple[Any, Any]:
    x, y = numpy.meshgrid(values, values)
    return x.ravel(), y.ravel()


# Floating point -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_exact_functions_of_one_number(dtype: str) -> None:
    names = "abs ceil floor isfinite isinf isnan negative positive round sign square trunc sqrt logical_not".split()
    check(lambda x: tuple(getattr(gg, name)(x) for name in names), SPECIAL.astype(dtype))
    check(lambda x: gg.signbit(x), SPECIAL[:-1].astype(dtype))


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_exact_functions_of_two_numbers(dtype: str) -> None:
    names = (
        "add subtract multiply divide equal not_equal less less_equal greater greater_equal logical_and logical_or logical_xor floor_divide"
    ).split()
    x, y = pairs(SPECIAL.astype(dtype))
    check(lambda x, y: tuple(getattr(gg, name)(x, y) for name in names), x, y)


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_maximum_is_nan_if_either_is(dtype: str) -> None:
    x, y = pairs(SPECIAL[2:].astype(dtype))
    check(lambda x, y: (gg.maximum(x, y), gg.minimum(x, y), gg.clip(x, -1.0, 1.0), gg.clip(x, None, y)), x, y)


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_remainders(dtype: str) -> None:
    x, y = pairs(SPECIAL.astype(dtype))
    check(lambda x, y: gg.remainder(x, y), x, y)
    check(lambda x, y: gg.copysign(x, y), *(v[~numpy.isnan(y)] for v in (x, y)))
    check(lambda x, y: gg.nextafter(x, y), x, y)


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize(
    "function",
    [
        lambda x: x + 0.0,
        lambda x: 0.0 - x,
        lambda x: x * 0,
        lambda x: x / 4,
        lambda x: x / 3,
        lambda x: x - x,
        lambda x: x / x,
        lambda x: (x + 1e8) - 1e8,
        lambda x: x * 3 / 3,
        lambda x: x * -1,
        lambda x: -(-x),
        lambda x: gg.where(x == x, x, -0.0),
        lambda x: gg.where(x > 0, math.nan, math.inf),
        lambda x: x * math.inf - math.nan,
        lambda x: gg.maximum(x, math.nan),
        lambda x: x**2,
    ],
)
def test_arithmetic_follows_ieee_754(function: Callable[[Any], Any], dtype: str) -> None:
    check(function, SPECIAL.astype(dtype))


def test_casts_round_as_numpys() -> None:
    x = numpy.concatenate(
        [SPECIAL, numpy.random.default_rng(0).standard_normal(100), [65504.0, 65519.0, 65520.0, 6e-8, 2.9e-8]]
    )
    check(lambda x: (gg.astype(x, gg.float32), gg.astype(x, gg.float16), gg.astype(gg.astype(x, gg.float32), gg.float64)), x)
    check(lambda x: gg.astype(x, gg.bool), x)
    integers = numpy.array([0, 1, -1, 127, 128, 255, 256, 2**31 - 1, 2**31, -(2**31), 2**53 + 1, 2**63 - 1, -(2**63)])
    names = "bool int8 int16 int32 int64 uint8 uint16 uint32 uint64 float32 float64".split()
    check(lambda x: tuple(gg.astype(x, getattr(gg, name)) for name in names), integers)
    small = numpy.array([-3.7, -0.5, 0.0, 0.5, 99.9, 127.0])
    check(lambda x: tuple(gg.astype(x, getattr(gg, name)) for name in names[1:5]), small)
    check(lambda x: tuple(gg.astype(x, getattr(gg, name)) for name in names[5:9]), small[2:])


# Integers and booleans ----------------------------------------------------------------------------------------------


def integers(dtype: str) -> Any:
    limits = numpy.iinfo(dtype)
    return numpy.array(
        sorted({limits.min, limits.min + 1 if limits.min else 0, 0, 1, 2, 3, 7, limits.max - 1, limits.max}), dtype
    )


DTYPES = "int8 int16 int32 int64 uint8 uint16 uint32 uint64".split()


@pytest.mark.parametrize("dtype", DTYPES)
def test_integers_wrap_round(dtype: str) -> None:
    names = (
        "add subtract multiply maximum minimum bitwise_and bitwise_or bitwise_xor equal less greater_equal logical_and "
        "floor_divide remainder"
    ).split()
    x, y = pairs(integers(dtype))
    check(lambda x, y: tuple(getattr(gg, name)(x, y) for name in names), x, y)
    names = "abs negative positive sign square bitwise_invert ceil floor isfinite isnan isinf logical_not".split()
    check(lambda x: tuple(getattr(gg, name)(x) for name in names), integers(dtype))
    check(lambda x: (x**2, x**3, x**0, x * 2 + 1, 1 - x, x // 2, x % 3), integers(dtype))


@pytest.mark.parametrize("dtype", DTYPES)
def test_shifts(dtype: str) -> None:
    x, y = pairs(integers(dtype))
    bits = 8 * numpy.dtype(dtype).itemsize
    y = numpy.tile(numpy.arange(0, bits + 3), len(x) // (bits + 3) + 1)[: len(x)].astype(dtype)
    check(lambda x, y: (gg.bitwise_left_shift(x, y), gg.bitwise_right_shift(x, y), x << 1, x >> 1), x, y)


@pytest.mark.parametrize("dtype", DTYPES)
def test_division_by_zero_of_integers_is_zero(dtype: str) -> None:
    x = integers(dtype)
    check(lambda x: (x // 0, x % 0, gg.floor_divide(1, x), gg.remainder(1, x)), x)


def test_true_division_of_integers_is_floating() -> None:
    check(lambda x, y: (x / y, x / 2, 1 / x), *pairs(integers("int32")))


def test_booleans() -> None:
    x, y = pairs(numpy.array([False, True]))
    names = "add multiply maximum minimum bitwise_and bitwise_or bitwise_xor logical_and logical_or logical_xor equal less not_equal".split()
    check(lambda x, y: tuple(getattr(gg, name)(x, y) for name in names), x, y)
    check(lambda x: (~x, gg.logical_not(x), x + 1, x * 2.5, x + True, gg.sum(x), gg.max(x), gg.min(x), gg.any(x), gg.all(x)), x)
    check(lambda x: (gg.isnan(x), gg.isfinite(x), gg.isinf(x), gg.square(x)), x)


@pytest.mark.parametrize("a", ["bool", "uint8", "int8", "int32", "uint64", "float16", "float32", "float64"])
def test_dtypes_promote_as_numpys(a: str) -> None:
    others = "bool uint8 int16 int64 uint32 float16 float32 float64".split()
    check(lambda x, *ys: (*(x * y for y in ys), x * 2, x * 0.5, x + True), *(numpy.ones(2, d) for d in (a, *others)))


def test_python_integers_that_no_element_can_equal() -> None:
    x = numpy.arange(4, dtype="uint8")
    check(lambda x: (x > -1, x < 300, x == 256, x != -1, x > -1, x >= 300, x == 300), x)


# Reductions ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("dtype", ["float16", "float32", "float64", "int8", "int32", "uint8", "bool"])
def test_reductions(dtype: str) -> None:
    rng = numpy.random.default_rng(0)
    x = (
        rng.standard_normal((6, 5)) * 3 if dtype.startswith("f") else rng.integers(0, 2 if dtype == "bool" else 100, (6, 5))
    ).astype(dtype)
    ulp = 8 if dtype.startswith("f") else 0
    for axis in (None, 0, -1, (0, 1)):
        check(
            lambda x: tuple(getattr(gg, n)(x, axis=axis) for n in "sum prod max min any all count_nonzero".split()), x, ulp=ulp
        )
        check(lambda x: tuple(getattr(gg, n)(x, axis=axis, keepdims=True) for n in "mean var std".split()), x, ulp=64)
    check(lambda x: (gg.sum(x, axis=0, dtype=gg.float64), gg.sum(x, dtype=gg.int32)), abs(x) if dtype != "bool" else x, ulp=8)
    check(lambda x: (gg.var(x, axis=0, correction=1), gg.std(x, axis=1, correction=0.5)), x, ulp=64)


def test_reductions_of_nan_and_infinity() -> None:
    x = numpy.array([[1.0, math.nan, 2.0], [math.inf, 1.0, -math.inf], [-math.inf, -3.0, -1.0]], "float32")
    for axis in (0, 1, None):
        check(lambda x: (gg.max(x, axis=axis), gg.min(x, axis=axis), gg.sum(x, axis=axis), gg.any(x, axis=axis)), x)


def test_calls_between_kernels() -> None:
    x = numpy.random.default_rng(0).integers(-9, 9, (5, 4)).astype("float32")
    check(
        lambda x: (
            gg.argmax(x + 1, axis=0),
            gg.argmin(x, axis=1, keepdims=True),
            gg.argmax(x),
            gg.sort(x * 2, axis=0) + 1,
            gg.sort(x, descending=True),
            gg.argsort(x + 0.5, axis=0, stable=True),
            gg.cumulative_sum(x, axis=0),
            gg.cumulative_sum(x, axis=1, include_initial=True) * 2,
            gg.cumulative_prod(x, axis=1),
            gg.matmul(x, x.T),
            gg.matmul(x.T, x[:, 0]),
            gg.vecdot(x, x),
        ),
        x,
    )


# Shapes -------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("dtype", ["float32", "int16", "bool"])
def test_shapes(dtype: str) -> None:
    x = numpy.random.default_rng(0).integers(0, 2, (4, 1, 6)).astype(dtype)
    check(
        lambda x: (
            gg.reshape(x, (2, -1)),
            gg.squeeze(x, axis=1),
            gg.expand_dims(x, axis=-1),
            gg.permute_dims(x, (2, 0, 1)),
            gg.moveaxis(x, 0, -1),
            gg.flip(x, axis=(0, -1)),
            gg.flip(x),
            gg.roll(x, 2, axis=2),
            gg.roll(x, (1, -1), axis=(0, 2)),
            gg.roll(x, 3),
            gg.broadcast_to(x, (2, 4, 3, 6)),
            gg.concat([x, x[:, :, 1:3], x], axis=2),
            gg.concat([x, x], axis=None),
            gg.stack([x, x], axis=1),
            gg.tril(x[:, 0], k=1),
            gg.triu(x[:, 0], k=-1),
            gg.matrix_transpose(x),
            *gg.unstack(x, axis=0),
            *gg.broadcast_arrays(x, x[:, :, :1]),
        ),
        x,
    )


KEYS = (
    0, -1, slice(None), slice(1, None), slice(None, -1), slice(None, None, 2), slice(None, None, -1), slice(4, 1, -2), slice(-3, 100),
    slice(2, 2), slice(100, None), None, ..., (slice(None), 0), (..., -1), (None, 1, ..., None), (slice(1, 4), slice(None, None, 3)),
)  # fmt: skip


def test_indexing() -> None:
    x = numpy.arange(30.0).reshape(5, 6)
    check(lambda x: tuple(x[key] + 0 for key in KEYS), x)


@pytest.mark.parametrize("key", [5, -6, (0, 6), (0, 0, 0)])
def test_an_index_out_of_range(key: Any) -> None:
    with pytest.raises(IndexError):
        Compiled(lambda x: x[key], strict=True)(numpy.zeros((5, 6)))


def test_positions() -> None:
    x = numpy.arange(30.0).reshape(5, 6)
    rows = numpy.array([[4, 0], [-1, -5]])
    check(
        lambda x, i, j: (gg.take(x, i, axis=0), gg.take(x, i, axis=1), gg.take_along_axis(x, j, axis=1), gg.take(x[:, 0], i)),
        x, rows, numpy.array([[0, -1], [1, 2], [5, 5], [-6, 0], [3, 3]]),
    )  # fmt: skip


def test_positions_out_of_range_give_nan_or_zero() -> None:
    i = numpy.array([0, 5, -6, 2**40, -(2**40)])
    f = Compiled(lambda x, i: gg.take(x, i, axis=0), strict=True)
    assert f(numpy.arange(1.0, 6.0), i).tolist()[0] == 1
    assert numpy.isnan(f(numpy.arange(1.0, 6.0), i)[1:]).all()
    assert f(numpy.arange(1, 6), i).tolist() == [1, 0, 0, 0, 0]


def test_arange_and_what_follows_sizes() -> None:
    def function(x: Any) -> Any:
        n = x.shape[0]
        return (
            namespace.arange(n) + namespace.arange(0, 2 * n, 2),
            namespace.ones_like(x),
            namespace.zeros((n, 2)),
            namespace.full(n, 7),
        )

    f = Compiled(function, strict=True)
    for n in (3, 8):
        a, b, c, d = f(numpy.zeros((n, 3), "float32"))
        numpy.testing.assert_array_equal(a, 3 * numpy.arange(n))
        assert (b.dtype, b.shape, b.min()) == ("float32", (n, 3), 1)
        assert (c.dtype, c.shape, c.max()) == ("float64", (n, 2), 0)
        assert (d.dtype, d.tolist()) == ("int64", [7] * n)


def test_numpys_functions_and_scalars() -> None:
    x = numpy.arange(1, 4, dtype="float32")
    check(lambda x: (numpy.exp(x), numpy.add(x, 1), numpy.float32(2) * x, x * numpy.float64(2), numpy.int8(3) - x), x, ulp=2)


def test_what_has_no_kernel_says_so() -> None:
    with tracing(Trace("function")):
        with pytest.raises(UntraceableError, match="unique_values has no kernel"):
            _ = namespace.unique_values
        with pytest.raises(UntraceableError, match="integers only"):
            namespace.arange(0.5)
    with pytest.raises(AttributeError):
        _ = namespace._no_such_name


# As NumPy and Python have it ----------------------------------------------------------------------------------------

MATRIX = numpy.arange(24.0).reshape(4, 6)


@pytest.mark.parametrize(
    "function",
    [
        lambda x: gg.stack([x, x[0]]),
        lambda x: gg.concat([x, x[:, :2]], axis=0),
        lambda x: gg.sum(x, axis=(0, 0)),
        lambda x: gg.reshape(x, (-1, 0)),
        lambda x: gg.reshape(x, (-1, -1)),
        lambda x: gg.reshape(x, (-2, -12)),
    ],
)
def test_shapes_that_do_not_fit_raise_as_numpys(function: Callable[[Any], Any]) -> None:
    for f in (function, gg.fuse(function)):
        with pytest.raises(ShapeError):
            f(MATRIX)


@pytest.mark.parametrize(
    "function", [lambda x: gg.sum(x, axis=True), lambda x: gg.sum(x, axis=1.0), lambda x: gg.reshape(x, (6.0, 4))]
)
def test_axes_and_sizes_are_integers(function: Callable[[Any], Any]) -> None:
    for f in (function, gg.fuse(function)):
        with pytest.raises(TypeError, match="integer"):
            f(MATRIX)


def test_an_index_out_of_range_names_the_line_and_the_sizes() -> None:
    with pytest.raises(IndexingError, match=r"index 9 .* size 4, of shape \(4, 6\), at .*test_namespace"):
        gg.fuse(lambda x: x[9])(MATRIX)
    with pytest.raises(IndexingError, match=r"3 indices for an array of shape \(4, 6\)"):
        gg.fuse(lambda x: x[0, 0, 0])(MATRIX)


def test_indices_that_are_booleans_are_not_numbers() -> None:
    numpy.testing.assert_array_equal(gg.fuse(lambda x: x[True] + 1)(MATRIX), MATRIX[True] + 1)


@pytest.mark.parametrize(
    "function",
    [
        lambda x: x.sum(0) + x.max(0) + x.min(0) + x.mean(0) + x.prod(0),
        lambda x: x.mean(-1, keepdims=True) + x.sum(1, keepdims=True),
        lambda x: numpy.sum(x, axis=0) + numpy.mean(x, axis=0) + numpy.max(x, axis=0),
        lambda x: (x.all(1), x.any(0), x.sum(0, numpy.float32), numpy.sum(x)),
        lambda x: (x.reshape(6, 4) + 1, x.reshape((2, -1)) + 1, numpy.reshape(x, (6, 4)) + 1, x.ravel() + 1, x.flatten() + 1),
        lambda x: (
            x.transpose() + 1,
            x.reshape(2, 3, 4).transpose(1, 2, 0) + 1,
            x.reshape(2, 3, 4).T + 1,
            x.swapaxes(0, 1) + 1,
        ),
        lambda x: (
            x.clip(2, 9),
            x.clip(max=3),
            numpy.clip(x, 2, 9),
            x.astype(numpy.float32),
            (x / 7).round(),
            x[:1].squeeze() + 1,
        ),
        lambda x: (x.copy(), x.conj()),
    ],
)
def test_methods_have_the_signatures_of_numpys(function: Callable[[Any], Any]) -> None:
    check(function, MATRIX)


def test_deviations_by_method() -> None:
    check(lambda x: (x.std(0), x.var(1), numpy.std(x), x.std(1, ddof=1), numpy.var(x, axis=0, ddof=1)), MATRIX, ulp=4)


def test_what_only_arrays_in_memory_have() -> None:
    for function in (lambda x: x.sum(0, out=x), lambda x: x.reshape(6, 4, order="F"), lambda x: (x * 1.5).round(2)):
        with pytest.raises(TracingError, match="test_namespace"):
            gg.fuse(function)(MATRIX)


def test_an_attribute_that_is_missing_is_named_with_the_line() -> None:
    with pytest.raises(TracingError, match=r"'tobytes', at .*test_namespace") as caught:
        gg.fuse(lambda x: x.tobytes())(MATRIX)
    assert isinstance(caught.value, AttributeError)
    check(lambda x: x + (1 if hasattr(x, "tobyte") else 2), MATRIX)


def test_scalars_and_numbers_can_be_added_to_in_place() -> None:
    def function(x: Any, k: float) -> Any:
        k += 1
        total = gg.sum(x)
        total += k
        return total * 2

    check(function, MATRIX, 2.5)


def test_tensors_are_added_to_in_place() -> None:
    def function(x: Any) -> Any:
        y = x * 2
        y += 1
        return y

    numpy.testing.assert_array_equal(gg.fuse(function)(gg.tensor(MATRIX)).array, MATRIX * 2 + 1)


def test_a_number_divided_by_zero() -> None:
    f = gg.fuse(lambda x, k: x * (1.0 / k))
    numpy.testing.assert_array_equal(f(MATRIX, 2.0), MATRIX / 2)
    for function in (f, gg.fuse(lambda x, k: x * (1.0 % k)), gg.fuse(lambda x, k: x + x.shape[0] / k)):
        with pytest.raises(ZeroDivisionError):
            function(MATRIX, 0.0)
    check(lambda x, k: x * gg.divide(1.0, k), MATRIX + 1, 0.0)


def test_sizes_where_python_takes_integers() -> None:
    def function(x: Any) -> Any:
        n, m = x.shape
        q, r = divmod(m, n)
        text = f"{n} {m:03d} {n!s}"
        assert text == "4 006 4"
        return x * ((n & 5) + (5 | n) + (n ^ 1) + (n << 2) + (1 << n) + (m >> 1) + q + r + round(m) + abs(n - m) + {4: 10.0}[n])

    check(function, MATRIX)


def test_floats_where_python_takes_floats() -> None:
    def function(x: Any, k: float) -> Any:
        whole, rest = divmod(k, 2)
        part = 3.0 if (k * 2).is_integer() else 4.0
        part += {2.5: 10.0}[k]
        assert f"{k:.2f}" == "2.50"
        assert str(k) == "2.5"
        return x * (whole + rest + part + round(k) + math.floor(k) + math.ceil(k) + math.trunc(k))

    check(function, MATRIX, 2.5)


def test_erf_of_a_number_decides() -> None:
    f = gg.fuse(lambda x, k: x * 2 if gg.special.erf(k) > 0.5 else x * 3)
    for k, factor in ((1.0, 2), (0.1, 3), (2.0, 2)):
        numpy.testing.assert_array_equal(f(MATRIX, k), MATRIX * factor)


def test_float64_is_rounded_to_float16_in_one_step() -> None:
    x = numpy.array([1 + 2.0**-11 + 2.0**-40, 1 + 3 * 2.0**-11 - 2.0**-40, 65519.999999999, 1e300, -1e-300])
    check(lambda x: gg.astype(x, gg.float16), x)
    check(lambda x: gg.astype(x, gg.float16), numpy.array([2049, 4099, 65519, 2**24 + 1]))


@pytest.mark.skipif(platform.machine() not in ("x86_64", "AMD64"), reason="NumPy's results are those of the machine")
@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_floats_out_of_range_become_the_integers_that_numpy_makes(dtype: str) -> None:
    x = numpy.array(
        [math.inf, -math.inf, math.nan, 1e30, -1e30, 2.0**63, -(2.0**63), 2.0**64, 2.0**31, -(2.0**31), 3e9, -3e9, 300.0, -1.0]
    )
    x = x.astype(dtype)
    check(lambda x: tuple(gg.astype(x, d) for d in (gg.int8, gg.int16, gg.int32, gg.int64, gg.uint8, gg.uint16)), x)
    check(lambda x: gg.astype(x, gg.uint64), x[~numpy.isnan(x) & (x >= 0) & (x < 2.0**64)])


def test_uint64_beside_signed_integers_runs_as_it_is() -> None:
    x, y = numpy.array([-1, 2**63 - 1]), numpy.array([2**64 - 1, 2**63], numpy.uint64)
    for function in (lambda x, y: x == y, lambda x, y: x < y, lambda x, y: gg.maximum(x, y), lambda x, y: x + y):
        numpy.testing.assert_array_equal(gg.fuse(function)(x, y), function(x, y))
    for function in (gg.equal, gg.less):
        with pytest.raises(AssertionError, match="the definition ran"):
            check(function, x, y)


def test_where_between_numbers_as_numpys() -> None:
    check(lambda x, k: gg.where(x.shape[0] > 2, 1, k) * x, MATRIX, 2.0)
    check(lambda x, k: (gg.where(k > 0, x, 1), gg.where(k < 0, x, 1)), MATRIX.astype(numpy.float32), 2.0)
    check(lambda x, k: gg.where(x > 3, 1, 0), MATRIX, 2.0)


@pytest.mark.parametrize("made", [lambda: gg.random.normal(shape=(6,)), lambda: gg.random.uniform(shape=(6,))])
def test_random_numbers_inside_say_to_pass_them(made: Callable[[], Any]) -> None:
    with pytest.raises(TracingError, match="an array that is no argument .* pass the array"):
        gg.fuse(lambda x: x + made())(MATRIX)


def test_who_asks_all_modules_for_a_name_is_answered_as_by_any_module() -> None:
    """pickle does, for a function that does not say which module it is of."""
    assert not hasattr(namespace, "name_of_nothing")
    with pytest.raises(UntraceableError, match="name_of_nothing has no kernel"):
        namespace.name_of_nothing
