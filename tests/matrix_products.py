"""What tests of matrix products on CuPy share: importing this skips a module where there is neither a GPU nor a stand-in for cuBLAS."""

import importlib

import numpy as np
import pytest

import gpugrad as gg
from gpugrad.arrays.devices import import_cupy

if not gg.cuda.is_available():
    pytest.skip("CuPy: there is no GPU here; GPUGRAD_TEST_STANDIN=1 runs these on a stand-in", allow_module_level=True)

cupy = import_cupy()
gg.ones(1, device="cuda")  # imports the CUDA backend

STANDIN = hasattr(cupy, "standin")
if STANDIN:
    try:
        library = importlib.import_module("cupy_backends.cuda.libs").cublas
    except ImportError:
        pytest.skip("the stand-in for cuBLAS needs g++", allow_module_level=True)
else:
    library = None
RECORDED = pytest.mark.skipif(not STANDIN, reason="only the stand-in records and fails")
TWO_GPUS = pytest.mark.skipif(gg.cuda.device_count() < 2, reason="needs two GPUs")
BFLOAT16 = np.dtype(pytest.importorskip("ml_dtypes").bfloat16)
