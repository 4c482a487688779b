"""Layers that pad."""

from gpugrad.check.records.case import real
from layers.case import LayerCase, call

SPATIAL = {1: (5,), 2: (4, 5), 3: (3, 4, 3)}
UNEVEN = (1, 2, 0, 3, 2, 1)
FEWER = (-1, 2, 1, -2, 0, 1)

CASES = [
    case
    for n, sizes in SPATIAL.items()
    for x in [real(2, 3, *sizes)]
    for kind, values in [("Constant", (0.5,)), ("Zero", ()), ("Reflection", ()), ("Replication", ()), ("Circular", ())]
    for case in (
        LayerCase(f"{kind}Pad{n}d", call(1, *values), call(x)),
        LayerCase(f"{kind}Pad{n}d", call(UNEVEN[: 2 * n], *values), call(real(3, *sizes)), "uneven, no batch"),
        LayerCase(f"{kind}Pad{n}d", call(FEWER[: 2 * n], *values), call(x), "fewer"),
    )
]
