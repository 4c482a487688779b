"""Dropout, which PyTorch draws otherwise: compared where nothing is drawn."""

from gpugrad.check.records.case import Draw, real
from layers.case import LayerCase, call

INPUTS: dict[str, Draw] = {
    "Dropout": real(3, 5),
    "Dropout1d": real(2, 5, 3),
    "Dropout2d": real(2, 5, 2, 2),
    "Dropout3d": real(2, 5, 2, 1, 2),
    "AlphaDropout": real(3, 5),
    "FeatureAlphaDropout": real(2, 5, 3),
}

CASES = [
    *(LayerCase(name, call(0.4), call(x), draws=1) for name, x in INPUTS.items()),
    *(LayerCase(name, call(0.4), call(x), "eval", train=False) for name, x in INPUTS.items()),
    *(LayerCase(name, call(0.0), call(x), "nothing dropped") for name, x in INPUTS.items()),
    LayerCase("Dropout1d", call(0.4), call(real(5, 3)), "no batch", draws=1),
    LayerCase("Dropout2d", call(0.4), call(real(2, 5, 3)), "one axis", draws=1),
    LayerCase("Dropout3d", call(0.4), call(real(5, 2, 1, 2)), "no batch", draws=1),
]
