"""The gradient of a branch that was not taken is zero, also where the branch's derivative is infinite or nan."""

import numpy
import pytest

import gpugrad as gg
from gpugrad.testing import assert_close

X = numpy.asarray([0.0, 0.0, 1.0, 4.0])
SAFE = numpy.asarray([0.0, 0.0, 0.5, 0.25])


def total(branch):
    return lambda x: gg.sum(gg.where(x > 0, branch(x), 0))


@pytest.fixture(autouse=True)
def _values_may_be_infinite():
    with numpy.errstate(all="ignore"):
        yield


@pytest.mark.parametrize(
    ("branch", "expected"),
    [
        (gg.sqrt, SAFE),
        (lambda x: gg.sqrt(x * 1.0), SAFE),
        (lambda x: gg.reshape(gg.sqrt(gg.reshape(x, (2, 2))), (4,)), SAFE),
        (lambda x: gg.flip(gg.sqrt(gg.flip(x))), SAFE),
        (lambda x: gg.sqrt(x)[...], SAFE),
        (lambda x: gg.concat([gg.sqrt(x)[:2], gg.sqrt(x)[2:]]), SAFE),
        (lambda x: gg.clip(gg.sqrt(x), -10, 10), SAFE),
        (lambda x: gg.log(x), numpy.asarray([0.0, 0.0, 1.0, 0.25])),
        (lambda x: 1 / x, numpy.asarray([0.0, 0.0, -1.0, -0.0625])),
        (lambda x: gg.sqrt(x - 1.0), numpy.asarray([0.0, 0.0, numpy.inf, 0.5 / numpy.sqrt(3)])),  # infinite where it is taken
        (lambda x: gg.where(x > 2, gg.sqrt(x), gg.sqrt(x) * 2), numpy.asarray([0.0, 0.0, 1.0, 0.25])),
    ],
)
def test_the_branch_not_taken_gets_zero(branch, expected):
    assert_close(gg.grad(total(branch))(X)[:2], expected[:2])
    assert_close(gg.grad(total(branch))(X)[2:], expected[2:])


def test_the_else_branch_too():
    assert_close(gg.grad(lambda x: gg.sum(gg.where(x <= 0, 0, gg.sqrt(x))))(X), SAFE)


@pytest.mark.parametrize("key", [X <= 0, slice(2), [0, 1]])
def test_what_is_overwritten_too(key):
    """``out[key] = value`` as SciPy and scikit-learn repair a division by zero."""

    def repaired(x):
        root = gg.asarray(x) ** 0.5
        root[key] = 0.0
        return gg.sum(root)

    assert_close(gg.grad(repaired)(X), SAFE)
    assert_close(gg.hessian(repaired)(X), numpy.diag([0.0, 0.0, -0.25, -0.03125]))


@pytest.mark.parametrize("create_graph", [False, True])
def test_what_is_overwritten_too_on_every_backend(backend, create_graph):
    x = gg.asarray(backend.asarray(X)).requires_grad_()
    root = gg.sqrt(x)
    root[:2] = 0.0
    (gradient,) = gg.gradients(gg.sum(root), [x], create_graph=create_graph)
    assert_close(backend.to_numpy(gradient.array), SAFE)


def test_what_is_written_is_live():
    def written(x):
        out = gg.zeros(4, dtype=gg.float64)
        out[X > 0] = gg.sqrt(gg.where(x > 0, x, 1.0))[X > 0]
        return gg.sum(out)

    assert_close(gg.grad(written)(X), SAFE)


def test_second_derivatives():
    assert_close(gg.hessian(total(gg.sqrt))(X), numpy.diag([0.0, 0.0, -0.25, -0.03125]))


def test_forward_derivatives():
    value, tangent = gg.jvp(lambda x: gg.where(x > 0, gg.sqrt(x), 0), (X,), (numpy.ones(4),))
    assert_close(value, numpy.sqrt(X))
    assert_close(tangent, SAFE)


def test_through_reductions_and_broadcasting():
    rows = numpy.asarray([[3.0, 4.0], [0.0, 0.0]])

    def lengths(x):
        squares = gg.sum(x * x, axis=1)
        return gg.sum(gg.where(squares > 0, gg.sqrt(squares), 0))

    assert_close(gg.grad(lengths)(rows), numpy.asarray([[0.6, 0.8], [0.0, 0.0]]))
    scale = numpy.asarray([[0.0], [4.0]])
    mask = numpy.asarray([[False, False], [True, True]])
    gradient = gg.grad(lambda s: gg.sum(gg.where(mask, gg.sqrt(s) * rows[::-1] * 0 + gg.sqrt(s), 0)))(scale)
    assert_close(gradient, numpy.asarray([[0.0], [0.5]]))


def test_where_another_use_is_live_the_infinity_is_real():
    gradient = gg.grad(lambda x: gg.sum(gg.where(x > 0, gg.sqrt(x), 0) + gg.sqrt(x)))(X)
    assert_close(gradient, numpy.asarray([numpy.inf, numpy.inf, 1.0, 0.5]))


def test_two_masked_uses_together():
    def f(x):
        root = gg.sqrt(x)
        return gg.sum(gg.where(x > 2, root, 0) + gg.where((x > 0) & (x < 2), root, 0))

    assert_close(gg.grad(f)(X), SAFE)


def test_a_gradient_that_happens_to_be_zero_is_no_mask():
    # d/dx of 0.5 * where(m, sin x, 0)**2 is sin x cos x, which is 0 at 0; its derivative there is 1 all the same.
    f = lambda x: 0.5 * gg.sum(gg.where(x > -1, gg.sin(x), 0) ** 2)
    assert_close(gg.hessian(f)(numpy.zeros(1)), numpy.ones((1, 1)))


@pytest.mark.parametrize("record", [False, True])
def test_a_finite_gradient_whose_derivative_is_infinite(record):
    """x ** 1.5 has the derivative 0 at 0, and no second one: where it is to be differentiated again, the mask must be recorded."""
    f = total(lambda x: x**1.5)
    if record:
        assert_close(gg.hessian(f)(X), numpy.diag([0.0, 0.0, 0.75, 0.375]))
    else:
        assert_close(gg.grad(f)(X), 1.5 * numpy.sqrt(X))


def test_no_zeros_are_set_where_all_is_finite(monkeypatch):
    calls = []
    monkeypatch.setattr("gpugrad.branches.where", lambda *args: calls.append(args) or gg.where(*args))
    gg.grad(lambda x: gg.sum(gg.where(x > 0, gg.sin(gg.exp(x)), 0)))(X)
    assert not calls
    gg.grad(total(gg.sqrt))(X)
    assert len(calls) == 1


def test_on_every_backend(backend):
    x = backend.asarray(X)
    assert_close(backend.to_numpy(gg.grad(total(gg.sqrt))(x)), SAFE)


def test_a_rule_without_a_gradient_behind_a_mask():
    """The sign in the derivative of abs has no gradient of its own: zero, wherever the mask is live."""
    x = gg.tensor([-2.0, 0.0, 3.0], requires_grad=True)
    (g,) = gg.gradients(gg.sum(gg.where(x != 0, abs(x) * x, 0)), [x], create_graph=True)
    assert g.tolist() == [4.0, 0.0, 6.0]
    assert gg.gradients(gg.sum(g), [x])[0].tolist() == [-2.0, 0.0, 2.0]


@pytest.mark.parametrize("condition", [True, False])
def test_a_condition_that_is_a_python_bool(condition):
    """As NumPy and CuPy take it: all of one branch is taken."""
    x = gg.tensor(X, requires_grad=True)
    for create_graph in (False, True):
        (g,) = gg.gradients(gg.sum(gg.where(condition, gg.sqrt(x), 3 * x)), [x], create_graph=create_graph)
        assert g.tolist() == ([numpy.inf, numpy.inf, 0.5, 0.25] if condition else [3.0] * 4)
    assert gg.gradients(gg.sum(g), [x])[0].tolist()[2:] == ([-0.25, -0.03125] if condition else [0.0, 0.0])
