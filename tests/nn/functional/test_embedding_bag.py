"""embedding_bag: values and derivatives on every backend are in gpugrad/check/records/embedding_bag.py."""

import re

import numpy as np
import pytest

import gpugrad as gg
from gpugrad.errors import DTypeError, IndexingError, OptionError, ShapeError
from gpugrad.nn import functional as F

WEIGHT = np.arange(8.0).reshape(4, 2)
NUMBERS = np.array([3, 1, 1, 0])


@pytest.mark.parametrize("mode", ["sum", "mean", "max"])
def test_bags_without_anything_are_zero(mode):
    weight = gg.tensor(WEIGHT - 10, requires_grad=True)
    for input, options in (
        (NUMBERS, {"offsets": np.array([0, 0, 4])}),
        (np.zeros((3, 0), int), {}),
        (np.full((3, 2), 1), {"padding_idx": 1}),
        (np.full(4, 1), {"offsets": np.array([0, 0, 4]), "padding_idx": 1}),
    ):
        out = F.embedding_bag(input, weight, **options, mode=mode)
        out.sum().backward()
        assert out.shape == (3, 2) and not out.detach().numpy()[[0, 2]].any()
    assert np.isfinite(weight.grad.numpy()).all()


def test_offsets_and_rows_of_the_input_are_the_same_bags():
    input = np.random.default_rng(0).integers(0, 4, (5, 3))
    for mode in ("sum", "mean", "max"):
        for padding_idx in (None, -4):
            found = F.embedding_bag(input.reshape(-1), WEIGHT, np.arange(0, 15, 3), mode=mode, padding_idx=padding_idx)
            np.testing.assert_allclose(found, F.embedding_bag(input, WEIGHT, mode=mode, padding_idx=padding_idx))


def test_what_is_behind_the_last_offset_is_left_out():
    found = F.embedding_bag(NUMBERS, WEIGHT, np.array([0, 1, 3]), mode="sum", include_last_offset=True)
    np.testing.assert_array_equal(found, [WEIGHT[3], 2 * WEIGHT[1]])


@pytest.mark.parametrize("offsets", [None, np.array([0])])
def test_rows_that_are_the_largest_share_the_gradient(offsets):
    """So the same row twice gets it once."""
    weight = gg.tensor([[1.0, 5.0], [4.0, 5.0]], requires_grad=True)
    input = np.array([0, 1, 1])
    F.embedding_bag(input[None] if offsets is None else input, weight, offsets, mode="max").sum().backward()
    np.testing.assert_allclose(weight.grad.numpy(), [[0, 1 / 3], [1, 2 / 3]], rtol=1e-6)


def test_long_bags_have_their_maxima():
    rng = np.random.default_rng(0)
    weight, input = rng.normal(size=(50, 3)), rng.integers(0, 50, 1000)
    offsets = np.sort(np.r_[0, rng.integers(0, 1000, 20)])
    found = F.embedding_bag(input, weight, offsets, mode="max")
    for row, bag in zip(found, np.split(input, offsets[1:]), strict=True):
        np.testing.assert_array_equal(row, weight[bag].max(axis=0) if bag.size else 0)


def test_float16_is_added_up_in_float32():
    weight = np.ones((1, 1), np.float16)
    out = F.embedding_bag(np.zeros((1, 4096), int), weight, mode="sum")
    assert out.dtype == np.float16 and out.item() == 4096


@pytest.mark.parametrize(
    ("input", "options", "error", "message"),
    [
        (NUMBERS, {}, ShapeError, "input (4,) without offsets, expected (B, n), or (N,) and offsets (B,)"),
        (NUMBERS[None], {"offsets": NUMBERS}, ShapeError, "input (1, 4) and offsets"),
        (NUMBERS, {"offsets": np.array([1, 2])}, OptionError, "offsets are [1, 2], expected ascending positions in the input of 4"),
        (NUMBERS, {"offsets": np.array([0, 3, 2])}, OptionError, "offsets are [0, 3, 2]"),
        (NUMBERS, {"offsets": np.array([0, 5])}, OptionError, "offsets are [0, 5]"),
        (NUMBERS, {"offsets": np.array([0.0])}, DTypeError, "the offsets are float64"),
        (NUMBERS[None], {"mode": "min"}, OptionError, "mode is 'min', expected one of 'sum', 'mean', 'max'"),
        (NUMBERS[None], {"mode": "max", "scale_grad_by_freq": True}, OptionError, "leave scale_grad_by_freq out"),
        (NUMBERS[None], {"per_sample_weights": np.ones((1, 4))}, OptionError, "mode is 'mean', expected 'sum' beside"),
        (NUMBERS[None], {"mode": "sum", "per_sample_weights": np.ones(4)}, ShapeError, "per_sample_weights (4,), expected"),
        (NUMBERS[None] * 1.0, {}, DTypeError, "embedding_bag: the input is float64"),
        (NUMBERS[None], {"padding_idx": 4}, IndexingError, "embedding_bag: padding_idx is 4"),
        (NUMBERS[None] + 1, {}, IndexingError, "index 4 is out of bounds"),
        (NUMBERS[None], {"sparse": True}, OptionError, "embedding_bag: sparse=True"),
    ],
)  # fmt: skip
def test_what_is_refused(input, options, error, message):
    with pytest.raises(error, match=re.escape(message)):
        F.embedding_bag(input, WEIGHT, **options)


def test_gradients_over_how_often_a_row_is_looked_up():
    weight = gg.tensor(WEIGHT, requires_grad=True)
    F.embedding_bag(NUMBERS[None], weight, mode="sum", scale_grad_by_freq=True).sum().backward()
    assert weight.grad.tolist() == [[1, 1], [1, 1], [0, 0], [1, 1]]
