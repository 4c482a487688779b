"""The checks of kernels written by hand, and of cuDNN's: each, in every dtype that it takes, against the op's record in float64."""

from __future__ import annotations

import contextlib
import importlib
import itertools
from collections.abc import Iterator
from typing import Any

import numpy

from gpugrad.check.agreement import apart
from gpugrad.check.backend import NUMPY, Backend
from gpugrad.check.large import LARGE
from gpugrad.check.records import CASES
from gpugrad.check.records.case import examples
from gpugrad.check.result import Check, Measured, SkipError
from gpugrad.compile.keys import is_array
from gpugrad.families import TABLES
from gpugrad.modes import (
    are_deterministic_algorithms_enabled,
    is_deterministic_algorithms_warn_only_enabled,
    use_deterministic_algorithms,
)
from gpugrad.trees import leaves, map_leaves

TOLERANCES = {"float64": 1e-11, "float32": 2e-5, "float16": 4e-3, "bfloat16": 3e-2}
"""By dtype, relative and absolute: some units in the last place of what is stored, since sums are formed in float32."""


def checks(backend: Backend) -> Iterator[Check]:
    """A check for each kernel and dtype; none on the CPU, where there are none."""
    if backend is NUMPY:
        return
    for name in sorted(_kernels()):
        for precision in filter(known, TOLERANCES):
            yield Check("kernel", f"{name} {precision}", lambda b, name=name, p=precision: _kernel(name, p, b))  # type: ignore[misc]


def _kernels() -> dict[str, Any]:
    """Those written by hand, and cuDNN's: by the name of the op."""
    table = importlib.import_module("gpugrad.arrays.cupy")  # it imports CuPy, which is there if the backend is
    return {**table.HAND_WRITTEN, **table.CUDNN}


def _ask_for_cudnn(name: str) -> None:
    """Raises SkipError for an op of cuDNN's where that is not used."""
    found = importlib.import_module("gpugrad.arrays.cuda.cudnn").library()
    if name in importlib.import_module("gpugrad.arrays.cupy").CUDNN and found.module is None:
        raise SkipError(f"cuDNN is not used: {found.reason}")


def known(precision: str) -> bool:
    """Whether NumPy has this dtype: bfloat16 only once ml_dtypes is loaded, which CuPy does where it is installed."""
    try:
        numpy.dtype(precision)
    except TypeError:
        return False
    return True


def _kernel(name: str, precision: str, backend: Backend) -> Measured:
    """The examples of the op of which the kernel takes any operands. Raises CompilationError where its source does not compile."""
    _ask_for_cudnn(name)
    chosen = examples([case for case in (*CASES, *LARGE) if case.name == name], complex=False)
    for example, turned, deterministic in itertools.product(chosen, (False, True), (False, True)):
        arguments = example.arguments(precision, backend)
        if turned:
            arguments = map_leaves(lambda x: swapped(x, backend) if is_array(x) and x.ndim > 1 else x, arguments)
        with _watched(name, backend) as taken, _reproducible(deterministic):
            out = leaves(example.run(*arguments))
        if not any(taken):
            continue
        *args, options = map_leaves(_double, example.arguments(precision))
        expected = leaves(example.case.reference(*args, **options))
        assert len(out) == len(expected), f"{example.id}: {len(out)} results, expected {len(expected)}"
        for x, y in zip(out, expected, strict=True):
            assert tuple(x.shape) == y.shape, f"{example.id}: the shape is {tuple(x.shape)}, expected {y.shape}"
            tolerance = TOLERANCES[precision]
            what = f"{example.id} in {precision}{', transposed' * turned}{', deterministic' * deterministic}"
            yield what, apart(backend.to_numpy(x), y, tolerance, tolerance)


@contextlib.contextmanager
def _reproducible(on: bool) -> Iterator[None]:
    """Deterministic algorithms are on or off meanwhile; what has none computes all the same."""
    before = are_deterministic_algorithms_enabled(), is_deterministic_algorithms_warn_only_enabled()
    use_deterministic_algorithms(on, warn_only=True)
    try:
        yield
    finally:
        use_deterministic_algorithms(before[0], warn_only=before[1])


def swapped(x: Any, backend: Backend) -> Any:
    """The same array, its last two axes in memory in the other order."""
    return backend.asarray(numpy.ascontiguousarray(backend.to_numpy(x).swapaxes(-1, -2))).swapaxes(-1, -2)


def _double(x: Any) -> Any:
    """What a kernel reads, as exact as the reference computes: records give floats of the precision that is checked."""
    return x.astype(numpy.float64) if is_array(x) and x.dtype.name in TOLERANCES else x


@contextlib.contextmanager
def _watched(name: str, backend: Backend) -> Iterator[list[bool]]:
    """The op calls its hand-written kernel meanwhile, whatever else stands in front of it; for each call, whether that took it."""
    kernel = _kernels()[name]
    table = TABLES[name]
    kind = type(backend.asarray(0.0))
    before = table[kind]
    taken: list[bool] = []

    def watched(*operands: Any, **options: Any) -> Any:
        out = kernel(*operands, **options)
        taken.append(out is not NotImplemented)
        return out if taken[-1] else before(*operands, **options)

    table[kind] = watched
    table.combined.clear()  # which remembers what it found in the table
    try:
        yield taken
    finally:
        table[kind] = before
        table.combined.clear()
