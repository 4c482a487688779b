"""Dropout as a layer."""

from __future__ import annotations

from typing import Any

from gpugrad.nn.functional.dropout import check_probability, dropout
from gpugrad.nn.module import Module


class Dropout(Module):
    """In training mode each element is 0 with probability `p`, else x / (1 - p); in evaluation mode, x itself.

    `inplace` is accepted from PyTorch code and changes nothing: results are new Tensors.
    Raises OptionError for p outside [0, 1].
    """

    def __init__(self, p: float = 0.5, inplace: bool = False) -> None:
        super().__init__()
        check_probability(p)
        self.p = p
        self.inplace = inplace

    def forward(self, input: Any) -> Any:
        """See :func:`gpugrad.nn.functional.dropout`."""
        return dropout(input, self.p, self.training)

    def extra_repr(self) -> str:
        return f"p={self.p}, inplace={self.inplace}"
