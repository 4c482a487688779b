"""What other libraries compute wrongly without a word, or give as nan, held to closed forms: each gradient, and most of second order."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from backends import Backend

import gpugrad as gg
from gpugrad.testing import assert_close
from gpugrad.trees import leaves

Function = Callable[[Any], Any]


def gradient(function: Function, values: Any, backend: Backend) -> Any:
    """Of the sum of the real part of what `function` returns, on arrays of the backend; with and without a record of the sweep."""
    found = []
    for create_graph in (False, True):
        x = gg.asarray(backend.asarray(np.asarray(values))).requires_grad_()
        with np.errstate(all="ignore"):
            (g,) = gg.gradients(gg.sum(gg.real(function(x))), [x], create_graph=create_graph)
        found.append(backend.to_numpy(g.detach().array))
    assert_close(*found)
    return found[0]


def hessian(function: Function, values: Any) -> Any:
    with np.errstate(all="ignore"):
        return gg.hessian(lambda x: gg.sum(function(x)))(np.asarray(values))


# Statistics ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("correction", [0, 1, 0.5])
def test_var_and_std_with_correction(correction: float, backend: Backend) -> None:
    x = np.asarray([[1.0, 2.0, 4.0, 8.0], [3.0, -1.0, 0.0, 2.0]])
    apart = x - x.mean(axis=1, keepdims=True)
    dvar = 2 * apart / (4 - correction)
    std = x.std(axis=1, keepdims=True, ddof=correction)
    assert_close(gradient(lambda x: gg.var(x, axis=1, correction=correction), x, backend), dvar)
    assert_close(gradient(lambda x: gg.std(x, axis=1, correction=correction), x, backend), dvar / (2 * std))
    assert_close(hessian(lambda x: gg.var(x, correction=correction), x[0]), (np.eye(4) - 0.25) * 2 / (4 - correction))


@pytest.mark.parametrize("correction", [0, 1])
def test_the_variance_of_complex_numbers(correction: float, backend: Backend) -> None:
    z = np.asarray([1 + 1j, 2 - 1j, -3j])
    assert_close(gradient(lambda z: gg.var(z, correction=correction), z, backend), 2 * (z - z.mean()) / (3 - correction))


# Complex matrices ---------------------------------------------------------------------------------------------------

A = np.asarray([[2.0, 1 + 1j], [0.5 - 1j, -1 + 2j]])
HERMITIAN = np.asarray([[3.0, 1 - 1j], [1 + 1j, 2.0]])


def adjoint(x: Any) -> Any:
    return np.conj(x.T)


def test_complex_cholesky(backend: Backend) -> None:
    """2 sum log diag L = log det x, whose gradient is inv(x)."""
    found = gradient(lambda x: 2 * gg.log(gg.linalg.diagonal(gg.linalg.cholesky(x))), HERMITIAN, backend)
    assert_close(found, np.linalg.inv(HERMITIAN))


def test_complex_slogdet(backend: Backend) -> None:
    """log det x = log sign + log abs det, whose gradients are adjoint(inv(x)), once for the real and turned for the imaginary part."""
    sign = np.linalg.slogdet(A).sign
    assert_close(gradient(lambda x: gg.linalg.slogdet(x).logabsdet, A, backend), adjoint(np.linalg.inv(A)))
    turned = gradient(lambda x: gg.linalg.slogdet(x).sign * complex(-1j * np.conj(sign)), A, backend)
    assert_close(turned, 1j * adjoint(np.linalg.inv(A)))


def test_complex_pinv(backend: Backend) -> None:
    inverse = np.linalg.inv(A)
    assert_close(gradient(lambda x: gg.linalg.trace(gg.linalg.pinv(x)), A, backend), -adjoint(inverse @ inverse))
    tall = np.concatenate([A, A[:1] * 2j])  # the product with its pseudo-inverse is constant
    found = gradient(lambda x: gg.matmul(gg.linalg.pinv(x), x) * complex(1, 2), tall, backend)
    assert_close(found, np.zeros_like(tall), atol=1e-12)


# Complex powers and products ----------------------------------------------------------------------------------------


def test_complex_pow(backend: Backend) -> None:
    z, w = np.asarray([1 + 2j, -0.5 + 1j]), np.asarray([0.5 - 1j, 2.0])
    assert_close(gradient(lambda z: gg.pow(z, backend.asarray(w)), z, backend), np.conj(w * z ** (w - 1)))
    assert_close(gradient(lambda w: gg.pow(backend.asarray(z), w), w, backend), np.conj(z**w * np.log(z)))
    assert_close(gradient(lambda z: z**2, np.asarray([0j, 1j]), backend), np.asarray([0j, -2j]))


def test_complex_products_with_and_without_zeros(backend: Backend) -> None:
    for z in ([1 + 2j, -0.5 + 1j, 3 - 1j], [1 + 2j, 0j, 3 - 1j], [0j, 0j, 3 - 1j]):
        a, b, c = z
        assert_close(gradient(gg.cumulative_prod, z, backend), np.conj([1 + b + b * c, a + a * c, a * b]))
        assert_close(gradient(gg.prod, z, backend), np.conj([b * c, a * c, a * b]))


# Products of zeros --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("x", [(2.0, 3.0, 4.0), (0.0, 3.0, 4.0), (2.0, 0.0, 4.0), (0.0, 0.0, 4.0), (0.0, 0.0, 0.0)])
def test_products_of_zeros_to_second_order(x: tuple[float, float, float], backend: Backend) -> None:
    a, b, c = x
    assert_close(gradient(gg.prod, x, backend), np.asarray([b * c, a * c, a * b]))
    assert_close(hessian(gg.prod, x), np.asarray([[0, c, b], [c, 0, a], [b, a, 0]]))
    assert_close(gradient(gg.cumulative_prod, x, backend), np.asarray([1 + b + b * c, a + a * c, a * b]))
    assert_close(hessian(gg.cumulative_prod, x), np.asarray([[0, 1 + c, b], [1 + c, 0, a], [b, a, 0]]))


# Points where a function is not smooth ------------------------------------------------------------------------------


def test_norms_at_zero(backend: Backend) -> None:
    zero = np.zeros((2, 2))
    norms = (gg.linalg.vector_norm, gg.linalg.matrix_norm, gg.std, gg.abs)
    for norm in (*norms, lambda x: gg.hypot(x[0, :], x[1, :])):
        assert_close(gradient(norm, zero, backend), zero)
    for norm in norms:
        assert_close(gradient(norm, zero.astype(complex), backend), zero)


def test_norms_of_some_rows_at_zero(backend: Backend) -> None:
    x = np.asarray([[0.0, 0.0], [3.0, 4.0]])
    assert_close(gradient(lambda x: gg.linalg.vector_norm(x, axis=1), x, backend), np.asarray([[0, 0], [0.6, 0.8]]))


def test_sqrt_at_zero(backend: Backend) -> None:
    assert_close(gradient(gg.sqrt, [0.0, 4.0], backend), np.asarray([np.inf, 0.25]))
    assert_close(gradient(lambda x: gg.sqrt(x) ** 2, [4.0], backend), np.asarray([1.0]))


def test_abs_of_complex_numbers(backend: Backend) -> None:
    z = np.asarray([0j, 3 + 4j])
    assert_close(gradient(gg.abs, z, backend), np.asarray([0j, 0.6 + 0.8j]))
    assert_close(gradient(lambda z: gg.abs(z) ** 2, z, backend), 2 * z)


# Ties ---------------------------------------------------------------------------------------------------------------


def test_sort_of_ties_sends_each_weight_to_one_element(backend: Backend) -> None:
    weights = backend.asarray(np.asarray([1.0, 2.0, 4.0]))
    x = [1.0, 1.0, 0.0]
    assert gradient(lambda x: gg.sort(x) * weights, x, backend).tolist() == [2.0, 4.0, 1.0]
    assert gradient(lambda x: gg.sort(x, descending=True) * weights, x, backend).tolist() == [1.0, 2.0, 4.0]
    assert_close(hessian(lambda x: gg.sort(x) ** 2 * np.asarray([1.0, 2.0, 4.0]), x), np.diag([4.0, 8.0, 2.0]))


def test_extrema_of_ties_share(backend: Backend) -> None:
    x = np.asarray([[2.0, 1.0, 2.0], [0.0, 3.0, 1.0]])
    assert gradient(lambda x: gg.max(x, axis=1), x, backend).tolist() == [[0.5, 0.0, 0.5], [0.0, 1.0, 0.0]]
    assert gradient(lambda x: gg.min(x, axis=0), x[:1] * 0 + x[:, :1] * 0, backend).tolist() == [[0.5] * 3] * 2
    assert gradient(lambda x: gg.maximum(x, 2.0), x, backend).tolist() == [[0.5, 0.0, 0.5], [0.0, 1.0, 0.0]]
    assert_close(hessian(lambda x: gg.max(x) ** 3, [2.0, 1.0, 2.0]), 3 * np.outer([1, 0, 1], [1, 0, 1]))


# Indexing -----------------------------------------------------------------------------------------------------------


def test_repeated_indices_add_up(backend: Backend) -> None:
    index = backend.asarray(np.asarray([0, 2, 0, 0]))
    weights = backend.asarray(np.asarray([1.0, 2.0, 4.0, 8.0]))
    x = [1.0, 2.0, 3.0]
    for pick in (lambda x: gg.take(x, index), lambda x: x[index], lambda x: gg.take_along_axis(x, index, axis=0)):
        assert gradient(lambda x, pick=pick: pick(x) * weights, x, backend).tolist() == [13.0, 0.0, 2.0]
    host = np.asarray([0, 2, 0, 0])
    assert_close(hessian(lambda x: x[host] ** 2, x), np.diag([6.0, 0.0, 2.0]))
    assert_close(hessian(lambda x: gg.take(x, host) ** 2, x), np.diag([6.0, 0.0, 2.0]))


def test_negative_steps(backend: Backend) -> None:
    weights = np.arange(1.0, 7.0)
    assert gradient(lambda x: x[::-1] * backend.asarray(weights), weights, backend).tolist() == weights[::-1].tolist()
    assert gradient(lambda x: x[4:0:-2] ** 2, weights, backend).tolist() == [0.0, 0.0, 6.0, 0.0, 10.0, 0.0]
    assert gradient(lambda x: x[1, ::-2], np.ones((2, 3)), backend).tolist() == [[0.0, 0.0, 0.0], [1.0, 0.0, 1.0]]


# Few elements -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("function", "expected"),
    [
        (gg.sum, 1.0),
        (gg.prod, 1.0),
        (gg.max, 1.0),
        (gg.mean, 1.0),
        (gg.var, 0.0),
        (lambda x: gg.exp(x) * x, 3 * np.exp(2.0)),
        (lambda x: x[()] * x[...], 4.0),
        (lambda x: gg.reshape(x, (1, 1)) ** 2, 4.0),
        (lambda x: gg.broadcast_to(x, (2, 3)), 6.0),
        (lambda x: gg.where(x > 0, x * 2, x), 2.0),
        (lambda x: gg.linalg.vector_norm(x), 1.0),
        (lambda x: gg.stack([x, x]), 2.0),
    ],
)
def test_arrays_of_no_dimensions(function: Function, expected: float, backend: Backend) -> None:
    found = gradient(function, 2.0, backend)
    assert found.shape == ()
    assert_close(found, np.asarray(expected))


@pytest.mark.parametrize(
    "function",
    [
        gg.sum,
        gg.prod,
        lambda x: gg.cumulative_prod(x, axis=0),
        lambda x: gg.sort(x, axis=0),
        lambda x: gg.max(x, axis=1),
        lambda x: gg.matmul(gg.matrix_transpose(x), x),  # sums of nothing are zeros, and constants
        lambda x: gg.concat([x, x]),
        lambda x: x[:, ::-1] * 2,
        lambda x: gg.linalg.vector_norm(x),
        lambda x: gg.where(x > 0, gg.sqrt(x), 0),
        lambda x: gg.std(x, axis=1),
    ],
)
def test_arrays_of_no_elements(function: Function, backend: Backend) -> None:
    assert gradient(function, np.zeros((0, 3)), backend).shape == (0, 3)


def test_reductions_of_nothing_are_constants(backend: Backend) -> None:
    x = gg.asarray(backend.asarray(np.zeros((2, 0)))).requires_grad_()
    out = gg.prod(x, axis=1) + gg.sum(x, axis=1)
    gg.sum(out).backward()
    assert backend.to_numpy(out.detach().array).tolist() == [1.0, 1.0]
    assert x.grad.shape == (2, 0)


# Masked branches ----------------------------------------------------------------------------------------------------

# In the interval (0.2, 0.9) each branch is smooth; at the other points it is infinite or nan, or its derivative is.
X = np.asarray([-1.0, 0.0, 0.25, 1.0, 2.0, np.inf, np.nan, 0.5, 0.3])
TAKEN = np.asarray([False] * 2 + [True] + [False] * 4 + [True] * 2)


def masked(branch: Function) -> Function:
    """The branch where it is smooth, else 0."""
    return lambda x: gg.where((x > 0.2) & (x < 0.9), branch(x), 0)


def spread(values: Any) -> Any:
    """`values` where the branch is taken, zeros elsewhere."""
    out = np.zeros(X.shape)
    out[TAKEN] = values
    return out


# A branch, its derivative and its second derivative.
BRANCHES: dict[str, tuple[Function, Function, Function]] = {
    "sqrt": (lambda x: gg.sqrt(x - 0.2), lambda x: 0.5 / np.sqrt(x - 0.2), lambda x: -0.25 * (x - 0.2) ** -1.5),
    "log": (gg.log, lambda x: 1 / x, lambda x: -1 / x**2),
    "log of sqrt": (lambda x: gg.log(gg.sqrt(x)), lambda x: 0.5 / x, lambda x: -0.5 / x**2),
    "quotient": (lambda x: 1 / x, lambda x: -1 / x**2, lambda x: 2 / x**3),
    "sin(x) / x": (
        lambda x: gg.sin(x) / x,
        lambda x: np.cos(x) / x - np.sin(x) / x**2,
        lambda x: -np.sin(x) / x - 2 * np.cos(x) / x**2 + 2 * np.sin(x) / x**3,
    ),
    "negative power": (lambda x: x**-1.5, lambda x: -1.5 * x**-2.5, lambda x: 3.75 * x**-3.5),
    "power of itself": (lambda x: x**x, lambda x: x**x * (np.log(x) + 1), lambda x: x**x * ((np.log(x) + 1) ** 2 + 1 / x)),
    "exp": (
        lambda x: gg.exp(1 / x),
        lambda x: -np.exp(1 / x) / x**2,
        lambda x: np.exp(1 / x) * (1 + 2 * x) / x**4,
    ),
    "asin": (gg.asin, lambda x: (1 - x * x) ** -0.5, lambda x: x * (1 - x * x) ** -1.5),
    "atanh": (gg.atanh, lambda x: 1 / (1 - x * x), lambda x: 2 * x / (1 - x * x) ** 2),
    "logit": (
        lambda x: gg.special.logit(x),
        lambda x: 1 / (x * (1 - x)),
        lambda x: (2 * x - 1) / (x * (1 - x)) ** 2,
    ),
    "entr": (lambda x: gg.special.entr(x), lambda x: -np.log(x) - 1, lambda x: -1 / x),
    "complex": (lambda x: gg.real(gg.log(gg.astype(x, gg.complex128))), lambda x: 1 / x, lambda x: -1 / x**2),
    "nested": (
        lambda x: gg.where(x > 0.4, gg.log(x - 0.4), gg.sqrt(x - 0.2)),
        lambda x: np.where(x > 0.4, 1 / (x - 0.4), 0.5 / np.sqrt(x - 0.2)),
        lambda x: np.where(x > 0.4, -1 / (x - 0.4) ** 2, -0.25 * np.abs(x - 0.2) ** -1.5),
    ),
    "rearranged": (
        lambda x: gg.sum(gg.flip(gg.stack([gg.log(x), gg.flip(gg.flip(1 / x))], axis=1), axis=1), axis=1),
        lambda x: 1 / x - 1 / x**2,
        lambda x: -1 / x**2 + 2 / x**3,
    ),
    "one of several": (lambda x: gg.unstack(gg.stack([gg.log(x), gg.sqrt(x)]))[0], lambda x: 1 / x, lambda x: -1 / x**2),
}


@pytest.mark.parametrize("name", BRANCHES)
def test_a_branch_that_is_not_taken(name: str, backend: Backend) -> None:
    branch, first, _ = BRANCHES[name]
    assert_close(gradient(masked(branch), X, backend), spread(first(X[TAKEN])))


@pytest.mark.parametrize("name", BRANCHES)
def test_a_branch_that_is_not_taken_to_second_order(name: str) -> None:
    branch, _, second = BRANCHES[name]
    assert_close(hessian(masked(branch), X), np.diag(spread(second(X[TAKEN]))))


@pytest.mark.parametrize("name", BRANCHES)
def test_tangents_of_a_branch_that_is_not_taken(name: str) -> None:
    branch, first, _ = BRANCHES[name]
    with np.errstate(all="ignore"):
        _, tangent = gg.jvp(masked(branch), (X,), (np.ones(X.shape),))
    assert_close(tangent, spread(first(X[TAKEN])))


def test_branches_that_are_not_taken_in_a_fused_function() -> None:
    names = ("sqrt", "log of sqrt", "quotient", "negative power", "power of itself", "asin", "nested")
    total = gg.fuse(lambda x: gg.sum(sum(masked(BRANCHES[name][0])(x) for name in names)))
    with np.errstate(all="ignore"):
        assert_close(gg.grad(total)(X), spread(sum(BRANCHES[name][1](X[TAKEN]) for name in names)))
        assert_close(gg.hessian(total)(X), np.diag(spread(sum(BRANCHES[name][2](X[TAKEN]) for name in names))))
        long = np.tile(X, 2000)  # enough elements for compiled kernels
        expected = np.tile(spread(sum(BRANCHES[name][1](X[TAKEN]) for name in names)), 2000)
        assert_close(gg.grad(total)(long), expected)


def test_every_function_of_one_number_may_be_a_branch_that_is_not_taken() -> None:
    """Where a branch is not taken the gradient is exactly zero, and elsewhere that of the branch alone."""
    main = "acos asin asinh atan atanh cos cosh exp expm1 log log10 log1p log2 reciprocal sin sinh sqrt tan tanh".split()
    special = [name for name in gg.special.__all__ if len(inspect.signature(getattr(gg.special, name)).parameters) == 1]
    wrong = []
    for function in [getattr(gg, name) for name in main] + [getattr(gg.special, name) for name in special]:
        branch = lambda x, function=function: sum(gg.real(part) for part in leaves(function(x)))
        with np.errstate(all="ignore"):
            found, alone = gg.grad(lambda x: gg.sum(masked(branch)(x)))(X), gg.grad(lambda x: gg.sum(branch(x)))(X[TAKEN])
            second = np.diag(gg.hessian(lambda x: gg.sum(masked(branch)(x)))(X))[~TAKEN]
        if found[~TAKEN].any() or second.any() or not np.allclose(found[TAKEN], alone, equal_nan=True):
            wrong.append(function.__name__)
    assert len(special) > 40 and wrong == []


@pytest.mark.parametrize(
    ("reduction", "fill", "expected"),
    [
        (lambda x: gg.special.logsumexp(x, axis=1), -np.inf, [0.5, 0.5]),
        (lambda x: gg.std(x, axis=1), np.nan, [0.0, 0.0]),
        (lambda x: gg.max(x, axis=1), np.nan, [0.5, 0.5]),
        (lambda x: gg.prod(x, axis=1), np.inf, [2.0, 2.0]),
        (lambda x: gg.linalg.vector_norm(x, axis=1), np.nan, [0.5**0.5, 0.5**0.5]),
    ],
)
def test_rows_of_nothing_that_are_masked_before_and_after(
    reduction: Function, fill: float, expected: Any, backend: Backend
) -> None:
    rows = backend.asarray(np.asarray([[True, True], [False, False]]))
    found = gradient(lambda x: gg.where(rows[:, 0], reduction(gg.where(rows, x, fill)), 0), np.full((2, 2), 2.0), backend)
    assert_close(found, np.asarray([expected, [0.0, 0.0]]))
