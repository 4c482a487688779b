"""What an op does besides computing: record, look for nan, give the same bits in every run, which dtype and device to create with.

All of it lives in context variables, so threads and async tasks do not disturb each other.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator
from contextlib import ContextDecorator
from contextvars import ContextVar, Token
from types import TracebackType
from typing import Any, TypeVar, overload

from gpugrad.errors import DeterminismError, DTypeError, OptionError

F = TypeVar("F", bound=Callable[..., Any])
_log = logging.getLogger("gpugrad")

RECORD = 1
AUTOCAST = 2
DEBUG = 4

# One integer of flags, read once by every op.
_flags: ContextVar[int] = ContextVar("gpugrad_flags", default=RECORD)
flags: Callable[[], int] = _flags.get


# What the flags were before each `with` block that is open in this context: (the blocks around it, flags), innermost first.
_before: ContextVar[tuple[Any, ...]] = ContextVar("gpugrad_flags_before", default=())


class Mode(ContextDecorator):
    """A context manager and decorator that changes the flags; one object can be entered repeatedly, nested, and by many threads."""

    def __init__(self, on: int = 0, off: int = 0) -> None:
        self._on = on
        self._off = off

    def _recreate_cm(self) -> Mode:  # a decorated function gets a fresh one for each call: recursion, threads
        return Mode(self._on, self._off)

    def __enter__(self) -> Mode:
        before = flags()
        _before.set((_before.get(), before))
        _flags.set(self._changed(before))
        return self

    def _changed(self, before: int) -> int:
        return (before | self._on) & ~self._off

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        outer, before = _before.get()
        _before.set(outer)
        _flags.set(before)


# The last Switch made in this context that is not in a `with` block as yet, the flags before it, and the blocks around it.
_switched: ContextVar[tuple[Any, int, Any]] = ContextVar("gpugrad_switched", default=(None, 0, None))


class Switch(Mode):
    """A mode that takes effect when it is made; as a context manager or decorator it restores what was before that."""

    def __init__(self, on: int = 0, off: int = 0) -> None:
        super().__init__(on, off)
        before = flags()
        _switched.set((self, before, _before.get()))
        _flags.set(self._changed(before))

    def _undo(self) -> None:
        made, before, blocks = _switched.get()
        if made is self and blocks is _before.get():  # else it was made in another context, or other switches came after it
            _switched.set((None, 0, None))
            _flags.set(before)

    def __enter__(self) -> Mode:
        self._undo()
        return super().__enter__()

    def __call__(self, function: F) -> F:
        self._undo()
        return super().__call__(function)


def start(record: bool) -> Token[int]:
    """:func:`enable_grad` or :func:`no_grad` until :func:`stop`, without autocast, for the sweep: quicker than a context manager."""
    mode = flags() & ~AUTOCAST
    return _flags.set(mode | RECORD if record else mode & ~RECORD)


def stop(token: Token[int]) -> None:
    """Back to what was before the :func:`start` that returned `token`."""
    _flags.reset(token)


@overload
def no_grad() -> Mode: ...
@overload
def no_grad(function: F, /) -> F: ...
def no_grad(function: Any = None, /) -> Any:
    """Record nothing inside: no graph, no saved arrays.

    A context manager, ``with gg.no_grad():``, and a decorator, with or without parentheses.
    """
    return _with_or_of(Mode(off=RECORD), function, "no_grad")


@overload
def enable_grad() -> Mode: ...
@overload
def enable_grad(function: F, /) -> F: ...
def enable_grad(function: Any = None, /) -> Any:
    """Record again inside a :func:`no_grad` block. A context manager and a decorator, with or without parentheses."""
    return _with_or_of(Mode(on=RECORD), function, "enable_grad")


def _with_or_of(mode: Mode, function: Any, name: str) -> Any:
    """The mode itself, or `function` decorated with it."""
    if function is None:
        return mode
    if not callable(function):
        raise DTypeError(f"{name}: got {type(function).__name__}, expected a function to decorate, or nothing")
    return mode(function)


def autocasting() -> Mode:
    """Let ops cast their operands as ``mixed_precision.py`` says."""
    return Mode(on=AUTOCAST)


def not_autocasting() -> Mode:
    """Compute in the dtypes that operands have: inside what is one op for autocast."""
    return Mode(off=AUTOCAST)


def set_grad_enabled(mode: bool, /) -> Switch:
    """Record from here on, or no longer, in this thread or task.

    As a statement it stays; as a context manager or decorator it ends with the block and restores what was before.
    """
    return Switch(on=RECORD) if mode else Switch(off=RECORD)


def is_grad_enabled() -> bool:
    """Whether ops record at this point."""
    return bool(flags() & RECORD)


def debug(mode: bool = True, /) -> Mode:
    """Stop at the first nan or inf that an op produces from finite inputs, in the forward pass or in the backward pass.

    The :class:`~gpugrad.errors.AnomalyError` names the op and the line of user code that called it. Every op then reads
    its results back, which waits for the GPU: for finding faults, not for training. A context manager and a decorator.
    """
    return Mode(on=DEBUG) if mode else Mode(off=DEBUG)


class Default:
    """A default that can be set for good (`set_everywhere`) or for a block (`push` and `pop`), one value per context.

    ``default.chosen(default.everywhere)`` is what :meth:`get` returns, without a call in Python.
    """

    def __init__(self, name: str, initial: Any) -> None:
        self._variable: ContextVar[Any] = ContextVar(name)
        self.everywhere = initial
        self.chosen = self._variable.get

    def get(self) -> Any:
        return self.chosen(self.everywhere)

    def set_everywhere(self, value: Any) -> None:
        """For this context and for every context that has not chosen its own (new threads, for instance)."""
        self.everywhere = value
        self._variable.set(value)

    def push(self, value: Any) -> Token[Any]:
        return self._variable.set(value)

    def pop(self, token: Token[Any]) -> None:
        self._variable.reset(token)


_deterministic = Default("gpugrad_deterministic", (False, False))  # whether, and whether to warn only


def use_deterministic_algorithms(mode: bool, *, warn_only: bool = False) -> None:
    """Whether ops must give the same bits in every run on the same machine; off at first, as it costs time.

    On the CPU they always do. On a GPU the gradient of indexing with integer arrays (``take``, ``x[indices]``, ``embedding``) adds
    atomically, in an order that changes from run to run; with `mode` it sorts the indices first. Where a GPU has no deterministic
    way, the op raises DeterminismError, or with `warn_only` the logger "gpugrad" warns. Raises DTypeError for what is no bool.
    """
    if not (isinstance(mode, bool) and isinstance(warn_only, bool)):
        raise DTypeError(
            f"use_deterministic_algorithms: got {mode!r} and warn_only={warn_only!r}, expected True or False for both"
        )
    _deterministic.set_everywhere((mode, warn_only))


def are_deterministic_algorithms_enabled() -> bool:
    """Whether :func:`use_deterministic_algorithms` is on."""
    return bool(_deterministic.get()[0])


def is_deterministic_algorithms_warn_only_enabled() -> bool:
    """Whether :func:`use_deterministic_algorithms` is on and only warns."""
    return all(_deterministic.get())


def refuse_nondeterministic(op: str) -> None:
    """Raise DeterminismError, or warn, if deterministic algorithms are asked for: before `op` computes in another way."""
    if not are_deterministic_algorithms_enabled():
        return
    message = f"{op}: there is no deterministic way to compute it here, and use_deterministic_algorithms(True) asks for one"
    if not is_deterministic_algorithms_warn_only_enabled():
        raise DeterminismError(f"{message}; with warn_only=True it is computed all the same")
    _log.warning("gpugrad: %s", message)


_float32_matmul_precision = Default("gpugrad_float32_matmul_precision", "highest")


def get_float32_matmul_precision() -> str:
    """How exact products of float32 matrices are on CUDA GPUs: "highest" or "high"."""
    return str(_float32_matmul_precision.get())


def set_float32_matmul_precision(precision: str, /) -> None:
    """How exact products of float32 and complex64 matrices are on CUDA GPUs, from here on and in new threads.

    "highest", as at the start: all 24 bits of the operands. "high": tensor cores round them to TF32, 11 bits, for speed; sums remain in
    float32. On the CPU it changes nothing. Raises OptionError for anything else.
    Source: https://docs.pytorch.org/docs/stable/generated/torch.set_float32_matmul_precision.html
    """
    if precision not in ("highest", "high"):
        raise OptionError(f"set_float32_matmul_precision: got {precision!r}, expected 'highest' or 'high'")
    _float32_matmul_precision.set_everywhere(precision)


random_states: ContextVar[Iterator[Any] | None] = ContextVar("gpugrad_random_states", default=None)
"""Where a function must draw what it drew before: the states to use, in order, in place of new ones. See ``ops/random_bits.py``."""

random_log: ContextVar[dict[Any, Any] | None] = ContextVar("gpugrad_random_log", default=None)
"""While a checkpoint runs its function: the state in which each random generator was first used, to be restored later."""

recomputing: ContextVar[bool] = ContextVar("gpugrad_recomputing", default=False)
"""While a checkpoint computes its function again: what each call moves on, such as running statistics, stays where it is."""
