"""bandwidth: kernels that a GPU's memory limits, as fractions of what copying reaches on the same GPU, and their launches.

A kernel that reads n bytes and writes m is held to the time that a copy of (n + m) / 2 bytes takes: a copy of memory reads and
writes each of its bytes. What is read again is expected in the cache, so an input counts once.
"""

from __future__ import annotations

import contextlib
import importlib
from collections.abc import Callable, Iterator
from typing import Any

import gpugrad as gg
from benchmarks.devices import waiting
from gpugrad.bench.method import Column, Comparison, Row, Spread, disagreement, interleaved, not_run, numbers
from gpugrad.nn import functional

MIB = (64, 256)
"""The sizes of the array that is read; its dtype is float32, its rows have COLUMNS elements."""

COLUMNS = 1024
LIMIT = 1.25
"""Times the copy's: at least 0.8 of its bandwidth."""


def run(device: str, rounds: int) -> list[Row]:
    """A map, softmax, layer norm and a sum of all elements, each compiled anew, so that launches can be counted."""
    if device == "cpu":
        return [not_run("bandwidth", "it needs a GPU; run it with --device cuda")]
    return [row for mib in MIB for row in rows(device, rounds, mib)]


def rows(device: str, rounds: int, mib: int) -> list[Row]:
    """A row for each function of an array of this size."""
    cupy = gg.arrays.devices.import_cupy()
    with gg.device(device):
        gg.manual_seed(0)
        x, w, b = (gg.random.normal(shape).array for shape in ((mib * 2**18 // COLUMNS, COLUMNS), (COLUMNS,), (COLUMNS,)))
    source, target = cupy.ascontiguousarray(x), cupy.empty_like(x)
    wait = waiting(device)
    copying = Column("copy", lambda: cupy.copyto(target, source), wait)  # contiguous, of one dtype: the driver copies
    found = []
    with _counting() as launches:
        for name, function, expected, arguments, share in _functions(cupy, x, w, b):
            work = f"{name}, {mib} MiB"
            void = disagreement({"gpugrad": _part(function(*arguments)), "CuPy": _part(expected(*arguments))}, 1e-4)
            if void:
                found.append(Row("bandwidth", work, void=void))
                continue
            launches.clear()
            function(*arguments)
            count = len(launches)
            ours = Column("gpugrad", lambda f=function, a=arguments: f(*a), wait)  # type: ignore[misc]
            seconds = interleaved([ours, copying], rounds=rounds)
            times = [a / (b * share) for a, b in zip(seconds["gpugrad"], seconds["copy"], strict=True)]
            rates = {
                "gpugrad": Spread.of([2 * share * x.nbytes / t / 1e9 for t in seconds["gpugrad"]]),
                "copy": Spread.of([2 * x.nbytes / t / 1e9 for t in seconds["copy"]]),
            }
            fraction = Spread.of([1 / t for t in times]).median
            note = f"{work}: {fraction:.2f} of the copy's bandwidth, {count} launch{'es' if count != 1 else ''}"
            label = "gpugrad / copy of as many bytes"
            found.append(Row("bandwidth", work, "GB/s", rates, [Comparison(label, Spread.of(times), LIMIT)], note=note))
    return found


def _functions(
    cupy: Any, x: Any, w: Any, b: Any
) -> list[tuple[str, Callable[..., Any], Callable[..., Any], tuple[Any, ...], float]]:
    """Name, function, the same by CuPy, arguments, and bytes read and written over those that copying x reads and writes."""

    def softmax(x: Any) -> Any:
        e = cupy.exp(x - x.max(1, keepdims=True))
        return e / e.sum(1, keepdims=True)

    def layer_norm(x: Any, w: Any, b: Any) -> Any:
        return (x - x.mean(1, keepdims=True)) / cupy.sqrt(x.var(1, keepdims=True) + 1e-5) * w + b

    return [
        ("a * x + b", gg.fuse(lambda x, a, b: a * x + b), lambda x, a, b: a * x + b, (x, 2.0, 3.0), 1.0),
        ("softmax", gg.fuse(lambda x: functional.softmax(x, 1)), softmax, (x,), 1.0),
        ("layer norm", gg.fuse(lambda x, w, b: functional.layer_norm(x, COLUMNS, w, b)), layer_norm, (x, w, b), 1.0),
        ("sum", gg.fuse(lambda x: gg.sum(x) / x.size), lambda x: x.mean(), (x,), 0.5),
    ]


def _part(result: Any) -> list[float]:
    """The first and the last numbers of a CuPy array."""
    flat = result.reshape(-1)
    return numbers([flat[:64].get(), flat[-64:].get()])


@contextlib.contextmanager
def _counting() -> Iterator[list[Any]]:
    """A list that grows by one with each launch of a kernel that is compiled from here on."""
    module: Any = importlib.import_module("gpugrad.compile.cuda")  # it imports CuPy
    launch = module.launch
    seen: list[Any] = []

    def counted(plan: Any, *arguments: Any) -> None:
        if plan is not None:
            seen.append(None)
        launch(plan, *arguments)

    module.launch = counted
    try:
        yield seen
    finally:
        module.launch = launch
