"""The records that make up a computation graph: Tensor, Node, and what a Node's edges mean.

::

    x = gg.tensor([1., 2.], requires_grad=True)        x.node: Leaf, collects the gradient
    y = gg.sin(x)                                      y.node: Node(edges=((x.node, d sin, (x.array,)),))
    z = y * x                                          z.node: Node(edges=((y.node, d mul/dx, (x.array,)),
                                                                           (x.node, d mul/dy, (y.array,))))

An edge is ``(parent, rule, residuals)``: the gradient that flows to `parent` is ``rule.function(g, *residuals)``, where g is the
gradient of the node. A Tensor points to its Node and a Node to its parents, never back: a graph is freed by reference
counting alone, without the garbage collector. Nodes are numbered as they are created, and a parent is always created before
its children, so descending numbers are a topological order.
"""

from __future__ import annotations

import threading
import weakref
from collections.abc import Callable, Iterable, Mapping
from itertools import count
from typing import TYPE_CHECKING, Any

from gpugrad.arrays.dtypes import is_inexact
from gpugrad.errors import DTypeError

if TYPE_CHECKING:  # the methods are attached by operators.py, which stands above; a type checker may know already
    from gpugrad.operators import Operators as _Methods
else:
    _Methods = object

next_number = count(1).__next__
"""Of the Node that is made next."""


class Tensor(_Methods):
    """An array and, if it records, the node that its gradient flows into.

    `array` is the raw array: a numpy.ndarray (or a NumPy scalar, for 0-d results), a cupy.ndarray, or any other array of the
    standard. `node` is None for a constant. `aliases` is for views, see ``ops/aliasing.py``.
    Make Tensors with :func:`gpugrad.tensor` or :func:`gpugrad.asarray`; this constructor checks nothing.
    """

    __slots__ = ("__weakref__", "aliases", "array", "node")

    array: Any
    node: Node | None
    aliases: Any

    def __init__(self, array: Any, node: Node | None = None) -> None:
        self.array = array
        self.node = node
        self.aliases = None


_pruning = threading.Lock()
_reference = weakref.ref


def alias(view: Tensor, source: Tensor, step: Any) -> None:
    """Note that `view` was taken from `source` by `step`, a key or a function (see ``ops/aliasing.py``)."""
    aliases = source.aliases
    if type(aliases) is tuple:
        source, steps = aliases
        view.aliases = source, (*steps, step)
        aliases = source.aliases
    else:
        view.aliases = source, (step,)
    if aliases is None:
        with _pruning:
            if source.aliases is None:
                source.aliases = []
        aliases = source.aliases
    aliases.append(_reference(view))
    if not len(aliases) & 63:
        size = len(aliases)
        if not size & (size - 1):
            forget(aliases, size // 2)


def forget(aliases: list[Any], most: int) -> None:
    """Drop the references to views that are gone, unless more than `most` are alive: so the cost of a view stays constant."""
    with _pruning:  # while another thread may append
        size = len(aliases)
        alive = [reference for reference in aliases[:size] if reference() is not None]
        if len(alive) <= most:
            aliases[:size] = alive


class Rule:
    """How a gradient passes one operand of an op: ``function(g, *residuals)``.

    The function's parameter names after the first say what the tape keeps for it: operands (x, y), the result (out), options
    (axis), shapes (x_shape). They are read once, when the op is declared.

    `elementwise` says that an element of the gradient depends on the same element of g alone, `linear` that the residuals are
    no differentiable data and, of a rule that is not elementwise, that it adds up gradients with positive factors. `branch`, of
    ops that choose, gives the mask that goes on: where the gradient is live and this operand was taken. It is called with the
    mask that came, or None, the gradient that the rule returned, and the residuals, raw arrays.
    """

    __slots__ = ("branch", "elementwise", "function", "linear", "numpy", "op", "operand", "operands", "residuals")

    def __init__(
        self,
        op: str,
        operand: str,
        function: Callable[..., Any],
        residuals: tuple[str, ...] = (),
        operands: tuple[str, ...] = ("x",),
        *,
        elementwise: bool = False,
        linear: bool = False,
        branch: Callable[..., Any] | None = None,
        numpy: Callable[..., Any] | None = None,
    ) -> None:
        self.op = op
        self.operand = operand
        self.function = function
        self.residuals = residuals
        self.operands = operands
        self.elementwise = elementwise
        self.linear = linear
        self.branch = branch
        self.numpy = numpy or function

    def __repr__(self) -> str:
        return f"Rule({self.op}, d{self.operand}, keeps {', '.join(self.residuals) or 'nothing'})"


Edge = tuple["Node", Rule, tuple[Any, ...]]


class Node:
    """One recorded result: where its gradient goes, and the shape and dtype that a gradient must have to arrive here.

    `edges` is None once the graph has been freed. `site`, in debug mode, is the line of user code that called the op.
    """

    __slots__ = ("__weakref__", "dtype", "edges", "hooks", "number", "shape", "site")

    edges: tuple[Edge, ...] | None
    hooks: dict[int, Callable[[Any], Any]] | None
    site: str

    def __init__(self, edges: tuple[Edge, ...], shape: tuple[int, ...], dtype: Any) -> None:
        self.edges = edges
        self.shape = shape
        self.dtype = dtype
        self.number = next_number()
        self.hooks = None

    def __repr__(self) -> str:
        if self.edges is None:
            return f"<{type(self).__name__} {self.number}, freed>"
        names = sorted({rule.op for _, rule, _ in self.edges})
        return f"<{type(self).__name__} {self.number}: {', '.join(names) or 'no parents'}>"


class Leaf(Node):
    """The node of a Tensor that was asked to require a gradient: gradients end here, summed up in `grad`.

    `changed` is the number at which the Tensor was last given other values, which matters to what computes with it again.
    """

    __slots__ = ("changed", "grad")

    grad: Tensor | None

    def __init__(self, shape: tuple[int, ...], dtype: Any) -> None:
        Node.__init__(self, (), shape, dtype)
        self.grad = None
        self.changed = 0

    def mark_changed(self) -> None:
        """The Tensor was given other values, in an array that no graph holds."""
        self.changed = next_number()


class Argument(Leaf):
    """The node of an argument of a function that is being differentiated: the function may change and copy it as any result."""

    __slots__ = ()


Pull = Callable[[list[Any], bool, Mapping[int, Any]], Iterable[tuple[Any, ...]]]


class Joint(Node):
    """A node of several results, or whose gradients are computed together: ``pull(gradients, create_graph, live)``.

    It yields ``(node, gradient)``, or ``(node, gradient, mask of where that is live)``; `gradients` holds one per result, in
    order, None where no gradient arrived; `live` the masks of those that a branch not taken has masked (see ``branches.py``),
    by number of the result. `parents` are the nodes that the results depend on. Each result has an Output node of its own, so
    that everything else in the graph has exactly one result. `elementwise` says that the gradients of the parents depend on
    the same elements of those of the results.
    """

    __slots__ = ("elementwise", "name", "outputs", "parents", "pull")

    pull: Pull | None

    def __init__(self, name: str, parents: tuple[Node, ...], pull: Pull, outputs: int, elementwise: bool = False) -> None:
        Node.__init__(self, (), (), None)
        self.name = name
        self.parents = parents
        self.pull = pull
        self.outputs = outputs
        self.elementwise = elementwise

    def output(self, index: int, array: Any) -> Output:
        """The node of result number `index`, which is `array`."""
        return Output(self, index, array.shape, array.dtype)


class Output(Node):
    """One result of a Joint node."""

    __slots__ = ("index", "source")

    def __init__(self, source: Joint, index: int, shape: tuple[int, ...], dtype: Any) -> None:
        Node.__init__(self, (), shape, dtype)
        self.source = source
        self.index = index


def require_grad(array: Any) -> Leaf:
    """A leaf node for `array`.

    Raises DTypeError unless the dtype is floating-point.
    """
    if not is_inexact(array.dtype):
        raise DTypeError(
            f"a tensor of dtype {array.dtype} cannot require a gradient: only floating-point tensors can; convert it first, "
            "for instance with .astype(gg.float32)"
        )
    return Leaf(array.shape, array.dtype)


def raw(x: Any) -> Any:
    """The raw array of a Tensor; anything else as it is."""
    return x.array if isinstance(x, Tensor) else x


def parents(node: Node) -> list[Node]:
    """The nodes that this node's gradient flows to."""
    if isinstance(node, Output):
        return [node.source]
    if isinstance(node, Joint):
        return list(node.parents)
    return [parent for parent, _, _ in node.edges or ()]
