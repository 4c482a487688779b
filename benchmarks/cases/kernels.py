"""kernels: softmax, layer norm and the exact GELU of 1024 x 512 float32 on one thread, against passes of NumPy and SciPy.

PyTorch's kernels are a column where it is installed.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy

import gpugrad as gg
from benchmarks import peers
from benchmarks.apart import apart
from benchmarks.contest import side_by_side
from gpugrad.bench.method import Row, not_run
from gpugrad.nn import functional

SHAPE = (1024, 512)
EPS = 1e-5
TOLERANCE = 1e-4
"""Gradients of a weight are sums over the rows."""

_NUMPY, _TORCH = "NumPy by hand", "PyTorch eager"

Steps = dict[str, Callable[[], Any]]


def run(device: str, rounds: int) -> list[Row]:
    """On one thread: what the loops themselves cost."""
    if device != "cpu":
        return [not_run("kernels", "on a GPU the case bandwidth measures these; run it with --device cpu")]
    return apart("cases.kernels", rounds, (1,))


def rows(rounds: int) -> list[Row]:
    """Raw arrays in, raw arrays out; where a gradient is asked for, Tensors."""
    rng = numpy.random.default_rng(0)
    x, g = (rng.standard_normal(SHAPE).astype(numpy.float32) for _ in range(2))
    w, b = (rng.standard_normal(SHAPE[1]).astype(numpy.float32) for _ in range(2))
    size = " x ".join(map(str, SHAPE))

    def row(work: str, steps: Steps, limits: dict[str, float]) -> Row:
        return side_by_side("kernels", f"{work}, {size}", steps, limits, rounds=rounds, tolerance=TOLERANCE)

    return [
        row("softmax", _softmax(x), {_NUMPY: 0.55, _TORCH: 1.1}),
        row("softmax, forward and backward", _softmax_gradient(x, g), {}),
        row("layer norm with weight and bias", _layer_norm(x, w, b), {_NUMPY: 0.3, _TORCH: 0.5}),
        row("layer norm, forward and backward", _layer_norm_gradient(x, w, b, g), {}),
        row("GELU by erf", _gelu(x), {_NUMPY: 0.1, _TORCH: 2.0}),
        row("GELU by erf, forward and backward", _gelu_gradient(x, g), {}),
    ]


# Softmax


def _softmax(x: Any) -> Steps:
    steps: Steps = {"gpugrad": lambda: functional.softmax(x, 1), _NUMPY: lambda: softmax(x)}
    torch = peers.torch()
    if torch is not None:
        t = torch.tensor(x)
        steps[_TORCH] = lambda: torch.softmax(t, 1)
    return steps


def softmax(x: Any) -> Any:
    """NumPy's five passes: maximum, difference, exponential, sum, quotient."""
    out = x - numpy.maximum.reduce(x, axis=1, keepdims=True)
    numpy.exp(out, out=out)
    out /= numpy.add.reduce(out, axis=1, keepdims=True)
    return out


def _softmax_gradient(x: Any, g: Any) -> Steps:
    def by_hand() -> Any:
        out = softmax(x)
        weighted = g * out
        weighted -= out * numpy.add.reduce(weighted, axis=1, keepdims=True)
        return weighted

    return _gradients([x], g, lambda a: functional.softmax(a, 1), lambda torch, a: torch.softmax(a, 1), {_NUMPY: by_hand})


# Layer norm


def _layer_norm(x: Any, w: Any, b: Any) -> Steps:
    n = SHAPE[1]
    steps: Steps = {"gpugrad": lambda: functional.layer_norm(x, n, w, b, EPS), _NUMPY: lambda: layer_norm(x, w, b)[0]}
    torch = peers.torch()
    if torch is not None:
        tensors = [torch.tensor(a) for a in (w, b)]
        t = torch.tensor(x)
        steps[_TORCH] = lambda: torch.nn.functional.layer_norm(t, (n,), *tensors, EPS)
    return steps


def layer_norm(x: Any, w: Any, b: Any) -> tuple[Any, Any, Any]:
    """The result, and for the gradient the normalized rows and what they were multiplied with."""
    normal = x - numpy.add.reduce(x, axis=1, keepdims=True) / x.shape[1]
    variance = numpy.einsum("ij,ij->i", normal, normal)[:, None] / x.shape[1]
    factor = 1 / numpy.sqrt(variance + numpy.float32(EPS))
    normal *= factor
    out = normal * w
    out += b
    return out, normal, factor


def _layer_norm_gradient(x: Any, w: Any, b: Any, g: Any) -> Steps:
    n = SHAPE[1]

    def by_hand() -> Any:
        _, normal, factor = layer_norm(x, w, b)
        of_w = numpy.einsum("ij,ij->j", g, normal)
        of_b = numpy.add.reduce(g, 0)
        of_x = g * w
        inner = numpy.einsum("ij,ij->i", of_x, normal)[:, None] / n
        of_x -= numpy.add.reduce(of_x, axis=1, keepdims=True) / n
        normal *= inner
        of_x -= normal
        of_x *= factor
        return of_x, of_w, of_b

    return _gradients(
        [x, w, b],
        g,
        lambda a, weight, bias: functional.layer_norm(a, n, weight, bias, EPS),
        lambda torch, a, weight, bias: torch.nn.functional.layer_norm(a, (n,), weight, bias, EPS),
        {_NUMPY: by_hand},
    )


# GELU


def _gelu(x: Any) -> Steps:
    from scipy.special import erf  # slow to import, and only this row needs it

    def with_scipy() -> Any:
        out = erf(x * numpy.float32(0.5**0.5))
        out += 1
        out *= x
        out *= 0.5
        return out

    steps: Steps = {"gpugrad": lambda: functional.gelu(x), _NUMPY: with_scipy}
    torch = peers.torch()
    if torch is not None:
        t = torch.tensor(x)
        steps[_TORCH] = lambda: torch.nn.functional.gelu(t)
    return steps


def _gelu_gradient(x: Any, g: Any) -> Steps:
    return _gradients([x], g, functional.gelu, lambda torch, a: torch.nn.functional.gelu(a), {})


def _gradients(arrays: list[Any], g: Any, ours: Callable[..., Any], theirs: Callable[..., Any], others: Steps) -> Steps:
    """The gradients of all `arrays` for the gradient `g` of the result, recorded anew in every step."""
    tensors = [gg.tensor(a, requires_grad=True) for a in arrays]
    gradient = gg.asarray(g)

    def step() -> Any:
        for x in tensors:
            x.grad = None
        ours(*tensors).backward(gradient)
        return [x.grad for x in tensors]

    steps: Steps = {"gpugrad": step, **others}
    torch = peers.torch()
    if torch is not None:
        given = [torch.tensor(a, requires_grad=True) for a in arrays]
        seed = torch.tensor(g)

        def torch_step() -> Any:
            for x in given:
                x.grad = None
            theirs(torch, *given).backward(seed)
            return [x.grad for x in given]

        steps[_TORCH] = torch_step
    return steps
