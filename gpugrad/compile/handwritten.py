"""Kernels written by hand: C beside a module of the same name, for elements of type T.

I is the type of integers of the same size, S the suffix of the functions of maths.h for T.
"""

from __future__ import annotations

import ctypes
import functools
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy

from gpugrad.compile import build
from gpugrad.compile.runtime import launcher

_TYPES = {"f": ("float", "int32_t", "f32"), "d": ("double", "int64_t", "f64")}  # by dtype.char


@functools.cache
def handwritten(module: str, kind: str, names: tuple[str, ...]) -> tuple[Callable[..., None], dict[str, int]] | None:
    """The launcher, and the addresses of the kernels of a module for a dtype; None where there is no compiler.

    :param module: the path of the module, whose kernels are in the file that ends in .c.
    :param kind: the character of the dtype, which :func:`suits` lets pass.
    """
    path, (element, integer, suffix) = Path(module).with_suffix(".c"), _TYPES[kind]
    source = f"#define T {element}\n#define I {integer}\n#define S {suffix}\n{path.read_text(encoding='utf-8')}"
    library = build.load(source, f"{path.stem}_{element}")
    launch = launcher() if library is not None else None
    if library is None or launch is None:
        return None
    return launch, {name: ctypes.cast(getattr(library, name), ctypes.c_void_p).value or 0 for name in names}


def suits(*arrays: Any) -> bool:
    """Whether these are NumPy's arrays of one dtype for which there are kernels."""
    dtype = arrays[0].dtype
    if dtype.char not in _TYPES or not dtype.isnative:
        return False
    for x in arrays:  # noqa: SIM110  all() of a generator has a call for each
        if type(x) is not numpy.ndarray or x.dtype != dtype:
            return False
    return True


_EXCEPTIONS = ("divide", "over", "under", "invalid")  # as numpy.geterr has them, in the order of the bits in exceptions.h


def to_be_told(exceptions: int) -> bool:
    """Whether NumPy, as it is set, warns of one of these exceptions of floating-point arithmetic, or raises it: it has to compute again."""
    handling: Any = numpy.geterr() if exceptions else {}
    return any(exceptions & 1 << i and handling[kind] != "ignore" for i, kind in enumerate(_EXCEPTIONS))
