"""Random programs: what kernels in C compute is what NumPy computes, whatever the graph."""

from __future__ import annotations

import pytest
from compile.disturbed import check, runs_on_numpy
from compile.programs import Program, programs
from hypothesis import HealthCheck, given, settings

from gpugrad.compile.compiled import Compiled

pytestmark = pytest.mark.usefixtures("kernels")


def check_sizes(program: Program) -> Compiled:
    """Check a program for its arguments, and for longer ones: by the same kernels, if they fit."""
    compiled = Compiled(program.run, "program", strict=True)
    check(program, compiled)
    longer = program.resized()
    if runs_on_numpy(longer):
        check(longer, compiled)
    return compiled


@settings(max_examples=50, derandomize=True, deadline=None, database=None, suppress_health_check=list(HealthCheck))
@given(programs())
def test_kernels_compute_what_numpy_computes(program: Program) -> None:
    compiled = check_sizes(program)
    assert compiled.programs or any(0 in x.shape for x in program.arguments if not isinstance(x, float))
