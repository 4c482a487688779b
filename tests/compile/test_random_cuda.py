"""Random programs on CuPy arrays: what CUDA kernels compute is what NumPy computes, values and gradients.

Runs where there is a GPU, and with GPUGRAD_TEST_STANDIN=1 on the stand-in for CuPy, where every thread of a kernel runs on the CPU.
"""

from __future__ import annotations

from typing import Any

import numpy
import pytest
from backends import CUPY, WITHOUT_CUPY
from compile.differentiable import Differentiated, check_gradients, differentiated
from compile.disturbed import check
from compile.programs import Program, programs
from hypothesis import HealthCheck, given, settings

from gpugrad.compile.compiled import Compiled

if not CUPY.available:
    pytest.skip(WITHOUT_CUPY, allow_module_level=True)

SETTINGS = settings(derandomize=True, deadline=None, database=None, suppress_health_check=list(HealthCheck))


def on_gpu(x: Any) -> Any:
    """A CuPy array with strides like those of a NumPy array, as far as the programs' arguments have them."""
    x = numpy.asarray(x)
    if not x.ndim or x.flags.c_contiguous:
        return CUPY.asarray(x)
    if x.T.flags.c_contiguous:
        return CUPY.asarray(x.T).T
    if x.strides[0] < 0:
        return CUPY.asarray(x[::-1])[::-1]
    return CUPY.asarray(numpy.repeat(x, 2, axis=-1))[..., ::2]


@settings(SETTINGS, max_examples=12)
@given(programs(6))
def test_kernels_compute_what_numpy_computes(program: Program) -> None:
    compiled = Compiled(program.run, "program", strict=True)
    check(program, compiled, on_gpu, CUPY.to_numpy)
    assert compiled.programs or any(0 in x.shape for x in program.arguments if not isinstance(x, float))


@settings(SETTINGS, max_examples=14)
@given(differentiated(6))
def test_gradients_are_those_of_the_program(case: Differentiated) -> None:
    check_gradients(case, upload=on_gpu, download=CUPY.to_numpy)


@settings(SETTINGS, max_examples=4)
@given(differentiated(3, singular=False))
def test_second_derivatives_are_those_of_the_program(case: Differentiated) -> None:
    check_gradients(case, 2, on_gpu, CUPY.to_numpy)
