"""What benchmarks/counts.py counts: named workloads, each a function that makes a step. Small, for counts hardly depend on sizes."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy

import gpugrad as gg
from gpugrad.bench import cnn, gpt, lstm, mlp
from gpugrad.bench.training import with_gpugrad

Step = Callable[[], Any]
Make = Callable[[], Step]

_X, _Y = (numpy.random.default_rng(i).uniform(0.5, 1.5, (4, 4)).astype(numpy.float32) for i in range(2))


def _recorded(op: Callable[[Any, Any], Any]) -> Make:
    """An op of two Tensors that record."""

    def make() -> Step:
        x, y = (gg.tensor(value, requires_grad=True) for value in (_X, _Y))
        return lambda: op(x, y)

    return make


def _chain() -> Step:
    x, w, b = gg.tensor(_X, requires_grad=True), gg.asarray(_Y), gg.asarray(_X)

    def step() -> None:
        x.grad = None
        z = x
        for _ in range(5):
            z = gg.tanh(gg.sin(z * w + b))
        z.backward(b)

    return step


def _scalar(x: Any) -> Any:
    return gg.sum(gg.tanh(x) * x)


def _fused() -> Step:
    fused = gg.fuse(lambda x, y: x * y + x)
    x, y = (gg.tensor(value, requires_grad=True) for value in (_X, _Y))
    return lambda: fused(x, y)


def _gradient() -> Step:
    gradient, x = gg.grad(_scalar), gg.asarray(_X)
    return lambda: gradient(x)


def _hvp() -> Step:
    x, v = gg.asarray(_X), gg.asarray(_Y)
    return lambda: gg.hvp(_scalar, (x,), (v,))


def _linear() -> Step:
    layer, x = gg.nn.Linear(4, 8), gg.asarray(_X)
    return lambda: layer(x)


def _optimizer(name: str, count: int) -> Make:
    """A step of an optimizer whose parameters have just got their gradients."""

    def make() -> Step:
        parameters, gradients = [gg.tensor(_X, requires_grad=True) for _ in range(count)], [gg.asarray(_Y)] * count
        optimizer = getattr(gg.optim, name)(parameters, lr=0.01)

        def step() -> None:
            for parameter, gradient in zip(parameters, gradients, strict=True):
                parameter.grad = gradient
            optimizer.step()

        return step

    return make


def _training(device: str) -> dict[str, Make]:
    """Steps of the models of the benchmarks with batches of one or two."""
    problems = {
        "MLP": lambda: mlp.problem(2),
        "CNN": lambda: cnn.problem(1),
        "LSTM": lambda: lstm.problem(2),
        "GPT": lambda: gpt.problem(1),
    }
    return {
        f"training step of the {name}": lambda problem=problem: with_gpugrad(problem(), device)
        for name, problem in problems.items()
    }


RECORDED: dict[str, Make] = {
    "op of one operand": _recorded(lambda x, y: gg.exp(x)),
    "op of two operands": _recorded(lambda x, y: gg.multiply(x, y)),
    "operator x * y": _recorded(lambda x, y: x * y),
    "sum": _recorded(lambda x, y: gg.sum(x)),
    "sum over an axis": _recorded(lambda x, y: gg.sum(x, axis=0)),
    "operator x @ y": _recorded(lambda x, y: x @ y),
    "x[1:3]": _recorded(lambda x, y: x[1:3]),
}
"""Ops that record, one each: of these what stays is counted, too."""

PLAIN: dict[str, Make] = {
    "chain of 20 ops, forward and backward": _chain,
    "gg.grad of three ops": _gradient,
    "gg.hvp of three ops": _hvp,
    "call of Linear": _linear,
}

COMPILED: dict[str, Make] = {
    "call of a function that gg.fuse compiled": _fused,
    **{f"{name}.step, {count} parameters": _optimizer(name, count) for name in ("SGD", "Adam") for count in (4, 20)},
    "training step of an MLP 8-16-16-2": lambda: with_gpugrad(mlp.problem(1, (8, 16, 16, 2), "SGD"), "cpu"),
    **_training("cpu"),
}
"""What runs compiled kernels, and so needs a compiler to be counted."""

STANDIN: dict[str, Make] = _training("cuda")
"""With Adam (the GPT: AdamW), on the stand-in for CuPy."""
