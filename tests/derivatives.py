"""Derivatives of any order of functions that are applied elementwise, for comparison with formulas."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

import gpugrad as gg


def derivative(function: Callable[[Any], Any], x: Any, order: int = 1) -> list[float]:
    """The derivatives of `order` at each element of `x`, in float64 unless `x` is an array of another dtype."""

    def gradient_of(inner: Callable[[Any], Any]) -> Callable[[Any], Any]:
        return gg.grad(lambda t: gg.sum(inner(t)))

    for _ in range(order):
        function = gradient_of(function)
    found: list[float] = np.asarray(function(np.asarray(x))).tolist()
    return found
