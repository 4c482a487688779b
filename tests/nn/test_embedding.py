"""Embedding, EmbeddingBag and Bilinear as layers: values and gradients are in tests/layers/embedding.py, beside PyTorch's."""

import re

import numpy as np
import pytest

import gpugrad as gg
from gpugrad import nn
from gpugrad.errors import IndexingError, OptionError, ShapeError


@pytest.mark.parametrize("kind", [nn.Embedding, nn.EmbeddingBag])
def test_rows_start_normal_and_the_padding_row_as_zero(kind):
    gg.manual_seed(0)
    layer = kind(1000, 10, padding_idx=-3)
    values = layer.weight.detach().numpy()
    assert layer.padding_idx == 997 and not values[997].any()
    assert abs(values.mean()) < 0.05 and abs(values.std() - 1) < 0.05


def test_the_padding_row_gets_no_gradient():
    layer = nn.Embedding(4, 2, padding_idx=1)
    layer(np.array([1, 2, 1])).sum().backward()
    assert layer.weight.grad.tolist() == [[0, 0], [0, 0], [1, 1], [0, 0]]


@pytest.mark.parametrize("kind", [nn.Embedding, nn.EmbeddingBag])
def test_pretrained_rows(kind):
    rows = np.arange(6.0).reshape(3, 2)
    frozen, free = kind.from_pretrained(rows), kind.from_pretrained(gg.asarray(rows), freeze=False, padding_idx=0)
    assert not frozen.weight.requires_grad and free.weight.requires_grad and free.padding_idx == 0
    assert np.array_equal(frozen.weight.numpy(), rows) and frozen.weight.dtype == gg.float64
    frozen.weight.array[...] = 0
    assert rows.any()  # they are copied
    with pytest.raises(ShapeError, match=re.escape("embeddings (6,), expected (num_embeddings, embedding_dim)")):
        kind.from_pretrained(rows.reshape(-1))


def test_a_largest_norm_is_kept():
    gg.manual_seed(0)
    layer = nn.Embedding(5, 3, max_norm=0.5)
    out = layer(np.array([0, 3])).detach().numpy()
    assert (np.linalg.norm(out, axis=-1) <= 0.5 + 1e-6).all()
    assert np.array_equal(layer.weight.detach().numpy()[[0, 3]], out)
    assert (np.linalg.norm(layer.weight.detach().numpy()[[1, 2, 4]], axis=-1) > 0.5).any()


def test_names():
    assert (
        repr(nn.Embedding(5, 3, padding_idx=1, max_norm=2.0)) == "Embedding(5, 3, padding_idx=1, max_norm=2.0, norm_type=2.0)"
    )
    assert repr(nn.EmbeddingBag(5, 3, mode="sum")) == "EmbeddingBag(5, 3, mode='sum')"
    assert repr(nn.Bilinear(2, 3, 4)) == "Bilinear(in1_features=2, in2_features=3, out_features=4, bias=True)"


def test_bilinear_starts_uniform():
    gg.manual_seed(0)
    layer = nn.Bilinear(16, 5, 50)
    for x in (layer.weight, layer.bias):
        assert 0.2 < np.abs(x.detach().numpy()).max() <= 0.25


@pytest.mark.parametrize(
    ("call", "error", "message"),
    [
        (lambda: nn.Embedding(-1, 3), ShapeError, "Embedding: num_embeddings is -1"),
        (lambda: nn.Embedding(5, 3, padding_idx=5), IndexingError, "Embedding: padding_idx is 5"),
        (lambda: nn.Embedding(5, 3, sparse=True), OptionError, "Embedding: sparse=True"),
        (lambda: nn.Embedding(5, 3, _weight=np.ones((3, 5))), ShapeError, "Embedding: _weight (3, 5), expected (5, 3)"),
        (lambda: nn.EmbeddingBag(5, 3, mode="median"), OptionError, "EmbeddingBag: mode is 'median'"),
        (lambda: nn.Bilinear(0, 3, 4), ShapeError, "Bilinear: in1_features is 0"),
        (lambda: nn.Bilinear(2, 3, 4)(np.ones((5, 2)), np.ones((4, 3))), ShapeError,
         "input1 (5, 2), input2 (4, 3), expected (..., in1_features)"),
        (lambda: nn.Bilinear(2, 3, 4)(np.ones((5, 2)), np.ones((5, 2))), ShapeError, "for weight (4, 2, 3)"),
    ],
)  # fmt: skip
def test_what_is_refused(call, error, message):
    with pytest.raises(error, match=re.escape(message)):
        call()
