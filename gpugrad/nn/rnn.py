"""RNN, LSTM and GRU: layers that carry a state from step to step of a sequence."""

from __future__ import annotations

import math
import warnings
from collections.abc import Sequence
from typing import Any

from gpugrad.arrays.devices import DeviceLike
from gpugrad.arrays.dtypes import DTypeLike, numpy_dtype
from gpugrad.errors import DTypeError, OptionError, ShapeError
from gpugrad.mixed_precision import target
from gpugrad.nn import init
from gpugrad.nn.functional.cells import CELLS
from gpugrad.nn.functional.dropout import dropout
from gpugrad.nn.functional.linear import check_input
from gpugrad.nn.functional.recurrent import recurrent
from gpugrad.nn.module import Module
from gpugrad.nn.parameter import Parameter
from gpugrad.nn.utils.rnn import PackedSequence
from gpugrad.ops.creation import empty, raw_full
from gpugrad.ops.indexing import take
from gpugrad.ops.shape import concat, expand_dims, moveaxis, reshape, stack, unstack
from gpugrad.tape import raw


class RNNBase(Module):
    """What RNN, LSTM and GRU share. `mode` is a key of ``functional.cells.CELLS``.

    Layer k + 1 gets the states of layer k; in training mode `dropout` drops some of them. With `bidirectional` each layer runs in
    both directions from states of their own, and its result is both, side by side.

    Shapes: input (T, N, input_size), with `batch_first` (N, T, input_size), without a batch (T, input_size), or a PackedSequence; the
    output likewise, with D * width in place of input_size, where D counts directions and width is proj_size or else hidden_size. The
    states, before and after, are (num_layers * D, N, size), without a batch (num_layers * D, size); zeros are assumed before.
    Parameters, for layer k, and once more with the suffix ``_reverse``: `weight_ih_l{k}` (gates * hidden_size, size of the layer's
    input), `weight_hh_l{k}` (gates * hidden_size, width), with `bias` also `bias_ih_l{k}` and `bias_hh_l{k}` (gates * hidden_size,),
    with `proj_size` `weight_hr_l{k}` (proj_size, hidden_size). All start uniform in +-1 / sqrt(hidden_size).
    Dtypes: real floating, those of the input and the states as that of the parameters.

    Raises OptionError for sizes below 1, dropout outside [0, 1] and a projection that is not smaller than hidden_size; a call
    ShapeError for other shapes and sequences without steps, DTypeError for other dtypes.
    """

    def __init__(
        self,
        mode: str,
        input_size: int,
        hidden_size: int,
        num_layers: int = 1,
        bias: bool = True,
        batch_first: bool = False,
        dropout: float = 0.0,
        bidirectional: bool = False,
        proj_size: int = 0,
        device: DeviceLike | None = None,
        dtype: DTypeLike | None = None,
    ) -> None:
        super().__init__()
        self.mode = mode
        self.input_size = input_size
        self.hidden_size = hidden_size
        self.num_layers = num_layers
        self.bias = bias
        self.batch_first = batch_first
        self.dropout = float(dropout)
        self.bidirectional = bidirectional
        self.proj_size = proj_size
        self._check_options()
        rows, width = CELLS[mode].gates * hidden_size, proj_size or hidden_size
        for layer in range(num_layers):
            features = width * self._directions if layer else input_size
            shapes: dict[str, tuple[int, ...]] = {"weight_ih": (rows, features), "weight_hh": (rows, width)}
            if bias:
                shapes |= {"bias_ih": (rows,), "bias_hh": (rows,)}
            if proj_size:
                shapes |= {"weight_hr": (proj_size, hidden_size)}
            for direction in range(self._directions):
                for name, shape in shapes.items():
                    setattr(self, _named(name, layer, direction), Parameter(empty(shape, dtype=dtype, device=device)))
        self.reset_parameters()

    def _check_options(self) -> None:
        name = type(self).__name__
        for option in ("input_size", "hidden_size", "num_layers"):
            if getattr(self, option) < 1:
                raise OptionError(f"{name}: {option} is {getattr(self, option)}, expected 1 or more")
        if not 0 <= self.dropout <= 1:
            raise OptionError(f"{name}: dropout is {self.dropout}, expected a probability from 0 to 1")
        if not 0 <= self.proj_size < self.hidden_size:
            raise OptionError(
                f"{name}: proj_size is {self.proj_size}, expected less than hidden_size, {self.hidden_size}, or 0 for none"
            )
        if self.dropout and self.num_layers == 1:
            warnings.warn(
                f"{name}: dropout drops between layers, and num_layers is 1: dropout={self.dropout} changes nothing",
                stacklevel=4,
            )

    @property
    def _directions(self) -> int:
        return 2 if self.bidirectional else 1

    def reset_parameters(self) -> None:
        """Draw the parameters anew."""
        bound = 1 / math.sqrt(self.hidden_size)
        for parameter in self.parameters():
            init.uniform_(parameter, -bound, bound)

    def flatten_parameters(self) -> None:
        """Nothing: there is no layout of parameters that is faster. For programs that call it, as PyTorch advises."""

    def forward(self, input: Any, hx: Any = None) -> tuple[Any, Any]:
        """The states of the last layer after all steps, and those of all layers after the last: h, or (h, c) of an LSTM."""
        name = type(self).__name__
        packed = input if isinstance(input, PackedSequence) else None
        x = input if packed is None else packed.data
        check_input(x, name)
        self._check_dtype("input", x)
        shape = tuple(x.shape)
        axes = (2,) if packed is not None else (2, 3)
        if len(shape) not in axes or shape[-1] != self.input_size:
            batched = f"(N, T, {self.input_size})" if self.batch_first else f"(T, N, {self.input_size})"
            expected = f"{batched} or (T, {self.input_size})" if packed is None else f"data (rows, {self.input_size})"
            raise ShapeError(f"{name}: input {shape}, expected {expected}")
        if packed is not None:
            sizes, single = packed.steps, False
        else:
            single = len(shape) == 2
            if self.batch_first and not single:
                x = moveaxis(x, 0, 1)
            steps, batch = x.shape[0], 1 if single else x.shape[1]
            if not steps:
                raise ShapeError(f"{name}: input {shape} has no steps, expected 1 or more")
            sizes = (batch,) * steps
            x = reshape(x, (steps * batch, self.input_size))
        states = self._states(hx, sizes[0], x, single)
        if packed is not None and packed.sorted_indices is not None:
            states = [take(s, packed.sorted_indices, axis=1) for s in states]
        x, last = self._layers(x, [unstack(s) for s in states], sizes)
        finals = [stack(s) if len(s) > 1 else expand_dims(s[0], 0) for s in last]
        if packed is not None:
            if packed.unsorted_indices is not None:
                finals = [take(s, packed.unsorted_indices, axis=1) for s in finals]
            return PackedSequence(x, *packed[1:]), self._given(finals)
        if single:
            return x, self._given([s[:, 0, :] for s in finals])
        x = reshape(x, (len(sizes), sizes[0], x.shape[1]))
        return moveaxis(x, 0, 1) if self.batch_first else x, self._given(finals)

    def _layers(self, x: Any, before: Sequence[Any], sizes: tuple[int, ...]) -> tuple[Any, Sequence[Any]]:
        """The result of the last layer, and the last states of all layers and directions: h, and c or None."""
        after: list[list[Any]] = []
        for layer in range(self.num_layers):
            outputs = []
            for direction in range(self._directions):
                weights = [getattr(self, _named(name, layer, direction), None) for name in _WEIGHTS]
                h, c, *_ = *(s[len(after)] for s in before), None
                out, *state = recurrent(x, h, c, *weights, cell=self.mode, sizes=sizes, reverse=direction == 1)
                outputs.append(out)
                after.append(state)
            x = concat(outputs, axis=1) if self.bidirectional else outputs[0]
            if layer + 1 < self.num_layers:
                x = dropout(x, self.dropout, self.training)
        return x, list(zip(*after, strict=True))

    def _states(self, hx: Any, batch: int, x: Any, single: bool) -> list[Any]:
        """The initial h and c, (num_layers * directions, batch, size) each; zeros for None. Raises ShapeError, DTypeError."""
        widths = {"h_0": self.proj_size or self.hidden_size, **({"c_0": self.hidden_size} if CELLS[self.mode].memory else {})}
        count = self.num_layers * self._directions
        if hx is None:
            return [raw_full(raw(x), (count, batch, size), 0, x.dtype) for size in widths.values()]
        given = state_pair(hx, type(self).__name__) if len(widths) == 2 else (hx,)
        states = []
        for (name, size), state in zip(widths.items(), given, strict=True):
            check_input(state, type(self).__name__, name)
            self._check_dtype(name, state)
            expected = (count, size) if single else (count, batch, size)
            if tuple(state.shape) != expected:
                raise ShapeError(
                    f"{type(self).__name__}: {name} {tuple(state.shape)}, expected {expected}: (num_layers * directions"
                    f"{'' if single else ', batch'}, size)"
                )
            states.append(expand_dims(state, 1) if single else state)
        return states

    def _check_dtype(self, name: str, x: Any) -> None:
        check_dtype(type(self).__name__, name, x, getattr(self, _named("weight_ih", 0, 0)))

    def _given(self, finals: Sequence[Any]) -> Any:
        return tuple(finals) if CELLS[self.mode].memory else finals[0]

    def extra_repr(self) -> str:
        """What differs from the defaults, as in PyTorch."""
        defaults = {
            "proj_size": 0, "num_layers": 1, "bias": True, "batch_first": False, "dropout": 0, "bidirectional": False
        }  # fmt: skip
        changed = (f"{name}={getattr(self, name)}" for name, default in defaults.items() if getattr(self, name) != default)
        return ", ".join([str(self.input_size), str(self.hidden_size), *changed])


_WEIGHTS = ("weight_ih", "weight_hh", "bias_ih", "bias_hh", "weight_hr")


def _named(weight: str, layer: int, direction: int) -> str:
    return f"{weight}_l{layer}{'_reverse' if direction else ''}"


def state_pair(hx: Any, name: str) -> tuple[Any, Any]:
    """The h and c that are given. Raises DTypeError for anything else."""
    if not isinstance(hx, (tuple, list)) or len(hx) != 2:
        what = f"a {type(hx).__name__}" + (f" of {len(hx)}" if isinstance(hx, (tuple, list)) else "")
        raise DTypeError(f"{name}: the state is {what}, expected a tuple (h_0, c_0)")
    return hx[0], hx[1]


def check_dtype(layer: str, name: str, x: Any, weight: Any) -> None:
    """Raise DTypeError unless x has the dtype of the parameters, or autocast casts both to one."""
    if _dtype_used(x) != _dtype_used(weight):
        raise DTypeError(
            f"{layer}: {name} has dtype {x.dtype}, expected that of the parameters, {weight.dtype}; convert it with "
            f".astype(gg.{weight.dtype})"
        )


def _dtype_used(x: Any) -> Any:
    return target(x, lower=True) or numpy_dtype(x.dtype)


class RNN(RNNBase):
    """h <- tanh(W_ih x + b_ih + W_hh h + b_hh), or relu in place of tanh, for each step x of a sequence. See :class:`RNNBase`.

    Raises also OptionError for a `nonlinearity` that is not "tanh" or "relu".
    Source: https://docs.pytorch.org/docs/stable/generated/torch.nn.RNN.html
    """

    def __init__(
        self,
        input_size: int,
        hidden_size: int,
        num_layers: int = 1,
        nonlinearity: str = "tanh",
        bias: bool = True,
        batch_first: bool = False,
        dropout: float = 0.0,
        bidirectional: bool = False,
        device: DeviceLike | None = None,
        dtype: DTypeLike | None = None,
    ) -> None:
        self.nonlinearity = nonlinearity
        super().__init__(
            mode_of("RNN", nonlinearity), input_size, hidden_size, num_layers, bias, batch_first, dropout, bidirectional,
            device=device, dtype=dtype,
        )  # fmt: skip


def mode_of(layer: str, nonlinearity: str) -> str:
    """The key of ``functional.cells.CELLS``. Raises OptionError for an unknown nonlinearity."""
    if nonlinearity not in ("tanh", "relu"):
        raise OptionError(f"{layer}: nonlinearity is {nonlinearity!r}, expected 'tanh' or 'relu'")
    return f"RNN_{nonlinearity.upper()}"


class LSTM(RNNBase):
    """Long short-term memory: a state h and a memory c, for each step x of a sequence. See :class:`RNNBase`.

    ::

        i, f, o = sigmoid(W_ih x + b_ih + W_hh h + b_hh)      one block of rows each, in the order i, f, g, o
        g       = tanh(...)                                   likewise
        c      <- f * c + i * g
        h      <- o * tanh(c), with `proj_size` W_hr @ that

    `hx` and the second result are tuples (h, c), where c has hidden_size columns, also with a projection.
    Sources: S. Hochreiter, J. Schmidhuber, "Long short-term memory", Neural Computation 9, 1997;
    https://docs.pytorch.org/docs/stable/generated/torch.nn.LSTM.html
    """

    def __init__(
        self,
        input_size: int,
        hidden_size: int,
        num_layers: int = 1,
        bias: bool = True,
        batch_first: bool = False,
        dropout: float = 0.0,
        bidirectional: bool = False,
        proj_size: int = 0,
        device: DeviceLike | None = None,
        dtype: DTypeLike | None = None,
    ) -> None:
        super().__init__(
            "LSTM", input_size, hidden_size, num_layers, bias, batch_first, dropout, bidirectional, proj_size, device, dtype
        )


class GRU(RNNBase):
    """Gated recurrent unit: a state h, for each step x of a sequence. See :class:`RNNBase`.

    ::

        r, z = sigmoid(W_ih x + b_ih + W_hh h + b_hh)         one block of rows each, in the order r, z, n
        n    = tanh(W_in x + b_in + r * (W_hn h + b_hn))
        h   <- (1 - z) * n + z * h

    Sources: K. Cho et al., "Learning phrase representations using RNN encoder-decoder for statistical machine translation",
    EMNLP 2014; https://docs.pytorch.org/docs/stable/generated/torch.nn.GRU.html
    """

    def __init__(
        self,
        input_size: int,
        hidden_size: int,
        num_layers: int = 1,
        bias: bool = True,
        batch_first: bool = False,
        dropout: float = 0.0,
        bidirectional: bool = False,
        device: DeviceLike | None = None,
        dtype: DTypeLike | None = None,
    ) -> None:
        super().__init__(
            "GRU", input_size, hidden_size, num_layers, bias, batch_first, dropout, bidirectional, device=device, dtype=dtype
        )
