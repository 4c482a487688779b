"""Batch and instance normalization: in training with the buffers afterwards, in evaluation with running statistics."""

from gpugrad.check.records.case import real
from layers.case import LayerCase, call

SHAPES = {"1d": (2, 3, 4), "2d": (2, 3, 2, 3), "3d": (2, 3, 2, 1, 2)}
CASES = [
    *(LayerCase(f"BatchNorm{n}", call(3), call(real(*shape))) for n, shape in SHAPES.items()),
    *(LayerCase(f"BatchNorm{n}", call(3), call(real(*shape)), "eval", train=False) for n, shape in SHAPES.items()),
    LayerCase("BatchNorm1d", call(3), call(real(5, 3)), "rows"),
    LayerCase("BatchNorm1d", call(3, momentum=None), call(real(5, 3)), "cumulative"),
    LayerCase("BatchNorm2d", call(3, 1e-3, 0.3), call(real(2, 3, 2, 3)), "eps, momentum"),
    LayerCase("BatchNorm2d", call(3, affine=False), call(real(2, 3, 2, 3)), "not affine"),
    LayerCase("BatchNorm2d", call(3, bias=False), call(real(2, 3, 2, 3)), "no bias"),
    LayerCase("BatchNorm2d", call(3, track_running_stats=False), call(real(2, 3, 2, 3)), "not tracked"),
    LayerCase("BatchNorm2d", call(3, track_running_stats=False), call(real(2, 3, 2, 3)), "not tracked, eval", train=False),
    *(LayerCase(f"InstanceNorm{n}", call(3), call(real(*shape))) for n, shape in SHAPES.items()),
    *(LayerCase(f"InstanceNorm{n}", call(3), call(real(*shape[1:])), "unbatched") for n, shape in SHAPES.items()),
    LayerCase("InstanceNorm1d", call(3, affine=True, bias=False), call(real(2, 3, 4)), "no bias"),
    LayerCase("InstanceNorm2d", call(3, 1e-3, 0.2, True, True), call(real(2, 3, 2, 3)), "affine, tracked"),
    LayerCase("InstanceNorm2d", call(3, 1e-3, 0.2, True, True), call(real(2, 3, 2, 3)), "affine, tracked, eval", train=False),
    LayerCase("InstanceNorm2d", call(3, momentum=None, track_running_stats=True), call(real(2, 3, 2, 3)), "no momentum"),
]
