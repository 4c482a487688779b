"""Debug mode: the op and the line of user code that produced the first nan or inf."""

from __future__ import annotations

import linecache
import os
import sys
from typing import Any

from gpugrad.arrays.devices import to_numpy
from gpugrad.arrays.dtypes import is_inexact
from gpugrad.arrays.explain import describe
from gpugrad.arrays.kernels import WEAK
from gpugrad.errors import AnomalyError
from gpugrad.tape import Tensor, raw

_PACKAGE = os.path.dirname(os.path.abspath(__file__)) + os.sep
GENERATED = "<gpugrad "


def caller() -> str:
    """The innermost line of code outside gpugrad: "model.py:12 in forward: y = gg.log(x)"."""
    frame = sys._getframe(1)
    while frame is not None:
        file = frame.f_code.co_filename
        if not file.startswith((_PACKAGE, GENERATED)):
            line = linecache.getline(file, frame.f_lineno).strip()
            return f"{file}:{frame.f_lineno} in {frame.f_code.co_name}" + (f": {line}" if line else "")
        frame = frame.f_back  # type: ignore[assignment]
    return "an unknown place"


def finite(x: Any) -> bool:
    """Whether nothing in `x` is nan or inf. Waits for the GPU."""
    x = raw(x)
    if type(x) in WEAK or not hasattr(x, "dtype") or not is_inexact(x.dtype):
        return True
    x = to_numpy(x)
    return bool((abs(x) < float("inf")).all())


def examine(result: Tensor, name: str, operands: tuple[Any, ...]) -> Tensor:
    """Remember the line of user code that called the op `name`; raise AnomalyError if it made the first nan or inf."""
    if result.node is not None:
        result.node.site = caller()
    if not finite(result) and all(map(finite, operands)):
        raise AnomalyError(
            f"{name}: the first nan or inf of the forward pass, from finite operands {', '.join(map(describe, operands))}, "
            f"was made at {caller()}"
        )
    return result


def examine_gradient(gradient: Any, incoming: Any, name: str, operand: str, site: str) -> None:
    """Raise AnomalyError if the gradient rule of `name` made the first nan or inf of a backward pass."""
    if not finite(gradient) and finite(incoming):
        where = f"the gradient of its operand {operand}" if operand else "one of its gradients"
        raise AnomalyError(f"{name}: the first nan or inf of the backward pass is in {where}; the op was called at {site}")
