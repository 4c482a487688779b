"""Random bits as an expression of a state: computed where they are needed, as often as they are needed, and never stored.

A state (``arrays/random.py``) stands for the numbers of a stream from one place on, in 48 bytes. What a backward pass needs of the
random numbers of the forward pass is their state alone. In a kernel they are one more elementwise value.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

from array_api_compat import array_namespace

from gpugrad.arrays import random as raw_random
from gpugrad.arrays.devices import Device, device_of, import_cupy
from gpugrad.arrays.kernels import Kernels, is_cupy
from gpugrad.families import primitive
from gpugrad.modes import random_log, random_states
from gpugrad.ops.elementwise import round as round_


@contextmanager
def given_states(states: Sequence[Any]) -> Iterator[None]:
    """Make :func:`random_state` return these, one after the other: for a function that must draw what it drew before."""
    token = random_states.set(iter(states))
    try:
        yield
    finally:
        random_states.reset(token)


def random_state(x: Any, take: Callable[[int], Any], width: int) -> Any:
    """The state for as many integers of `width` bits as a raw array x has elements, where kernels on x can read it.

    `take` passes over a number of words of a generator's stream and returns the state where they begin. While a function is
    traced that is not done but noted: every call of the traced function takes a state of its own.
    """

    def given_or_taken(words: int) -> Any:
        given = random_states.get()
        return take(words) if given is None else next(given)

    given = random_states.get()
    state = _states[type(x)](x, given_or_taken, width) if given is None else next(given)
    log = random_log.get()
    if log is not None and (given is not None or hasattr(state, "trace")):  # no generator tells the checkpoint
        log.setdefault(_REPLAY, []).append(state)
    return state


class _Replay:
    """What a checkpoint restores, as it does generators: the states to use again."""

    def get_state(self) -> Iterator[Any] | None:
        return random_states.get()

    def set_state(self, states: Sequence[Any] | Iterator[Any] | None, /) -> None:
        random_states.set(None if states is None else iter(states))


_REPLAY = _Replay()


def _random_state(x: Any, take: Callable[[int], Any], width: int) -> Any:
    state = take(raw_random.words_of(math.prod(x.shape), width))
    if not is_cupy(type(x)):
        return state
    with device_of(x):
        return import_cupy().asarray(state)  # 48 bytes through page-locked memory: nothing waits for the GPU


_states = Kernels("random_state", _random_state, False)


@primitive(x=None)
def bernoulli_mask(x: Any, state: Any, threshold: float, width: int, /) -> Any:
    """Booleans of the shape of x: whether each of the integers of `width` bits at `state` is below `threshold`.

    `threshold` is a whole number from 0 to ``2**width - 1``, `width` 32 or 64, `state` what :func:`random_state` returned for x.
    Not differentiable: the result is a constant.
    """
    mask = raw_random.below(state, tuple(x.shape), threshold, width)
    device = device_of(x)
    # Another library's array: computed on the CPU, and handed over.
    return mask if isinstance(device, Device) else array_namespace(x).asarray(mask, device=device)


def bernoulli_threshold(p: Any) -> tuple[Any, int]:
    """Threshold and width with which :func:`bernoulli_mask` is True with probability p, as ``gg.random.bernoulli``; 0 <= p < 1."""
    width = 32 if min(p, 1 - p) >= 2**-12 else 64
    scaled = p * 2.0**width
    return float(round(scaled)) if type(scaled) is float else round_(scaled), width
