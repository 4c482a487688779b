"""Compiling kernels, and what is said and kept when one does not compile."""

from __future__ import annotations

import gc
import weakref
from typing import Any

import numpy as np
import pytest

import gpugrad as gg
from gpugrad.arrays.devices import import_cupy

if not gg.cuda.is_available():
    pytest.skip("CuPy: there is no GPU here; GPUGRAD_TEST_STANDIN=1 runs these on a stand-in", allow_module_level=True)

cupy = import_cupy()
from gpugrad.arrays import cupy as backend  # noqa: E402, F401  (imports CuPy)
from gpugrad.arrays.cuda import modules  # noqa: E402


def refusing(monkeypatch: pytest.MonkeyPatch, error: type[Exception]) -> None:
    class Module:
        def __init__(self, **options: Any) -> None: ...

        def compile(self) -> None:
            raise error("no headers")

    monkeypatch.setattr(cupy, "RawModule", Module)
    monkeypatch.setattr(modules, "_function", modules._function.__wrapped__)  # the cache of other tests is left alone


class Operand:
    """In place of an array: not every array can be referred to weakly."""


def test_a_source_that_does_not_compile_holds_no_operands(monkeypatch: pytest.MonkeyPatch, tmp_path: Any) -> None:
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    refusing(monkeypatch, RuntimeError)
    found: dict[Any, Any] = {}
    function = modules._function
    monkeypatch.setattr(
        modules, "_function", lambda *key: found[key] if key in found else found.setdefault(key, function(*key))
    )
    kernel = modules.in_front("op", lambda x: modules.function("scatter.cu", "add_rows_32", np.dtype("float32")), lambda x: 7)
    operands = [Operand() for _ in range(3)]
    alive = [weakref.ref(x) for x in operands]
    for _ in range(3):
        assert kernel(operands.pop()) == 7
    gc.collect()
    assert [x() for x in alive] == [None] * 3 and len(found) == 1


@pytest.mark.parametrize("named", ["cupy_backends.cuda.api.driver", None])
def test_a_gpu_without_memory_for_a_kernel_is_asked_again(monkeypatch: pytest.MonkeyPatch, named: str | None) -> None:
    """CUDA says so in an error of its own, which is no MemoryError."""
    own = {"__module__": named, "status": 2}
    error = MemoryError if named is None else type("CUDADriverError", (RuntimeError,), own)
    refusing(monkeypatch, error)
    monkeypatch.setattr(modules, "failures", {})
    with pytest.raises(error):
        modules.function("scatter.cu", "add_rows_32", np.dtype("float32"))
    assert not modules.failures
