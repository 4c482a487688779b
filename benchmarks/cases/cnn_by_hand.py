"""The training step of cnn.py in NumPy by hand: convolutions as products with the columns of all windows of an image."""

from __future__ import annotations

import itertools
from typing import Any

import numpy
from numpy.lib.stride_tricks import sliding_window_view

from benchmarks.cases.adam_by_hand import update
from benchmarks.contest import Step
from gpugrad.bench.training import Training


def with_numpy(training: Training, device: str) -> Step:
    """One step: forward, backward, Adam on each parameter."""
    parameters = {name: value.copy() for name, value in training.state().items()}
    states = {name: [numpy.zeros_like(p) for _ in range(3)] for name, p in parameters.items()}  # mean, square, scratch
    gradients: dict[str, Any] = {}
    data = itertools.cycle(training.batches)
    number = itertools.count(1)

    def forward(x: Any, layer: int) -> tuple[Any, Any]:
        """The columns of x, and the convolution of it, after ReLU."""
        columns, weight = _columns(x), parameters[f"{layer}.weight"]
        y = weight.reshape(len(weight), -1) @ columns
        y += parameters[f"{layer}.bias"][:, None]
        numpy.maximum(y, 0, out=y)
        return columns, y.reshape(len(x), len(weight), *x.shape[2:])

    def backward(g: Any, y: Any, columns: Any, layer: int) -> Any:
        """The gradient of the columns; `g` is that of the result y of the layer."""
        weight = parameters[f"{layer}.weight"]
        g = (g * (y > 0)).reshape(*g.shape[:2], -1)
        gradients[f"{layer}.weight"] = (g @ columns.swapaxes(1, 2)).sum(0).reshape(weight.shape)
        gradients[f"{layer}.bias"] = g.sum((0, 2))
        return weight.reshape(len(weight), -1).T @ g if layer else None

    def step() -> Any:
        x, labels = next(data)
        columns0, y0 = forward(x, 0)
        columns2, y2 = forward(y0, 2)
        pooled2 = _squares(y2).max((3, 5))
        columns5, y5 = forward(pooled2, 5)
        pooled5 = _squares(y5).max((3, 5))
        flat = pooled5.reshape(len(x), -1)
        scores = flat @ parameters["9.weight"].T + parameters["9.bias"]
        scores -= scores.max(1, keepdims=True)
        g = numpy.exp(scores)
        total = g.sum(1, keepdims=True)
        rows = numpy.arange(len(x))
        loss = -(scores - numpy.log(total))[rows, labels].mean()
        g /= total
        g[rows, labels] -= 1
        g /= len(x)
        gradients["9.weight"], gradients["9.bias"] = g.T @ flat, g.sum(0)
        g = _unpooled((g @ parameters["9.weight"]).reshape(pooled5.shape), pooled5, y5)
        g = _unpooled(_images(backward(g, y5, columns5, 5), pooled2.shape), pooled2, y2)
        backward(_images(backward(g, y2, columns2, 2), y0.shape), y0, columns0, 0)
        t = next(number)
        for name, p in parameters.items():
            update(numpy, p, gradients[name], *states[name], t)
        return loss

    return step


def _columns(x: Any) -> Any:
    """(N, C, H, W) -> (N, C * 9, H * W): what each tap of a kernel of 3 x 3 meets, with zeros around the image."""
    padded = numpy.pad(x, ((0, 0), (0, 0), (1, 1), (1, 1)))
    n, channels, height, width = x.shape
    return sliding_window_view(padded, (3, 3), (2, 3)).transpose(0, 1, 4, 5, 2, 3).reshape(n, channels * 9, height * width)


def _images(columns: Any, shape: tuple[int, ...]) -> Any:
    """The gradient of :func:`_columns`: what was read several times is added up."""
    n, channels, height, width = shape
    out = numpy.zeros((n, channels, height + 2, width + 2), columns.dtype)
    taps = columns.reshape(n, channels, 3, 3, height, width)
    for i, j in numpy.ndindex(3, 3):
        out[:, :, i : i + height, j : j + width] += taps[:, :, i, j]
    return out[:, :, 1:-1, 1:-1]


def _squares(x: Any) -> Any:
    """A view of x, (N, C, H / 2, 2, W / 2, 2)."""
    n, channels, height, width = x.shape
    return x.reshape(n, channels, height // 2, 2, width // 2, 2)


def _unpooled(g: Any, largest: Any, x: Any) -> Any:
    """The gradient of the maxima. Several are the same only where ReLU has made them 0, and has no gradient."""
    chosen = _squares(x) == largest[:, :, :, None, :, None]
    return (chosen * g[:, :, :, None, :, None]).reshape(x.shape)
