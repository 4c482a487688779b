"""The .cu files beside this module: compiled by NVRTC through CuPy when a kernel is first launched, and what if that fails.

A kernel written by hand is never the only way to compute an op. It returns NotImplemented for what it does not take, and where its
source does not compile, one warning names the compiler's log and the next entry of the op's table computes from then on.
"""

from __future__ import annotations

import contextlib
import functools
import importlib.resources
import logging
import tempfile
import threading
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import cupy
import numpy

from gpugrad.arrays import allocator
from gpugrad.arrays.devices import INSTALL
from gpugrad.errors import GpugradError, LibraryError

Kernel = Callable[..., Any]

OPTIONS = ("--std=c++17",)
NARROW = 2**30
"""Elements of an array up to which places are computed in 32 bits, with room for a step beyond the end."""

_TYPES = {
    "float16": ("__half", "float", "#include <cuda_fp16.h>\n"),
    "bfloat16": ("__nv_bfloat16", "float", "#include <cuda_bf16.h>\n"),
    "float32": ("float", "float", ""),
    "float64": ("double", "double", ""),
}
DTYPES = frozenset(_TYPES)
"""The names of the dtypes that kernels are compiled for."""

_BUILDS: dict[str, tuple[Sequence[str | None], dict[str, int]]] = {
    "philox.cu": ((None, "float16", "float32", "float64"), {}),
    "scatter.cu": (sorted(_TYPES), {}),
    "transpose.cu": ((None,), {"BYTES": 4, "GROUP": 1}),
    "windows.cu": (sorted(_TYPES), {"AXES": 2}),
}
"""Of each source the dtypes that it is compiled for, and constants with which it compiles, for :func:`compile_all`."""

failures: dict[str, str] = {}
"""What did not compile, "scatter.cu for bfloat16" or the name of a fused function, and where the compiler's first log of it is."""

_log = logging.getLogger("gpugrad")
_lock = threading.Lock()
_modules: dict[Any, Any] = {}  # by what a source was made of, and the device: what was compiled, or the name of what was not
_warned: set[str] = set()


class CompilationError(Exception):
    """A source does not compile here: no NVRTC, no headers for 16-bit numbers, or an unknown GPU."""


def source(file: str, dtype: Any = None, *, wide: bool = False, **constants: int) -> str:
    """The text of a .cu file for a dtype, behind common.h; `constants` become macros."""
    lines = []
    if dtype is not None:
        name, total, include = _TYPES[dtype.name]
        lines += [include, f"#define T {name}\n#define A {total}\n"]
    lines += ["#define WIDE\n"] if wide else []
    lines += [f"#define {name} {value}\n" for name, value in sorted(constants.items())]
    folder = importlib.resources.files(__package__)
    return "".join([*lines, *(folder.joinpath(name).read_text(encoding="utf-8") for name in ("common.h", file))])


def function(file: str, name: str, dtype: Any = None, *, wide: bool = False, **constants: int) -> Any:
    """The kernel `name` of a .cu file for a dtype, on the current device: ``function(...)(grid, block, arguments)``.

    CuPy keeps what it compiled, on disk too. Raises CompilationError if it does not compile; it is tried once.
    """
    found = _function(name, file, dtype, wide, tuple(sorted(constants.items())), cupy.cuda.runtime.getDevice())
    if isinstance(found, str):
        raise CompilationError(found)  # a new one each time: its traceback holds the operands of the call
    return found


@functools.cache
def _function(name: str, *place: Any) -> Any:
    # Per device, since GPUs of one machine may differ in what they can run. Returns the kernel, or what did not compile.
    module = _module(*place)
    return module if isinstance(module, str) else module.get_function(name)


def _module(*place: Any) -> Any:
    """All functions of a source on a device, or what did not compile."""
    with _lock:  # two threads need not compile the same
        if place not in _modules:
            _modules[place] = _compiled(*place[:-1])
        return _modules[place]


def _compiled(file: str, dtype: Any, wide: bool, constants: tuple[tuple[str, int], ...]) -> Any:
    code = source(file, dtype, wide=wide, **dict(constants))
    try:
        module = cupy.RawModule(code=code, options=OPTIONS)
        module.compile()
        return module
    except Exception as error:  # CompileException, or whatever a missing or half-installed CUDA raises
        if isinstance(error, MemoryError) or allocator.ran_out(error):  # there may be room the next time
            raise
        what = _title(file, dtype)
        if what not in failures:  # with other constants, or on another device: the first log says enough
            failed(what, Path(file).stem, f"{error}\n\n{code}")
        return what


def _title(file: str, dtype: Any) -> str:
    return file if dtype is None else f"{file} for {dtype.name}"


def failed(what: str, name: str, text: str) -> str:
    """Remember what did not compile. The path of a new file that holds what the compiler said and of what source."""
    with tempfile.NamedTemporaryFile("w", prefix=f"gpugrad-{name}-", suffix=".log", delete=False, encoding="utf-8") as log:
        log.write(text)
    failures.setdefault(what, log.name)
    return log.name


def compile_all() -> Iterator[tuple[str, bool]]:
    """Every source for every dtype, "scatter.cu for bfloat16", and whether it compiles on the current device.

    NumPy knows bfloat16 only where ml_dtypes is loaded, which CuPy does where it is installed.
    """
    for file, (names, constants) in _BUILDS.items():
        for name in names:
            try:
                dtype = name and numpy.dtype(name)
            except TypeError:
                continue
            found = _module(file, dtype, False, tuple(sorted(constants.items())), cupy.cuda.runtime.getDevice())
            yield _title(file, dtype), not isinstance(found, str)


def in_front(name: str, kernel: Kernel, otherwise: Kernel) -> Kernel:
    """`kernel`, and `otherwise` for what it returns NotImplemented for, and from the first time on that it does not compile.

    The logger "gpugrad" warns then, once per source and dtype, whichever of its kernels was asked for. Raises LibraryError if
    `otherwise` cannot run either because CuPy can compile nothing at all.
    """

    def run(*operands: Any, **options: Any) -> Any:
        try:
            out = kernel(*operands, **options)
        except CompilationError as error:
            _warn(name, str(error))
        else:
            return otherwise(*operands, **options) if out is NotImplemented else out
        with compiling(name):
            return otherwise(*operands, **options)

    return run


def _warn(name: str, what: str) -> None:
    if what not in _warned:
        _warned.add(what)
        _log.warning(
            "gpugrad: %s: the kernels of %s could not be compiled, so slower ways are taken; the compiler's log is in %s",
            name, what, failures[what],
        )  # fmt: skip


@contextlib.contextmanager
def compiling(name: str) -> Iterator[None]:
    """Within it, what CuPy raises where it can compile no kernel at all, its own neither, becomes LibraryError."""
    try:
        yield
    except (GpugradError, MemoryError):
        raise
    except Exception as error:
        if not allocator.ran_out(error) and (problem := _problem()):
            raise LibraryError(
                f"{name}: CuPy can compile no kernel here, so it computes nothing on the GPU ({problem}); NVIDIA's runtime compiler, "
                f"NVRTC, is missing or broken; install it with: {INSTALL}"
            ) from error
        raise


def _problem() -> str:
    """Why CuPy cannot compile a kernel that does nothing; empty if it can."""
    try:
        cupy.RawModule(code='extern "C" __global__ void nothing() {}', options=OPTIONS).compile()
    except Exception as error:  # AssertionError without the library, NVRTCError, CompileException
        return " ".join(str(error).split()) or type(error).__name__
    return ""


def blocks(count: int, per_block: int, most: int = 1 << 16) -> int:
    """How many blocks cover `count` elements: at least one, and at most what keeps any GPU busy, where kernels walk on by the grid."""
    return max(1, min(-(-count // per_block), most))


def wide(*sizes: int) -> bool:
    """Whether places in arrays of these sizes need 64 bits."""
    return max(sizes, default=0) > NARROW


def aligned(*arrays: Any) -> bool:
    """Whether the arrays are C-contiguous and begin at a multiple of 16 bytes, as 16-byte loads need."""
    return all(x.flags.c_contiguous and x.data.ptr % 16 == 0 for x in arrays)
