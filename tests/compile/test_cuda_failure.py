"""A source that does not compile: the definition runs, and one warning names the compiler's log."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import gpugrad as gg
from gpugrad.arrays.devices import import_cupy

if not gg.cuda.is_available():
    pytest.skip("CuPy: there is no GPU here; GPUGRAD_TEST_STANDIN=1 runs these on a stand-in", allow_module_level=True)

cupy = import_cupy()
cuda: Any = pytest.importorskip("gpugrad.compile.cuda")
modules: Any = pytest.importorskip("gpugrad.arrays.cuda.modules")

X = np.linspace(-1, 1, 12).reshape(3, 4)


@pytest.fixture
def broken(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """NVRTC refuses whatever it is given."""

    class Module:
        def __init__(self, **options: Any) -> None: ...

        def compile(self) -> None:
            raise RuntimeError("kernel.cu(7): error: identifier is undefined")

    monkeypatch.setattr(cupy, "RawModule", Module)
    monkeypatch.setattr(modules, "failures", {})
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))


@pytest.mark.usefixtures("broken")
def test_a_fused_function_runs_as_it_is(caplog: pytest.LogCaptureFixture) -> None:
    function = gg.fuse(lambda x, y: gg.sum(gg.tanh(x) * y, axis=1), name="mine")
    x, y = (cupy.asarray(v) for v in (X, X + 1))
    for _ in range(3):
        np.testing.assert_allclose(function(x, y).get(), np.sum(np.tanh(X) * (X + 1), axis=1))
    (message,) = [record.getMessage() for record in caplog.records]
    found = re.fullmatch(
        r"gpugrad: mine: its kernels could not be compiled, so the plain definition runs; the compiler's log is in (.*)",
        message,
    )
    assert found is not None
    log = Path(found[1]).read_text()
    assert log.startswith("kernel.cu(7): error: identifier is undefined") and "__global__" in log
    assert modules.failures == {"the fused function mine": found[1]}


@pytest.mark.usefixtures("broken")
def test_gradients_of_a_fused_function_are_those_of_the_definition(caplog: pytest.LogCaptureFixture) -> None:
    x = gg.tensor(X, device="cuda", requires_grad=True)
    gg.sum(gg.fuse(lambda x: gg.exp(x) * x)(x)).backward()
    np.testing.assert_allclose(x.grad.cpu().numpy(), np.exp(X) * (X + 1))
    assert caplog.records and all("the compiler's log is in" in record.getMessage() for record in caplog.records)


def test_a_dtype_without_a_kernel_is_computed_by_the_definition(caplog: pytest.LogCaptureFixture) -> None:
    """Complex numbers have none: no warning, since nothing is wrong."""
    z = X + 1j * X[::-1]
    function = gg.fuse(lambda x: gg.exp(x) * x)
    np.testing.assert_allclose(function(cupy.asarray(z)).get(), np.exp(z) * z)
    assert not caplog.records
