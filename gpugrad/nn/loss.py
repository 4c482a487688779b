"""Losses as modules: the options of the functions in ``nn.functional`` kept together."""

from __future__ import annotations

from typing import Any

from gpugrad.nn.functional.loss import check_reduction, cross_entropy, mse_loss, nll_loss
from gpugrad.nn.module import Module
from gpugrad.ops.conversion import asarray
from gpugrad.tape import Tensor


class _WeightedLoss(Module):
    weight: Tensor | None

    def __init__(self, weight: Any, ignore_index: int, reduction: str) -> None:
        super().__init__()
        check_reduction(reduction, type(self).__name__)
        # A buffer, so that it moves with the module.
        self.register_buffer("weight", None if weight is None else asarray(weight))
        self.ignore_index = ignore_index
        self.reduction = reduction


class CrossEntropyLoss(_WeightedLoss):
    """The cross-entropy of softmax(input) with class labels or probabilities, from unnormalised logits.

    Arguments and errors as :func:`gpugrad.nn.functional.cross_entropy`.
    """

    def __init__(
        self, weight: Any = None, *, ignore_index: int = -100, reduction: str = "mean", label_smoothing: float = 0.0
    ) -> None:
        super().__init__(weight, ignore_index, reduction)
        self.label_smoothing = label_smoothing

    def forward(self, input: Any, target: Any) -> Any:
        """See :func:`gpugrad.nn.functional.cross_entropy`."""
        return cross_entropy(
            input,
            target,
            self.weight,
            ignore_index=self.ignore_index,
            reduction=self.reduction,
            label_smoothing=self.label_smoothing,
        )


class NLLLoss(_WeightedLoss):
    """The negative log-likelihood of class labels, from log-probabilities.

    Arguments and errors as :func:`gpugrad.nn.functional.nll_loss`.
    """

    def __init__(self, weight: Any = None, *, ignore_index: int = -100, reduction: str = "mean") -> None:
        super().__init__(weight, ignore_index, reduction)

    def forward(self, input: Any, target: Any) -> Any:
        """See :func:`gpugrad.nn.functional.nll_loss`."""
        return nll_loss(input, target, self.weight, ignore_index=self.ignore_index, reduction=self.reduction)


class MSELoss(Module):
    """The mean squared error. Arguments and errors as :func:`gpugrad.nn.functional.mse_loss`."""

    def __init__(self, *, reduction: str = "mean") -> None:
        super().__init__()
        check_reduction(reduction, type(self).__name__)
        self.reduction = reduction

    def forward(self, input: Any, target: Any) -> Any:
        """See :func:`gpugrad.nn.functional.mse_loss`."""
        return mse_loss(input, target, reduction=self.reduction)
