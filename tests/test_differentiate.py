"""gpugrad.differentiate: the transforms against closed forms, against each other, and nested."""

import copy
from collections import namedtuple
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import gpugrad as gg
from gpugrad.errors import DeviceError, DTypeError, GraphError, ShapeError
from gpugrad.testing import assert_close

Point = namedtuple("Point", "x y")

A = np.array([[2.0, 1.0], [1.0, 3.0]])
X = np.array([0.5, -1.5])


def quadratic(x):
    return gg.sum(x * (A @ x)) * 0.5


def rosenbrock(x):
    return (1 - x[0]) ** 2 + 100 * (x[1] - x[0] ** 2) ** 2


def rosenbrock_gradient(x):
    return np.array([-2 * (1 - x[0]) - 400 * x[0] * (x[1] - x[0] ** 2), 200 * (x[1] - x[0] ** 2)])


def rosenbrock_hessian(x):
    return np.array([[2 - 400 * (x[1] - 3 * x[0] ** 2), -400 * x[0]], [-400 * x[0], 200.0]])


def softplus_norm(x):
    return gg.sum(gg.log1p(gg.exp(x)) ** 2)


# grad and value_and_grad --------------------------------------------------------------------------------------------


def test_grad_against_closed_forms():
    assert_close(gg.grad(quadratic)(X), A @ X)
    assert_close(gg.grad(rosenbrock)(X), rosenbrock_gradient(X))


def test_value_and_grad():
    value, gradient = gg.value_and_grad(quadratic)(X)
    assert_close(value, 0.5 * X @ A @ X)
    assert_close(gradient, A @ X)


def test_arrays_in_arrays_out():
    value, gradient = gg.value_and_grad(quadratic)(X)
    assert type(gradient) is np.ndarray and isinstance(value, (np.ndarray, np.generic))
    assert gradient.flags.writeable


def test_tensors_in_tensors_out():
    value, gradient = gg.value_and_grad(quadratic)(gg.asarray(X))
    assert type(value) is type(gradient) is gg.Tensor
    assert not value.requires_grad and not gradient.requires_grad


def test_numbers_in_tensors_out():
    gradient = gg.grad(lambda x: x**3)(2.0)
    assert type(gradient) is gg.Tensor and gradient.item() == 12.0 and gradient.dtype == gg.float32


def test_numbers_beside_arrays_change_nothing():
    gradient = gg.grad(lambda x, power, mode: gg.sum(x**power), 0)(X, 2, None)
    assert type(gradient) is np.ndarray
    assert_close(gradient, 2 * X)
    by_x, by_scale = gg.grad(lambda x, scale: gg.sum(x) * scale, (0, 1))(X, 2.0)
    assert type(by_x) is np.ndarray and not isinstance(by_scale, gg.Tensor)
    assert float(by_scale) == -1.0


def test_a_tensor_beside_arrays_makes_tensors():
    by_x, by_y = gg.grad(lambda x, y: gg.sum(x * y), (0, 1))(X, gg.asarray(X))
    assert type(by_x) is type(by_y) is gg.Tensor


def test_argnums():
    f = lambda x, y, z: gg.sum(x * y * z)
    x, y, z = np.array([1.0, 2.0]), np.array([3.0, 4.0]), np.array([5.0, 6.0])
    assert_close(gg.grad(f, 1)(x, y, z), x * z)
    assert_close(gg.grad(f, -1)(x, y, z), x * y)
    out = gg.grad(f, (2, 0))(x, y, z)
    assert type(out) is tuple
    assert_close(out, (x * y, y * z))
    assert_close(gg.grad(f, [1])(x, y, z), (x * z,))


def test_argnums_in_any_order():
    """Each gradient belongs to the argument that its place in argnums names."""
    f = lambda x, y, z: gg.sum(x**2 * y * gg.exp(z))
    x, y, z = np.asarray([2.0]), np.asarray([3.0]), np.asarray([0.0])
    assert_close(gg.grad(f, (1, 0))(x, y, z), (np.asarray([4.0]), np.asarray([12.0])))
    assert_close(gg.grad(f, (-1, 0, 1))(x, y, z), (np.asarray([12.0]), np.asarray([12.0]), np.asarray([4.0])))
    assert_close(gg.jacobian(f, (2, 1))(x, y, z), (np.asarray([12.0]), np.asarray([4.0])))
    assert_close(gg.hessian(f, (1, 0))(x, y, z)[1][0], np.asarray([[4.0]]))


def test_argnums_out_of_range():
    with pytest.raises(ShapeError, match="grad: argnums names argument 2, but 1 positional arguments were given"):
        gg.grad(quadratic, 2)(X)


@pytest.mark.parametrize("transform", [gg.grad, gg.value_and_grad, gg.jacobian, gg.hessian])
@pytest.mark.parametrize("argnums", [(0, 0), (1, -1), [0, 1, -2]])
def test_argnums_that_name_an_argument_twice(transform, argnums):
    with pytest.raises(ValueError, match=r"argnums .* names an argument twice"):
        transform(lambda x, y: gg.sum(x * y), argnums)(X, X)


@pytest.mark.parametrize("transform", [gg.grad, gg.value_and_grad, gg.jacobian])
def test_an_argument_to_differentiate_given_by_keyword(transform):
    with pytest.raises(ShapeError, match="x was passed by keyword, which is not differentiated: pass it by position"):
        transform(quadratic)(x=X)


def test_keyword_arguments_are_passed_on():
    f = lambda x, *, scale, shift=0.0: gg.sum(x * scale + shift)
    assert_close(gg.grad(f)(X, scale=np.array([2.0, 3.0])), np.array([2.0, 3.0]))


def test_has_aux():
    def f(x):
        y = x * x
        return gg.sum(y), {"y": y, "note": "text"}

    (value, aux), gradient = gg.value_and_grad(f, has_aux=True)(gg.asarray(X))
    assert_close(value, np.sum(X**2))
    assert_close(aux["y"], X**2)
    assert not aux["y"].requires_grad and aux["note"] == "text"
    gradient, aux = gg.grad(f, has_aux=True)(X)
    assert_close(gradient, 2 * X)


def test_has_aux_wants_a_pair():
    with pytest.raises(GraphError, match=r"with has_aux=True the function must return a pair .*but returned Tensor"):
        gg.grad(quadratic, has_aux=True)(X)


def test_the_docstring_and_name_of_the_function_are_kept():
    assert gg.grad(quadratic).__name__ == "quadratic" and gg.jacobian(quadratic).__name__ == "quadratic"


@pytest.mark.parametrize(
    "f, got",
    [
        (lambda x: x, r"float64 \(2,\)"),
        (lambda x: (gg.sum(x), gg.sum(x)), r"float64 \(\), float64 \(\)"),
        (lambda x: gg.sum(x) * 1j, r"complex128 \(\)"),
        (lambda x: {}, "nothing"),
    ],
)
def test_the_output_must_be_one_real_scalar(f, got):
    with pytest.raises(GraphError, match=f"grad: the function must return one real scalar, but returned {got}"):
        gg.grad(f)(X)


def test_an_output_that_does_not_depend_on_the_argument():
    assert_close(gg.grad(lambda x: gg.sum(gg.ones(3)))(X), np.zeros(2))
    assert_close(gg.grad(lambda x: 3.0)(X), np.zeros(2))
    assert_close(gg.grad(lambda x: gg.sum(gg.floor(x)))(X), np.zeros(2))


def test_an_argument_that_is_not_used():
    assert_close(gg.grad(lambda x, y: gg.sum(x), (0, 1))(X, np.ones(3)), (np.ones(2), np.zeros(3)))


def test_integers_are_refused():
    with pytest.raises(DTypeError, match="grad: an argument to differentiate has dtype int64, expected floating-point"):
        gg.grad(lambda x: gg.sum(x))(np.arange(3))


def test_the_arguments_are_not_changed():
    x = gg.tensor(X, requires_grad=True)
    node = x.node
    gg.grad(quadratic)(x)
    assert x.node is node and x.grad is None
    constant = gg.asarray(X)
    gg.grad(quadratic)(constant)
    assert constant.node is None


def test_backward_as_a_function():
    x = gg.tensor(X, requires_grad=True)
    gg.backward(quadratic(x))
    assert_close(x.grad, A @ X)


# Trees --------------------------------------------------------------------------------------------------------------


def test_gradients_nest_as_the_argument_does():
    tree = {"w": [np.array([1.0, 2.0]), Point(np.array(3.0), (np.array([4.0]),))], "b": np.array(5.0)}

    def f(tree):
        w, point = tree["w"]
        return gg.sum(w**2) + point.x * point.y[0][0] + 3 * tree["b"]

    out = gg.grad(f)(tree)
    assert type(out["w"]) is list and type(out["w"][1]) is Point and type(out["w"][1].y) is tuple
    expected = {"w": [np.array([2.0, 4.0]), Point(np.array(4.0), (np.array([3.0]),))], "b": np.array(3.0)}
    assert_close(out, expected)


def test_trees_of_numbers():
    out = gg.grad(lambda p: p["a"] ** 2 + p["b"][0])({"a": 3.0, "b": [1.0]})
    assert out["a"].item() == 6.0 and out["b"][0].item() == 1.0


def test_nested_dicts_lists_tuples_and_none():
    def f(p):
        assert p["bias"] is None and p["rest"][1][1] is None
        return gg.sum(p["w"] ** 2) + gg.sum(p["rest"][0] * p["rest"][1][0])

    p = {"w": X, "bias": None, "rest": [X, (A[0], None)]}
    expected = {"w": 2 * X, "bias": None, "rest": [A[0], (X, None)]}
    assert_close(gg.grad(f)(p), expected)
    assert_close(gg.vjp(f, p)[1](1.0), (expected,))
    assert_close(gg.jacobian(f)(p), expected)
    t = {"w": X, "bias": None, "rest": [X, (X, None)]}
    assert_close(gg.jvp(f, (p,), (t,))[1], np.asarray(2 * X @ X + A[0] @ X + X @ X))
    assert_close(gg.hvp(f, (p,), (t,)), ({"w": 2 * X, "bias": None, "rest": [X, (X, None)]},))
    assert gg.grad(lambda x, none: gg.sum(x), (0, 1))(X, None)[1] is None


def test_none_in_the_output():
    f = lambda x: {"y": x * 2, "state": None}
    out, pullback = gg.vjp(f, X)
    assert_close(out, {"y": X * 2, "state": None})
    assert_close(pullback({"y": X, "state": None}), (2 * X,))
    with pytest.raises(ShapeError, match="vjp: the gradient must nest as the output"):
        pullback({"y": X, "state": X})
    assert_close(gg.jvp(f, (X,), (X,)), ({"y": X * 2, "state": None}, {"y": X * 2, "state": None}))
    assert_close(gg.jacobian(f)(X), {"y": 2 * np.eye(2), "state": None})
    with pytest.raises(ShapeError, match="jvp: the tangents must nest as the primals do"):
        gg.jvp(lambda x, n: x, (X, None), (X, X))


def test_the_work_is_linear_in_the_number_of_leaves(monkeypatch):
    from gpugrad import differentiate, trees

    count = 0
    leaves = trees.leaves

    def counted(tree):
        nonlocal count
        count += len(found := leaves(tree))
        return found

    monkeypatch.setattr(differentiate, "leaves", counted)
    monkeypatch.setattr(trees, "leaves", counted)
    args = [np.ones(1) for _ in range(2000)]
    found = gg.grad(lambda xs: gg.sum(xs[0] * 2))(args)
    assert len(found) == 2000 and found[0].tolist() == [2.0] and found[1999].tolist() == [0.0]
    assert count < 20 * 2000


def test_trees_out():
    out, pullback = gg.vjp(lambda x: {"square": x * x, "rest": (gg.sum(x), [x])}, X)
    assert_close(out, {"square": X**2, "rest": (np.sum(X), [X])})
    (g,) = pullback({"rest": (np.array(1.0), [np.ones(2)]), "square": np.ones(2)})  # the order of keys does not matter
    assert_close(g, 2 * X + 2)


def test_an_empty_tree():
    assert gg.grad(lambda x, nothing: gg.sum(x), 1)(X, {}) == {}


# vjp ----------------------------------------------------------------------------------------------------------------


def test_vjp_may_be_pulled_back_repeatedly():
    out, pullback = gg.vjp(lambda x, y: x * y, X, A[0])
    assert_close(out, X * A[0])
    for seed in (np.array([1.0, 0.0]), np.array([0.0, 1.0]), np.array([2.0, 3.0])):
        by_x, by_y = pullback(seed)
        assert_close((by_x, by_y), (seed * A[0], seed * X))
        assert type(by_x) is np.ndarray


def test_vjp_with_aux():
    out, pullback, aux = gg.vjp(lambda x: (x * 2, "aux"), X, has_aux=True)
    assert aux == "aux"
    assert_close(out, X * 2)
    assert_close(pullback(np.ones(2)), (np.full(2, 2.0),))


def test_vjp_of_the_identity_returns_a_gradient_of_its_own():
    x = gg.tensor(X, requires_grad=True)
    _, pullback = gg.vjp(lambda x: x, x)
    seed = gg.ones(2, dtype=gg.float64)
    (g,) = pullback(seed)
    g += 5
    assert seed.tolist() == [1.0, 1.0]


def test_a_gradient_that_nests_otherwise_is_refused():
    _, pullback = gg.vjp(lambda x: (x, x), X)
    with pytest.raises(ShapeError, match="vjp: the gradient must nest as the output"):
        pullback(np.ones(2))
    with pytest.raises(ShapeError, match=r"vjp: the gradient has shape \(3,\), expected the output's shape \(2,\)"):
        pullback((np.ones(3), np.ones(2)))


def test_vjp_is_differentiable_in_its_gradient():
    """The pullback is linear, so its derivative is the Jacobian-vector product."""
    _, pullback = gg.vjp(lambda x: gg.sin(x), gg.asarray(X))
    seed = gg.tensor(np.ones(2), requires_grad=True)
    (g,) = pullback(seed)
    gg.sum(g).backward()
    assert_close(seed.grad, np.cos(X))


# jvp, hvp -----------------------------------------------------------------------------------------------------------


def test_jvp():
    out, tangent = gg.jvp(lambda x: gg.sin(x) * 2, (X,), (np.array([1.0, 10.0]),))
    assert_close(out, np.sin(X) * 2)
    assert_close(tangent, 2 * np.cos(X) * np.array([1.0, 10.0]))
    assert type(out) is type(tangent) is np.ndarray


def test_jvp_of_several_arguments_and_trees():
    f = lambda p, s: {"a": p["x"] * s, "b": p["y"]}
    primals = ({"x": X, "y": np.array(2.0)}, np.array(3.0))
    tangents = ({"y": np.array(7.0), "x": np.ones(2)}, np.array(0.5))
    out, tangent = gg.jvp(f, primals, tangents)
    assert_close(out, {"a": X * 3, "b": np.array(2.0)})
    assert_close(tangent, {"a": 3 + 0.5 * X, "b": np.array(7.0)})


@pytest.mark.parametrize(
    "f",
    [
        lambda x: gg.floor(x),
        lambda x: gg.ones(2, dtype=gg.float64),
        lambda x: gg.stop_gradient(x) * 1.0,
        lambda x: x * 0,
        lambda x: gg.sign(x) * gg.round(x),
    ],
)
def test_jvp_where_the_derivative_is_zero(f):
    _, tangent = gg.jvp(f, (X,), (np.ones(2),))
    assert tangent.shape == (2,) and tangent.tolist() == [0.0, 0.0]


def test_jvp_of_the_identity_and_of_linear_functions():
    assert_close(gg.jvp(lambda x: x, (X,), (A[0],))[1], A[0])
    assert_close(gg.jvp(lambda x: x + x, (X,), (A[0],))[1], 2 * A[0])
    assert_close(gg.jvp(lambda x: A @ x, (X,), (A[0],))[1], A @ A[0])


def test_jvp_of_numbers():
    out, tangent = gg.jvp(lambda x: x**2, (3.0,), (2.0,))
    assert out.item() == 9.0 and tangent.item() == 12.0


def test_tangents_that_do_not_fit_are_refused():
    with pytest.raises(ShapeError, match="jvp: the tangents must nest as the primals do"):
        gg.jvp(quadratic, (X,), (X, X))
    with pytest.raises(ShapeError, match=r"jvp: the tangent has shape \(3,\), expected the primal's shape \(2,\)"):
        gg.jvp(quadratic, (X,), (np.ones(3),))
    with pytest.raises(ShapeError, match="hvp: the tangents must nest as the primals do"):
        gg.hvp(quadratic, (X,), X)
    with pytest.raises(ShapeError, match=r"hvp: the tangent has shape \(3,\), expected the primal's shape \(2,\)"):
        gg.hvp(quadratic, (X,), (np.ones(3),))


@pytest.mark.parametrize("wrong", [None, "ones", object()])
def test_gradients_and_tangents_that_are_no_arrays_are_refused(wrong):
    kind = type(wrong).__name__
    for transform in (gg.jvp, gg.hvp):
        with pytest.raises(DTypeError, match=f"{transform.__name__}: got {kind} for a tangent, expected an array"):
            transform(quadratic, (X,), (wrong,))
        with pytest.raises(DTypeError, match=f"{transform.__name__}: got {kind} for a tangent, expected an array"):
            transform(lambda p: quadratic(p["a"]) + gg.sum(p["b"]), ({"a": X, "b": X},), ({"a": wrong, "b": X},))
    _, pullback = gg.vjp(lambda x: x * 2, X)
    with pytest.raises(DTypeError, match=f"vjp: got {kind} for a gradient, expected an array"):
        pullback(wrong)
    _, pullback = gg.vjp(lambda x: (x, x), X)
    with pytest.raises(DTypeError, match=f"vjp: got {kind} for a gradient, expected an array"):
        pullback((X, wrong))


@pytest.mark.parametrize("wrong", ["ones", object(), {"x": X}])
def test_a_gradient_for_backward_that_is_no_array_is_refused(wrong):
    x = gg.tensor(X, requires_grad=True)
    for go in ((x * 2).backward, lambda g: gg.gradients(x * 2, x, g)):
        with pytest.raises(DTypeError, match=f": got {type(wrong).__name__} for a gradient, expected an array"):
            go(wrong)
    assert x.grad is None
    (x * 2).backward(3)
    assert x.grad.tolist() == [6.0, 6.0]


def test_hvp():
    v = np.array([1.0, -2.0])
    assert_close(gg.hvp(quadratic, (X,), (v,)), (A @ v,))
    assert_close(gg.hvp(rosenbrock, (X,), (v,)), (rosenbrock_hessian(X) @ v,))


def test_hvp_of_several_arguments():
    f = lambda x, y: gg.sum(x * x * y)
    out = gg.hvp(f, (X, A[0]), (np.ones(2), np.zeros(2)))
    assert_close(out, (2 * A[0], 2 * X))


def test_hvp_of_a_linear_function_is_zero():
    assert_close(gg.hvp(lambda x: gg.sum(x), (X,), (X,)), (np.zeros(2),))


# jacobian, hessian --------------------------------------------------------------------------------------------------


def test_jacobian():
    assert_close(gg.jacobian(lambda x: A @ x)(X), A)
    jac = gg.jacobian(lambda x: gg.sin(x[:, None] * x))(X)
    assert jac.shape == (2, 2, 2) and type(jac) is np.ndarray
    eye = np.eye(2)
    slope = np.cos(np.outer(X, X))[:, :, None]
    assert_close(jac, slope * (eye[:, None, :] * X[None, :, None] + X[:, None, None] * eye[None, :, :]))


def test_jacobian_of_trees():
    f = lambda p: (p["a"] * p["b"], gg.sum(p["a"]))
    out = gg.jacobian(f)({"a": X, "b": np.array(2.0)})
    assert_close(out, ({"a": 2 * np.eye(2), "b": X}, {"a": np.ones(2), "b": np.array(0.0)}))


def test_jacobian_of_several_arguments():
    out = gg.jacobian(lambda x, y, *, scale: x * y * scale, (0, 1))(X, A[0], scale=2.0)
    assert_close(out, (np.diag(2 * A[0]), np.diag(2 * X)))


def test_jacobian_of_nothing_has_no_rows():
    out = gg.jacobian(lambda x: x[:0])(X)
    assert out.shape == (0, 2)


def test_jacobian_of_a_constant_is_zero():
    assert_close(gg.jacobian(lambda x: gg.ones(3))(X), np.zeros((3, 2)))


def test_jacobian_refuses_a_complex_output():
    with pytest.raises(DTypeError, match="jacobian: the output has dtype complex128, expected real"):
        gg.jacobian(lambda x: x * 1j)(X)


def test_hessian():
    assert_close(gg.hessian(quadratic)(X), A)
    assert_close(gg.hessian(rosenbrock)(X), rosenbrock_hessian(X))
    assert type(gg.hessian(quadratic)(X)) is np.ndarray


def test_hessian_of_several_arguments():
    f = lambda x, y: gg.sum(x * x) * y
    (xx, xy), (yx, yy) = gg.hessian(f, (0, 1))(X, np.array(3.0))
    assert_close((xx, xy, yx, yy), (6 * np.eye(2), 2 * X, 2 * X, np.array(0.0)))


@given(st.lists(st.floats(-2, 2), min_size=1, max_size=4))
def test_the_transforms_agree(values):
    x = np.array(values)
    v, u = np.cos(np.arange(len(x))), np.sin(1 + np.arange(len(x)))
    f = lambda x: gg.tanh(x) * gg.sum(x * x)
    jac = gg.jacobian(f)(x)
    assert_close(gg.jvp(f, (x,), (v,))[1], jac @ v, atol=1e-12)
    assert_close(gg.vjp(f, x)[1](u)[0], u @ jac, atol=1e-12)
    hess = gg.hessian(softplus_norm)(x)
    assert_close(hess, hess.T, atol=1e-12)
    assert_close(gg.hvp(softplus_norm, (x,), (v,))[0], hess @ v, atol=1e-12)
    forward_over_reverse = gg.jvp(gg.grad(softplus_norm), (x,), (v,))[1]
    assert_close(forward_over_reverse, hess @ v, atol=1e-12)


# Nesting ------------------------------------------------------------------------------------------------------------


def test_grad_of_grad():
    f = lambda x: gg.sin(x)
    for order, expected in enumerate([np.sin, np.cos, lambda x: -np.sin(x), lambda x: -np.cos(x), np.sin]):
        assert float(f(np.float64(0.7))) == pytest.approx(expected(0.7)), order
        f = gg.grad(f)


def test_no_perturbation_confusion():
    assert gg.grad(lambda x: x * gg.grad(lambda y: x + y)(1.0))(1.0).item() == 1.0
    # d/dx x * d/dy (x * y) = d/dx x * x = 2 x, at 3
    assert gg.grad(lambda x: x * gg.grad(lambda y: x * y)(1.0))(3.0).item() == 6.0
    # d/dx x * d/dy (x * y**2) = d/dx 2 x**2 y = 4 x y
    assert gg.grad(lambda x: x * gg.grad(lambda y: x * y * y)(5.0))(3.0).item() == 60.0


def test_no_perturbation_confusion_in_jvp():
    derivative = lambda f: lambda x: gg.jvp(f, (x,), (1.0,))[1]
    assert derivative(lambda x: x * derivative(lambda y: x + y)(1.0))(1.0).item() == 1.0
    assert derivative(lambda x: x * derivative(lambda y: x * y * y)(5.0))(3.0).item() == 60.0


def test_a_mixed_derivative_by_nesting():
    f = lambda x, y: gg.sin(x) * y**3
    mixed = gg.grad(gg.grad(f, 0), 1)(0.4, 2.0)
    assert mixed.item() == pytest.approx(12 * np.cos(0.4), rel=1e-6)


def test_the_argument_of_an_outer_transform_inside_an_inner_one():
    """A derivative in the loss: the inner gradient is with respect to x, the outer one with respect to the parameters."""

    def residual(w, x):
        u = lambda x: gg.tanh(w * x)
        return (gg.grad(u)(x) - 1.0) ** 2

    w, x = 0.7, 0.3
    slope = w * (1 - np.tanh(w * x) ** 2)
    by_w = (1 - np.tanh(w * x) ** 2) - w * 2 * np.tanh(w * x) * (1 - np.tanh(w * x) ** 2) * x
    assert gg.grad(residual)(np.float64(w), np.float64(x)) == pytest.approx(2 * (slope - 1) * by_w)


def test_gradient_penalty_reaches_captured_parameters():
    rng = np.random.default_rng(0)
    w = gg.tensor(rng.normal(size=(3, 3)), requires_grad=True)
    x = rng.normal(size=(4, 3))

    def critic(x):
        return gg.sum(gg.tanh(x @ w))

    g = gg.grad(critic)(gg.asarray(x))
    assert g.requires_grad
    penalty = gg.sum(g**2)
    penalty.backward()

    def by_hand(w):
        g = (1 - np.tanh(x @ w) ** 2) @ w.T
        return np.sum(g**2)

    expected = np.zeros((3, 3))
    h = 1e-6
    for i in range(3):
        for j in range(3):
            step = np.zeros((3, 3))
            step[i, j] = h
            expected[i, j] = (by_hand(w.detach().numpy() + step) - by_hand(w.detach().numpy() - step)) / (2 * h)
    np.testing.assert_allclose(w.grad.numpy(), expected, rtol=1e-6, atol=1e-7)


def test_the_results_of_all_transforms_record_if_something_captured_does():
    w = gg.tensor(np.array([2.0, 3.0]), requires_grad=True)
    f = lambda x: gg.sum(w * x**3)
    x, v = gg.asarray(X), gg.asarray(np.ones(2))
    value, gradient = gg.value_and_grad(f)(x)
    results = {
        "value": value,
        "grad": gradient,
        "jvp": gg.jvp(f, (x,), (v,))[1],
        "hvp": gg.hvp(f, (x,), (v,))[0],
        "jacobian": gg.jacobian(lambda x: w * x)(x),
        "hessian": gg.hessian(f)(x),
        "vjp": gg.vjp(f, x)[1](1.0)[0],
    }
    expected = {
        "value": X**3,
        "grad": 3 * X**2,
        "jvp": 3 * X**2,
        "hvp": 6 * X,
        "jacobian": np.ones(2),
        "hessian": 6 * X,
        "vjp": 3 * X**2,
    }
    for name, result in results.items():
        assert result.requires_grad, name
        (g,) = gg.gradients(gg.sum(result), [w], retain_graph=True)
        assert_close(g, expected[name])


def test_under_no_grad_results_do_not_record():
    w = gg.tensor(np.array([2.0, 3.0]), requires_grad=True)
    f = lambda x: gg.sum(w * x**3)
    x, v = gg.tensor(X, requires_grad=True), gg.asarray(np.ones(2))
    with gg.no_grad():
        value, gradient = gg.value_and_grad(f)(x)
        results = [
            value, gradient, gg.jvp(f, (x,), (v,))[1], gg.hvp(f, (x,), (v,))[0], gg.jacobian(f)(x), gg.hessian(f)(x),
            gg.vjp(f, x)[1](1.0)[0],
        ]  # fmt: skip
    assert not any(result.requires_grad for result in results)
    assert_close(gradient, 3 * np.array([2.0, 3.0]) * X**2)


def test_a_pullback_called_under_no_grad_does_not_record():
    x = gg.tensor(X, requires_grad=True)
    out, pullback = gg.vjp(lambda x: gg.sum(x**3), x)
    with gg.no_grad():
        (constant,) = pullback(1.0)
    (recording,) = pullback(1.0)
    assert out.requires_grad and recording.requires_grad and not constant.requires_grad


def test_raw_arrays_come_back_as_tensors_if_a_captured_gradient_would_be_lost():
    w = gg.tensor(np.array([2.0, 3.0]), requires_grad=True)
    g = gg.grad(lambda x: gg.sum(w * x))(X)
    assert type(g) is gg.Tensor and g.requires_grad
    plain = gg.grad(lambda x: gg.sum(gg.stop_gradient(w) * x))(X)
    assert type(plain) is np.ndarray


def test_a_recording_argument_keeps_its_gradient_through_grad():
    x = gg.tensor(X, requires_grad=True)
    g = gg.grad(lambda x: gg.sum(x**3))(x)
    gg.sum(g).backward()
    assert_close(x.grad, 6 * X)


def test_a_result_of_a_recorded_op_as_an_argument():
    x = gg.tensor(X, requires_grad=True)
    y = x * 2
    g = gg.grad(lambda y: gg.sum(y**3))(y)
    gg.sum(g).backward()
    assert_close(x.grad, 6 * (2 * X) * 2)


def test_the_same_tensor_as_two_arguments():
    x = gg.asarray(X)
    assert_close(gg.grad(lambda a, b: gg.sum(a * a * b), (0, 1))(x, x), (2 * X**2, X**2))


def test_transforms_do_not_touch_grad():
    w = gg.tensor(np.array([2.0, 3.0]), requires_grad=True)
    gg.grad(lambda x: gg.sum(w * x))(X)
    gg.hessian(lambda x: gg.sum(w * x**2))(X)
    assert w.grad is None


# stop_gradient ------------------------------------------------------------------------------------------------------


def test_stop_gradient():
    assert gg.grad(lambda x: x * gg.stop_gradient(x))(3.0).item() == 3.0
    tree = gg.stop_gradient({"a": gg.tensor([1.0], requires_grad=True), "b": "text"})
    assert not tree["a"].requires_grad and tree["b"] == "text"
    array = np.ones(2)
    assert gg.stop_gradient(array) is array


# Complex numbers ----------------------------------------------------------------------------------------------------


def test_grad_of_a_real_function_of_complex_numbers():
    z = np.array([1 + 2j, -0.5j])
    assert_close(gg.grad(lambda z: gg.sum(gg.abs(z) ** 2))(z), 2 * z)


def test_vjp_and_jvp_of_a_holomorphic_function():
    z, v = np.array([1 + 2j, 0.5 - 1j]), np.array([2 - 1j, 1j])
    assert_close(gg.jvp(lambda z: z**3, (z,), (v,))[1], 3 * z**2 * v)
    assert_close(gg.vjp(lambda z: z**3, z)[1](v)[0], np.conj(3 * z**2) * v)


def test_hvp_of_a_real_function_of_complex_numbers():
    z, v = np.array([1 + 2j, 0.5 - 1j]), np.array([2 - 1j, 1j])
    assert_close(gg.hvp(lambda z: gg.sum(gg.abs(z) ** 2), (z,), (v,)), (2 * v,))


# Elsewhere ----------------------------------------------------------------------------------------------------------


def test_on_every_library(backend):
    x, v = backend.asarray(X), backend.asarray(np.array([1.0, -2.0]))

    def f(x):
        return gg.sum(gg.sin(x) * x**2)

    slope = np.cos(X) * X**2 + 2 * X * np.sin(X)
    curve = -np.sin(X) * X**2 + 4 * X * np.cos(X) + 2 * np.sin(X)
    direction = np.array([1.0, -2.0])
    found = {
        "grad": (gg.grad(f)(x), slope),
        "vjp": (gg.vjp(f, x)[1](1.0)[0], slope),
        "jvp": (gg.jvp(f, (x,), (v,))[1], np.sum(slope * direction)),
        "jacobian": (gg.jacobian(f)(x), slope),
        "hessian": (gg.hessian(f)(x), np.diag(curve)),
        "hvp": (gg.hvp(f, (x,), (v,))[0], curve * direction),
        "grad of grad": (gg.grad(lambda x: gg.sum(gg.grad(f)(x)))(x), curve),
    }
    for name, (result, expected) in found.items():
        assert backend.is_array(result), name
        np.testing.assert_allclose(backend.to_numpy(result), expected, rtol=1e-12, atol=1e-12, err_msg=name)


def test_a_gradient_on_another_device_is_refused(backend):
    if backend.name != "array-api-strict":
        pytest.skip("only there is a second device at hand")
    _, pullback = gg.vjp(lambda x: x * 2, backend.asarray(X))
    with pytest.raises(DeviceError, match="vjp: the gradient is on cpu and the output on .*device1"):
        pullback(np.ones(2))


def test_in_threads():
    with ThreadPoolExecutor(4) as pool:
        for i, g in enumerate(pool.map(lambda i: gg.grad(lambda x: gg.sum(x**2) * i)(X), range(20))):
            assert_close(g, 2.0 * i * X)


# What a function may do to its arguments -----------------------------------------------------------------------------


def test_a_function_may_change_its_arguments():
    """Only its own: what was passed in stays as it is."""

    def changing(x):
        x[0] = x[1] ** 2
        x *= 3.0
        return gg.sum(x)

    given = X.copy()
    assert_close(gg.grad(changing)(given), np.array([0.0, 6 * X[1] + 3]))
    assert_close(given, X)
    assert_close(gg.hessian(changing)(X), np.diag([0.0, 6.0]))


def test_a_copy_of_an_argument_passes_the_gradient():
    assert_close(gg.grad(lambda x: gg.sum(copy.deepcopy(x) ** 2))(X), 2 * X)
    assert_close(gg.hessian(lambda x: gg.sum(copy.copy(x) ** 3))(X), np.diag(6 * X))


def test_an_argument_says_that_it_records():
    shown = []
    gg.grad(lambda x: shown.append(repr(x)) or gg.sum(x))(X)
    assert "requires_grad=True" in shown[0]
