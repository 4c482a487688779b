"""The training step of mlp.py in NumPy by hand: the floor under every engine that calls NumPy."""

from __future__ import annotations

import itertools
from typing import Any

import numpy

from benchmarks.cases.adam_numpy import update
from benchmarks.contest import Step
from gpugrad.bench.training import Training

_PIECE = 1 << 14  # elements of Adam's arrays that are updated at a time, so that they stay in the cache


def with_numpy(training: Training, device: str) -> Step:
    """One step: forward, backward, Adam on one flat array."""
    state = list(training.state().values())
    shapes = [a.shape for a in state]
    flat = numpy.concatenate([a.reshape(-1) for a in state])
    gradient, mean, square = numpy.zeros_like(flat), numpy.zeros_like(flat), numpy.zeros_like(flat)
    parameters, gradients = _views(flat, shapes), _views(gradient, shapes)
    data = itertools.cycle(training.batches)
    number = itertools.count(1)
    scratch = numpy.empty(_PIECE, flat.dtype)

    def step() -> Any:
        x, labels = next(data)
        inputs = []
        layers = len(parameters) // 2
        for i in range(layers):
            inputs.append(x)
            x = x @ parameters[2 * i].T
            x += parameters[2 * i + 1]
            if i < layers - 1:
                numpy.maximum(x, 0, out=x)
        rows = numpy.arange(len(labels))
        x -= numpy.maximum.reduce(x, 1, None, None, True)
        exps = numpy.exp(x)
        total = numpy.add.reduce(exps, 1, None, None, True)
        loss = -numpy.add.reduce((x - numpy.log(total))[rows, labels]) / len(labels)
        g = exps
        g /= total
        g[rows, labels] -= 1
        g /= len(labels)
        for i in reversed(range(layers)):
            numpy.matmul(g.T, inputs[i], out=gradients[2 * i])
            numpy.add.reduce(g, 0, None, gradients[2 * i + 1])
            if i:
                g = g @ parameters[2 * i]
                g *= inputs[i] > 0
        t = next(number)
        for start in range(0, flat.size, _PIECE):
            piece = slice(start, start + _PIECE)
            p = flat[piece]
            update(p, gradient[piece], mean[piece], square[piece], scratch[: p.size], t)
        return loss

    return step


def _views(flat: Any, shapes: list[tuple[int, ...]]) -> list[Any]:
    views, start = [], 0
    for shape in shapes:
        size = int(numpy.prod(shape))
        views.append(flat[start : start + size].reshape(shape))
        start += size
    return views
