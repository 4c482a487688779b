"""The graph of a traced function: nodes with a dtype and a shape, shared where they are equal, constants folded.

Inputs of elementwise nodes broadcast as arrays do, aligned at their last axes; ``Node.shape`` says the shape of the result.

========== ======================================= =================================================================
op         attributes                              meaning
========== ======================================= =================================================================
input      number, contiguous                      an array argument
scalar     number                                  a Python float argument: a float64 of shape () until it meets an array
constant   the number                              of shape ()
size       the polynomial                          a size, as an int64 of shape ()
cast                                               to the node's dtype
weak                                               a number as one of 16 bits, not rounded
broadcast                                          to the node's shape
reshape                                            to the node's shape, in row-major order
permute    axes                                    axis i is axis ``axes[i]`` of the input
slice      ((start, step), ...)                    element i of an axis is element ``start + i * step`` of the input's
pad        ((start, step), ...)                    the transpose of slice: element i is element ``start + i * step``, others are 0
iota                                               0, 1, 2, ...
gather     axis                                    x at integer positions along an axis; the positions have x's other axes
take       axis                                    x at integer positions along an axis; the positions' axes take its place
philox                                             random integers of 32 or 64 bits from a state on: see ``philox.h``
reduce     kind, axes                              sum, prod, max, min, any or all over axes, which go
call       name, options                           a function outside the kernels, such as matmul
any other                                          the elementwise function of that name in the standard
========== ======================================= =================================================================

Simplifications keep what IEEE 754 says: ``x * 1`` is x, but ``x + 0`` is not (-0.0 + 0.0 is 0.0), and nothing is reordered.
"""

from __future__ import annotations

import functools
import math
from collections.abc import Iterable, Sequence
from typing import Any

import numpy

from gpugrad.arrays.dtypes import DType, is_inexact
from gpugrad.compile.sizes import Polynomial, Size, polynomial, same, text

Shape = tuple[Any, ...]  # of int and Size

LEAVES = frozenset({"input", "scalar", "constant", "size", "iota"})
VIEWS = frozenset({"broadcast", "reshape", "permute", "slice"})
STRUCTURAL = LEAVES | VIEWS | {"gather", "pad", "philox", "reduce", "take", "call"}
BOOL = numpy.dtype(bool)
INT64 = numpy.dtype("int64")
FLOAT64 = numpy.dtype("float64")


class Node:
    """One value of a graph. `number` is its place in the order of creation, in which inputs come first."""

    __slots__ = ("attributes", "dtype", "inputs", "number", "op", "shape")

    def __init__(self, number: int, op: str, inputs: tuple[Node, ...], attributes: tuple[Any, ...], dtype: DType, shape: Shape):
        self.number = number
        self.op = op
        self.inputs = inputs
        self.attributes = attributes
        self.dtype = dtype
        self.shape = shape

    @property
    def elementwise(self) -> bool:
        """Whether an element depends on the same element of each input alone."""
        return self.op not in STRUCTURAL

    def __repr__(self) -> str:
        return f"t{self.number}"


class Graph:
    """Nodes, each made once."""

    def __init__(self) -> None:
        self._nodes: dict[Any, Node] = {}

    def __len__(self) -> int:
        return len(self._nodes)

    def node(
        self, op: str, inputs: Sequence[Node] = (), attributes: tuple[Any, ...] = (), *, dtype: DType, shape: Shape
    ) -> Node:
        """The node of these properties: an equal one if there is one."""
        inputs = tuple(inputs)
        key = (op, tuple(x.number for x in inputs), attributes, dtype, shape_key(shape))
        found = self._nodes.get(key)
        if found is None:
            found = self._nodes[key] = Node(len(self._nodes), op, inputs, attributes, dtype, tuple(shape))
        return found

    # Leaves ----------------------------------------------------------------------------------------------------------

    def constant(self, number: Any, dtype: DType) -> Node:
        """A number, in a dtype that can hold it. Raises OverflowError if it cannot."""
        scalar = dtype.type(number)
        if dtype.itemsize == 2 and is_inexact(dtype) and numpy.isfinite(scalar):
            scalar = numpy.float32(number)  # computed with in float32, so there is no need to round it to 16 bits first
        # repr tells 0.0 from -0.0 and True from 1, which are equal as keys; nan is not even equal to itself.
        return self.node("constant", (), (repr(scalar.item()), _Number(scalar)), dtype=dtype, shape=())

    def size(self, size: int | Size) -> Node:
        if not isinstance(size, Size):
            return self.constant(size, INT64)
        return self.node("size", (), (size.polynomial, _Number(size)), dtype=INT64, shape=())

    # Elementwise -----------------------------------------------------------------------------------------------------

    def cast(self, x: Node, dtype: DType) -> Node:
        if x.dtype == dtype:
            return x
        if x.op == "constant":
            with numpy.errstate(all="ignore"):
                return self.constant(number(x).astype(dtype), dtype)
        if x.op == "cast" and x.inputs[0].dtype == dtype and numpy.can_cast(dtype, x.dtype):
            return x.inputs[0]  # widened and back
        if x.op == "broadcast":
            return self.broadcast(self.cast(x.inputs[0], dtype), x.shape)
        return self.node("cast", (x,), dtype=dtype, shape=x.shape)

    def weak(self, x: Node, dtype: DType) -> Node:
        """A number in the dtype of the array beside it; of 16 bits, which are computed with in float32, it is not rounded to these."""
        if dtype.itemsize > 2 or not is_inexact(dtype) or x.op == "constant":
            return self.cast(x, dtype)
        return self.node("weak", (x,), dtype=dtype, shape=x.shape)

    def apply(self, op: str, inputs: Sequence[Node], dtype: DType, shape: Shape) -> Node:
        """An elementwise op whose inputs have the dtypes that it computes in."""
        inputs = tuple(_unbroadcast(x) for x in inputs)
        if all(x.op == "constant" for x in inputs):
            with numpy.errstate(all="ignore"):
                out = self.constant(getattr(numpy, op)(*map(number, inputs)), dtype) if op not in _OWN else None
            if out is not None:
                return self.broadcast(out, shape)
        simpler = self._simpler(op, inputs)
        if simpler is not None and simpler.dtype == dtype:
            return self.broadcast(simpler, shape)
        return self.node(op, inputs, dtype=dtype, shape=shape)

    def _simpler(self, op: str, inputs: tuple[Node, ...]) -> Node | None:
        """What is equal to the op of these inputs, in the sense of IEEE 754 too."""
        x = inputs[0]
        if op == "positive":
            return x
        if op == "negative" and x.op == "negative":
            return x.inputs[0]
        if op in ("real", "conj"):  # of real arrays, as all are here
            return x
        if op == "where":
            if x.op == "constant":
                return inputs[1 if number(x) else 2]
            return inputs[1] if inputs[1] is inputs[2] else None
        if len(inputs) != 2 or x.dtype.kind not in "fiu":
            return None
        y = inputs[1]
        if op == "multiply" and x.op == "constant":
            x, y = y, x
        if y.op != "constant":
            return None
        c = number(y)
        if op in ("multiply", "divide", "pow") and c == 1:
            return x
        if op == "multiply" and c == -1 and x.dtype.kind == "f":
            return self.node("negative", (x,), dtype=x.dtype, shape=x.shape)
        if op == "divide" and x.dtype.kind == "f" and c != 0 and math.isfinite(c) and abs(math.frexp(c)[0]) == 0.5:
            inverse = 1 / float(c)
            if abs(inverse) >= numpy.finfo(x.dtype).smallest_normal and math.isfinite(x.dtype.type(inverse)):
                return self.apply("multiply", (x, self.constant(inverse, x.dtype)), x.dtype, x.shape)
        if op == "pow" and (c == 2 or (x.dtype.kind in "iu" and c >= 0)):
            return self._power(x, int(c))
        if (op == "subtract" and c == 0 and not numpy.signbit(c)) or (op == "add" and c == 0 and numpy.signbit(c)):
            return x
        if op in ("add", "subtract") and c == 0 and x.dtype.kind in "iu":
            return x
        return None

    def _power(self, x: Node, exponent: int) -> Node:
        """x to an integer power, by squaring."""
        if exponent == 0:
            return self.constant(1, x.dtype)
        root = self._power(x, exponent // 2)
        out = self.apply("multiply", (root, root), x.dtype, x.shape)
        return self.apply("multiply", (out, x), x.dtype, x.shape) if exponent % 2 else out

    # Views -----------------------------------------------------------------------------------------------------------

    def broadcast(self, x: Node, shape: Shape) -> Node:
        if same_shape(x.shape, shape):
            return x
        return self.node("broadcast", (_unbroadcast(x),), dtype=x.dtype, shape=shape)

    def reshape(self, x: Node, shape: Shape) -> Node:
        if same_shape(x.shape, shape):
            return x
        if x.op == "reshape":
            return self.reshape(x.inputs[0], shape)
        if x.op == "broadcast" and x.inputs[0].shape == ():
            return self.broadcast(x.inputs[0], shape)
        return self.node("reshape", (x,), dtype=x.dtype, shape=shape)

    def permute(self, x: Node, axes: tuple[int, ...]) -> Node:
        if axes == tuple(range(len(axes))):
            return x
        if x.op == "permute":
            return self.permute(x.inputs[0], tuple(x.attributes[0][a] for a in axes))
        return self.node("permute", (x,), (axes,), dtype=x.dtype, shape=tuple(x.shape[a] for a in axes))

    def reduce(self, kind: str, x: Node, axes: tuple[int, ...]) -> Node:
        """`x` reduced over axes of any size; without axes, x."""
        kept = tuple(n for i, n in enumerate(x.shape) if i not in axes)
        if all(same(x.shape[a], 1) for a in axes):
            return self.reshape(x, kept)
        # Axes of size 1 are dropped first, so that the same reduction is always the same node.
        if any(same(n, 1) for n in x.shape):
            squeezed = self.reshape(x, tuple(n for n in x.shape if not same(n, 1)))
            numbered = [i for i, n in enumerate(x.shape) if not same(n, 1)]
            return self.reshape(self.reduce(kind, squeezed, tuple(numbered.index(a) for a in axes if a in numbered)), kept)
        return self.node("reduce", (x,), (kind, axes), dtype=x.dtype, shape=kept)


class _Number:
    """A number among a node's attributes that takes no part in their comparison."""

    __slots__ = ("value",)

    def __init__(self, value: Any) -> None:
        self.value = value

    def __eq__(self, other: object) -> bool:
        return isinstance(other, _Number)

    def __hash__(self) -> int:
        return 0

    def __repr__(self) -> str:
        return str(self.value)


_OWN = frozenset({"erf"})  # elementwise functions that NumPy does not have


def number(node: Node) -> Any:
    """The value of a constant, as a NumPy scalar; of a size, as a Size."""
    return node.attributes[1].value


def shape_key(shape: Shape) -> tuple[Polynomial, ...]:
    return tuple(map(polynomial, shape))


def same_shape(a: Shape, b: Shape) -> bool:
    return len(a) == len(b) and all(map(same, a, b))


def _unbroadcast(x: Node) -> Node:
    """Before it was broadcast, since the inputs of elementwise nodes are broadcast anyway."""
    while x.op == "broadcast":
        x = x.inputs[0]
    return x


def reachable(outputs: Iterable[Node]) -> list[Node]:
    """The nodes that outputs depend on, and these, in order of creation: dead code is what is left out."""
    found: dict[int, Node] = {}
    waiting = list(outputs)
    while waiting:
        node = waiting.pop()
        if node.number not in found:
            found[node.number] = node
            waiting += node.inputs
    return [found[n] for n in sorted(found)]


@functools.cache
def result_dtype(op: str, *operands: Any) -> DType:
    """The dtype of NumPy's result for operands of these dtypes; the types bool, int and float stand for Python numbers."""
    if op in _OWN:
        dtype = operands[0]
        return dtype if is_inexact(dtype) else FLOAT64
    bfloat16 = next((x for x in operands if not isinstance(x, type) and x.name == "bfloat16"), None)
    if bfloat16 is not None:  # of ml_dtypes, which does not promote with Python numbers as NumPy does: as float16, then
        out = result_dtype(op, *(numpy.dtype("float16") if x is bfloat16 else x for x in operands))
        return bfloat16 if out.name == "float16" else out
    samples = [x(1) if isinstance(x, type) else numpy.ones(1, x) for x in operands]
    with numpy.errstate(all="ignore"):
        out = getattr(numpy, op)(*samples)
    return numpy.dtype(out.dtype)


@functools.cache
def operand_dtype(op: str, *operands: Any) -> DType:
    """The dtype in which an op of operands of these dtypes computes."""
    out = result_dtype(op, *operands)
    if out != BOOL and op not in ("sign",):
        return out
    if any(not isinstance(x, type) and x.name == "bfloat16" for x in operands):
        return result_dtype("add", operands[0], operands[-1])  # of one operand, its own
    common: DType = numpy.result_type(*(x(1) if isinstance(x, type) else x for x in operands))
    return common


def describe(outputs: Sequence[Node], name: str = "") -> str:
    """The graph as text: one line for each node, in order of computation."""
    names: dict[Node, str] = {}
    lines: list[str] = []
    arguments: list[str] = []
    nodes = reachable(outputs)
    for node in nodes:
        if node.op in ("input", "scalar"):
            names[node] = f"{'x' if node.op == 'input' else 'k'}{node.attributes[0]}"
            arguments.append(f"{names[node]}: {_type(node)}")
        elif node.op == "constant":
            names[node] = str(number(node).item())
        elif node.op == "size":
            names[node] = text(number(node))
    for node in nodes:
        if node in names:
            continue
        names[node] = f"t{len(lines)}"
        attributes = [repr(a) for a in node.attributes if not isinstance(a, _Number)]
        if node.op == "reduce":
            kind, axes = node.attributes
            call, attributes = kind, [f"axis={axes}"]
        else:
            call = node.op
        inputs = [names[x] for x in node.inputs]
        lines.append(f"    {names[node]} = {call}({', '.join(inputs + attributes)})  # {_type(node)}")
    results = ", ".join(names[x] for x in outputs)
    return "\n".join([f"{name}({', '.join(arguments)}):", *lines, f"    return {results}"])


def _type(node: Node) -> str:
    return f"{node.dtype}[{', '.join(map(text, node.shape))}]"
