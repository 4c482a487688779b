"""Losses of numbers, probabilities, pairs and triplets; distances."""

from typing import Any

from gpugrad.check.records.case import Call, distinct, given, integers, nonzero, positive, real
from layers.case import LayerCase, call

REDUCTIONS = ("mean", "sum", "none")
ZERO_ONE = integers(4, 3, low=0, high=2)
SIGNS = given([[1, -1, 1], [-1, -1, 1], [1, 1, -1], [-1, 1, 1]])
PROBABILITIES = given([[0.1, 0.4, 0.9], [0.3, 0.5, 0.7], [0.6, 0.2, 0.8], [0.35, 0.95, 0.05]])


def reductions(name: str, inputs: Call, *args: Any) -> list[LayerCase]:
    return [LayerCase(name, call(*args, reduction=r), inputs, r) for r in REDUCTIONS]


def focal(torch: Any, alpha: float = 0.25, gamma: float = 2.0, reduction: str = "mean") -> Any:
    """The formula of torchvision.ops.sigmoid_focal_loss."""

    class Focal(torch.nn.Module):  # type: ignore[misc]
        def forward(self, input: Any, target: Any) -> Any:
            p, t = torch.sigmoid(input), target.to(input.dtype)
            losses = torch.nn.functional.binary_cross_entropy_with_logits(input, t, reduction="none")
            losses = losses * (1 - (p * t + (1 - p) * (1 - t))) ** gamma
            losses = losses if alpha < 0 else losses * (alpha * t + (1 - alpha) * (1 - t))
            return {"mean": torch.mean, "sum": torch.sum, "none": torch.clone}[reduction](losses)

    return Focal()


def dice(torch: Any, smooth: float = 1.0, reduction: str = "mean") -> Any:
    class Dice(torch.nn.Module):  # type: ignore[misc]
        def forward(self, p: Any, t: Any) -> Any:
            axes = tuple(range(2, p.ndim)) or (-1,)
            losses = 1 - (2 * (p * t).sum(axes) + smooth) / (p.sum(axes) + t.sum(axes) + smooth)
            return {"mean": torch.mean, "sum": torch.sum, "none": torch.clone}[reduction](losses)

    return Dice()


CASES = [
    *reductions("MSELoss", call(real(5, 4), real(5, 4))),
    *reductions("L1Loss", call(distinct(4, 3), positive(4, 3))),
    *reductions("SmoothL1Loss", call(real(4, 3), real(4, 3))),
    LayerCase("SmoothL1Loss", call(beta=0.3), call(real(5), real(5)), "beta"),
    LayerCase("SmoothL1Loss", call(beta=0.0), call(real(5), real(5)), "no beta"),
    *reductions("HuberLoss", call(real(4, 3), real(4, 3))),
    LayerCase("HuberLoss", call("mean", 0.3), call(real(5), real(5)), "delta"),
    *reductions("BCELoss", call(PROBABILITIES, given([[0.05, 0.9, 0.5]] * 4))),
    LayerCase("BCELoss", call(positive(3)), call(PROBABILITIES, given([[0.2, 0.9, 0.5]] * 4)), "weight"),
    LayerCase("BCELoss", call(), call(PROBABILITIES, ZERO_ONE), "labels", peer=None),  # PyTorch refuses integers
    *reductions("BCEWithLogitsLoss", call(real(4, 3), given([[0.0, 1.0, 0.5]] * 4))),
    LayerCase(
        "BCEWithLogitsLoss",
        call(positive(4, 1), pos_weight=positive(3)),
        call(real(4, 3), given([[0.2, 1.0, 0.5]] * 4)),
        "weight, pos_weight",
    ),
    *reductions("KLDivLoss", call(real(4, 3), positive(4, 3))),
    LayerCase("KLDivLoss", call(reduction="batchmean"), call(real(4, 3), positive(4, 3)), "batchmean"),
    LayerCase("KLDivLoss", call(reduction="batchmean", log_target=True), call(real(4, 3), real(4, 3)), "log_target"),
    *reductions("PoissonNLLLoss", call(real(4, 3), positive(4, 3))),
    LayerCase("PoissonNLLLoss", call(True, True), call(real(4, 3), positive(4, 3)), "full"),
    LayerCase("PoissonNLLLoss", call(False, True, eps=0.1), call(positive(4, 3), positive(4, 3)), "rates, full"),
    *reductions("GaussianNLLLoss", call(real(4, 3), real(4, 3), positive(4, 3))),
    LayerCase("GaussianNLLLoss", call(full=True), call(real(4, 3), real(4, 3), positive(4, 1)), "full, one variance per row"),
    LayerCase("GaussianNLLLoss", call(), call(real(4, 3), real(4, 3), positive(4)), "no last axis"),
    *reductions("SoftMarginLoss", call(real(4, 3), SIGNS)),
    *(LayerCase("FocalLoss", call(reduction=r), call(real(4, 3), ZERO_ONE), r, peer=focal) for r in REDUCTIONS),
    LayerCase("FocalLoss", call(-1.0, 0.0), call(real(4, 3), ZERO_ONE), "no weights", peer=focal),
    LayerCase("FocalLoss", call(0.7, 1.5), call(real(4, 3), positive(4, 3)), "alpha, gamma", peer=focal),
    *(
        LayerCase("DiceLoss", call(reduction=r), call(positive(2, 3, 2, 2), positive(2, 3, 2, 2)), r, peer=dice)
        for r in REDUCTIONS
    ),
    LayerCase("DiceLoss", call(0.5), call(PROBABILITIES, ZERO_ONE), "rows", peer=dice),
    *reductions("MarginRankingLoss", call(distinct(4, 3), positive(4, 3), SIGNS)),
    LayerCase("MarginRankingLoss", call(0.3), call(real(4), real(4), given([1, -1, -1, 1])), "margin"),
    *reductions("HingeEmbeddingLoss", call(distinct(4, 3), SIGNS)),
    LayerCase("HingeEmbeddingLoss", call(0.3), call(distinct(4, 3), SIGNS), "margin"),
    *reductions("CosineEmbeddingLoss", call(nonzero(4, 3), nonzero(4, 3), given([1, -1, 1, -1]))),
    LayerCase("CosineEmbeddingLoss", call(-0.9), call(nonzero(3), nonzero(3), given(-1)), "one, margin"),
    *reductions("TripletMarginLoss", call(real(4, 3), real(4, 3), real(4, 3)), 3.0),
    LayerCase("TripletMarginLoss", call(3.0, 1.0, swap=True), call(real(4, 3), real(4, 3), real(4, 3)), "p, swap"),
    LayerCase("TripletMarginLoss", call(3.0, 3.0), call(real(3), real(3), real(3)), "p, one"),
    LayerCase("TripletMarginWithDistanceLoss", call(margin=3.0), call(real(4, 3), real(4, 3), real(4, 3))),
    LayerCase(
        "TripletMarginWithDistanceLoss",
        call(distance_function=lambda x, y: ((x - y) ** 2).sum(-1), margin=9.0, swap=True, reduction="none"),
        call(real(4, 3), real(4, 3), real(4, 3)),
        "squares",
    ),
    LayerCase("CosineSimilarity", call(), call(nonzero(4, 3), nonzero(4, 3))),
    LayerCase("CosineSimilarity", call(-1, 0.1), call(nonzero(2, 1, 3), nonzero(4, 3)), "broadcast"),
    LayerCase("CosineSimilarity", call(0), call(nonzero(2, 3), nonzero(3)), "fewer axes"),
    LayerCase("PairwiseDistance", call(), call(real(4, 3), real(4, 3))),
    LayerCase("PairwiseDistance", call(1.0, keepdim=True), call(real(4, 3), real(3)), "p, keepdim"),
    LayerCase("PairwiseDistance", call(float("inf")), call(real(4, 3), real(4, 3)), "inf"),
]
