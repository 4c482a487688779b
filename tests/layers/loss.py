"""Losses of classes."""

from gpugrad.check.records.case import distinct, given, integers, positive, real
from layers.case import LayerCase, call

LABELS = integers(5, low=0, high=4)
SPATIAL = integers(2, 3, 2, low=0, high=4)
LISTED = given([[3, 0, -1, 1], [2, -1, 0, 0], [-1, 1, 1, 1], [0, 1, 2, -1]])
REDUCTIONS = ("mean", "sum", "none")


def ctc(layer, nn, x, *others):  # type: ignore[no-untyped-def]
    """The gradient of CTC is that of logits."""
    return layer(nn.functional.log_softmax(x, -1), *others)


CASES = [
    *(LayerCase("CrossEntropyLoss", call(reduction=r), call(real(5, 4), LABELS), r) for r in REDUCTIONS),
    LayerCase(
        "CrossEntropyLoss",
        call(weight=positive(4), ignore_index=2, label_smoothing=0.2),
        call(real(5, 4), LABELS),
        "weight, ignore, smoothing",
    ),
    LayerCase("CrossEntropyLoss", call(label_smoothing=0.1), call(real(5, 4), positive(5, 4)), "probabilities"),
    LayerCase("CrossEntropyLoss", call(weight=positive(4)), call(real(2, 4, 3, 2), SPATIAL), "image"),
    LayerCase("CrossEntropyLoss", call(reduction="none"), call(real(4), given(2)), "one"),
    *(LayerCase("NLLLoss", call(reduction=r), call(real(5, 4), LABELS), r) for r in REDUCTIONS),
    LayerCase("NLLLoss", call(weight=positive(4), ignore_index=1), call(real(2, 4, 3, 2), SPATIAL), "weight, image"),
    *(LayerCase("MultiMarginLoss", call(reduction=r), call(distinct(5, 4), LABELS), r) for r in REDUCTIONS),
    LayerCase("MultiMarginLoss", call(2, 0.7, positive(4)), call(distinct(5, 4), LABELS), "squares, weight"),
    LayerCase("MultiMarginLoss", call(reduction="none"), call(distinct(4), given(2)), "one"),
    *(LayerCase("MultiLabelMarginLoss", call(reduction=r), call(distinct(4, 4), LISTED), r) for r in REDUCTIONS),
    LayerCase("MultiLabelMarginLoss", call(reduction="none"), call(distinct(4), given([1, 3, -1, 0])), "one"),
    *(
        LayerCase("MultiLabelSoftMarginLoss", call(reduction=r), call(real(3, 4), integers(3, 4, low=0, high=2)), r)
        for r in REDUCTIONS
    ),
    LayerCase("MultiLabelSoftMarginLoss", call(positive(4)), call(real(3, 4), positive(3, 4)), "weight"),
    *(
        LayerCase(
            "CTCLoss",
            call(reduction=r),
            call(real(6, 3, 4), given([[1, 1, 2], [3, 1, 0], [2, 0, 0]]), given([6, 5, 4]), given([3, 2, 1])),
            r,
            run=ctc,
        )
        for r in REDUCTIONS
    ),
    LayerCase(
        "CTCLoss",
        call(blank=2, zero_infinity=True, reduction="none"),
        call(real(4, 4, 4), given([1, 1, 1, 3, 0, 3]), given([4, 4, 2, 4]), given([3, 0, 1, 2])),
        "one after the other, empty, impossible",
        run=ctc,
    ),
    LayerCase("CTCLoss", call(), call(real(5, 4), given([1, 2]), given([5]), given([2])), "one", run=ctc),
]
