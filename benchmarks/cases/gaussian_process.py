"""gp: the gradient of a Gaussian process's log marginal likelihood for its three hyperparameters, n = 400, float64.

With K = s^2 exp(-d^2 / (2 l^2)) + v I, the negative logarithm of the likelihood of y is y' K^-1 y / 2 + log det(K) / 2 + n log(2 pi) / 2
(Rasmussen and Williams, Gaussian Processes for Machine Learning, 2006, algorithm 2.1); by hand, the derivative for a parameter t is
tr((K^-1 - a a') dK/dt) / 2 with a = K^-1 y (their equation 5.9).
"""

from __future__ import annotations

import importlib
import math
from collections.abc import Callable
from functools import partial
from typing import Any

import numpy

import gpugrad as gg
from benchmarks import peers
from benchmarks.contest import Build, Contest, Step, Target
from benchmarks.libraries import AUTOGRAD, GPUGRAD, JAX, NUMPY, PYTORCH

SIZE, FEATURES = 400, 3
START = (0.2, -0.1, -1.0)
"""Logarithms of the length scale l, of the signal's deviation s and of the noise's variance v."""

Problem = tuple[Any, Any]
"""Squared distances of the points and the values there."""


def problem(size: int = SIZE) -> Problem:
    """Random points in a cube, and a function of them with noise."""
    rng = numpy.random.default_rng(0)
    points = rng.uniform(-2, 2, (size, FEATURES))
    values = numpy.sin(points).sum(axis=1) + 0.3 * rng.standard_normal(size)
    distances = ((points[:, None] - points[None]) ** 2).sum(axis=2)
    return distances, values


def likelihood(
    xp: Any, solve_triangular: Callable[[Any, Any], Any], eye: Any, distances: Any, values: Any
) -> Callable[..., Any]:
    """The negative logarithm of the likelihood, as a function of the three logarithms, in the functions of a library.

    `solve_triangular` solves L x = y for a lower triangular matrix L.
    """

    def of(length: Any, signal: Any, noise: Any) -> Any:
        kernel = xp.exp(2 * signal - 0.5 * distances * xp.exp(-2 * length)) + xp.exp(noise) * eye
        factor = xp.linalg.cholesky(kernel)
        half = solve_triangular(factor, values)
        log_det = xp.sum(xp.log(xp.sum(factor * eye, axis=1)))
        return 0.5 * xp.sum(half * half) + log_det + 0.5 * len(eye) * math.log(2 * math.pi)

    return of


def with_gpugrad(problem: Problem, device: str) -> Step:
    """Value and gradient with gpugrad, op by op."""
    distances, values, start, eye = (gg.asarray(a, device=device).detach().array for a in _arrays(problem))
    function = likelihood(gg, lambda a, b: gg.linalg.solve_triangular(a, b, upper=False), eye, distances, values)
    product = gg.value_and_grad(function, argnums=(0, 1, 2))
    return lambda: product(*start)


def with_torch(problem: Problem, device: str) -> Step:
    """The same with PyTorch."""
    torch = peers.torch(device)
    distances, values, _, eye = (torch.tensor(a, device=device) for a in _arrays(problem))
    start = [torch.tensor(x, dtype=torch.float64, device=device, requires_grad=True) for x in START]
    solve = lambda a, b: torch.linalg.solve_triangular(a, b, upper=False)
    function = likelihood(torch, solve, eye, distances, values)

    def step() -> Any:
        value = function(*start)
        return value, torch.autograd.grad(value, start)

    return step


def with_jax(problem: Problem, device: str) -> Step:
    """The same with JAX, in float64."""
    jax = peers.jax()
    jax.config.update("jax_enable_x64", True)
    linalg = importlib.import_module("jax.scipy.linalg")
    distances, values, start, eye = (jax.device_put(a) for a in _arrays(problem))
    solve = lambda a, b: linalg.solve_triangular(a, b, lower=True)

    def whole(distances: Any, values: Any, eye: Any, *logarithms: Any) -> Any:
        function = likelihood(jax.numpy, solve, eye, distances, values)
        return jax.value_and_grad(function, argnums=(0, 1, 2))(*logarithms)

    compiled = jax.jit(whole)
    return lambda: compiled(distances, values, eye, *start)


def with_autograd(problem: Problem, device: str) -> Step:
    """The same with HIPS autograd."""
    autograd = peers.autograd()
    linalg = importlib.import_module("autograd.scipy.linalg")
    distances, values, start, eye = _arrays(problem)
    solve = lambda a, b: linalg.solve_triangular(a, b, lower=True)
    function = likelihood(autograd.numpy, solve, eye, distances, values)
    product = autograd.value_and_grad(lambda x: function(x[0], x[1], x[2]))

    def step() -> Any:
        value, gradient = product(start)
        return value, tuple(gradient)

    return step


def by_hand(problem: Problem, device: str) -> Step:
    """The same in NumPy and LAPACK, with the derivative of the likelihood written out."""
    linalg = importlib.import_module("scipy.linalg")
    distances, values, (length, signal, noise), _ = _arrays(problem)
    values = values[:, 0]

    def step() -> Any:
        smooth = numpy.exp(2 * signal - 0.5 * distances * numpy.exp(-2 * length))
        kernel = smooth.copy()
        kernel[numpy.diag_indices_from(kernel)] += numpy.exp(noise)
        factor, _ = linalg.lapack.dpotrf(kernel, lower=1)
        inverse, _ = linalg.lapack.dpotri(factor, lower=1)
        inverse = numpy.tril(inverse) + numpy.tril(inverse, -1).T
        weights = inverse @ values
        value = 0.5 * values @ weights + numpy.log(numpy.diagonal(factor)).sum() + 0.5 * len(values) * math.log(2 * math.pi)
        inner = inverse
        inner -= weights[:, None] * weights
        trace = 0.5 * numpy.exp(noise) * numpy.trace(inner)
        inner *= smooth
        inner_sum = inner.sum()
        inner *= distances
        return value, (0.5 * numpy.exp(-2 * length) * inner.sum(), inner_sum, trace)

    return step


def _arrays(problem: Problem) -> tuple[Any, Any, Any, Any]:
    """Squared distances, values as a column, the three logarithms, and the identity."""
    distances, values = problem
    return distances, values[:, None], numpy.array(START), numpy.eye(len(values))


COLUMNS: dict[str, Build] = {
    GPUGRAD: with_gpugrad,
    PYTORCH: with_torch,
    JAX: with_jax,
    AUTOGRAD: with_autograd,
    NUMPY: by_hand,
}

CONTESTS = (
    Contest(
        "gp", f"Gaussian-process likelihood and its gradient, n = {SIZE}, float64", problem, COLUMNS,
        targets=(Target(1.0),), tolerance=1e-6, memory_limit=1.0, small=partial(problem, 8),
    ),
)  # fmt: skip
