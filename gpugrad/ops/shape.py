"""Functions that rearrange: reshape, transpose, broadcast, join, split, repeat."""

from __future__ import annotations

import math
import operator
from collections.abc import Mapping, Sequence
from typing import Any

from array_api_compat import array_namespace

from gpugrad.arrays.explain import explain, explaining
from gpugrad.arrays.kernels import Kernels
from gpugrad.debug import examine
from gpugrad.errors import AxisError, DTypeError, OptionError, ShapeError
from gpugrad.families import REGISTRY, A, composite, primitive
from gpugrad.modes import flags
from gpugrad.ops.creation import raw_full, zeros_like
from gpugrad.tape import Joint, Node, Rule, Tensor, raw

Axes = int | tuple[int, ...] | None


def normalize_axis(axis: int, ndim: int, name: str) -> int:
    """A non-negative axis. Raises AxisError if it is out of range, DTypeError if it is no integer."""
    try:
        axis = operator.index(axis)
    except TypeError:
        raise DTypeError(f"{name}: axis is {axis!r}, expected an integer") from None
    if not -ndim <= axis < ndim:
        raise AxisError(f"{name}: axis {axis} is out of range for an array of {ndim} dimensions")
    return axis % ndim


def as_shape(shape: Any) -> tuple[int, ...]:
    """A shape as a tuple, from an int or a sequence of ints."""
    return (operator.index(shape),) if hasattr(shape, "__index__") else tuple(shape)


def _inverse(axes: Sequence[int]) -> tuple[int, ...]:
    return tuple(sorted(range(len(axes)), key=lambda i: axes[i] % len(axes)))


@primitive(standard=True, moves=True, x=lambda g, x_shape: reshape(g, x_shape))
def reshape(x: A, /, shape: tuple[int, ...], *, copy: bool | None = None) -> A:
    """The same elements, in order, in another shape; one size may be -1 and follows from the others.

    Raises ShapeError if the number of elements differs.
    Standard: https://data-apis.org/array-api/latest/API_specification/generated/array_api.reshape.html
    """
    return array_namespace(x).reshape(x, shape, copy=copy)


@primitive(standard=True, x=lambda g: g)  # the engine sums over broadcast axes
def broadcast_to(x: A, /, shape: tuple[int, ...]) -> A:
    """x stretched to `shape`, without copying; sizes of 1 repeat and missing leading axes appear. Read-only on NumPy.

    Raises ShapeError if x does not broadcast to `shape`.
    Standard: https://data-apis.org/array-api/latest/API_specification/generated/array_api.broadcast_to.html
    """
    return array_namespace(x).broadcast_to(x, shape)


@primitive(standard=True, moves=True, x=lambda g, x_shape: reshape(g, x_shape))
def expand_dims(x: A, /, axis: int = 0) -> A:
    """A new axis of size 1 at position `axis` of the result.

    Raises ShapeError if `axis` is out of range.
    Standard: https://data-apis.org/array-api/latest/API_specification/generated/array_api.expand_dims.html
    """
    return array_namespace(x).expand_dims(x, axis=axis)


@primitive(standard=True, moves=True, x=lambda g, x_shape: reshape(g, x_shape))
def squeeze(x: A, /, axis: Axes = None) -> A:
    """Without the axes named, which must have size 1; without all axes of size 1 if none is named.

    Raises ShapeError if a named axis is longer than 1.
    Standard: https://data-apis.org/array-api/latest/API_specification/generated/array_api.squeeze.html
    """
    shape: tuple[int, ...] = x.shape  # type: ignore[attr-defined]
    if axis is None:
        axis = tuple(i for i, size in enumerate(shape) if size == 1)
    return array_namespace(x).squeeze(x, axis)


@primitive(standard=True, moves=True, x=lambda g, axes: permute_dims(g, _inverse(axes)))
def permute_dims(x: A, /, axes: tuple[int, ...]) -> A:
    """The axes in another order: axis i of the result is axis ``axes[i]`` of x.

    Raises ShapeError unless `axes` is a permutation.
    Standard: https://data-apis.org/array-api/latest/API_specification/generated/array_api.permute_dims.html
    """
    return array_namespace(x).permute_dims(x, axes)


@primitive(standard=True, moves=True, x=lambda g: matrix_transpose(g))
def matrix_transpose(x: A, /) -> A:
    """The last two axes swapped. Not conjugated.

    Raises ShapeError for fewer than two dimensions.
    Standard: https://data-apis.org/array-api/latest/API_specification/generated/array_api.matrix_transpose.html
    """
    return array_namespace(x).matrix_transpose(x)


@primitive(standard=True, moves=True, x=lambda g, source, destination: moveaxis(g, destination, source))
def moveaxis(x: A, source: int | tuple[int, ...], destination: int | tuple[int, ...], /) -> A:
    """Axes moved from the positions `source` to the positions `destination`, the others keeping their order.

    Raises ShapeError if an axis is out of range or named twice.
    Standard: https://data-apis.org/array-api/latest/API_specification/generated/array_api.moveaxis.html
    """
    return array_namespace(x).moveaxis(x, source, destination)


@primitive(standard=True, moves=True, x=lambda g, axis: flip(g, axis=axis))
def flip(x: A, /, *, axis: Axes = None) -> A:
    """The elements in reverse order along `axis`; along every axis if it is None.

    Standard: https://data-apis.org/array-api/latest/API_specification/generated/array_api.flip.html
    """
    return array_namespace(x).flip(x, axis=axis)


def _back(shift: int | tuple[int, ...]) -> int | tuple[int, ...]:
    return tuple(-s for s in shift) if isinstance(shift, tuple) else -shift


@primitive(standard=True, x=lambda g, shift, axis: roll(g, _back(shift), axis=axis))
def roll(x: A, /, shift: int | tuple[int, ...], *, axis: Axes = None) -> A:
    """The elements moved by `shift` positions along `axis`, those that fall off the end returning at the beginning.

    Standard: https://data-apis.org/array-api/latest/API_specification/generated/array_api.roll.html
    """
    return array_namespace(x).roll(x, shift, axis=axis)


@primitive(standard=True, x=lambda g, k: tril(g, k=k))
def tril(x: A, /, *, k: int = 0) -> A:
    """The lower triangle of the last two axes, up to diagonal `k`; zero above.

    Standard: https://data-apis.org/array-api/latest/API_specification/generated/array_api.tril.html
    """
    return array_namespace(x).tril(x, k=k)


@primitive(standard=True, x=lambda g, k: triu(g, k=k))
def triu(x: A, /, *, k: int = 0) -> A:
    """The upper triangle of the last two axes, from diagonal `k`; zero below.

    Standard: https://data-apis.org/array-api/latest/API_specification/generated/array_api.triu.html
    """
    return array_namespace(x).triu(x, k=k)


@composite
def tile(x: A, repetitions: tuple[int, ...], /) -> A:
    """x repeated as a block, ``repetitions[i]`` times along axis i.

    Standard: https://data-apis.org/array-api/latest/API_specification/generated/array_api.tile.html
    """
    shape: tuple[int, ...] = x.shape  # type: ignore[attr-defined]
    ndim = max(len(repetitions), len(shape))
    repeats = (1,) * (ndim - len(repetitions)) + tuple(repetitions)
    sizes = (1,) * (ndim - len(shape)) + tuple(shape)
    blocks = reshape(x, tuple(n for size in sizes for n in (1, size)))
    stretched = broadcast_to(blocks, tuple(n for pair in zip(repeats, sizes, strict=True) for n in pair))
    return reshape(stretched, tuple(r * n for r, n in zip(repeats, sizes, strict=True)))


@composite
def broadcast_arrays(*arrays: A) -> tuple[A, ...]:
    """The arrays, each stretched to their common shape.

    Raises ShapeError if the shapes do not broadcast.
    Standard: https://data-apis.org/array-api/latest/API_specification/generated/array_api.broadcast_arrays.html
    """
    shape = broadcast_shapes(*(x.shape for x in arrays))  # type: ignore[attr-defined]
    return tuple(broadcast_to(x, shape) for x in arrays)


def broadcast_shapes(*shapes: tuple[int, ...]) -> tuple[int, ...]:
    """The common shape that arrays of these shapes broadcast to.

    Raises ShapeError if they do not broadcast.
    Standard: https://data-apis.org/array-api/latest/API_specification/generated/array_api.broadcast_shapes.html
    """
    out: list[int] = []
    for i in range(1, max((len(s) for s in shapes), default=0) + 1):
        sizes = {s[-i] for s in shapes if len(s) >= i} - {1}
        if len(sizes) > 1:
            raise ShapeError(
                f"broadcast_shapes: shapes {' and '.join(map(str, shapes))} do not broadcast: "
                "each pair of sizes, counted from the right, must be equal or contain a 1"
            )
        out.append(sizes.pop() if sizes else 1)
    return tuple(reversed(out))


@composite
def meshgrid(*arrays: A, indexing: str = "xy") -> tuple[A, ...]:
    """Coordinate arrays of a grid from 1-d coordinates: shape (n0, n1, ...) for "ij"; for "xy" the first two are swapped.

    Raises ShapeError for arrays that are not 1-d, OptionError for another `indexing`.
    Standard: https://data-apis.org/array-api/latest/API_specification/generated/array_api.meshgrid.html
    """
    if indexing not in ("xy", "ij"):
        raise OptionError(f"meshgrid: indexing is {indexing!r}, expected 'xy' or 'ij'")
    shapes: list[tuple[int, ...]] = [x.shape for x in arrays]  # type: ignore[attr-defined]
    if any(len(shape) != 1 for shape in shapes):
        raise ShapeError(f"meshgrid: got shapes {shapes}, expected 1-d arrays")
    order = list(range(len(arrays)))
    if indexing == "xy" and len(arrays) > 1:
        order[:2] = [1, 0]  # which axis of the grid array i runs along
    grid = [0] * len(arrays)
    for axis, shape in zip(order, shapes, strict=True):
        grid[axis] = shape[0]
    columns = (reshape(x, (1,) * axis + (-1,) + (1,) * (len(arrays) - axis - 1)) for x, axis in zip(arrays, order, strict=True))
    return tuple(broadcast_to(x, tuple(grid)) for x in columns)


# Joining and splitting: any number of operands or results ------------------------------------------------------------


def _concat_definition(arrays: Sequence[Any], /, *, axis: int | None = 0) -> Any:
    return array_namespace(*arrays).concat(arrays, axis=axis)


_CONCAT = Kernels("concat", _concat_definition)


def _part(g: Any, start: int, stop: int, axis: int | None, shape: tuple[int, ...]) -> Any:
    if axis is None:
        return reshape(g[start:stop], shape)
    return g[(slice(None),) * axis + (slice(start, stop), ...)]


_PART = Rule("concat", "arrays", _part, ("start", "stop", "axis", "shape"), (), linear=True)


@explaining
def concat(arrays: Sequence[A], /, *, axis: int | None = 0) -> A:
    """The arrays joined along an existing axis; flattened first if `axis` is None. They promote to a common dtype.

    Raises ShapeError if the shapes differ in another axis or no array is given, DeviceError if the devices differ.
    Standard: https://data-apis.org/array-api/latest/API_specification/generated/array_api.concat.html
    """
    arrays = tuple(arrays)
    if not arrays:
        raise ShapeError("concat: got no arrays, expected one or more")
    operands = tuple(raw(x) for x in arrays)
    try:
        out = _CONCAT.combined[tuple(dict.fromkeys(map(type, operands)))](operands, axis=axis)
    except Exception as error:
        raise explain("concat", error, operands, {"axis": axis}) from None
    if not any(isinstance(x, Tensor) for x in arrays):
        joined: A = out
        return joined
    mode = flags()
    edges = []
    if mode & 1:
        if axis is not None:
            axis = normalize_axis(axis, len(out.shape), "concat")
        start = 0
        for x, operand in zip(arrays, operands, strict=True):
            stop = start + (math.prod(operand.shape) if axis is None else operand.shape[axis])
            node = x.node if isinstance(x, Tensor) else None
            if node is not None:
                edges.append((node, _PART, (start, stop, axis, tuple(operand.shape))))
            start = stop
    result: Any = Tensor(out, Node(tuple(edges), out.shape, out.dtype) if edges else None)
    return result if mode < 4 else examine(result, "concat", operands)  # type: ignore[return-value]


REGISTRY["concat"] = concat


@composite
def stack(arrays: Sequence[A], /, *, axis: int = 0) -> A:
    """The arrays, of one shape, joined along a new axis at position `axis`.

    Raises ShapeError if the shapes differ or no array is given.
    Standard: https://data-apis.org/array-api/latest/API_specification/generated/array_api.stack.html
    """
    arrays = tuple(arrays)
    if not arrays:
        raise ShapeError("stack: got no arrays, expected one or more")
    shapes: set[tuple[int, ...]] = {tuple(x.shape) for x in arrays}  # type: ignore[attr-defined]
    if len(shapes) > 1:
        raise ShapeError(f"stack: got shapes {' and '.join(map(str, sorted(shapes)))}, expected the same for all")
    axis = normalize_axis(axis, len(shapes.pop()) + 1, "stack")
    return concat([expand_dims(x, axis) for x in arrays], axis=axis)


def _unstack_definition(x: Any, /, *, axis: int = 0) -> Any:
    return array_namespace(x).unstack(x, axis=axis)


def _unstack_gradient_definition(gradients: Sequence[Any], /, axis: int, strides: Any) -> Any:
    return stack(gradients, axis=axis)


_UNSTACK = Kernels("unstack", _unstack_definition)
# For NumPy's arrays with the layout of x, whose `strides` are given: where x is a view, its own gradient is one, too, and no copy.
_UNSTACK_GRADIENT = Kernels("unstack_gradient", _unstack_gradient_definition, standard=False)


@explaining
def unstack(x: A, /, *, axis: int = 0) -> tuple[A, ...]:
    """x as a tuple of arrays, one per position along `axis`.

    Raises ShapeError if `axis` is out of range.
    Standard: https://data-apis.org/array-api/latest/API_specification/generated/array_api.unstack.html
    """
    array = raw(x)
    axis = normalize_axis(axis, len(array.shape), "unstack")
    parts: tuple[Any, ...] = _UNSTACK[type(array)](array, axis=axis)
    if not isinstance(x, Tensor):
        return parts
    parent, strides = x.node, getattr(array, "strides", None)
    if parent is None or not flags() & 1:
        return tuple(Tensor(part) for part in parts)  # type: ignore[misc]

    def pull(gradients: list[Any], create_graph: bool, live: Mapping[int, Any]) -> list[tuple[Any, ...]]:
        present = next(g for g in gradients if g is not None)
        whole = [zeros_like(present) if g is None else g for g in gradients]
        gradient = stack(whole, axis=axis) if create_graph else _UNSTACK_GRADIENT[type(present)](whole, axis, strides)
        if not live:
            return [(parent, gradient)]
        like = raw(present)
        masks = [live.get(i, raw_full(like, like.shape, g is not None, bool)) for i, g in enumerate(gradients)]
        return [(parent, gradient, stack(masks, axis=axis))]

    joint = Joint("unstack", (parent,), pull, len(parts))
    return tuple(Tensor(part, joint.output(i, part)) for i, part in enumerate(parts))  # type: ignore[misc]


REGISTRY["unstack"] = unstack
