"""layers: layers forward and backward, gpugrad beside PyTorch with the same weights, input and gradient of the result.

What is written once with the names that both libraries have runs on both, so it is the libraries that are compared and not two spellings
of a model. ``run.py layers.conv2d`` runs one of them alone.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy

import gpugrad as gg
from benchmarks import peers
from benchmarks.contest import Build, Contest, Step, Target
from benchmarks.libraries import GPUGRAD, PYTORCH
from gpugrad.bench.gpt import make_block
from gpugrad.bench.method import numbers


@dataclass(frozen=True)
class Problem:
    """A module of either library, its weights, its input, and the gradient of its result, or of the first of several results."""

    make: Callable[[Any], Any]  # from gpugrad, or torch, to the module
    state: Mapping[str, Any]
    x: Any
    g: Any


def problem(make: Callable[[Any], Any], *shape: int) -> Problem:
    """The same in every call; `shape` is that of the input."""
    gg.manual_seed(0)
    model = make(gg)
    rng = numpy.random.default_rng(0)
    x = rng.standard_normal(shape).astype(numpy.float32)
    with gg.no_grad():
        out = _first(model(gg.asarray(x[:1])))
    g = rng.standard_normal((len(x), *out.shape[1:])).astype(numpy.float32)
    return Problem(make, {name: value.numpy() for name, value in model.state_dict().items()}, x, g)


def step(library: Any, given: Problem, device: str) -> Step:
    """With gpugrad or torch: the result, the gradient of the input, and those of the parameters, in the order of their names."""
    tensor = partial(library.tensor, device=device)
    model = given.make(library)
    model.load_state_dict({name: library.tensor(value) for name, value in given.state.items()})
    model.to(device)
    x, g = tensor(given.x, requires_grad=True), tensor(given.g)
    parameters = [value for _, value in sorted(model.named_parameters())]

    def gradients() -> Any:
        for leaf in (x, *parameters):
            leaf.grad = None
        out = _first(model(x))
        out.backward(g)
        return [out, x.grad, *(value.grad for value in parameters)]

    return gradients


def _first(result: Any) -> Any:
    return result[0] if isinstance(result, tuple) else result


def _scaled(tensors: list[Any]) -> list[float]:
    """Numbers of each in units of the largest: gradients of weights are sums over all that the weights met, and large."""
    found = [numbers(tensor) for tensor in tensors]
    return [value / (max(map(abs, values)) or 1.0) for values in found for value in values]


COLUMNS: dict[str, Build] = {
    GPUGRAD: partial(step, gg),
    PYTORCH: lambda given, device: step(peers.torch(device), given, device),
}


def _contest(name: str, work: str, make: Callable[[Any], Any], shape: tuple[int, ...], limit: float) -> Contest:
    """Against PyTorch eager, on the CPU."""
    return Contest(
        f"layers.{name}", f"{work}, forward + backward", partial(problem, make, *shape), COLUMNS,
        targets=(Target(limit, (PYTORCH,)),), compared=_scaled, memory_limit=1.2, small=partial(problem, make, 1, *shape[1:]),
    )  # fmt: skip


CONTESTS = (
    _contest(
        "conv2d", "Conv2d(32, 64, 3, padding=1), 28x28, batch 64", lambda lib: lib.nn.Conv2d(32, 64, 3, padding=1),
        (64, 32, 28, 28), 1.3,
    ),
    _contest("lstm", "LSTM(64, 128), 50 steps, batch 32", lambda lib: lib.nn.LSTM(64, 128), (50, 32, 64), 1.0),
    _contest("gpt", "GPT block, d 128, 4 heads, 64 tokens, batch 16", make_block, (16, 64, 128), 1.0),
)  # fmt: skip
