"""No way out of a Tensor that records loses its gradient in silence: what comes out records, or it raises, or it warns.

Only what is asked for by name is silent (``detach``, ``item``, ``tolist``, text), and what is locally constant, whose gradient is zero
(``int``, ``bool``, comparisons), as that of ``gg.floor`` is.
"""

from __future__ import annotations

import array
import cmath
import copy
import ctypes
import decimal
import fractions
import json
import math
import operator
import pickle
import statistics
import struct
import warnings
from collections.abc import Callable, Iterator
from types import ModuleType
from typing import Any

import numpy as np
import pytest

import gpugrad as gg

MODULES = {m.__name__: m for m in (array, copy, ctypes, decimal, fractions, json, math, operator, pickle, statistics, struct)}


def recorded() -> dict[str, Any]:
    """A leaf w, and results of it: a vector v, a number s."""
    w = gg.tensor(np.array([1.5, 2.5]), requires_grad=True)
    v = w * 3
    return {"w": w, "v": v, "s": v[0]}


def ask(text: str) -> tuple[Any, Any]:
    """The leaf, and what an expression of v and s is; its place, in messages, is this file."""
    names = recorded()
    scope = {"gg": gg, "np": np, "a": np.ones(2), "c": gg.asarray(np.ones(2)), **MODULES, **names}
    return names["w"], eval(compile(text, __file__, "eval"), scope)


def table(text: str) -> Any:
    return pytest.mark.parametrize("text", [line.strip() for line in text.strip().splitlines()])


def tensors(x: Any) -> Iterator[Any]:
    if isinstance(x, (list, tuple)) or hasattr(x, "__next__"):
        for part in x:
            yield from tensors(part)
    else:
        yield x


# One expression a line ------------------------------------------------------------------------------------------------


@table("""
    list(v)
    tuple(v)
    iter(v)
    reversed(v)
    zip(v, v)
    sorted(v)
    sum(v)
    max(v)
    math.prod(v)
    pow(s, 2)
    abs(v)
    +v
    copy.copy(v)
    copy.deepcopy(v)
    operator.itemgetter(0)(v)
    a * v
    a @ v
    a - v
    np.float64(2) ** v
    np.sum(v)
    np.mean(v)
    np.std(v, ddof=1)
    np.max(v)
    np.prod(v)
    np.real(v)
    np.squeeze(v)
    gg.asarray(v)
    gg.asarray([s, 1.0])
    gg.asarray([[s], [2.0]], dtype=gg.float32)
    gg.asarray(v, copy=True)
    gg.from_dlpack(v)
    gg.clip(c, s, 9.0)
    gg.where(c > 0, s, c)
    gg.unique_values(v)
    gg.diff(c, append=v)
    gg.broadcast_to(s, (2,))
    gg.full((2,), s)
    gg.full_like(c, s)
    gg.astype(v, gg.float16)
    v.to(gg.float32)
    v.clone()
    v.cpu()
""")
def test_what_comes_out_records(text: str) -> None:
    w, out = ask(text)
    (gradient,) = gg.gradients(sum(gg.sum(x) for x in tensors(out)), [w])
    assert gg.any(gradient != 0)


@table("""
    np.asarray(v)
    np.array(s)
    np.array(v, dtype=object)
    np.array([s, s])
    np.asarray([v, v])
    np.asarray([[s, 1.0]])
    np.asarray(list(v))
    np.ascontiguousarray(v)
    np.float32(v)
    np.from_dlpack(v)
    np.dot(a, v)
    np.where(a > 0, v, a)
    np.concatenate([v, v])
    np.random.default_rng(0).normal(s)
    a.__setitem__(slice(None), v)
    v.numpy()
    v.__dlpack__()
""")
def test_conversion_to_an_array_raises_and_names_the_line_that_asked(text: str) -> None:
    message = rf"{__file__}:1 in <module>.*this tensor records, and its gradient would be lost; .*\.detach\(\)"
    with pytest.raises(gg.ConversionError, match=message):
        ask(text)


@table("""
    np.stack([v, v])
    np.linalg.norm(v)
    np.cumsum(v)
    np.clip(v, 0, 1)
    np.full(3, s)
    np.interp(s, a, a)
    np.linspace(s, 2)
    np.vectorize(math.sin)(v)
    np.median(v)
""")
def test_inside_of_a_library_the_function_that_asked_is_named(text: str) -> None:
    """What keeps the gradient is said too: the functions of NumPy have their like in gpugrad."""
    with pytest.raises(
        gg.ConversionError, match=r"asked for at .*numpy.*\.py:\d+ in .*: .*records.*; use gpugrad's functions to keep it"
    ):
        ask(text)


@table("""
    memoryview(v)
    bytes(v)
    np.frombuffer(v)
    np.sin(v)
    np.add(a, v)
    np.multiply.reduce(v)
    np.clip(a, s, 2)
    round(s)
    math.trunc(s)
    divmod(s, 2)
    range(s)
    decimal.Decimal(s)
    fractions.Fraction(s)
    statistics.mean(v)
    json.dumps(s)
    pickle.dumps(v)
    gg.tensor(v)
    gg.tensor([s, 1.0])
    gg.linspace(s, 2.0, 3)
    gg.arange(s)
    gg.var(gg.ones(9), correction=s)
    gg.repeat(c, s)
    gg.nn.functional.dropout(c, s / 9)
    c[s]
    v.pin_memory()
    v.requires_grad_(False)
""")
def test_other_conversions_raise(text: str) -> None:
    with pytest.raises((TypeError, ValueError, gg.GpugradError)):
        ask(text)


@table("""
    float(s)
    complex(s)
    [float(x) for x in v]
    np.float64(s)
    math.sin(s)
    math.floor(s)
    math.fsum(v)
    math.isclose(s, 4.5)
    statistics.fmean(v)
    array.array("d", v)
    struct.pack("d", s)
    ctypes.c_double(s)
    "%f" % s
    a.__setitem__(0, s)
    a.fill(s)
    np.fromiter(v, float)
""")
def test_a_python_number_warns_and_names_the_line_that_asked(text: str) -> None:
    with pytest.warns(
        gg.DetachedWarning, match=r"(float|complex)\(\) of a tensor that records, at .*\.py:\d+ in .*say .item\(\)"
    ):
        ask(text)


@pytest.mark.parametrize(
    "text, expected",
    [
        ("s.item()", 4.5), ("v.tolist()", [4.5, 7.5]), ("f'{s:.2f}'", "4.50"), ("'%d' % s", "4"), ("int(s)", 4), ("bool(s)", True),
        ("s > 4", True), ("4.5 in v", True), ("any(v)", True), ("np.argmax(v).item()", 1), ("len(v)", 2), ("np.shape(v)", (2,)),
        ("v.detach().numpy().tolist()", [4.5, 7.5]), ("gg.stop_gradient(v).tolist()", [4.5, 7.5]),
        ("gg.astype(v, gg.int64).tolist()", [4, 7]), ("gg.asarray(v, dtype='bool').tolist()", [True, True]),
    ],
)  # fmt: skip
def test_what_is_asked_for_by_name_or_locally_constant_is_silent(text: str, expected: Any) -> None:
    assert ask(text)[1] == expected


def test_a_leaf_is_pickled_and_copied_as_a_leaf() -> None:
    w = recorded()["w"]
    for other in (pickle.loads(pickle.dumps(w)), copy.deepcopy(w)):
        assert other.requires_grad and other.is_leaf and other.node is not w.node


# Every function of a library --------------------------------------------------------------------------------------------

# Those that read and write files, print, run NumPy's tests, or change settings, as all whose name begins with set_ do.
LEFT_OUT = frozenset(
    "DataSource fromfile fromregex genfromtxt info load loadtxt memmap save savetxt savez savez_compressed setbufsize seterr "
    "seterrcall show_config show_runtime test backward Tensor".split()
)
CONSTANT_BY_NAME = frozenset("empty_like finfo full_like ones_like stop_gradient zeros_like".split())
ARGUMENTS: dict[str, Callable[[Any, Any], tuple[Any, ...]]] = {
    "v": lambda v, s: (v,),
    "s": lambda v, s: (s,),
    "v, v": lambda v, s: (v, v),
    "[s, s]": lambda v, s: ([s, s],),
    "[v, v]": lambda v, s: ([v, v],),
    "matrix": lambda v, s: (v * gg.asarray(np.array([[2.0, 1.0], [1.0, 3.0]])),),
}


def lost(x: Any) -> bool:
    """Whether x is, or holds, floating-point numbers that do not record."""
    if isinstance(x, gg.Tensor):
        return x.dtype.kind in "fc" and not x.requires_grad
    if isinstance(x, (np.ndarray, np.generic)):
        return x.dtype.kind in "fcO"
    if isinstance(x, (list, tuple)):
        return any(map(lost, x))
    return isinstance(x, (float, complex))


@pytest.mark.parametrize(
    "module", [np, np.linalg, np.fft, math, cmath, statistics, gg, gg.linalg, gg.fft, gg.special, gg.nn.functional],
    ids=lambda module: module.__name__,
)  # fmt: skip
def test_no_function_loses_a_gradient_in_silence(module: ModuleType) -> None:
    silent = []
    for name in sorted(set(dir(module)) - LEFT_OUT - CONSTANT_BY_NAME):
        function = getattr(module, name)
        if (
            name.startswith(("_", "set_"))
            or not callable(function)
            or (isinstance(function, type) and issubclass(function, Exception))
        ):
            continue
        for text, arguments in ARGUMENTS.items():
            names = recorded()
            with warnings.catch_warnings(record=True) as seen:
                warnings.simplefilter("always")
                try:
                    out = function(*arguments(names["v"], names["s"]))
                except Exception:
                    continue
            if lost(out) and not any(issubclass(w.category, gg.DetachedWarning) for w in seen):
                silent.append(f"{name}({text})")
    assert silent == []


# PyTorch and JAX, where they are installed ------------------------------------------------------------------------------


@pytest.mark.parametrize("text", ["torch.as_tensor(v)", "torch.tensor([v, v])", "torch.tensor(s)", "torch.ones(2) * v"])
def test_torch(text: str) -> None:
    torch = pytest.importorskip("torch")
    with pytest.raises((TypeError, gg.DeviceError)):
        eval(text, {"torch": torch, **recorded()})


@pytest.mark.parametrize("text", ["jnp.asarray(v)", "jnp.array([s, s])", "jnp.sin(v)", "jnp.ones(2) * v"])
def test_jax(text: str) -> None:
    jnp = pytest.importorskip("jax").numpy
    with pytest.raises((TypeError, gg.DeviceError)):
        eval(text, {"jnp": jnp, **recorded()})
