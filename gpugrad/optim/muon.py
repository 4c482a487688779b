"""Muon."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from itertools import groupby
from typing import Any, Unpack

import numpy

from gpugrad.compile.accelerate import accelerated
from gpugrad.compile.newton_schulz import at_a_time, newton_schulz, takes
from gpugrad.errors import OptionError, ShapeError
from gpugrad.ops.contraction import matmul
from gpugrad.ops.dtypes import astype
from gpugrad.ops.elementwise import maximum
from gpugrad.ops.shape import matrix_transpose
from gpugrad.optim.flat_optimizer import FlatOptimizer, Update
from gpugrad.optim.optimizer import Parameters
from gpugrad.optim.options import Switches
from gpugrad.optim.update import norm, update_kernels, whole_kernels

Coefficients = tuple[float, float, float]


def rounded(x: Any) -> Any:
    """A float32 array with 8 bits of precision, as bfloat16 has, by Veltkamp's splitting: no library needs that dtype for it."""
    high = x * (2.0**16 + 1)
    return high - (high - x)


def combined(x: Any, y: Any, a: float, b: float) -> Any:
    """a x + b y, rounded."""
    return rounded(a * x + b * y)


def normalized(x: Any, eps: float) -> Any:
    """x over its norm, rounded on the way."""
    x = rounded(x)
    return rounded(x / maximum(rounded(norm(x)), eps))


def averaged(d: Any, momentum_buffer: Any, momentum: float) -> Any:
    """The running mean of the gradient."""
    return momentum_buffer + (1 - momentum) * (d - momentum_buffer)


def direction(p: Any, d: Any, momentum_buffer: Any, *, momentum: float, nesterov: bool, **numbers: Any) -> Any:
    """The momentum that is to be orthogonalized, in float32."""
    mean = averaged(d, momentum_buffer, momentum)
    return astype(d + momentum * (mean - d) if nesterov else mean, "float32")


_combined = accelerated(combined, "muon_combined")
_normalized = accelerated(normalized, "muon_normalized")


def orthogonalized(x: Any, coefficients: Coefficients, steps: int, eps: float) -> Any:
    """About U V^T of the float32 matrix x = U S V^T, by the quintic iteration X <- a X + (b G + c G^2) X with G = X X^T.

    As in bfloat16 with products summed in float32, like PyTorch: what is wanted are singular values somewhere near 1.
    """
    a, b, c = coefficients
    tall = x.shape[0] > x.shape[1]
    y = _normalized(matrix_transpose(x) if tall else x, eps)
    for _ in range(steps):
        gram = rounded(matmul(y, matrix_transpose(y)))
        y = _combined(y, matmul(_combined(gram, matmul(gram, gram), b, c), y), a, 1.0)
    return matrix_transpose(y) if tall else y


def all_orthogonalized(xs: list[Any], coefficients: Coefficients, steps: int, eps: float, scale: float) -> list[Any]:
    """`scale` times each of these matrices of one shape, :func:`orthogonalized`. May write over them."""
    if type(xs[0]) is numpy.ndarray and takes(xs[0].shape, len(xs)):
        return newton_schulz(xs, coefficients, steps, eps, scale)
    return [scale * orthogonalized(x, coefficients, steps, eps) for x in xs]


def muon(p: Any, d: Any, momentum_buffer: Any, u: Any, *, lr: float, momentum: float, **numbers: Any) -> tuple[Any, ...]:
    """One step of Muon, whose `u` is in float32: the new parameters and the new mean."""
    return p - lr * astype(u, p.dtype), averaged(d, momentum_buffer, momentum)


class Muon(FlatOptimizer):
    """Momentum whose matrices are orthogonalized: for the weights of hidden layers (Jordan et al., "Muon", 2024).

    ::

        b <- momentum * b + (1 - momentum) * g
        d = momentum * b + (1 - momentum) * g                      with nesterov, else b
        p <- p * (1 - lr * weight_decay) - lr * scale * U V^T      where d = U S V^T, about, by `ns_steps` iterations

    `scale` is ``sqrt(max(1, rows / columns))`` or, with ``adjust_lr_fn="match_rms_adamw"``, ``0.2 * sqrt(max(rows, columns))``, with
    which the rates of AdamW fit (Liu et al., "Muon is scalable for LLM training", 2025). All parameters must be matrices; give the
    others, and embeddings, to :class:`~gpugrad.optim.AdamW`. As ``torch.optim.Muon``, which rounds as much, but adds up in another
    order; `switches` are those of :class:`~gpugrad.optim.options.Switches`.
    Raises ShapeError for a parameter that is no matrix, OptionError for an lr of 0 or less, negative options, 100 steps or more, other
    than three coefficients, and an unknown adjust_lr_fn.
    """

    kernels = update_kernels("muon", muon)
    whole = whole_kernels("muon_direction", direction)
    counted = False

    def __init__(
        self,
        params: Parameters,
        lr: float = 1e-3,
        weight_decay: float = 0.1,
        momentum: float = 0.95,
        nesterov: bool = True,
        ns_coefficients: Coefficients = (3.4445, -4.775, 2.0315),
        eps: float = 1e-7,
        ns_steps: int = 5,
        adjust_lr_fn: str | None = None,
        *,
        maximize: bool = False,
        **switches: Unpack[Switches],
    ) -> None:
        options = {"lr": lr, "weight_decay": weight_decay, "momentum": momentum, "nesterov": nesterov, "eps": eps}
        more = {"ns_coefficients": ns_coefficients, "ns_steps": ns_steps, "adjust_lr_fn": adjust_lr_fn, "maximize": maximize}
        super().__init__(params, options | more, switches)

    def check(self, options: Mapping[str, Any]) -> None:
        super().check(options)
        if len(options["ns_coefficients"]) != 3:
            raise OptionError(f"Muon: ns_coefficients is {options['ns_coefficients']}, expected three numbers")
        if not 0 <= options["ns_steps"] < 100:
            raise OptionError(f"Muon: ns_steps is {options['ns_steps']}, expected at least 0 and below 100")
        if options["adjust_lr_fn"] not in (None, "original", "match_rms_adamw"):
            raise OptionError(
                f"Muon: adjust_lr_fn is {options['adjust_lr_fn']!r}, expected None, 'original' or 'match_rms_adamw'"
            )

    def check_parameter(self, p: Any, which: str) -> None:
        super().check_parameter(p, which)
        if len(p.array.shape) != 2:
            raise ShapeError(f"Muon: {which} has shape {tuple(p.array.shape)}, expected a matrix; give it to AdamW")

    def arrays(self, options: Mapping[str, Any]) -> dict[str, float]:
        return {"momentum_buffer": 0.0}

    def decays(self, options: Mapping[str, Any]) -> tuple[float, float]:
        return 0.0, 1 - options["lr"] * options["weight_decay"]

    def together(self, updates: list[Update]) -> Iterator[list[Update]]:
        for _, found in groupby(updates, lambda x: (type(x.buffer.data), x.arrays[0].shape, x.numbers)):
            alike = list(found)
            count = at_a_time(alike[0].arrays[0].shape) if type(alike[0].buffer.data) is numpy.ndarray else 1
            yield from (alike[i : i + count] for i in range(0, len(alike), count))

    def finished(self, found: list[Any], numbers: Mapping[str, Any]) -> list[Any]:
        rows, columns = found[0].shape
        scale = math.sqrt(max(1.0, rows / columns))
        if numbers["adjust_lr_fn"] == "match_rms_adamw":
            scale = 0.2 * math.sqrt(max(rows, columns))
        return all_orthogonalized(found, numbers["ns_coefficients"], int(numbers["ns_steps"]), numbers["eps"], scale)

    def numbers(self, options: Mapping[str, Any], state: dict[str, float]) -> dict[str, Any]:
        names = ("lr", "momentum", "nesterov", "eps", "ns_steps", "adjust_lr_fn")
        return {name: options[name] for name in names} | {"ns_coefficients": tuple(options["ns_coefficients"])}
