"""The value and the gradients of a formula in every library: a scalar from arrays, written once with NumPy's names."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import gpugrad as gg
from benchmarks import peers
from benchmarks.contest import Build, Step
from benchmarks.libraries import AUTOGRAD, COMPILED, GPUGRAD, JAX, PYTORCH


@dataclass(frozen=True)
class Formula:
    """From (a library with NumPy's names, \\*operands) to a scalar, which is differentiated for all `operands`, NumPy arrays."""

    operands: Sequence[Any]
    function: Callable[..., Any]

    @property
    def argnums(self) -> tuple[int, ...]:
        """What it is differentiated for."""
        return tuple(range(len(self.operands)))


def with_gpugrad(formula: Formula, device: str, compiled: Callable[[Any], Any] = lambda product: product) -> Step:
    """Value and gradients with gpugrad, on arrays, op by op."""
    arrays = [gg.asarray(a, device=device).array for a in formula.operands]
    product = compiled(gg.value_and_grad(lambda *given: formula.function(gg, *given), argnums=formula.argnums))
    return lambda: product(*arrays)


def with_fused(formula: Formula, device: str) -> Step:
    """The same as one function, fused."""
    return with_gpugrad(formula, device, gg.fuse)


def with_torch(formula: Formula, device: str, compiled: Callable[..., Any] = lambda torch, function: function) -> Step:
    """The same with PyTorch."""
    torch = peers.torch(device)
    given = [torch.tensor(a, device=device, requires_grad=True) for a in formula.operands]
    function = compiled(torch, lambda *operands: formula.function(torch, *operands))

    def step() -> Any:
        value = function(*given)
        return value.detach(), torch.autograd.grad(value, given)

    return step


def with_compiled_torch(formula: Formula, device: str) -> Step:
    """The same through torch.compile."""
    return with_torch(formula, device, lambda torch, function: torch.compile(function))


def with_jax(formula: Formula, device: str) -> Step:
    """The same with JAX, compiled."""
    jax = peers.jax()
    given = [jax.device_put(a) for a in formula.operands]
    compiled = jax.jit(jax.value_and_grad(lambda *operands: formula.function(jax.numpy, *operands), formula.argnums))
    return lambda: compiled(*given)


def with_autograd(formula: Formula, device: str) -> Step:
    """The same with HIPS autograd."""
    autograd = peers.autograd()
    product = autograd.value_and_grad(lambda operands: formula.function(autograd.numpy, *operands))

    def step() -> Any:
        value, gradients = product(list(formula.operands))
        return value, tuple(gradients)

    return step


COLUMNS: dict[str, Build] = {GPUGRAD: with_gpugrad, PYTORCH: with_torch, JAX: with_jax, AUTOGRAD: with_autograd}
"""Op by op but for JAX. `FUSED` compiles in all libraries that can."""

FUSED: dict[str, Build] = {
    GPUGRAD: with_fused,
    PYTORCH: with_torch,
    COMPILED: with_compiled_torch,
    JAX: with_jax,
    AUTOGRAD: with_autograd,
}
