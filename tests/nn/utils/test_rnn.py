"""gpugrad.nn.utils.rnn."""

import re

import numpy as np
import pytest
from backends import Backend

import gpugrad as gg
from gpugrad.errors import DTypeError, OptionError, ShapeError
from gpugrad.nn.utils.rnn import (
    PackedSequence,
    invert_permutation,
    pack_padded_sequence,
    pack_sequence,
    pad_packed_sequence,
    pad_sequence,
    unpack_sequence,
    unpad_sequence,
)
from gpugrad.testing import check_grads

LENGTHS = [2, 4, 1, 4]
X = np.arange(4 * 4 * 2, dtype=np.float64).reshape(4, 4, 2)  # (T, N, 2)


def rows(x, lengths):
    """Step by step, the longest sequence first; the first of equals first."""
    order = sorted(range(len(lengths)), key=lambda i: -lengths[i])
    return [x[t, i] for t in range(max(lengths)) for i in order if lengths[i] > t], order


@pytest.mark.parametrize("batch_first", [False, True])
def test_packing_and_padding(batch_first, backend: Backend):
    x = gg.asarray(backend.asarray(np.swapaxes(X, 0, 1) if batch_first else X))
    packed = pack_padded_sequence(x, LENGTHS, batch_first=batch_first, enforce_sorted=False)
    expected, order = rows(X, LENGTHS)
    assert np.array_equal(backend.to_numpy(packed.data.array), expected)
    assert packed.batch_sizes.tolist() == [4, 3, 2, 2] and packed.batch_sizes.device == gg.Device("cpu")
    assert backend.to_numpy(packed.sorted_indices.array).tolist() == order
    assert backend.to_numpy(packed.unsorted_indices.array).tolist() == [2, 0, 3, 1]
    out, lengths = pad_packed_sequence(packed, batch_first=batch_first, padding_value=-1.0, total_length=5)
    assert lengths.tolist() == LENGTHS
    found = backend.to_numpy(out.array)
    found = np.swapaxes(found, 0, 1) if batch_first else found
    for i, n in enumerate(LENGTHS):
        assert np.array_equal(found[:n, i], X[:n, i]) and (found[n:, i] == -1).all() and len(found) == 5


def test_sorted_sequences_need_no_indices():
    packed = pack_padded_sequence(X, np.asarray([4, 4, 2, 1]))
    assert packed[2:] == (None, None) and isinstance(packed.data, np.ndarray) and isinstance(packed.batch_sizes, np.ndarray)
    assert packed.steps == (4, 3, 2, 2)


def test_lists_of_sequences():
    sequences = [X[:n, i] for i, n in enumerate(LENGTHS)]
    padded = pad_sequence(sequences, padding_value=-1.0)
    assert padded.shape == (4, 4, 2) and (padded[2:, 0] == -1).all() and np.array_equal(padded[:2, 0], X[:2, 0])
    left = pad_sequence(sequences, batch_first=True, padding_side="left")
    assert left.shape == (4, 4, 2) and not left[0, :2].any() and np.array_equal(left[0, 2:], X[:2, 0])
    for found in (unpad_sequence(padded, LENGTHS), unpack_sequence(pack_sequence(sequences, enforce_sorted=False))):
        assert all(np.array_equal(a, b) for a, b in zip(found, sequences, strict=True))


def test_gradients_go_through():
    check_grads(lambda x: pack_padded_sequence(x, LENGTHS, enforce_sorted=False).data, X)
    packed = pack_padded_sequence(X, LENGTHS, enforce_sorted=False)
    check_grads(lambda data: pad_packed_sequence(packed._replace(data=data), batch_first=True)[0], packed.data)


def test_a_packed_sequence_is_a_tuple_that_moves():
    packed = pack_padded_sequence(gg.asarray(X), LENGTHS, enforce_sorted=False)
    data, sizes, order, back = packed.to(gg.float32)
    assert data.dtype == gg.float32 and order.tolist() == packed.sorted_indices.tolist() and sizes is packed.batch_sizes
    assert PackedSequence(data, sizes, order).unsorted_indices.tolist() == back.tolist()
    assert not packed.is_cuda and packed.cpu().data.tolist() == packed.data.tolist()
    assert invert_permutation(None) is None


@pytest.mark.parametrize(
    ("call", "kind", "message"),
    [
        (lambda: pack_padded_sequence(X, [4, 3, 1, 0]), ShapeError,
         "pack_padded_sequence: length 0 of sequence 3, expected 1 to 4 for input (4, 4, 2); leave empty sequences out"),
        (lambda: pack_padded_sequence(X, [5, 3, 1, 1]), ShapeError, "length 5 of sequence 0, expected 1 to 4 for input (4, 4, 2)"),
        (lambda: pack_padded_sequence(X, [4, 3, 1]), ShapeError, "got 3 lengths for a batch of 4 sequences, input (4, 4, 2)"),
        (lambda: pack_padded_sequence(X, LENGTHS), OptionError,
         "pack_padded_sequence: the lengths are [2, 4, 1, 4], expected them to descend; sort the sequences, or pass enforce_sorted"),
        (lambda: pack_padded_sequence(X, [4.0, 3.0, 1.0, 1.0]), DTypeError, "the lengths are [4.0, 3.0, 1.0, 1.0], expected a list"),
        (lambda: pack_padded_sequence(X, np.ones(4)), DTypeError, "the lengths are float64 of shape (4,), expected a row of integers"),
        (lambda: pack_padded_sequence(X[0, 0], [1]), ShapeError, "pack_padded_sequence: input (2,), expected (T, N, ...)"),
        (lambda: pack_padded_sequence([[1.0]], [1]), DTypeError, "pack_padded_sequence: the input is list"),
        (lambda: pad_packed_sequence(pack_padded_sequence(X, [4] * 4), total_length=3), ShapeError,
         "pad_packed_sequence: total_length is 3, expected at least the longest length, 4"),
        (lambda: pad_packed_sequence(PackedSequence(X[0], [2, 3])), ShapeError,
         "PackedSequence: batch_sizes [2, 3] for data (4, 2), expected positive numbers that do not grow and add up"),
        (lambda: pad_packed_sequence(X), DTypeError, "pad_packed_sequence: got ndarray, expected a PackedSequence"),
        (lambda: pad_sequence([]), ShapeError, "pad_sequence: got no sequences, expected one or more"),
        (lambda: pad_sequence([X[0], X[0, :, :1]]), ShapeError, "got sequences (4, 2), (4, 1), expected (L, ...) that differ in L"),
        (lambda: pad_sequence([X[0]], padding_side="top"), OptionError, "padding_side is 'top', expected 'right' or 'left'"),
        (lambda: pack_sequence([X[0], [1.0]]), DTypeError, "pack_sequence: the sequence 1 is list"),
    ],
)  # fmt: skip
def test_what_is_refused(call, kind, message):
    with pytest.raises(kind, match=re.escape(message)):
        call()


def test_lengths_are_not_read_from_a_gpu():
    if not gg.cuda.is_available():
        pytest.skip("CuPy: there is no GPU here; GPUGRAD_TEST_STANDIN=1 runs this on a stand-in")
    lengths = gg.asarray([4, 4, 2, 1], device="cuda")
    with pytest.raises(
        gg.GpugradError, match=re.escape("pack_padded_sequence: the lengths are on cuda:0, expected them on the CPU")
    ):
        pack_padded_sequence(X, lengths)
