"""What a call is remembered by: of arrays dtype, shape and strides, of floats nothing, of all else the value.

Only what cannot change has a value in this sense: numbers, text, dtypes, members of enumerations, functions, classes, and tuples
and slices of these. An object with attributes has none, since its hash says nothing of them.
"""

from __future__ import annotations

import enum
import functools
import itertools
from collections.abc import Callable
from types import BuiltinFunctionType, EllipsisType, FunctionType, ModuleType
from typing import Any

import numpy

from gpugrad.arrays.devices import Device
from gpugrad.arrays.dtypes import default_float
from gpugrad.compile.pieces import Pieces
from gpugrad.compile.sizes import Size
from gpugrad.compile.symbols import Symbol

_PLAIN = frozenset({int, bool, str, bytes, type(None), EllipsisType})
_LASTING = (enum.Enum, numpy.dtype, numpy.ufunc, Device, FunctionType, type)
_numbers = itertools.count()

lasting: set[type] = set()
"""More types whose objects are remembered by their identity: a module that defines one adds it."""


class UnkeyedError(TypeError):
    """An argument by which no call can be remembered."""

    def __init__(self, x: Any) -> None:
        super().__init__(f"an argument is of type {type(x).__name__}")
        self.kind = type(x)


def is_array(x: Any) -> bool:
    """Whether this is an array, of any library; dtypes and classes have a shape, too."""
    return hasattr(x, "shape") and hasattr(x, "dtype") and not isinstance(x, (type, numpy.dtype))


@functools.lru_cache(4096)  # bounded: it keeps the types alive
def reader(kinds: tuple[type, ...]) -> Callable[..., tuple[tuple[Any, ...], list[float]]]:
    """Of arguments of these types, what a call is remembered by, and the floats: in a function written for the types, for speed.

    That function raises UnkeyedError.
    """
    key = [str(next(_numbers)), "chosen(default.everywhere)"]  # the number stands for the types
    floats = []
    for i, kind in enumerate(kinds):
        if kind is numpy.ndarray:
            key.append(f"x{i}.dtype, x{i}.shape, x{i}.strides")
        elif kind is Pieces:
            key.append(f"x{i}.dtype, x{i}.shape")
        elif kind is float:
            floats.append(f"x{i}")
        else:
            key.append(f"x{i}" if kind in _PLAIN else f"key_of(x{i})")
    parameters = ", ".join(f"x{i}" for i in range(len(kinds)))
    source = f"lambda {parameters}: (({', '.join(key)},), [{', '.join(floats)}])"
    scope = {"key_of": key_of, "default": default_float, "chosen": default_float.chosen}
    made: Callable[..., tuple[tuple[Any, ...], list[float]]] = eval(source, scope)
    return made


def key_of(x: Any) -> Any:
    """What a call is remembered by, of an argument. Raises UnkeyedError."""
    kind = type(x)
    if kind in _PLAIN:
        return kind, x
    if kind is float or kind is complex:
        return kind, repr(x)  # tells 0.0 from -0.0
    if kind is tuple:
        return kind, *map(key_of, x)
    if kind is slice:
        return kind, key_of(x.start), key_of(x.stop), key_of(x.step)
    if kind is Symbol or kind is Size:  # what is being traced is not remembered
        raise UnkeyedError(x)
    if is_array(x):
        device = getattr(x, "device", None)
        return kind, x.dtype, x.shape, getattr(x, "strides", None), getattr(device, "id", None)
    if isinstance(x, _LASTING) or kind in lasting:
        return kind, x
    if kind is BuiltinFunctionType and (x.__self__ is None or isinstance(x.__self__, ModuleType)):  # else it is a method
        return kind, x
    raise UnkeyedError(x)
