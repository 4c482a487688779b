"""DataLoader: batches of a dataset, in order or shuffled."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

from gpugrad.arrays.devices import CPU
from gpugrad.data.dataset import fetch, items
from gpugrad.errors import ShapeError
from gpugrad.random import Generator, default_generator


class DataLoader:
    """An iterable over the batches of a dataset, as often as it is iterated.

    ::

        loader = gg.data.DataLoader(gg.data.TensorDataset(x, y), batch_size=64, shuffle=True)
        for epoch in range(10):
            for inputs, labels in loader:
                ...

    `dataset` is a Dataset, or any sequence of samples. With `shuffle` every pass draws a new order from `generator`, or from
    the default generator, which ``gg.manual_seed`` seeds; on the device of the data, without waiting for a GPU.
    `drop_last` leaves out a last batch that is smaller than the others. `collate_fn` makes a batch of a list of samples, which
    are then fetched one by one. `num_workers` is accepted from PyTorch code and must be 0: batches are made in the calling
    process.
    Raises ShapeError for an empty dataset, ValueError for a `batch_size` below 1 and for other `num_workers`.
    """

    def __init__(
        self,
        dataset: Any,
        batch_size: int = 1,
        shuffle: bool = False,
        *,
        num_workers: int = 0,
        drop_last: bool = False,
        generator: Generator | None = None,
        collate_fn: Callable[[list[Any]], Any] | None = None,
    ) -> None:
        if not isinstance(batch_size, int) or isinstance(batch_size, bool) or batch_size < 1:
            raise ValueError(f"DataLoader: batch_size is {batch_size!r}, expected an integer of 1 or more")
        if num_workers != 0:
            raise ValueError(f"DataLoader: num_workers is {num_workers!r}, expected 0: batches are made in the calling process")
        if len(dataset) == 0:
            raise ShapeError(f"DataLoader: the dataset, a {type(dataset).__name__}, is empty; there is nothing to load")
        self.dataset = dataset
        self.batch_size = batch_size
        self.shuffle = shuffle
        self.drop_last = drop_last
        self.generator = generator
        self.collate_fn = collate_fn

    def __len__(self) -> int:
        """The number of batches."""
        full, rest = divmod(len(self.dataset), self.batch_size)
        return full + (rest > 0 and not self.drop_last)

    def __iter__(self) -> Iterator[Any]:
        order = None
        if self.shuffle:  # now, not with the first batch: what is drawn in between changes nothing
            size = len(self.dataset)
            order = (self.generator or default_generator).permutation(size, device=getattr(self.dataset, "device", CPU))
        return self._batches(order)

    def _batches(self, order: Any) -> Iterator[Any]:
        size = len(self.dataset)
        for start in range(0, len(self) * self.batch_size, self.batch_size):
            rows = slice(start, min(start + self.batch_size, size))
            indices = rows if order is None else order[rows]
            if self.collate_fn is not None:
                yield self.collate_fn(items(self.dataset, indices))
            else:
                yield fetch(self.dataset, indices)
