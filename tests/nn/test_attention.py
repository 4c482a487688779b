"""MultiheadAttention: values and gradients are in tests/layers/attention.py, beside PyTorch's."""

import re

import numpy as np
import pytest

import gpugrad as gg
from gpugrad import nn
from gpugrad.errors import DTypeError, OptionError, ShapeError
from gpugrad.nn import functional as F
from gpugrad.testing import assert_close


def draw(*shape, seed=0):
    return np.random.default_rng(seed).normal(size=shape)


def made(*args, **options):
    gg.manual_seed(3)
    layer = nn.MultiheadAttention(*args, **options, dtype=gg.float64)
    for p in layer.parameters():
        p.array = draw(*p.shape)
    return layer


@pytest.mark.parametrize("need_weights", [False, True])
@pytest.mark.parametrize("kind", ["boolean", "numbers", "padding"])
def test_a_query_that_sees_no_key_gets_the_bias_and_gives_no_gradient(kind, need_weights):
    """And nothing of it reaches the others, as nan would."""
    layer, n = made(4, 2), 3
    hidden = np.zeros((n, n), bool)
    hidden[1] = True
    options = {"attn_mask": hidden if kind == "boolean" else np.where(hidden, -np.inf, 0.0)}
    if kind == "padding":
        options = {"key_padding_mask": np.array([[False] * n, [True] * n])}
    query, memory = (gg.tensor(draw(n, 2, 4, seed=i), requires_grad=True) for i in range(2))
    out, weights = layer(query, memory, memory, need_weights=need_weights, **options)
    alone = (slice(None), 1) if kind == "padding" else (1, slice(None))
    assert_close(out[alone], np.broadcast_to(layer.out_proj.bias.detach().numpy(), (n if kind == "padding" else 2, 4)))
    if need_weights:
        assert not weights[1 if kind == "padding" else (slice(None), 1)].detach().numpy().any()
    (out * out).sum().backward()
    assert not query.grad[alone].detach().numpy().any()
    for x in (out, query.grad, memory.grad, *(p.grad for p in layer.parameters())):
        assert np.isfinite(x.detach().numpy()).all()
    others = (slice(None), slice(0, 1)) if kind == "padding" else ([0, 2], slice(None))
    plain = layer(
        query[others], memory[:, :1] if kind == "padding" else memory, memory[:, :1] if kind == "padding" else memory
    )[0]
    assert_close(out[others], plain)


def test_weights_do_not_change_the_result():
    layer, x, mask = made(8, 2, add_bias_kv=True, batch_first=True), draw(2, 5, 8), draw(5, 5)
    found, plain = (layer(x, x, x, attn_mask=mask, need_weights=need)[0] for need in (True, False))
    assert_close(found, plain)


@pytest.mark.parametrize("need_weights", [False, True])
def test_causal_needs_no_mask(need_weights):
    layer, x = made(4, 2), draw(5, 2, 4)
    hidden = np.triu(np.ones((5, 5), bool), 1)
    padding = np.array([[False] * 5, [False, True, False, False, False]])
    for options in ({}, {"key_padding_mask": padding}):
        found = layer(x, x, x, need_weights=need_weights, is_causal=True, **options)[0]
        assert_close(found, layer(x, x, x, need_weights=need_weights, attn_mask=hidden, **options)[0])


def test_a_causal_mask_that_is_learned_keeps_its_gradient():
    layer, x, mask = made(4, 2), draw(3, 1, 4), gg.tensor(draw(3, 3), requires_grad=True)
    layer(x, x, x, need_weights=False, attn_mask=mask, is_causal=True)[0].sum().backward()
    assert mask.grad.detach().numpy().any()


def test_causal_queries_see_the_keys_that_all_see():
    layer, x = made(4, 2, add_bias_kv=True, add_zero_attn=True), draw(3, 1, 4)
    weights = layer(x, x, x, is_causal=True)[1].detach().numpy()[0]
    assert weights.shape == (3, 5)
    assert (weights[:, 3:] > 0).all() and not np.triu(weights[:, :3], 1).any()


def test_static_keys_and_values_stand_for_the_projected_ones():
    layer, x, memory = made(4, 2), draw(3, 2, 4), draw(5, 2, 4, seed=1)
    w, b = layer.in_proj_weight.detach().numpy(), layer.in_proj_bias.detach().numpy()
    k, v = (F.linear(memory, w[i : i + 4], b[i : i + 4]).reshape(5, 4, 2).swapaxes(0, 1) for i in (4, 8))
    arguments = (4, 2, w, b, None, None, False, 0.0, layer.out_proj.weight, layer.out_proj.bias)
    found = F.multi_head_attention_forward(x, x, x, *arguments, static_k=k, static_v=v)
    for y, z in zip(found, layer(x, memory, memory), strict=True):
        assert_close(y, z)
    with pytest.raises(ShapeError, match=re.escape("static_k (4, 5, 3), expected (4, S, 2)")):
        F.multi_head_attention_forward(x, x, x, *arguments, static_k=np.zeros((4, 5, 3)), static_v=v)


def test_initial_values():
    gg.manual_seed(0)
    layer = nn.MultiheadAttention(64, 4, add_bias_kv=True)
    bound = np.sqrt(6 / (64 + 192))
    values = layer.in_proj_weight.detach().numpy()
    assert 0.98 * bound < np.abs(values).max() <= bound and abs(values.mean()) < 0.01
    assert not layer.in_proj_bias.detach().numpy().any() and not layer.out_proj.bias.detach().numpy().any()
    assert layer.bias_k.detach().numpy().std() > 0.05 and layer.bias_v.shape == (1, 1, 64)
    assert repr(nn.MultiheadAttention(8, 2)).startswith("MultiheadAttention(")


X = np.zeros((3, 2, 8))


@pytest.mark.parametrize(
    ("inputs", "options", "error", "message"),
    [
        ((X[..., :5], X, X), {}, ShapeError, "query (3, 2, 5), expected last dimension 8 (embed_dim)"),
        ((X, X[..., :5], X), {}, ShapeError, "key (3, 2, 5), expected last dimension 8 (embed_dim)"),
        ((X, X, X[:2]), {}, ShapeError, "value (2, 2, 8), expected (L, N, E), (S, N, kdim), (S, N, vdim), with the same N and S"),
        ((X, X[:, :1], X[:, :1]), {}, ShapeError, "with the same N and S (batch_first is False)"),
        ((X[0], X, X), {}, ShapeError, "or all of them without N"),
        ((X, X, X), {"attn_mask": np.zeros((3, 2), bool)}, ShapeError, "attn_mask (3, 2), expected (3, 3) or (4, 3, 3)"),
        ((X, X, X), {"key_padding_mask": np.zeros((3, 2), bool)}, ShapeError, "key_padding_mask (3, 2), expected (2, 3)"),
        ((X, X, X), {"attn_mask": np.zeros((3, 3), int)}, DTypeError, "attn_mask has dtype int64, expected booleans (True is masked)"),
        (([[1.0]], X, X), {}, DTypeError, "query is list, expected a Tensor or an array"),
    ],
)  # fmt: skip
def test_inputs_that_do_not_fit(inputs, options, error, message):
    with pytest.raises(error, match=re.escape(message)):
        made(8, 2)(*inputs, **options)


@pytest.mark.parametrize(
    ("args", "options", "message"),
    [
        ((10, 3), {}, "embed_dim is 10, num_heads 3"),
        ((8, 0), {}, "num_heads 0"),
        ((8, 2), {"kdim": 0}, "kdim 0"),
        ((8, 2, 1.5), {}, "p is 1.5"),
    ],
)
def test_options_that_cannot_be_met(args, options, message):
    with pytest.raises(OptionError, match=message):
        nn.MultiheadAttention(*args, **options)
