"""Records of gpugrad/ops/special/reductions.py, and of softmax and log_softmax with SciPy's arguments."""

from __future__ import annotations

from typing import Any

from gpugrad import special
from gpugrad.check.records.case import Call, Case, call, complexes, given, integers, nonzero, positive, real
from gpugrad.check.scipy_reference import reference


def _calls() -> list[Call]:
    return [
        call(real(3, 4)),
        call(real(3, 4), axis=1),
        call(real(2, 3, 4), axis=(0, 2)),
        call(real(5), axis=-1),
        call(given([0.0, -50.0])),
        call(given([1000.0, 999.0, -1000.0])),
    ]


def _softmax(name: str) -> Case:
    return Case(
        name,
        [*_calls(), call(real()), call(integers(4))],
        reference(name),
        label="of SciPy",
        function=getattr(special, name),
    )


def _signed(a: Any, b: Any = None, **options: Any) -> Any:
    return special.logsumexp(a, b=b, return_sign=True, **options)


def _signed_reference(a: Any, b: Any = None, **options: Any) -> Any:
    return reference("logsumexp")(a, b=b, return_sign=True, **options)


CASES = [
    Case(
        "logsumexp",
        [*_calls(), call(real()), call(real(2, 3), axis=0, keepdims=True), call(integers(3))],
        reference("logsumexp"),
        complex=True,
    ),
    Case(
        "logsumexp",
        [
            call(real(3, 4), None, positive(4)),
            call(real(3, 4), axis=0, b=positive(3, 4)),
            call(real(4), b=given([1.0, 0.0, 2.0, 0.0])),
            call(real(3), b=2.0),
        ],
        reference("logsumexp"),
        label="weights",
    ),
    Case(
        "logsumexp",
        [
            call(real(3, 4), nonzero(4), axis=1),
            call(real(5)),
            call(real(3, 4), given([1.0, -3.0, 0.0, -1.0]), axis=1, keepdims=True),
        ],
        _signed_reference,
        label="signs",
        function=_signed,
    ),
    Case(
        "logsumexp",
        [call(complexes(3, 4), nonzero(4), axis=1), call(complexes(5))],
        _signed_reference,
        label="complex signs",
        function=_signed,
    ),
    Case(
        "log_sum_exp",
        [call(real(3, 4), positive(4), axis=(1,)), call(real(3, 4), None, axis=(0, 1))],
        lambda a, b, axis: reference("logsumexp")(a, axis=axis, b=b, keepdims=True),
        complex=True,
    ),
    _softmax("softmax"),
    _softmax("log_softmax"),
]
