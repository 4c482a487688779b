"""Losses."""

from gpugrad.check.records.case import integers, positive, real
from layers.case import LayerCase, call

LABELS = integers(5, low=0, high=4)
CASES = [
    LayerCase("CrossEntropyLoss", call(), call(real(5, 4), LABELS)),
    LayerCase(
        "CrossEntropyLoss",
        call(weight=positive(4), ignore_index=2, label_smoothing=0.2),
        call(real(5, 4), LABELS),
        "weight, ignore, smoothing",
    ),
    LayerCase("NLLLoss", call(reduction="sum"), call(real(5, 4), LABELS)),
    LayerCase("MSELoss", call(reduction="none"), call(real(5, 4), real(5, 4))),
]
