"""The calls of scipy_calls.txt on arrays of PyTorch and of JAX, by the same measure; what takes too long is given up."""

from __future__ import annotations

import signal
import warnings
from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
import numpy
import torch
from scipy._lib.array_api_compat import torch as torch_namespace
from scipy_calls import INPUTS, Measured, evaluate, outcome_of_gradients, used

jax.config.update("jax_enable_x64", True)
torch.set_default_dtype(torch.float64)
torch.set_warn_always(True)


SECONDS = 20


def _give_up(*_: Any) -> None:
    raise TimeoutError(f"no result in {SECONDS} seconds")


signal.signal(signal.SIGALRM, _give_up)


def _outcome(gradients: Callable[[str, Measured], dict[str, Any]], expression: str, truth: Measured) -> tuple[str, str]:
    signal.alarm(SECONDS)
    try:
        with warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter("always")
            found = gradients(expression, truth)
    except Exception as error:
        return "raises", f"{type(error).__name__}: {error}"
    finally:
        signal.alarm(0)
    status, why = outcome_of_gradients(found, truth)
    if status in ("detached", "wrong"):
        said = [w for w in caught if "to a scalar" in str(w.message)]  # a number taken out
        return ("warns", str(said[0].message)) if said else (status, why)
    return status, why


def _torch_gradients(expression: str, truth: Measured) -> dict[str, Any]:
    inputs = {name: torch.tensor(INPUTS[name], requires_grad=True) for name in used(expression)}
    results = evaluate(expression, inputs, torch_namespace, torch.asarray)
    terms = [
        torch.sum((torch.asarray(numpy.conj(w)) * results[i]).real)
        for i, w in truth.weights.items()
        if isinstance(results[i], torch.Tensor) and results[i].requires_grad
    ]
    if terms:
        torch.stack(terms).sum().backward()
    return {name: None if x.grad is None else x.grad.numpy() for name, x in inputs.items()}


def _jax_gradients(expression: str, truth: Measured) -> dict[str, Any]:
    def loss(inputs: dict[str, Any]) -> Any:
        results = evaluate(expression, dict(inputs), jnp, jnp.asarray)
        return sum(jnp.sum(jnp.real(numpy.conj(w) * results[i])) for i, w in truth.weights.items())

    found = jax.grad(loss)({name: jnp.asarray(INPUTS[name]) for name in used(expression)})
    return {name: numpy.asarray(g) for name, g in found.items()}


OUTCOMES = {
    "PyTorch": lambda expression, truth: _outcome(_torch_gradients, expression, truth),
    "JAX": lambda expression, truth: _outcome(_jax_gradients, expression, truth),
}
