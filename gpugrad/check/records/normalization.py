"""Records of gpugrad/nn/functional/batch_norm.py and local_response_norm.py, and of group_norm."""

from __future__ import annotations

from typing import Any

import numpy

from gpugrad.check.records.case import Case, call, positive, real
from gpugrad.families import REGISTRY


def _column(v: Any, x: Any) -> Any:
    """(C,) against x, (N, C, ...)."""
    return v.reshape(-1, *[1] * (x.ndim - 2))


def _scaled(x: Any, mean: Any, var: Any, weight: Any, bias: Any, eps: float) -> Any:
    out = (x - mean) / numpy.sqrt(var + eps)
    return out * (1 if weight is None else _column(weight, x)) + (0 if bias is None else _column(bias, x))


def _by_own(x: Any, axes: tuple[int, ...], weight: Any, bias: Any, eps: float) -> Any:
    return _scaled(x, x.mean(axis=axes, keepdims=True), x.var(axis=axes, keepdims=True), weight, bias, eps)


def _batch_norm(
    x: Any, running_mean: Any, running_var: Any, weight: Any = None, bias: Any = None, training: bool = False,
    momentum: float = 0.1, eps: float = 1e-5,
) -> Any:  # fmt: skip
    if not x.size:
        return x
    if training:
        return _by_own(x, (0, *range(2, x.ndim)), weight, bias, eps)
    return _scaled(x, _column(running_mean, x), _column(running_var, x), weight, bias, eps)


def _instance_norm(
    x: Any, running_mean: Any = None, running_var: Any = None, weight: Any = None, bias: Any = None,
    use_input_stats: bool = True, momentum: float = 0.1, eps: float = 1e-5,
) -> Any:  # fmt: skip
    if use_input_stats:
        return _by_own(x, tuple(range(2, x.ndim)), weight, bias, eps)
    return _scaled(x, _column(running_mean, x), _column(running_var, x), weight, bias, eps)


def _group_norm(x: Any, num_groups: int, weight: Any = None, bias: Any = None, eps: float = 1e-5) -> Any:
    groups = x.reshape(x.shape[0], num_groups, x.size // x.shape[0] // num_groups)
    out = _by_own(groups, (2,), None, None, eps).reshape(x.shape)
    return out * (1 if weight is None else _column(weight, x)) + (0 if bias is None else _column(bias, x))


def _neighbour_sum(x: Any, before: int, after: int) -> Any:
    out = numpy.zeros_like(x)
    for c in range(x.shape[1]):
        out[:, c] = x[:, max(0, c - before) : c + after + 1].sum(axis=1)
    return out


def _local_response_norm(x: Any, size: int, alpha: float = 1e-4, beta: float = 0.75, k: float = 1.0) -> Any:
    return x / (k + alpha / size * _neighbour_sum(x**2, size // 2, (size - 1) // 2)) ** beta


def _normalize(x: Any, p: float = 2.0, dim: Any = 1, eps: float = 1e-12) -> Any:
    return x / numpy.maximum((numpy.abs(x) ** p).sum(axis=dim, keepdims=True) ** (1 / p), eps)


CASES = [
    Case(
        "batch_norm",
        [
            call(real(4, 3), None, None, positive(3), real(3), True),
            call(real(2, 3, 2, 2), None, None, training=True, eps=0.1),
            call(real(2, 3, 4), real(3), positive(3), positive(3), real(3)),
            call(real(2, 3), real(3), positive(3), None, real(3)),
            call(real(0, 3, 2), None, None, positive(3), real(3), True),
        ],
        _batch_norm,
    ),
    Case(
        "instance_norm",
        [
            call(real(2, 3, 4), weight=positive(3), bias=real(3)),
            call(real(1, 2, 3, 2), eps=0.1),
            call(real(2, 3, 2), real(3), positive(3), positive(3), use_input_stats=False),
        ],
        _instance_norm,
    ),
    Case(
        "group_norm",
        [call(real(2, 4, 3), 2, positive(4), real(4)), call(real(2, 6), 3, eps=0.1), call(real(1, 3, 2, 2), 1, None, real(3))],
        _group_norm,
    ),
    Case(
        "neighbour_sum",
        [call(real(2, 5, 2), 1, 1), call(real(1, 4, 3), 2, 1), call(real(1, 2, 2), 3, 0)],
        _neighbour_sum,
        function=lambda x, before, after: REGISTRY["neighbour_sum"](x, before, after),
    ),
    Case(
        "local_response_norm",
        [call(real(2, 5, 2), 3, 0.5), call(real(1, 4, 2, 2), 4, 0.5, 0.6, 2.0), call(real(1, 2, 3), 1)],
        _local_response_norm,
    ),
    Case(
        "normalize",
        [
            call(real(3, 4)),
            call(positive(2, 3, 2), 3.0, 2),
            call(positive(3, 2), 1.0, 0, 10.0),
            call(real(2, 2, 3), 2.0, (1, 2)),
        ],
        _normalize,
    ),
]
