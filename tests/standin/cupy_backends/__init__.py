"""Stops code that runs on the stand-in from loading the raw bindings of a real CuPy installed beside it."""

raise ImportError("the cupy stand-in has no cupy_backends (no cuBLAS, no driver): take the path without raw bindings")
