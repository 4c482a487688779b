"""MultiheadAttention."""

from __future__ import annotations

from typing import Any

from gpugrad.arrays.devices import DeviceLike
from gpugrad.arrays.dtypes import DTypeLike
from gpugrad.errors import OptionError, ShapeError
from gpugrad.nn import init
from gpugrad.nn.functional.dropout import check_probability
from gpugrad.nn.functional.linear import check_input
from gpugrad.nn.functional.multi_head_attention import multi_head_attention_forward
from gpugrad.nn.linear import Linear
from gpugrad.nn.module import Module
from gpugrad.nn.parameter import Parameter
from gpugrad.ops.creation import empty


class MultiheadAttention(Module):
    """softmax(q k^T / sqrt(E / num_heads) + mask) v in each of the heads, where q, k and v are linear in query, key and value; then
    a linear layer of what all heads found. E is `embed_dim`.

    Shapes: query (L, N, E), key (S, N, kdim), value (S, N, vdim) and result (L, N, E); with `batch_first` (N, L, E) and so on; or
    all without N. With `need_weights` the second result is the weights, (N, L, S), the mean over the heads, or without
    `average_attn_weights` (N, num_heads, L, S); else it is None, and attention needs less memory.

    `key_padding_mask` (N, S) and `attn_mask` (L, S) or (N * num_heads, L, S) are of booleans, True where a key is masked out (the
    opposite of :func:`~gpugrad.nn.functional.scaled_dot_product_attention`), or of numbers, which are added to the scores and have
    a gradient. `is_causal` says that query i sees the keys 0 to i; `attn_mask`, which PyTorch asks for besides, is then not read, and
    may be left out. A query whose keys are all masked has weights 0 and the result of a value 0, ``out_proj.bias``, and gives no
    gradient, where PyTorch has nan (from some paths) or 0 (from others).

    Parameters: `in_proj_weight` (3 E, E), or `q_proj_weight`, `k_proj_weight` and `v_proj_weight` where `kdim` or `vdim` is not
    `embed_dim`; `in_proj_bias` (3 E,) and ``out_proj.bias`` with `bias`; ``out_proj.weight``; and with `add_bias_kv` `bias_k` and
    `bias_v` (1, 1, E), one key and value more for all to see. `add_zero_attn` gives all queries a key and a value of zeros.
    `dropout` drops weights in training mode.

    Raises OptionError for sizes below 1, a number of heads that does not divide `embed_dim`, and dropout outside [0, 1];
    ShapeError for inputs and masks of other shapes, DTypeError for masks of integers.
    Source: A. Vaswani et al., "Attention is all you need", NeurIPS 2017;
    https://docs.pytorch.org/docs/stable/generated/torch.nn.MultiheadAttention.html
    """

    in_proj_weight: Parameter | None
    q_proj_weight: Parameter | None
    k_proj_weight: Parameter | None
    v_proj_weight: Parameter | None
    in_proj_bias: Parameter | None
    bias_k: Parameter | None
    bias_v: Parameter | None

    def __init__(
        self,
        embed_dim: int,
        num_heads: int,
        dropout: float = 0.0,
        bias: bool = True,
        add_bias_kv: bool = False,
        add_zero_attn: bool = False,
        kdim: int | None = None,
        vdim: int | None = None,
        batch_first: bool = False,
        device: DeviceLike | None = None,
        dtype: DTypeLike | None = None,
    ) -> None:
        super().__init__()
        self.embed_dim = embed_dim
        self.kdim = embed_dim if kdim is None else kdim
        self.vdim = embed_dim if vdim is None else vdim
        if min(embed_dim, num_heads, self.kdim, self.vdim) < 1 or embed_dim % num_heads:
            raise OptionError(
                f"MultiheadAttention: embed_dim is {embed_dim}, num_heads {num_heads}, kdim {self.kdim} and vdim {self.vdim}, expected "
                "sizes of 1 or more, and a number of heads that divides embed_dim"
            )
        check_probability(dropout)
        self.num_heads = num_heads
        self.head_dim = embed_dim // num_heads
        self.dropout = dropout
        self.batch_first = batch_first
        self.add_zero_attn = add_zero_attn

        def parameter(*shape: int) -> Parameter:
            """A parameter whose values come from :meth:`reset_parameters`."""
            return Parameter(empty(shape, dtype=dtype, device=device))

        separate = (self.kdim, self.vdim) != (embed_dim, embed_dim)
        self.in_proj_weight = None if separate else parameter(3 * embed_dim, embed_dim)
        self.q_proj_weight = parameter(embed_dim, embed_dim) if separate else None
        self.k_proj_weight = parameter(embed_dim, self.kdim) if separate else None
        self.v_proj_weight = parameter(embed_dim, self.vdim) if separate else None
        self.in_proj_bias = parameter(3 * embed_dim) if bias else None
        self.out_proj = Linear(embed_dim, embed_dim, bias=bias, device=device, dtype=dtype)
        self.bias_k = parameter(1, 1, embed_dim) if add_bias_kv else None
        self.bias_v = parameter(1, 1, embed_dim) if add_bias_kv else None
        self._reset_parameters()

    def _reset_parameters(self) -> None:
        """Draw the parameters anew."""
        for weight in (self.in_proj_weight, self.q_proj_weight, self.k_proj_weight, self.v_proj_weight):
            if weight is not None:
                init.xavier_uniform_(weight)
        for bias in (self.in_proj_bias, self.out_proj.bias):
            if bias is not None:
                init.zeros_(bias)
        for extra in (self.bias_k, self.bias_v):
            if extra is not None:
                init.xavier_normal_(extra)

    def forward(
        self,
        query: Any,
        key: Any,
        value: Any,
        key_padding_mask: Any = None,
        need_weights: bool = True,
        attn_mask: Any = None,
        average_attn_weights: bool = True,
        is_causal: bool = False,
    ) -> tuple[Any, Any]:
        """The result, and the weights or None."""
        for what, x, size in (("key", key, self.kdim), ("value", value, self.vdim)):
            check_input(x, "MultiheadAttention", what)
            if x.shape[-1:] != (size,):
                name = "embed_dim" if size == self.embed_dim else f"{what[0]}dim"
                raise ShapeError(f"MultiheadAttention: {what} {tuple(x.shape)}, expected last dimension {size} ({name})")
        return multi_head_attention_forward(
            query, key, value, self.embed_dim, self.num_heads, self.in_proj_weight, self.in_proj_bias, self.bias_k, self.bias_v,
            self.add_zero_attn, self.dropout, self.out_proj.weight, self.out_proj.bias, self.training, key_padding_mask,
            need_weights, attn_mask, self.in_proj_weight is None, self.q_proj_weight, self.k_proj_weight, self.v_proj_weight,
            average_attn_weights=average_attn_weights, is_causal=is_causal, batch_first=self.batch_first,
        )  # fmt: skip

    def extra_repr(self) -> str:
        return f"embed_dim={self.embed_dim}, num_heads={self.num_heads}, dropout={self.dropout}, batch_first={self.batch_first}"
