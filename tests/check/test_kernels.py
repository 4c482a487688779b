"""The checks of kernels written by hand find one that is wrong, one that does not compile, and dtypes that have none."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import gpugrad as gg
from gpugrad.arrays.devices import import_cupy
from gpugrad.check import kernels
from gpugrad.check.backend import CUPY, NUMPY
from gpugrad.check.result import Result, run

if not gg.cuda.is_available():
    pytest.skip("CuPy: there is no GPU here; GPUGRAD_TEST_STANDIN=1 runs these on a stand-in", allow_module_level=True)

cupy = import_cupy()
backend = pytest.importorskip("gpugrad.arrays.cupy")
HAND_WRITTEN, CUDNN = backend.HAND_WRITTEN, backend.CUDNN


@pytest.fixture(scope="module", autouse=True)
def _compiler() -> None:
    try:
        cupy.RawModule(code='extern "C" __global__ void nothing() {}').compile()
    except Exception as error:
        pytest.skip(f"kernels do not compile here: {error}")


def checked(name: str) -> Result:
    (result,) = run([c for c in kernels.checks(CUPY) if c.name == name], CUPY, lambda result: None)
    return result


def test_all_kernels_in_all_dtypes() -> None:
    names = {c.name for c in kernels.checks(CUPY)}
    known = [precision for precision in kernels.TOLERANCES if kernels.known(precision)]
    assert names == {f"{name} {precision}" for name in (*HAND_WRITTEN, *CUDNN) for precision in known}
    assert not list(kernels.checks(NUMPY))


@pytest.mark.parametrize("name", ["scatter_add float32", "scatter_add float16", "copy float64", "put float32"])
def test_right_kernels_pass(name: str) -> None:
    found = checked(name)
    assert (found.status, found.message) == ("pass", "") and found.compared > 0


def test_a_wrong_kernel_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    kernel = HAND_WRITTEN["scatter_add"]

    def wrong(*operands: Any, **options: Any) -> Any:
        out = kernel(*operands, **options)
        return out if out is NotImplemented or out.dtype != np.float32 else out + np.float32(0.01)

    monkeypatch.setitem(HAND_WRITTEN, "scatter_add", wrong)
    assert checked("scatter_add float32").status == "fail"
    assert checked("scatter_add float64").status == "pass"


def test_a_kernel_that_takes_nothing_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(HAND_WRITTEN, "scatter_add", lambda *operands, **options: NotImplemented)
    found = checked("scatter_add float64")
    assert found.status == "skip" and found.message == "it takes none of these: the definition computes them"


def test_a_kernel_that_does_not_compile_fails(monkeypatch: pytest.MonkeyPatch) -> None:
    modules = pytest.importorskip("gpugrad.arrays.cuda.modules")

    def broken(*operands: Any, **options: Any) -> Any:
        raise modules.CompilationError("scatter.cu for float64")

    monkeypatch.setitem(HAND_WRITTEN, "scatter_add", broken)
    found = checked("scatter_add float64")
    assert found.status == "error" and found.message == "CompilationError: scatter.cu for float64"
    monkeypatch.undo()
    assert checked("scatter_add float64").status == "pass"  # the table of the op is as it was


def test_without_cudnn_its_ops_are_skipped_and_why(monkeypatch: pytest.MonkeyPatch) -> None:
    cudnn = pytest.importorskip("gpugrad.arrays.cuda.cudnn")
    monkeypatch.setattr(cudnn, "library", lambda: cudnn.Found(None, "it is not here"))
    found = checked("attention float32")
    assert (found.status, found.message, found.compared) == ("skip", "cuDNN is not used: it is not here", 0)
