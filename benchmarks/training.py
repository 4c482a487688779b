"""A training step in every library: what gpugrad and PyTorch do comes from gpugrad/bench/training.py, the others are here.

JAX, HIPS autograd and MyGrad have no optimizers of their own, so SGD, Adam and AdamW are written out for them, by PyTorch's formulas.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator, Mapping
from typing import Any

import numpy

from benchmarks import peers
from benchmarks.contest import Build, Step
from benchmarks.libraries import AUTOGRAD, COMPILED, GPUGRAD, JAX, MYGRAD, PYTORCH
from gpugrad.bench.training import Training, training_step, with_gpugrad

Loss = Callable[[Any, Mapping[str, Any], Any, Any], Any]
"""The loss from (a library with NumPy's names, parameters by name, inputs, targets)."""

Update = Callable[[Any, Any, Any, tuple[Any, ...], Any], tuple[Any, tuple[Any, ...]]]
"""From (library, parameter, gradient, state, number of the step) to the new parameter and state."""

BETA1, BETA2, EPS = 0.9, 0.999, 1e-8


def sgd(lr: float) -> tuple[Update, int]:
    """The update of SGD, and how many arrays of state a parameter has."""
    return lambda xp, p, g, state, t: (p - lr * g, state), 0


def adam(lr: float = 1e-3, weight_decay: float = 0.0) -> tuple[Update, int]:
    """The update of Adam, of AdamW where weights decay (PyTorch's default for it is 0.01)."""

    def update(xp: Any, p: Any, g: Any, state: tuple[Any, ...], t: Any) -> tuple[Any, tuple[Any, ...]]:
        mean, square = state
        mean = BETA1 * mean + (1 - BETA1) * g
        square = BETA2 * square + (1 - BETA2) * g * g
        root = xp.sqrt(square / (1 - BETA2**t)) + EPS
        return p * (1 - lr * weight_decay) - lr / (1 - BETA1**t) * mean / root, (mean, square)

    return update, 2


def columns(
    loss: Loss | None = None, update: tuple[Update, int] | None = None, *, autograd: bool = False, mygrad: Loss | None = None
) -> dict[str, Build]:
    """gpugrad, PyTorch, torch.compile and, where the loss is written for them, JAX, HIPS autograd, MyGrad. A problem is a Training."""
    found: dict[str, Build] = {GPUGRAD: with_gpugrad, PYTORCH: with_torch, COMPILED: with_compiled_torch}
    if loss is not None and update is not None:
        found[JAX] = lambda training, device: with_jax(loss, update, training)
        if autograd:
            found[AUTOGRAD] = lambda training, device: with_autograd(loss, update, training)
        if mygrad is not None:
            found[MYGRAD] = lambda training, device: with_mygrad(mygrad, update, training)
    return found


def with_torch(training: Training, device: str) -> Step:
    """The step with PyTorch, eager, with its default optimizer."""
    torch = peers.torch(device)
    return training_step(torch, training, lambda array: torch.tensor(array, device=device), device)


def with_compiled_torch(training: Training, device: str) -> Step:
    """The step with the model through torch.compile."""
    torch = peers.torch(device)
    return training_step(torch, training, lambda array: torch.tensor(array, device=device), device, torch.compile)


def with_jax(loss: Loss, update: tuple[Update, int], training: Training) -> Step:
    """The step, optimizer included, as one function compiled by XLA, which may use its arguments' memory again."""
    jax = peers.jax()
    np = jax.numpy
    rule, count = update

    def whole(parameters: Any, states: Any, t: Any, x: Any, y: Any) -> Any:
        value, gradients = jax.value_and_grad(lambda p: loss(np, p, x, y))(parameters)
        made = {name: rule(np, p, gradients[name], states[name], t) for name, p in parameters.items()}
        return value, {name: p for name, (p, _) in made.items()}, {name: s for name, (_, s) in made.items()}, t + 1

    compiled = jax.jit(whole, donate_argnums=(0, 1, 2))
    parameters = {name: jax.device_put(value) for name, value in training.state().items()}
    states = {name: tuple(np.zeros_like(p) for _ in range(count)) for name, p in parameters.items()}
    held = [parameters, states, np.asarray(1, np.float32)]
    data = itertools.cycle([(jax.device_put(x), jax.device_put(y.astype(numpy.int32))) for x, y in _jax_inputs(training)])

    def step() -> Any:
        value, *held[:] = compiled(*held, *next(data))
        return value

    return step


def _jax_inputs(training: Training) -> Iterator[tuple[Any, Any]]:
    """JAX's integers have 32 bits."""
    for x, y in training.batches:
        yield (x.astype(numpy.int32) if x.dtype.kind == "i" else x), y


def with_autograd(loss: Loss, update: tuple[Update, int], training: Training) -> Step:
    """The step with HIPS autograd, the optimizer in NumPy."""
    autograd = peers.autograd()
    return _with_numpy_update(autograd.value_and_grad(lambda p, x, y: loss(autograd.numpy, p, x, y)), update, training)


def with_mygrad(loss: Loss, update: tuple[Update, int], training: Training) -> Step:
    """The step with MyGrad, which need not guard memory that nobody writes to meanwhile; the optimizer in NumPy."""
    mygrad = peers.mygrad()

    def product(parameters: Mapping[str, Any], x: Any, y: Any) -> tuple[Any, Mapping[str, Any]]:
        with mygrad.mem_guard_off:
            tensors = {name: mygrad.tensor(p, copy=False) for name, p in parameters.items()}
            value = loss(mygrad, tensors, x, y)
            value.backward()
        return value.data, {name: tensor.grad for name, tensor in tensors.items()}

    return _with_numpy_update(product, update, training)


def _with_numpy_update(product: Callable[..., Any], update: tuple[Update, int], training: Training) -> Step:
    """A step of `product`, which gives the loss and the gradients from (parameters, inputs, targets)."""
    rule, count = update
    parameters = dict(training.state())
    states: dict[str, tuple[Any, ...]] = {
        name: tuple(numpy.zeros_like(p) for _ in range(count)) for name, p in parameters.items()
    }
    data = itertools.cycle(training.batches)
    number = itertools.count(1)

    def step() -> Any:
        value, gradients = product(parameters, *next(data))
        t = next(number)
        for name, p in parameters.items():
            new, states[name] = rule(numpy, p, gradients[name], states[name], t)
            parameters[name] = new.astype(p.dtype, copy=False)
        return value

    return step


def log_softmax_loss(np: Any, scores: Any, labels: Any) -> Any:
    """The mean cross-entropy of (N, C) scores and (N,) labels, in NumPy's names."""
    top = np.max(scores, axis=1, keepdims=True)
    shifted = scores - top
    logarithms = np.log(np.sum(np.exp(shifted), axis=1))
    return np.mean(logarithms - shifted[np.arange(scores.shape[0]), labels])
