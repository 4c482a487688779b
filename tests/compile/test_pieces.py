"""gpugrad.compile.pieces: arrays that a kernel reads as one."""

from __future__ import annotations

import numpy as np
import pytest

from gpugrad.compile.accelerate import accelerated
from gpugrad.compile.pieces import Pieces
from gpugrad.compile.runtime import launcher
from gpugrad.optim.update import by_stretches


def added(p, g, *, rate):
    return (p + rate * g,)


KERNELS = [accelerated(added, "added", by_stretches(added), smallest=0, into={0: 0}), by_stretches(added)]


@pytest.mark.parametrize("kernel", KERNELS, ids=["compiled", "definition"])
@pytest.mark.parametrize(
    "lengths", [(5,), (3, -4, 2), (-7, 1, 0, 1, -1), (2, 3, -1, 4, -2, -1), (400_000, -3, 300_000, 1, -200_000)]
)
@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_gaps_are_left_out(kernel, lengths, dtype):
    """Large ones are shared among threads."""
    rng = np.random.default_rng(0)
    size = sum(map(abs, lengths))
    p, flat = rng.normal(size=(2, size)).astype(dtype)
    expected, parts, begin = p.copy(), [], 0
    for n in lengths:
        end = begin + abs(n)
        parts.append(-n if n < 0 else flat[begin:end].copy().reshape(-1, 1))
        if n > 0:
            expected[begin:end] += np.asarray(0.5, dtype) * flat[begin:end]
        begin = end
    (out,) = kernel(p, Pieces.of(parts, size, p.dtype), rate=0.5)
    np.testing.assert_allclose(out, expected, rtol=1e-6)


@pytest.mark.skipif(launcher() is None, reason="nothing compiles here")
@pytest.mark.parametrize("parts", [[np.ones(3)], [np.ones(3), 3], [np.ones(3), -1, np.ones(3)], [], [np.ones(6)]])
def test_pieces_of_another_length(parts):
    with pytest.raises(ValueError, match=r"the pieces of array \d do not have one element for each of 5 items"):
        KERNELS[0](np.zeros(5), Pieces.of(parts, 5, np.dtype("float64")), rate=1.0)


@pytest.mark.skipif(launcher() is None, reason="nothing compiles here")
@pytest.mark.parametrize("part, kind", [("text", TypeError), (np.ones((4, 4))[:, 0], ValueError)])
def test_what_is_no_piece(part, kind):
    with pytest.raises(kind):
        KERNELS[0](np.zeros(4), Pieces.of([part], 4, np.dtype("float64")), rate=1.0)


def test_stretches():
    a, b, c = np.ones(2), np.ones((1, 3)), np.ones(1)
    (first, both), (last, one) = Pieces.of([4, a, b, 2, 1, c], 13, np.dtype("float64")).stretches()
    assert (first, last) == (slice(4, 9), slice(12, 13))
    assert both[0] is a and both[1] is b and len(both) == 2
    assert one[0] is c and len(one) == 1
