"""gpugrad.data.loader."""

import numpy as np
import pytest

import gpugrad as gg
from gpugrad.data import DataLoader, Dataset, Subset, TensorDataset
from gpugrad.errors import ShapeError

X = np.arange(14.0).reshape(7, 2)
Y = np.arange(7)
DATASET = TensorDataset(X, Y)


def labels(loader):
    return [batch[1].tolist() for batch in loader]


def flat(loader):
    return [label for batch in labels(loader) for label in batch]


def test_batches_in_order():
    loader = DataLoader(DATASET, batch_size=3)
    assert len(loader) == 3
    assert labels(loader) == [[0, 1, 2], [3, 4, 5], [6]]
    assert labels(loader) == labels(loader)
    first = next(iter(loader))
    assert isinstance(first, tuple) and first[0].tolist() == X[:3].tolist()
    assert len(DataLoader(DATASET)) == 7


def test_drop_last():
    loader = DataLoader(DATASET, 3, drop_last=True)
    assert len(loader) == 2
    assert labels(loader) == [[0, 1, 2], [3, 4, 5]]
    assert len(DataLoader(DATASET, 7, drop_last=True)) == 1


def test_shuffling():
    gg.manual_seed(1)
    loader = DataLoader(DATASET, 3, shuffle=True)
    first, second = flat(loader), flat(loader)
    assert sorted(first) == sorted(second) == list(range(7))
    assert first != second  # a new order in every pass
    gg.manual_seed(1)
    assert flat(loader) == first


def test_shuffling_with_a_generator_leaves_the_default_one_alone():
    before = gg.random.default_generator.get_state()
    one = labels(DataLoader(DATASET, 3, shuffle=True, generator=gg.random.Generator(5)))
    two = labels(DataLoader(DATASET, 3, shuffle=True, generator=gg.random.Generator(5)))
    assert one == two
    assert gg.random.default_generator.get_state() == before


def test_inputs_and_labels_stay_together():
    for x, y in DataLoader(DATASET, 2, shuffle=True):
        assert x.tolist() == X[y.numpy()].tolist()


def test_a_batch_of_a_tensor_dataset_is_one_indexing_per_array(monkeypatch):
    monkeypatch.setattr(TensorDataset, "__getitem__", lambda self, index: pytest.fail("fetched one by one"))
    for dataset in (DATASET, Subset(DATASET, range(6))):
        assert sum(len(y) for _, y in DataLoader(dataset, 4, shuffle=True)) == len(dataset)


def test_on_the_device_of_the_data(device):
    dataset = TensorDataset(gg.asarray(X, device=device), gg.asarray(Y, device=device))
    gg.manual_seed(2)
    found = [(x.device, y.cpu().tolist()) for x, y in DataLoader(dataset, 3, shuffle=True)]
    gg.manual_seed(2)
    assert [y for _, y in found] == labels(DataLoader(DATASET, 3, shuffle=True))  # the same order on every device
    assert all(str(d).startswith(device) for d, _ in found)


def test_sequences_and_datasets_of_ones_own():
    class Squares(Dataset):
        def __getitem__(self, i):
            return i, float(i * i)

        def __len__(self):
            return 4

    assert [b.tolist() for b in DataLoader([3, 1, 2], 2)] == [[3, 1], [2]]
    assert [[t.tolist() for t in b] for b in DataLoader(Squares(), 3)] == [[[0, 1, 2], [0, 1, 4]], [[3], [9]]]
    seen = [i for b in DataLoader(Squares(), 3, shuffle=True) for i in b[0].tolist()]
    assert sorted(seen) == [0, 1, 2, 3]


def test_collate_fn_gets_the_samples():
    loader = DataLoader(["a", "bb", "ccc"], 2, collate_fn=lambda samples: "+".join(samples))
    assert list(loader) == ["a+bb", "ccc"]
    batches = list(DataLoader(DATASET, 4, collate_fn=lambda samples: [y.item() for _, y in samples]))
    assert batches == [[0, 1, 2, 3], [4, 5, 6]]


def test_an_iterator_draws_its_order_when_it_is_made():
    one, two = gg.random.Generator(5), gg.random.Generator(5)
    first = iter(DataLoader(DATASET, 3, True, generator=one))
    two.permutation(7, device="cpu")
    assert one.get_state() == two.get_state()
    one.permutation(100, device="cpu")  # changes nothing for what is on its way
    assert [y.tolist() for _, y in first] == labels(DataLoader(DATASET, 3, True, generator=gg.random.Generator(5)))


def test_options_after_shuffle_are_by_keyword_only():
    with pytest.raises(TypeError):
        DataLoader(DATASET, 3, False, True)


def test_num_workers():
    assert len(DataLoader(DATASET, 3, num_workers=0)) == 3
    with pytest.raises(ValueError, match="DataLoader: num_workers is 2, expected 0: batches are made in the calling process"):
        DataLoader(DATASET, num_workers=2)


@pytest.mark.parametrize("dataset", [[], TensorDataset(np.empty((0, 3)))])
def test_an_empty_dataset(dataset):
    with pytest.raises(
        ShapeError, match=f"DataLoader: the dataset, a {type(dataset).__name__}, is empty; there is nothing to load"
    ):
        DataLoader(dataset)


@pytest.mark.parametrize("batch_size", [0, -1, 2.5, True])
def test_batch_sizes_below_one(batch_size):
    with pytest.raises(ValueError, match=f"DataLoader: batch_size is {batch_size}, expected an integer of 1 or more"):
        DataLoader(DATASET, batch_size)


@pytest.mark.parametrize(
    "options, error, message",
    [
        ({"collate_fn": 3}, gg.DTypeError, "collate_fn is 3, expected a function"),
        ({"pin_memory": "yes"}, gg.DTypeError, "pin_memory is 'yes', expected True or False"),
        ({"device": 99}, gg.DeviceError, "cuda:99"),
        ({"device": -1}, gg.DeviceError, "-1"),
        ({"device": True}, gg.DeviceError, "device is True, expected a GPU"),
    ],
)
def test_wrong_options(options, error, message):
    with pytest.raises(error, match=message):
        DataLoader(np.ones((4, 2)), **options)
