"""Positions for attention, which alone does not know the order of what it is given: sinusoids that are added, and rotations."""

from __future__ import annotations

from typing import Any

import numpy

from gpugrad.arrays.devices import device_of, move, place_of
from gpugrad.arrays.dtypes import numpy_dtype
from gpugrad.errors import DTypeError, OptionError, ShapeError
from gpugrad.nn.functional.dropout import check_probability, dropout
from gpugrad.nn.functional.embedding import rows
from gpugrad.nn.functional.linear import check_input
from gpugrad.nn.functional.precision import narrow, wide, wide_dtype
from gpugrad.nn.functional.rotary import rotary_embedding
from gpugrad.nn.functional.softmax import floating
from gpugrad.nn.module import Module
from gpugrad.ops.elementwise import add
from gpugrad.ops.shape import expand_dims, normalize_axis, reshape
from gpugrad.tape import raw


class _Positions(Module):
    """A table of angles, position times frequency, computed in float64; and functions of it, once for each device and dtype.

    These copies are no buffers: they follow the inputs, not the module, and keep their precision in ``module.half()``.
    """

    def __init__(self, dim: int, max_len: int, base: float) -> None:
        super().__init__()
        if dim < 2 or dim % 2 or max_len < 1 or not base > 0:
            raise OptionError(
                f"{type(self).__name__}: got {dim} features, {max_len} positions and base {base}, expected an even number of features, "
                "1 position or more, and a positive base"
            )
        frequencies = float(base) ** (-numpy.arange(0, dim, 2) / dim)
        self._angles = numpy.arange(max_len)[:, None] * frequencies
        self._copies: dict[Any, tuple[Any, ...]] = {}

    def _functions(self) -> tuple[Any, ...]:
        """What is kept: NumPy arrays with a row for each position."""
        return numpy.cos(self._angles), numpy.sin(self._angles)

    def _tables(self, like: Any) -> tuple[Any, ...]:
        """What :meth:`_functions` gives, in the library, on the device and in the precision of the raw array `like`."""
        key = (type(like), device_of(like), numpy_dtype(wide_dtype(like.dtype)))
        if key not in self._copies:
            self._copies[key] = tuple(move(x.astype(key[2]), place_of(like)) for x in self._functions())
        return self._copies[key]

    def _chosen(self, x: Any, length: int, offset: int, input_pos: Any) -> tuple[Any, ...]:
        """The rows of the tables for positions offset to offset + length - 1, or for those given."""
        tables = self._tables(raw(x))
        if input_pos is not None:
            check_input(input_pos, type(self).__name__, "input_pos")
            if numpy_dtype(input_pos.dtype).kind not in "iu":
                raise DTypeError(f"{type(self).__name__}: input_pos is {input_pos.dtype}, expected integers, the positions")
            return tuple(rows(table, raw(input_pos)) for table in tables)
        limit = len(self._angles)
        if offset < 0 or offset + length > limit:
            raise ShapeError(
                f"{type(self).__name__}: input {tuple(x.shape)} has {length} positions from {offset} on, expected at most {limit} in all"
            )
        return tuple(table[offset : offset + length, ...] for table in tables)


class SinusoidalPositionalEncoding(_Positions):
    """x + PE, and dropout of that in training mode, with PE[p, 2 i] = sin(p / base^(2 i / d)) and PE[p, 2 i + 1] = cos of the same.

    Shapes: input and result (L, N, d_model), with `batch_first` (N, L, d_model), or (L, d_model). The positions are `offset` to
    offset + L - 1, below `max_len`; or those of the integers `input_pos`, (L,), or (L, N) with the axes in the order of the input.
    There are no parameters, and nothing is in the state_dict: the numbers are computed in float64, and rounded to the precision of
    the input once for each device.
    Raises OptionError for an odd `d_model`, a `max_len` below 1 and dropout outside [0, 1]; ShapeError for an input of other shapes
    or longer than `max_len`, DTypeError for inputs and positions of other dtypes, IndexingError for an `input_pos` out of range on
    the CPU; on a GPU it wraps round.
    Source: A. Vaswani et al., "Attention is all you need", NeurIPS 2017, section 3.5.
    """

    def __init__(
        self, d_model: int, max_len: int = 5000, dropout: float = 0.0, base: float = 10000.0, batch_first: bool = False
    ) -> None:
        super().__init__(d_model, max_len, base)
        check_probability(dropout)
        self.d_model = d_model
        self.max_len = max_len
        self.dropout = dropout
        self.base = base
        self.batch_first = batch_first

    def _functions(self) -> tuple[Any, ...]:
        sines = numpy.stack([numpy.sin(self._angles), numpy.cos(self._angles)], axis=-1)
        return (sines.reshape(self.max_len, self.d_model),)

    def forward(self, input: Any, *, offset: int = 0, input_pos: Any = None) -> Any:
        """The input with the positions added."""
        name = type(self).__name__
        check_input(input, name)
        floating(input, None, name)
        shape = tuple(input.shape)
        if len(shape) not in (2, 3) or shape[-1] != self.d_model:
            layout = "(N, L, d_model)" if self.batch_first else "(L, N, d_model)"
            raise ShapeError(f"{name}: input {shape}, expected {layout} or (L, d_model), with last dimension {self.d_model}")
        axis = 1 if self.batch_first and len(shape) == 3 else 0
        (found,) = self._chosen(input, shape[axis], offset, input_pos)
        if tuple(found.shape[:-1]) not in ((shape[axis],), shape[:-1]):
            raise ShapeError(f"{name}: input_pos {tuple(found.shape[:-1])}, expected ({shape[axis]},) or {shape[:-1]}")
        if len(found.shape) == 2 < len(shape) and axis == 0:
            found = expand_dims(found, 1)
        return dropout(narrow(add(wide(input), found), input), self.dropout, self.training)

    def extra_repr(self) -> str:
        return f"{self.d_model}, max_len={self.max_len}, dropout={self.dropout}, batch_first={self.batch_first}"


class RotaryPositionalEmbeddings(_Positions):
    """Pairs of features turned by the angle p / base^(2 i / dim), at position p in pair i: products of queries and keys then depend on
    the distance of their positions only. Names and defaults are torchtune's.

    Shapes: input and result (..., dim), with the positions along `seq_dim`: -3 for (N, L, heads, dim), torchtune's layout, -2 for
    (N, heads, L, dim), that of scaled_dot_product_attention. The positions are `offset` to offset + L - 1, below `max_seq_len`; or
    those of the integers `input_pos`, (L,) or (N, L), where N is the first axis of the input.
    With `interleaved` the pairs are features 0 and 1, 2 and 3, ..., as in the paper and in torchtune; else i and i + dim / 2, as in
    GPT-NeoX and Hugging Face's library: weights made for one do not fit the other. There are no parameters; the cosines and
    sines are computed in float64, and rounded to the precision of the input once for each device.
    Raises as :class:`SinusoidalPositionalEncoding`.
    Source: J. Su et al., "RoFormer: enhanced transformer with rotary position embedding", Neurocomputing 568, 2024;
    https://docs.pytorch.org/torchtune/stable/generated/torchtune.modules.RotaryPositionalEmbeddings.html
    """

    def __init__(
        self, dim: int, max_seq_len: int = 4096, base: float = 10000, *, interleaved: bool = True, seq_dim: int = -3
    ) -> None:
        super().__init__(dim, max_seq_len, base)
        self.dim = dim
        self.max_seq_len = max_seq_len
        self.base = base
        self.interleaved = interleaved
        self.seq_dim = seq_dim

    def forward(self, x: Any, *, input_pos: Any = None, offset: int = 0) -> Any:
        """x turned."""
        name = type(self).__name__
        check_input(x, name)
        shape = tuple(x.shape)
        if not shape or shape[-1] != self.dim:
            raise ShapeError(f"{name}: input {shape}, expected last dimension {self.dim}")
        axis = normalize_axis(self.seq_dim, len(shape), name)
        if axis == len(shape) - 1:
            raise ShapeError(f"{name}: input {shape}, expected an axis of positions, seq_dim {self.seq_dim}, before the last")
        cos, sin = self._chosen(x, shape[axis], offset, input_pos)
        lead = cos.shape[:-1]
        if lead not in ((shape[axis],), (shape[0], shape[axis])):
            raise ShapeError(f"{name}: input_pos {tuple(lead)}, expected ({shape[axis]},) or ({shape[0]}, {shape[axis]})")
        spread = [1] * len(shape)
        spread[axis], spread[-1] = shape[axis], self.dim // 2
        if len(lead) == 2:
            spread[0] = shape[0]
        cos, sin = (reshape(table, tuple(spread)) for table in (cos, sin))
        return rotary_embedding(x, cos, sin, self.interleaved)

    def extra_repr(self) -> str:
        return f"{self.dim}, max_seq_len={self.max_seq_len}, base={self.base}, interleaved={self.interleaved}, seq_dim={self.seq_dim}"
