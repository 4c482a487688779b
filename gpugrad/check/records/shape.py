"""Records of gpugrad/ops/shape.py."""

from __future__ import annotations

from typing import Any

import numpy

from gpugrad.check.records.case import Case, booleans, call, complexes, integers, real


def _concat(arrays: Any, /, *, axis: int | None = 0) -> Any:
    return numpy.concatenate(arrays, axis=axis)


def _unstack(x: Any, /, *, axis: int = 0) -> Any:
    return tuple(numpy.moveaxis(x, axis, 0))


def _meshgrid(*arrays: Any, indexing: Any = "xy") -> Any:
    return list(numpy.meshgrid(*arrays, indexing=indexing))


def _expand_dims(x: Any, axis: int = 0) -> Any:
    return numpy.expand_dims(x, axis)


CASES = [
    Case(
        "broadcast_arrays",
        [call(real(3), real(2, 1)), call(real(2)), call(real(), real(2, 3), real(1, 3)), call(real(0, 1), real(2)), call()],
        lambda *arrays: tuple(numpy.broadcast_arrays(*arrays)),
        complex=True,
    ),
    Case(
        "broadcast_shapes",
        [call((2, 1), (3,)), call(), call((), (4,)), call((0, 1), (1, 5), (1,))],
        numpy.broadcast_shapes,
        order=None,
    ),
    Case(
        "broadcast_to",
        [
            call(real(3), (2, 3)),
            call(real(2, 1), (4, 2, 3)),
            call(real(), (2, 2)),
            call(real(), ()),
            call(real(1, 2), (0, 2)),
            call(booleans(1), (3,)),
        ],
        numpy.broadcast_to,
        complex=True,
    ),
    Case(
        "concat",
        [
            call([real(2, 3), real(1, 3)]),
            call([real(2, 3), real(2, 1), real(2, 0)], axis=-1),
            call([real(2), real()], axis=None),
            call((real(3),)),
            call([real(2, 3), real(2)], axis=None),
            call([integers(2), integers(3, dtype="int8")]),
            call([real(2, 2, 2), real(2, 1, 2)], axis=1),
        ],
        _concat,
        complex=True,
    ),
    Case("concat", [call([real(2, 3), complexes(1, 3)])], _concat, label="real and complex"),
    Case("stack", [call([complexes(2), real(2)])], numpy.stack, label="real and complex"),
    Case(
        "expand_dims",
        [
            call(real(2, 3), axis=1),
            call(real(2, 3), axis=-1),
            call(real(), axis=0),
            call(real(2), axis=-2),
            call(real(0), axis=1),
        ],
        _expand_dims,
        complex=True,
    ),
    Case(
        "flip",
        [call(real(2, 3)), call(real(2, 3), axis=0), call(real(2, 3), axis=(-1, 0)), call(real()), call(real(0, 2), axis=-1)],
        numpy.flip,
        complex=True,
    ),
    Case("matrix_transpose", [call(real(2, 3)), call(real(4, 2, 3)), call(real(0, 2))], numpy.matrix_transpose, complex=True),
    Case(
        "meshgrid",
        [
            call(real(3), real(2)),
            call(real(3), real(2), indexing="ij"),
            call(real(2)),
            call(real(2), real(3), real(4)),
            call(),
            call(real(0), real(2)),
        ],
        _meshgrid,
        complex=True,
    ),
    Case(
        "moveaxis",
        [
            call(real(2, 3, 4), 0, 2),
            call(real(2, 3, 4), (0, -1), (1, 0)),
            call(real(2, 3, 4), -1, 0),
            call(real(2), 0, 0),
            call(real(2, 3, 4), (), ()),
        ],
        numpy.moveaxis,
        complex=True,
    ),
    Case(
        "permute_dims",
        [call(real(2, 3), (1, 0)), call(real(2, 3, 4), (2, 0, 1)), call(real(2, 3, 4), (-1, 0, -2)), call(real(), ())],
        numpy.permute_dims,
        complex=True,
    ),
    Case(
        "reshape",
        [
            call(real(2, 3), (3, 2)),
            call(real(2, 3), (-1,)),
            call(real(1, 1), ()),
            call(real(), (1, 1)),
            call(real(0, 3), (3, 0)),
            call(real(4), (2, -1), copy=True),
        ],
        numpy.reshape,
        complex=True,
    ),
    Case(
        "roll",
        [
            call(real(2, 3), 1),
            call(real(2, 3), -1, axis=1),
            call(real(2, 3), (1, -2), axis=(0, -1)),
            call(real(2, 3), 7, axis=0),
            call(real(), 1),
            call(real(0), 2),
            call(real(2, 3), (1, 2), axis=(0, 0)),
        ],
        numpy.roll,
        complex=True,
    ),
    Case(
        "squeeze",
        [call(real(2, 1), axis=1), call(real(1, 2, 1), axis=(0, -1)), call(real(1, 0), axis=0), call(real(2), axis=())],
        numpy.squeeze,
        complex=True,
    ),
    Case(
        "stack",
        [call([real(2), real(2)]), call((real(2, 3), real(2, 3)), axis=-1), call([real(), real()]), call([real(0, 2)], axis=1)],
        numpy.stack,
        complex=True,
    ),
    Case(
        "tile",
        [
            call(real(2, 3), (2, 1)),
            call(real(2), (3, 2)),
            call(real(2, 2), (3,)),
            call(real(), (2,)),
            call(real(2), ()),
            call(real(2), (0,)),
        ],
        numpy.tile,
        complex=True,
    ),
    Case(
        "tril", [call(real(3, 3)), call(real(2, 3, 4), k=1), call(real(3, 2), k=-1), call(real(2, 0))], numpy.tril, complex=True
    ),
    Case(
        "triu", [call(real(3, 3)), call(real(2, 3, 4), k=1), call(real(3, 2), k=-1), call(real(2, 0))], numpy.triu, complex=True
    ),
    Case(
        "unstack",
        [call(real(2, 3)), call(real(2, 3), axis=-1), call(real(2)), call(real(1, 0), axis=0)],
        _unstack,
        complex=True,
    ),
]
