"""Ops that a test declares for itself."""

from collections.abc import Callable
from typing import Any

from gpugrad.families import REGISTRY, primitive


def own_op(**rules: Any) -> Callable[[Callable[..., Any]], Callable[..., Any]]:
    """As :func:`gpugrad.families.primitive`, for an op that needs no record in gpugrad/check/records: it is not registered."""

    def declare(definition: Callable[..., Any]) -> Callable[..., Any]:
        before = dict(REGISTRY)
        op = primitive(**rules)(definition)
        REGISTRY.clear()
        REGISTRY.update(before)
        return op

    return declare
