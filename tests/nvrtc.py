"""CUDA C++ to GPU code on a machine without a GPU: NVIDIA's runtime compiler (NVRTC) from packages on PyPI.

It answers whether the source of a kernel compiles, with the options that CuPy passes and for GPUs that nobody here has. What
the kernel computes is for the stand-in of tests/standin to find out, how fast it is for a GPU.
"""

from __future__ import annotations

import functools
import importlib
from pathlib import Path
from types import ModuleType

ARCHITECTURES = ("sm_80", "sm_90", "sm_120")  # A100; H100 and H200; consumer Blackwell
PACKAGES = ("cuda-core", "cuda-bindings", "nvidia-cuda-nvrtc", "nvidia-cuda-runtime")
MISSING = f"NVRTC is not installed: pip install {' '.join(PACKAGES)}"


class CompileError(Exception):
    """NVRTC refused the source."""


@functools.cache
def _core() -> ModuleType | None:
    """cuda.core, imported only where asked for: it loads the CUDA libraries. None without it or without NVRTC's library."""
    try:
        core = importlib.import_module("cuda.core")
        nvrtc = importlib.import_module("cuda.bindings.nvrtc")
        nvrtc.nvrtcVersion()
    except (ImportError, RuntimeError):  # cuda.pathfinder's DynamicLibNotFoundError is a RuntimeError
        return None
    return core


@functools.cache
def include_folder() -> Path | None:
    """The folder with cuda_fp16.h and cuda_bf16.h of nvidia-cuda-runtime, or None."""
    try:
        pathfinder = importlib.import_module("cuda.pathfinder")
    except ImportError:
        return None
    found = pathfinder.find_nvidia_header_directory("cudart")
    return None if found is None else Path(found)


def available() -> bool:
    """Whether compile_cuda() works here."""
    return _core() is not None and include_folder() is not None


def _numbered(source: str) -> str:
    return "\n".join(f"{number:4d}  {line}" for number, line in enumerate(source.splitlines(), 1))


def compile_cuda(source: str, architecture: str, *, headers: bool = True) -> bytes:
    """The cubin of the source for one GPU architecture, such as "sm_90".

    C++17 and flushed denormals, as CuPy compiles. headers=False leaves out the include folder of the CUDA toolkit: what CuPy
    does where it finds none. Raises CompileError with NVRTC's log and the numbered lines of the source.
    """
    core, folder = _core(), include_folder()
    if core is None or folder is None:
        raise RuntimeError(MISSING)
    options = core.ProgramOptions(
        name="kernel.cu",
        arch=architecture,
        std="c++17",
        ftz=True,
        device_as_default_execution_space=True,
        include_path=[str(folder)] if headers else None,
    )
    program = core.Program(source, "c++", options)
    try:
        return bytes(program.compile("cubin").code)
    except Exception as error:
        if type(error).__name__ != "NVRTCError":
            raise
        raise CompileError(f"NVRTC for {architecture}: {error}\n{_numbered(source)}") from None
    finally:
        program.close()
