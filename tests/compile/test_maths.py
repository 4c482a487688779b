"""The elementary functions of gpugrad/compile/maths.h: error in ulp against libm in higher precision, special values, vectorisation.

The bounds are read from the table at the head of the header, so that what it states is what is tested.
"""

from __future__ import annotations

import ctypes
import os
import re
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pytest

import gpugrad

HEADER = Path(gpugrad.__file__).parent / "compile" / "maths.h"
COMPILER = shutil.which(os.environ.get("CC", "cc"))
FLAGS = (
    "-std=gnu11 -O3 -fPIC -shared -fopenmp-simd -fno-math-errno -fno-trapping-math -ffp-contract=off -fwrapv -fno-strict-aliasing -w"
).split()
BUILDS = {"native": ["-march=native"], "portable": []}  # with and without the machine's extensions, such as FMA

TWO_ARGUMENTS = ("atan2", "pow", "hypot", "logaddexp")
ODD = ("sin", "tan", "asin", "atan", "sinh", "tanh", "asinh", "atanh", "erf", "expm1", "log1p")  # or with f(-0) = -0
SINGLE, DOUBLE = np.dtype(np.float32), np.dtype(np.float64)
SUFFIX = {SINGLE: "f32", DOUBLE: "f64"}
C_TYPE = {SINGLE: ("float", "double", ""), DOUBLE: ("double", "long double", "l")}
WIDER = {SINGLE: np.dtype(np.float64), DOUBLE: np.dtype(np.longdouble)}

pytestmark = pytest.mark.skipif(COMPILER is None, reason="there is no C compiler")


class Bound(NamedTuple):
    """One row of the header's table: the largest error stated for each type, and whether the float64 function is libm's."""

    f32: float
    f64: float
    scalar_f64: bool


def bounds() -> dict[str, Bound]:
    rows = re.findall(r"^ \*   (\w+) +(\d\.\d+) +(\d\.\d+)( +libm)?", HEADER.read_text(encoding="utf-8"), flags=re.MULTILINE)
    return {name: Bound(float(single), float(double), bool(libm)) for name, single, double, libm in rows}


BOUNDS = bounds()
CASES = [(name, dtype) for name in BOUNDS for dtype in (SINGLE, DOUBLE)]
cases = pytest.mark.parametrize("name,dtype", CASES, ids=[f"{name}_{SUFFIX[dtype]}" for name, dtype in CASES])


def driver() -> str:
    """For each function a loop over gg_<name> and one over libm's function in the next wider type, each on one line."""
    lines = ["#define _GNU_SOURCE", f'#include "{HEADER}"']
    for kind, suffix in (("double", ""), ("long double", "l")):
        lines.append(f"static {kind} sigmoid{suffix}({kind} x) {{ return 1 / (1 + exp{suffix}(-x)); }}")
        lines.append(
            f"static {kind} logaddexp{suffix}({kind} x, {kind} y) {{ return x == y ? x + log{suffix}(({kind})2) : "
            f"fmax{suffix}(x, y) + log1p{suffix}(exp{suffix}(-fabs{suffix}(x - y))); }}"
        )
    for name, dtype in CASES:
        kind, wide, suffix = C_TYPE[dtype]
        second = ", y[j]" if name in TWO_ARGUMENTS else ""
        wide_second = f", ({wide})y[j]" if second else ""
        arguments = f"const {kind} *restrict x, const {kind} *restrict y"
        key = f"{name}_{SUFFIX[dtype]}"
        lines.append(
            f'void run_{key}({arguments}, {kind} *restrict out, int64_t n) {{ _Pragma("omp simd") '
            f"for (int64_t j = 0; j < n; ++j) out[j] = gg_{key}(x[j]{second}); }}"
        )
        lines.append(
            f"void ref_{key}({arguments}, {wide} *restrict out, int64_t n) {{ "
            f"for (int64_t j = 0; j < n; ++j) out[j] = {name}{suffix}(({wide})x[j]{wide_second}); }}"
        )
    return "\n".join(lines) + "\n"


class Library(NamedTuple):
    """The compiled driver and what the compiler said about its loops."""

    handle: ctypes.CDLL
    source: str
    report: str
    build: str

    def call(self, kind: str, name: str, x: np.ndarray, y: np.ndarray | None = None) -> np.ndarray:
        """out = gg_<name>(x[, y]) for kind "run", libm's value in the next wider type for kind "ref"."""
        x = np.ascontiguousarray(x)
        y = x if y is None else np.ascontiguousarray(y)
        out = np.empty(x.shape, x.dtype if kind == "run" else WIDER[x.dtype])
        function: Callable[..., None] = getattr(self.handle, f"{kind}_{name}_{SUFFIX[x.dtype]}")
        function(*(ctypes.c_void_p(a.ctypes.data) for a in (x, y, out)), ctypes.c_int64(x.size))
        return out


@pytest.fixture(scope="module", params=BUILDS)
def library(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Library:
    folder = tmp_path_factory.mktemp("maths")
    source, binary = folder / "driver.c", folder / "driver.so"
    source.write_text(driver(), encoding="utf-8")
    command = [str(COMPILER), *FLAGS, *BUILDS[request.param], "-fopt-info-vec-optimized", str(source), "-o", str(binary), "-lm"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if "fopt-info" in done.stderr and done.returncode:  # a compiler other than GCC
        command.remove("-fopt-info-vec-optimized")
        done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return Library(ctypes.CDLL(str(binary)), source.read_text(encoding="utf-8"), done.stderr, request.param)


def samples(name: str, dtype: np.dtype, count: int) -> list[np.ndarray]:
    """Bit patterns spread over all exponents, and dense samples where the functions have their branches."""
    rng = np.random.default_rng([len(name), *name.encode()])
    word = np.uint32 if dtype == SINGLE else np.uint64

    def bits() -> np.ndarray:
        return rng.integers(0, np.iinfo(word).max, count, dtype=word, endpoint=True).view(dtype)

    with np.errstate(all="ignore"):  # signalling NaN, infinite ratios
        if name == "logaddexp":
            near = rng.uniform(-30, 30, count)
            return [
                np.concatenate([near, rng.uniform(-900, 900, count)]),
                np.concatenate([near + rng.normal(0, 3, count), bits()]),
            ]
        if name in TWO_ARGUMENTS:
            wide = np.exp2(rng.uniform(-30, 30, count))
            power = rng.uniform(-1, 1, count) * (1200 if dtype == DOUBLE else 160) / np.abs(np.log2(wide))
            x, y = [bits(), rng.uniform(-5, 15, count), wide], [bits(), rng.uniform(-40, 40, count), power]
            return [np.concatenate(a) for a in (x, y)]
        dense = [rng.uniform(-1.05, 1.05, count // 4), rng.uniform(-8, 8, count // 4), rng.uniform(-800, 800, count // 4)]
        near_one = 1 + np.exp2(rng.uniform(-20, 10, count // 4)) * rng.choice([-0.5, 1], count // 4)
        return [np.concatenate([bits(), *dense, near_one])]


def ulps(got: np.ndarray, reference: np.ndarray, scale: np.ndarray) -> np.ndarray:
    """|got - reference| in units in the last place of scale; infinity counts as the first number that is too large."""
    info = np.finfo(got.dtype)
    top = np.ldexp(WIDER[got.dtype].type(1), info.maxexp)
    exponent = np.maximum(np.frexp(np.minimum(np.abs(scale), info.max))[1], info.minexp + 1) - info.nmant - 1
    difference = np.clip(got.astype(reference.dtype), -top, top) - np.clip(reference, -top, top)
    error = np.abs(np.ldexp(difference, -exponent))
    error[np.isnan(got) & np.isnan(reference)] = 0
    return np.where(np.isnan(error), np.inf, error)


def test_the_header_states_a_bound_for_each_function() -> None:
    text = HEADER.read_text(encoding="utf-8")
    public = {
        name
        for name, _ in re.findall(r"^GG_FN (?:float|double) gg_(\w+)_(f32|f64)\((?:float|double) [xy]\b", text, re.MULTILINE)
    }
    internal = {"clamp", "exp_n", "exp_r", "log_edges", "log_base", "from_bits"}
    assert set(BOUNDS) == public - internal
    assert all(f"gg_{name}_{suffix}(" in text for name in BOUNDS for suffix in ("f32", "f64"))
    assert max(max(row.f32, row.f64) for row in BOUNDS.values()) <= 4


@cases
def test_the_error_is_within_the_stated_bound(library: Library, name: str, dtype: np.dtype) -> None:
    if WIDER[dtype] == DOUBLE and dtype == DOUBLE:
        pytest.skip("long double is double here: there is nothing to compare float64 with")
    count = (600_000 if dtype == SINGLE else 100_000) // (1 if library.build == "native" else 4)
    arguments = [a.astype(dtype) for a in samples(name, dtype, count)]
    with np.errstate(all="ignore"):
        got, reference = library.call("run", name, *arguments), library.call("ref", name, *arguments)
        scale = reference
        if name == "logaddexp":  # a sum of terms of both signs is exact to the larger term only
            scale = np.maximum(np.abs(reference), np.maximum(*(np.abs(a) for a in arguments)))
        error = ulps(got, reference, scale)
        worst = int(np.argmax(error))
    where = [float(a[worst]) for a in arguments]
    assert error[worst] <= getattr(BOUNDS[name], SUFFIX[dtype]), f"{name}{where} = {got[worst]!r}, not {reference[worst]!r}"


def specials(dtype: np.dtype) -> np.ndarray:
    info = np.finfo(dtype)
    positive = [0, info.smallest_subnormal, info.tiny, 0.5, 1, 2, 3, 4, 5, 2.5, 1000.5, 2.0**info.nmant, 2.0**info.nmant + 1]
    positive += [2.0 ** (info.nmant + 1) - 1, 2.0 ** (info.nmant + 1), 2.0**60, float(info.max) / 2, float(info.max), np.inf]
    values = np.array(positive, dtype)
    return np.concatenate([values, -values, np.array([np.nan], dtype)])


@cases
def test_special_values_are_those_of_c99(library: Library, name: str, dtype: np.dtype) -> None:
    """Zeros with their sign, infinities, NaN: where libm's value, rounded, is one of them, and nowhere else."""
    with np.errstate(all="ignore"):
        x = specials(dtype)
        arguments = [x]
        if name in TWO_ARGUMENTS:
            arguments = [a.ravel() for a in np.meshgrid(x, x)]
        got = library.call("run", name, *arguments)
        expected = (np.logaddexp(*arguments) if name == "logaddexp" else library.call("ref", name, *arguments)).astype(dtype)
        if name in ("sin", "cos", "tan"):
            assert np.isnan(got[np.isinf(x)]).all()
        special = ~np.isfinite(expected) | (expected == 0)
        same = (np.isnan(got) & np.isnan(expected)) | ((got == expected) & (np.signbit(got) == np.signbit(expected)))
        wrong = np.flatnonzero((special & ~same) | (~special & ~np.isfinite(got)))
    assert special.any()
    assert wrong.size == 0, [([float(a[i]) for a in arguments], got[i], expected[i]) for i in wrong[:8]]


@cases
def test_a_value_does_not_depend_on_its_place_in_the_loop(library: Library, name: str, dtype: np.dtype) -> None:
    """Vector body and scalar remainder give the same bits."""
    arguments = [a[::50].astype(dtype)[:257] for a in samples(name, dtype, 4096)]
    arguments = [np.where(np.isfinite(a), a, 1).astype(dtype) for a in arguments]
    whole = library.call("run", name, *arguments)
    single = [library.call("run", name, *(a[i : i + 1] for a in arguments))[0] for i in range(whole.size)]
    np.testing.assert_array_equal(whole, np.array(single, dtype))


@pytest.mark.parametrize("dtype", [SINGLE, DOUBLE], ids=["f32", "f64"])
@pytest.mark.parametrize("name", ODD)
def test_minus_zero_and_tiny_arguments_pass_through(library: Library, name: str, dtype: np.dtype) -> None:
    """f(x) = x to the last bit where x^2 is negligible, but for erf, whose slope at 0 is 2 / sqrt(pi)."""
    tiny = np.finfo(dtype).smallest_subnormal
    x = np.array([0.0, -0.0, tiny, -tiny, 12345 * tiny, np.finfo(dtype).tiny, -(2.0**-60)], dtype)
    got = library.call("run", name, x)
    np.testing.assert_array_equal(np.signbit(got), np.signbit(x))
    if name == "erf":
        np.testing.assert_array_max_ulp(got, library.call("ref", name, x).astype(dtype), maxulp=1)
    else:
        np.testing.assert_array_equal(got, x)


def test_the_loops_are_vectorised_but_for_those_stated(library: Library) -> None:
    """SSE2 alone can neither round in double nor compare 64-bit integers: there some functions more stay scalar."""
    if "loop vectorized" not in library.report:
        pytest.skip("the compiler does not report what it vectorises")
    lines = library.source.splitlines()
    vectorised = {
        lines[int(number) - 1] for number in re.findall(r"driver\.c:(\d+):\d+: optimized: loop vectorized", library.report)
    }
    scalar = {line.split("(")[0] for line in lines if line.startswith("void run_") and line not in vectorised}
    libm = {f"void run_{name}_f64" for name, row in BOUNDS.items() if row.scalar_f64}
    beyond_sse2 = {f"void run_{key}" for key in ("sin_f32", "cos_f32", "tan_f32", "pow_f32", "atan2_f64")}
    assert libm <= scalar <= libm | (beyond_sse2 if library.build == "portable" else set())
