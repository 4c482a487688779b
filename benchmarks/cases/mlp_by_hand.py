"""The training step of mlp.py in NumPy or CuPy by hand: the floor under every engine that calls it."""

from __future__ import annotations

import itertools
from typing import Any

import numpy

from benchmarks.cases.adam_by_hand import update
from benchmarks.contest import Step
from gpugrad.arrays.devices import import_cupy
from gpugrad.bench.training import Training

_PIECE = 1 << 14  # elements of Adam's arrays that are updated at a time, so that they stay in the cache


def with_numpy(training: Training, device: str) -> Step:
    """With NumPy, Adam piece by piece."""
    return _step(numpy, training, _PIECE)


def with_cupy(training: Training, device: str) -> Step:
    """With CuPy, on the GPU that is current."""
    return _step(import_cupy(), training, None)


def _step(xp: Any, training: Training, piece_size: int | None) -> Step:
    """One step: forward, backward, Adam on one flat array."""
    state = list(training.state().values())
    shapes = [a.shape for a in state]
    flat = xp.asarray(numpy.concatenate([a.reshape(-1) for a in state]))
    gradient, mean, square = xp.zeros_like(flat), xp.zeros_like(flat), xp.zeros_like(flat)
    size = piece_size or flat.size
    parameters, gradients = _views(flat, shapes), _views(gradient, shapes)
    data = itertools.cycle([(xp.asarray(x), xp.asarray(y)) for x, y in training.batches])
    number = itertools.count(1)
    scratch = xp.empty(size, flat.dtype)

    def step() -> Any:
        x, labels = next(data)
        inputs = []
        layers = len(parameters) // 2
        for i in range(layers):
            inputs.append(x)
            x = x @ parameters[2 * i].T
            x += parameters[2 * i + 1]
            if i < layers - 1:
                xp.maximum(x, 0, out=x)
        rows = xp.arange(len(labels))
        x -= xp.max(x, axis=1, keepdims=True)
        exps = xp.exp(x)
        total = xp.sum(exps, axis=1, keepdims=True)
        loss = -xp.sum((x - xp.log(total))[rows, labels]) / len(labels)
        g = exps
        g /= total
        g[rows, labels] -= 1
        g /= len(labels)
        for i in reversed(range(layers)):
            xp.matmul(g.T, inputs[i], out=gradients[2 * i])
            xp.sum(g, axis=0, out=gradients[2 * i + 1])
            if i:
                g = g @ parameters[2 * i]
                g *= inputs[i] > 0
        t = next(number)
        for start in range(0, flat.size, size):
            piece = slice(start, start + size)
            p = flat[piece]
            update(xp, p, gradient[piece], mean[piece], square[piece], scratch[: p.size], t)
        return loss

    return step


def _views(flat: Any, shapes: list[tuple[int, ...]]) -> list[Any]:
    views, start = [], 0
    for shape in shapes:
        size = int(numpy.prod(shape))
        views.append(flat[start : start + size].reshape(shape))
        start += size
    return views
