"""How many threads run a CUDA kernel, from the sizes of a call.

Nothing here asks what GPU it is: the threads that share a sum decide the order of its additions, so that results are the same on
every GPU. The numbers fill the largest ones in use (132 multiprocessors of 2048 threads) and do no harm on smaller ones.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, NamedTuple

from gpugrad.errors import OptionError

THREADS = 256
"""In a block of a map, a column or a part: 8 blocks fill a multiprocessor."""

ROW_THREADS = 128
"""In a block of short rows: small blocks, so that few rows spread over many multiprocessors."""

MOST_THREADS = 1024  # in a block, on every GPU
WARP = 32
FULL = 132 * 8
"""Blocks of THREADS threads that the largest GPU runs at once."""

WAVES = 4
"""How often over a map fills the GPU before its threads take several vectors each."""

SPLIT = 4096
"""The fewest elements of a row that are worth a block of their own, and MOST_SPLITS the most such blocks of a row."""

MOST_SPLITS = 1024
MOST_BLOCKS = 2**31 - 1


class Launch(NamedTuple):
    """The grid and blocks of a launch, and into how many parts it splits each reduction."""

    grid: tuple[int, int]
    block: tuple[int, int]
    parts: int = 1


@dataclass(frozen=True)
class Work:
    """What a function of a kernel works on, in sizes; `form` says how: map, row, column or finish."""

    form: str
    rows: Any = 1  # places on the kept axes; of a column, on all of them but the last
    width: Any = 1  # of a column, the last kept axis
    extent: Any = 1  # elements in a row or column, all elements of a map
    vector: int = 1  # elements that a thread takes at once
    split: bool = False  # whether rows may be split over blocks, for `finish` to combine


def launch(form: str, rows: int, width: int, extent: int, vector: int, split: bool) -> Launch:
    """The launch of :class:`Work` of these sizes."""
    if form == "map":
        return _map(extent, vector)
    if form == "row":
        return _row(rows, extent, vector, split)
    if form == "column":
        return _column(rows, width, extent, split)
    raise OptionError(f"no kernels of the form {form!r}")


def finish(places: int, parts: int) -> Launch:
    """The launch that combines `parts` results for each of `places`."""
    return _rows(places, min(_power(parts), MOST_THREADS))


def _map(elements: int, vector: int) -> Launch:
    blocks = _ceil(elements, THREADS * vector)
    return Launch((min(blocks, FULL * WAVES), 1), (THREADS, 1))


def _row(rows: int, extent: int, vector: int, split: bool) -> Launch:
    if split and rows < FULL:
        parts = min(_ceil(FULL, rows), extent // SPLIT, MOST_SPLITS)
        if parts > 1:
            return Launch((rows, parts), (THREADS, 1), parts)
    return _rows(rows, _row_threads(rows, extent, vector))


def _row_threads(rows: int, extent: int, vector: int) -> int:
    """A warp for up to 1024 elements, a block for more; as many as find 8 elements while the rows are too few to fill the GPU."""
    if extent <= 4 * WARP:
        return min(_power(_ceil(extent, max(vector, 4))), WARP)
    threads = WARP if extent <= MOST_THREADS else THREADS
    while threads * 8 < extent and threads < MOST_THREADS and rows * threads < FULL * THREADS:
        threads *= 2
    return threads


def _rows(rows: int, threads: int) -> Launch:
    """`threads` per row, several rows in a block if they are few."""
    together = max(1, ROW_THREADS // threads)
    return Launch((min(_ceil(rows, together), MOST_BLOCKS), 1), (threads, together))


def _column(rows: int, width: int, extent: int, split: bool) -> Launch:
    """Warps along the columns, parts of columns if they are tall; else one thread per column, or more while those are too few."""
    across = min(WARP, _power(width))
    if split:
        blocks = rows * _ceil(width, across)
        parts = min(_ceil(FULL, blocks), extent * across // SPLIT, MOST_SPLITS)
        if parts > 1:
            return Launch((blocks, parts), (across, THREADS // across), parts)
    y = 1
    while y * 4 < extent and rows * width * y < FULL * THREADS and y < MOST_THREADS:
        y *= 2
    # At least 8 columns side by side: 32 bytes of float32, the least that memory gives.
    x = min(_power(width), max(THREADS // y, 8))
    return Launch((min(rows * _ceil(width, x), MOST_BLOCKS), 1), (x, min(y, MOST_THREADS // x)))


def _ceil(a: int, b: int) -> int:
    return -(-a // b)


def _power(n: int) -> int:
    """The smallest power of two that is at least n."""
    return 1 << (n - 1).bit_length() if n > 1 else 1
