"""Datasets: samples by number."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from typing import Any

from gpugrad.arrays.devices import CPU
from gpugrad.data.collate import default_collate
from gpugrad.errors import DeviceError, IndexingError, OptionError, ShapeError
from gpugrad.ops.conversion import asarray
from gpugrad.ops.indexing import take
from gpugrad.random import Generator, default_generator
from gpugrad.tape import Tensor


class Dataset:
    """Base class: a subclass defines ``__getitem__(i)``, a sample, and ``__len__``.

    One that can fetch many samples faster than one by one also defines ``fetch(indices)``, which gets a slice or an integer
    Tensor on its `device` and returns a batch.
    """

    device: Any = CPU

    def __getitem__(self, index: int) -> Any:
        raise NotImplementedError(f"{type(self).__name__} defines no __getitem__; it returns one sample")

    def __len__(self) -> int:
        raise NotImplementedError(f"{type(self).__name__} defines no __len__; it returns the number of samples")

    def fetch(self, indices: slice | Tensor) -> Any:
        """A batch of the samples at `indices`."""
        return default_collate(items(self, indices))


def items(dataset: Any, indices: slice | Tensor) -> list[Any]:
    """Samples one by one, from anything with ``__getitem__``; `indices` is a slice with a start and a stop, or a Tensor."""
    numbers = range(indices.start, indices.stop) if isinstance(indices, slice) else indices.tolist()
    return [dataset[i] for i in numbers]


def fetch(dataset: Any, indices: slice | Tensor) -> Any:
    """A batch from a Dataset, or from any other sequence of samples."""
    return dataset.fetch(indices) if hasattr(dataset, "fetch") else default_collate(items(dataset, indices))


class TensorDataset(Dataset):
    """Samples that are the rows of Tensors or arrays: sample i is ``(x[i], y[i], ...)``.

    A batch is one indexing operation for each of them, on the device where they are.
    Raises ShapeError if their lengths differ or one has no axes, or if none is given; DeviceError if their devices differ.
    """

    def __init__(self, *tensors: Any) -> None:
        self.tensors = tuple(asarray(x) for x in tensors)
        shapes = [x.shape for x in self.tensors]
        if not shapes:
            raise ShapeError("TensorDataset: got no tensors, expected one or more")
        if not all(shapes) or len({shape[0] for shape in shapes}) > 1:
            raise ShapeError(
                f"TensorDataset: got shapes {' and '.join(map(str, shapes))}, expected the same first size in all: one row per sample"
            )
        devices = sorted({str(x.device) for x in self.tensors})
        if len(devices) > 1:
            raise DeviceError(
                f"TensorDataset: the tensors are on {' and '.join(devices)}; move them to one device with .to(device)"
            )
        self.device = self.tensors[0].device

    def __getitem__(self, index: Any) -> tuple[Tensor, ...]:
        return tuple(x[index] for x in self.tensors)

    def __len__(self) -> int:
        return self.tensors[0].shape[0]

    def fetch(self, indices: slice | Tensor) -> tuple[Tensor, ...]:
        """The rows at `indices`; for a slice they are views."""
        if isinstance(indices, slice):
            return self[indices]
        return tuple(take(x, indices, axis=0) for x in self.tensors)


class Subset(Dataset):
    """The samples of `dataset` at `indices`, in that order.

    Raises IndexingError for an index out of range.
    """

    def __init__(self, dataset: Any, indices: Sequence[int] | Tensor) -> None:
        self.dataset = dataset
        self.indices: list[int] = indices.tolist() if hasattr(indices, "tolist") else list(indices)
        self.device = getattr(dataset, "device", CPU)
        size = len(dataset)
        for i in self.indices:
            if not -size <= i < size:
                raise IndexingError(f"Subset: index {i} is out of range for a dataset of {size} samples")
        # Not negative, for a GPU would not notice; and on the dataset's device, so that a batch needs no copying there.
        self._rows = asarray([i % size for i in self.indices], dtype="int64", device=self.device)

    def __getitem__(self, index: int) -> Any:
        return self.dataset[self.indices[index]]

    def __len__(self) -> int:
        return len(self.indices)

    def fetch(self, indices: slice | Tensor) -> Any:
        """A batch of the samples at `indices` of this subset."""
        return fetch(self.dataset, self._rows[indices] if isinstance(indices, slice) else take(self._rows, indices, axis=0))


def random_split(dataset: Any, lengths: Sequence[int] | Sequence[float], generator: Generator | None = None) -> list[Subset]:
    """Disjoint subsets of a dataset, drawn at random: of these lengths, or of these fractions that sum up to 1.

    Fractions are rounded down, and what is left over goes to the first subsets, one each. `generator` draws, or the
    default generator, which ``gg.manual_seed`` seeds.
    Raises OptionError for lengths that do not sum up to the length of the dataset, or are negative.
    """
    size = len(dataset)
    counts = [int(n) for n in lengths]
    if abs(sum(lengths) - 1) < 1e-6 and all(0 <= n <= 1 for n in lengths) and size != 1:
        counts = [int(size * n) for n in lengths]
        for i in range(size - sum(counts)):
            counts[i % len(counts)] += 1
    elif any(n != count for n, count in zip(lengths, counts, strict=True)):
        counts = [-1]
    if sum(counts) != size or any(n < 0 for n in counts):
        raise OptionError(
            f"random_split: got lengths {list(lengths)}, expected numbers that sum up to {size}, the length of the dataset, or fractions "
            "that sum up to 1"
        )
    order = (generator or default_generator).permutation(size, device=CPU).tolist()
    return [Subset(dataset, order[end - n : end]) for n, end in zip(counts, itertools.accumulate(counts), strict=True)]
