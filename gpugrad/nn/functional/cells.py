"""One step of a recurrent layer: what happens to each number between two matrix products, and the gradient of that.

What a step's input adds to the gates is called x here, what the state before it adds is r, and b a bias that belongs to r. A cell
without a second state has None for c.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

from gpugrad.derived import derived
from gpugrad.nn.functional.relu import relu
from gpugrad.nn.functional.sigmoid import sigmoid
from gpugrad.ops.elementwise import tanh, where
from gpugrad.ops.shape import concat


class Cell(NamedTuple):
    """The kind of a recurrent layer.

    :param gates: how many numbers of a step's sum belong to one of the state; they are blocks of columns, in PyTorch's order.
    :param forward: ``(x, r, b, h, c) -> (h, c, kept)``: from the state before the step to that after it.
    :param gradient: ``(dh, g, dc, kept) -> (dx, dr, dh, dc)``, the last two what goes straight to the state before. The gradient of h
        is dh + g: from the next step, and from the result.
    :param joined: whether x and r only occur as their sum: dx and dr are one array, and b is None, all biases belong to x.
    :param memory: whether there is a second state.
    """

    gates: int
    forward: Callable[..., Any]
    gradient: Callable[..., Any]
    joined: bool = True
    memory: bool = False


def _blocks(x: Any, count: int) -> list[Any]:
    size = x.shape[-1] // count
    return [x[:, i * size : (i + 1) * size] for i in range(count)]


@derived
def _tanh_step(x: Any, r: Any) -> Any:
    return tanh(x + r)


@derived
def _tanh_gradient(dh: Any, g: Any, h: Any) -> Any:
    return (dh + g) * (1 - h * h)


@derived
def _relu_step(x: Any, r: Any) -> Any:
    return relu(x + r)


@derived
def _relu_gradient(dh: Any, g: Any, h: Any) -> Any:
    return where(h > 0, dh + g, 0)


def _simple(step: Callable[..., Any], gradient: Callable[..., Any]) -> Cell:
    """A cell whose only state is h = step(x, r), and ``gradient(dh, g, h)`` the gradient of x + r."""

    def forward(x: Any, r: Any, b: Any, h: Any, c: Any) -> Any:
        """As a Cell has it."""
        h = step(x, r)
        return h, None, (h,)

    def backward(dh: Any, g: Any, dc: Any, kept: Any) -> Any:
        """Likewise."""
        d = gradient(dh, g, *kept)
        return d, d, None, None

    return Cell(1, forward, backward)


@derived
def _lstm_step(x: Any, r: Any, c: Any) -> Any:
    a = x + r
    i, f, g, o = _blocks(a, 4)
    c = sigmoid(f) * c + sigmoid(i) * tanh(g)
    return sigmoid(o) * tanh(c), c, a


@derived
def _lstm_gradient(dh: Any, g: Any, dc: Any, a: Any, before: Any, c: Any) -> Any:
    dh = dh + g
    i, f, g, o = _blocks(a, 4)
    i, f, g, o = sigmoid(i), sigmoid(f), tanh(g), sigmoid(o)
    t = tanh(c)
    dc = dc + dh * o * (1 - t * t)
    d = concat([dc * g * i * (1 - i), dc * before * f * (1 - f), dc * i * (1 - g * g), dh * t * o * (1 - o)], axis=-1)
    return d, dc * f


def _lstm_forward(x: Any, r: Any, b: Any, h: Any, c: Any) -> Any:
    h, new, a = _lstm_step(x, r, c)
    return h, new, (a, c, new)


def _lstm_backward(dh: Any, g: Any, dc: Any, kept: Any) -> Any:
    d, dc = _lstm_gradient(dh, g, dc, *kept)
    return d, d, None, dc


def _gru_gates(x: Any, r: Any, b: Any) -> tuple[Any, Any, Any, Any]:
    """The gates r, z, n, and what the state adds to n before r multiplies it."""
    (xr, xz, xn), (hr, hz, hn) = _blocks(x, 3), _blocks(r if b is None else r + b, 3)
    r = sigmoid(xr + hr)
    return r, sigmoid(xz + hz), tanh(xn + r * hn), hn


@derived
def _gru_step(x: Any, r: Any, b: Any, h: Any) -> Any:
    _, z, n, _ = _gru_gates(x, r, b)
    return (1 - z) * n + z * h


@derived
def _gru_gradient(dh: Any, g: Any, x: Any, r: Any, b: Any, h: Any) -> Any:
    dh = dh + g
    r, z, n, hn = _gru_gates(x, r, b)
    dn = dh * (1 - z) * (1 - n * n)
    dr, dz = dn * hn * r * (1 - r), dh * (h - n) * z * (1 - z)
    return concat([dr, dz, dn], axis=-1), concat([dr, dz, dn * r], axis=-1), dh * z


def _gru_forward(x: Any, r: Any, b: Any, h: Any, c: Any) -> Any:
    return _gru_step(x, r, b, h), None, (x, r, b, h)


def _gru_backward(dh: Any, g: Any, dc: Any, kept: Any) -> Any:
    return *_gru_gradient(dh, g, *kept), None


CELLS = {
    "RNN_TANH": _simple(_tanh_step, _tanh_gradient),
    "RNN_RELU": _simple(_relu_step, _relu_gradient),
    "LSTM": Cell(4, _lstm_forward, _lstm_backward, memory=True),
    "GRU": Cell(3, _gru_forward, _gru_backward, joined=False),
}
"""By PyTorch's name of the mode."""
