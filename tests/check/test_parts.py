"""Optimizers, random numbers, transfers and training: right here, and found where they are wrong."""

from __future__ import annotations

from typing import Any

import pytest

import gpugrad as gg
from gpugrad.check import parts
from gpugrad.check.backend import CUPY, NUMPY
from gpugrad.check.result import Result, run
from gpugrad.optim import Optimizer

HERE = CUPY if CUPY.available else NUMPY


def checked(kind: str) -> list[Result]:
    return run([c for c in parts.checks(HERE) if c.kind == kind], HERE, lambda result: None)


@pytest.mark.parametrize("kind", ["optimizer", "random", "transfer", "training", *(["gemm"] if CUPY.available else [])])
def test_they_pass(kind: str) -> None:
    found = checked(kind)
    assert found and {result.status for result in found} == {"pass"} and all(result.compared for result in found)


def test_every_optimizer_is_checked() -> None:
    classes = {getattr(gg.optim, name) for name in gg.optim.__all__}
    expected = {c for c in classes if isinstance(c, type) and issubclass(c, Optimizer) and c is not Optimizer}
    assert {type(make([gg.zeros((2, 2), device="cpu").requires_grad_()])) for make in parts.OPTIMIZERS.values()} == expected


def test_an_update_of_another_size_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    rates = iter([0.1, 0.1001, 0.1])  # the reference, then float64, then float32
    monkeypatch.setitem(parts.OPTIMIZERS, "SGD", lambda p: gg.optim.SGD(p, lr=next(rates)))
    assert [result.status for result in checked("optimizer") if result.name == "SGD"] == ["fail"]


def test_other_random_numbers_are_found(monkeypatch: pytest.MonkeyPatch) -> None:
    calls: list[Any] = []

    def other(generator: Any, n: int, device: str) -> Any:
        calls.append(n)
        return gg.asarray(generator.uniform(n, device=device) + 1e-7 * (len(calls) % 2))

    monkeypatch.setitem(parts.DRAWS, "uniform", other)
    assert [result.status for result in checked("random") if result.name == "uniform"] == ["fail"]


def test_losses_that_differ_are_found(monkeypatch: pytest.MonkeyPatch) -> None:
    found = parts.losses("cpu")
    runs = iter([found, [found[0], *(x + 0.01 for x in found[1:])]])
    monkeypatch.setattr(parts, "losses", lambda device: next(runs))
    (result,) = checked("training")
    assert result.status == "fail" and result.message.startswith("the loss of step 2")
