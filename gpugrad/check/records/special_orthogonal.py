"""Records of gpugrad/ops/special/orthogonal.py."""

from __future__ import annotations

import gpugrad.special  # noqa: F401  # registers the ops
from gpugrad.check.records.case import Case, call, given, real, unit
from gpugrad.check.scipy_reference import reference

DEGREES = given([[0], [1], [4]])
OF_DEGREE = ("eval_legendre", "eval_chebyt", "eval_chebyu", "eval_laguerre")

CASES = [
    *(
        Case(name, [call(DEGREES, unit(3)), call(3, unit()), call(1.5, unit(2))], reference(name), complex=True)
        for name in OF_DEGREE
    ),
    *(
        Case(name, [call(DEGREES, 0.5, unit(3)), call(3, 1, unit())], reference(name), complex=True)
        for name in ("eval_gegenbauer", "eval_genlaguerre")
    ),
    Case("eval_jacobi", [call(DEGREES, 0.5, -0.5, unit(3)), call(3, 1, 2, unit())], reference("eval_jacobi"), complex=True),
    *(Case(name, [call(DEGREES, real(3)), call(3, real())], reference(name)) for name in ("eval_hermite", "eval_hermitenorm")),
]
