"""gpugrad.holders: the largest live tensors of a GPU, and what made them or keeps them."""

import gc
import importlib

import numpy as np
import pytest

import gpugrad as gg
from gpugrad.holders import largest

if not gg.cuda.is_available():
    pytest.skip("CuPy: there is no GPU here; GPUGRAD_TEST_STANDIN=1 runs these on a stand-in", allow_module_level=True)

cublas = importlib.import_module("gpugrad.arrays.cuda.cublas")  # which imports CuPy
X = np.linspace(0.1, 1, 3 << 18).reshape(3, 1 << 9, 1 << 9)  # 6 MiB, more than other tests leave behind


def held():
    gc.collect()
    return [text for text in largest(0, 1000) if text.startswith("6.00 MiB float64 (3, 512, 512)") or "(512, 512)" in text]


def test_what_they_are():
    x = gg.tensor(X, device="cuda", requires_grad=True)
    constant = gg.asarray(X, device="cuda")
    y = gg.exp(x) * constant
    texts = held()
    assert sorted(t.partition("512) ")[2] for t in texts) == [
        "(a parameter)", "made by multiply", "saved for backward by exp", "saved for backward by multiply",
    ]  # fmt: skip
    gg.sum(y).backward()
    assert sorted(t.partition("512) ")[2] for t in held()) == [
        "(a constant)", "(a gradient)", "(a parameter)", "made in a graph that has been freed",
    ]  # fmt: skip


def test_the_same_array_is_named_once_and_views_by_what_they_are():
    x = gg.asarray(X, device="cuda")
    again, view = x.detach(), x[1]
    assert [t.partition(" float64 ")[2] for t in held()] == ["(3, 512, 512) (a constant)", "(512, 512) (a constant)"]
    stretched = gg.broadcast_to(gg.ones((1, 1), dtype=gg.float64, device="cuda"), (512, 512))
    assert "512 B float64 (512, 512) (a constant)" in held()  # as much as it takes
    del again, view, stretched


def test_of_several_results_and_of_fused_functions():
    x = gg.tensor(X, device="cuda", requires_grad=True)
    parts = gg.unstack(x, axis=0)
    assert sum(t.endswith("(512, 512) made by unstack") for t in held()) == 3

    @gg.fuse
    def wave(x):
        return gg.sum(gg.sin(x) * gg.exp(x))

    del parts
    y = wave(x * 2)
    assert [t.partition("512) ")[2] for t in held()] == ["(a parameter)", "saved for backward by wave"]
    del y
    assert [t.partition("512) ")[2] for t in held()] == ["(a parameter)"]


def test_on_this_gpu_alone():
    x = gg.asarray(X, device="cuda")
    assert len(largest(0, 1)) == 1 and len(held()) == 1
    assert not any("(3, 512, 512)" in text for text in largest(1, 1000))
    del x


def test_workspaces_of_libraries():
    x = gg.ones((64, 64), device="cuda")
    x @ x
    if cublas.unusable:
        pytest.skip(f"cuBLAS is {cublas.describe()}")
    assert any(text.endswith(" MiB cuBLAS workspace") for text in largest(0, 1000))
    assert not any("workspace" in text for text in largest(7, 1000))  # no such GPU
    del x
