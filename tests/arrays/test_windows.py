"""Window arithmetic against the definition, tap by tap."""

from __future__ import annotations

import itertools
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gpugrad.arrays.windows import Window, as_sizes, as_window, fitting
from gpugrad.errors import DTypeError, ShapeError

# (kernel, stride, padding, dilation) of one axis, and its size
AXES = st.tuples(st.integers(1, 4), st.integers(1, 4), st.integers(0, 4), st.integers(1, 3), st.integers(1, 9))


def _element(window: Window, axis: int, o: int, k: int) -> int:
    return o * window.stride[axis] - window.padding[axis] + k * window.dilation[axis]


@given(st.lists(AXES, min_size=1, max_size=2))
def test_meetings_are_all_pairs_of_a_window_and_an_element(axes: list[tuple[int, ...]]) -> None:
    *options, sizes = zip(*axes, strict=True)
    window = Window(*options)
    counts = tuple(max(0, n) for n in window.counts(sizes))
    found = {
        (taps, o, i)
        for taps, elements, windows in window.meetings(sizes, counts)
        for o, i in zip(_product(windows), _product(elements), strict=True)
    }
    expected = set()
    for taps, o in itertools.product(_product(map(range, window.kernel)), _product(map(range, counts))):
        i = tuple(_element(window, d, o[d], taps[d]) for d in range(len(sizes)))
        if all(0 <= place < size for place, size in zip(i, sizes, strict=True)):
            expected.add((taps, o, i))
    assert found == expected


def _product(parts: Any) -> list[tuple[int, ...]]:
    """All combinations, of ranges or of slices, in row-major order."""
    return list(itertools.product(*(range(p.start, p.stop, p.step or 1) if isinstance(p, slice) else p for p in parts)))


@given(AXES)
def test_counts(axis: tuple[int, ...]) -> None:
    *options, size = ((value,) for value in axis)
    window = Window(*options)
    (kernel,), (stride,), (padding,) = window.kernel, window.stride, window.padding
    end = size[0] + padding
    whole = [o for o in range(30) if _element(window, 0, o, kernel - 1) < end]
    assert max(0, window.counts(size)[0]) == len(whole)
    if whole and 2 * padding <= kernel:
        # One more if elements would be left over, and it begins before the end of the elements.
        reached = _element(window, 0, whole[-1], kernel - 1) + 1
        more = reached < end and len(whole) * stride - padding < size[0]
        assert window.counts(size, ceil_mode=True)[0] == len(whole) + more


@given(AXES)
def test_sizes_are_the_smallest_that_have_so_many_windows(axis: tuple[int, ...]) -> None:
    *options, counts = ((value,) for value in axis)
    window = Window(*options)
    (smallest,) = window.sizes(counts)
    assert window.counts((smallest,)) == counts and window.counts((smallest - 1,)) == (counts[0] - 1,)


@given(AXES, st.booleans())
def test_empty_windows_are_found(axis: tuple[int, ...], ceil_mode: bool) -> None:
    *options, size = ((value,) for value in axis)
    window = Window(*options)
    count = window.counts(size, ceil_mode)[0]
    if 2 * window.padding[0] > window.kernel[0] or count < 1:
        return
    taps = range(window.kernel[0])
    empty = [o for o in range(count) if not any(0 <= _element(window, 0, o, k) < size[0] for k in taps)]
    assert window.some_empty(size, ceil_mode) == bool(empty)


def test_sizes_from_arguments() -> None:
    assert as_sizes("f", "stride", 2, 3, 1) == as_sizes("f", "stride", [2], 3, 1) == (2, 2, 2)
    assert as_window("f", 2, (3, 2), 1, (1, 0), 2) == Window((3, 2), (1, 1), (1, 0), (2, 2))
    for value in ((1, 2), (), 0, (1, 1, 0)):
        with pytest.raises(ShapeError, match="f: stride is .*, expected an int or a tuple of 3 of them, 1 or more"):
            as_sizes("f", "stride", value, 3, 1)
    for other in (1.0, "1", None, (1, 2.0)):
        with pytest.raises(DTypeError, match="f: stride is .*, expected an int or a tuple of 2 of them"):
            as_sizes("f", "stride", other, 2, 1)


def test_a_kernel_larger_than_the_input() -> None:
    window = Window((2, 3), (1, 1), (0, 1), (1, 2))
    assert fitting("f", (8, 2, 3), window) == (1, 1)
    with pytest.raises(
        ShapeError, match=r"\(2, 3\) with dilation \(1, 2\) spans \(2, 5\), more than input \(8, 2, 2\) with padding \(0, 1\)"
    ):
        fitting("f", (8, 2, 2), window)
