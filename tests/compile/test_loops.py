"""gpugrad.compile.loops and gpugrad.ops.large: NumPy's own loops on several threads."""

from __future__ import annotations

import subprocess
import sys
import warnings
from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest

import gpugrad as gg
from gpugrad.compile import loops
from gpugrad.compile.runtime import launcher
from gpugrad.families import TABLES
from gpugrad.ops import large

pytestmark = pytest.mark.skipif(launcher() is None, reason="there is no C compiler")

UFUNCS = sorted(
    (f for name in TABLES if isinstance(f := getattr(np, name, None), np.ufunc) and f.signature is None),
    key=lambda f: f.__name__,
)
SIZE = 1 << 15  # enough for several parts, once the estimated time is long enough


@pytest.fixture(autouse=True)
def many_parts(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Small arrays count as large, and are shared among threads."""
    monkeypatch.setattr(large, "SMALLEST", 64)
    monkeypatch.setattr(loops, "_NANOSECONDS", 100.0)
    loops._plan.cache_clear()
    before = gg.get_num_threads()
    gg.set_num_threads(3)
    yield
    gg.set_num_threads(before)
    loops._plan.cache_clear()


def given(size: int, kind: str, seed: int = 0) -> Any:
    """Numbers of all sizes, zeros, infinities and nans."""
    x = np.random.default_rng(seed).standard_normal(size) * 10.0 ** np.random.default_rng(seed + 1).integers(-3, 3, size)
    x[::97], x[::101], x[::103] = 0, np.inf, np.nan
    return x.astype(kind)


def same(found: Any, expected: Any) -> bool:
    """Whether these are the same to the last bit."""
    return (found.dtype, found.shape, found.tobytes()) == (expected.dtype, expected.shape, expected.tobytes())


@pytest.mark.parametrize("kind", ["f", "d"])
@pytest.mark.parametrize("ufunc", UFUNCS, ids=lambda f: f.__name__)
def test_the_result_is_numpys_to_the_last_bit(ufunc: Any, kind: str) -> None:
    x, y = given(SIZE + 5, kind), given(SIZE + 5, kind, 7)
    others = [y, np.asarray(y[3]), np.broadcast_to(y[3], y.shape), y[4], 2, 0.5] if ufunc.nin == 2 else [None]
    threaded = loops.on_threads(ufunc, 64)
    kinds = kind * ufunc.nin
    for other in others:
        for operands in [(x,)] if other is None else [(x, other), (other, x)]:
            with np.errstate(all="ignore"):
                try:
                    expected = ufunc(*operands)
                except TypeError:
                    with pytest.raises(TypeError):
                        threaded(*operands)
                    continue
                assert same(threaded(*operands), expected)
                by_loop = any(types.startswith(f"{kinds}->") for types in ufunc.types)
                assert (loops._computed(ufunc, operands) is not None) == by_loop


def test_what_is_left_to_numpy() -> None:
    x = given(SIZE, "d").reshape(64, -1)
    kept = [
        (x.T, x.T), (x[:, ::2], x[:, ::2]), (x, x[0]), (x, x[:, :1]), (x, x.astype("f")), (np.arange(SIZE), np.arange(SIZE)),
        (x, 1j), (x, True), (x, 1e300), (x.astype("e"), 2.0), (x.astype(">f8"), x.astype(">f8")), (x.astype("D"), x),
    ]  # fmt: skip
    threaded = loops.on_threads(np.add, 64)
    for operands in kept:
        assert loops._computed(np.add, operands) is None
        with np.errstate(all="ignore"):
            assert same(threaded(*operands), np.add(*operands))
    assert type(threaded(np.asarray([1.0]).view(np.recarray), 1.0)) is np.recarray


def test_exceptions_of_arithmetic_are_numpys() -> None:
    ones, zeros = np.ones(SIZE), np.zeros(SIZE)
    zeros[:-1] = 1
    divide = loops.on_threads(np.divide, 64)
    with pytest.warns(RuntimeWarning, match="divide by zero encountered in divide") as told:
        assert divide(ones, zeros)[-1] == np.inf
    assert len(told) == 1
    with np.errstate(divide="raise"), pytest.raises(FloatingPointError, match="divide by zero"):
        divide(ones, zeros)
    with pytest.warns(RuntimeWarning, match="overflow encountered in multiply"):
        loops.on_threads(np.multiply, 64)(ones * 1e300, 1e20)
    with pytest.warns(RuntimeWarning, match="invalid value encountered in sqrt"):
        loops.on_threads(np.sqrt, 64)(-ones)
    with warnings.catch_warnings(), np.errstate(divide="ignore"):
        warnings.simplefilter("error")
        assert loops._computed(np.divide, (ones, zeros))[-1] == np.inf
        assert divide(ones * 1e-300, 1e300)[0] == 0  # underflow, which NumPy ignores unless it is told otherwise
    with np.errstate(under="raise"), pytest.raises(FloatingPointError, match="underflow"):
        divide(ones * 1e-300, 1e300)


def test_adding_in_place() -> None:
    large.share()
    x, y = given(SIZE, "d").reshape(32, -1), given(SIZE, "d", 5).reshape(32, -1)
    for where in (..., slice(3, 9), (slice(None), slice(1, None, 2)), 4, (2, 3), x > 0, np.s_[:, None]):
        found, expected = x.copy(), x.copy()
        large.add_at(found, y[where], where)
        expected[where] += y[where]
        assert same(found, expected)


@pytest.mark.parametrize("ufunc", [np.matmul, np.modf, np.frompyfunc(abs, 1, 1)], ids=lambda f: f.__name__)
def test_a_ufunc_without_such_loops(ufunc: Any) -> None:
    assert loops._loops(ufunc) == {}


# The ops that are shared --------------------------------------------------------------------------------------------

PROGRAM = """
import numpy as np
import gpugrad as gg
from gpugrad.families import TABLES
x = gg.tensor([1.0], requires_grad=True)
gg.sum(gg.exp(x) * x).backward()
print(TABLES["multiply"][np.ndarray] is np.multiply)
gg.set_num_threads(1)
gg.tensor(np.ones(1 << 20))
print(TABLES["multiply"][np.ndarray] is np.multiply)
gg.set_num_threads(2)
gg.tensor(np.ones(1 << 20))
print(TABLES["multiply"][np.ndarray] is np.multiply)
"""


def test_the_kernel_is_numpys_function_before_there_are_a_large_array_and_two_threads() -> None:
    done = subprocess.run([sys.executable, "-c", PROGRAM], capture_output=True, text=True, check=True)
    assert done.stdout.split() == ["True", "True", "False"]


@pytest.mark.parametrize("kind", ["f", "d"])
@pytest.mark.parametrize(
    "name", ["add", "subtract", "multiply", "divide", "pow", "exp", "tanh", "sqrt", "maximum", "hypot", "arctan2"]
)
def test_gradients_are_those_of_one_thread(name: str, kind: str, monkeypatch: pytest.MonkeyPatch) -> None:
    large.share()
    monkeypatch.setattr("gpugrad.sweep.SMALLEST", 64)
    function = getattr(gg, {"arctan2": "atan2"}.get(name, name))
    binary = getattr(np, name).nin == 2
    x, y = (np.abs(np.random.default_rng(seed).standard_normal(SIZE)).astype(kind) + 1 for seed in (0, 1))

    def gradients() -> list[Any]:
        operands = [gg.tensor(array, requires_grad=True) for array in ([x, y] if binary else [x])]
        loss = gg.sum(function(*operands) * gg.tensor(y)) + gg.sum(function(*(z[5:] for z in operands)))
        return [g.array for g in gg.gradients(loss, operands)]

    shared = gradients()
    gg.set_num_threads(1)
    alone = gradients()
    assert len(shared) == 1 + binary
    assert all(map(same, shared, alone))
