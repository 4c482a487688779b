"""ctc_loss: how likely a label sequence is, whatever its alignment with the input.

The recursion of Graves et al. over time, in logarithms: alpha[t, s] is the log-probability of all ways to have read the first s
symbols of "blank l1 blank l2 ... blank" at time t. All sequences of a batch take a step together, as one kernel on a GPU. What is
impossible is -1e30, not -inf, so that no difference is nan. The gradient runs back through time with the shares that the three ways
into a symbol have: numbers in [0, 1], computed for all times at once.
"""

from __future__ import annotations

import builtins
import math
from typing import Any

import numpy
from array_api_compat import array_namespace

from gpugrad.arrays.devices import move, place_of
from gpugrad.arrays.dtypes import int64, numpy_dtype
from gpugrad.derived import derived
from gpugrad.differentiate import stop_gradient
from gpugrad.errors import DTypeError, IndexingError, OptionError, ShapeError
from gpugrad.families import composite, fused
from gpugrad.nn.functional.precision import narrow, wide
from gpugrad.nn.functional.reduction import check_not_empty, check_reduction, checkable, reduced
from gpugrad.nn.functional.softmax import floating
from gpugrad.ops.creation import full_like, zeros_like
from gpugrad.ops.dtypes import astype
from gpugrad.ops.elementwise import exp, logaddexp, logical_and, logical_not, logical_or, maximum, minimum, where
from gpugrad.ops.indexing import take, take_along_axis
from gpugrad.ops.reduction import any, cumulative_sum, max, min, sum
from gpugrad.ops.shape import broadcast_to, concat, expand_dims, reshape, stack, unstack
from gpugrad.tape import raw

_NEVER = -1e30
_IMPOSSIBLE = -1e29


def _edge(x: Any, fill: float) -> Any:
    """Two columns beside x, (..., 2): what is in front of the first symbol, or behind the last."""
    column = x[..., :1]
    return full_like(concat([column, column], axis=-1), fill)


@derived
def _forward(alpha: Any, emission: Any, skip: Any, edge: Any) -> Any:
    """One step in time; `skip` is 0 where a symbol may be reached from the one before the last, else -1e30."""
    before = concat([edge, alpha], axis=-1)
    return logaddexp(logaddexp(alpha, before[..., 1:-1]), before[..., :-2] + skip) + emission


@derived
def _backward(g: Any, later: Any, stay: Any, step: Any, jump: Any, edge: Any) -> Any:
    """The gradient of alpha one step earlier, from that of the later one and the shares of the three ways."""
    stepped, jumped = (concat([later * share, edge], axis=-1) for share in (step, jump))
    return g + later * stay + stepped[..., 1:-1] + jumped[..., 2:]


def _alphas_rule(g: Any, emissions: Any, skip: Any, out: Any) -> Any:
    before, level = out[:-1, ...], out[1:, ...] - emissions[1:, ...]
    padded = concat([_edge(before, _NEVER), before], axis=-1)
    # At most 1, but for what is impossible, whose differences are as large as its rounding.
    shares = (exp(minimum(x - level, 0)) for x in (before, padded[..., 1:-1], padded[..., :-2] + skip))
    edge = _edge(g[0, ...], 0.0)
    *earlier, last = unstack(g)
    gradients = [last]
    for stay, step, jump in zip(*(reversed(unstack(x)) for x in shares), strict=True):
        gradients.append(_backward(earlier.pop(), gradients[-1], stay, step, jump, edge))
    gradients[-1] = where(_numbers(g, g.shape[-1]) < 2, gradients[-1], 0)
    return stack(gradients[::-1])


@fused(compiles=False, emissions=_alphas_rule, skip=None)
def _ctc_alphas(emissions: Any, skip: Any, /) -> Any:
    """Log-probabilities (T, N, L) of having read each of L symbols at each time, from those of the symbols themselves."""
    first, *others = unstack(emissions)
    alphas = [where(_numbers(first, first.shape[-1]) < 2, first, _NEVER)]
    edge = _edge(first, _NEVER)
    for emission in others:
        alphas.append(_forward(alphas[-1], emission, skip, edge))
    return stack(alphas)


def _numbers(like: Any, count: int) -> Any:
    """0 to count - 1, in the library and on the device of an array."""
    array = raw(like)
    return array_namespace(array).arange(count, device=getattr(array, "device", None))


@composite
def ctc_loss(
    log_probs: Any,
    targets: Any,
    input_lengths: Any,
    target_lengths: Any,
    blank: int = 0,
    reduction: str = "mean",
    zero_infinity: bool = False,
) -> Any:
    """-log of the probability that an input is read as its target: the sum over all alignments, with class `blank` between labels.

    The mean divides each loss by the length of its target, or 1 if that is empty, before it averages. A target that is too long for
    its input has an infinite loss, and a gradient that is no number; with `zero_infinity` both are 0. As in PyTorch, the gradient
    is exp(log_probs) minus the posterior probabilities: the one with respect to logits, and so the right one for log-probabilities that
    come from log_softmax; it differs from the derivative for others.
    Shapes: log_probs (T, N, C), and targets (N, S), or (sum(target_lengths),) one after the other, and lengths (N,), as arrays, Tensors,
    lists or tuples; or log_probs (T, C), targets (S,) and lengths (). Dtypes: log_probs floating, all else integers; 16 bits
    are computed with in float32.
    Nothing waits for a GPU: what is there is not looked at, and a label or length out of range there gives nan.
    Raises ShapeError if shapes or lengths do not fit or the mean is of nothing, IndexingError for a label that is no class or is
    `blank`, DTypeError, and OptionError for another `reduction` or a `blank` that is no class.
    Source: A. Graves et al., "Connectionist temporal classification", ICML 2006.
    """
    check_reduction(reduction, "ctc_loss")
    x = floating(log_probs, None, "ctc_loss")
    single = len(x.shape) == 2
    if len(x.shape) not in (2, 3) or x.shape[0] == 0:
        raise ShapeError(f"ctc_loss: got log_probs {tuple(x.shape)}, expected (T, N, C) or (T, C) with one time or more")
    x = expand_dims(x, 1) if single else x
    steps, batch, classes = x.shape
    check_blank(blank, classes)
    check_not_empty("ctc_loss", reduction, (batch,))
    read, wanted = (_lengths(x, batch, name) for x, name in ((input_lengths, "input"), (target_lengths, "target")))
    if checkable(read) and any(logical_or(read < 0, read > steps)):
        raise ShapeError(
            f"ctc_loss: input_lengths are {_some(read)}, expected 0 to {steps} for log_probs {tuple(log_probs.shape)}"
        )
    labels, counts, bad = _labels(targets, wanted, steps, classes, blank, place_of(raw(x)))
    read = move(read, place_of(raw(x)))
    bad = logical_or(bad, logical_or(read < 0, read > steps))
    losses = _losses(x, labels, read, counts, blank, zero_infinity)
    losses = where(bad, math.nan, losses)
    if reduction == "mean":
        losses = losses / astype(maximum(counts, 1), losses.dtype)
    out = narrow(reduced(losses, reduction), x)
    return reshape(out, ()) if single and reduction == "none" else out


def check_blank(blank: int, classes: int | None = None) -> None:
    """Raise OptionError unless it is a class."""
    if blank < 0 or (classes is not None and blank >= classes):
        expected = "0 or more" if classes is None else f"0 to {classes - 1} for {classes} classes"
        raise OptionError(f"ctc_loss: blank is {blank}, expected {expected}")


def _lengths(lengths: Any, batch: int, name: str) -> Any:
    """Lengths as an array (N,) of int64, wherever they are."""
    array = raw(lengths) if hasattr(lengths, "dtype") else numpy.asarray(lengths, None if lengths else int64)
    if numpy_dtype(array.dtype).kind not in "iu":
        raise DTypeError(f"ctc_loss: {name}_lengths have dtype {array.dtype}, expected integers")
    if tuple(array.shape) not in ((batch,), () if batch == 1 else (batch,)):
        raise ShapeError(
            f"ctc_loss: {name}_lengths have shape {tuple(array.shape)}, expected ({batch},), one for each sequence"
        )
    return reshape(astype(array, int64, copy=False), (batch,))


def _some(array: Any) -> str:
    """The first elements, for a message."""
    values = [int(array[i]) for i in range(builtins.min(array.shape[0], 8))]
    return f"{values}{' and so on' if array.shape[0] > 8 else ''}"


def _labels(targets: Any, wanted: Any, steps: int, classes: int, blank: int, place: Any) -> tuple[Any, Any, Any]:
    """Labels (N, S), `blank` behind the last of each sequence, how many each has, and which sequences have wrong ones: all at `place`.

    Computed where the targets are if lengths are there too. Lengths on a GPU are not read: of targets that come one after the other
    each sequence may then have as many labels as there are times, and more are impossible.
    """
    target = raw(targets) if hasattr(targets, "dtype") else numpy.asarray(targets, None if len(targets) else int64)
    if numpy_dtype(target.dtype).kind not in "iu":
        raise DTypeError(f"ctc_loss: targets have dtype {target.dtype}, expected integers; convert them with .astype(gg.int64)")
    shape, batch = tuple(target.shape), wanted.shape[0]
    if not (len(shape) == 1 or (len(shape) == 2 and shape[0] == batch)):
        raise ShapeError(
            f"ctc_loss: got targets {shape}, expected ({batch}, S), or labels one after the other, (sum(target_lengths),)"
        )
    longest = None
    if checkable(wanted):
        longest = int(max(wanted)) if batch else 0
        if batch and min(wanted) < 0:
            raise ShapeError(f"ctc_loss: target_lengths are {_some(wanted)}, expected 0 or more")
        if len(shape) == 2 and longest > shape[1]:
            raise ShapeError(f"ctc_loss: target_lengths are {_some(wanted)}, expected {shape[1]} at most for targets {shape}")
        if len(shape) == 1 and int(sum(wanted)) != shape[0]:
            raise ShapeError(f"ctc_loss: target_lengths are {_some(wanted)}, expected a sum of {shape[0]} for targets {shape}")
    if not (isinstance(target, numpy.ndarray) and isinstance(wanted, numpy.ndarray)):
        target, wanted = move(target, place), move(wanted, place)
    target = astype(target, int64, copy=False)
    bad = wanted < 0
    if len(shape) == 2:
        size = shape[1] if longest is None else longest
        labels, bad = target[:, :size], logical_or(bad, wanted > shape[1])
    else:
        size = builtins.min(shape[0], steps) if longest is None else longest
        starts = cumulative_sum(wanted) - wanted
        positions = expand_dims(starts, 1) + _numbers(target, size)
        labels = reshape(take(target, reshape(maximum(minimum(positions, shape[0] - 1), 0), (batch * size,))), (batch, size))
    used = _numbers(target, size) < expand_dims(wanted, 1)
    wrong = logical_and(used, logical_or(logical_or(labels < 0, labels >= classes), labels == blank))
    if checkable(target) and any(wrong):
        raise IndexingError(
            f"ctc_loss: label {int(labels[wrong][0])} in the targets, expected 0 to {classes - 1} for {classes} classes, "
            f"without the blank {blank}"
        )
    labels = where(logical_and(used, logical_not(wrong)), labels, blank)
    bad = logical_or(bad, any(wrong, axis=1))
    return move(labels, place), move(wanted, place), move(bad, place)


def _losses(x: Any, labels: Any, read: Any, counts: Any, blank: int, zero_infinity: bool) -> Any:
    """The losses (N,) of log-probabilities (T, N, C) and labels (N, S), of which `counts` count."""
    x = wide(x)
    steps, batch, _ = x.shape
    most = labels.shape[1]
    size = 2 * most + 1
    column = expand_dims(full_like(counts, blank), 1)
    symbols = concat([reshape(stack([full_like(labels, blank), labels], axis=-1), (batch, 2 * most)), column], axis=1)
    may_skip = logical_and(symbols != blank, symbols != concat([_edge(symbols, blank), symbols], axis=1)[:, :-2])
    skip = where(may_skip, zeros_like(symbols, dtype=x.dtype), _NEVER)
    emissions = maximum(take_along_axis(x, broadcast_to(expand_dims(symbols, 0), (steps, batch, size)), axis=2), _NEVER)
    alphas = _ctc_alphas(emissions, skip)
    last = maximum(minimum(read, steps) - 1, 0)
    final = take_along_axis(alphas, broadcast_to(reshape(last, (1, batch, 1)), (1, batch, size)), axis=0)[0, ...]
    count = minimum(counts, most)
    ends = [take_along_axis(final, expand_dims(maximum(2 * count - back, 0), 1), axis=1)[:, 0] for back in (0, 1)]
    found = where(counts > 0, logaddexp(*ends), ends[0])
    found = where(logical_or(counts > most, logical_and(read <= 0, counts > 0)), _NEVER, where(read <= 0, 0, found))
    # PyTorch's gradient is that of logits: exp(x) comes in by a sum whose value is taken away again.
    while_read = expand_dims(_numbers(x, steps), 1) < read
    shares = sum(where(expand_dims(while_read, 2), exp(x), 0), axis=(0, 2))
    losses = shares - stop_gradient(shares) - found
    impossible = raw(found) < _IMPOSSIBLE
    return where(impossible, 0, losses) if zero_infinity else losses * where(impossible, math.inf, full_like(raw(found), 1.0))
