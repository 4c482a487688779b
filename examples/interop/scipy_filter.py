"""Design a low-pass filter by gradient descent through ``scipy.signal``: what the filter does is computed by SciPy alone.

    SCIPY_ARRAY_API=1 python examples/interop/scipy_filter.py

A recursive filter of second order in sections is moved until its response, ``scipy.signal.freqz_sos``, is that of a target with
a sharper edge than the Butterworth filter it starts from. Nothing here knows a formula for the gradient of a response.
"""

from __future__ import annotations

import os

os.environ["SCIPY_ARRAY_API"] = "1"  # before SciPy is imported: its functions then take arrays of any library

from typing import Any

import numpy
import scipy

import gpugrad as gg

gg.set_default_dtype(gg.float64)  # which SciPy expects of Python numbers

CUTOFF = 0.3
FREQUENCIES = numpy.linspace(0.0, 1.0, 64)[1:] * numpy.pi
PASSED = CUTOFF * numpy.pi > FREQUENCIES


def sections(zeros: Any, poles: Any) -> Any:
    """Rows b0 b1 b2 a0 a1 a2 with unit gain at frequency 0; poles stay inside the unit circle whatever the numbers are."""
    radius, angle = 1 / (1 + gg.exp(-poles[:, 0])), poles[:, 1]
    one = gg.ones_like(radius)
    a = gg.stack([one, -2 * radius * gg.cos(angle), radius**2], axis=1)
    b = gg.concat([one[:, None], zeros], axis=1)
    return gg.concat([b * gg.sum(a, axis=1, keepdims=True) / gg.sum(b, axis=1, keepdims=True), a], axis=1)


def loss(parameters: Any) -> Any:
    """The mean squared distance of the response's magnitude from a brick wall."""
    numbers = gg.reshape(gg.asarray(parameters), (2, -1, 2))
    _, response = scipy.signal.freqz_sos(sections(numbers[0], numbers[1]), worN=gg.asarray(FREQUENCIES))
    return gg.mean((gg.abs(response) - gg.asarray(PASSED, dtype=gg.float64)) ** 2)


def butterworth() -> Any:
    """The parameters of a Butterworth filter of order 6."""
    rows = scipy.signal.butter(6, CUTOFF, output="sos")
    rows[:, :3] /= rows[:, :1] + (rows[:, :1] == 0)
    poles = numpy.asarray([numpy.roots(row[3:])[0] for row in rows])
    parameters = numpy.stack([numpy.log(abs(poles) / (1 - abs(poles))), abs(numpy.angle(poles))], axis=1)
    return numpy.concatenate([numpy.tile([2.0, 1.0], 3), parameters.ravel()])


def main() -> None:
    start = butterworth()
    found = scipy.optimize.minimize(gg.value_and_grad(loss), start, jac=True, method="L-BFGS-B", options={"maxiter": 200})
    before = float(loss(start))
    print(f"mean squared error of the response: {before:.5f} for Butterworth, {found.fun:.5f} after {found.nit} steps")
    assert found.fun < before / 2


if __name__ == "__main__":
    main()
