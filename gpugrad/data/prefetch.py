"""Batches made ahead: by a thread, and for a GPU on a stream of their own, while the model computes with the batches before."""

from __future__ import annotations

import functools
from collections import deque
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextvars import copy_context
from typing import Any

from gpugrad.arrays.devices import Device, is_on
from gpugrad.arrays.streams import Event, Stream, current_stream, record_stream, stream
from gpugrad.tape import Tensor
from gpugrad.trees import leaves

_END = object()

_copying = functools.cache(Stream)  # one per GPU: memory that was allocated on a stream is used again on that stream alone


def prefetched(batches: Iterator[Any], ahead: int, device: Any, data: Any) -> Iterator[Any]:
    """The batches of an iterator, up to `ahead` of them made before they are asked for, by one thread and in the context of the caller.

    If `device` is a GPU, whatever the thread launches goes to a stream of its own, and the consumer's current stream waits for it where
    a batch is handed over; the host does not. `data` is what batches are made of: it is held until that stream waits for the last one.
    What the iterator raises is raised here. Leaving the loop ends the thread.
    """
    side: Stream | None = None
    if isinstance(device, Device) and device.type == "cuda":
        here = current_stream(device)
        side = _copying(here.device)
        side.wait_stream(here)  # the data, and the order in which to take it, may be on the GPU

    def make() -> tuple[Any, Event | None]:
        with stream(side):
            batch = next(batches, _END)
        return batch, side.record_event() if side is not None else None

    context = copy_context()
    thread = ThreadPoolExecutor(1, thread_name_prefix="gpugrad-loader")
    try:
        made = deque(thread.submit(context.run, make) for _ in range(ahead))
        while True:
            batch, event = made.popleft().result()
            if batch is _END:
                return
            made.append(thread.submit(context.run, make))
            if event is not None:
                _hand_over(batch, event, device)
            yield batch
            del batch  # while the next one is waited for, its memory can be used again
    finally:
        thread.shutdown(cancel_futures=True)
        if side is not None:
            current_stream(device).wait_stream(side)
        del data  # and not before: batches that nobody took may have been in the making


def _hand_over(batch: Any, event: Event, device: Any) -> None:
    here = current_stream(device)
    here.wait_event(event)
    for x in leaves(batch):
        if isinstance(x, Tensor) and is_on(x.array, here.device):
            record_stream(x, here)
