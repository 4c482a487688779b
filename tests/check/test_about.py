"""What `info` says, with and without a GPU, CuPy and a compiler."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

import gpugrad as gg
from gpugrad.arrays.devices import import_cupy
from gpugrad.check import about
from gpugrad.compile import build

PACKAGE = Path(gg.__file__).parent
STANDIN = gg.cuda.is_available() and hasattr(import_cupy(), "standin")


@pytest.fixture(autouse=True)
def _environment_read_again() -> Iterator[None]:
    build._forget()
    yield
    build._forget()


def test_versions_devices_kernels_and_caches() -> None:
    found = json.loads(json.dumps(about.describe()))  # it is JSON
    assert found["versions"]["gpugrad"] == gg.__version__ and "numpy" in found["versions"]
    assert len(found["devices"]) == 1 + gg.cuda.device_count()
    assert set(found["caches"]) == {"kernels for the CPU", "CuPy's kernels"}
    text = about.text(found)
    for part in (found["versions"]["scipy"], "default device: cpu", "GPUGRAD_CC", "computed by the op's definition"):
        assert part in text


def test_it_names_every_variable_that_the_package_reads() -> None:
    read = {
        name for file in PACKAGE.rglob("*.py") for name in re.findall(r"\bGPUGRAD_[A-Z_]+\b", file.read_text(encoding="utf-8"))
    }
    assert read == {name for name in about.ENVIRONMENT if name.startswith("GPUGRAD_")}


def test_without_a_compiler_it_says_so_and_logs_nothing(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setenv("GPUGRAD_CC", "no-such-compiler")
    assert "'no-such-compiler', which is no command" in about.describe()["kernels"]["cpu"]["compiled"]
    assert not caplog.records
    monkeypatch.setenv("GPUGRAD_COMPILE", "0")
    assert "off" in about.describe()["kernels"]["cpu"]["compiled"]


def test_without_a_usable_gpu_it_says_why(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(about, "cuda_problem", lambda: "the NVIDIA driver is too old: update it")
    found = about.describe()
    assert found["devices"] == ["cpu"] and "cuda" not in found["kernels"]
    assert "no GPU: the NVIDIA driver is too old: update it" in about.text(found)


@pytest.mark.skipif(not gg.cuda.is_available(), reason="needs CuPy")
def test_with_a_gpu_it_tells_what_computes_there() -> None:
    found = about.describe()
    kernels = found["kernels"]["cuda"]
    assert found["devices"][1]["name"] == gg.cuda.get_device_name(0)
    assert "scatter_add" in kernels["written by hand"] and "bfloat16" in kernels["written by hand"]
    assert kernels["cuBLAS"] and kernels["cuDNN"]
    assert found["devices"][1]["name"] in about.text(found)
    assert not STANDIN or "unknown" not in kernels["cuBLAS"] + kernels["cuDNN"]


@pytest.mark.skipif(not gg.cuda.is_available(), reason="needs CuPy")
def test_a_kernel_that_did_not_compile_is_told_with_its_log(monkeypatch: pytest.MonkeyPatch) -> None:
    modules = pytest.importorskip("gpugrad.arrays.cuda.modules")
    monkeypatch.setitem(modules.failures, "scatter.cu for bfloat16", "/tmp/gpugrad-scatter-1.log")
    text = about.text(about.describe())
    assert "scatter.cu for bfloat16 did not compile: its log is /tmp/gpugrad-scatter-1.log" in text


@pytest.mark.skipif(not gg.cuda.is_available(), reason="needs CuPy")
@pytest.mark.parametrize("used", [True, False])
def test_ops_of_cudnn_are_told_only_where_it_is_used(monkeypatch: pytest.MonkeyPatch, used: bool) -> None:
    cudnn = pytest.importorskip("gpugrad.arrays.cuda.cudnn")
    monkeypatch.setattr(cudnn, "library", lambda: cudnn.Found(object() if used else None, "it is not here"))
    monkeypatch.setattr(cudnn, "describe", lambda: "9.1" if used else "not used: it is not here")
    kernels = about.describe()["kernels"]["cuda"]
    assert "attention" not in kernels["written by hand"] and "convolution" not in kernels["written by hand"]
    assert ("attention" in kernels["cuDNN"]) == used


@pytest.mark.skipif(not gg.cuda.is_available(), reason="needs CuPy")
def test_on_request_kernels_are_compiled_to_tell_which_do_not(monkeypatch: pytest.MonkeyPatch) -> None:
    modules = pytest.importorskip("gpugrad.arrays.cuda.modules")
    results = [("philox.cu", True), ("scatter.cu for float16", False)]
    monkeypatch.setattr(modules, "compile_all", lambda: iter(results))
    monkeypatch.setattr(modules, "failures", {"scatter.cu for float16": "/tmp/log"})
    kernels = about.describe(kernels=True)["kernels"]["cuda"]
    assert kernels["that compile"] == "philox.cu"
    assert kernels["scatter.cu for float16 did not compile"] == "its log is /tmp/log"
    assert "that compile" not in about.describe()["kernels"]["cuda"]
