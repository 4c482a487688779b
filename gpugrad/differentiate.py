"""Differentiation for users: backward and gradients on recorded Tensors; grad, vjp, jvp, ... of functions.

The function transforms take and return trees: arrays, Tensors or numbers in nested dicts, lists, tuples and namedtuples. None
in an argument or an output stands for nothing there: it is passed on, and its gradient or tangent is None.
Where all arguments are raw arrays (NumPy, CuPy), so are the results. They nest: ``grad(grad(f))``. A result records if what
it depends on does, so that an inner derivative is never cut off from an outer one; inside ``gg.no_grad()`` it does not.
"""

from __future__ import annotations

import functools
import math
from collections.abc import Callable, Sequence
from typing import Any

from gpugrad.arrays.devices import device_of
from gpugrad.arrays.dtypes import is_inexact, numpy_dtype
from gpugrad.arrays.kernels import WEAK
from gpugrad.errors import DeviceError, DTypeError, GraphError, OptionError, ShapeError
from gpugrad.modes import enable_grad, is_grad_enabled
from gpugrad.ops.conversion import asarray
from gpugrad.ops.creation import raw_full
from gpugrad.ops.dtypes import astype
from gpugrad.ops.indexing import put
from gpugrad.ops.shape import reshape, stack
from gpugrad.sweep import sweep
from gpugrad.tape import Argument, Leaf, Node, Rule, Tensor, parents, raw
from gpugrad.trees import Tree, aligned, leaves, map_leaves, present, rebuild, refill, same_structure

_IDENTITY = Rule("identity", "x", lambda g: g, elementwise=True, linear=True)


# Of recorded Tensors ------------------------------------------------------------------------------------------------


def backward(output: Tensor, gradient: Any = None, *, retain_graph: bool | None = None, create_graph: bool = False) -> None:
    """Add the gradient of `output` to the ``.grad`` of every leaf that it was computed from.

    `gradient` is that of `output`, of its shape; it may be left out for a real output of one element, which counts as 1.
    The graph's saved arrays are freed on the way unless `retain_graph`; with `create_graph` the gradients record. If
    anything raises, no ``.grad`` has changed.
    Raises GraphError if `output` does not record, was differentiated before, or needs a `gradient`; ShapeError if that has
    another shape, DTypeError if it is no array and no number.
    """
    root = _root(output, gradient, "backward", create_graph)
    sweep([root], create_graph=create_graph, retain_graph=retain_graph)


def gradients(
    outputs: Tensor | Sequence[Tensor],
    inputs: Tree,
    gradient: Any = None,
    *,
    retain_graph: bool | None = None,
    create_graph: bool = False,
    allow_unused: bool = False,
) -> Tree:
    """The gradients of `outputs`, summed, with respect to `inputs`, a tree of Tensors; PyTorch's ``torch.autograd.grad``.

    Changes no ``.grad``. `gradient` holds one gradient per output, as :func:`backward` takes.
    Raises GraphError if an input does not record or, unless `allow_unused` (which gives None), was not used.
    """
    many = [outputs] if isinstance(outputs, Tensor) else list(outputs)
    seeds = [gradient] if isinstance(outputs, Tensor) else [None] * len(many) if gradient is None else list(gradient)
    if len(seeds) != len(many):
        raise ShapeError(f"gradients: got {len(many)} outputs and {len(seeds)} gradients for them, expected one each")
    roots = [_root(o, s, "gradients", create_graph) for o, s in zip(many, seeds, strict=True)]
    nodes = []
    for i, x in enumerate(leaves(inputs)):
        if not isinstance(x, Tensor) or x.node is None:
            raise GraphError(f"gradients: input {i} does not record; call requires_grad_() on it before it is used")
        nodes.append(x.node)
    found = sweep(roots, nodes, create_graph=create_graph, retain_graph=retain_graph)
    for i, g in enumerate(found):
        if g is None and not allow_unused:
            raise GraphError(
                f"gradients: the outputs were not computed from input {i}; pass allow_unused=True to get None for it"
            )
    return rebuild(inputs, (None if g is None else Tensor(raw(g), g.node if create_graph else None) for g in found))


def _root(output: Any, gradient: Any, name: str, create_graph: bool) -> tuple[Node, Any]:
    """The node of an output and its gradient, checked."""
    if not isinstance(output, Tensor) or output.node is None:
        raise GraphError(
            f"{name}: the output does not record, so it has no gradient: it was computed from no tensor that requires one, "
            "under no_grad, or by an op that is not differentiable"
        )
    array = output.array
    if gradient is None:
        if math.prod(array.shape) != 1 or numpy_dtype(array.dtype).kind == "c":
            raise GraphError(
                f"{name}: the output has shape {tuple(array.shape)} and dtype {array.dtype}; only a real output of one element has "
                "an implicit gradient of 1: reduce it, for instance with .sum(), or pass gradient="
            )
        one = raw_full(array, array.shape, 1, array.dtype)
        return output.node, Tensor(one) if create_graph else one
    if not isinstance(gradient, (list, tuple)):  # of numbers, or asarray refuses them
        _check_operand(gradient, name, "gradient")
    return output.node, _seed(gradient, array, name, create_graph)


def _check_operand(x: Any, name: str, what: str) -> None:
    """Raise DTypeError for what is no array and no number, None included."""
    if x is None or not (type(x) in WEAK or (hasattr(x, "shape") and hasattr(x, "dtype"))):
        raise DTypeError(f"{name}: got {type(x).__name__} for a {what}, expected an array, a Tensor or a number")


def _seed(gradient: Any, array: Any, name: str, create_graph: bool) -> Any:
    """A gradient for `array`, with its shape, dtype and device: a Tensor if the sweep records, else a raw array."""
    if type(gradient) in WEAK:
        gradient = raw_full(array, array.shape, gradient, array.dtype)
    seed = gradient if isinstance(gradient, Tensor) else asarray(gradient)
    if tuple(seed.array.shape) != tuple(array.shape):
        raise ShapeError(
            f"{name}: the gradient has shape {tuple(seed.array.shape)}, expected the output's shape {tuple(array.shape)}"
        )
    if device_of(seed.array) != device_of(array):
        raise DeviceError(
            f"{name}: the gradient is on {device_of(seed.array)} and the output on {device_of(array)}; move one with .to(device)"
        )
    if numpy_dtype(seed.array.dtype) != numpy_dtype(array.dtype):
        seed = astype(seed, array.dtype)
    return seed if create_graph else seed.array


# Of functions -------------------------------------------------------------------------------------------------------


class _Call:
    """One call of a function on arguments that record, on behalf of a transform."""

    def __init__(
        self, function: Callable[..., Any], args: Sequence[Any], argnums: Sequence[int], name: str, has_aux: bool = False
    ):
        self.name = name
        self.outer = is_grad_enabled()
        given_kinds = {isinstance(leaf, Tensor) for leaf in leaves(list(args)) if hasattr(leaf, "dtype")}
        self.all_raw = given_kinds == {False}  # Python numbers go with either
        self.trees = [args[i] for i in argnums]
        given = present(self.trees)
        inputs = [self._record(x) for x in given]
        self.nodes: list[Node] = [x.node for x in inputs if x.node is not None]
        self.arrays = [x.array for x in inputs]
        recording = dict(zip(argnums, refill(self.trees, iter(inputs)), strict=True))
        arguments = [recording.get(i, x) for i, x in enumerate(args)]
        with enable_grad():
            out = function(*arguments)
        self.aux = None
        if has_aux:
            if not isinstance(out, tuple) or len(out) != 2:
                raise GraphError(
                    f"{name}: with has_aux=True the function must return a pair (output, aux), but returned {type(out).__name__}"
                )
            out, self.aux = out
        self.out = out
        self.outputs = [x if isinstance(x, Tensor) else asarray(x) for x in present(out)]
        self.linked = self.outer and (any(isinstance(x, Tensor) and x.node is not None for x in given) or self._captures())

    def _record(self, x: Any) -> Tensor:
        """A Tensor of its own for an argument: an identity of it if it records already."""
        tensor = x if isinstance(x, Tensor) else asarray(x)
        array = tensor.array
        if not is_inexact(array.dtype):
            raise DTypeError(f"{self.name}: an argument to differentiate has dtype {array.dtype}, expected floating-point")
        if tensor.node is not None and self.outer:
            return Tensor(array, Node(((tensor.node, _IDENTITY, ()),), array.shape, array.dtype))
        return Tensor(array, Argument(array.shape, array.dtype))

    def _captures(self) -> bool:
        """Whether the outputs also depend on Tensors that recorded before this call."""
        oldest = min(node.number for node in self.nodes) if self.nodes else 0
        seen: set[int] = set()
        stack = [x.node for x in self.outputs if x.node is not None]
        while stack:
            node = stack.pop()
            number = node.number
            if number in seen:
                continue
            if number < oldest:
                return True
            seen.add(number)
            if type(node) is Node:  # as nearly all are, so without a call for each
                for parent, _, _ in node.edges or ():
                    stack.append(parent)
            else:
                stack.extend(parents(node))
        return False

    def pull(self, seeds: Sequence[Any], create_graph: bool, retain_graph: bool | None = None) -> list[Any]:
        """The gradients of the inputs for these gradients of the outputs: Tensors, zeros where nothing arrived."""
        roots = [
            (x.node, _seed(seed, x.array, self.name, create_graph))
            for x, seed in zip(self.outputs, seeds, strict=True)
            if x.node is not None and seed is not None
        ]
        found = sweep(roots, self.nodes, create_graph=create_graph, retain_graph=retain_graph)
        return list(map(_or_zeros, found, self.arrays))

    def result(self, tensors: Sequence[Tensor]) -> list[Any]:
        """Tensors as the caller gets them: raw arrays if the arguments were and nothing would be lost."""
        return [x.array if self.all_raw and x.node is None else x for x in tensors]

    def output(self) -> Any:
        """The function's output: recording if it is linked to an outer graph."""
        return refill(self.out, iter(self.result([x if self.linked else Tensor(x.array) for x in self.outputs])))

    def auxiliary(self) -> Any:
        return self.aux if self.linked else map_leaves(lambda x: Tensor(x.array) if isinstance(x, Tensor) else x, self.aux)

    def trees_of(self, tensors: Sequence[Tensor]) -> list[Any]:
        """One tree per differentiated argument from one Tensor per leaf."""
        rebuilt: list[Any] = refill(self.trees, iter(self.result(tensors)))
        return rebuilt

    def scalar(self) -> Any:
        """The seed of a scalar output. Raises GraphError if the output is anything else."""
        if (
            len(self.outputs) != 1
            or math.prod(self.outputs[0].array.shape) != 1
            or numpy_dtype(self.outputs[0].array.dtype).kind == "c"
        ):
            got = ", ".join(f"{x.array.dtype} {tuple(x.array.shape)}" for x in self.outputs) or "nothing"
            raise GraphError(
                f"{self.name}: the function must return one real scalar, but returned {got}; reduce it, or use vjp or jacobian"
            )
        return 1


def _or_zeros(gradient: Any, like: Any) -> Tensor:
    """What a sweep found, as a Tensor: zeros like the raw array `like` where nothing arrived."""
    if gradient is None:
        return Tensor(raw_full(like, like.shape, 0, like.dtype))
    return gradient if isinstance(gradient, Tensor) else Tensor(gradient)


def _matched(like: Tree, tree: Tree, name: str, what: str, problem: str) -> list[Any]:
    """The leaves of `tree`, one for each leaf of `like` that is not None.

    Raises ShapeError, which says `problem`, if the trees nest differently; DTypeError for a leaf that is no array and no number.
    """
    pairs = list(zip(leaves(like), aligned(like, tree), strict=True)) if same_structure(like, tree) else [(None, 0)]
    if any(x is None and leaf is not None for x, leaf in pairs):
        raise ShapeError(f"{name}: {problem}")
    matched = [leaf for x, leaf in pairs if x is not None]
    for leaf in matched:
        _check_operand(leaf, name, what)
    return matched


def _argnums(argnums: int | Sequence[int], args: Sequence[Any], kwargs: dict[str, Any], name: str) -> list[int]:
    numbers = [argnums] if isinstance(argnums, int) else list(argnums)
    for number in numbers:
        if not -len(args) <= number < len(args):
            hint = (
                f"; {', '.join(kwargs)} was passed by keyword, which is not differentiated: pass it by position"
                if kwargs
                else ""
            )
            raise ShapeError(f"{name}: argnums names argument {number}, but {len(args)} positional arguments were given{hint}")
    numbers = [number % len(args) for number in numbers]
    if len(set(numbers)) < len(numbers):
        raise OptionError(f"{name}: argnums {argnums} names an argument twice")
    return numbers


def value_and_grad(
    function: Callable[..., Any], argnums: int | Sequence[int] = 0, *, has_aux: bool = False
) -> Callable[..., Any]:
    """A function that returns ``(function(*args), gradient)``.

    The gradient is with respect to argument `argnums`, in its structure; a tuple of gradients if `argnums` is a sequence.
    With `has_aux` the function returns ``(output, aux)`` and the result is ``((output, aux), gradient)``. Keyword arguments
    are passed on and not differentiated.
    Raises GraphError unless the output is one real scalar, DTypeError for an argument that is not floating-point.
    """

    @functools.wraps(function)
    def value_and_gradient(*args: Any, **kwargs: Any) -> Any:
        numbers = _argnums(argnums, args, kwargs, "grad")
        call = _Call(functools.partial(function, **kwargs), args, numbers, "grad", has_aux)
        found = call.trees_of(call.pull([call.scalar()], call.linked))
        gradient = found[0] if isinstance(argnums, int) else tuple(found)
        value = (call.output(), call.auxiliary()) if has_aux else call.output()
        return value, gradient

    return value_and_gradient


def grad(function: Callable[..., Any], argnums: int | Sequence[int] = 0, *, has_aux: bool = False) -> Callable[..., Any]:
    """A function that returns the gradient of `function`, a real scalar, with respect to argument `argnums`.

    With `has_aux` it returns ``(gradient, aux)``. Otherwise as :func:`value_and_grad`.
    """
    both = value_and_grad(function, argnums, has_aux=has_aux)

    @functools.wraps(function)
    def gradient(*args: Any, **kwargs: Any) -> Any:
        value, found = both(*args, **kwargs)
        return (found, value[1]) if has_aux else found

    return gradient


def vjp(function: Callable[..., Any], *args: Any, has_aux: bool = False) -> Any:
    """``(function(*args), pullback)``: the pullback maps gradients of the output to a tuple of gradients, one per argument.

    That is the vector-Jacobian product; it may be called repeatedly. With `has_aux`, ``(output, pullback, aux)``.
    """
    call = _Call(function, args, range(len(args)), "vjp", has_aux)

    def pullback(gradient: Tree) -> tuple[Any, ...]:
        seeds = _matched(call.out, gradient, "vjp", "gradient", "the gradient must nest as the output of the function does")
        create_graph = is_grad_enabled() and (call.linked or any(isinstance(s, Tensor) and s.node is not None for s in seeds))
        return tuple(call.trees_of(call.pull(seeds, create_graph, retain_graph=True)))

    return (call.output(), pullback, call.auxiliary()) if has_aux else (call.output(), pullback)


def jvp(function: Callable[..., Any], primals: Sequence[Any], tangents: Sequence[Any]) -> tuple[Any, Any]:
    """``(function(*primals), tangent of the output)``: the Jacobian-vector product along `tangents`, which nest as `primals`.

    Computed by two reverse sweeps: the pullback is linear in its argument, and the pullback of the pullback is the push
    forward (J. Townsend, "A new trick for calculating Jacobian vector products", 2017). So every op with a rule has it.
    """
    directions = _directions(primals, tangents, "jvp")
    call = _Call(function, primals, range(len(primals)), "jvp")
    linked = call.linked or (call.outer and any(isinstance(t, Tensor) and t.node is not None for t in directions))
    dummies = [_one_leaf(x.array) for x in call.outputs]
    with enable_grad():
        pulled = call.pull(dummies, create_graph=True)
    roots = [(g.node, _seed(t, g.array, "jvp", linked)) for g, t in zip(pulled, directions, strict=True) if g.node is not None]
    targets: list[Node] = [d.node for d in dummies if d.node is not None]
    found = sweep(roots, targets, create_graph=linked)
    pushed = list(map(_or_zeros, found, (x.array for x in call.outputs)))
    return call.output(), refill(call.out, iter(call.result(pushed)))


def _directions(primals: Sequence[Any], tangents: Sequence[Any], name: str) -> list[Any]:
    """The leaves of `tangents` in the order of those of `primals`. Raises ShapeError or DTypeError if they do not fit these."""
    directions = _matched(list(primals), list(tangents), name, "tangent", "the tangents must nest as the primals do")
    for t, x in zip(directions, present(list(primals)), strict=True):
        expected = tuple(getattr(x, "shape", ()))
        if type(t) not in WEAK and tuple(t.shape) != expected:
            raise ShapeError(f"{name}: the tangent has shape {tuple(t.shape)}, expected the primal's shape {expected}")
    return directions


def _one_leaf(array: Any) -> Tensor:
    ones = raw_full(array, array.shape, 1, array.dtype)
    return Tensor(ones, Leaf(ones.shape, ones.dtype))


def hvp(function: Callable[..., Any], primals: Sequence[Any], tangents: Sequence[Any]) -> Any:
    """The product of the Hessian of `function`, a real scalar, with `tangents`: a tuple of trees, one per primal.

    Reverse over reverse: the gradient of <gradient of function, tangents>. Costs a few gradients, not a Hessian.
    """
    directions = _directions(primals, tangents, "hvp")
    call = _Call(function, primals, range(len(primals)), "hvp")
    linked = call.linked or (call.outer and any(isinstance(t, Tensor) and t.node is not None for t in directions))
    with enable_grad():
        first = call.pull([call.scalar()], create_graph=True)
    roots = [(g.node, _seed(t, g.array, "hvp", linked)) for g, t in zip(first, directions, strict=True) if g.node is not None]
    found = sweep(roots, call.nodes, create_graph=linked)
    return tuple(call.trees_of(list(map(_or_zeros, found, call.arrays))))


def jacobian(function: Callable[..., Any], argnums: int | Sequence[int] = 0) -> Callable[..., Any]:
    """A function that returns the Jacobian of `function` with respect to argument `argnums`.

    For an output of shape S and an argument of shape T it has shape S + T; for trees, the output's tree of the argument's
    trees. One backward sweep per element of the output.
    Raises DTypeError for a complex output: split it with real and imag.
    """

    @functools.wraps(function)
    def jacobian_of(*args: Any, **kwargs: Any) -> Any:
        numbers = _argnums(argnums, args, kwargs, "jacobian")
        call = _Call(functools.partial(function, **kwargs), args, numbers, "jacobian")
        blocks = [_rows(call, i) for i in range(len(call.outputs))]
        trees = [found[0] if isinstance(argnums, int) else tuple(found) for found in map(call.trees_of, blocks)]
        return refill(call.out, iter(trees))

    return jacobian_of


def _rows(call: _Call, index: int) -> list[Tensor]:
    """The Jacobian of output `index` with respect to each input leaf."""
    array = call.outputs[index].array
    shape = tuple(array.shape)
    if numpy_dtype(array.dtype).kind == "c":
        raise DTypeError(f"jacobian: the output has dtype {array.dtype}, expected real; differentiate its real and imag parts")
    size = math.prod(shape)
    zeros = raw_full(array, (size,), 0, array.dtype)
    rows = []
    for i in range(size):
        seeds: list[Any] = [None] * len(call.outputs)
        seeds[index] = reshape(put(zeros, 1, (i,)), shape)
        rows.append(call.pull(seeds, call.linked, retain_graph=True))
    if not rows:
        return [Tensor(raw_full(x, shape + tuple(x.shape), 0, x.dtype)) for x in call.arrays]
    return [reshape(stack(column), shape + tuple(column[0].array.shape)) for column in zip(*rows, strict=True)]


def hessian(function: Callable[..., Any], argnums: int | Sequence[int] = 0) -> Callable[..., Any]:
    """A function that returns the Hessian of `function`, a real scalar: for an argument of shape T, of shape T + T."""
    return jacobian(grad(function, argnums), argnums)


def stop_gradient(tree: Tree) -> Tree:
    """The same values, as constants: no gradient flows through."""
    return map_leaves(lambda x: Tensor(x.array) if isinstance(x, Tensor) else x, tree)
