"""What an elementwise activation function is made of: a formula, and how a gradient passes through it."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from typing import Any

from gpugrad.errors import ConversionError
from gpugrad.families import fused
from gpugrad.nn.functional.precision import narrow, wide
from gpugrad.nn.functional.softmax import floating
from gpugrad.tape import Tensor, raw


def pointwise(name: str, formula: Callable[..., Any], rule: Callable[..., Any]) -> Callable[..., Any]:
    """The op ``formula(x, *options)``, one kernel each way; its gradient is ``rule(g, x, *options)``, linear in g.

    Both are written in ops. Numbers of 16 bits come as float32, and what is returned is rounded once.
    """
    parameters = list(inspect.signature(rule).parameters.values())

    def definition(x: Any, /, *options: Any) -> Any:
        """The formula, in float32 or wider."""
        return narrow(formula(wide(x), *options), x)

    def gradient(g: Any, x: Any, *options: Any) -> Any:
        """The rule, likewise."""
        return narrow(rule(wide(g), wide(x), *options), x)

    definition.__name__ = definition.__qualname__ = name
    # Which operands and options there are is read from signatures.
    definition.__signature__ = inspect.Signature(parameters[1:])  # type: ignore[attr-defined]
    gradient.__signature__ = inspect.Signature(parameters)  # type: ignore[attr-defined]
    op = fused(elementwise=True, x=gradient)(definition)

    def function(x: Any, *options: Any) -> Any:
        """The op of an input and options that are checked."""
        x = floating(x, None, name)
        return op(x, *(constant(option, name) for option in options)) if options else op(x)

    return function


def constant(option: Any, name: str) -> Any:
    """An option. Raises ConversionError for a Tensor that records: there is no gradient with respect to it."""
    if isinstance(option, Tensor) and option.node is not None:
        raise ConversionError(f"{name}: an option records, and its gradient would be lost; use .detach() to keep it constant")
    return raw(option)
