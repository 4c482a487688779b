"""Distances and similarities of vectors as layers."""

from __future__ import annotations

from typing import Any

from gpugrad.nn.functional.distance import cosine_similarity, pairwise_distance
from gpugrad.nn.functional.normalization import check_eps
from gpugrad.nn.module import Module


class CosineSimilarity(Module):
    """The cosine of the angle of x1 and x2 along `dim`: :func:`gpugrad.nn.functional.cosine_similarity`.

    Raises OptionError for `eps` of 0 or less.
    """

    def __init__(self, dim: int = 1, eps: float = 1e-8) -> None:
        super().__init__()
        check_eps("CosineSimilarity", eps, "vectors of zeros")
        self.dim = dim
        self.eps = eps

    def forward(self, x1: Any, x2: Any) -> Any:
        """See :func:`gpugrad.nn.functional.cosine_similarity`."""
        return cosine_similarity(x1, x2, self.dim, self.eps)

    def extra_repr(self) -> str:
        return f"dim={self.dim}, eps={self.eps}"


class PairwiseDistance(Module):
    """The norm of order `p` of x1 - x2 along the last axis: :func:`gpugrad.nn.functional.pairwise_distance`."""

    def __init__(self, p: float = 2.0, eps: float = 1e-6, keepdim: bool = False) -> None:
        super().__init__()
        self.norm = p
        self.eps = eps
        self.keepdim = keepdim

    def forward(self, x1: Any, x2: Any) -> Any:
        """See :func:`gpugrad.nn.functional.pairwise_distance`."""
        return pairwise_distance(x1, x2, self.norm, self.eps, self.keepdim)

    def extra_repr(self) -> str:
        return f"p={self.norm}, eps={self.eps}, keepdim={self.keepdim}"
