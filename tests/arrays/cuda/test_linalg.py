"""Linear algebra on CuPy: what is waited for, and systems that CuPy alone would refuse."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import gpugrad as gg
from gpugrad import linalg
from gpugrad.arrays.devices import import_cupy
from gpugrad.testing import assert_close

if not gg.cuda.is_available():
    pytest.skip("CuPy: there is no GPU here; GPUGRAD_TEST_STANDIN=1 runs these on a stand-in", allow_module_level=True)

cupy = import_cupy()
REGULAR = np.random.default_rng(0).uniform(-0.5, 0.5, (2, 3, 3)) + 2 * np.eye(3)


def there(x: Any) -> Any:
    return gg.asarray(x, device="cuda")


@pytest.mark.skipif(not hasattr(cupy, "standin"), reason="only the stand-in counts")
@pytest.mark.parametrize(
    ("function", "times"),
    [
        (linalg.inv, 1),
        (linalg.cholesky, 1),
        (linalg.det, 0),
        (linalg.slogdet, 0),
        (linalg.vector_norm, 0),
        (linalg.trace, 0),
        (linalg.expm, 1),
    ],
)
def test_the_gpu_is_waited_for_only_to_see_whether_it_failed(function: Callable[[Any], Any], times: int) -> None:
    x = there(REGULAR @ np.swapaxes(REGULAR, -1, -2))
    with cupy.standin.counting() as seen:
        function(x)
    assert (seen.host_reads, seen.uploads) == (times, 0)


def test_leading_axes_broadcast_in_both_directions() -> None:
    """CuPy's solve and solve_triangular take equal leading axes alone."""
    for x, y in ((REGULAR, np.ones((3, 1))), (REGULAR[0], np.ones((2, 3, 1))), (REGULAR[:, None], np.ones((4, 3, 2)))):
        assert_close(linalg.solve(there(x), there(y)), np.linalg.solve(x, y))
        found = linalg.solve_triangular(there(x), there(y), upper=True)
        assert_close(found, np.linalg.solve(np.triu(x), y))


def test_the_setting_of_the_program_is_left_as_it_was() -> None:
    with pytest.raises(gg.LinAlgError):
        linalg.inv(there(np.zeros((2, 2))))
    assert cupy.linalg.inv(cupy.zeros((2, 2))).shape == (2, 2)  # it does not raise
