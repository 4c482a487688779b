"""Transformers: values and gradients are in tests/layers/transformer.py, beside PyTorch's."""

import re

import numpy as np
import pytest

import gpugrad as gg
from gpugrad import nn
from gpugrad.errors import OptionError, ShapeError
from gpugrad.nn import functional as F
from gpugrad.testing import assert_close


def test_the_layers_of_a_stack_start_alike_and_are_apart():
    layer = nn.TransformerEncoderLayer(4, 2, 8)
    stack = nn.TransformerEncoder(layer, 2)
    first, second = (x.linear1.weight for x in stack.layers)
    assert np.array_equal(first.detach().numpy(), second.detach().numpy())
    with gg.no_grad():
        first[...] = 0
    assert second.detach().numpy().any() and layer.linear1.weight.detach().numpy().any()


def test_the_weights_of_a_whole_transformer_start_apart():
    gg.manual_seed(0)
    model = nn.Transformer(16, 2, 2, 1, 32)
    first, second = (x.linear1.weight.detach().numpy() for x in model.encoder.layers)
    assert not np.array_equal(first, second)
    bound = np.sqrt(6 / (16 + 32))
    assert 0.9 * bound < np.abs(first).max() <= bound


def test_the_causal_mask():
    mask = nn.Transformer.generate_square_subsequent_mask(3)
    assert mask.dtype == gg.get_default_dtype()
    assert mask.tolist() == [[0, -np.inf, -np.inf], [0, 0, -np.inf], [0, 0, 0]]
    assert nn.Transformer.generate_square_subsequent_mask(2, dtype=gg.float64).dtype == gg.float64


def test_causal_needs_no_mask():
    gg.manual_seed(1)
    stack = nn.TransformerEncoder(nn.TransformerEncoderLayer(4, 2, 8, 0.0), 2)
    x = gg.random.normal((5, 2, 4))
    mask = nn.Transformer.generate_square_subsequent_mask(5)
    assert_close(stack(x, is_causal=True), stack(x, mask), rtol=1e-5, atol=1e-6)


def test_a_padded_sequence_that_is_all_padding_gives_no_nan():
    gg.manual_seed(1)
    layer = nn.TransformerDecoderLayer(4, 2, 8, 0.0)
    tgt, memory = (gg.random.normal((3, 2, 4)).requires_grad_() for _ in range(2))
    out = layer(tgt, memory, memory_key_padding_mask=np.array([[True] * 3, [False] * 3]))
    (out * out).sum().backward()
    assert np.isfinite(out.detach().numpy()).all() and np.isfinite(tgt.grad.detach().numpy()).all()
    assert not memory.grad[:, 0].detach().numpy().any() and memory.grad[:, 1].detach().numpy().any()


def test_activations():
    gg.manual_seed(2)
    x = gg.random.normal((3, 4))
    layers = [nn.TransformerEncoderLayer(4, 2, 8, 0.0, activation) for activation in ("gelu", F.gelu, nn.GELU())]
    for layer in layers[1:]:
        layer.load_state_dict(layers[0].state_dict())
        assert np.array_equal(layer(x).detach().numpy(), layers[0](x).detach().numpy())
    assert (
        list(layers[2].activation.modules())
        and "activation.weight" in nn.TransformerEncoderLayer(4, 2, activation=nn.PReLU()).state_dict()
    )
    with pytest.raises(
        OptionError, match="TransformerEncoderLayer: activation is 'swish', expected 'relu', 'gelu', or a function"
    ):
        nn.TransformerEncoderLayer(4, 2, activation="swish")


def test_parts_of_ones_own():
    class Doubled(nn.Module):
        def forward(self, src, **options):
            return src * 2

    model = nn.Transformer(4, 2, 1, 1, 8, 0.0, custom_encoder=Doubled())
    x = gg.ones((3, 1, 4))
    assert np.array_equal(model(x, x).detach().numpy(), model.decoder(x, x * 2).detach().numpy())


def test_what_does_not_fit():
    model, x = nn.Transformer(4, 2, 1, 1, 8), np.zeros((3, 2, 4), np.float32)
    for src, tgt, message in (
        (x, x[:, :1], "src (3, 2, 4), tgt (3, 1, 4), expected the same size of axis 1, the batch"),
        (x, x[..., :3], "src (3, 2, 4), tgt (3, 2, 3), expected last dimension 4"),
        (x, x[0], "src (3, 2, 4), tgt (2, 4), expected last dimension 4 and three axes"),
    ):
        with pytest.raises(ShapeError, match=re.escape(message)):
            model(src, tgt)
    with pytest.raises(OptionError, match="num_layers is -1"):
        nn.TransformerEncoder(nn.TransformerEncoderLayer(4, 2), -1)
