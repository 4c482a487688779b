"""Activation functions as layers."""

from __future__ import annotations

from typing import Any

from gpugrad.nn.functional.gelu import check_approximate, gelu
from gpugrad.nn.functional.relu import relu
from gpugrad.nn.functional.sigmoid import sigmoid
from gpugrad.nn.functional.silu import silu
from gpugrad.nn.functional.softmax import log_softmax, softmax
from gpugrad.nn.module import Module
from gpugrad.ops.elementwise import tanh


class ReLU(Module):
    """max(x, 0), elementwise. `inplace` is accepted from PyTorch code and changes nothing: results are new Tensors."""

    def __init__(self, inplace: bool = False) -> None:
        super().__init__()
        self.inplace = inplace

    def forward(self, input: Any) -> Any:
        """See :func:`gpugrad.nn.functional.relu`."""
        return relu(input)

    def extra_repr(self) -> str:
        return "inplace=True" if self.inplace else ""


class GELU(Module):
    """x times the probability that a normal variable is below x, elementwise; `approximate` is "none" or "tanh".

    Raises OptionError for another `approximate`.
    """

    def __init__(self, approximate: str = "none") -> None:
        super().__init__()
        check_approximate(approximate)
        self.approximate = approximate

    def forward(self, input: Any) -> Any:
        """See :func:`gpugrad.nn.functional.gelu`."""
        return gelu(input, self.approximate)

    def extra_repr(self) -> str:
        return f"approximate={self.approximate!r}"


class SiLU(Module):
    """x * sigmoid(x), elementwise. `inplace` is accepted from PyTorch code and changes nothing: results are new Tensors."""

    def __init__(self, inplace: bool = False) -> None:
        super().__init__()
        self.inplace = inplace

    def forward(self, input: Any) -> Any:
        """See :func:`gpugrad.nn.functional.silu`."""
        return silu(input)

    def extra_repr(self) -> str:
        return "inplace=True" if self.inplace else ""


class Sigmoid(Module):
    """1 / (1 + exp(-x)), elementwise."""

    def forward(self, input: Any) -> Any:
        """See :func:`gpugrad.nn.functional.sigmoid`."""
        return sigmoid(input)


class Tanh(Module):
    """The hyperbolic tangent, elementwise."""

    def forward(self, input: Any) -> Any:
        """See :func:`gpugrad.tanh`."""
        return tanh(input)


class Softmax(Module):
    """exp(x) / sum(exp(x)) along the axis `dim`, which must be named."""

    def __init__(self, dim: int) -> None:
        super().__init__()
        self.dim = dim

    def forward(self, input: Any) -> Any:
        """See :func:`gpugrad.nn.functional.softmax`."""
        return softmax(input, self.dim)

    def extra_repr(self) -> str:
        return f"dim={self.dim}"


class LogSoftmax(Module):
    """The logarithm of softmax along the axis `dim`, which must be named."""

    def __init__(self, dim: int) -> None:
        super().__init__()
        self.dim = dim

    def forward(self, input: Any) -> Any:
        """See :func:`gpugrad.nn.functional.log_softmax`."""
        return log_softmax(input, self.dim)

    def extra_repr(self) -> str:
        return f"dim={self.dim}"
