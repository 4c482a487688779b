"""Records of gpugrad/ops/fft.py."""

from __future__ import annotations

from typing import Any

import numpy

import gpugrad as gg
from gpugrad.check.records.case import Call, Case, call, complexes, integers, real


def _one(x: Any) -> list[Call]:
    """Argument sets of a transform along one axis; x draws an array of a shape."""
    return [
        call(x(5)),
        call(x(4), norm="ortho"),
        call(x(2, 3), n=6, norm="forward"),
        call(x(6, 2), n=3, axis=0),
        call(x(2, 4, 3), axis=-2, norm="ortho"),
        call(x(3), n=1),
        call(x(2), n=2, norm="forward"),
        call(x(0, 4)),
    ]


def _several(x: Any) -> list[Call]:
    """Argument sets of a transform along several axes."""
    return [
        call(x(3, 4)),
        call(x(4, 3), axes=(1, 0), norm="ortho"),
        call(x(2, 3, 4), s=(5, 2), axes=(2, 0), norm="forward"),
        call(x(3, 2, 3), s=(-1, 4), axes=[0, -1]),
        call(x(4, 3), axes=(0,)),
        call(x(2, 0, 3), axes=(0, 2)),
    ]


def _whole(function: Any) -> Any:
    """NumPy's n-dimensional transform, which takes no -1 as the standard does."""

    def reference(x: Any, *, s: Any = None, axes: Any = None, norm: str = "backward") -> Any:
        if s is not None:
            s = tuple(x.shape[axis] if n == -1 else n for n, axis in zip(s, axes, strict=True))
        return function(x, s=s, axes=axes, norm=norm)

    return reference


def _frequencies(function: Any) -> Any:
    def reference(n: int, *, d: float = 1.0, dtype: Any = numpy.float32) -> Any:
        return function(n, d=d).astype(dtype)

    return reference


_SHIFTS = [
    call(real(5)),
    call(real(4, 3)),
    call(real(4, 3), axes=1),
    call(real(2, 3, 5), axes=(0, -1)),
    call(integers(3)),
]
_LENGTHS = [call(1), call(2), call(7, d=0.3), call(8, d=-2.0, dtype=gg.float64)]


def _case(name: str, calls: list[Call], reference: Any, **options: Any) -> Case:
    return Case(name, calls, reference, function=getattr(gg.fft, name), **options)


CASES = [
    _case("fft", _one(real), numpy.fft.fft, complex=True),
    _case("ifft", _one(real), numpy.fft.ifft, complex=True),
    _case("rfft", _one(real), numpy.fft.rfft),
    _case("irfft", _one(complexes), numpy.fft.irfft),
    _case("irfft", [call(real(4)), call(real(3, 2), n=5, axis=0)], numpy.fft.irfft, label="real"),
    _case("hfft", _one(complexes), numpy.fft.hfft),
    _case("ihfft", _one(real), numpy.fft.ihfft),
    _case("fftn", _several(real), _whole(numpy.fft.fftn), complex=True),
    _case("fftn", [call(real()), call(real(2), axes=())], lambda x, axes=None: x + 0j, complex=True, label="no axes"),
    _case("ifftn", _several(real), _whole(numpy.fft.ifftn), complex=True),
    _case("rfftn", _several(real), _whole(numpy.fft.rfftn)),
    _case("irfftn", _several(complexes), _whole(numpy.fft.irfftn)),
    _case("fftshift", _SHIFTS, numpy.fft.fftshift, complex=True),
    _case("ifftshift", _SHIFTS, numpy.fft.ifftshift, complex=True),
    _case("fftshift", [call(real()), call(real(3), axes=())], lambda x, axes=None: x, label="no axes"),
    _case("fftfreq", _LENGTHS, _frequencies(numpy.fft.fftfreq), order=None, creates=True),
    _case("rfftfreq", _LENGTHS, _frequencies(numpy.fft.rfftfreq), order=None, creates=True),
]
