"""The training step of lstm.py in NumPy by hand, step by step as the equations say: the floor of what needs no kernels."""

from __future__ import annotations

import itertools
from typing import Any

import numpy

from benchmarks.cases.adam_by_hand import update
from benchmarks.contest import Step
from gpugrad.bench.training import Training


def with_numpy(training: Training, device: str) -> Step:
    """One step: forward, backward through time, Adam for each parameter."""
    parameters = {name: value.copy() for name, value in training.state().items()}
    w_ih, w_hh, b_ih, b_hh, w, b = parameters.values()
    state = {name: [numpy.zeros_like(value) for _ in range(3)] for name, value in parameters.items()}  # Adam's two, and scratch
    data = itertools.cycle(training.batches)
    number = itertools.count(1)
    hidden = w_hh.shape[1]

    def sigmoid(x: Any) -> Any:
        return 0.5 * numpy.tanh(0.5 * x) + 0.5

    def step() -> Any:
        x, labels = next(data)
        steps, batch, features = x.shape
        rows = x.reshape(-1, features)
        gates = (rows @ w_ih.T + (b_ih + b_hh)).reshape(steps, batch, 4, hidden)
        h, c = (numpy.zeros((steps + 1, batch, hidden), x.dtype) for _ in range(2))
        squashed = numpy.empty_like(h[1:])
        for t in range(steps):
            a = gates[t]
            a += (h[t] @ w_hh.T).reshape(a.shape)
            a[:, :2], a[:, 2], a[:, 3] = sigmoid(a[:, :2]), numpy.tanh(a[:, 2]), sigmoid(a[:, 3])
            c[t + 1] = a[:, 1] * c[t] + a[:, 0] * a[:, 2]
            numpy.tanh(c[t + 1], out=squashed[t])
            numpy.multiply(a[:, 3], squashed[t], out=h[t + 1])
        scores = h[-1] @ w.T + b
        scores -= scores.max(axis=1, keepdims=True)
        g = numpy.exp(scores)
        total = g.sum(axis=1, keepdims=True)
        each = numpy.arange(batch)
        loss = -(scores - numpy.log(total))[each, labels].mean()
        g /= total
        g[each, labels] -= 1
        g /= batch
        dh, dc = g @ w, 0.0
        d = numpy.empty_like(gates)
        for t in reversed(range(steps)):
            i, f, new, o = (gates[t, :, k] for k in range(4))
            dc = dc + dh * o * (1 - squashed[t] * squashed[t])
            d[t, :, 0] = dc * new * i * (1 - i)
            d[t, :, 1] = dc * c[t] * f * (1 - f)
            d[t, :, 2] = dc * i * (1 - new * new)
            d[t, :, 3] = dh * squashed[t] * o * (1 - o)
            dc = dc * f
            dh = d[t].reshape(batch, -1) @ w_hh
        of_sums = d.reshape(-1, 4 * hidden)
        of_bias = of_sums.sum(axis=0)
        of_w_hh = of_sums.T @ h[:-1].reshape(-1, hidden)
        gradients = of_sums.T @ rows, of_w_hh, of_bias, of_bias, g.T @ h[-1], g.sum(axis=0)
        t = next(number)
        for (name, p), gradient in zip(parameters.items(), gradients, strict=True):
            mean, square, scratch = state[name]
            update(numpy, p, gradient, mean, square, scratch, t)
        return loss

    return step
