"""einsum: contractions of three and more operands and their gradients: a bilinear form, a tensor network, attention by einsum."""

from __future__ import annotations

from functools import partial
from typing import Any

import numpy

from benchmarks.contest import Contest, Target
from benchmarks.formulas import COLUMNS, Formula
from benchmarks.libraries import AUTOGRAD


def _operands(*shapes: tuple[int, ...]) -> list[Any]:
    rng = numpy.random.default_rng(0)
    return [(rng.standard_normal(shape) / shape[-1] ** 0.5).astype(numpy.float32) for shape in shapes]


def bilinear(batch: int = 256, width: int = 96, features: int = 64) -> Formula:
    """A form for each feature."""

    def function(xp: Any, x: Any, w: Any, y: Any) -> Any:
        out = xp.einsum("bi,oij,bj->bo", x, w, y)
        return xp.sum(out * out) / len(x)

    return Formula(_operands((batch, width), (features, width, width), (batch, width)), function)


def network(bond: int = 32, size: int = 8) -> Formula:
    """A ring of four tensors, such as of a matrix product state."""

    def function(xp: Any, a: Any, b: Any, c: Any, d: Any) -> Any:
        out = xp.einsum("iaj,jbk,kcl,ldi->abcd", a, b, c, d)
        return xp.sum(out * out)

    return Formula(_operands(*[(bond, size, bond)] * 4), function)


def attention(examples: int = 8, places: int = 64, heads: int = 4, width: int = 32) -> Formula:
    """Scores, softmax by hand, and values."""

    def function(xp: Any, q: Any, k: Any, v: Any) -> Any:
        weights = xp.exp(xp.einsum("bqhd,bkhd->bhqk", q, k))
        weights = weights / xp.einsum("bhqk->bhq", weights)[..., None]
        out = xp.einsum("bhqk,bkhd->bqhd", weights, v)
        return xp.sum(out * out) / len(q)

    return Formula(_operands(*[(examples, places, heads, width)] * 3), function)


_PAIRWISE = {library: build for library, build in COLUMNS.items() if library != AUTOGRAD}
"""Whoever contracts two operands at a time. HIPS autograd's gradients are one loop over all indices: for the ring, minutes per step."""

CONTESTS = tuple(
    Contest(
        "einsum", f"{work}, float32, forward + backward", problem, columns,
        targets=(Target(1.0),), tolerance=1e-3, memory_limit=1.0, small=partial(problem, 2, 4),
    )
    for work, problem, columns in (
        ("64 bilinear forms of 96 x 96, batch 256", bilinear, COLUMNS),
        ("ring of four tensors, bonds of 32", network, _PAIRWISE),
        ("attention, 8 examples, 4 heads, 64 places", attention, COLUMNS),
    )
)  # fmt: skip
