"""Compiling kernels, and what is said and kept when one does not compile."""

from __future__ import annotations

import gc
import re
import weakref
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import gpugrad as gg
from gpugrad.arrays.devices import import_cupy
from gpugrad.errors import GpugradError, LibraryError
from gpugrad.nn import functional as F

if not gg.cuda.is_available():
    pytest.skip("CuPy: there is no GPU here; GPUGRAD_TEST_STANDIN=1 runs these on a stand-in", allow_module_level=True)

cupy = import_cupy()
from gpugrad.arrays import cupy as backend  # noqa: E402, F401  (imports CuPy)
from gpugrad.arrays.cuda import modules  # noqa: E402


def afresh(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing was compiled before; what other tests compiled is left alone."""
    monkeypatch.setattr(modules, "_function", modules._function.__wrapped__)
    for name, empty in (("_modules", {}), ("failures", {}), ("_warned", set())):
        monkeypatch.setattr(modules, name, empty)


def refusing(monkeypatch: pytest.MonkeyPatch, error: type[Exception]) -> None:
    class Module:
        def __init__(self, **options: Any) -> None: ...

        def compile(self) -> None:
            raise error("no headers")

    monkeypatch.setattr(cupy, "RawModule", Module)
    afresh(monkeypatch)


class Operand:
    """In place of an array: not every array can be referred to weakly."""


def test_a_source_that_does_not_compile_holds_no_operands(monkeypatch: pytest.MonkeyPatch, tmp_path: Any) -> None:
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    refusing(monkeypatch, RuntimeError)
    kernel = modules.in_front("op", lambda x: modules.function("scatter.cu", "add_rows_32", np.dtype("float32")), lambda x: 7)
    operands = [Operand() for _ in range(3)]
    alive = [weakref.ref(x) for x in operands]
    for _ in range(3):
        assert kernel(operands.pop()) == 7
    gc.collect()
    assert [x() for x in alive] == [None] * 3 and len(modules.failures) == 1


@pytest.mark.parametrize("named", ["cupy_backends.cuda.api.driver", None])
def test_a_gpu_without_memory_for_a_kernel_is_asked_again(monkeypatch: pytest.MonkeyPatch, named: str | None) -> None:
    """CUDA says so in an error of its own, which is no MemoryError."""
    own = {"__module__": named, "status": 2}
    error = MemoryError if named is None else type("CUDADriverError", (RuntimeError,), own)
    refusing(monkeypatch, error)
    with pytest.raises(error):
        modules.function("scatter.cu", "add_rows_32", np.dtype("float32"))
    assert not modules.failures


def test_a_source_that_does_not_compile_is_said_once_with_one_log(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """Whichever of its functions, and of its constants, were asked for."""
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    refusing(monkeypatch, RuntimeError)
    x = np.random.default_rng(0).normal(size=(2, 3, 8))
    w = np.random.default_rng(1).normal(size=(4, 3, 3))
    found = []
    for device in ("cpu", "cuda"):
        t, weight = (gg.tensor(a, device=device, requires_grad=True) for a in (x, w))
        y = F.max_pool1d(F.conv1d(t, weight), 2)
        z = F.max_pool2d(gg.reshape(t, (2, 3, 4, 2)), 2)
        (gg.sum(y * y) + gg.sum(z)).backward()
        found.append([a.cpu().numpy() for a in (y.detach(), t.grad, weight.grad)])
    for a, b in zip(*found, strict=True):
        np.testing.assert_allclose(b, a, rtol=1e-12, atol=1e-12)
    said = [r.getMessage() for r in caplog.records if "windows.cu for float64" in r.getMessage()]
    assert len(said) == 1
    (named,) = re.findall(r"the compiler's log is in (.*)", said[0])
    assert modules.failures["windows.cu for float64"] == named and "no headers" in Path(named).read_text()
    # The definitions that compute instead have kernels of their own, which the compiler refuses too, with logs of their own.
    logs = {log for log in modules.failures.values() if Path(log).name.startswith("gpugrad-windows")}
    assert {str(path) for path in tmp_path.glob("gpugrad-windows*")} == logs


def test_functions_of_a_source_share_what_was_compiled(monkeypatch: pytest.MonkeyPatch) -> None:
    compiled = []

    class Module:
        def __init__(self, **options: Any) -> None:
            compiled.append(options["code"])

        def compile(self) -> None: ...

        def get_function(self, name: str) -> str:
            return f"kernel {name}"  # a kernel, that is, and no name of a source

    afresh(monkeypatch)
    monkeypatch.setattr(cupy, "RawModule", Module)
    monkeypatch.setattr(modules, "_function", lambda name, *place: modules._module(*place))
    for name in ("im2col", "col2im"):
        modules.function("windows.cu", name, np.dtype("float32"), AXES=1)
    modules.function("windows.cu", "im2col", np.dtype("float32"), AXES=2)
    assert len(compiled) == 2


def test_where_nothing_compiles_at_all_that_is_the_error(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    refusing(monkeypatch, RuntimeError)

    def kernel(error: Exception) -> Any:
        return modules.function("scatter.cu", "add_rows_32", np.dtype("float32"))

    def otherwise(error: Exception) -> Any:
        raise error

    run = modules.in_front("op", kernel, otherwise)
    with pytest.raises(LibraryError, match="op: CuPy can compile no kernel here.*no headers.*NVRTC"):
        run(AssertionError("The requested function is not supported"))
    for error in (GpugradError("a shape"), MemoryError("no room")):
        with pytest.raises(type(error), match=str(error)):
            run(error)
    monkeypatch.undo()
    with pytest.raises(AssertionError, match="another"), modules.compiling("op"):
        raise AssertionError("another")


def test_every_source_is_compiled_on_request(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    sources = {file.name for file in Path(modules.__file__).parent.glob("*.cu")}
    assert set(modules._BUILDS) == sources
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    refusing(monkeypatch, RuntimeError)
    found = dict(modules.compile_all())
    assert "scatter.cu for float16" in found and "philox.cu" in found and not any(found.values())
    assert set(found) == set(modules.failures)
