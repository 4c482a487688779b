"""The checks of ops find what is wrong: an op, its rule, a kernel in one precision, an array in the wrong place."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from own_ops import own_op

import gpugrad as gg
from gpugrad.check import ops
from gpugrad.check.backend import CUPY, NUMPY, Backend, on
from gpugrad.check.large import LARGE
from gpugrad.check.records import CASES
from gpugrad.check.records.case import Case, call, examples, real
from gpugrad.check.result import Result, run
from gpugrad.families import REGISTRY

HERE = CUPY if CUPY.available else NUMPY


def checked(name: str, kind: str = "op") -> Result:
    (result,) = run([c for c in ops.checks() if (c.kind, c.name) == (kind, name)], HERE, lambda result: None)
    return result


@pytest.fixture
def instead(monkeypatch: pytest.MonkeyPatch) -> Callable[..., None]:
    """Put another kernel in the table of an op."""

    def put(name: str, kernel: Callable[..., Any]) -> None:
        table: Any = REGISTRY[name].kernels  # type: ignore[attr-defined]
        monkeypatch.setitem(table, type(HERE.asarray(np.ones(2))), kernel)

    return put


@pytest.mark.parametrize("name", ["exp", "divide", "sum", "take", "arange", "argsort", "cross_entropy"])
def test_right_ops_pass(name: str) -> None:
    found = checked(name)
    assert (found.status, found.message) == ("pass", "") and found.compared > 0 and found.error <= 1


@pytest.mark.parametrize("name", ["softmax", "multiply"])
def test_fused_ops_pass(name: str) -> None:
    assert checked(name, "fused").status == "pass"


def test_a_wrong_value_is_found(instead: Callable[..., None]) -> None:
    instead("isnan", lambda x: x != 0)
    found = checked("isnan")
    assert found.status == "fail" and found.message.startswith("isnan-0 in float64: ")


def test_a_kernel_that_is_wrong_in_one_precision_is_found(instead: Callable[..., None]) -> None:
    kernel: Any = REGISTRY["sin"].kernels[type(HERE.asarray(np.ones(2)))]  # type: ignore[attr-defined]
    instead("sin", lambda x: kernel(x) * (1.001 if x.dtype == np.float32 else 1.0))
    assert "in float32" in checked("sin").message


def test_a_dtype_that_changes_is_found(instead: Callable[..., None]) -> None:
    instead("cos", lambda x: (x * 0 + 1).astype(np.float64))
    assert checked("cos").status == "fail"


def test_a_wrong_rule_is_found() -> None:
    @own_op(x=lambda g, x: g * x)
    def halved(x: Any, /) -> Any:
        return x * 0.5

    case = Case("halved", [call(real(3))], lambda x: x * 0.5, function=halved)
    if HERE is NUMPY:  # against central differences
        with pytest.raises(AssertionError, match="the gradient along a random direction"):
            list(ops._example(examples([case])[0], HERE))
    else:  # against the CPU, where the rule is right

        @own_op(x=lambda g, x: g * (0.5 if isinstance(x, np.ndarray) else 0.4))
        def halved_there(x: Any, /) -> Any:
            return x * 0.5

        wrong = examples([replace(case, function=halved_there)])[0]
        assert any(error > 1 for what, error in ops._example(wrong, HERE) if "gradient" in what)


@pytest.mark.skipif(not CUPY.available, reason="needs CuPy")
def test_a_result_that_lands_elsewhere_is_found(instead: Callable[..., None]) -> None:
    instead("tan", lambda x: np.tan(x.get()))
    assert checked("tan").status in ("fail", "error")


def test_the_large_arrays_have_the_references_of_the_records() -> None:
    by_name = {case.name: case for case in reversed(CASES)}
    assert all(case.reference is by_name[case.name].reference for case in LARGE)
    assert all(
        sum(np.size(x) for x in e.arguments() if hasattr(x, "shape")) > 1000 for e in examples(LARGE) if e.case.name != "concat"
    )


def test_every_op_has_a_line() -> None:
    names = {c.name for c in ops.checks() if c.kind == "op"}
    assert set(REGISTRY) <= names and {"add", "zeros", "softmax"} <= names


def test_a_backend_of_a_device_makes_arrays_there() -> None:
    backend: Backend = on(HERE.device)
    assert backend.is_array(backend.asarray(np.ones(2))) and str(gg.asarray(backend.asarray(1.0)).device) == str(
        gg.device(backend.device)
    )
