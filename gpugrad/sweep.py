"""The backward sweep: from the gradients of some results to the gradients of what they were computed from.

Nodes are visited in descending order of creation, so a node is visited once, when its whole gradient has arrived. A visit
sends ``rule.function(g, *residuals)`` along every edge and lets go of the residuals. A first-order sweep runs the rules on raw
arrays. With `create_graph` the same rules run on Tensors, each residual linked to the node it came from, so the sweep is
itself recorded and can be differentiated again.

Complex numbers: gpugrad's gradient G of a real loss is the direction of steepest ascent, PyTorch's convention, for which the
chain rule of a holomorphic w = f(z) reads G_z = G_w * conj(f'(z)). The sweep carries conj(G) instead, whose chain rule is
plainly conj(G_z) = conj(G_w) * f'(z), and conjugates where gradients enter and leave: seeds, hooks, results.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from heapq import heappop, heappush
from sys import getrefcount
from typing import Any

import numpy
from array_api_compat import array_namespace
from numpy import ndarray

from gpugrad.arrays.devices import Device, on, several_gpus
from gpugrad.arrays.dtypes import numpy_dtype
from gpugrad.arrays.kernels import Kernels, is_cupy
from gpugrad.branches import follow, joined, narrowed, together, zeroed
from gpugrad.debug import examine_gradient, finite
from gpugrad.errors import GraphError, RuleError
from gpugrad.modes import DEBUG, flags, start, stop
from gpugrad.ops.creation import raw_full
from gpugrad.ops.dtypes import astype
from gpugrad.ops.elementwise import add, conj, real
from gpugrad.ops.indexing import add_in_place, getitem_gradient, is_basic
from gpugrad.ops.large import SMALLEST, THREADED, add_at, add_into, on_threads, threaded
from gpugrad.ops.reduction import sum
from gpugrad.ownership import IN_DICT, alone, ours
from gpugrad.tape import Edge, Joint, Leaf, Node, Output, Tensor, raw


def _add_into_definition(x: Any, y: Any, /) -> Any:
    return x + y


def _owned_definition(x: Any, alone: bool, /) -> Any:
    return array_namespace(x).asarray(x, copy=True)  # whether x is a view of something else, the standard cannot tell


_ADD_INTO = Kernels("add_into", _add_into_definition, standard=False)
_OWNED = Kernels("owned", _owned_definition, standard=False)

_LARGE = 1 << 14
"""Elements from which on a sum that records is computed in place: of fewer, another array takes less time than the calls."""

_new = object.__new__

# Two threads may differentiate graphs that share leaves.
_ACCUMULATING = threading.Lock()

FREED = (
    "backward: this graph was already differentiated and its saved arrays were freed; "
    "pass retain_graph=True to the first call if it is needed again"
)


def sweep(
    roots: Sequence[tuple[Node, Any]],
    targets: Sequence[Node] | None = None,
    *,
    create_graph: bool = False,
    retain_graph: bool | None = None,
) -> list[Any]:
    """Propagate gradients from `roots`, pairs of a node and its gradient, back through the graph.

    With `targets`, their gradients are returned, None where nothing arrived, and nothing else changes. Without, the
    gradients of all leaves are added to their ``.grad``, all of them or, if anything raises, none. Gradients are raw arrays,
    or Tensors if `create_graph`.
    """
    retain = create_graph if retain_graph is None else retain_graph
    state = _Sweep(targets, create_graph, retain)
    token = start(record=create_graph)
    try:
        return _quietly(state, roots)
    finally:
        stop(token)


@numpy.errstate(all="ignore")  # as a decorator in half the time of a block
def _quietly(state: _Sweep, roots: Sequence[tuple[Node, Any]]) -> list[Any]:
    """Run a sweep, without warnings about nan and inf."""
    if several_gpus():
        state.place = _enter_device_of
        with on(Device("cuda")):  # back to where CuPy computes now
            state.run(roots)
    else:
        state.run(roots)
    return state.finish()


class _Sweep:
    """The state of one sweep. Nothing of it is kept on the nodes, so that two threads may sweep graphs that share nodes."""

    def __init__(self, targets: Sequence[Node] | None, create_graph: bool, retain: bool) -> None:
        self.create_graph = create_graph
        self.retain = retain
        self.targets = targets
        self.debug = bool(flags() & DEBUG)
        self.place: Callable[[Any], None] | None = None  # called with every gradient before it is processed
        self.wanted = {node.number for node in targets} if targets else set()
        # What was created before the oldest target cannot depend on any of them.
        self.oldest = min(self.wanted) if targets else 0
        self.heap: list[int] = []  # negated numbers of the nodes that have a gradient and await their visit
        self.nodes: dict[int, Node] = {}
        self.gradients: dict[int, Any] = {}
        self.live: dict[int, Any] = {}  # where those gradients are live, if a branch was not taken (see branches.py)
        self.live_results: dict[int, dict[int, Any]] = {}  # the same of the results of joint nodes
        self.owned: set[int] = set()  # numbers of nodes whose gradient is a buffer made here, safe to add into
        self.arrived: dict[int, Any] = {}  # whole gradients of targets

    def run(self, roots: Sequence[tuple[Node, Any]]) -> None:
        for node, gradient in roots:
            self.deliver(node, conj(gradient) if self._is_complex(node) else gradient)
        heap, nodes, gradients, wanted, debug = self.heap, self.nodes, self.gradients, self.wanted, self.debug
        pop_node, pop_gradient = nodes.pop, gradients.pop
        create_graph, retain, deliver, oldest = self.create_graph, self.retain, self.deliver, self.oldest
        place, masks, all_leaves = self.place, self.live, self.targets is None
        large = threaded() if THREADED and not create_graph and not debug else None
        while heap:
            number = -heappop(heap)
            node = pop_node(number)
            g = pop_gradient(number)
            live = masks.pop(number, None) if masks else None
            if place is not None:
                place(g)
            if node.hooks:
                g, live = self.call_hooks(node, g), None
            if wanted and number in wanted:
                self.arrived[number] = g
                if number == oldest:  # its parents are older than every target
                    continue
            if type(node) is not Node:
                self.visit_special(node, g, live)
                continue
            edges = node.edges
            if edges is None:
                raise GraphError(FREED)
            if create_graph:
                edges = self.lift(node, edges)
            for parent, rule, residuals in edges:
                key = parent.number
                if key < oldest:
                    continue
                function = rule.numpy if type(g) is ndarray else rule.function
                if function is getitem_gradient and key in gradients:
                    gradient = None  # which may be what has arrived
                    if live is None and not debug and self.add_at(key, g, residuals[0]):
                        continue
                if large and rule.op in large and type(g) is ndarray and g.size >= SMALLEST:
                    gradient = on_threads(function, g, residuals)
                elif len(residuals) == 1:  # a call with a star takes longer
                    gradient = function(g, residuals[0])
                else:
                    gradient = function(g, *residuals) if residuals else function(g)
                reach = None
                if live is not None or rule.branch is not None:
                    gradient, reach = follow(rule, residuals, gradient, live)
                if debug:
                    examine_gradient(gradient, g, rule.op, rule.operand, getattr(node, "site", "an unknown place"))
                if gradient is None:
                    gradient = self.zeros(parent, g)
                kind = type(parent)
                if (
                    (kind is Node or (kind is Leaf and not parent.hooks and all_leaves))
                    and reach is None
                    and key not in gradients
                    and gradient.shape == parent.shape
                    and gradient.dtype is parent.dtype
                ):  # the usual case: what deliver does, without the call
                    gradients[key] = gradient
                    nodes[key] = parent
                    if kind is Node:
                        heappush(heap, -key)
                else:
                    deliver(parent, gradient, reach)
            if not retain:
                node.edges, edges, residuals = None, (), ()  # the locals too: nothing saved outlives its visit

    def deliver(self, parent: Node, gradient: Any, live: Any = None) -> None:
        """Add a gradient to what has arrived at `parent`, in the parent's shape and dtype."""
        if live is not None:
            live = narrowed(live, tuple(gradient.shape), tuple(parent.shape))
        if gradient.shape != parent.shape:
            gradient = unbroadcast(gradient, parent.shape)
        # The dtype object of the library, as the parent's is; that of a Tensor is NumPy's.
        dtype = gradient.array.dtype if self.create_graph else gradient.dtype
        if dtype is not parent.dtype and dtype != parent.dtype:
            gradient = cast(gradient, parent.dtype)
        key = parent.number
        gradients = self.gradients
        if key not in gradients:
            gradients[key] = gradient
            self.nodes[key] = parent
            if type(parent) is not Leaf or parent.hooks or self.targets is not None:  # else there is nothing to visit it for
                heappush(self.heap, -key)
            if live is not None:
                self.live[key] = live
            return
        if key in self.live:
            live = joined(self.live.pop(key), live)
            if live is not None:
                self.live[key] = live
        if self.create_graph:
            if gradient.array.size >= _LARGE and ours(gradients, key):
                gradients[key] = add_in_place(gradients[key], gradient)
            else:
                gradients[key] = add(gradients[key], gradient)
        elif key in self.owned and type(gradients[key]) is not ndarray:
            total = gradients[key]
            gradients[key] = _ADD_INTO[type(total)](total, gradient)
        else:
            if key in self.owned or ours(gradients, key):
                add_into(gradients[key], gradient)
            else:
                gradients[key] = add(gradients[key], gradient)
            self.owned.add(key)

    def add_at(self, key: int, gradient: Any, where: Any) -> bool:
        """Add a gradient to elements `where` of what has arrived at a node; False if that cannot be done in place."""
        gradients = self.gradients
        if key in self.live or not is_basic(where) or not (key in self.owned or ours(gradients, key)):
            return False
        total = gradients[key].array if self.create_graph else gradients[key]
        if type(total) is not ndarray or total.dtype != gradient.dtype:
            return False
        if self.create_graph:
            gradients[key] = add_in_place(gradients[key], gradient, where)
        else:
            add_at(total, gradient, where)
            self.owned.add(key)
        return True

    def lift(self, node: Node, edges: tuple[Edge, ...]) -> tuple[Edge, ...]:
        """The edges with Tensors for residuals: operands linked to their nodes, the result to this node."""
        parents = {rule.operand: parent for parent, rule, _ in edges}
        lifted = []
        for parent, rule, residuals in edges:
            values = []
            for name, value in zip(rule.residuals, residuals, strict=True):
                if hasattr(value, "dtype"):
                    if name == "out":
                        value = Tensor(value, node)
                    elif name in rule.operands:
                        value = Tensor(value, parents.get(name))
                values.append(value)
            lifted.append((parent, rule, tuple(values)))
        return tuple(lifted)

    def visit_special(self, node: Node, g: Any, live: Any) -> None:
        """Visit a leaf, one result of a joint node, or a joint node."""
        if type(node) is Leaf:
            if self.targets is None:  # it stays, as those that are not visited
                self.gradients[node.number], self.nodes[node.number] = g, node
        elif type(node) is Output:
            source = node.source
            if source.number not in self.gradients:
                self.gradients[source.number] = [None] * source.outputs
                self.nodes[source.number] = source
                heappush(self.heap, -source.number)
            arrived, masks = self.gradients[source.number], self.live_results.setdefault(source.number, {})
            before = arrived[node.index]  # a result may have several nodes: rules give one to a result whose own is gone
            mask = live if before is None else joined(masks.pop(node.index, None), live)
            arrived[node.index] = g if before is None else add(before, g)
            if mask is not None:
                masks[node.index] = mask
        elif type(node) is Joint:
            if node.pull is None:
                raise GraphError(FREED)
            healthy = not self.debug or all(map(finite, g))
            live = self.live_results.pop(node.number, {})
            for parent, gradient, *mask in node.pull(g, self.create_graph, live):
                if node.elementwise and live and (reach := together(g, live)) is not None:
                    gradient, mask = zeroed(gradient, reach), [reach]
                if parent.number >= self.oldest:
                    if self.debug and healthy:
                        examine_gradient(gradient, None, node.name, "", getattr(node, "site", "an unknown place"))
                    self.deliver(parent, gradient, *mask)
            if not self.retain:
                node.pull = None
                node.parents = ()

    def call_hooks(self, node: Node, g: Any) -> Any:
        """The gradient after the hooks of a Tensor, which see it as the user does: a Tensor, in the user's convention."""
        is_complex = self._is_complex(node)
        for hook in tuple((node.hooks or {}).values()):
            seen = Tensor(raw(g), g.node if self.create_graph else None)  # its own: a hook may rebind it
            returned = hook(conj(seen) if is_complex else seen)
            if returned is not None:
                replaced = _checked(returned, node)
                replaced = cast(conj(replaced) if is_complex else replaced, node.dtype)
                g = replaced if self.create_graph else replaced.array
        return g

    def zeros(self, node: Node, like: Any) -> Any:
        """A zero gradient for `node`."""
        zeros = raw_full(raw(like), node.shape, 0, node.dtype)
        return Tensor(zeros) if self.create_graph else zeros

    def finish(self) -> list[Any]:
        if self.targets is not None:
            return [self.outgoing(self.arrived, node) if node.number in self.arrived else None for node in self.targets]
        gradients = self.gradients
        leaves: list[Any] = list(self.nodes.values())  # all else was visited
        grads = []
        with _ACCUMULATING:
            for leaf in leaves:
                key = leaf.number
                if (  # the usual case: what accumulated does, without calls
                    leaf.grad is None
                    and type(gradients[key]) is ndarray
                    and (getrefcount(gradients[key]) == IN_DICT if gradients[key].base is None else alone(gradients, key))
                    and gradients[key].dtype.kind != "c"
                    and gradients[key].flags.writeable
                ):
                    grad = _new(Tensor)
                    grad.array, grad.node, grad.aliases = gradients[key], None, None
                else:
                    grad = self.accumulated(leaf)
                grads.append(grad)
            for leaf, grad in zip(leaves, grads, strict=True):  # nothing raises from here on
                leaf.grad = grad
        return []

    def accumulated(self, leaf: Leaf) -> Tensor:
        """What ``leaf.grad`` becomes: in the user's convention, and in memory that nobody else sees."""
        gradients, key = self.gradients, leaf.number
        if leaf.grad is not None:
            g = gradients[key]
            total = add(leaf.grad, conj(g) if self._is_complex(leaf) else g)
            total.array = _OWNED[type(total.array)](total.array, True)
            return total
        g = self.outgoing(gradients, leaf)
        return Tensor(_OWNED[type(g.array)](g.array, False), g.node) if self.create_graph else Tensor(g)

    def outgoing(self, arrived: dict[int, Any], node: Node) -> Any:
        """The gradient that arrived at a node, in the user's convention; a raw one in memory that nobody else sees."""
        key = node.number
        if self._is_complex(node):
            arrived[key] = conj(arrived[key])
        if self.create_graph:
            return Tensor(arrived[key].array, arrived[key].node)
        free = alone(arrived, key)  # before the array is an argument of the call, which would count as one more holder
        return _OWNED[type(arrived[key])](arrived[key], free)

    @staticmethod
    def _is_complex(node: Node) -> bool:
        kind = getattr(node.dtype, "kind", None)  # NumPy's dtypes have it, which is quicker than to translate them
        return kind == "c" if kind is not None else node.dtype is not None and numpy_dtype(node.dtype).kind == "c"


def _enter_device_of(g: Any) -> None:
    """Let CuPy compute where a gradient is: rules use operators, which compute on CuPy's current device."""
    for x in g if isinstance(g, list) else (g,):
        array = raw(x)
        if is_cupy(type(array)):
            array.device.use()
            return


def _checked(returned: Any, node: Node) -> Tensor:
    """What a hook returned, as a Tensor. Raises RuleError if it is no gradient for `node`."""
    expected = f"expected a gradient of shape {tuple(node.shape)}, or None"
    if not isinstance(returned, Tensor):
        if not hasattr(returned, "shape") or not hasattr(returned, "dtype"):
            raise RuleError(f"a hook returned {type(returned).__name__}, {expected}")
        returned = Tensor(returned)
    if tuple(returned.array.shape) != tuple(node.shape):
        raise RuleError(f"a hook returned a gradient of shape {tuple(returned.array.shape)}, {expected}")
    return returned


def unbroadcast(gradient: Any, shape: tuple[int, ...]) -> Any:
    """The sum of `gradient` over the axes along which an array of `shape` was broadcast.

    Raises RuleError if an array of `shape` does not broadcast to that of `gradient`.
    """
    given = tuple(gradient.shape)
    new = len(given) - len(shape)
    if new > 0 and given[new:] == shape:  # the usual case: a bias
        return sum(gradient, axis=tuple(range(new)))
    stretched = tuple(i for i, n in enumerate(shape) if n == 1 and new >= 0 and given[new + i] != 1)
    if new < 0 or any(n != given[new + i] for i, n in enumerate(shape) if i not in stretched):
        raise RuleError(f"a gradient rule returned shape {given}, which does not reduce to the operand's shape {tuple(shape)}")
    if new:
        gradient = sum(gradient, axis=tuple(range(new)))
    return sum(gradient, axis=stretched, keepdims=True) if stretched else gradient


def cast(gradient: Any, dtype: Any) -> Any:
    """A gradient in the dtype of what it belongs to: the real part, if that is real."""
    if numpy_dtype(gradient.dtype).kind == "c" and numpy_dtype(dtype).kind != "c":
        gradient = real(gradient)
    return astype(gradient, dtype, copy=False)
