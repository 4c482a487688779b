"""gpugrad.nn.functional.resample: values and derivatives are in gpugrad/check/records/resampling.py."""

import numpy as np
import pytest

import gpugrad as gg
from gpugrad.nn.functional.resample import Map, _placed, resample, transposed
from gpugrad.testing import assert_close

RNG = np.random.default_rng(0)


def matrix(numbers, weights, size):
    found = np.zeros((numbers.shape[1], size))
    np.add.at(found, (np.arange(numbers.shape[1]), numbers), weights)
    return found


@pytest.mark.parametrize("taps", [1, 3, 70])
def test_the_transpose_of_a_table(taps):
    numbers = RNG.integers(0, 6, (taps, 9))
    weights = RNG.normal(size=(taps, 9)) * RNG.integers(0, 2, (taps, 9))
    back = transposed(numbers, weights, 7)  # of element 6 nothing is made
    assert back[0].shape == back[1].shape and back[0].shape[1] == 7
    np.testing.assert_allclose(matrix(*back, 9), matrix(numbers, weights, 7).T, atol=1e-12)


def _many(taps):
    rng = np.random.default_rng(taps)
    return rng.integers(0, 30, (taps, 20)), rng.normal(size=(taps, 20))


@pytest.mark.parametrize("taps", [3, 70])
@pytest.mark.parametrize("shape", [(30,), (4, 30), (2, 30, 40), (2, 30, 5, 4)])
def test_written_out_or_in_a_loop(taps, shape):
    axis = shape.index(30)
    x = gg.tensor(RNG.normal(size=shape), requires_grad=True)
    rows = matrix(*_many(taps), 30)
    out = resample(x, axis, Map(_many, 30, (taps,)))
    expected = np.moveaxis(np.tensordot(rows, x.detach().numpy(), axes=(1, axis)), 0, axis)
    assert_close(out, expected)
    g = RNG.normal(size=out.shape)
    (found,) = gg.gradients([out], [x], [gg.asarray(g)])
    assert_close(found, np.moveaxis(np.tensordot(rows.T, g, axes=(1, axis)), 0, axis))


def test_tables_are_made_once():
    before = _placed.cache_info().misses
    for _ in range(3):
        resample(gg.ones((2, 30)), 1, Map(_many, 30, (4,)))
    assert _placed.cache_info().misses == before + 1
