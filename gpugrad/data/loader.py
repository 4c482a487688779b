"""DataLoader: batches of a dataset, in order or shuffled."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import numpy

from gpugrad.arrays import pinned
from gpugrad.arrays.devices import CPU, DeviceLike, cuda_problem, gpu, on, parse, say_once
from gpugrad.data.dataset import fetch, items
from gpugrad.data.prefetch import prefetched
from gpugrad.errors import DTypeError, OptionError, ShapeError
from gpugrad.ops.transfer import to_device
from gpugrad.random import Generator, default_generator
from gpugrad.tape import Tensor
from gpugrad.trees import map_leaves


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

    `device` is where the Tensors of a batch go, by name or a GPU's number, and None leaves them where the dataset has them. With
    `prefetch_factor` a thread makes that many batches ahead; for a GPU it copies them through pinned memory on a stream of its own,
    while the model computes::

        loader = gg.data.DataLoader(dataset, batch_size=64, shuffle=True, device="cuda", prefetch_factor=2)

    The batches and their order are the same as without. A dataset that itself draws random numbers should draw from a Generator of
    its own, else its draws and the model's come in another order. With `pin_memory`, batches that stay on the CPU are put into pinned
    memory, from where ``.to("cuda", non_blocking=True)`` copies while the host goes on.
    Raises ShapeError for an empty dataset, OptionError for a `batch_size` or `prefetch_factor` below 1 and for other `num_workers`,
    DeviceError for a `device` that is absent, DTypeError for a `collate_fn` that is no function and a `pin_memory` that is no bool.
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
        device: int | DeviceLike | None = None,
        prefetch_factor: int | None = None,
        pin_memory: bool = False,
    ) -> None:
        for name, count in ("batch_size", batch_size), ("prefetch_factor", 1 if prefetch_factor is None else prefetch_factor):
            if not isinstance(count, int) or isinstance(count, bool) or count < 1:
                raise OptionError(f"DataLoader: {name} is {count!r}, expected an integer of 1 or more")
        if num_workers != 0:
            raise OptionError(
                f"DataLoader: num_workers is {num_workers!r}, expected 0: batches are made in the calling process"
            )
        if collate_fn is not None and not callable(collate_fn):
            raise DTypeError(f"DataLoader: collate_fn is {collate_fn!r}, expected a function from a list of samples to a batch")
        if pin_memory not in (True, False):
            raise DTypeError(f"DataLoader: pin_memory is {pin_memory!r}, expected True or False")
        if len(dataset) == 0:
            raise ShapeError(f"DataLoader: the dataset, a {type(dataset).__name__}, is empty; there is nothing to load")
        self.dataset = dataset
        self.batch_size = batch_size
        self.shuffle = shuffle
        self.drop_last = drop_last
        self.generator = generator
        self.collate_fn = collate_fn
        self.device = gpu(device) if isinstance(device, int) else None if device is None else parse(device)
        on(self.device)  # which raises where it is absent
        self.prefetch_factor = prefetch_factor
        problem = cuda_problem() if pin_memory else ""
        if problem:
            say_once(f"DataLoader: pin_memory is left out, for there is no GPU to copy to: {problem}")
        self.pin_memory = pin_memory and not problem

    def __len__(self) -> int:
        """The number of batches."""
        full, rest = divmod(len(self.dataset), self.batch_size)
        return full + (rest > 0 and not self.drop_last)

    def __iter__(self) -> Iterator[Any]:
        order = None
        if self.shuffle:  # now, not with the first batch: what is drawn in between changes nothing
            size = len(self.dataset)
            order = (self.generator or default_generator).permutation(size, device=getattr(self.dataset, "device", CPU))
        batches = map(self._placed, self._batches(order))
        if self.prefetch_factor is None:
            return batches
        devices = (getattr(self.dataset, "device", CPU), self.device)
        return prefetched(batches, self.prefetch_factor, devices, (self.dataset, order))

    def _batches(self, order: Any) -> Iterator[Any]:
        size = len(self.dataset)
        for start in range(0, len(self) * self.batch_size, self.batch_size):
            rows = slice(start, min(start + self.batch_size, size))
            indices = rows if order is None else order[rows]
            if self.collate_fn is not None:
                yield self.collate_fn(items(self.dataset, indices))
            else:
                yield fetch(self.dataset, indices)

    def _placed(self, batch: Any) -> Any:
        """The batch with its Tensors where they are wanted."""
        if self.device is not None:
            # Through pinned memory in any case, and complete in the order of the stream.
            batch = map_leaves(lambda x: to_device(x, self.device) if isinstance(x, Tensor) else x, batch)
        if self.pin_memory:
            batch = map_leaves(lambda x: Tensor(pinned.pin(x.array)) if _on_host(x) else x, batch)
        return batch


def _on_host(x: Any) -> bool:
    return isinstance(x, Tensor) and isinstance(x.array, numpy.ndarray)
