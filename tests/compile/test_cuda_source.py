"""Generated CUDA C++ compiles for every architecture of ``nvrtc.py``, and accesses memory as it should. No GPU is needed.

What the kernels compute is in ``test_cuda.py``.
"""

from __future__ import annotations

import importlib
import types
from collections.abc import Callable
from typing import Any, cast

import ml_dtypes
import numpy as np
import nvrtc
import pytest
from hypothesis import given
from hypothesis import strategies as st

import gpugrad as gg
from gpugrad.compile import cuda_source, launches
from gpugrad.compile.compiled import Compiled

softmax_module = importlib.import_module("gpugrad.nn.functional.softmax")  # hidden behind the functions of the same names
dropout_module = importlib.import_module("gpugrad.nn.functional.dropout")
loss_module = importlib.import_module("gpugrad.nn.functional.loss")

BFLOAT16 = np.dtype(ml_dtypes.bfloat16)
FLOATING = ("float16", BFLOAT16, "float32", "float64")
ELEMENTWISE = (
    "abs", "acos", "acosh", "asin", "asinh", "atan", "atanh", "ceil", "cos", "cosh", "exp", "expm1", "floor", "isfinite", "isinf", "isnan",
    "log", "log10", "log1p", "log2", "round", "sign", "signbit", "sin", "sinh", "sqrt", "tan", "tanh", "trunc",
)  # fmt: skip
ELEMENTWISE_OF_TWO = (
    "add", "atan2", "copysign", "divide", "floor_divide", "hypot", "logaddexp", "maximum", "minimum", "multiply", "nextafter", "pow",
    "remainder", "subtract", "less", "equal",
)  # fmt: skip
ON_INTEGERS = (
    "abs", "bitwise_invert", "negative", "sign", "square", "add", "bitwise_and", "bitwise_left_shift", "bitwise_or",
    "bitwise_right_shift", "bitwise_xor", "floor_divide", "maximum", "minimum", "multiply", "remainder", "subtract", "greater",
)  # fmt: skip


class _NotBuilt:
    """In place of ``cuda.Library``, which needs CuPy."""

    launch = None

    def __init__(self, source: str, name: str) -> None:
        pass


def source_of(function: Callable[..., Any], *args: Any, **options: Any) -> str:
    """The CUDA C++ of a function of NumPy arrays, as if they were CuPy's."""
    target = types.SimpleNamespace(
        __name__="cuda", generate=cuda_source.generate, Library=_NotBuilt, beside=False, supported=lambda dtype: True,
    )  # fmt: skip
    _, program, _ = Compiled(function, strict=True).specialized(args, options, cast(types.ModuleType, target))
    return program.source


def softmax(x: Any) -> Any:
    return softmax_module._softmax.definition(x, -1)


def layer_norm(x: Any, w: Any, b: Any) -> Any:
    centred = x - gg.mean(x, axis=-1, keepdims=True)
    return centred / gg.sqrt(gg.mean(centred * centred, axis=-1, keepdims=True) + 1e-5) * w + b


def batch_norm(x: Any) -> Any:
    return (x - gg.mean(x, axis=0)) / gg.std(x, axis=0)


def cross_entropy(x: Any, target: Any) -> Any:
    return loss_module._cross_entropy.definition(x, target, ignore_index=-100, reduction="mean", label_smoothing=0.1)


def dropout(x: Any, state: Any, threshold: float, width: int) -> Any:
    return dropout_module._dropout.definition(x, state, threshold, width, 2.0)


def several(x: Any) -> Any:
    return gg.max(x, axis=0), gg.exp(x), gg.min(x, axis=1), gg.mean(x), gg.any(x > 0), gg.sum(x, axis=1)


def floating_source(dtype: Any) -> str:
    """All forms, of one dtype."""
    x, row = np.ones((6, 7), dtype), np.ones(7, dtype)
    sources = [
        source_of(softmax, x),
        source_of(softmax, x[:, ::2]),
        source_of(layer_norm, x, row, row),
        source_of(batch_norm, x),
        source_of(batch_norm, x.T),
        source_of(several, x),
        source_of(cross_entropy, x, np.ones(6, int)),
        source_of(lambda x, y, k: gg.where(x > y, x, y * k), x, row, 2.5),
        source_of(lambda x, i: gg.take(x, i, axis=0), x, np.ones(3, int)),
        source_of(dropout, x, np.ones(6, "uint64"), 2.0**30, 32),
        source_of(dropout, x, np.ones(6, "uint64"), 2.0**30, 64),
        source_of(lambda x: gg.astype(x, "float32") + gg.sum(gg.permute_dims(x, (1, 0)) + 1), x),
    ]
    return distinct(sources)


def distinct(sources: list[str]) -> str:
    """Several sources as one, each in a namespace of its own: the compiler starts once."""
    texts = [source.replace('extern "C" ', "") for source in sources]
    return "\n".join(f"namespace n{i} {{\n{text}\n}}" for i, text in enumerate(texts))


def function_source(dtype: Any) -> str:
    x = np.ones(5, dtype)
    unary = [lambda x, f=getattr(gg, name): f(x) for name in ELEMENTWISE]
    binary = [lambda x, y, f=getattr(gg, name): f(x, y) for name in ELEMENTWISE_OF_TWO if name != "nextafter" or x.itemsize > 2]
    return distinct([source_of(f, x) for f in unary] + [source_of(f, x, x) for f in binary])


def integer_source(dtype: str) -> str:
    x = np.ones((5, 3), dtype)
    sources = [source_of(lambda x: (gg.sum(x), gg.max(x, axis=0), gg.min(x, axis=1), gg.any(x), gg.astype(x, "float32")), x)]
    for name in ON_INTEGERS:
        function = getattr(gg, name)
        unary = name in ON_INTEGERS[:5]
        sources.append(source_of((lambda x, y, f=function: f(x)) if unary else (lambda x, y, f=function: f(x, y)), x, x))
    sources.append(source_of(lambda x: gg.astype(x, dtype), np.ones(5, "float32")))
    return distinct(sources)


@pytest.fixture(params=nvrtc.ARCHITECTURES)
def architecture(request: pytest.FixtureRequest) -> str:
    if not nvrtc.available():
        pytest.skip(nvrtc.MISSING)
    name: str = request.param
    return name


@pytest.mark.parametrize("dtype", FLOATING, ids=str)
def test_all_forms_compile(dtype: Any, architecture: str) -> None:
    assert nvrtc.compile_cuda(cuda_source.translation_unit(floating_source(dtype)), architecture)


def test_wide_places_compile(architecture: str) -> None:
    assert nvrtc.compile_cuda(cuda_source.translation_unit(floating_source("float32"), wide=True), architecture)


@pytest.mark.parametrize("dtype", FLOATING, ids=str)
def test_functions_compile(dtype: Any) -> None:
    if not nvrtc.available():
        pytest.skip(nvrtc.MISSING)
    assert nvrtc.compile_cuda(cuda_source.translation_unit(function_source(dtype)), nvrtc.ARCHITECTURES[0])


@pytest.mark.parametrize("dtype", ["int8", "uint8", "int16", "uint16", "int32", "uint32", "int64", "uint64"])
def test_integers_compile(dtype: str) -> None:
    if not nvrtc.available():
        pytest.skip(nvrtc.MISSING)
    assert nvrtc.compile_cuda(cuda_source.translation_unit(integer_source(dtype)), nvrtc.ARCHITECTURES[0])


# What the source says ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("dtype", "length"), [("float16", 8), (BFLOAT16, 8), ("float32", 4), ("float64", 2), ("int8", 16)], ids=str
)
def test_sixteen_bytes_at_a_time(dtype: Any, length: int) -> None:
    stored = {"float16": "gg_half", "bfloat16": "gg_bfloat16", "float32": "float", "float64": "double", "int8": "int8_t"}
    vector = f"gg_vector<{stored[np.dtype(dtype).name]}, {length}>"
    x = np.ones((4, 6), dtype)
    assert source_of(lambda x: x + x, x).count(vector) == 4  # twice to read, once for the result, once to write
    assert vector in source_of(lambda x, y: x + y, x, x[0])
    assert vector in source_of(lambda x: gg.max(x, axis=1), x)
    assert "gg_vector" not in source_of(lambda x: gg.max(x, axis=1), x[:, ::2])
    assert "gg_vector" not in source_of(lambda x: gg.max(x, axis=0), x)


def test_parts_are_combined_in_double_precision() -> None:
    first, finish = source_of(gg.sum, np.ones(5, "float32")).split("sum_0_finish")
    assert "float m" in first and "double *__restrict__ z0" in first
    assert "double m" in finish and "const double *__restrict__ z0" in finish


def test_headers_are_included_only_where_needed() -> None:
    units = [
        cuda_source.translation_unit(source_of(lambda x: x + x, np.ones(3, dtype)))
        for dtype in ("float32", "float16", BFLOAT16)
    ]
    assert [["cuda_fp16.h" in unit, "cuda_bf16.h" in unit] for unit in units] == [[False, False], [True, False], [False, True]]


def test_every_form_shares_rows_between_threads_in_its_own_way() -> None:
    x = np.ones((4, 6), "float32")
    assert "gg_reduce_row(" in source_of(softmax, x)
    assert "gg_reduce_column(" in source_of(batch_norm, x)
    assert "gg_reduce" not in source_of(lambda x: x + 1, x)
    assert "_finish(" in source_of(gg.sum, x)
    assert "_finish(" not in source_of(softmax, x)
    assert "atomic" not in source_of(several, x)


def test_maps_may_write_in_place() -> None:
    x = np.ones(4, "float32")
    assert "__restrict__" not in source_of(lambda x: x + 1, x)
    assert "__restrict__" in source_of(gg.sum, x)


# Launches ------------------------------------------------------------------------------------------------------------

SIZE = st.one_of(st.integers(1, 3000), st.integers(1, 2**33))


@given(form=st.sampled_from(["map", "row", "column"]), rows=SIZE, width=SIZE, extent=SIZE, split=st.booleans())
def test_launches_are_within_the_limits_of_a_gpu(form: str, rows: int, width: int, extent: int, split: bool) -> None:
    split = split and form != "map"
    found = launches.launch(form, rows, width if form == "column" else 1, extent, 4, split)
    for launch in (found, launches.finish(rows, found.parts)):
        assert all(n >= 1 for n in (*launch.grid, *launch.block))
        assert launch.grid[0] <= 2**31 - 1
        assert launch.grid[1] <= 65535
        assert launch.block[0] * launch.block[1] <= 1024
        assert launch.block[0].bit_count() == 1  # butterflies need powers of two
    assert found.parts == found.grid[1]
    assert split or found.parts == 1


@given(rows=SIZE, extent=SIZE)
def test_threads_that_exchange_values_fill_their_warps(rows: int, extent: int) -> None:
    for launch in (launches.launch("row", rows, 1, extent, 4, False), launches.finish(rows, 7)):
        assert launch.block[0] * launch.block[1] % launches.WARP == 0


@pytest.mark.parametrize(
    ("rows", "extent", "threads"),
    [(4096, 2, 1), (4096, 64, 16), (4096, 512, 64), (10**5, 512, 32), (128, 512, 64), (4096, 4096, 256), (8, 10**6, 1024)],
)
def test_threads_of_a_row(rows: int, extent: int, threads: int) -> None:
    assert launches.launch("row", rows, 1, extent, 4, False).block[0] == threads


def test_a_long_sum_fills_the_gpu() -> None:
    assert launches.launch("row", 1, 1, 10**8, 4, True).parts == launches.MOST_SPLITS
    assert launches.launch("column", 1, 64, 10**6, 1, True).parts > 100
    assert launches.launch("row", 1, 1, 1000, 4, True).parts == 1
