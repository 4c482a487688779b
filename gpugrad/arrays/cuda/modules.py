"""The .cu files beside this module: compiled by NVRTC through CuPy when a kernel is first launched, and what if that fails.

A kernel written by hand is never the only way to compute an op. It returns NotImplemented for what it does not take, and where its
source does not compile, one warning names the compiler's log and the next entry of the op's table computes from then on.
"""

from __future__ import annotations

import functools
import importlib.resources
import logging
import tempfile
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import cupy

from gpugrad.arrays import allocator

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

failures: dict[str, str] = {}
"""What did not compile, "scatter.cu for bfloat16", and where the log of the compiler is."""

_log = logging.getLogger("gpugrad")
_lock = threading.Lock()


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
    found = _function(file, name, dtype, wide, tuple(sorted(constants.items())), cupy.cuda.runtime.getDevice())
    if isinstance(found, str):
        raise CompilationError(found)  # a new one each time: its traceback holds the operands of the call
    return found


@functools.cache
def _function(file: str, name: str, dtype: Any, wide: bool, constants: tuple[tuple[str, int], ...], device: int) -> Any:
    # Per device, since GPUs of one machine may differ in what they can run. Returns the kernel, or what did not compile.
    code = source(file, dtype, wide=wide, **dict(constants))
    try:
        with _lock:  # two threads need not compile the same
            module = cupy.RawModule(code=code, options=OPTIONS)
            module.compile()
        return module.get_function(name)
    except Exception as error:  # CompileException, or whatever a missing or half-installed CUDA raises
        if isinstance(error, MemoryError) or allocator.ran_out(error):  # there may be room the next time
            raise
        what = file if dtype is None else f"{file} for {dtype.name}"
        failures[what] = write_log(Path(file).stem, f"{error}\n\n{code}")
        return what


def write_log(name: str, text: str) -> str:
    """The path of a new file that holds what a compiler said and of what source."""
    with tempfile.NamedTemporaryFile("w", prefix=f"gpugrad-{name}-", suffix=".log", delete=False, encoding="utf-8") as log:
        log.write(text)
    return log.name


def in_front(name: str, kernel: Kernel, otherwise: Kernel) -> Kernel:
    """`kernel`, and `otherwise` for what it returns NotImplemented for, and from the first time on that it does not compile.

    The logger "gpugrad" warns then, once per source and dtype.
    """
    warned: set[str] = set()

    def run(*operands: Any, **options: Any) -> Any:
        try:
            out = kernel(*operands, **options)
        except CompilationError as error:
            what = str(error)
            if what not in warned:
                warned.add(what)
                _log.warning(
                    "gpugrad: %s: the kernel %s could not be compiled, so a slower way is taken; the compiler's log is in %s",
                    name, what, failures[what],
                )  # fmt: skip
            out = NotImplemented
        return otherwise(*operands, **options) if out is NotImplemented else out

    return run


def blocks(count: int, per_block: int, most: int = 1 << 16) -> int:
    """How many blocks cover `count` elements: at least one, and at most what keeps any GPU busy, where kernels walk on by the grid."""
    return max(1, min(-(-count // per_block), most))


def wide(*sizes: int) -> bool:
    """Whether places in arrays of these sizes need 64 bits."""
    return max(sizes, default=0) > NARROW


def aligned(*arrays: Any) -> bool:
    """Whether the arrays are C-contiguous and begin at a multiple of 16 bytes, as 16-byte loads need."""
    return all(x.flags.c_contiguous and x.data.ptr % 16 == 0 for x in arrays)
