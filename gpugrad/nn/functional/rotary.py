"""rotary_embedding: pairs of features turned by angles that grow with the position."""

from __future__ import annotations

from typing import Any

from gpugrad.derived import derived
from gpugrad.errors import ShapeError
from gpugrad.families import A, composite
from gpugrad.nn.functional.linear import check_input
from gpugrad.nn.functional.precision import narrow, wide
from gpugrad.nn.functional.softmax import floating
from gpugrad.ops.elementwise import multiply
from gpugrad.ops.shape import broadcast_shapes, concat, reshape, stack


@derived
def _turned(input: Any, cos: Any, sin: Any, interleaved: bool) -> Any:
    x = wide(input)
    half = x.shape[-1] // 2
    first, second = (x[..., 0::2], x[..., 1::2]) if interleaved else (x[..., :half], x[..., half:])
    parts = (multiply(first, cos) - multiply(second, sin), multiply(second, cos) + multiply(first, sin))
    out = reshape(stack(parts, axis=-1), tuple(x.shape)) if interleaved else concat(parts, axis=-1)
    return narrow(out, input)


@composite
def rotary_embedding(input: A, cos: Any, sin: Any, interleaved: bool = True) -> A:
    """Each pair of features (a, b) becomes (a cos - b sin, b cos + a sin).

    With `interleaved` the pairs are features 0 and 1, 2 and 3, ..., as in the paper; else i and i + d / 2, as in GPT-NeoX and LLaMA's
    files for Hugging Face's library.
    Shapes: input (..., d) with d even, cos and sin broadcast to (..., d / 2), result that of input. Dtypes: real floating, and
    the result has that of input; 16 bits are computed with in float32.
    Raises ShapeError for other shapes, DTypeError for other dtypes.
    Source: J. Su et al., "RoFormer: enhanced transformer with rotary position embedding", Neurocomputing 568, 2024.
    """
    check_input(input, "rotary_embedding")
    floating(input, None, "rotary_embedding")
    shape = tuple(input.shape)  # type: ignore[attr-defined]
    half = (*shape[:-1], shape[-1] // 2) if shape else ()
    try:
        fits = bool(shape) and shape[-1] % 2 == 0 and broadcast_shapes(half, tuple(cos.shape), tuple(sin.shape)) == half
    except ShapeError:
        fits = False
    if not fits:
        raise ShapeError(
            f"rotary_embedding: input {shape}, cos {tuple(cos.shape)}, sin {tuple(sin.shape)}, expected an even last dimension d, and cos "
            "and sin that broadcast to (..., d / 2)"
        )
    out: A = _turned(input, cos, sin, bool(interleaved))
    return out
