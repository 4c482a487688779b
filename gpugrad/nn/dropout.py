"""Dropout as layers."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, ClassVar

from gpugrad.nn.functional.dropout import (
    alpha_dropout,
    check_probability,
    dropout,
    dropout1d,
    dropout2d,
    dropout3d,
    feature_alpha_dropout,
)
from gpugrad.nn.module import Module


class Dropout(Module):
    """In training mode each element is 0 with probability `p`, else x / (1 - p); in evaluation mode, x itself.

    `inplace` is accepted from PyTorch code and changes nothing: results are new Tensors.
    Raises OptionError for p outside [0, 1]. Formula and source: :func:`gpugrad.nn.functional.dropout`.
    """

    _function: ClassVar[Callable[..., Any]] = staticmethod(dropout)

    def __init__(self, p: float = 0.5, inplace: bool = False) -> None:
        super().__init__()
        check_probability(p, type(self).__name__)
        self.p = p
        self.inplace = inplace

    def forward(self, input: Any) -> Any:
        """The input, with some of it dropped in training mode."""
        return self._function(input, self.p, self.training)

    def extra_repr(self) -> str:
        return f"p={self.p}, inplace={self.inplace}"


class Dropout1d(Dropout):
    """As :class:`Dropout`, but whole channels of an input (N, C, L) or (C, L): see :func:`gpugrad.nn.functional.dropout1d`."""

    _function = staticmethod(dropout1d)


class Dropout2d(Dropout):
    """As :class:`Dropout`, but whole channels of an input (N, C, H, W): see :func:`gpugrad.nn.functional.dropout2d`."""

    _function = staticmethod(dropout2d)


class Dropout3d(Dropout):
    """As :class:`Dropout`, but whole channels of an input (N, C, D, H, W): see :func:`gpugrad.nn.functional.dropout3d`."""

    _function = staticmethod(dropout3d)


class AlphaDropout(Dropout):
    """As :class:`Dropout`, for networks of SELU: keeps mean 0 and variance 1. See :func:`gpugrad.nn.functional.alpha_dropout`."""

    _function = staticmethod(alpha_dropout)


class FeatureAlphaDropout(Dropout):
    """As :class:`AlphaDropout`, but whole channels of an input (N, C, ...)."""

    _function = staticmethod(feature_alpha_dropout)
