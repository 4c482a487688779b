"""Batches made ahead: by a thread, and for a GPU on a stream of their own, while the model computes with the batches before."""

from __future__ import annotations

import functools
from collections import deque
from collections.abc import Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from contextvars import copy_context
from typing import Any

from gpugrad.arrays.devices import Device, is_on
from gpugrad.arrays.streams import Event, Stream, current_stream, record_stream, stream
from gpugrad.tape import Tensor
from gpugrad.trees import leaves

_END = object()

_copying = functools.cache(Stream)  # one per GPU: memory that was allocated on a stream is used again on that stream alone


def prefetched(batches: Iterator[Any], ahead: int, devices: Iterable[Any], data: Any) -> Iterator[Any]:
    """The batches of an iterator, up to `ahead` of them made before they are asked for, by one thread and in the context of the caller.

    `devices` are where the batches go, last, and where the data is. On those that are GPUs, whatever the thread launches goes to a
    stream of its own, and the consumer's current stream there waits for it where a batch is handed over; the host does not. `data` is
    what batches are made of: it is held until those streams wait for the last one. "cuda" is the GPU that is current at the first batch.
    What the iterator raises is raised here. Leaving the loop ends the thread.
    """
    streams = [current_stream(x) for x in devices if isinstance(x, Device) and x.type == "cuda"]
    sides = {here.device: _copying(here.device) for here in streams}
    for here in streams:
        sides[here.device].wait_stream(here)  # the data, and the order in which to take it, may be on the GPU

    def make() -> tuple[Any, list[Event]]:
        with ExitStack() as entered:
            for side in sides.values():
                entered.enter_context(stream(side))
            batch = next(batches, _END)
        return batch, [side.record_event() for side in sides.values()]

    context = copy_context()
    thread = ThreadPoolExecutor(1, thread_name_prefix="gpugrad-loader")
    try:
        made = deque(thread.submit(context.run, make) for _ in range(ahead))
        while True:
            batch, events = made.popleft().result()
            if batch is _END:
                return
            made.append(thread.submit(context.run, make))
            for device, event in zip(sides, events, strict=True):
                _hand_over(batch, event, device)
            yield batch
            del batch  # while the next one is waited for, its memory can be used again
    finally:
        thread.shutdown(cancel_futures=True)
        for device, side in sides.items():
            current_stream(device).wait_stream(side)
        del data  # and not before: batches that nobody took may have been in the making


def _hand_over(batch: Any, event: Event, device: Device) -> None:
    here = current_stream(device)
    here.wait_event(event)
    for x in leaves(batch):
        if isinstance(x, Tensor) and is_on(x.array, here.device):
            record_stream(x, here)
