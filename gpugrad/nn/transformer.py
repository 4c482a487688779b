"""Transformers: layers of the encoder and the decoder, stacks of them, and the whole."""

from __future__ import annotations

import copy
from collections.abc import Callable
from typing import Any

import numpy

from gpugrad.arrays.devices import DeviceLike
from gpugrad.arrays.dtypes import DTypeLike, get_default_dtype
from gpugrad.errors import OptionError, ShapeError
from gpugrad.nn import init
from gpugrad.nn.attention import MultiheadAttention
from gpugrad.nn.containers import ModuleList
from gpugrad.nn.dropout import Dropout
from gpugrad.nn.functional.gelu import gelu
from gpugrad.nn.functional.linear import check_input
from gpugrad.nn.functional.relu import relu
from gpugrad.nn.linear import Linear
from gpugrad.nn.module import Module
from gpugrad.nn.normalization import LayerNorm
from gpugrad.ops.conversion import asarray
from gpugrad.ops.elementwise import add
from gpugrad.tape import Tensor

Activation = str | Callable[[Any], Any]
_ACTIVATIONS: dict[str, Callable[[Any], Any]] = {"relu": relu, "gelu": gelu}


class _Layer(Module):
    """What layers of the encoder and the decoder share: the parts, and what is done to the input, one block after the other.

    A block f is x + dropout(f(norm(x))) with `norm_first`, else norm(x + dropout(f(x))).
    """

    blocks: int  # each with a norm and a dropout; the last is the two linear layers, the others attention

    def __init__(
        self,
        d_model: int,
        nhead: int,
        dim_feedforward: int = 2048,
        dropout: float = 0.1,
        activation: Activation = relu,
        layer_norm_eps: float = 1e-5,
        batch_first: bool = False,
        norm_first: bool = False,
        bias: bool = True,
        device: DeviceLike | None = None,
        dtype: DTypeLike | None = None,
    ) -> None:
        super().__init__()
        place: dict[str, Any] = {"device": device, "dtype": dtype}
        for name in ("self_attn", "multihead_attn")[: self.blocks - 1]:
            attention = MultiheadAttention(d_model, nhead, dropout, bias=bias, batch_first=batch_first, **place)
            self.register_module(name, attention)
        self.linear1 = Linear(d_model, dim_feedforward, bias=bias, **place)
        self.dropout = Dropout(dropout)
        self.linear2 = Linear(dim_feedforward, d_model, bias=bias, **place)
        self.norm_first = norm_first
        for i in range(1, self.blocks + 1):
            self.register_module(f"norm{i}", LayerNorm(d_model, eps=layer_norm_eps, bias=bias, **place))
        for i in range(1, self.blocks + 1):
            self.register_module(f"dropout{i}", Dropout(dropout))
        self.activation = _activation(activation, type(self).__name__)

    def _block(self, number: int, x: Any, function: Callable[[Any], Any]) -> Any:
        """x after block `number`, which computes `function`."""
        norm, dropout = getattr(self, f"norm{number}"), getattr(self, f"dropout{number}")
        return add(x, dropout(function(norm(x)))) if self.norm_first else norm(add(x, dropout(function(x))))

    def _feed_forward(self, x: Any) -> Any:
        return self.linear2(self.dropout(self.activation(self.linear1(x))))


class TransformerEncoderLayer(_Layer):
    """Self-attention and two linear layers with `activation` between them, each with a residual connection and a layer norm:
    x = norm1(x + self_attn(x)), x = norm2(x + linear2(activation(linear1(x)))), or with `norm_first` x = x + self_attn(norm1(x)) and
    so on.

    Shapes: src and result (L, N, d_model), with `batch_first` (N, L, d_model), or (L, d_model). `activation` is "relu", "gelu" or a
    function or Module. `src_mask` is the `attn_mask` of the attention, (L, L) or (N * nhead, L, L), `src_key_padding_mask` (N, L):
    of booleans, True where masked out, or of numbers to add; a query whose keys are all masked gets 0 from them. `is_causal` lets
    each see those before it and itself, without a mask.
    Raises OptionError for an unknown activation, and whatever the parts raise.
    Source: A. Vaswani et al., "Attention is all you need", NeurIPS 2017; R. Xiong et al., "On layer normalization in the transformer
    architecture", ICML 2020; https://docs.pytorch.org/docs/stable/generated/torch.nn.TransformerEncoderLayer.html
    """

    blocks = 2
    self_attn: MultiheadAttention

    def forward(self, src: Any, src_mask: Any = None, src_key_padding_mask: Any = None, is_causal: bool = False) -> Any:
        """One layer of the encoder."""
        x = self._block(1, src, lambda x: attend(self.self_attn, x, x, src_mask, src_key_padding_mask, is_causal))
        return self._block(2, x, self._feed_forward)


class TransformerDecoderLayer(_Layer):
    """Self-attention, attention to `memory`, and two linear layers with `activation` between them, each with a residual connection
    and a layer norm: three blocks like the two of :class:`TransformerEncoderLayer`, whose arguments and masks these are too.

    Shapes: tgt and result (T, N, d_model), memory (S, N, d_model), with `batch_first` (N, T, d_model) and (N, S, d_model), or all
    without N; tgt_mask (T, T), memory_mask (T, S), or with N * nhead before, tgt_key_padding_mask (N, T),
    memory_key_padding_mask (N, S). Raises as TransformerEncoderLayer.
    Source: A. Vaswani et al., "Attention is all you need", NeurIPS 2017;
    https://docs.pytorch.org/docs/stable/generated/torch.nn.TransformerDecoderLayer.html
    """

    blocks = 3
    self_attn: MultiheadAttention
    multihead_attn: MultiheadAttention

    def forward(
        self,
        tgt: Any,
        memory: Any,
        tgt_mask: Any = None,
        memory_mask: Any = None,
        tgt_key_padding_mask: Any = None,
        memory_key_padding_mask: Any = None,
        tgt_is_causal: bool = False,
        memory_is_causal: bool = False,
    ) -> Any:
        """One layer of the decoder."""
        x = self._block(1, tgt, lambda x: attend(self.self_attn, x, x, tgt_mask, tgt_key_padding_mask, tgt_is_causal))
        x = self._block(
            2,
            x,
            lambda x: attend(self.multihead_attn, x, memory, memory_mask, memory_key_padding_mask, memory_is_causal),
        )
        return self._block(3, x, self._feed_forward)


def attend(attention: MultiheadAttention, query: Any, memory: Any, mask: Any, padding: Any, causal: bool) -> Any:
    """What the queries get from the memory, without the weights."""
    return attention(query, memory, memory, key_padding_mask=padding, need_weights=False, attn_mask=mask, is_causal=causal)[0]


class _Stack(Module):
    """`num_layers` deep copies of a layer, which start with its parameters, and a norm of what the last gives, if there is one."""

    def __init__(self, layer: Module, num_layers: int, norm: Module | None) -> None:
        super().__init__()
        if num_layers < 0:
            raise OptionError(f"{type(self).__name__}: num_layers is {num_layers}, expected a number of layers")
        self.layers = ModuleList(copy.deepcopy(layer) for _ in range(num_layers))
        self.num_layers = num_layers
        self.norm = norm

    def _run(self, x: Any, *args: Any, **options: Any) -> Any:
        for layer in self.layers:
            x = layer(x, *args, **options)
        return x if self.norm is None else self.norm(x)


class TransformerEncoder(_Stack):
    """`num_layers` deep copies of `encoder_layer`, one after the other, and then `norm`.

    Shapes, masks and errors as in :class:`TransformerEncoderLayer`. `enable_nested_tensor` and `mask_check` are accepted from
    PyTorch code and change nothing: every position is computed. `is_causal` None is False: masks are not looked into, which would
    wait for a GPU.
    Source: https://docs.pytorch.org/docs/stable/generated/torch.nn.TransformerEncoder.html
    """

    def __init__(
        self,
        encoder_layer: Module,
        num_layers: int,
        norm: Module | None = None,
        enable_nested_tensor: bool = True,
        mask_check: bool = True,
    ) -> None:
        super().__init__(encoder_layer, num_layers, norm)

    def forward(self, src: Any, mask: Any = None, src_key_padding_mask: Any = None, is_causal: bool | None = None) -> Any:
        """All layers and the norm."""
        return self._run(src, src_mask=mask, src_key_padding_mask=src_key_padding_mask, is_causal=bool(is_causal))


class TransformerDecoder(_Stack):
    """`num_layers` deep copies of `decoder_layer`, one after the other, and then `norm`.

    Shapes, masks and errors as in :class:`TransformerDecoderLayer`. `tgt_is_causal` None is False.
    Source: https://docs.pytorch.org/docs/stable/generated/torch.nn.TransformerDecoder.html
    """

    def __init__(self, decoder_layer: Module, num_layers: int, norm: Module | None = None) -> None:
        super().__init__(decoder_layer, num_layers, norm)

    def forward(
        self,
        tgt: Any,
        memory: Any,
        tgt_mask: Any = None,
        memory_mask: Any = None,
        tgt_key_padding_mask: Any = None,
        memory_key_padding_mask: Any = None,
        tgt_is_causal: bool | None = None,
        memory_is_causal: bool = False,
    ) -> Any:
        """All layers and the norm."""
        return self._run(
            tgt, memory, tgt_mask=tgt_mask, memory_mask=memory_mask, tgt_key_padding_mask=tgt_key_padding_mask,
            memory_key_padding_mask=memory_key_padding_mask, tgt_is_causal=bool(tgt_is_causal), memory_is_causal=memory_is_causal,
        )  # fmt: skip


class Transformer(Module):
    """An encoder of `src` and a decoder of `tgt` that attends to what the encoder gives, both with a layer norm at the end.

    Shapes: src (S, N, d_model), tgt and result (T, N, d_model), with `batch_first` (N, S, d_model) and (N, T, d_model), or all without
    N. Masks as in the layers. `custom_encoder` and `custom_decoder` take the place of the stacks of layers. Weights start
    uniform in +-sqrt(6 / (fan_in + fan_out)).
    Raises ShapeError for sizes that do not fit, OptionError as the layers do.
    Source: A. Vaswani et al., "Attention is all you need", NeurIPS 2017;
    https://docs.pytorch.org/docs/stable/generated/torch.nn.Transformer.html
    """

    def __init__(
        self,
        d_model: int = 512,
        nhead: int = 8,
        num_encoder_layers: int = 6,
        num_decoder_layers: int = 6,
        dim_feedforward: int = 2048,
        dropout: float = 0.1,
        activation: Activation = relu,
        custom_encoder: Any = None,
        custom_decoder: Any = None,
        layer_norm_eps: float = 1e-5,
        batch_first: bool = False,
        norm_first: bool = False,
        bias: bool = True,
        device: DeviceLike | None = None,
        dtype: DTypeLike | None = None,
    ) -> None:
        super().__init__()
        place: dict[str, Any] = {"device": device, "dtype": dtype}
        layer: tuple[Any, ...] = (
            d_model, nhead, dim_feedforward, dropout, activation, layer_norm_eps, batch_first, norm_first, bias,
        )  # fmt: skip

        def norm() -> LayerNorm:
            """What a stack of layers ends with."""
            return LayerNorm(d_model, eps=layer_norm_eps, bias=bias, **place)

        self.encoder = custom_encoder
        if custom_encoder is None:
            self.encoder = TransformerEncoder(TransformerEncoderLayer(*layer, **place), num_encoder_layers, norm())
        self.decoder = custom_decoder
        if custom_decoder is None:
            self.decoder = TransformerDecoder(TransformerDecoderLayer(*layer, **place), num_decoder_layers, norm())
        for parameter in self.parameters():
            if len(parameter.shape) > 1:
                init.xavier_uniform_(parameter)
        self.d_model = d_model
        self.nhead = nhead
        self.batch_first = batch_first

    def forward(
        self,
        src: Any,
        tgt: Any,
        src_mask: Any = None,
        tgt_mask: Any = None,
        memory_mask: Any = None,
        src_key_padding_mask: Any = None,
        tgt_key_padding_mask: Any = None,
        memory_key_padding_mask: Any = None,
        src_is_causal: bool | None = None,
        tgt_is_causal: bool | None = None,
        memory_is_causal: bool = False,
    ) -> Any:
        """The decoder of `tgt` and of the encoder of `src`."""
        check_input(src, "Transformer", "src")
        check_input(tgt, "Transformer", "tgt")
        source, target = tuple(src.shape), tuple(tgt.shape)
        batch = 0 if self.batch_first else 1
        if len(source) != len(target) or len(source) not in (2, 3) or source[-1] != self.d_model or target[-1] != self.d_model:
            raise ShapeError(
                f"Transformer: src {source}, tgt {target}, expected last dimension {self.d_model} and three axes, or two without a batch"
            )
        if len(source) == 3 and source[batch] != target[batch]:
            raise ShapeError(f"Transformer: src {source}, tgt {target}, expected the same size of axis {batch}, the batch")
        memory = self.encoder(src, mask=src_mask, src_key_padding_mask=src_key_padding_mask, is_causal=src_is_causal)
        return self.decoder(
            tgt, memory, tgt_mask=tgt_mask, memory_mask=memory_mask, tgt_key_padding_mask=tgt_key_padding_mask,
            memory_key_padding_mask=memory_key_padding_mask, tgt_is_causal=tgt_is_causal, memory_is_causal=memory_is_causal,
        )  # fmt: skip

    @staticmethod
    def generate_square_subsequent_mask(sz: int, device: DeviceLike | None = None, dtype: DTypeLike | None = None) -> Tensor:
        """The causal mask as numbers to add: (sz, sz), 0 on and below the diagonal, -inf above."""
        above = numpy.triu(numpy.full((sz, sz), -numpy.inf), 1)
        return asarray(above, dtype=get_default_dtype() if dtype is None else dtype, device=device)


def _activation(activation: Activation, name: str) -> Callable[[Any], Any]:
    """The function that a name stands for, or the function itself."""
    found = _ACTIVATIONS.get(activation) if isinstance(activation, str) else activation
    if not callable(found):
        raise OptionError(f"{name}: activation is {activation!r}, expected 'relu', 'gelu', or a function or Module")
    return found
