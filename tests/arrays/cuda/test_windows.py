"""The kernels of windows.cu against the definitions of their ops, on integers, of which sums are exact in every dtype."""

from __future__ import annotations

import math
from typing import Any

import ml_dtypes  # noqa: F401  (names bfloat16)
import numpy as np
import nvrtc
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import gpugrad as gg
from gpugrad.arrays.devices import import_cupy
from gpugrad.arrays.windows import Window
from gpugrad.families import REGISTRY
from gpugrad.nn import functional as F

if not gg.cuda.is_available():
    pytest.skip("CuPy: there is no GPU here; GPUGRAD_TEST_STANDIN=1 runs these on a stand-in", allow_module_level=True)

cupy = import_cupy()
from gpugrad.arrays.cuda import modules, windows  # noqa: E402  (imports CuPy)

try:
    modules.function("windows.cu", "im2col", np.dtype("float32"), AXES=1)
except modules.CompilationError as error:
    pytest.skip(f"{error} does not compile here: {modules.failures[str(error)]}", allow_module_level=True)

DTYPES = sorted(modules.DTYPES)
# Sizes and windows over one, two and three axes: odd sizes, overlapping windows and windows with gaps, uneven options.
GEOMETRIES = [
    ((13,), Window((3,), (1,), (1,), (1,))),
    ((5, 7), Window((3, 2), (2, 1), (1, 1), (1, 3))),
    ((6, 6), Window((2, 2), (2, 2), (0, 0), (1, 1))),
    ((3, 4, 5), Window((2, 1, 3), (1, 3, 2), (1, 0, 1), (2, 1, 1))),
]


def integers(shape: tuple[int, ...], seed: int = 0) -> Any:
    return np.random.default_rng(seed).integers(-8, 9, shape).astype(np.float64)


def on_gpu(x: Any, dtype: str) -> Any:
    return cupy.asarray(x.astype(np.float32)).astype(np.dtype(dtype))


def off_gpu(x: Any) -> Any:
    return x.get().astype(np.float64) if x.dtype != np.int64 else x.get()


def check(
    sizes: tuple[int, ...], window: Window, dtype: str, view: Any = lambda x: x, images: int = 2, channels: int = 3
) -> None:
    """All five kernels; `view` of an array on the GPU has the same elements."""
    counts = window.counts(sizes)
    x, y = integers((images, channels, *sizes)), integers((images, channels, *counts), 1)
    columns = integers((images, channels * math.prod(window.kernel), math.prod(counts)), 2)
    x_there, y_there, columns_there = (view(on_gpu(a, dtype)) for a in (x, y, columns))
    indices = REGISTRY["max_pool_indices"](x, window=window, ceil_mode=False)
    indices_there = windows.max_pool_indices(x_there, window=window, ceil_mode=False)
    assert indices_there.dtype == np.int64
    for found, expected in (
        (windows.im2col(x_there, window=window), REGISTRY["im2col"](x, window=window)),
        (windows.col2im(columns_there, shape=sizes, window=window), REGISTRY["col2im"](columns, shape=sizes, window=window)),
        (indices_there, indices),
        (windows.pool_take(x_there, indices_there, window=window), REGISTRY["pool_take"](x, indices, window=window)),
        (
            windows.pool_put(y_there, indices_there, shape=sizes, window=window),
            REGISTRY["pool_put"](y, indices, shape=sizes, window=window),
        ),
    ):
        assert found.flags.c_contiguous and found.dtype.name in (dtype, "int64")
        np.testing.assert_array_equal(off_gpu(found), expected)


@pytest.mark.parametrize("order", ["forward", "backward"])  # of the threads of the stand-in
@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize(("sizes", "window"), GEOMETRIES)
def test_kernels_agree_with_definitions(
    sizes: tuple[int, ...], window: Window, dtype: str, order: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("GPUGRAD_STANDIN_ORDER", order)
    check(sizes, window, dtype)


@pytest.mark.parametrize(("sizes", "window"), GEOMETRIES)
def test_places_of_64_bits(sizes: tuple[int, ...], window: Window, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(modules, "NARROW", 0)
    check(sizes, window, "float32")


def _misaligned(x: Any) -> Any:
    flat = cupy.empty(x.size + 1, x.dtype)
    flat[1:] = x.reshape(-1)
    return flat[1:].reshape(x.shape)


def _every_other(x: Any) -> Any:
    wider = cupy.empty((*x.shape[:-1], 2 * x.shape[-1]), x.dtype)
    wider[..., ::2] = x
    return wider[..., ::2]


@pytest.mark.parametrize(
    "view",
    [_misaligned, _every_other, lambda x: x[..., ::-1].copy()[..., ::-1], lambda x: cupy.ascontiguousarray(x.T).T],
    ids=["misaligned", "every-other", "backwards", "transposed"],
)
@pytest.mark.parametrize("dtype", ["float16", "float32"])
def test_strides(view: Any, dtype: str) -> None:
    for sizes, window in GEOMETRIES:
        check(sizes, window, dtype, view)


def test_an_image_out_of_a_huge_array() -> None:
    """The stride of an axis of size 1 may be larger than 32 bits can hold."""
    x = cupy.asarray(integers((1, 2, 4)))
    far = cupy.ndarray(x.shape, x.dtype, x.data, strides=(2**40, *x.strides[1:]))
    window = Window((2,), (1,), (0,), (1,))
    assert far.strides[0] == 2**40
    assert windows.im2col(far, window=window).tolist() == windows.im2col(x, window=window).tolist()


def test_broadcast_gradients() -> None:
    """The gradient of a sum is one number, stretched: all of its strides are 0."""
    x = gg.tensor(integers((2, 3, 5, 7)), device="cuda", requires_grad=True)
    for function in (lambda x: F.unfold(x, (2, 3)), lambda x: F.max_pool2d(x, 2, 1)):
        (found,) = gg.gradients(gg.sum(function(x)), [x])
        y = gg.tensor(x.detach().cpu(), requires_grad=True)
        (expected,) = gg.gradients(gg.sum(function(y)), [y])
        np.testing.assert_array_equal(found.cpu().numpy(), expected.numpy())


@st.composite
def geometries(draw: Any) -> tuple[tuple[int, ...], Window]:
    axes = draw(st.integers(1, 3))

    def some(low: int, high: int) -> tuple[int, ...]:
        return tuple(draw(st.lists(st.integers(low, high), min_size=axes, max_size=axes)))

    kernel = some(1, 3)
    window = Window(kernel, some(1, 3), tuple(k // 2 for k in kernel), some(1, 2))
    return tuple(span + more for span, more in zip(window.spans, some(0, 4), strict=True)), window


@settings(max_examples=40)
@given(geometries(), st.integers(0, 2), st.integers(0, 3))
def test_any_geometry(geometry: tuple[tuple[int, ...], Window], images: int, channels: int) -> None:
    check(*geometry, "float32", images=images, channels=channels)


@pytest.mark.parametrize("dtype", DTYPES)
def test_maxima_among_ties_infinities_and_nans(dtype: str) -> None:
    values = np.array([[[2, 2, 1, -np.inf, -np.inf, -np.inf, np.nan, np.nan, 5]]])
    found = windows.max_pool_indices(on_gpu(values, dtype), window=Window((3,), (3,), (0,), (1,)), ceil_mode=False)
    assert found.get().tolist() == [[[0, 3, 7]]]


@pytest.mark.parametrize("dtype", ["float16", "bfloat16"])
def test_numbers_of_16_bits_are_summed_in_32(dtype: str) -> None:
    window = Window((600,), (1,), (0,), (1,))  # 600 windows have a tap on the last element of the first 600
    columns = cupy.ones((1, 600, 600), np.float32).astype(np.dtype(dtype))
    columns[0, 0, 599] = 4096  # where 16 bits would no longer count by ones
    found = windows.col2im(columns, shape=(1199,), window=window)
    exact = np.float32(4096 + 599)
    assert found[0, 0, 599] == cupy.asarray(exact).astype(found.dtype)


def test_what_has_no_kernel_goes_to_the_definition() -> None:
    integer, many = cupy.arange(8).reshape(1, 2, 4), cupy.zeros((1, 1, 2, 2, 2, 2))
    window, corners = Window((2,), (1,), (0,), (1,)), Window((2,) * 4, (1,) * 4, (0,) * 4, (1,) * 4)
    assert windows.im2col(integer, window=window) is NotImplemented
    assert windows.col2im(integer, shape=(5,), window=window) is NotImplemented
    assert windows.max_pool_indices(many, window=corners, ceil_mode=False) is NotImplemented
    assert windows.pool_take(integer, integer, window=window) is NotImplemented
    assert windows.pool_put(integer, integer, shape=(5,), window=window) is NotImplemented
    assert F.max_pool1d(integer, 2).tolist() == [[[1, 3], [5, 7]]]
    assert REGISTRY["im2col"](many, window=corners).shape == (1, 16, 1)


@pytest.mark.skipif(not hasattr(cupy, "standin"), reason="only the stand-in counts")
def test_a_training_step_reads_nothing_back() -> None:
    x, weight = (gg.tensor(integers(s), device="cuda", requires_grad=True) for s in [(2, 3, 7, 7), (4, 3, 3, 3)])
    with cupy.standin.counting() as seen:
        y = F.max_pool2d(F.conv2d(x, weight, padding="same"), 3, 2, 1)
        y = F.avg_pool2d(y, 3, 2, 1, ceil_mode=True, count_include_pad=False)
        gg.gradients([gg.sum(y)], [x, weight])
    assert seen.host_reads == 0, seen.reads


@pytest.mark.skipif(not nvrtc.available(), reason=nvrtc.MISSING)
@pytest.mark.parametrize("axes", [1, 2, 3])
def test_nvrtc_compiles_the_source(axes: int) -> None:
    for dtype in ("bfloat16", "float64"):
        code = modules.source("windows.cu", on_gpu(np.zeros(1), dtype).dtype, wide=dtype == "float64", AXES=axes)
        assert b"pool_put" in nvrtc.compile_cuda(code, "sm_90")
