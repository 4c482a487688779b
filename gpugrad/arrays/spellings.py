"""What the NumPy and the CuPy backend share: a table of kernels by the name of the op, and those that are methods in both."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

Kernel = Callable[..., Any]


def registrar(table: dict[str, Kernel]) -> Callable[[str], Callable[[Kernel], Kernel]]:
    """A decorator ``@spells(name)`` that enters a kernel into `table`."""

    def spells(name: str) -> Callable[[Kernel], Kernel]:
        def register(kernel: Kernel) -> Kernel:
            table[name] = kernel
            return kernel

        return register

    return spells


METHODS: dict[str, Kernel] = {}
"""Kernels that are spelled alike for numpy.ndarray and cupy.ndarray."""

_spells = registrar(METHODS)


@_spells("squeeze")
def _squeeze(x: Any, /, axis: Any) -> Any:
    return x.squeeze(axis)


@_spells("astype")
def _astype(x: Any, dtype: Any, /, *, copy: bool = True) -> Any:
    return x.astype(dtype, copy=copy)


@_spells("copy")
def _copy(x: Any, /) -> Any:
    return x.copy()


@_spells("getitem")
def _getitem(x: Any, /, key: Any) -> Any:
    return x[key]
