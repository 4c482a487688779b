"""A pytest plugin for machines where nothing can be installed: ``python -m pytest -p benchmarks.pytest_gpu tests``.

Tests that need hypothesis or array-api-strict are skipped, with that reason, where it is missing, instead of failing the
whole suite on import. And the summary says how many tests ran on CuPy.
"""

from __future__ import annotations

import importlib.util
import sys
import types
from typing import Any

import pytest

_STRICT = "array-api-strict"


_running = False  # whether a test runs, rather than is collected


class Absent(types.ModuleType):
    """In place of a module that is not installed: while tests are collected it has everything; a test that uses it is skipped."""

    def __getattr__(self, name: str) -> Any:
        if name == "__all__":
            return []
        if name.startswith("__"):  # what Python itself looks for in modules
            raise AttributeError(name)
        return _Anything(self.__name__.partition(".")[0])


class _Anything:
    """Can be called and decorated with; the result is again such a thing, or the decorated function."""

    def __init__(self, library: str) -> None:
        self._library = library

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        decorates = len(args) == 1 and not kwargs and isinstance(args[0], types.FunctionType)
        return args[0] if decorates and args[0].__name__.startswith("test") else self

    def __getattr__(self, name: str) -> Any:
        if _running:
            pytest.skip(f"{self._library} is not installed")
        if name.startswith("__"):
            raise AttributeError(name)
        return self

    def __or__(self, other: Any) -> Any:
        return self


def _given(*args: Any, **kwargs: Any) -> Any:
    return pytest.mark.skip(reason="hypothesis is not installed")


def _absent(name: str) -> bool:
    """Put a stub in the place of a module, if it is missing. Returns whether it is."""
    if name in sys.modules or importlib.util.find_spec(name) is not None:
        return isinstance(sys.modules.get(name), Absent)
    module = Absent(name)
    module.__path__ = []
    sys.modules[name] = module
    return True


if _absent("hypothesis"):
    hypothesis = sys.modules["hypothesis"]
    hypothesis.given = _given  # type: ignore[attr-defined]
    for part in ("strategies", "extra", "extra.numpy", "extra.array_api", "stateful"):
        sys.modules[f"hypothesis.{part}"] = module = Absent(f"hypothesis.{part}")
        module.__path__ = []
        if "." not in part:
            setattr(hypothesis, part, module)
_STRICT_ABSENT = _absent("array_api_strict")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Skip what would run on array-api-strict, and the tests that take the standard itself from it, if it is missing."""
    if _STRICT_ABSENT:
        for item in items:
            if _STRICT in item.nodeid or "test_registry.py" in item.nodeid:
                item.add_marker(pytest.mark.skip(reason=f"{_STRICT} is not installed"))


def pytest_runtest_setup() -> None:
    """From here on, what asks a stub for anything is a test."""
    global _running
    _running = True


def pytest_terminal_summary(terminalreporter: Any) -> None:
    """One line: what ran on CuPy. Tests name the backend in their parameters."""
    counts = {
        outcome: sum("cupy" in report.nodeid or "cuda" in report.nodeid for report in terminalreporter.getreports(outcome))
        for outcome in ("passed", "failed", "error", "skipped")
    }
    terminalreporter.write_line("on CuPy: " + ", ".join(f"{count} {outcome}" for outcome, count in counts.items()))
