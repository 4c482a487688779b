"""What is compared of the main namespace: its 77 differentiable functions with their options."""

from __future__ import annotations

from parity.row import Row, each, numbered, rows

from gpugrad.check.records.case import (
    above_one,
    booleans,
    call,
    complexes,
    distinct,
    given,
    integers,
    nonzero,
    positive,
    real,
    unit,
)

MATRICES = call(real(2, 3, 4))

ELEMENTWISE = [
    *each("cos cosh exp expm1 negative positive sin sinh square real conj", call(real(2, 3)), call(real())),
    *each("log log10 log1p log2 sqrt", call(positive(2, 3))),
    *each("asin acos atan asinh atanh tan tanh", call(unit(2, 3))),
    *rows("acosh", call(above_one(2, 3))),
    *each("abs reciprocal", call(nonzero(2, 3)), call(nonzero())),
    *rows("imag", call(real(2, 3)), complex="only"),
    *each("add subtract multiply", call(real(2, 3), real(3)), call(real(2, 3), 1.5)),
    *rows("divide", call(real(2, 3), nonzero(3)), call(real(3), nonzero(2, 1))),
    *rows("pow", call(positive(2, 3), real(3)), call(positive(2, 3), 2.0)),
    *each("atan2 copysign hypot", call(nonzero(2, 3), nonzero(3))),
    *rows("logaddexp", call(real(2, 3), real(3)), call(given([800.0, -3.0]), given([1.0, 700.0]))),
    *rows("remainder", call(real(2, 3), nonzero(3))),
    *each("maximum minimum", call(real(2, 3), real(3))),
    *rows("clip", call(distinct(4, 4), -0.5, 0.5), call(distinct(4, 4), min=-0.5), call(distinct(4, 4), max=0.5)),
    *rows("where", call(booleans(2, 3), real(2, 3), real(3))),
]

CONVERSION = [
    *rows(
        "asarray",
        *(call(real(2, 3), **options) for options in ({}, {"copy": True})),
        torch=lambda xp, x, **options: xp.asarray(x, requires_grad=True, **options),
    ),
    *rows("astype", call(real(2, 3)), function=lambda xp, x: xp.astype(x, xp.complex128)),
    *rows("astype", call(real(2, 3)), function=lambda xp, x: xp.astype(x, xp.float64), complex="real"),
]

REDUCTION = [
    *each(
        "sum prod mean max min std var",
        call(distinct(2, 3)),
        call(distinct(2, 3, 2), axis=1),
        call(distinct(2, 3, 2), axis=(0, -1), keepdims=True),
    ),
    *each("std var", call(real(4, 3), axis=0, correction=1)),
    *rows("var", call(real(5), correction=0.5)),
    *rows("std", call(real(5), correction=0.5), torch=lambda xp, x, correction: xp.var(x, correction=correction) ** 0.5),
    *each(
        "cumulative_sum cumulative_prod",
        call(nonzero(4)),
        call(nonzero(2, 3), axis=0),
        call(nonzero(2, 3), axis=-1, include_initial=True),
    ),
    *rows(
        "diff",
        call(real(2, 5)),
        call(real(2, 5), axis=0),
        call(real(2, 5), n=2),
        call(real(2, 3), prepend=real(2, 1), append=real(2, 2)),
    ),
    *rows("sort", call(distinct(2, 5)), call(distinct(3, 4), axis=0, descending=True)),
]

SHAPE = [
    *rows("broadcast_arrays", call(real(3), real(2, 1))),
    *rows("broadcast_to", call(real(2, 1), (4, 2, 3))),
    *rows(
        "concat",
        call([real(2, 3), real(1, 3)]),
        call([real(2, 3), real(2)], axis=None),
        call([real(2, 1), real(2, 2)], axis=-1),
    ),
    *rows("expand_dims", call(real(2, 3), axis=1)),
    *rows("flip", call(real(2, 3)), call(real(2, 3), axis=-1)),
    *rows("matrix_transpose", MATRICES),
    *rows("meshgrid", call(real(3), real(2)), call(real(3), real(2), real(4), indexing="ij")),
    *rows("moveaxis", call(real(2, 3, 4), 0, 2), call(real(2, 3, 4), (0, -1), (1, 0))),
    *rows("permute_dims", call(real(2, 3, 4), (2, 0, 1))),
    *rows("repeat", call(real(2, 3), 2), call(real(2, 3), 2, axis=0), call(real(3), given([0, 2, 1]))),
    *rows("reshape", call(real(2, 3), (3, -1))),
    *rows("roll", call(real(2, 3), 1), call(real(2, 3), (1, -2), axis=(0, -1))),
    *rows("squeeze", call(real(1, 2, 1), axis=(0, -1))),
    *rows("stack", call([real(2, 3), real(2, 3)], axis=-1)),
    *rows("tile", call(real(2, 3), (2, 1, 2))),
    *each("tril triu", call(real(3, 3)), call(real(2, 3, 4), k=1), call(real(4, 3), k=-1)),
    *rows("unstack", call(real(2, 3)), call(real(2, 3), axis=-1)),
]

PRODUCTS = [
    *rows("matmul", call(real(2, 3), real(3, 4)), call(real(2, 2, 3), real(3)), call(real(3), real(4, 3, 2))),
    *rows("tensordot", call(real(2, 3, 4), real(3, 4, 2)), call(real(2, 3), real(2, 4), axes=((0,), (0,)))),
    *rows("vecdot", call(real(2, 3), real(3)), call(real(3, 2), real(3, 2), axis=-2)),
]

INDEXING = [
    *rows("take", call(real(3, 4), given([2, 0, 2]), axis=1), call(real(5), given([4, 4, 1]))),
    *rows(
        "take_along_axis", call(real(2, 4), integers(2, 3, low=0, high=4)), call(real(3, 2), given([[2, 0], [2, 1]]), axis=0)
    ),
]

REAL_AND_COMPLEX = [
    *each("add subtract multiply divide", call(nonzero(2, 3), complexes(3)), call(complexes(3), nonzero(2, 3)), complex="real"),
    *rows("pow", call(positive(2, 3), complexes(3)), call(complexes(3), positive(2, 3)), complex="real"),
    *each("matmul vecdot", call(real(3), complexes(3)), call(complexes(3), real(3)), complex="real"),
    *rows("concat", call([real(2, 3), complexes(1, 3)]), complex="real"),
]

MAIN: list[Row] = numbered([*ELEMENTWISE, *REAL_AND_COMPLEX, *CONVERSION, *REDUCTION, *SHAPE, *PRODUCTS, *INDEXING])
