"""Kernels on CuPy arrays: CUDA C++, built by NVRTC, run on the current device and stream. Imported with the first CuPy array.

CuPy keeps what was built, per process and on disk. A launch goes straight to the loaded function: what it takes beside the arrays
was computed when the sizes were bound.
"""

from __future__ import annotations

import logging
import math
import threading
from collections.abc import Callable
from typing import Any, NamedTuple

import cupy

from gpugrad.arrays import allocator
from gpugrad.arrays import cupy as cupy_backend
from gpugrad.arrays.cuda import modules, transpose
from gpugrad.arrays.dtypes import DType
from gpugrad.compile import cuda_source, launches
from gpugrad.compile.cuda_source import Function, Source
from gpugrad.compile.graph import Node
from gpugrad.compile.launches import Launch, Work
from gpugrad.compile.schedule import Kernel
from gpugrad.compile.sizes import evaluator

_log = logging.getLogger("gpugrad")

beside = False  # a full reduction has few blocks of threads, a map as many as there is work for
empty = cupy.empty


class Plan(NamedTuple):
    """A launch of a function, ready but for the arrays and scalars."""

    kernel: Any  # a cupy.RawKernel: its function on the current device is looked up by CuPy
    grid: tuple[int, int]
    block: tuple[int, int]
    arrays: int
    integers: tuple[int, ...]


def generate(kernel: Kernel, name: str, stored: set[int], strided: set[int]) -> Source:
    return cuda_source.generate(kernel, name, stored, strided)


def launch(plan: Plan | None, *arguments: Any) -> None:
    """Run a function on arrays, then scalars."""
    if plan is not None:
        kernel, grid, block, arrays, integers = plan
        kernel.kernel(grid, block, arguments[:arrays] + integers + arguments[arrays:])


def placed(run: Callable[..., Any]) -> Callable[..., Any]:
    """`run`, on the device of its first argument: CuPy computes on its current device. On a machine with one GPU, `run`."""
    if cupy.cuda.runtime.getDeviceCount() < 2:
        return run

    def on_device(first: Any, *rest: Any) -> Any:
        with first.device:
            return run(first, *rest)

    return on_device


class Library:
    """The functions of one source, built for the current device. Places are of 32 bits until an array needs 64.

    `launch` is None where the source does not compile, which is said once, with the compiler's log.
    """

    def __init__(self, source: str, name: str) -> None:
        self.source = source
        self.launch: Callable[..., None] | None = launch
        self._modules: dict[bool, Any] = {}
        self._lock = threading.Lock()
        try:
            self._module(False).compile()
        except Exception as error:  # CompileException, or whatever a missing or half-installed NVRTC raises
            if isinstance(error, MemoryError) or allocator.ran_out(error):
                raise
            log = modules.failed(
                f"the fused function {name}", name, f"{error}\n\n{cuda_source.translation_unit(source, False)}"
            )
            message = "its kernels could not be compiled, so the plain definition runs; the compiler's log is in"
            _log.warning("gpugrad: %s: %s %s", name, message, log)
            self.launch = None

    def _module(self, wide: bool) -> Any:
        with self._lock:
            if wide not in self._modules:
                code = cuda_source.translation_unit(self.source, wide)
                self._modules[wide] = cupy.RawModule(code=code, options=modules.OPTIONS)
            return self._modules[wide]

    def binder(self, function: Function) -> Callable[[tuple[int, ...], dict[int, tuple[int, ...]]], Plan | None]:
        """A function from the values of the sizes and strides to a plan; to None if there is nothing to run."""
        nodes = [a for a in function.arrays if isinstance(a, Node)]
        evaluate = evaluator([n for node in nodes for n in node.shape])
        launch_of = _launcher(function.work)
        loops = evaluator([function.work.rows, function.work.width, function.work.extent])

        def bind(sizes: tuple[int, ...], strides: dict[int, tuple[int, ...]]) -> Plan | None:
            found = launch_of(sizes)
            rows, width, extent = loops(sizes)
            integers = [sizes[v] for v in function.sizes] + [strides[number][axis] for number, axis in function.strides]
            if function.final:
                if found.parts == 1:
                    return None
                integers.append(found.parts)
                found = launches.finish(rows * width, found.parts)
            # Loops may go over more places than any array has, which random bits count: sums of arrays of (n, 1) and (1, n), say.
            wide = modules.wide(rows * width * extent) or _wide(nodes, evaluate(sizes), strides)
            kernel = self._module(wide).get_function(function.name)
            return Plan(kernel, found.grid, found.block, len(function.arrays), tuple(integers))

        return bind


def _launcher(work: Work) -> Callable[[tuple[int, ...]], Launch]:
    """A function from the values of the sizes to the launch."""
    evaluate = evaluator([work.rows, work.width, work.extent])

    def launch_of(sizes: tuple[int, ...]) -> Launch:
        rows, width, extent = evaluate(sizes)
        return launches.launch(work.form, rows, width, extent, work.vector, work.split)

    return launch_of


def _wide(nodes: list[Node], sizes: tuple[int, ...], strides: dict[int, tuple[int, ...]]) -> bool:
    """Whether a place in one of the arrays may not fit 32 bits. `sizes` holds the axes of all, one after the other."""
    start = 0
    for node in nodes:
        shape = sizes[start : start + len(node.shape)]
        start += len(node.shape)
        reach = sum((n - 1) * abs(s) for n, s in zip(shape, strides.get(node.number, ()), strict=False))
        if modules.wide(math.prod(shape), reach):
            return True
    return False


def count(work: Work) -> Callable[[tuple[int, ...]], int]:
    """A function from the values of the sizes to the number of parts: none if nothing is split."""
    launch_of, places = _launcher(work), evaluator([work.rows, work.width])

    def evaluated(sizes: tuple[int, ...]) -> int:
        parts = launch_of(sizes).parts
        return parts * math.prod(places(sizes)) if parts > 1 else 0

    return evaluated


def function(name: str) -> Callable[..., Any] | None:
    """The CuPy function behind a call between kernels."""
    return cupy_backend.kernel(name, True, None)  # type: ignore[arg-type]


def supported(dtype: DType) -> bool:
    return (dtype.kind in "biuf" and dtype.itemsize <= 8) or dtype.name == "bfloat16"


def as_contiguous(array: Any) -> Any:
    return transpose.contiguous(array)


def uploaded(array: Any) -> Any:
    """A NumPy array where kernels can read it."""
    return cupy.asarray(array)  # through page-locked memory: nothing waits for the GPU
