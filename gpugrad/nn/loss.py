"""Losses as modules: the options of the functions in ``nn.functional`` kept together.

Formulas, shapes, dtypes and errors are those of the function of the same name; what is wrong with options alone is said when the
loss is made.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, ClassVar

from gpugrad.errors import OptionError
from gpugrad.nn.functional.ctc import check_blank, ctc_loss
from gpugrad.nn.functional.likelihood_loss import (
    binary_cross_entropy,
    binary_cross_entropy_with_logits,
    check_eps,
    gaussian_nll_loss,
    kl_div,
    multilabel_soft_margin_loss,
    poisson_nll_loss,
    soft_margin_loss,
)
from gpugrad.nn.functional.loss import check_smoothing, cross_entropy, nll_loss
from gpugrad.nn.functional.ranking_loss import (
    check_margin,
    check_power,
    cosine_embedding_loss,
    hinge_embedding_loss,
    margin_ranking_loss,
    multi_margin_loss,
    multilabel_margin_loss,
    triplet_margin_loss,
    triplet_margin_with_distance_loss,
)
from gpugrad.nn.functional.reduction import REDUCTIONS, check_reduction
from gpugrad.nn.functional.regression_loss import check_huber, check_smooth_l1, huber_loss, l1_loss, mse_loss, smooth_l1_loss
from gpugrad.nn.functional.segmentation_loss import check_focal, check_smooth, dice_loss, sigmoid_focal_loss
from gpugrad.nn.module import Module
from gpugrad.ops.conversion import asarray


class _Loss(Module):
    """A function of ``nn.functional``, its reduction and other options attributes, which it is called with by name."""

    _function: ClassVar[Callable[..., Any]]
    _reductions: ClassVar[tuple[str, ...]] = REDUCTIONS

    def __init_subclass__(cls, function: Callable[..., Any] | None = None, **others: Any) -> None:
        super().__init_subclass__(**others)
        if function is not None:
            cls._function = staticmethod(function)

    def __init__(self, reduction: str, **options: Any) -> None:
        super().__init__()
        check_reduction(reduction, type(self).__name__, self._reductions)
        self.reduction = reduction
        self._options = tuple(options)
        self._buffered: tuple[str, ...] = ()
        for name, value in options.items():
            setattr(self, name, value)

    def _weights(self, **weights: Any) -> None:
        """Keep weights as buffers, so that they move with the module."""
        for name, weight in weights.items():
            self.register_buffer(name, None if weight is None else asarray(weight))
        self._buffered = tuple(weights)

    def _called(self, *operands: Any) -> Any:
        options = {name: getattr(self, name) for name in (*self._options, *self._buffered)}
        return self._function(*operands, reduction=self.reduction, **options)

    def forward(self, input: Any, target: Any) -> Any:
        """The function of ``gpugrad.nn.functional`` that is named like the loss."""
        return self._called(input, target)

    def extra_repr(self) -> str:
        options = (f"{name}={getattr(self, name)!r}" for name in self._options)
        return ", ".join([*options, f"reduction={self.reduction!r}"])


# Of classes ----------------------------------------------------------------------------------------------------------------


class CrossEntropyLoss(_Loss, function=cross_entropy):
    """The cross-entropy of softmax(input) with class labels or probabilities: :func:`gpugrad.nn.functional.cross_entropy`."""

    def __init__(
        self, weight: Any = None, *, ignore_index: int = -100, reduction: str = "mean", label_smoothing: float = 0.0
    ) -> None:
        check_smoothing(label_smoothing)
        super().__init__(reduction, ignore_index=ignore_index, label_smoothing=label_smoothing)
        self._weights(weight=weight)


class NLLLoss(_Loss, function=nll_loss):
    """The negative log-likelihood of class labels, from log-probabilities: :func:`gpugrad.nn.functional.nll_loss`."""

    def __init__(self, weight: Any = None, *, ignore_index: int = -100, reduction: str = "mean") -> None:
        super().__init__(reduction, ignore_index=ignore_index)
        self._weights(weight=weight)


class MultiMarginLoss(_Loss, function=multi_margin_loss):
    """The margin of the right class over all others: :func:`gpugrad.nn.functional.multi_margin_loss`."""

    def __init__(self, p: int = 1, margin: float = 1.0, weight: Any = None, *, reduction: str = "mean") -> None:
        check_power(p)
        super().__init__(reduction, p=p, margin=margin)
        self._weights(weight=weight)


class MultiLabelMarginLoss(_Loss, function=multilabel_margin_loss):
    """The margin of all labels over all other classes: :func:`gpugrad.nn.functional.multilabel_margin_loss`."""

    def __init__(self, *, reduction: str = "mean") -> None:
        super().__init__(reduction)


class MultiLabelSoftMarginLoss(_Loss, function=multilabel_soft_margin_loss):
    """The mean binary cross-entropy over classes: :func:`gpugrad.nn.functional.multilabel_soft_margin_loss`."""

    def __init__(self, weight: Any = None, *, reduction: str = "mean") -> None:
        super().__init__(reduction)
        self._weights(weight=weight)


class CTCLoss(_Loss, function=ctc_loss):
    """The negative log-likelihood of label sequences without alignment: :func:`gpugrad.nn.functional.ctc_loss`."""

    def __init__(self, blank: int = 0, reduction: str = "mean", zero_infinity: bool = False) -> None:
        check_blank(blank)
        super().__init__(reduction, blank=blank, zero_infinity=zero_infinity)

    def forward(self, log_probs: Any, targets: Any, input_lengths: Any, target_lengths: Any) -> Any:  # type: ignore[override]
        """See :func:`gpugrad.nn.functional.ctc_loss`."""
        return self._called(log_probs, targets, input_lengths, target_lengths)


# Of numbers ----------------------------------------------------------------------------------------------------------------


class MSELoss(_Loss, function=mse_loss):
    """The squared error: :func:`gpugrad.nn.functional.mse_loss`."""

    def __init__(self, *, reduction: str = "mean") -> None:
        super().__init__(reduction)


class L1Loss(_Loss, function=l1_loss):
    """The absolute error: :func:`gpugrad.nn.functional.l1_loss`."""

    def __init__(self, *, reduction: str = "mean") -> None:
        super().__init__(reduction)


class SmoothL1Loss(_Loss, function=smooth_l1_loss):
    """The absolute error, quadratic near 0: :func:`gpugrad.nn.functional.smooth_l1_loss`."""

    def __init__(self, *, reduction: str = "mean", beta: float = 1.0) -> None:
        check_smooth_l1(beta)
        super().__init__(reduction, beta=beta)


class HuberLoss(_Loss, function=huber_loss):
    """Half the squared error, linear far from 0: :func:`gpugrad.nn.functional.huber_loss`."""

    def __init__(self, reduction: str = "mean", delta: float = 1.0) -> None:
        check_huber(delta)
        super().__init__(reduction, delta=delta)


class PoissonNLLLoss(_Loss, function=poisson_nll_loss):
    """The negative log-likelihood of counts: :func:`gpugrad.nn.functional.poisson_nll_loss`."""

    def __init__(self, log_input: bool = True, full: bool = False, *, eps: float = 1e-8, reduction: str = "mean") -> None:
        check_eps(type(self).__name__, eps)
        super().__init__(reduction, log_input=log_input, full=full, eps=eps)


class GaussianNLLLoss(_Loss, function=gaussian_nll_loss):
    """The negative log-likelihood of normal variables: :func:`gpugrad.nn.functional.gaussian_nll_loss`."""

    def __init__(self, *, full: bool = False, eps: float = 1e-6, reduction: str = "mean") -> None:
        check_eps(type(self).__name__, eps)
        super().__init__(reduction, full=full, eps=eps)

    def forward(self, input: Any, target: Any, var: Any) -> Any:  # type: ignore[override]
        """See :func:`gpugrad.nn.functional.gaussian_nll_loss`."""
        return self._called(input, target, var)


# Of probabilities ----------------------------------------------------------------------------------------------------------


class BCELoss(_Loss, function=binary_cross_entropy):
    """The cross-entropy of probabilities of two classes: :func:`gpugrad.nn.functional.binary_cross_entropy`."""

    def __init__(self, weight: Any = None, *, reduction: str = "mean") -> None:
        super().__init__(reduction)
        self._weights(weight=weight)


class BCEWithLogitsLoss(_Loss, function=binary_cross_entropy_with_logits):
    """The cross-entropy of sigmoid(input): :func:`gpugrad.nn.functional.binary_cross_entropy_with_logits`."""

    def __init__(self, weight: Any = None, *, reduction: str = "mean", pos_weight: Any = None) -> None:
        super().__init__(reduction)
        self._weights(weight=weight, pos_weight=pos_weight)


class KLDivLoss(_Loss, function=kl_div):
    """The Kullback-Leibler divergence, with the reduction "batchmean" too: :func:`gpugrad.nn.functional.kl_div`."""

    _reductions = (*REDUCTIONS, "batchmean")

    def __init__(self, *, reduction: str = "mean", log_target: bool = False) -> None:
        super().__init__(reduction, log_target=log_target)


class SoftMarginLoss(_Loss, function=soft_margin_loss):
    """The logistic loss of targets 1 and -1: :func:`gpugrad.nn.functional.soft_margin_loss`."""

    def __init__(self, *, reduction: str = "mean") -> None:
        super().__init__(reduction)


class FocalLoss(_Loss, function=sigmoid_focal_loss):
    """The cross-entropy of sigmoid(input), less of it where the answer is right: :func:`gpugrad.nn.functional.sigmoid_focal_loss`."""

    def __init__(self, alpha: float = 0.25, gamma: float = 2.0, *, reduction: str = "mean") -> None:
        check_focal(alpha, gamma)
        super().__init__(reduction, alpha=alpha, gamma=gamma)


class DiceLoss(_Loss, function=dice_loss):
    """One minus the soft Dice coefficient of probabilities: :func:`gpugrad.nn.functional.dice_loss`."""

    def __init__(self, smooth: float = 1.0, *, reduction: str = "mean") -> None:
        check_smooth(smooth)
        super().__init__(reduction, smooth=smooth)


# Of pairs and triplets -----------------------------------------------------------------------------------------------------


class MarginRankingLoss(_Loss, function=margin_ranking_loss):
    """Which of two inputs is to be larger: :func:`gpugrad.nn.functional.margin_ranking_loss`."""

    def __init__(self, margin: float = 0.0, *, reduction: str = "mean") -> None:
        super().__init__(reduction, margin=margin)

    def forward(self, input1: Any, input2: Any, target: Any) -> Any:  # type: ignore[override]
        """See :func:`gpugrad.nn.functional.margin_ranking_loss`."""
        return self._called(input1, input2, target)


class HingeEmbeddingLoss(_Loss, function=hinge_embedding_loss):
    """Distances of what is alike (1) and what is not (-1): :func:`gpugrad.nn.functional.hinge_embedding_loss`."""

    def __init__(self, margin: float = 1.0, *, reduction: str = "mean") -> None:
        super().__init__(reduction, margin=margin)


class CosineEmbeddingLoss(_Loss, function=cosine_embedding_loss):
    """Angles of what is alike (1) and what is not (-1): :func:`gpugrad.nn.functional.cosine_embedding_loss`."""

    def __init__(self, margin: float = 0.0, *, reduction: str = "mean") -> None:
        super().__init__(reduction, margin=margin)

    def forward(self, input1: Any, input2: Any, target: Any) -> Any:  # type: ignore[override]
        """See :func:`gpugrad.nn.functional.cosine_embedding_loss`."""
        return self._called(input1, input2, target)


class _TripletLoss(_Loss):
    def forward(self, anchor: Any, positive: Any, negative: Any) -> Any:  # type: ignore[override]
        """The function of ``gpugrad.nn.functional`` that is named like the loss."""
        return self._called(anchor, positive, negative)


class TripletMarginLoss(_TripletLoss, function=triplet_margin_loss):
    """An anchor nearer to the positive than to the negative: :func:`gpugrad.nn.functional.triplet_margin_loss`."""

    def __init__(
        self, margin: float = 1.0, p: float = 2.0, eps: float = 1e-6, swap: bool = False, *, reduction: str = "mean"
    ) -> None:
        check_margin(type(self).__name__, margin)
        super().__init__(reduction, margin=margin, p=p, eps=eps, swap=swap)


class TripletMarginWithDistanceLoss(_TripletLoss, function=triplet_margin_with_distance_loss):
    """:class:`TripletMarginLoss` with any distance: :func:`gpugrad.nn.functional.triplet_margin_with_distance_loss`."""

    def __init__(
        self,
        *,
        distance_function: Callable[[Any, Any], Any] | None = None,
        margin: float = 1.0,
        swap: bool = False,
        reduction: str = "mean",
    ) -> None:
        check_margin(type(self).__name__, margin)
        if distance_function is not None and not callable(distance_function):
            raise OptionError(
                f"{type(self).__name__}: distance_function is {distance_function!r}, expected a function of two arrays"
            )
        super().__init__(reduction, distance_function=distance_function, margin=margin, swap=swap)
