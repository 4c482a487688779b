"""gpugrad.data.collate."""

from collections import namedtuple

import numpy as np
import pytest

import gpugrad as gg
from gpugrad.data import default_collate
from gpugrad.errors import DTypeError, ShapeError

Pair = namedtuple("Pair", "x y")


@pytest.mark.parametrize(
    ("samples", "dtype", "values"),
    [
        ([gg.ones(2), gg.zeros(2)], gg.float32, [[1, 1], [0, 0]]),
        ([np.ones(2), np.zeros(2)], gg.float64, [[1, 1], [0, 0]]),
        ([1, 2, 3], gg.int64, [1, 2, 3]),
        ([1.5, 2.0], gg.float32, [1.5, 2.0]),
        ([True, False], gg.bool, [True, False]),
        ([np.int16(1), np.int16(2)], gg.int16, [1, 2]),
    ],
)
def test_arrays_and_numbers_are_stacked(samples, dtype, values):
    batch = default_collate(samples)
    assert isinstance(batch, gg.Tensor)
    assert batch.dtype == dtype
    assert batch.tolist() == values


def test_structures_become_structures_of_batches():
    batch = default_collate([Pair(np.ones(2), {"name": "a", "label": 0}), Pair(np.zeros(2), {"name": "b", "label": 1})])
    assert isinstance(batch, Pair)
    assert batch.x.tolist() == [[1, 1], [0, 0]]
    assert batch.y["name"] == ["a", "b"]
    assert batch.y["label"].tolist() == [0, 1]
    assert [x.tolist() for x in default_collate([(1, 2), (3, 4)])] == [[1, 3], [2, 4]]


def test_samples_that_do_not_fit_together():
    with pytest.raises(ShapeError, match=r"stack: got shapes \(2,\) and \(3,\), expected the same for all"):
        default_collate([np.ones(2), np.ones(3)])
    with pytest.raises(ShapeError, match=r"default_collate: got samples of \[1, 2\] elements, expected the same number in all"):
        default_collate([(1,), (1, 2)])
    with pytest.raises(DTypeError, match=r"default_collate: got a sample of type object, expected .*pass collate_fn="):
        default_collate([object()])
