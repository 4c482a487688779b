"""Records of the activation functions of gpugrad/nn/functional/rectifiers.py and smooth.py, and of their random ones."""

from __future__ import annotations

import math
from typing import Any

import numpy
import scipy.special

import gpugrad as gg
from gpugrad.check.records.case import Case, call, distinct, given, positive, real
from gpugrad.nn import functional as F

# Kinks are at multiples of 0.5 and at 0, which are no multiples of 0.3 shifted by 0.075.
KINKED = [call(distinct(3, 4)), call(distinct()), call(distinct(0, 2)), call(given([-800.0, -30.3, 0.25, 30.3, 800.0]))]
SMOOTH = [call(real(3, 4)), call(real()), call(real(0, 2)), call(given([-800.0, -30.0, -1e-3, 0.25, 15.0]))]


def _elu(x: Any, alpha: float = 1.0) -> Any:
    return numpy.where(x > 0, x, alpha * numpy.expm1(numpy.minimum(x, 0)))


def _celu(x: Any, alpha: float = 1.0) -> Any:
    return numpy.where(x > 0, x, alpha * numpy.expm1(numpy.minimum(x, 0) / alpha))


def _softplus(x: Any, beta: float = 1.0, threshold: float = 20.0) -> Any:
    return numpy.where(x * beta > threshold, x, numpy.logaddexp(0, x * beta) / beta).astype(x.dtype)


def _prelu(x: Any, weight: Any) -> Any:
    shape = (1, -1, *[1] * (x.ndim - 2)) if weight.size > 1 else ()
    return numpy.where(x > 0, x, x * weight.reshape(shape))


def _rrelu(x: Any, *args: Any, **options: Any) -> Any:
    gg.manual_seed(7)
    return F.rrelu(x, *args, **options)


def _rrelu_reference(x: Any, lower: float = 1 / 8, upper: float = 1 / 3, training: bool = False) -> Any:
    drawn = gg.random.Generator(7).uniform(x.shape, lower, upper, dtype="float32", device="cpu").numpy()
    return numpy.where(x > 0, x, x * (drawn.astype(x.dtype) if training else x.dtype.type((lower + upper) / 2)))


def _softshrink(x: Any, lambd: float = 0.5) -> Any:
    return numpy.sign(x) * numpy.maximum(numpy.abs(x) - lambd, 0)


def _glu(x: Any, dim: int = -1) -> Any:
    a, b = numpy.split(x, 2, axis=dim)
    return a * scipy.special.expit(b)


def _hardsigmoid(x: Any) -> Any:
    return numpy.clip(x / 6 + 0.5, 0, 1)


def _gumbel_softmax(logits: Any, *args: Any, **options: Any) -> Any:
    gg.manual_seed(7)
    return F.gumbel_softmax(logits, *args, **options)


def _gumbel_reference(logits: Any, tau: float = 1.0, hard: bool = False, dim: int = -1) -> Any:
    u = gg.random.Generator(7).uniform(logits.shape, 0.0, 1.0, dtype="float32", device="cpu").numpy()
    gumbels = -numpy.log(-numpy.log(numpy.maximum(u, numpy.float32(2**-25)).astype(logits.dtype)))
    return scipy.special.softmax((logits + gumbels) / tau, axis=dim) if logits.size else logits


def _dropped(function: Any, keep: Any) -> dict[str, Any]:
    """How to call a kind of dropout, and its reference; `keep` gives the shape of what is drawn."""

    def seeded(x: Any, *args: Any, **options: Any) -> Any:
        gg.manual_seed(7)
        return function(x, *args, **options)

    def reference(x: Any, p: float = 0.5, training: bool = True) -> Any:
        if not training or p == 0:
            return x
        kept = gg.random.Generator(7).bernoulli(keep(x.shape), 1 - p, device="cpu").numpy()
        if "alpha" not in function.__name__:
            return x * kept * (1 / (1 - p) if p < 1 else 0.0)
        scale = 1 / math.sqrt((1 - p) * (1 + 1.7580993408473766**2 * p)) if p < 1 else 0.0
        return scale * (numpy.where(kept, x, -1.7580993408473766) + 1.7580993408473766 * p)

    return {"reference": reference, "function": seeded}


def _first_two(shape: tuple[int, ...]) -> tuple[int, ...]:
    return (*shape[:2], *[1] * (len(shape) - 2))


CASES = [
    Case("relu6", KINKED, lambda x: numpy.clip(x, 0, 6)),
    Case("hardtanh", [*KINKED, call(distinct(3, 4), -0.5, 1.0)], lambda x, low=-1.0, high=1.0: numpy.clip(x, low, high)),
    Case("hardsigmoid", KINKED, _hardsigmoid),
    Case("hardswish", KINKED, lambda x: x * _hardsigmoid(x)),
    Case(
        "threshold",
        [call(distinct(3, 4), 0.5, -2.0), call(distinct(), 0.0, 1.0), call(distinct(0, 2), 1.0, 1.0)],
        lambda x, threshold, value: numpy.where(x > threshold, x, x.dtype.type(value)),
    ),
    Case(
        "leaky_relu",
        [*KINKED, call(distinct(3, 4), 0.3), call(distinct(3), negative_slope=-1.0)],
        lambda x, negative_slope=0.01: numpy.where(x > 0, x, x * x.dtype.type(negative_slope)),
    ),
    Case("elu", [*KINKED, call(distinct(3, 4), 0.5)], _elu),
    Case("selu", KINKED, lambda x: 1.0507009873554804934 * _elu(x, 1.6732632423543772848)),
    Case("celu", [*KINKED, call(distinct(3, 4), 0.5)], _celu),
    Case(
        "prelu",
        [
            call(distinct(3, 4), real(1)),
            call(distinct(2, 3, 2), real(3)),
            call(distinct(4), real(1)),
            call(distinct(3, 4), real()),
            call(distinct(), real()),
            call(distinct(0, 2), real(2)),
        ],
        _prelu,
    ),
    Case(
        "rrelu",
        [
            call(distinct(3, 4)),
            call(distinct(3, 4), 0.1, 0.4, training=True),
            call(distinct(0, 2), training=True),
            call(distinct()),
        ],
        _rrelu_reference,
        function=_rrelu,
        rtol=1e-7,  # what NumPy makes of float32 draws
    ),
    Case("threshold_softplus", [*SMOOTH, call(real(3, 4), 2.0, 1.45), call(real(3), beta=0.5)], _softplus, function=F.softplus),
    Case("logsigmoid", SMOOTH, scipy.special.log_expit),
    Case("mish", SMOOTH, lambda x: x * numpy.tanh(numpy.logaddexp(0, x))),
    Case("softsign", KINKED, lambda x: x / (1 + numpy.abs(x))),
    Case(
        "tanhshrink",
        [call(real(3, 4)), call(real()), call(real(0, 2)), call(given([-800.0, -30.0, 0.25]))],
        lambda x: x - numpy.tanh(x),
    ),
    Case("softshrink", [*KINKED, call(distinct(3, 4), 1.0)], _softshrink),
    Case(
        "hardshrink",
        [*KINKED, call(distinct(3, 4), 1.0)],
        lambda x, lambd=0.5: numpy.where(numpy.abs(x) > lambd, x, 0).astype(x.dtype),
    ),
    Case(
        "glu",
        [call(real(3, 4)), call(real(4, 3), 0), call(real(2, 4, 2), dim=1), call(real(2)), call(real(0, 2))],
        _glu,
        order=3,
    ),
    Case(
        "softmin",
        [call(real(3, 4), 1), call(real(3, 4), 0), call(real(2, 3, 2), -2), call(real(0, 3), 1)],
        lambda x, dim: scipy.special.softmax(-x, axis=dim) if x.size else -x,
    ),
    Case(
        "gumbel_softmax",
        [call(real(3, 4)), call(real(3, 4), 0.5), call(real(3, 4), dim=0), call(positive(2, 3, 2), 2.0, dim=1)],
        _gumbel_reference,
        function=_gumbel_softmax,
        rtol=1e-6,
    ),
    Case(
        "dropout1d",
        [call(real(4, 5, 2), 0.4), call(real(4, 5, 2), 1.0), call(real(4, 5, 2), 0.5, False), call(real(0, 2, 2))],
        **_dropped(F.dropout1d, _first_two),
    ),
    Case("dropout1d", [call(real(5, 2), 0.4)], **_dropped(F.dropout1d, lambda shape: (shape[0], 1)), label="no batch"),
    Case("dropout2d", [call(real(4, 5, 2, 1), 0.4), call(real(4, 5, 2), 0.4)], **_dropped(F.dropout2d, _first_two)),
    Case("dropout3d", [call(real(4, 5, 2, 1, 2), 0.4), call(real(2, 3, 1, 1, 1), 0.0)], **_dropped(F.dropout3d, _first_two)),
    Case(
        "alpha_dropout",
        [
            call(real(4, 5), 0.4, True),
            call(real(3), 0.0, True),
            call(real(3), 1.0, True),
            call(real(3), 0.5, False),
            call(real(0, 2), 0.5, True),
        ],
        **_dropped(F.alpha_dropout, lambda shape: shape),
    ),
    Case(
        "feature_alpha_dropout",
        [
            call(real(4, 5, 2), 0.4, True),
            call(real(4, 5), 0.4, training=True),
            call(real(4, 5, 2), 1.0, True),
            call(real(4, 5), 0.5, False),
        ],
        **_dropped(F.feature_alpha_dropout, _first_two),
    ),
]
