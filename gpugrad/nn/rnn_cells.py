"""RNNCell, LSTMCell and GRUCell: single steps of the layers in ``rnn.py``."""

from __future__ import annotations

import math
from typing import Any

from gpugrad.arrays.devices import DeviceLike
from gpugrad.arrays.dtypes import DTypeLike
from gpugrad.errors import OptionError, ShapeError
from gpugrad.nn import init
from gpugrad.nn.functional.cells import CELLS
from gpugrad.nn.functional.linear import check_input
from gpugrad.nn.functional.recurrent import recurrent
from gpugrad.nn.module import Module
from gpugrad.nn.parameter import Parameter
from gpugrad.nn.rnn import check_dtype, mode_of, state_pair
from gpugrad.ops.creation import empty, raw_full
from gpugrad.ops.shape import expand_dims
from gpugrad.tape import raw


class RNNCellBase(Module):
    """What the cells share: one step of the layer of one direction that `mode`, a key of ``functional.cells.CELLS``, names.

    Shapes: input (N, input_size) or (input_size,), the states, before and after, (N, hidden_size) or (hidden_size,); zeros are
    assumed before. Parameters: `weight_ih` (gates * hidden_size, input_size), `weight_hh` (gates * hidden_size, hidden_size), and
    with `bias` `bias_ih` and `bias_hh` (gates * hidden_size,), else None. All start uniform in +-1 / sqrt(hidden_size).
    Raises OptionError for sizes below 1; a call ShapeError for other shapes, DTypeError for dtypes that the parameters have not.
    """

    weight_ih: Parameter
    weight_hh: Parameter
    bias_ih: Parameter | None
    bias_hh: Parameter | None

    def __init__(
        self, mode: str, input_size: int, hidden_size: int, bias: bool, device: DeviceLike | None, dtype: DTypeLike | None
    ) -> None:
        super().__init__()
        for name, size in (("input_size", input_size), ("hidden_size", hidden_size)):
            if size < 1:
                raise OptionError(f"{type(self).__name__}: {name} is {size}, expected 1 or more")
        self.mode = mode
        self.input_size = input_size
        self.hidden_size = hidden_size
        rows = CELLS[mode].gates * hidden_size
        self.weight_ih = Parameter(empty((rows, input_size), dtype=dtype, device=device))
        self.weight_hh = Parameter(empty((rows, hidden_size), dtype=dtype, device=device))
        self.bias_ih = Parameter(empty((rows,), dtype=dtype, device=device)) if bias else None
        self.bias_hh = Parameter(empty((rows,), dtype=dtype, device=device)) if bias else None
        self.reset_parameters()

    def reset_parameters(self) -> None:
        """Draw the parameters anew."""
        bound = 1 / math.sqrt(self.hidden_size)
        for parameter in self.parameters():
            init.uniform_(parameter, -bound, bound)

    def forward(self, input: Any, hx: Any = None) -> Any:
        """The state after the step: h, or (h, c) of an LSTMCell."""
        memory = CELLS[self.mode].memory
        shape = self._checked("input", input, self.input_size)
        expected = (*shape[:-1], self.hidden_size)
        if hx is None:
            states = [raw_full(raw(input), expected, 0, input.dtype)] * (1 + memory)
        else:
            states = list(state_pair(hx, type(self).__name__)) if memory else [hx]
        for what, state in zip(("h_0", "c_0"), states, strict=False):
            if self._checked(what, state, self.hidden_size) != expected:
                raise ShapeError(f"{type(self).__name__}: {what} {tuple(state.shape)}, expected {expected} for input {shape}")
        single = len(shape) == 1
        x, h, *c = (expand_dims(z, 0) if single else z for z in (input, *states))
        _, *after = recurrent(
            x, h, c[0] if memory else None, self.weight_ih, self.weight_hh, self.bias_ih, self.bias_hh, None,
            cell=self.mode, sizes=(x.shape[0],), reverse=False,
        )  # fmt: skip
        found = [z[0, :] if single else z for z in after]
        return tuple(found) if memory else found[0]

    def _checked(self, what: str, x: Any, size: int) -> tuple[int, ...]:
        """The shape of an argument. Raises ShapeError, DTypeError unless it is (N, size) or (size,) and of the parameters' dtype."""
        name = type(self).__name__
        check_input(x, name, what)
        check_dtype(name, what, x, self.weight_ih)
        shape = tuple(x.shape)
        if len(shape) not in (1, 2) or shape[-1] != size:
            raise ShapeError(f"{name}: {what} {shape}, expected (N, {size}) or ({size},)")
        return shape

    def extra_repr(self) -> str:
        """The sizes, and what differs from the defaults, as in PyTorch."""
        return f"{self.input_size}, {self.hidden_size}" + ("" if self.bias_ih is not None else ", bias=False")


class RNNCell(RNNCellBase):
    """tanh(W_ih x + b_ih + W_hh h + b_hh), or relu in place of tanh: one step of :class:`gpugrad.nn.RNN`. See :class:`RNNCellBase`.

    Raises also OptionError for a `nonlinearity` that is not "tanh" or "relu".
    Source: https://docs.pytorch.org/docs/stable/generated/torch.nn.RNNCell.html
    """

    def __init__(
        self, input_size: int, hidden_size: int, bias: bool = True, nonlinearity: str = "tanh",
        device: DeviceLike | None = None, dtype: DTypeLike | None = None,
    ) -> None:  # fmt: skip
        super().__init__(mode_of("RNNCell", nonlinearity), input_size, hidden_size, bias, device, dtype)
        self.nonlinearity = nonlinearity

    def extra_repr(self) -> str:
        """The sizes, and what differs from the defaults, as in PyTorch."""
        return super().extra_repr() + ("" if self.nonlinearity == "tanh" else f", nonlinearity={self.nonlinearity}")


class LSTMCell(RNNCellBase):
    """One step of :class:`gpugrad.nn.LSTM`, from a state (h, c) to the next. See :class:`RNNCellBase`.

    Source: https://docs.pytorch.org/docs/stable/generated/torch.nn.LSTMCell.html
    """

    def __init__(
        self, input_size: int, hidden_size: int, bias: bool = True,
        device: DeviceLike | None = None, dtype: DTypeLike | None = None,
    ) -> None:  # fmt: skip
        super().__init__("LSTM", input_size, hidden_size, bias, device, dtype)


class GRUCell(RNNCellBase):
    """One step of :class:`gpugrad.nn.GRU`. See :class:`RNNCellBase`.

    Source: https://docs.pytorch.org/docs/stable/generated/torch.nn.GRUCell.html
    """

    def __init__(
        self, input_size: int, hidden_size: int, bias: bool = True,
        device: DeviceLike | None = None, dtype: DTypeLike | None = None,
    ) -> None:  # fmt: skip
        super().__init__("GRU", input_size, hidden_size, bias, device, dtype)
