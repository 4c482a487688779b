"""Elementwise nodes as C expressions, the same in C and in CUDA C++.

Names that start with ``gg_`` are functions of ``prelude.h`` and of ``maths.h``; under CUDA, ``cuda.h`` maps the latter to CUDA's
own. Values of 16 bits are computed with in float32 and rounded when they are stored, or cast to 16 bits on purpose.
"""

from __future__ import annotations

import math
from typing import Any

import numpy

from gpugrad.arrays.dtypes import DType
from gpugrad.compile.graph import Node, number
from gpugrad.errors import UntraceableError

_STORED = {
    "bool": "uint8_t", "int8": "int8_t", "int16": "int16_t", "int32": "int32_t", "int64": "int64_t", "uint8": "uint8_t",
    "uint16": "uint16_t", "uint32": "uint32_t", "uint64": "uint64_t", "float16": "gg_half", "bfloat16": "gg_bfloat16",
    "float32": "float", "float64": "double",
}  # fmt: skip

# By what they cost on a CPU, in additions; what is not here costs 1.
_COSTS = {
    "divide": 4, "sqrt": 4, "exp": 12, "expm1": 16, "log": 14, "log1p": 16, "log2": 14, "log10": 14, "tanh": 16, "sinh": 20, "cosh": 20,
    "sin": 20, "cos": 20, "tan": 30, "asin": 20, "acos": 20, "atan": 20, "atan2": 30, "asinh": 25, "acosh": 25, "atanh": 25, "erf": 18,
    "pow": 50, "hypot": 10, "logaddexp": 30, "remainder": 30, "floor_divide": 30, "nextafter": 20, "philox": 30, "gather": 3, "take": 3,
}  # fmt: skip

_OPERATORS = {
    "add": "{0} + {1}", "subtract": "{0} - {1}", "multiply": "{0} * {1}", "divide": "{0} / {1}", "negative": "-{0}", "positive": "{0}",
    "equal": "{0} == {1}", "not_equal": "{0} != {1}", "less": "{0} < {1}", "less_equal": "{0} <= {1}", "greater": "{0} > {1}",
    "greater_equal": "{0} >= {1}", "where": "{0} ? {1} : {2}", "logical_and": "{0} && {1}", "logical_or": "{0} || {1}",
    "logical_xor": "{0} != {1}", "logical_not": "!{0}", "bitwise_and": "{0} & {1}", "bitwise_or": "{0} | {1}",
    "bitwise_xor": "{0} ^ {1}", "isnan": "{0} != {0}",
}  # fmt: skip

_FLOATING = frozenset({
    "abs", "acos", "acosh", "asin", "asinh", "atan", "atan2", "atanh", "ceil", "copysign", "cos", "cosh", "erf", "exp", "expm1", "floor",
    "floor_divide", "hypot", "isfinite", "isinf", "log", "log10", "log1p", "log2", "logaddexp", "maximum", "minimum", "nextafter", "pow",
    "remainder", "round", "sign", "signbit", "sin", "sinh", "sqrt", "tan", "tanh", "trunc",
})  # fmt: skip
_INTEGER = frozenset(
    {"abs", "bitwise_left_shift", "bitwise_right_shift", "floor_divide", "maximum", "minimum", "remainder", "sign"}
)


def stored_type(dtype: DType) -> str:
    """The C type of an element in memory."""
    return _STORED[dtype.name]


def compute_type(dtype: DType) -> str:
    """The C type of a value of this dtype in a computation."""
    if dtype.kind == "b":
        return "int"
    return "float" if dtype.itemsize == 2 and dtype.kind not in "iu" else stored_type(dtype)


def suffix(dtype: DType) -> str:
    """What the names of functions for a dtype end in: f32, f64, i64, u8, ..."""
    if dtype.kind == "b":
        return "i32"
    if dtype.kind not in "iu":
        return "f64" if dtype.itemsize == 8 else "f32"
    return f"{dtype.kind}{8 * dtype.itemsize}"


def literal(value: Any, dtype: DType) -> str:
    """A number as a C constant of the type that `dtype` is computed in."""
    if dtype.kind == "b":
        return str(int(value))
    if dtype.kind in "iu":
        text = str(int(value))
        if dtype.itemsize < 8:
            return text if dtype.kind == "i" or dtype.itemsize < 4 else f"{text}u"
        if dtype.kind == "u":
            return f"{text}ull"
        return f"{text}ll" if int(value) != -(2**63) else "(-9223372036854775807ll - 1)"
    x = float(value)
    end = "" if dtype.itemsize == 8 else "f"
    if math.isnan(x):
        return f"gg_nan_{suffix(dtype)}"
    if math.isinf(x):
        return ("-" if x < 0 else "") + f"gg_inf_{suffix(dtype)}"
    text = repr(x) if dtype.itemsize == 8 else str(numpy.float32(x))
    return (text if any(c in text for c in ".e") else text + ".0") + end


def expression(node: Node, operands: list[str]) -> str:
    """The C expression of an elementwise node. Raises UntraceableError for an op that has none for this dtype."""
    if node.op == "weak":
        return f"({compute_type(node.dtype)}){operands[0]}"
    if node.op == "cast":
        return _cast(node.inputs[0].dtype, node.dtype, operands[0])
    dtype = node.inputs[-1].dtype  # of `where`, that of what is chosen from
    if node.op == "bitwise_invert":
        return f"!{operands[0]}" if dtype.kind == "b" else f"~{operands[0]}"
    if dtype.kind == "b" and node.op in ("maximum", "minimum", "multiply", "add"):
        return f"{operands[0]} {'|' if node.op in ('maximum', 'add') else '&'} {operands[1]}"
    if node.op in _OPERATORS and not (node.op == "divide" and dtype.kind in "iu"):
        text = _OPERATORS[node.op].format(*operands)
        narrow = dtype.kind in "iu" and dtype.itemsize < 4 and node.dtype == dtype and node.op != "where"
        return f"({stored_type(dtype)})({text})" if narrow else text  # C computes with int, NumPy wraps round
    if dtype.kind in "biu" and node.op in ("isfinite", "isinf"):
        return "1" if node.op == "isfinite" else "0"
    if dtype.kind in "iu" and node.op == "signbit":
        return f"{operands[0]} < 0"
    if node.op not in (_FLOATING if dtype.kind not in "biu" else _INTEGER):
        raise UntraceableError(f"{node.op} has no kernel for {dtype}")
    return f"gg_{node.op}_{suffix(dtype)}({', '.join(operands)})"


def _cast(source: DType, target: DType, x: str) -> str:
    if target.kind == "b":
        return f"{x} != 0"
    if target.kind not in "iu" and target.itemsize == 2:
        if source == target or source.kind == "b":
            return x
        return (
            f"gg_round_{target.name}({x if source.kind not in 'iu' else f'(float){x}'})"  # of integers in two steps, as NumPy
        )
    if target.kind in "iu" and source.kind not in "biu":
        return f"gg_to_{suffix(target)}({x})"
    return f"({compute_type(target)}){x}"


def cost(node: Node) -> int:
    """What an element of the node costs, about, in additions."""
    return _COSTS.get(node.op, 1)


def identity(kind: str, dtype: DType) -> str:
    """The value that a reduction starts with."""
    if kind in ("sum", "prod"):
        return literal(kind == "prod", dtype)
    if kind in ("any", "all"):
        return str(int(kind == "all"))
    low = kind == "max"
    if dtype.kind == "b":
        return str(int(not low))
    if dtype.kind in "iu":
        limits = numpy.iinfo(dtype)
        return literal(limits.min if low else limits.max, dtype)
    return ("-" if low else "") + f"gg_inf_{suffix(dtype)}"


def combine(kind: str, dtype: DType, a: str, b: str) -> str:
    """The expression that reduces two values to one."""
    if kind == "sum":
        return f"{a} + {b}"
    if kind == "prod":
        return f"{a} * {b}"
    if kind in ("any", "all"):
        return f"{a} {'|' if kind == 'any' else '&'} {b}"
    if dtype.kind == "b":
        return f"{a} {'|' if kind == 'max' else '&'} {b}"
    return f"gg_{kind}imum_{suffix(dtype)}({a}, {b})"


def number_text(node: Node) -> str:
    return literal(number(node), node.dtype)
