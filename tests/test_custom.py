"""gpugrad.custom: functions with a gradient rule of the user's own."""

import gc
import weakref
from collections import namedtuple

import numpy as np
import pytest
import scipy.ndimage

import gpugrad as gg
from gpugrad.errors import ConversionError, GraphError, RuleError
from gpugrad.testing import assert_close, check_grads

Pair = namedtuple("Pair", "first second")
X = np.array([0.5, -1.0, 2.0])


def leaf(values):
    return gg.tensor(np.asarray(values, dtype=np.float64), requires_grad=True)


def with_rule(function, forward, backward):
    custom = gg.custom_vjp(function)
    custom.defvjp(forward, backward)
    return custom


@pytest.fixture
def sine():
    """In gpugrad's ops: of any order."""

    def sine(x):
        """The sine."""
        return gg.sin(x)

    return with_rule(sine, lambda x: (gg.sin(x), x), lambda x, g: (g * gg.cos(x),))


@pytest.fixture
def numpy_sine():
    """In NumPy: first order only."""
    return with_rule(lambda x: np.sin(x), lambda x: (np.sin(x), x), lambda x, g: (g * np.cos(x),))


@pytest.fixture
def product():
    return with_rule(lambda x, y: x * y, lambda x, y: (x * y, (x, y)), lambda kept, g: (g * kept[1], g * kept[0]))


def test_the_example_of_the_docstring():
    @gg.custom_vjp
    def smooth(x, width):
        return scipy.ndimage.gaussian_filter(x, width, mode="constant")

    smooth.defvjp(lambda x, width: (smooth(x, width), width), lambda width, g: (smooth(g, width), None))
    x = leaf(np.random.default_rng(0).normal(size=(6, 7)))
    weights = np.random.default_rng(1).normal(size=(6, 7))
    y = smooth(x, 1.5)
    assert_close(y.detach(), scipy.ndimage.gaussian_filter(x.detach().numpy(), 1.5, mode="constant"))
    gg.sum(y * weights).backward()
    assert_close(x.grad, scipy.ndimage.gaussian_filter(weights, 1.5, mode="constant"))
    check_grads(lambda x: smooth(x, 1.5), x.detach(), order=1)


def test_first_order(numpy_sine):
    x = leaf(X)
    gg.sum(numpy_sine(x) * 2).backward()
    assert_close(x.grad, 2 * np.cos(X))


def test_the_functions_are_called_with_raw_arrays():
    seen = []

    def forward(x, n):
        seen.append((type(x), n))
        return np.sin(x), x

    def backward(x, g):
        seen.append((type(x), type(g)))
        return g * np.cos(x), None

    f = with_rule(lambda x, n: np.sin(x), forward, backward)
    gg.sum(f(leaf(X), 3)).backward()
    assert seen == [(np.ndarray, 3), (np.ndarray, np.ndarray)]


def test_arrays_in_arrays_out_without_the_rule(numpy_sine):
    out = numpy_sine(X)
    assert type(out) is np.ndarray
    assert_close(out, np.sin(X))


def test_constants_in_constants_out(numpy_sine):
    out = numpy_sine(gg.asarray(X))
    assert type(out) is gg.Tensor and not out.requires_grad
    with gg.no_grad():
        assert not numpy_sine(leaf(X)).requires_grad


def test_inside_the_transforms(numpy_sine):
    f = lambda x: gg.sum(numpy_sine(x))
    assert_close(gg.grad(f)(X), np.cos(X))
    assert_close(gg.jacobian(numpy_sine)(X), np.diag(np.cos(X)))
    assert_close(gg.vjp(numpy_sine, X)[1](X)[0], X * np.cos(X))


def test_the_name_and_docstring_are_kept(sine):
    assert sine.__name__ == "sine" and sine.__doc__ == "The sine."


# Arguments and outputs ----------------------------------------------------------------------------------------------


def test_several_arguments(product):
    x, y = leaf(X), leaf(X + 1)
    gg.sum(product(x, y)).backward()
    assert_close((x.grad, y.grad), (X + 1, X))


def test_an_argument_that_does_not_record(product):
    x = leaf(X)
    gg.sum(product(x, X)).backward()
    assert_close(x.grad, X)


def test_the_same_tensor_twice(product):
    x = leaf(X)
    gg.sum(product(x, x)).backward()
    assert_close(x.grad, 2 * X)


@pytest.mark.parametrize("rule", [lambda kept, g: (None, g), lambda kept, g: [0.0, g]], ids=["None", "number"])
def test_none_and_numbers_are_gradients(rule):
    f = with_rule(lambda x, y: x + y, lambda x, y: (x + y, None), rule)
    x, y = leaf(X), leaf(X)
    by_x, by_y = gg.gradients(gg.sum(f(x, y)), [x, y], allow_unused=True)
    assert by_x is None or by_x.tolist() == [0.0, 0.0, 0.0]
    assert_close(by_y, np.ones(3))


def test_a_gradient_of_none_through_grad_is_zero():
    f = with_rule(lambda x: x * 2, lambda x: (x * 2, None), lambda kept, g: (None,))
    assert_close(gg.grad(lambda x: gg.sum(f(x)))(X), np.zeros(3))


def test_several_outputs():
    f = with_rule(
        lambda x: (np.sin(x), np.cos(x)),
        lambda x: ((np.sin(x), np.cos(x)), x),
        lambda x, g: (g[0] * np.cos(x) - g[1] * np.sin(x),),
    )
    x = leaf(X)
    a, b = f(x)
    gg.sum(a * 2 + b * 3).backward()
    assert_close(x.grad, 2 * np.cos(X) - 3 * np.sin(X))
    x.grad = None
    _, b = f(x)  # the gradient of the other output is zeros
    gg.sum(b).backward()
    assert_close(x.grad, -np.sin(X))


def test_trees():
    def function(tree, pair):
        return {"sum": tree["a"] + tree["b"][0], "product": [pair.first * pair.second]}

    def backward(kept, g):
        (pair,) = kept
        out = g["product"][0]
        return {"b": [g["sum"]], "a": g["sum"]}, Pair(out * pair.second, out * pair.first)  # keys in another order

    f = with_rule(function, lambda tree, pair: (function(tree, pair), (pair,)), backward)
    a, b, c, d = (leaf(X + i) for i in range(4))
    out = f({"a": a, "b": [b]}, Pair(c, d))
    gg.sum(out["sum"] * 5).backward(retain_graph=True)
    gg.sum(out["product"][0] * 7).backward()
    assert_close((a.grad, b.grad, c.grad, d.grad), (np.full(3, 5.0), np.full(3, 5.0), 7 * (X + 3), 7 * (X + 2)))


def test_a_gradient_tree_with_other_keys_order_reaches_the_right_arguments():
    f = with_rule(
        lambda p: p["a"] * 2 + p["b"] * 3,
        lambda p: (p["a"] * 2 + p["b"] * 3, None),
        lambda kept, g: ({"b": g * 3, "a": g * 2},),
    )
    out = gg.grad(lambda p: gg.sum(f(p)))({"a": X, "b": X})
    assert_close(out, {"a": np.full(3, 2.0), "b": np.full(3, 3.0)})


def test_none_inside_a_gradient_tree():
    f = with_rule(lambda p: p["a"] * p["b"], lambda p: (p["a"] * p["b"], p), lambda p, g: ({"a": g * p["b"], "b": None},))
    out = gg.grad(lambda p: gg.sum(f(p)))({"a": X, "b": X})
    assert_close(out, {"a": X, "b": np.zeros(3)})


def test_integer_outputs_are_constants():
    f = with_rule(
        lambda x: (np.argmax(x, keepdims=True), x * 2),
        lambda x: ((np.argmax(x, keepdims=True), x * 2), None),
        lambda kept, g: (g[1] * 2,),
    )
    x = leaf(X)
    index, y = f(x)
    assert not index.requires_grad and y.requires_grad and index.tolist() == [2]
    gg.sum(y).backward()
    assert_close(x.grad, np.full(3, 2.0))


def test_numbers_as_outputs():
    f = with_rule(lambda x: float(np.sum(x)), lambda x: (float(np.sum(x)), x.shape), lambda shape, g: (np.full(shape, g),))
    x = leaf(X)
    y = f(x)
    assert y.shape == ()
    y.backward()
    assert_close(x.grad, np.ones(3), rtol=1e-6)


def test_the_gradient_is_cast():
    f = with_rule(lambda x: x * 2, lambda x: (x * 2, None), lambda kept, g: ((g * 2).astype(np.float32),))
    x = leaf(X)
    gg.sum(f(x)).backward()
    assert x.grad.dtype == gg.float64 and x.grad.tolist() == [2.0, 2.0, 2.0]


def test_complex_gradients_are_in_the_users_convention():
    """w = z * c: steepest ascent in z is g * conj(c)."""
    c = 2 - 1j
    seen = []
    f = with_rule(lambda z: z * c, lambda z: (z * c, None), lambda kept, g: seen.append(g) or (g * np.conj(c),))
    z = gg.tensor(np.array([1 + 2j]), requires_grad=True)
    gg.sum(gg.abs(f(z)) ** 2).backward()
    w = (1 + 2j) * c
    assert_close(seen[0], np.array([2 * w]))
    assert_close(z.grad, np.array([2 * w * np.conj(c)]))
    check_grads(f, np.array([1 + 2j]), order=1)


def test_on_every_library(backend, sine):
    x = gg.asarray(backend.asarray(X)).requires_grad_()
    gg.sum(sine(x)).backward()
    assert backend.is_array(x.grad.array)
    np.testing.assert_allclose(backend.to_numpy(x.grad.array), np.cos(X), rtol=1e-12)
    (g,) = gg.gradients(gg.sum(sine(x)), [x], create_graph=True)
    (h,) = gg.gradients(gg.sum(g), [x])
    np.testing.assert_allclose(backend.to_numpy(h.array), -np.sin(X), rtol=1e-12)


# Higher order -------------------------------------------------------------------------------------------------------


def test_second_order(sine):
    check_grads(sine, X, order=3)
    f = lambda x: gg.sum(sine(x) ** 2)
    assert_close(gg.hessian(f)(X), np.diag(2 * np.cos(2 * X)))


def test_second_order_of_several_arguments(product):
    check_grads(product, X, X + 1, order=3)


def test_second_order_with_residuals_that_are_computed():
    """The residual is not an argument: forward runs again on Tensors, so that it is linked to the graph."""
    f = with_rule(lambda x: gg.exp(x), lambda x: (gg.exp(x),) * 2, lambda out, g: (g * out,))
    check_grads(f, X, order=3)


def test_second_order_refuses_numpy_loudly(numpy_sine):
    x = leaf(X)
    with pytest.raises((ConversionError, TypeError), match="Tensor"):
        gg.gradients(gg.sum(numpy_sine(x)), [x], create_graph=True)
    with pytest.raises((ConversionError, TypeError), match="Tensor"):
        gg.hessian(lambda x: gg.sum(numpy_sine(x)))(X)


def test_second_order_refuses_scipy_loudly():
    f = with_rule(
        lambda x: scipy.ndimage.gaussian_filter(x, 1.0),
        lambda x: (scipy.ndimage.gaussian_filter(x, 1.0), None),
        lambda kept, g: (scipy.ndimage.gaussian_filter(g, 1.0),),
    )
    x = leaf(X)
    with pytest.raises(ConversionError, match="this tensor records, and its gradient would be lost"):
        gg.gradients(gg.sum(f(x) ** 2), [x], create_graph=True)
    assert_close(gg.gradients(gg.sum(f(x)), [x]), [scipy.ndimage.gaussian_filter(np.ones(3), 1.0)])


# Memory -------------------------------------------------------------------------------------------------------------


def test_the_graph_is_freed_without_the_collector():
    gc.collect()
    gc.disable()
    try:
        kept = []

        def forward(x):
            residual = np.sin(x)
            kept.append(weakref.ref(residual))
            return residual * 2, residual

        f = with_rule(lambda x: np.sin(x) * 2, forward, lambda residual, g: (g * residual,))
        x = leaf(X)
        y = f(x)
        assert kept[0]() is not None
        gg.sum(y).backward()
        assert kept[0]() is None  # released by the sweep
        z = f(x)
        node = weakref.ref(z.node.source)
        del z
        assert node() is None and kept[1]() is None
    finally:
        gc.enable()


# Bad input ----------------------------------------------------------------------------------------------------------


def test_without_a_rule():
    @gg.custom_vjp
    def mine(x):
        return x * 2

    with pytest.raises(GraphError, match=r"custom_vjp: .*mine has no gradient rule yet; set it with .*mine.defvjp"):
        mine(leaf(X))
    assert_close(mine(gg.asarray(X)), 2 * X)


@pytest.mark.parametrize(
    "rule, message",
    [
        (lambda kept, g: g, r"the rule of .* returned ndarray gradients, expected a tuple of 2, one per argument"),
        (lambda kept, g: (g,), r"the rule of .* returned 1 gradients, expected a tuple of 2"),
        (lambda kept, g: (g, g, g), r"the rule of .* returned 3 gradients, expected a tuple of 2"),
        (lambda kept, g: None, r"the rule of .* returned NoneType gradients, expected a tuple of 2"),
        (lambda kept, g: (g, g[:2]), r"a gradient of shape \(2,\) for argument 1 of shape \(3,\); they must be equal"),
        (lambda kept, g: (g[None], g), r"a gradient of shape \(1, 3\) for argument 0 of shape \(3,\)"),
        (lambda kept, g: (g, [g]), "a gradient for argument 1 that does not nest as the argument does"),
        (lambda kept, g: (g, {"a": g}), "a gradient for argument 1 that does not nest as the argument does"),
    ],
    ids=["array", "too few", "too many", "None", "shape", "rank", "list", "dict"],
)
@pytest.mark.parametrize("create_graph", [False, True])
def test_a_rule_that_returns_something_else(rule, message, create_graph):
    f = with_rule(lambda x, y: x + y, lambda x, y: (x + y, None), rule)
    x, y = leaf(X), leaf(X)
    out = gg.sum(f(x, y))
    message = message.replace("ndarray", "Tensor") if create_graph else message
    with pytest.raises(RuleError, match=message):
        out.backward(create_graph=create_graph)
    assert x.grad is None and y.grad is None


@pytest.mark.parametrize("returned", [lambda x: x, lambda x: (x, x, x), lambda x: [x, x]])
def test_a_forward_that_returns_something_else(returned):
    f = with_rule(lambda x: x, returned, lambda kept, g: (g,))
    with pytest.raises(RuleError, match=r"forward of .* must return \(output, residuals\), but returned"):
        f(leaf(X))


def test_a_tensor_that_records_and_is_no_argument_is_refused():
    w = leaf(X)
    f = with_rule(lambda x: x * w, lambda x: (x * w, None), lambda kept, g: (g,))
    with pytest.raises(GraphError, match="depends on a Tensor that records and that is not an argument"):
        f(leaf(X))
    with pytest.raises(GraphError, match="pass it as an argument, or stop_gradient it"):
        f(gg.asarray(X))
    g = with_rule(
        lambda x: x * gg.stop_gradient(w), lambda x: (x * gg.stop_gradient(w), None), lambda kept, g: (g * gg.stop_gradient(w),)
    )
    x = leaf(X)
    gg.sum(g(x)).backward()
    assert_close(x.grad, X)


# Numbers, keyword arguments, methods ---------------------------------------------------------------------------------


@pytest.mark.parametrize("dtype", [np.float16, np.float32, np.float64])
def test_a_float_as_output_has_the_precision_of_the_arguments(dtype):
    f = with_rule(lambda x: float(np.sum(x)), lambda x: (float(np.sum(x)), x.shape), lambda shape, g: (np.full(shape, g),))
    x = gg.asarray(X.astype(dtype))
    assert f(x).dtype == dtype
    x.requires_grad_()
    y = f(x)
    assert y.dtype == dtype and y.requires_grad
    y.backward()
    assert x.grad.dtype == dtype and x.grad.tolist() == [1.0, 1.0, 1.0]


def test_numbers_as_outputs_of_several_arguments():
    def function(x, n):
        return {"real": 0.1, "complex": 0.5j, "count": 3, "flag": True}

    f = with_rule(function, lambda x, n: (function(x, n), None), lambda kept, g: (None, None))
    out = f(gg.tensor(X, requires_grad=True), gg.asarray([1, 2]))
    assert {k: v.dtype for k, v in out.items()} == {
        "real": gg.float64, "complex": gg.complex128, "count": gg.int64, "flag": gg.bool,
    }  # fmt: skip
    assert out["real"].item() == 0.1
    assert f(gg.asarray([1, 2]), gg.asarray([1]))["real"].dtype == gg.float32  # nothing to go by: the default


def test_a_float_as_output_is_where_the_arguments_are(backend):
    f = with_rule(lambda x: 2.5, lambda x: (2.5, None), lambda kept, g: (None,))
    x = gg.tensor(backend.asarray(X), requires_grad=True)
    y = f(x)
    assert type(y.array) is type(x.array) and y.device == x.device and y.dtype == x.dtype


@pytest.fixture
def scaled():
    def scaled(x, factor=2.0, power=1):
        return factor * x**power

    def backward(kept, g):
        x, factor, power = kept
        return factor * power * x ** (power - 1) * g, None, None

    return with_rule(scaled, lambda x, factor, power: (scaled(x, factor, power), (x, factor, power)), backward)


@pytest.mark.parametrize(
    ("call", "factor", "power"),
    [
        (lambda f, x: f(x), 2, 1),
        (lambda f, x: f(x, 3.0), 3, 1),
        (lambda f, x: f(x, factor=3.0), 3, 1),
        (lambda f, x: f(x, power=2), 2, 2),
        (lambda f, x: f(power=2, x=x, factor=5.0), 5, 2),
    ],
)
def test_keyword_arguments_and_defaults(scaled, call, factor, power):
    x = leaf(X)
    y = call(scaled, x)
    assert_close(y, factor * X**power)
    gg.sum(y).backward()
    assert_close(x.grad, factor * power * X ** (power - 1))
    assert_close(call(scaled, X), factor * X**power)


def test_arguments_that_do_not_fit_the_signature(scaled):
    with pytest.raises(TypeError, match=r"custom_vjp: .*scaled: got an unexpected keyword argument 'width'"):
        scaled(leaf(X), width=2)
    with pytest.raises(TypeError, match=r"custom_vjp: .*scaled: missing a required argument: 'x'"):
        scaled()
    only = with_rule(lambda x, *, width=1: x * width, lambda x: (x, None), lambda kept, g: (g,))
    assert only(leaf(X)).tolist() == X.tolist()
    with pytest.raises(TypeError, match="custom_vjp: width cannot be passed to .*lambda.* by position"):
        only(leaf(X), width=2)
    compiled = with_rule(max, lambda x: (x, None), lambda kept, g: (g,))
    with pytest.raises(
        TypeError, match="custom_vjp: max has no signature that Python can read, so key must be passed by position"
    ):
        compiled(leaf(X), key=abs)
    assert compiled(leaf(X)).tolist() == X.tolist()


def test_as_a_method():
    class Scale:
        dtype = "not that of an array"

        def __init__(self, factor):
            self.factor = factor

        @gg.custom_vjp
        def apply(self, x):
            """Scaled."""
            return self.factor * x

        apply.defvjp(lambda self, x: (self.factor * x, self.factor), lambda factor, g: (None, factor * g))

    assert isinstance(Scale.apply, gg.custom_vjp) and Scale(3.0).apply.__doc__ == "Scaled."
    x = leaf(X)
    gg.sum(Scale(3.0).apply(x=x)).backward()
    assert_close(x.grad, np.full(3, 3.0))
    assert_close(gg.hessian(lambda x: gg.sum(Scale(3.0).apply(x) ** 2))(X), np.diag(np.full(3, 18.0)))
