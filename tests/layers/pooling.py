"""Pooling. No two elements are alike, so that each window has one maximum."""

from gpugrad.check.records.case import distinct, given, positive, real
from layers.case import LayerCase, call

IMAGE = (1, 2, 5, 4)
SHAPES = {"1d": (2, 2, 6), "2d": IMAGE, "3d": (1, 2, 4, 3, 4)}
UNEVEN = {"1d": 4, "2d": (3, None), "3d": (3, 2, 3)}
PLACES = {"1d": [[[1, 2, 5]]], "2d": [[[[0, 6], [13, 11]]]], "3d": [[[[[0, 6], [13, 11]]]]]}

CASES = [
    *(LayerCase(f"MaxPool{n}", call(2), call(distinct(*shape))) for n, shape in SHAPES.items()),
    *(LayerCase(f"MaxPool{n}", call(3, 2, 1), call(distinct(*shape)), "overlapping") for n, shape in SHAPES.items()),
    LayerCase("MaxPool1d", call(1, 2), call(distinct(2, 2, 5)), "one element"),
    LayerCase("MaxPool1d", call(2, return_indices=True), call(distinct(2, 7)), "indices, unbatched"),
    LayerCase("MaxPool2d", call((3, 2), (2, 1), (1, 0), (1, 2), True, True), call(distinct(*IMAGE)), "all options"),
    LayerCase("MaxPool2d", call(4, 3, 2, ceil_mode=True), call(distinct(*IMAGE)), "ceil"),
    LayerCase("MaxPool3d", call((2, 1, 3), return_indices=True), call(distinct(2, 3, 2, 3)), "indices, unbatched"),
    *(LayerCase(f"AvgPool{n}", call(2), call(real(*shape))) for n, shape in SHAPES.items()),
    LayerCase("AvgPool1d", call(3, 2, 1, True, False), call(real(2, 7)), "all options, unbatched"),
    LayerCase("AvgPool2d", call((3, 2), (2, 1), (1, 0), True, False), call(real(*IMAGE)), "without padding"),
    LayerCase("AvgPool2d", call(3, 2, 1, True), call(real(*IMAGE)), "ceil"),
    LayerCase("AvgPool3d", call(2, 1, 1, divisor_override=3), call(real(2, 2, 3, 2)), "divisor, unbatched"),
    *(LayerCase(f"AdaptiveAvgPool{n}", call(1), call(real(*shape))) for n, shape in SHAPES.items()),
    *(LayerCase(f"AdaptiveAvgPool{n}", call(UNEVEN[n]), call(real(*shape)), "uneven") for n, shape in SHAPES.items()),
    LayerCase("AdaptiveAvgPool1d", call(3), call(real(2, 6)), "even, unbatched"),
    LayerCase("AdaptiveAvgPool2d", call((7, 2)), call(real(1, 2, 5, 4)), "more than there are"),
    LayerCase("AdaptiveAvgPool3d", call((None, 2, 1)), call(real(2, 2, 3, 4)), "own size, unbatched"),
    *(LayerCase(f"AdaptiveMaxPool{n}", call(1), call(distinct(*shape))) for n, shape in SHAPES.items()),
    *(LayerCase(f"AdaptiveMaxPool{n}", call(UNEVEN[n], True), call(distinct(*shape)), "uneven") for n, shape in SHAPES.items()),
    LayerCase("AdaptiveMaxPool2d", call((7, 2)), call(distinct(2, 5, 4)), "more than there are, unbatched"),
    *(LayerCase(f"LPPool{n}", call(2, 2), call(real(*shape))) for n, shape in SHAPES.items()),
    LayerCase("LPPool1d", call(1.5, 3, 2, True), call(positive(2, 6)), "fractional, ceil, unbatched"),
    LayerCase("LPPool2d", call(3, (2, 3), 1), call(positive(*IMAGE)), "overlapping"),
    *(
        LayerCase(f"MaxUnpool{n}", call(2), call(real(*given(PLACES[n]).shape), given(PLACES[n])))
        for n in SHAPES
    ),
    LayerCase("MaxUnpool1d", call(3, 2), call(real(1, 3), given([[0, 3, 7]]), [8]), "output size, unbatched"),
    LayerCase("MaxUnpool2d", call(3, 2, 1), call(real(*given(PLACES["2d"]).shape), given([[[[0, 1], [7, 6]]]]), (4, 3)), "padding"),
]  # fmt: skip
