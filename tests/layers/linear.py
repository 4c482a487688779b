"""Linear, and layers that only pass on or reshape."""

from gpugrad.check.records.case import real
from layers.case import LayerCase, call

CASES = [
    LayerCase("Linear", call(5, 4), call(real(3, 5))),
    LayerCase("Linear", call(5, 4, bias=False), call(real(2, 3, 5)), "no bias"),
    LayerCase("Linear", call(5, 4), call(real(5)), "vector"),
    LayerCase("Identity", call(), call(real(3, 5))),
    LayerCase("Flatten", call(), call(real(2, 3, 4))),
    LayerCase("Flatten", call(0, 1), call(real(2, 3, 4)), "some"),
    LayerCase("Unflatten", call(1, (2, 3)), call(real(2, 6, 2))),
    LayerCase("Unflatten", call(-1, (3, -1)), call(real(2, 6)), "rest"),
    LayerCase(
        "Sequential",
        inputs=call(real(3, 5)),
        make=lambda nn: nn.Sequential(nn.Linear(5, 4), nn.Tanh(), nn.Linear(4, 2)),
    ),
]
