"""Positions: values and gradients are in tests/layers/positional.py."""

import re

import numpy as np
import pytest

import gpugrad as gg
from gpugrad import nn
from gpugrad.errors import DTypeError, OptionError, ShapeError
from gpugrad.nn import functional as F
from gpugrad.testing import assert_close


def test_sinusoids_of_the_paper():
    found = nn.SinusoidalPositionalEncoding(6)(np.zeros((50, 6)))
    p, i = np.arange(50)[:, None], np.arange(3)
    assert_close(found[:, 0::2], np.sin(p / 10000 ** (2 * i / 6)))
    assert_close(found[:, 1::2], np.cos(p / 10000 ** (2 * i / 6)))


@pytest.mark.parametrize("interleaved", [False, True])
def test_products_of_rotated_queries_and_keys_depend_on_the_distance_only(interleaved):
    rope = nn.RotaryPositionalEmbeddings(8, interleaved=interleaved, seq_dim=-2)
    q, k = np.random.default_rng(0).normal(size=(2, 1, 8))
    at = [float((rope(q, offset=5 + n)[0] * rope(k, offset=n)[0]).sum()) for n in (0, 1, 77, 4000)]
    np.testing.assert_allclose(at, at[0], rtol=1e-12)
    assert abs(at[0] - float((q * k).sum())) > 1e-3


def test_rotations_keep_norms_and_position_0_as_it_is():
    x = np.random.default_rng(0).normal(size=(2, 9, 3, 4))
    out = nn.RotaryPositionalEmbeddings(4)(x)
    np.testing.assert_allclose(np.linalg.norm(out, axis=-1), np.linalg.norm(x, axis=-1), rtol=1e-14)
    assert np.array_equal(out[:, 0], x[:, 0])


def test_the_two_layouts_are_one_rotation():
    x = np.random.default_rng(0).normal(size=(2, 5, 3, 8))
    pairs = np.concatenate([x[..., 0::2], x[..., 1::2]], axis=-1)
    found, halves = (nn.RotaryPositionalEmbeddings(8, interleaved=i)(y) for i, y in ((True, x), (False, pairs)))
    assert_close(np.concatenate([found[..., 0::2], found[..., 1::2]], axis=-1), halves)


def test_offsets_and_positions_continue_a_sequence():
    x = np.random.default_rng(0).normal(size=(2, 6, 3, 4))
    rope = nn.RotaryPositionalEmbeddings(4)
    whole = rope(x)
    assert_close(rope(x[:, 4:], offset=4), whole[:, 4:])
    assert_close(rope(x[:, [5, 0]], input_pos=np.array([5, 0])), whole[:, [5, 0]])
    assert_close(rope(x[:, :2], input_pos=gg.asarray([[0, 1], [2, 3]]))[1], rope(x[1:, :2], offset=2)[0])


@pytest.mark.parametrize("layer", [nn.SinusoidalPositionalEncoding(8), nn.RotaryPositionalEmbeddings(8, seq_dim=0)])
def test_16_bits_come_from_exact_angles(layer):
    x = np.random.default_rng(0).normal(size=(4000, 8))
    found, exact = layer(x.astype(np.float16)), layer(x)
    assert found.dtype == np.float16
    np.testing.assert_allclose(found.astype(np.float64), exact, atol=4e-3)


def test_nothing_is_in_the_state():
    for layer in (nn.SinusoidalPositionalEncoding(8), nn.RotaryPositionalEmbeddings(8)):
        assert not layer.state_dict() and not list(layer.buffers())


@pytest.mark.parametrize(
    ("call", "error", "message"),
    [
        (lambda: nn.SinusoidalPositionalEncoding(5), OptionError, "SinusoidalPositionalEncoding: got 5 features, 5000 positions"),
        (lambda: nn.RotaryPositionalEmbeddings(4, 0), OptionError, "0 positions"),
        (lambda: nn.RotaryPositionalEmbeddings(4, base=0), OptionError, "base 0"),
        (lambda: nn.SinusoidalPositionalEncoding(4, dropout=2), OptionError, "p is 2"),
        (lambda: nn.SinusoidalPositionalEncoding(4, 3)(np.ones((4, 4))), ShapeError,
         "input (4, 4) has 4 positions from 0 on, expected at most 3 in all"),
        (lambda: nn.SinusoidalPositionalEncoding(4)(np.ones((2, 6))), ShapeError, "input (2, 6), expected (L, N, d_model) or (L, d_model)"),
        (lambda: nn.SinusoidalPositionalEncoding(4)(np.ones((2, 4), int)), DTypeError, "got dtype int64"),
        (lambda: nn.SinusoidalPositionalEncoding(4)(np.ones((2, 4)), input_pos=np.arange(3)), ShapeError, "input_pos (3,), expected (2,)"),
        (lambda: nn.SinusoidalPositionalEncoding(4, 3)(np.ones((2, 4)), input_pos=np.array([0, 3])), IndexError, "out of bounds"),
        (lambda: nn.RotaryPositionalEmbeddings(4, 3)(np.ones((2, 3, 1, 4)), offset=1), ShapeError, "3 positions from 1 on"),
        (lambda: nn.RotaryPositionalEmbeddings(4)(np.ones((2, 3, 1, 6))), ShapeError, "input (2, 3, 1, 6), expected last dimension 4"),
        (lambda: nn.RotaryPositionalEmbeddings(4, seq_dim=-1)(np.ones((2, 4))), ShapeError, "seq_dim -1, before the last"),
        (lambda: nn.RotaryPositionalEmbeddings(4)(np.ones((2, 3, 1, 4)), input_pos=np.ones(3)), DTypeError, "input_pos is float64"),
        (lambda: nn.RotaryPositionalEmbeddings(4)(np.ones((2, 3, 1, 4)), input_pos=np.arange(2)), ShapeError,
         "input_pos (2,), expected (3,) or (2, 3)"),
        (lambda: F.rotary_embedding(np.ones((2, 3)), np.ones(1), np.ones(1)), ShapeError, "input (2, 3), cos (1,), sin (1,), expected"),
    ],
)  # fmt: skip
def test_what_is_refused(call, error, message):
    with pytest.raises(error, match=re.escape(message)):
        call()
