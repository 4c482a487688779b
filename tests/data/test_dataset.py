"""gpugrad.data.dataset."""

import re

import numpy as np
import pytest

import gpugrad as gg
from gpugrad.data import Dataset, Subset, TensorDataset, random_split
from gpugrad.errors import DeviceError, IndexingError, ShapeError

X = np.arange(12.0).reshape(6, 2)
Y = np.arange(6)


def test_tensor_dataset():
    dataset = TensorDataset(X, gg.asarray(Y))
    assert len(dataset) == 6
    x, y = dataset[2]
    assert x.tolist() == [4, 5] and y.item() == 2
    assert [t.tolist() for t in dataset.fetch(gg.asarray([3, 0]))] == [[[6, 7], [0, 1]], [3, 0]]
    assert np.shares_memory(dataset.fetch(slice(1, 3))[0].array, X)
    with pytest.raises(IndexingError):
        dataset[6]
    assert len(list(dataset)) == 6  # an IndexError ends the iteration


@pytest.mark.parametrize("tensors", [(X, Y[:5]), (X, np.float64(1.0))])
def test_tensor_dataset_of_different_lengths(tensors):
    shapes = " and ".join(str(np.shape(t)) for t in tensors)
    with pytest.raises(ShapeError, match=re.escape(f"TensorDataset: got shapes {shapes}, expected the same first size in all")):
        TensorDataset(*tensors)


def test_tensor_dataset_of_nothing_or_of_two_devices():
    with pytest.raises(ShapeError, match="TensorDataset: got no tensors, expected one or more"):
        TensorDataset()
    strict = pytest.importorskip("array_api_strict")
    with pytest.raises(
        DeviceError, match=r"TensorDataset: the tensors are on .* and .*; move them to one device with .to\(device\)"
    ):
        TensorDataset(X, strict.zeros(6, device=strict.Device("device1")))


def test_a_dataset_that_defines_nothing():
    class Nothing(Dataset):
        pass

    with pytest.raises(NotImplementedError, match="Nothing defines no __getitem__"):
        Nothing()[0]
    with pytest.raises(NotImplementedError, match="Nothing defines no __len__"):
        len(Nothing())


def test_subset():
    subset = Subset(TensorDataset(X, Y), [4, 1, -1])
    assert len(subset) == 3
    assert subset[0][1].item() == 4
    assert [y.item() for _, y in subset] == [4, 1, 5]
    assert subset.fetch(slice(0, 3))[1].tolist() == [4, 1, 5]
    assert subset.fetch(gg.asarray([2, 0]))[1].tolist() == [5, 4]
    nested = Subset(subset, gg.asarray([1, 0]))
    assert nested.fetch(slice(0, 2))[1].tolist() == [1, 4]
    assert Subset([10, 20, 30], [2, 0]).fetch(slice(0, 2)).tolist() == [30, 10]


@pytest.mark.parametrize("index", [6, -7])
def test_subset_with_an_index_out_of_range(index):
    with pytest.raises(IndexingError, match=f"Subset: index {index} is out of range for a dataset of 6 samples"):
        Subset(TensorDataset(X), [0, index])


def test_random_split():
    dataset = TensorDataset(X, Y)
    gg.manual_seed(0)
    first, second = random_split(dataset, [4, 2])
    assert (len(first), len(second)) == (4, 2)
    assert sorted(first.indices + second.indices) == list(range(6))
    gg.manual_seed(0)
    assert random_split(dataset, [4, 2])[0].indices == first.indices
    generator = gg.random.Generator(0)
    assert random_split(dataset, [4, 2], generator)[0].indices == first.indices  # the default generator, seeded alike


@pytest.mark.parametrize(
    ("size", "fractions", "lengths"),
    [
        (6, [0.5, 0.5], [3, 3]),
        (10, [0.75, 0.25], [8, 2]),
        (7, [0.5, 0.25, 0.25], [4, 2, 1]),
        (5, [1.0], [5]),
        (6, [0.0, 1.0], [0, 6]),
    ],
)
def test_random_split_by_fractions(size, fractions, lengths):
    assert [len(s) for s in random_split(list(range(size)), fractions)] == lengths


@pytest.mark.parametrize("lengths", [[4, 1], [7, -1], [0.5, 0.2], [2.5, 3.5]])
def test_random_split_into_what_does_not_fit(lengths):
    text = f"random_split: got lengths {lengths}, expected numbers that sum up to 6, the length of the dataset, or fractions"
    with pytest.raises(ValueError, match=re.escape(text)):
        random_split(TensorDataset(X), lengths)
