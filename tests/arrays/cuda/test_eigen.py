"""Eigenvalues of general matrices on CuPy: before CUDA 12.6 cuSOLVER has no routine for them."""

import logging

import numpy as np
import pytest

import gpugrad as gg
from gpugrad.arrays.devices import import_cupy, say_once
from gpugrad.ops.linalg.eigen import eig, eigvals
from gpugrad.testing import assert_close

if not gg.cuda.is_available():
    pytest.skip("CuPy: there is no GPU here; GPUGRAD_TEST_STANDIN=1 runs these on a stand-in", allow_module_level=True)

cupy = import_cupy()
X = np.asarray([[1.0, 2.0], [-3.0, 0.5]])


@pytest.mark.parametrize("available", [True, False])
def test_where_cusolver_has_no_routine_numpy_computes_and_that_is_said_once(available, monkeypatch, caplog):
    monkeypatch.setattr("cupyx.cusolver.check_availability", lambda name: available)
    say_once.cache_clear()
    with caplog.at_level(logging.WARNING, logger="gpugrad"):
        for _ in range(2):
            w, v = eig(cupy.asarray(X))
            values = eigvals(cupy.asarray(X))
    assert all(isinstance(part, cupy.ndarray) for part in (w, v, values))
    assert_close(X @ v.get(), v.get() * w.get())
    assert_close(np.sort_complex(values.get()), np.sort_complex(w.get()))
    said = [record.getMessage() for record in caplog.records]
    assert [text.split(":")[1].strip() for text in said] == ([] if available else ["eig", "eigvals"])
    assert_close(gg.grad(lambda x: gg.real(gg.sum(eigvals(x) ** 2)))(cupy.asarray(X)).get(), 2 * X.T)
