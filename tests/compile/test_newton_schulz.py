"""The kernel of the Newton-Schulz iteration against its definition in gpugrad's ops."""

import numpy as np
import pytest

from gpugrad.compile import newton_schulz as native
from gpugrad.optim.muon import orthogonalized

COEFFICIENTS = (3.4445, -4.775, 2.0315)
SHAPES = [(1, 1), (1, 7), (9, 1), (3, 4), (33, 70), (70, 33), (64, 64), (17, 300), (40, 31)]

pytestmark = pytest.mark.skipif(native._kernel() is None, reason="there is no compiler")


def matrix(shape, seed=0):
    return np.random.default_rng(seed).standard_normal(shape).astype(np.float32)


def run(x, steps, coefficients=COEFFICIENTS, eps=1e-7, scale=1.0):
    (found,) = native.newton_schulz([x.copy()], coefficients, steps, eps, scale)
    return found


@pytest.mark.parametrize("shape", SHAPES, ids=str)
@pytest.mark.parametrize("steps", [0, 1, 2])
def test_as_the_definition(shape, steps):
    """But for sums in another order, which round to the next number of bfloat16 now and then."""
    expected = orthogonalized(matrix(shape), COEFFICIENTS, steps, 1e-7)
    np.testing.assert_allclose(run(matrix(shape), steps), expected, rtol=0, atol=2**-7 * np.abs(expected).max())


@pytest.mark.parametrize("shape", [(33, 70), (70, 33), (64, 64)], ids=str)
def test_the_singular_values_come_near_one(shape):
    x = matrix(shape)
    u, _, v = np.linalg.svd(x, full_matrices=False)
    found = run(x, 5)
    core = u.T @ found @ v.T
    values = np.diag(core)
    assert values.min() > 0.3 and values.max() < 1.3
    assert np.abs(core - np.diag(values)).max() < 0.1


def test_all_matrices_of_a_call_as_one_by_one():
    xs = [matrix((40, 50), seed) for seed in range(7)]
    together = native.newton_schulz([x.copy() for x in xs], COEFFICIENTS, 3, 1e-7, 0.5)
    assert len(together) == 7
    for x, found in zip(xs, together, strict=True):
        np.testing.assert_array_equal(found, run(x, 3, scale=0.5))


def test_scale_and_eps():
    x = matrix((5, 3))
    np.testing.assert_array_equal(run(x, 2, scale=4.0), 4 * run(x, 2))
    np.testing.assert_array_equal(run(np.full((2, 2), 0.5, np.float32), 0, eps=2.0), np.full((2, 2), 0.25))  # the norm is 1
    np.testing.assert_array_equal(run(np.zeros((3, 4), np.float32), 5), np.zeros((3, 4)))


@pytest.mark.parametrize(
    "bad", [np.nan, np.inf, np.float32(np.uint32(0x7FFFFFFF).view(np.float32))], ids=["nan", "inf", "last nan"]
)
def test_what_is_not_finite_is_seen(bad):
    x = matrix((6, 40))
    x[2, 35] = bad
    assert np.isnan(run(x, 1)).any()


def test_matrices_that_are_not_contiguous():
    x = matrix((40, 33))
    (found,) = native.newton_schulz([x.T], COEFFICIENTS, 2, 1e-7, 1.0)
    np.testing.assert_array_equal(found, run(np.ascontiguousarray(x.T), 2))


@pytest.mark.parametrize("threads, matrices, shape, taken", [
    (4, 4, (100, 200), True),
    (4, 3, (100, 200), False),  # a library would use all threads
    (4, 1, (64, 200), True),  # which does not pay here
    (1, 1, (3, 4), False),
    (1, 1, (2000, 2000), False),
    (1, 1, (0, 5), False),
])  # fmt: skip
def test_when_it_is_used(monkeypatch, threads, matrices, shape, taken):
    monkeypatch.setattr(native, "get_num_threads", lambda: threads)
    assert native.takes(shape, matrices) == taken


@pytest.mark.parametrize(
    "threads, shape, count", [(2, (200, 250), 4), (4, (1000, 1000), 4), (3, (256, 256), 3), (1, (512, 512), 1)]
)
def test_every_thread_has_as_many(monkeypatch, threads, shape, count):
    monkeypatch.setattr(native, "get_num_threads", lambda: threads)
    assert native.at_a_time(shape) == count
