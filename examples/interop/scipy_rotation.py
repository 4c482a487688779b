"""Find the turn between two sets of directions by descent through ``scipy.spatial.transform``, where outliers spoil least squares.

    SCIPY_ARRAY_API=1 python examples/interop/scipy_rotation.py

``Rotation.align_vectors`` gives the least-squares answer. With a robust loss there is no closed form, but
``Rotation.from_rotvec(r).apply(v)`` has a gradient in r, so any loss can be minimised.
"""

from __future__ import annotations

import os

os.environ["SCIPY_ARRAY_API"] = "1"  # before SciPy is imported: its functions then take arrays of any library

from typing import Any

import numpy
import scipy
from scipy.spatial.transform import Rotation

import gpugrad as gg

gg.set_default_dtype(gg.float64)  # which SciPy expects of Python numbers


def loss(rotation_vector: Any, here: Any, there: Any) -> Any:
    """The mean of Huber's loss, through scipy.special, of how far each turned direction is from where it should be."""
    turned = Rotation.from_rotvec(gg.asarray(rotation_vector)).apply(gg.asarray(here))
    return gg.mean(scipy.special.pseudo_huber(0.02, gg.linalg.vector_norm(turned - gg.asarray(there), axis=-1)))


def main() -> None:
    rng = numpy.random.default_rng(0)
    truth = Rotation.from_rotvec([0.4, -0.9, 0.5])
    here = rng.standard_normal((40, 3))
    here /= numpy.linalg.norm(here, axis=1, keepdims=True)
    there = truth.apply(here) + 0.01 * rng.standard_normal((40, 3))
    there[:8] = numpy.roll(there[:8], 1, axis=1)  # outliers: their axes are mixed up
    start = Rotation.align_vectors(there, here)[0]
    found = scipy.optimize.minimize(gg.value_and_grad(loss), start.as_rotvec(), args=(here, there), jac=True)
    robust = Rotation.from_rotvec(found.x)
    errors = [numpy.degrees((truth.inv() * rotation).magnitude()) for rotation in (start, robust)]
    print(f"off the truth by {errors[0]:.2f} degrees with least squares, by {errors[1]:.2f} with a robust loss")
    assert errors[1] < 0.5 < errors[0]


if __name__ == "__main__":
    main()
