"""checkpointing: the gradients of a deep network with all activations kept, and with only those between its segments: time and memory.

Without checkpoints a layer keeps the inputs of its product and of its GELU for the backward pass. With them each segment keeps its input
alone and is computed again, so memory is that of a segment and of the inputs of all (T. Chen et al., Training deep nets with sublinear
memory cost, 2016).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy

import gpugrad as gg
from benchmarks import peers
from benchmarks.contest import Build, Contest, Step
from benchmarks.libraries import GPUGRAD, PYTORCH

SEGMENTS, LAYERS, WIDTH, BATCH = 8, 6, 256, 1024


@dataclass(frozen=True)
class Problem:
    """Weights and input of a network of so many segments, each of as many layers, with or without checkpoints."""

    weights: list[Any]
    x: Any
    segments: int
    checkpoints: bool


def problem(
    checkpoints: bool, segments: int = SEGMENTS, layers: int = LAYERS, width: int = WIDTH, batch: int = BATCH
) -> Problem:
    """Normal numbers: weights that keep the size of the activations."""
    rng = numpy.random.default_rng(0)
    shape = (segments * layers, width, width)
    weights = (rng.standard_normal(shape) * (2 / width) ** 0.5).astype(numpy.float32)
    return Problem(list(weights), rng.standard_normal((batch, width)).astype(numpy.float32), segments, checkpoints)


def step(
    library: Any, checkpoint: Callable[[Any], Callable[[Any], Any]], place: Callable[[Any], Any], device: str, given: Problem
) -> Step:
    """The loss and the gradients of all weights, with gpugrad or with torch. `place` makes a tensor of an array."""
    functional = library.nn.functional
    layers = len(given.weights) // given.segments
    model = library.nn.Sequential(*(_segment(library, layers, len(given.x[0])) for _ in range(given.segments)))
    names = list(model.state_dict())
    model.load_state_dict({name: place(w) for name, w in zip(names, given.weights, strict=True)})
    model.to(device)
    segments = [checkpoint(segment) if given.checkpoints else segment for segment in model]
    x = place(given.x)

    def gradients() -> Any:
        for parameter in model.parameters():
            parameter.grad = None
        out = x
        for segment in segments:
            out = segment(out)
        loss = functional.mse_loss(out, x)
        loss.backward()
        return loss.detach(), [parameter.grad for parameter in model.parameters()]

    return gradients


def _segment(library: Any, layers: int, width: int) -> Any:
    nn = library.nn
    return nn.Sequential(*(layer for _ in range(layers) for layer in (nn.Linear(width, width, bias=False), nn.GELU())))


def with_gpugrad(given: Problem, device: str) -> Step:
    """With gg.checkpoint."""
    return step(gg, gg.checkpoint, lambda array: gg.asarray(array, device=device), device, given)


def with_torch(given: Problem, device: str) -> Step:
    """With torch.utils.checkpoint, as it is advised to be used."""
    torch = peers.torch(device)
    again = partial(partial, torch.utils.checkpoint.checkpoint, use_reentrant=False)
    return step(torch, again, lambda array: torch.tensor(array, device=device), device, given)


COLUMNS: dict[str, Build] = {GPUGRAD: with_gpugrad, PYTORCH: with_torch}

CONTESTS = tuple(
    Contest(
        "checkpointing", f"{SEGMENTS} x {LAYERS} layers of {WIDTH} with GELU, batch {BATCH}, {how}", partial(problem, checkpoints),
        COLUMNS, tolerance=1e-4, memory_limit=1.0, small=partial(problem, checkpoints, 2, 2, 8, 4),
    )
    for checkpoints, how in ((False, "all kept"), (True, f"{SEGMENTS} checkpoints"))
)  # fmt: skip
