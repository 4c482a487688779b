"""gpugrad.nn.functional.embedding: values on every backend are in gpugrad/check/records/embedding.py."""

import re

import numpy as np
import pytest

import gpugrad as gg
from gpugrad.errors import DTypeError, IndexingError, ShapeError
from gpugrad.nn import functional as F

INPUT = np.array([[1, 4, 4, 2], [0, 4, 2, 3]])
G = np.arange(1, 25, dtype=np.float64).reshape(2, 4, 3)
WEIGHT = np.linspace(-1, 1, 15).reshape(5, 3)


def gradient(backend, dtype=np.float64, **options):
    weight = gg.asarray(backend.asarray(WEIGHT.astype(dtype))).requires_grad_()
    out = F.embedding(gg.asarray(backend.asarray(INPUT)), weight, **options)
    (g,) = gg.gradients([out], [weight], [gg.asarray(backend.asarray(G.astype(dtype)))])
    assert g.dtype == weight.dtype
    return backend.to_numpy(g.array)


# What torch.nn.functional.embedding gives for these arguments.
EXPECTED = {
    (): [[13, 14, 15], [1, 2, 3], [29, 31, 33], [22, 23, 24], [27, 30, 33]],
    (("padding_idx", 4),): [[13, 14, 15], [1, 2, 3], [29, 31, 33], [22, 23, 24], [0, 0, 0]],
    (("padding_idx", -3),): [[13, 14, 15], [1, 2, 3], [0, 0, 0], [22, 23, 24], [27, 30, 33]],
    (("scale_grad_by_freq", True),): [[13, 14, 15], [1, 2, 3], [14.5, 15.5, 16.5], [22, 23, 24], [9, 10, 11]],
    (("padding_idx", 0), ("scale_grad_by_freq", True)): [[0, 0, 0], [1, 2, 3], [14.5, 15.5, 16.5], [22, 23, 24], [9, 10, 11]],
}


@pytest.mark.parametrize("options", EXPECTED, ids=str)
@pytest.mark.parametrize("dtype", [np.float16, np.float32, np.float64])
def test_the_gradient_is_that_of_pytorch(options, dtype, backend):
    if backend.name == "array-api-strict" and dtype is np.float16:
        return  # which it lacks
    rtol = 2 * float(np.finfo(dtype).eps)
    np.testing.assert_allclose(gradient(backend, dtype, **dict(options)), EXPECTED[options], rtol=rtol)


def test_the_padding_row_has_gradient_zero_whatever_comes_in():
    weight = gg.tensor(WEIGHT, requires_grad=True)
    out = F.embedding(np.array([0, 1, 0]), weight, padding_idx=0)
    out.backward(gg.asarray([[np.nan] * 3, [1.0] * 3, [np.inf] * 3], dtype=gg.float64))
    assert weight.grad.tolist()[:2] == [[0.0] * 3, [1.0] * 3]


def test_lookup_is_a_constant_without_a_recording_weight():
    assert isinstance(F.embedding(INPUT, WEIGHT), np.ndarray)
    assert not F.embedding(gg.asarray(INPUT), gg.asarray(WEIGHT)).requires_grad


def test_the_gradient_of_the_gradient_skips_the_padding_row_too():
    weight, g = gg.tensor(WEIGHT, requires_grad=True), gg.tensor(G, requires_grad=True)
    (dw,) = gg.gradients([F.embedding(INPUT, weight, 4)], [weight], [g], create_graph=True)
    (dg,) = gg.gradients([dw], [g], [gg.asarray(WEIGHT)])
    np.testing.assert_array_equal(dg.numpy(), np.where((INPUT == 4)[..., None], 0, WEIGHT[INPUT]))


def test_it_can_be_fused():
    f = gg.fuse(lambda input, weight: gg.sum(gg.exp(F.embedding(input, weight)), axis=-1))
    np.testing.assert_allclose(f(INPUT, WEIGHT), np.exp(WEIGHT[INPUT]).sum(-1), rtol=1e-14)


EXPECTS = "expected an array of integers, the numbers of rows of the weight"


@pytest.mark.parametrize(
    ("input", "weight", "padding_idx", "error", "message"),
    [
        (np.array([1.0]), WEIGHT, None, DTypeError, f"embedding: the input is float64, {EXPECTS}"),
        (np.array([True]), WEIGHT, None, DTypeError, f"embedding: the input is bool, {EXPECTS}"),
        ([1, 2], WEIGHT, None, DTypeError, f"embedding: the input is list, {EXPECTS}"),
        (INPUT, WEIGHT[0], None, ShapeError, "embedding: got weight (3,), expected (num_embeddings, embedding_dim)"),
        (INPUT, WEIGHT, 5, IndexingError, "embedding: padding_idx is 5, expected the number of one of the 5 rows of weight"),
        (INPUT, WEIGHT, -6, IndexingError, "embedding: padding_idx is -6"),
        (INPUT + 1, WEIGHT, None, IndexingError, "embedding: index 5 is out of bounds for the 5 rows of weight, expected 0 to 4"),
        (INPUT - 1, WEIGHT, None, IndexingError, "embedding: index -1 is out of bounds for the 5 rows of weight, expected 0 to 4"),
        (INPUT.astype("uint8") + np.uint8(251), WEIGHT, None, IndexingError, "embedding: index 252 is out of bounds"),
    ],
)  # fmt: skip
def test_what_is_refused(input, weight, padding_idx, error, message):
    with pytest.raises(error, match=re.escape(message)):
        F.embedding(input, weight, padding_idx)


def test_a_padding_idx_that_is_no_number_of_a_row():
    with pytest.raises(gg.DTypeError, match="embedding: padding_idx is 1.5, expected the number of a row, or None"):
        F.embedding(gg.asarray([0, 1]), gg.ones((3, 2)), padding_idx=1.5)


@pytest.mark.parametrize("index", [-1, 3])
def test_an_index_out_of_range_scales_no_row(index):
    weight = gg.tensor(np.full((3, 2), 9.0))
    with pytest.raises(IndexingError):
        F.embedding(gg.asarray([0, index]), weight, max_norm=1.0)
    assert (weight.numpy() == 9).all()


def test_rows_beyond_the_largest_norm_are_scaled_in_the_weight():
    weight = gg.tensor([[3.0, 4.0], [0.3, 0.4], [6.0, 8.0]], dtype=gg.float64, requires_grad=True)
    out = F.embedding(gg.asarray([[0, 1], [0, 0]]), weight, max_norm=1.0)
    np.testing.assert_allclose(weight.detach().numpy(), [[0.6, 0.8], [0.3, 0.4], [6.0, 8.0]], rtol=1e-7)
    np.testing.assert_array_equal(out.detach().numpy(), weight.detach().numpy()[[[0, 1], [0, 0]]])
    out.sum().backward()
    assert weight.grad.tolist() == [[3, 3], [1, 1], [0, 0]]
    F.embedding(gg.asarray([2]), weight, max_norm=7.0, norm_type=1.0)
    np.testing.assert_allclose(weight.detach().numpy()[2], [3, 4], rtol=1e-7)


def test_gradients_that_list_rows_are_refused():
    with pytest.raises(gg.OptionError, match="embedding: sparse=True asks for gradients that list rows"):
        F.embedding(INPUT, WEIGHT, sparse=True)
