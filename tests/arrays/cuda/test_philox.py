"""The samplers of philox.cu: the samples of the CPU, in one launch. The words are tested in tests/arrays/test_random.py."""

from __future__ import annotations

import logging
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import gpugrad as gg
from gpugrad.arrays import random
from gpugrad.arrays.devices import import_cupy
from gpugrad.arrays.random import Generator
from gpugrad.data import DataLoader, TensorDataset
from gpugrad.nn import functional as F

if not gg.cuda.is_available():
    pytest.skip("CuPy: there is no GPU here; GPUGRAD_TEST_STANDIN=1 runs these on a stand-in", allow_module_level=True)

cupy = import_cupy()
from gpugrad.arrays.cuda import modules, philox  # noqa: E402  (imports CuPy)

try:
    modules.function("philox.cu", "philox_normal", np.dtype("float32"))
except modules.CompilationError as error:
    pytest.skip(f"{error} does not compile here: {modules.failures[str(error)]}", allow_module_level=True)

STANDIN = hasattr(cupy, "standin")
SAMPLERS: list[tuple[str, tuple[Any, ...]]] = [
    *(
        ("uniform", (*bounds, d))
        for d in ("float16", "float32", "float64")
        for bounds in [(0.0, 1.0), (-3.5, 2.25), (1.0, 1.002)]
    ),
    *(("normal", (*moments, d)) for d in ("float16", "float32", "float64") for moments in [(0.0, 1.0), (2.0, 3.0)]),
    *(("bernoulli", (p,)) for p in (0.3, 1e-5, 0.0)),
]


@pytest.mark.parametrize(("name", "arguments"), SAMPLERS, ids=str)
def test_the_samples_of_the_cpu_in_one_launch(name: str, arguments: tuple[Any, ...]) -> None:
    draw = getattr(Generator(3, 2**256 - 2), name)  # the counter runs over its end on the way
    for count in (*range(1, 34), 1003):
        expected = getattr(Generator(3, 2**256 - 2), name)(count, *arguments)
        before = cupy.standin.kernel_launches if STANDIN else 0
        found = getattr(Generator(3, 2**256 - 2), name)(count, *arguments, device=0)
        assert not STANDIN or cupy.standin.kernel_launches == before + 1
        assert found.dtype == expected.dtype and found.shape == (count,)
        if name == "normal":  # log, cos and sin are not correctly rounded on either side
            spread = 10 * arguments[1] * float(np.finfo(arguments[2]).eps)
            np.testing.assert_allclose(found.get(), expected, rtol=0, atol=spread)
        else:
            np.testing.assert_array_equal(found.get(), expected)
    assert draw(0, *arguments, device=0).shape == (0,)


@pytest.mark.parametrize("width", [32, 64])
def test_booleans_from_a_state(width: int) -> None:
    limit = 2 ** (width - 1)
    for offset in (0, 2**64 - 2, 2**256 - 1):
        state = random.state(5, offset)
        for shape in [(), (0, 3), (7, 5)]:
            expected = random.below(state, shape, limit, width)
            found = random.below(cupy.asarray(state), shape, limit, width)
            assert isinstance(found, cupy.ndarray) and found.dtype == bool
            np.testing.assert_array_equal(found.get(), expected)


def test_the_grid_does_not_matter(monkeypatch: pytest.MonkeyPatch) -> None:
    expected = Generator(1).uniform(5001, device=0).get()
    monkeypatch.setattr(modules, "blocks", lambda count, per_block: 1)
    monkeypatch.setattr(philox, "_THREADS", 32)
    np.testing.assert_array_equal(Generator(1).uniform(5001, device=0).get(), expected)


def test_where_a_sampler_does_not_compile_words_are_turned_into_the_same_samples(monkeypatch: pytest.MonkeyPatch) -> None:
    function = modules.function

    def half_missing(file: str, name: str, dtype: Any = None, **options: Any) -> Any:
        if dtype is not None:
            raise modules.CompilationError("philox.cu for float16")
        return function(file, name, dtype, **options)

    monkeypatch.setitem(modules.failures, "philox.cu for float16", "log")
    monkeypatch.setattr(modules, "function", half_missing)
    for name, arguments in SAMPLERS:
        if name == "uniform":
            found = getattr(Generator(3), name)(7, *arguments, device=0)
            np.testing.assert_array_equal(found.get(), getattr(Generator(3), name)(7, *arguments))


def drawn(device: str) -> list[Any]:
    """Random numbers of every kind: words, samples, booleans of a state, weights, batches."""
    gg.random.manual_seed(3)
    found = [
        gg.random.uniform((5,), device=device),
        gg.random.bernoulli((9,), 0.3, device=device),
        gg.random.integers((5,), 0, 7, device=device),
        gg.random.permutation(11, device=device),
        F.dropout(gg.ones(40, device=device), 0.4),
    ]
    with gg.device(device):
        found.append(gg.nn.Linear(2, 2).weight.detach())
    data = gg.arange(12, device=device)
    found += [batch[0] for batch in DataLoader(TensorDataset(data), batch_size=5, shuffle=True)]
    return [x.cpu().numpy() for x in found]


def test_where_philox_does_not_compile_the_numbers_are_the_same(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    source = modules.source
    broken = lambda file, *a, **k: "this is no CUDA" if file == "philox.cu" else source(file, *a, **k)
    monkeypatch.setattr(modules, "source", broken)
    monkeypatch.setattr(modules, "_function", modules._function.__wrapped__)
    for name, empty in (("_modules", {}), ("failures", {}), ("_warned", set())):
        monkeypatch.setattr(modules, name, empty)
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    with caplog.at_level(logging.WARNING, "gpugrad"):
        for x, y in zip(drawn("cuda"), drawn("cpu"), strict=True):
            np.testing.assert_array_equal(x, y)
        normal = gg.random.normal((5,), device="cuda")
    assert normal.shape == (5,)
    test_booleans_from_a_state(32)
    test_booleans_from_a_state(64)
    said = [r.getMessage() for r in caplog.records if "philox.cu" in r.getMessage()]
    assert len(said) == len(modules.failures) == 2  # with a dtype and without
