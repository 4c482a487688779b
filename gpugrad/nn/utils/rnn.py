"""Sequences of different lengths in one batch: padded to the longest, or packed step by step without padding.

Lengths and the sizes of steps stay on the host, where Python reads them without waiting for a GPU.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import groupby
from typing import Any, NamedTuple

import numpy
from array_api_compat import array_namespace

from gpugrad.arrays.devices import CPU, DeviceLike, device_of, gpu, to_numpy
from gpugrad.arrays.dtypes import numpy_dtype
from gpugrad.arrays.kernels import is_cupy
from gpugrad.errors import DeviceError, DTypeError, OptionError, ShapeError
from gpugrad.nn.functional.linear import check_input
from gpugrad.ops.creation import raw_full
from gpugrad.ops.indexing import take
from gpugrad.ops.searching import argsort
from gpugrad.ops.shape import concat, moveaxis, reshape, stack, unstack
from gpugrad.ops.transfer import to_device
from gpugrad.tape import Tensor, raw


class _Fields(NamedTuple):
    data: Any
    batch_sizes: Any
    sorted_indices: Any
    unsorted_indices: Any


class PackedSequence(_Fields):
    """A batch of sequences without padding: what :func:`pack_padded_sequence` and :func:`pack_sequence` make.

    `data` (rows, ...) has the elements number 0 of all sequences, the longest sequence first, then those number 1 of the sequences
    that have one, and so on. `batch_sizes`, integers on the host, says how many there are of each number. ``sorted_indices[i]`` is
    the number that sequence i of `data` had in the batch, and `unsorted_indices` the inverse; both are None if that was i.
    Source: https://docs.pytorch.org/docs/stable/generated/torch.nn.utils.rnn.PackedSequence.html
    """

    __slots__ = ()

    def __new__(
        cls, data: Any, batch_sizes: Any = None, sorted_indices: Any = None, unsorted_indices: Any = None
    ) -> PackedSequence:
        if unsorted_indices is None:
            unsorted_indices = invert_permutation(sorted_indices)
        return super().__new__(cls, data, batch_sizes, sorted_indices, unsorted_indices)

    def to(self, *args: Any, **kwargs: Any) -> PackedSequence:
        """`data` as ``Tensor.to`` has it, and the indices on its device."""
        data = self.data.to(*args, **kwargs)
        place = device_of(raw(data))
        indices = [None if x is None else to_device(x, place) for x in self[2:]]
        return type(self)(data, self.batch_sizes, *indices)

    def cpu(self) -> PackedSequence:
        """On the CPU."""
        return self.to(CPU)

    def cuda(self, device: int | DeviceLike | None = None) -> PackedSequence:
        """On a GPU: the current one, or the one of this number or name."""
        return self.to(gpu(device))

    @property
    def is_cuda(self) -> bool:
        """Whether `data` is on a GPU."""
        return is_cupy(type(raw(self.data)))

    @property
    def steps(self) -> tuple[int, ...]:
        """`batch_sizes` as Python integers.

        Raises ShapeError unless they are positive, do not grow, and add up to the rows of `data`.
        """
        sizes = _integers(self.batch_sizes, "PackedSequence", "batch_sizes")
        rows = tuple(self.data.shape)
        if not sizes or sizes[-1] < 1 or sorted(sizes, reverse=True) != sizes or not rows or sum(sizes) != rows[0]:
            raise ShapeError(
                f"PackedSequence: batch_sizes {sizes} for data {rows}, expected positive numbers that do not grow and add up "
                "to the rows of data"
            )
        return tuple(sizes)


def pack_padded_sequence(input: Any, lengths: Any, batch_first: bool = False, enforce_sorted: bool = True) -> PackedSequence:
    """The first ``lengths[i]`` elements of each sequence i of a padded batch, packed.

    Shapes: input (T, N, ...), or (N, T, ...) with `batch_first`; `lengths` N integers on the host: a list, an array, a Tensor on the
    CPU. With `enforce_sorted` they must not grow; without, the sequences are sorted, and the result remembers how.
    Raises ShapeError for lengths that are not N numbers from 1 to T, OptionError if they grow in spite of `enforce_sorted`,
    DeviceError for lengths on a GPU.
    Source: https://docs.pytorch.org/docs/stable/generated/torch.nn.utils.rnn.pack_padded_sequence.html
    """
    x, counts = _padded(input, lengths, batch_first, "pack_padded_sequence")
    order = None
    if not enforce_sorted:
        order = sorted(range(len(counts)), key=lambda i: -counts[i])
        x = take(x, _indices(order, raw(x)), axis=1)
        counts = [counts[i] for i in order]
    elif sorted(counts, reverse=True) != counts:
        raise OptionError(
            f"pack_padded_sequence: the lengths are {counts}, expected them to descend; sort the sequences, or pass "
            "enforce_sorted=False"
        )
    sizes = [sum(n > t for n in counts) for t in range(counts[0])]
    parts = [reshape(x[start:stop, :n], ((stop - start) * n, *x.shape[2:])) for start, stop, n in _runs(sizes)]
    indices = None if order is None else _as(_indices(order, raw(x)), input)
    return PackedSequence(concat(parts), _as(numpy.asarray(sizes), input), indices)


def pad_packed_sequence(
    sequence: PackedSequence, batch_first: bool = False, padding_value: float = 0.0, total_length: int | None = None
) -> tuple[Any, Any]:
    """The inverse of :func:`pack_padded_sequence`: a padded batch (T, N, ...), or (N, T, ...) with `batch_first`, and the lengths.

    T is the longest length, or `total_length`. The lengths are integers on the host; those of sequences that had to be sorted are
    read back from a GPU, which waits for it. Raises DTypeError for what is no PackedSequence, ShapeError for a `total_length` that is
    shorter than the longest sequence.
    Source: https://docs.pytorch.org/docs/stable/generated/torch.nn.utils.rnn.pad_packed_sequence.html
    """
    if not isinstance(sequence, PackedSequence):
        raise DTypeError(f"pad_packed_sequence: got {type(sequence).__name__}, expected a PackedSequence")
    data, sizes = sequence.data, sequence.steps
    total = len(sizes) if total_length is None else total_length
    if total < len(sizes):
        raise ShapeError(f"pad_packed_sequence: total_length is {total}, expected at least the longest length, {len(sizes)}")
    batch, rest = sizes[0], tuple(data.shape[1:])

    def padding(steps: int, n: int) -> Any:
        """That of n sequences for so many steps."""
        return raw_full(raw(data), (steps, n, *rest), padding_value, data.dtype)

    parts = []
    row = 0
    for start, stop, n in _runs(sizes):
        rows = (stop - start) * n
        part = reshape(data[row : row + rows, ...], (stop - start, n, *rest))
        row += rows
        parts.append(part if n == batch else concat([part, padding(stop - start, batch - n)], axis=1))
    if total > len(sizes):
        parts.append(padding(total - len(sizes), batch))
    out = concat(parts) if len(parts) > 1 else parts[0]
    lengths = [sum(n > i for n in sizes) for i in range(batch)]
    if sequence.unsorted_indices is not None:
        out = take(out, sequence.unsorted_indices, axis=1)
        lengths = [lengths[i] for i in to_numpy(raw(sequence.unsorted_indices))]  # waits for a GPU
    return moveaxis(out, 0, 1) if batch_first else out, _as(numpy.asarray(lengths), data)


def pad_sequence(sequences: Any, batch_first: bool = False, padding_value: float = 0.0, padding_side: str = "right") -> Any:
    """Sequences (L_i, ...) as one batch (T, N, ...), or (N, T, ...) with `batch_first`, T the longest; the rest is `padding_value`.

    Raises ShapeError for no sequences or other axes that differ, OptionError for a `padding_side` that is not "right" or "left".
    Source: https://docs.pytorch.org/docs/stable/generated/torch.nn.utils.rnn.pad_sequence.html
    """
    if padding_side not in ("right", "left"):
        raise OptionError(f"pad_sequence: padding_side is {padding_side!r}, expected 'right' or 'left'")
    given = _sequences(sequences, "pad_sequence")
    longest = max(x.shape[0] for x in given)

    def padded(x: Any) -> Any:
        """A sequence, as long as the longest."""
        if x.shape[0] == longest:
            return x
        padding = raw_full(raw(x), (longest - x.shape[0], *x.shape[1:]), padding_value, x.dtype)
        return concat([x, padding] if padding_side == "right" else [padding, x])

    return stack([padded(x) for x in given], axis=0 if batch_first else 1)


def pack_sequence(sequences: Sequence[Any], enforce_sorted: bool = True) -> PackedSequence:
    """Sequences (L_i, ...), packed. Raises as :func:`pad_sequence` and :func:`pack_padded_sequence`.

    Source: https://docs.pytorch.org/docs/stable/generated/torch.nn.utils.rnn.pack_sequence.html
    """
    given = _sequences(sequences, "pack_sequence")
    return pack_padded_sequence(pad_sequence(given), [x.shape[0] for x in given], enforce_sorted=enforce_sorted)


def unpad_sequence(padded_sequences: Any, lengths: Any, batch_first: bool = False) -> list[Any]:
    """The sequences (L_i, ...) of a padded batch. Shapes and errors as in :func:`pack_padded_sequence`; lengths in any order.

    Source: https://docs.pytorch.org/docs/stable/generated/torch.nn.utils.rnn.unpad_sequence.html
    """
    x, counts = _padded(padded_sequences, lengths, batch_first, "unpad_sequence")
    return [part[:n, ...] for part, n in zip(unstack(x, axis=1), counts, strict=True)]


def unpack_sequence(packed_sequences: PackedSequence) -> list[Any]:
    """The inverse of :func:`pack_sequence`.

    Source: https://docs.pytorch.org/docs/stable/generated/torch.nn.utils.rnn.unpack_sequence.html
    """
    return unpad_sequence(*pad_packed_sequence(packed_sequences))


def invert_permutation(permutation: Any) -> Any:
    """The permutation that undoes another; None for None."""
    return None if permutation is None else argsort(permutation)


def _runs(sizes: Sequence[int]) -> Iterator[tuple[int, int, int]]:
    """Stretches of steps of one size: the first step, the one after the last, and the size."""
    start = 0
    for n, group in groupby(sizes):
        stop = start + len(list(group))
        yield start, stop, n
        start = stop


def _sequences(sequences: Any, name: str) -> list[Any]:
    found = list(unstack(sequences)) if hasattr(sequences, "shape") else list(sequences)
    if not found:
        raise ShapeError(f"{name}: got no sequences, expected one or more")
    for i, x in enumerate(found):
        check_input(x, name, f"sequence {i}")
    shapes = [tuple(x.shape) for x in found]
    if not all(shapes) or len({shape[1:] for shape in shapes}) > 1:
        raise ShapeError(f"{name}: got sequences {', '.join(map(str, shapes))}, expected (L, ...) that differ in L alone")
    return found


def _padded(x: Any, lengths: Any, batch_first: bool, name: str) -> tuple[Any, list[int]]:
    """A padded batch, its steps first, and its lengths."""
    check_input(x, name)
    shape = tuple(x.shape)
    if len(shape) < 2:
        raise ShapeError(f"{name}: input {shape}, expected {'(N, T, ...)' if batch_first else '(T, N, ...)'}")
    batch, steps = shape[:2] if batch_first else shape[1::-1]
    counts = _integers(lengths, name, "lengths")
    if len(counts) != batch or not batch:
        raise ShapeError(
            f"{name}: got {len(counts)} lengths for a batch of {batch} sequences, input {shape}, expected one each"
        )
    for i, n in enumerate(counts):
        if not 1 <= n <= steps:
            empty = "; leave empty sequences out" if n == 0 else ""
            raise ShapeError(f"{name}: length {n} of sequence {i}, expected 1 to {steps} for input {shape}{empty}")
    return moveaxis(x, 0, 1) if batch_first else x, counts


def _integers(values: Any, name: str, what: str) -> list[int]:
    """Integers on the host as a list of Python's. Raises DeviceError for those on a GPU."""
    array = raw(values)
    if is_cupy(type(array)):
        raise DeviceError(
            f"{name}: the {what} are on {device_of(array)}, expected them on the CPU: reading them would wait for the GPU"
        )
    if hasattr(array, "dtype") and (numpy_dtype(array.dtype).kind not in "iu" or len(array.shape) != 1):
        raise DTypeError(f"{name}: the {what} are {array.dtype} of shape {tuple(array.shape)}, expected a row of integers")
    try:
        return [n.__index__() for n in array]
    except AttributeError:
        raise DTypeError(f"{name}: the {what} are {values!r}, expected a list of integers") from None


def _indices(order: list[int], like: Any) -> Any:
    """Numbers of sequences as an array of the library and on the device of `like`."""
    if isinstance(like, numpy.ndarray):
        return numpy.asarray(order)
    if is_cupy(type(like)):
        return to_device(numpy.asarray(order), device_of(like))
    return array_namespace(like).asarray(order, device=getattr(like, "device", None))


def _as(array: Any, like: Any) -> Any:
    """A Tensor beside a Tensor, an array beside an array."""
    return Tensor(array) if isinstance(like, Tensor) else array
