"""The libraries of CUDA, loaded when one is first asked for (cupy_backends/cuda/libs/__init__.py, __getattr__).

Only cuBLAS is here, and only the library itself: CuPy's functions that call it are not.
"""

import importlib


def __getattr__(name):
    if name == "cublas":
        return importlib.import_module(f"{__name__}.cublas")
    raise ImportError(f"the cupy stand-in has no {name}")
