"""hvp: the product of a Hessian with a vector, for a network's loss, a logistic regression, and Rosenbrock's function.

PyTorch differentiates its gradient a second time, as gpugrad does; JAX and HIPS autograd do what their documentation advises.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy

import gpugrad as gg
from benchmarks import peers
from benchmarks.contest import Build, Contest, Step, Target
from benchmarks.libraries import AUTOGRAD, GPUGRAD, JAX, PYTORCH

Function = Callable[..., Any]
"""A scalar, from a library with NumPy's names and the arrays it is differentiated for."""


@dataclass(frozen=True)
class Problem:
    """The function, where it is differentiated and in which direction, and the arrays that it takes besides: (library, *primals, *data)."""

    function: Function
    primals: list[Any]
    tangents: list[Any]
    data: list[Any]


def network(sizes: tuple[int, ...] = (784, 512, 256, 10), batch: int = 128) -> Problem:
    """The squared error of a network with tanh, for all of its weights."""
    rng = numpy.random.default_rng(0)
    shapes = list(itertools.pairwise(sizes))
    weights = [(rng.standard_normal(shape) / shape[0] ** 0.5).astype(numpy.float32) for shape in shapes]
    tangents = [rng.standard_normal(shape).astype(numpy.float32) for shape in shapes]
    data = [rng.standard_normal((batch, size)).astype(numpy.float32) for size in (sizes[0], sizes[-1])]

    def loss(xp: Any, *given: Any) -> Any:
        *weights, x, y = given
        for w in weights[:-1]:
            x = xp.tanh(x @ w)
        error = x @ weights[-1] - y
        return xp.sum(error * error) / batch

    return Problem(loss, weights, tangents, data)


def logistic(rows: int = 10_000, columns: int = 100) -> Problem:
    """The negative log-likelihood of a logistic regression, for its weights: float64."""
    rng = numpy.random.default_rng(0)
    x = rng.standard_normal((rows, columns))
    signs = numpy.where(rng.random(rows) < 0.5, 1.0, -1.0)
    w, v = rng.standard_normal((2, columns)) / columns**0.5

    def loss(xp: Any, w: Any, x: Any, signs: Any) -> Any:
        return xp.sum(xp.log1p(xp.exp(-signs * (x @ w)))) / rows

    return Problem(loss, [w], [v], [x, signs])


def rosenbrock(size: int) -> Problem:
    """Rosenbrock's function of `size` variables, sum of 100 (x[i+1] - x[i]^2)^2 + (1 - x[i])^2: float64."""
    rng = numpy.random.default_rng(0)
    x, v = rng.standard_normal((2, size))

    def function(xp: Any, x: Any) -> Any:
        valley, slope = x[1:] - x[:-1] ** 2, 1 - x[:-1]
        return xp.sum(100 * valley * valley + slope * slope)

    return Problem(function, [x], [v], [])


def with_gpugrad(problem: Problem, device: str) -> Step:
    """With gg.hvp, on arrays."""
    primals, tangents, data = ([gg.asarray(a, device=device).array for a in arrays] for arrays in _arrays(problem))
    function = lambda *weights: problem.function(gg, *weights, *data)
    return lambda: gg.hvp(function, primals, tangents)


def with_torch(problem: Problem, device: str) -> Step:
    """The gradient of the product of the gradient with the vector."""
    torch = peers.torch(device)
    primals, tangents, data = ([torch.tensor(a, device=device) for a in arrays] for arrays in _arrays(problem))
    for primal in primals:
        primal.requires_grad_()

    def step() -> Any:
        gradients = torch.autograd.grad(problem.function(torch, *primals, *data), primals, create_graph=True)
        return torch.autograd.grad(gradients, primals, tangents)

    return step


def with_jax(problem: Problem, device: str) -> Step:
    """The forward derivative of the gradient, compiled."""
    jax = peers.jax()
    jax.config.update("jax_enable_x64", True)
    primals, tangents, data = ([jax.device_put(a) for a in arrays] for arrays in _arrays(problem))

    def whole(primals: Any, tangents: Any, data: Any) -> Any:
        gradient = jax.grad(lambda *weights: problem.function(jax.numpy, *weights, *data), tuple(range(len(primals))))
        return jax.jvp(gradient, primals, tangents)[1]

    compiled = jax.jit(whole)
    return lambda: compiled(tuple(primals), tuple(tangents), data)


def with_autograd(problem: Problem, device: str) -> Step:
    """The gradient of the product of the gradient with the vector."""
    autograd = peers.autograd()
    primals, tangents, data = _arrays(problem)
    gradient = autograd.grad(lambda weights: problem.function(autograd.numpy, *weights, *data))

    def product(weights: Any) -> Any:
        return sum(autograd.numpy.sum(g * v) for g, v in zip(gradient(weights), tangents, strict=True))

    second = autograd.grad(product)
    return lambda: tuple(second(primals))


def _arrays(problem: Problem) -> tuple[list[Any], list[Any], list[Any]]:
    return problem.primals, problem.tangents, problem.data


COLUMNS: dict[str, Build] = {GPUGRAD: with_gpugrad, PYTORCH: with_torch, JAX: with_jax, AUTOGRAD: with_autograd}

CONTESTS = tuple(
    Contest(
        "hvp", f"Hessian-vector product, {work}", make, COLUMNS,
        targets=(Target(1.0, (PYTORCH,)),), tolerance=tolerance, memory_limit=memory_limit, small=small,
    )
    for work, make, small, tolerance, memory_limit in (
        ("784-512-256-10 with tanh, batch 128, float32", network, partial(network, (4, 3, 2), 2), 1e-2, 1.0),
        ("logistic regression, 10,000 x 100, float64", logistic, partial(logistic, 8, 4), 1e-9, 1.0),
        # 100 numbers take no memory that could be measured.
        ("Rosenbrock's function of 100, float64", partial(rosenbrock, 100), partial(rosenbrock, 8), 1e-6, None),
        ("Rosenbrock's function of 1,000,000, float64", partial(rosenbrock, 1_000_000), partial(rosenbrock, 8), 1e-6, 1.0),
    )
)  # fmt: skip
