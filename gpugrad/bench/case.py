"""What is compared: work of a growing size that every device can prepare for itself."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy

from gpugrad.arrays.devices import Device, move, to_numpy
from gpugrad.bench.method import numbers


@dataclass(frozen=True)
class Work:
    """A case on a device, prepared: `step` does the work once, `numbers` tells what has to be the same on every device.

    `numbers` is called before any step is timed, and does the work itself where it has to be done first. `step` does not wait for
    a GPU, unless waiting is its work.
    """

    step: Callable[[], Any]
    numbers: Callable[[], list[float]]

    @classmethod
    def of(cls, step: Callable[[], Any]) -> Work:
        """Work whose result, a raw array, has to be the same."""
        return cls(step, lambda: numbers(to_numpy(step())))


@dataclass(frozen=True)
class Case:
    """Work of several sizes. `prepare` makes its operands, the same on every device, and puts them there.

    :param work: a line on what is done, and to what.
    :param grows: what a size counts: "elements".
    :param sizes: from small to large.
    :param quick: those of them that are measured when there is little time, what matters most first.
    :param reserve: the seconds that the first of these needs, with what is compiled for it.
    :param label: a size as the table shows it.
    :param tolerance: how far the numbers of two devices may be apart, for numbers of about 1, and relative to larger ones.
    :param devices: the types of devices that have this work.
    :param moved: the bytes that a step of a size moves, for what is better told as a rate.
    """

    name: str
    work: str
    grows: str
    sizes: Sequence[int]
    quick: Sequence[int]
    prepare: Callable[[int, Device], Work]
    label: Callable[[int], str] = "{:,}".format
    reserve: float = 0.4
    tolerance: float = 1e-4
    devices: Sequence[str] = ("cpu", "cuda")
    moved: Callable[[int], int] | None = None


def uniform(*shapes: tuple[int, ...]) -> list[Any]:
    """NumPy arrays of these shapes, float32, uniform in [0, 1); the same in every call."""
    rng = numpy.random.default_rng(0)
    return [rng.random(shape, dtype=numpy.float32) for shape in shapes]


def there(arrays: Sequence[Any], device: Device) -> list[Any]:
    """NumPy arrays on a device, raw; arrays of their own, also on the CPU."""
    return [move(array, device) for array in arrays]
