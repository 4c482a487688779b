"""scaled_dot_product_attention: an op whose backward pass computes the gradients of query, key and value together.

What the backward pass needs of the probabilities, which are L times S numbers for each head, is computed again from query and
key and from the logarithms of the rows' sums: that is one product more, and memory that grows with L in place of L times S. Where
there are many scores they are computed in pieces, forward and backward.
Kernels for an array type may take the place of both definitions (``compile/attention.py`` for NumPy's arrays,
``arrays/cuda/cudnn_attention.py`` for CuPy's). For derivatives of higher order the definitions run on Tensors.
"""

from __future__ import annotations

import builtins
import functools
import math
from typing import Any, NamedTuple, NoReturn

import numpy

from gpugrad.arrays.dtypes import numpy_dtype
from gpugrad.arrays.kernels import Kernels
from gpugrad.compile import attention as native
from gpugrad.derived import derived
from gpugrad.errors import DTypeError, OptionError, ShapeError
from gpugrad.families import A, composite, fused
from gpugrad.joint import jointly
from gpugrad.nn.functional.dropout import _dropout, check_probability, drawn
from gpugrad.nn.functional.linear import check_input
from gpugrad.nn.functional.precision import narrow, wide
from gpugrad.nn.functional.softmax import floating, softmax_vjp
from gpugrad.ops.contraction import matmul
from gpugrad.ops.creation import raw_full
from gpugrad.ops.dtypes import astype
from gpugrad.ops.elementwise import exp, log, where
from gpugrad.ops.reduction import max, sum
from gpugrad.ops.shape import broadcast_to, concat, matrix_transpose, reshape, tril
from gpugrad.tape import Tensor, raw

_NAME = "scaled_dot_product_attention"

CPU_SCORES, GPU_SCORES = 1 << 17, 1 << 26
"""About how many scores are computed at once; each takes the place of a few numbers. Many, so that a GPU has enough to do."""

SMALLEST_ROWS = 64
"""Fewer queries at once than these would make products slow."""


class Dropout(NamedTuple):
    """Which probabilities are kept: what ``functional.dropout`` computes a mask from, here and in the backward pass again."""

    state: Any
    threshold: float
    width: int
    scale: float


def _attention(
    query: Any, key: Any, value: Any, mask: Any, /, *, scale: float, causal: bool, dropout: Dropout | None, first: int = 0
) -> tuple[Any, Any]:
    """The result, and the logarithms of the sums of exponentials of the rows of scores, (..., L, 1) in the dtype computed in.

    A row of scores without a finite one, all masked, has the result 0 and the logarithm 0, so that ``exp(scores - logarithm)`` is
    the probability everywhere. Row 0 is query number `first` of those that `causal` speaks of.
    """
    if pieces := _pieces(query, key, value, mask, causal, dropout, first):
        options = {"scale": scale, "causal": causal, "dropout": dropout}
        found = [_attention(*operands, **options, first=start) for operands, start in pieces.each]  # type: ignore[arg-type]
        out, logsumexp = (concat(parts, axis=pieces.axis) for parts in zip(*found, strict=True))
        return out, logsumexp
    probabilities, logsumexp = _softmax_rows(*_scores(query, key, mask, scale, causal, first))
    groups = _groups(query, value)
    out = _unfold(matmul(_fold(_dropped(probabilities, dropout), groups), wide(value)), groups)
    return narrow(out, query), logsumexp


def _attention_gradient(
    g: Any, query: Any, key: Any, value: Any, mask: Any, out: Any, logsumexp: Any, /,
    *, scale: float, causal: bool, dropout: Dropout | None, wanted: tuple[bool, bool, bool, bool], first: int = 0,
) -> tuple[Any, Any, Any, Any]:  # fmt: skip
    """The gradients of query, key, value and mask, each None unless `wanted`; `out` and `logsumexp` are those of attention."""
    given, (g, q, k, v) = (query, key, value), map(wide, (g, query, key, value))
    if pieces := _pieces(q, k, v, mask, causal, dropout, first, g, out, logsumexp):
        options = {"scale": scale, "causal": causal, "dropout": dropout, "wanted": wanted}
        found: list[list[Any]] = [[], [], [], []]
        for (*operands, g, out, logsumexp), start in reversed(pieces.each):
            parts = _attention_gradient(g, *operands, out, logsumexp, **options, first=start)  # type: ignore[arg-type, call-arg]
            for i, (own, part) in enumerate(zip(found, parts, strict=True)):
                if pieces.axis == -2 and i in (1, 2) and own:  # all queries see the same keys and values
                    own[0] = _plus(own[0], part)
                else:
                    own.insert(0, part)
        whole = [None if own[0] is None else own[0] if len(own) == 1 else concat(own, axis=pieces.axis) for own in found]
        dq, dk, dv = (None if x is None else narrow(x, like) for x, like in zip(whole[:3], given, strict=True))
        return dq, dk, dv, whole[3]
    of_key, of_value = _groups(query, key), _groups(query, value)
    probabilities = _exponentials(*_scores(query, key, mask, scale, causal, first), logsumexp)
    weights = _dropped(probabilities, dropout)
    dq = dk = dv = ds = None
    if wanted[2]:
        dv = narrow(matmul(matrix_transpose(_fold(weights, of_value)), _fold(g, of_value)), value)
    if wanted[0] or wanted[1] or wanted[3]:
        dp = _unfold(matmul(_fold(g, of_value), matrix_transpose(v)), of_value)
        row = sum(g * wide(out), axis=-1, keepdims=True)  # that of weights * dp, over fewer numbers
        ds = _score_gradient(probabilities, None if dropout is None else weights, dp, row)
    if wanted[0]:
        dq = narrow(_unfold(matmul(_fold(ds, of_key), k), of_key) * scale, query)
    if wanted[1]:
        dk = narrow(matmul(matrix_transpose(_fold(ds, of_key)), _fold(q * scale, of_key)), key)
    return dq, dk, dv, ds if wanted[3] else None


def _scores(query: Any, key: Any, mask: Any, scale: float, causal: bool, first: int) -> tuple[Any, Any]:
    """query @ key^T * scale, and the mask to apply."""
    groups = _groups(query, key)
    scores = _unfold(matmul(_fold(wide(query) * scale, groups), matrix_transpose(wide(key))), groups)
    if causal:
        mask = tril(raw_full(raw(scores), tuple(scores.shape[-2:]), True, numpy.dtype(bool)), k=first)
    return scores, mask


# Where there are many scores, pieces of them are computed one after the other, so that memory does not grow with L times S.


class _Pieces(NamedTuple):
    """Operands cut along an axis of the scores, -2 that of the queries, each with the number of its first query."""

    axis: int
    each: list[tuple[list[Any], int]]


def _pieces(
    query: Any, key: Any, value: Any, mask: Any, causal: bool, dropout: Dropout | None, first: int, *of_rows: Any
) -> _Pieces | None:
    """The pieces, or None for few scores; `of_rows` are more operands with a row for each query."""
    rows, keys = query.shape[-2], key.shape[-2]
    lead: list[int] = list(numpy.broadcast_shapes(query.shape[:-3], key.shape[:-3]))
    heads = (query.shape[-3:-2] or (1,))[0], (key.shape[-3:-2] or (1,))[0]
    sizes = [*lead, builtins.max(heads), rows]
    largest = CPU_SCORES if isinstance(raw(query), numpy.ndarray) else GPU_SCORES
    count = math.prod(sizes) * keys
    if count <= largest or dropout is not None:  # which numbers dropout draws is told by the place among all scores
        return None
    shared = builtins.max(_groups(query, key), _groups(query, value)) > 1  # of such heads no piece is taken
    at = next(i for i, n in enumerate(sizes) if (n > 1 or i == len(sizes) - 1) and not (shared and i == len(sizes) - 2))
    axis, size = at - len(sizes) - 1, sizes[at]
    step = builtins.max(largest * size // count, 1 if axis < -2 else SMALLEST_ROWS)
    if step >= size or (axis < -2 and count <= 2 * largest):  # two halves of a batch save little
        return None
    each = []
    for start in range(0, size, step):
        stop = builtins.min(start + step, size)
        given = [query, key, value, mask, *of_rows]
        if axis < -2:
            each.append(([_cut(x, axis, start, stop) for x in given], first))
            continue
        seen = builtins.min(first + stop, keys) if causal and stop < size else keys  # the gradient of the last is of all keys
        given[1:3] = [_cut(x, -2, 0, seen) for x in (key, value)]
        each.append(([x if i in (1, 2) else _cut(x, -2, start, stop) for i, x in enumerate(given)], first + start))
    return _Pieces(axis, each)


def _cut(x: Any, axis: int, start: int, stop: int) -> Any:
    """x from start to stop along an axis counted from the right; all of it where it has no such axis, or one number for all."""
    if x is None or len(x.shape) < -axis or x.shape[axis] == 1 or stop - start == x.shape[axis]:
        return x
    return x[(..., slice(start, stop), *[slice(None)] * (-1 - axis))]


def _plus(total: Any, part: Any) -> Any:
    """The sum of gradients of keys, or values, where `part` has only the first of them."""
    seen = 0 if part is None else part.shape[-2]
    if not seen or seen == total.shape[-2]:
        return total + part if seen else total
    return concat([total[..., :seen, :] + part, total[..., seen:, :]], axis=-2)


# What happens to each row of scores, as one kernel each.


@derived
def _softmax_rows(scores: Any, mask: Any) -> tuple[Any, Any]:
    scores = _masked(scores, mask)
    peak = (max if scores.shape[-1] else sum)(scores, axis=-1, keepdims=True)  # without a key 0, as a sum of nothing is
    peak = where(peak == -math.inf, 0, peak)
    exponentials = exp(scores - peak)
    total = sum(exponentials, axis=-1, keepdims=True)
    total = where(total == 0, 1, total)
    return exponentials * (1 / total), peak + log(total)


@derived
def _exponentials(scores: Any, mask: Any, logsumexp: Any) -> Any:
    return exp(_masked(scores, mask) - logsumexp)


@derived
def _score_gradient(probabilities: Any, weights: Any, dp: Any, row: Any) -> Any:
    return probabilities * (dp - row) if weights is None else weights * dp - probabilities * row


def _masked(scores: Any, mask: Any) -> Any:
    if mask is None:
        return scores
    if numpy_dtype(mask.dtype).kind == "b":
        return where(mask, scores, -math.inf)
    return scores + astype(mask, scores.dtype, copy=False)


def _dropped(x: Any, dropout: Dropout | None) -> Any:
    return x if dropout is None else _dropout(x, *dropout)


def _weights_rule(g: Any, out: Any) -> Any:
    return softmax_vjp(g, out, -1)


@fused(scores=_weights_rule, mask=_weights_rule)
def attention_weights(scores: Any, mask: Any, /) -> Any:
    """softmax over the last axis of scores with a mask, as in :func:`scaled_dot_product_attention`: a row that is all masked is 0."""
    return narrow(_softmax_rows(wide(scores), mask)[0], scores)


# Several heads of the query may share a head of the key: their rows then are more rows of one product, and nothing is repeated.


def _groups(query: Any, x: Any) -> int:
    """How many heads of the query share a head of x."""
    if len(query.shape) < 3 or len(x.shape) < 3:
        return 1
    heads, shared = query.shape[-3], x.shape[-3]
    return heads // shared if 0 < shared < heads else 1


def _fold(x: Any, groups: int) -> Any:
    """(..., heads, L, n) -> (..., heads / groups, groups * L, n)."""
    if groups == 1:
        return x
    *lead, heads, rows, columns = x.shape
    return reshape(x, (*lead, heads // groups, groups * rows, columns))


def _unfold(x: Any, groups: int) -> Any:
    """The inverse of :func:`_fold`."""
    if groups == 1:
        return x
    *lead, heads, rows, columns = x.shape
    return reshape(x, (*lead, heads * groups, rows // groups, columns))


_FORWARD = Kernels("attention", _attention, standard=False)
_BACKWARD = Kernels("attention_gradient", _attention_gradient, standard=False)


def _native_attention(*operands: Any, **options: Any) -> tuple[Any, Any]:
    return native.attention(*operands, **options) or _attention(*operands, **options)


def _native_gradient(*operands: Any, **options: Any) -> tuple[Any, Any, Any, Any]:
    return native.attention_gradient(*operands, **options) or _attention_gradient(*operands, **options)


_FORWARD[numpy.ndarray] = _native_attention
_BACKWARD[numpy.ndarray] = _native_gradient


@composite
def scaled_dot_product_attention(
    query: A, key: Any, value: Any, attn_mask: Any = None, dropout_p: float = 0.0, is_causal: bool = False,
    scale: float | None = None, enable_gqa: bool = False,
) -> A:  # fmt: skip
    """softmax(query @ key^T * scale + mask) @ value; `scale` None is 1 / sqrt(E).

    Shapes: query (..., L, E), key (..., S, E), value (..., S, Ev), result (..., L, Ev); the leading axes broadcast. With
    `enable_gqa` the third axis from the right counts heads, and key and value may have fewer than query, by a whole factor: head h
    of the query sees head h // factor of theirs.
    `attn_mask` broadcasts to (..., L, S): a boolean one is True where a key takes part, another is added to the scores and has a
    gradient. `is_causal` lets query i see the keys 0 to i, also where L and S differ. A query that sees no key, all masked, has the
    result 0 and gives no gradient, as in PyTorch since 2.5. `dropout_p` drops probabilities whenever it is not 0, in evaluation
    too, as in PyTorch, with the numbers that :func:`dropout` would draw for them.
    Dtypes: real floating, the same for query, key and value; 16 bits are computed with in float32. The probabilities are not kept
    for the backward pass but computed again, and where they are many a piece at a time, so that memory grows with L and S and not
    with their product (with dropout, for which all are drawn at once, it does).

    Raises ShapeError for other shapes, DTypeError for other dtypes, OptionError for a mask beside `is_causal` and for dropout_p
    outside [0, 1].
    Source: A. Vaswani et al., "Attention is all you need", NeurIPS 2017;
    https://docs.pytorch.org/docs/stable/generated/torch.nn.functional.scaled_dot_product_attention.html
    """
    shape = _checked(query, key, value, attn_mask, enable_gqa)
    if is_causal and attn_mask is not None:
        raise OptionError(f"{_NAME}: got attn_mask and is_causal=True, expected one of them; put the triangle into the mask")
    if scale is None:
        width = query.shape[-1]  # type: ignore[attr-defined]
        scale = 1 / math.sqrt(width) if width else 1.0
    dropout = _drawn(raw(query), shape, dropout_p)
    options: dict[str, Any] = {"scale": float(scale), "causal": bool(is_causal), "dropout": dropout}
    out: A
    (out,) = jointly(
        _NAME, (query, key, value, attn_mask), functools.partial(_forward, **options), functools.partial(_gradient, **options)
    )
    return out


def _drawn(query: Any, shape: tuple[int, ...], p: float) -> Dropout | None:
    """What drops scores of this shape with probability p, from the default generator."""
    check_probability(p)
    if p == 0:
        return None
    found = drawn(broadcast_to(raw_full(query, (), 0, query.dtype), shape), p)  # which takes no memory
    return None if found is None else Dropout(*found)


def _forward(*operands: Any, **options: Any) -> tuple[tuple[Any], tuple[Any, Any]]:
    """The results, of which there is one, and what the gradient needs."""
    kept = _chosen(_FORWARD, _attention, operands)(*operands, **options)
    return kept[:1], kept


def _gradient(
    gradients: list[Any], operands: tuple[Any, ...], kept: Any, wanted: tuple[bool, ...], **options: Any
) -> tuple[Any, ...]:
    found: tuple[Any, ...] = _chosen(_BACKWARD, _attention_gradient, operands)(
        *gradients, *operands, *kept, **options, wanted=wanted
    )
    return found


def _chosen(kernels: Kernels, definition: Any, operands: tuple[Any, ...]) -> Any:
    """What runs on these operands."""
    return definition if any(isinstance(x, Tensor) for x in operands) else kernels.combined[tuple(map(type, operands))]


def _checked(query: Any, key: Any, value: Any, mask: Any, grouped: bool) -> tuple[int, ...]:
    """The shape of the scores; all arguments are checked."""
    given = {"query": query, "key": key, "value": value}
    for name, x in given.items():
        check_input(x, f"{_NAME}, {name}")
        floating(x, None, f"{_NAME}, {name}")
    dtypes = [numpy_dtype(x.dtype) for x in given.values()]
    if len(set(dtypes)) > 1:
        named = ", ".join(f"{name} {dtype}" for name, dtype in zip(given, dtypes, strict=True))
        raise DTypeError(f"{_NAME}: got {named}, expected the same dtype for all; convert them with .astype")
    q, k, v = (tuple(x.shape) for x in given.values())

    def fail(expected: str) -> NoReturn:
        shapes = ", ".join(f"{name} {tuple(x.shape)}" for name, x in given.items())
        masked = "" if mask is None else f", attn_mask {tuple(mask.shape)}"
        raise ShapeError(f"{_NAME}: got {shapes}{masked}, expected {expected}")

    if min(len(q), len(k), len(v)) < 2 or q[-1] != k[-1] or k[-2] != v[-2]:
        fail("query (..., L, E), key (..., S, E) and value (..., S, Ev)")
    heads: tuple[int, ...] = ()
    if grouped:
        if min(len(q), len(k), len(v)) < 3:
            fail("query (..., heads, L, E), key and value (..., heads, S, E), since enable_gqa is True")
        if not all(n == q[-3] or (n and q[-3] % n == 0) for n in (k[-3], v[-3])):
            fail("a number of heads, the third size from the right, of query that those of key and value divide")
        heads = q[-3:-2]
    ends = -3 if grouped else -2
    try:
        numpy.broadcast_shapes(q[:ends], k[:ends], v[:ends])
    except ValueError:
        hint = "" if grouped else " (heads of query that share a head of key need enable_gqa=True)"
        fail(f"leading sizes that broadcast{hint}")
    scores = (*numpy.broadcast_shapes(q[:ends], k[:ends]), *heads, q[-2], k[-2])
    if mask is not None:
        check_input(mask, f"{_NAME}, attn_mask")
        if numpy_dtype(mask.dtype).kind in "iuc":
            raise DTypeError(
                f"{_NAME}: attn_mask has dtype {mask.dtype}, expected booleans, or real floating-point to be added"
            )
        try:
            fits = numpy.broadcast_shapes(mask.shape, scores) == scores
        except ValueError:
            fits = False
        if not fits:
            fail(f"an attn_mask that broadcasts to the scores {scores}")
    return scores
