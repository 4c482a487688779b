"""gpugrad.nn.functional.layer_norm, rms_norm: values and derivatives on every backend are in gpugrad/check/records/functional.py."""

import numpy as np
import pytest
from precision import error

import gpugrad as gg
from gpugrad.errors import DTypeError, ShapeError
from gpugrad.nn import functional as F

DTYPES = pytest.mark.parametrize("dtype", ["float16", "float32", "float64"])
BOTH = pytest.mark.parametrize("function", [F.layer_norm, F.rms_norm], ids=["layer_norm", "rms_norm"])
SHAPES = pytest.mark.parametrize(
    ("shape", "normalized"),
    [
        ((5, 6), 6),
        ((33, 37), (37,)),
        ((1, 1025), 1025),
        (1025, 1025),
        ((1025, 2), 2),
        ((3, 5, 7, 11), (7, 11)),
        ((4, 300), [4, 300]),
    ],
)


def exact_norm(x, g, weight, bias, eps, axes, centre):
    """(result, gradients of x, weight and bias) by the textbook, in float64."""
    last, first = tuple(range(-axes, 0)), tuple(range(x.ndim - axes))
    centred = x - x.mean(axis=last, keepdims=True) if centre else x
    scale = 1 / np.sqrt((centred**2).mean(axis=last, keepdims=True) + eps)
    normal = centred * scale
    h = g * weight
    dx = h - normal * (h * normal).mean(axis=last, keepdims=True)
    if centre:
        dx -= h.mean(axis=last, keepdims=True)
    return normal * weight + bias, dx * scale, (g * normal).sum(axis=first), g.sum(axis=first)


def arguments(shape, normalized, dtype):
    rng = np.random.default_rng(0)
    last = (normalized,) if isinstance(normalized, int) else tuple(normalized)
    x, g = rng.normal(size=shape).astype(dtype), rng.normal(size=shape).astype(dtype)
    return x, g, rng.uniform(0.5, 1.5, last).astype(dtype), rng.normal(size=last).astype(dtype), len(last)


def close(found, exact, rows=1):
    """To a few units in the last place of what was added up: numbers of about 1, and `rows` of them for a weight."""
    return error(found, exact, np.maximum(np.abs(exact), np.sqrt(rows))) < 8


@SHAPES
@DTYPES
@pytest.mark.parametrize(("with_weight", "with_bias"), [(True, True), (True, False), (False, False)])
def test_layer_norm(shape, normalized, dtype, with_weight, with_bias):
    x, g, weight, bias, axes = arguments(shape, normalized, dtype)
    leaves = [gg.tensor(a, requires_grad=True) for a in (x, weight, bias)]
    y = F.layer_norm(leaves[0], normalized, leaves[1] if with_weight else None, leaves[2] if with_bias else None, 0.01)
    y.backward(g)
    wide = [a.astype("float64") for a in (x, g, weight if with_weight else weight * 0 + 1, bias if with_bias else bias * 0)]
    out, dx, dweight, dbias = exact_norm(*wide, 0.01, axes, True)
    rows = x.size // weight.size
    assert y.dtype == leaves[0].grad.dtype == dtype
    assert close(y.array, out)
    # Of a row of two nearly equal numbers the gradient is a small difference of large ones: 1 / sqrt(eps) times as large.
    assert error(leaves[0].grad.array, dx, np.maximum(np.abs(dx), 10.0 if weight.shape == (2,) else 1.0)) < 8
    assert close(leaves[1].grad.array, dweight, rows) if with_weight else leaves[1].grad is None
    assert close(leaves[2].grad.array, dbias, rows) if with_bias else leaves[2].grad is None


@SHAPES
@DTYPES
@pytest.mark.parametrize("with_weight", [True, False])
def test_rms_norm(shape, normalized, dtype, with_weight):
    x, g, weight, _, axes = arguments(shape, normalized, dtype)
    leaves = [gg.tensor(a, requires_grad=True) for a in (x, weight)]
    y = F.rms_norm(leaves[0], normalized, leaves[1] if with_weight else None, 0.01)
    y.backward(g)
    wide = [a.astype("float64") for a in (x, g, weight if with_weight else weight * 0 + 1)]
    out, dx, dweight, _ = exact_norm(*wide, 0.0, 0.01, axes, False)
    assert y.dtype == leaves[0].grad.dtype == dtype
    assert close(y.array, out)
    assert error(leaves[0].grad.array, dx, np.maximum(np.abs(dx), 10.0 if weight.shape == (2,) else 1.0)) < 8
    assert close(leaves[1].grad.array, dweight, x.size // weight.size) if with_weight else leaves[1].grad is None


@pytest.mark.parametrize("rows", [3, 300])
def test_rows_far_from_zero_keep_their_digits(rows):
    """Two passes: mean(x * x) - mean(x) ** 2 would have no digit of a variance of 1 beside a mean of 10,000."""
    x = (10000 + np.random.default_rng(0).normal(size=(rows, 64))).astype("float32")
    exact, *_ = exact_norm(x.astype("float64"), x, 1.0, 0.0, 1e-5, 1, True)
    np.testing.assert_allclose(F.layer_norm(x, 64), exact, atol=2e-3)


@BOTH
@pytest.mark.parametrize("rows", [3, 300])
def test_float16_does_not_overflow(function, rows):
    x = gg.tensor(np.tile(np.array([60000, -60000, 30000, -30000], "float16"), (rows, 1)), requires_grad=True)
    with np.errstate(over="raise", invalid="raise"):
        y = function(x, 4)
        y.backward(np.ones((rows, 4), "float16"))
    expected = np.array([2, -2, 1, -1]) / np.sqrt(2.5)
    assert y.dtype == x.grad.dtype == "float16"
    np.testing.assert_allclose(y.array, np.tile(expected, (rows, 1)), rtol=1e-3)
    assert np.isfinite(x.grad.array).all()


@BOTH
@pytest.mark.parametrize("rows", [4, 200])
def test_a_row_with_nan_or_infinity_keeps_to_itself(function, rows):
    x = np.random.default_rng(0).normal(size=(rows, 8))
    spoilt = x.copy()
    spoilt[1, 2], spoilt[2, 3] = np.nan, np.inf
    leaf = gg.tensor(spoilt, requires_grad=True)
    g = np.random.default_rng(1).normal(size=(rows, 8))
    with np.errstate(invalid="ignore"):
        y = function(leaf, 8)
        y.backward(g)
    clean = gg.tensor(x, requires_grad=True)
    function(clean, 8).backward(g)
    others = np.delete(np.arange(rows), [1, 2])
    assert np.array_equal(y.array[others], function(x, 8)[others])
    assert np.array_equal(leaf.grad.array[others], clean.grad.array[others])
    assert np.isnan(y.array[1]).all() and np.isnan(y.array[2, 3])
    assert np.isnan(leaf.grad.array[1]).all() and np.isnan(leaf.grad.array[2]).any()


@BOTH
def test_an_empty_batch(function):
    x = gg.tensor(np.ones((0, 3, 4)), requires_grad=True)
    weight = gg.tensor(np.ones((3, 4)), requires_grad=True)
    y = function(x, (3, 4), weight)
    assert y.shape == (0, 3, 4)
    y.sum().backward()
    assert x.grad.shape == (0, 3, 4) and weight.grad.tolist() == np.zeros((3, 4)).tolist()


@pytest.mark.parametrize("rows", [2, 500])
def test_the_weight_may_have_another_dtype(rows):
    x = np.random.default_rng(0).normal(size=(rows, 4))
    weight = np.array([1.0, 2.0, 3.0, 4.0])
    assert F.layer_norm(x.astype("float32"), 4, weight).dtype == "float64"
    assert F.layer_norm(x.astype("float16"), 4, weight.astype("float32")).dtype == "float16"


@pytest.mark.parametrize("rows", [2, 500])
def test_eps_of_rms_norm_is_that_of_the_dtype(rows):
    for dtype in ("float32", "float64"):
        x = np.full((rows, 4), 1e-30, dtype)
        np.testing.assert_allclose(F.rms_norm(x, 4), x / np.sqrt(np.finfo(dtype).eps), rtol=1e-6)


@pytest.mark.parametrize("size", [(3, 4), (300, 4)])
def test_derivatives_of_higher_order(size):
    rng = np.random.default_rng(0)
    x, weight, bias = rng.normal(size=size), rng.normal(size=4), rng.normal(size=4)
    f = lambda x, weight, bias: gg.sum(F.layer_norm(x, 4, weight, bias) ** 3)
    hessian_product = gg.hvp(f, (x, weight, bias), (x, weight, bias))
    step = 1e-6
    gradient = gg.grad(f, argnums=(0, 1, 2))
    moved = [gradient(*(a * (1 + s) for a in (x, weight, bias))) for s in (step, -step)]
    for found, above, below in zip(hessian_product, *moved, strict=True):
        np.testing.assert_allclose(found, (above - below) / (2 * step), rtol=1e-6, atol=1e-6 * size[0])


@BOTH
def test_shapes_that_do_not_fit(function):
    name = function.__name__
    x = np.ones((2, 3, 4))
    with pytest.raises(
        ShapeError, match=rf"{name}: got input \(2, 3, 4\) and normalized_shape \(3,\), expected an input whose last axes"
    ):
        function(x, 3)
    with pytest.raises(ShapeError, match=rf"{name}: got input \(4,\) and normalized_shape \(3, 4\)"):
        function(np.ones(4), (3, 4))
    with pytest.raises(ShapeError, match=rf"{name}: normalized_shape is \(\), expected one or more sizes, each 1 or more"):
        function(x, ())
    with pytest.raises(ShapeError, match=rf"{name}: normalized_shape is 0, expected"):
        function(np.ones((2, 0)), 0)
    with pytest.raises(ShapeError, match=rf"{name}: got weight \(3, 4\), expected the normalized_shape \(4,\)"):
        function(x, 4, np.ones((3, 4)))


def test_the_bias_has_the_normalized_shape_too():
    with pytest.raises(ShapeError, match=r"layer_norm: got bias \(3,\), expected the normalized_shape \(4,\)"):
        F.layer_norm(np.ones((3, 4)), 4, None, np.ones(3))


@BOTH
def test_other_dtypes_are_refused(function):
    name = function.__name__
    with pytest.raises(DTypeError, match=rf"{name}: got dtype int64, expected real floating-point"):
        function(np.ones((3, 4), "int64"), 4)
    with pytest.raises(DTypeError, match=rf"{name}, weight: got dtype int64, expected real floating-point"):
        function(np.ones((3, 4)), 4, np.ones(4, "int64"))
    with pytest.raises(DTypeError, match=rf"{name}: weight is list, expected a Tensor or an array"):
        function(np.ones((3, 4)), 4, [1.0] * 4)
    with pytest.raises(DTypeError, match=rf"{name}: the input is list, expected a Tensor or an array"):
        function([[1.0]], 1)


def test_one_row_kernel_forward_and_one_more_for_the_parameters_backward():
    leaves = [gg.tensor(np.ones(shape), requires_grad=True) for shape in ((64, 32), (32,), (32,))]

    def norm(x, weight, bias):
        return F.layer_norm(x, 32, weight, bias)

    fused = gg.fuse(norm)
    kernels = [line.split("(")[0] for line in fused.source("c", *leaves).splitlines() if line.startswith("void")]
    assert kernels == ["void norm_0", "void norm_backward_0", "void norm_backward_1"]
    forward, backward = fused.graph(*leaves).split("\n\n")
    # Beside x only two numbers per row are kept.
    assert forward.splitlines()[-1].count(",") == 2
    assert backward.splitlines()[0].count("[s0, s1]") == 2  # x and the gradient
