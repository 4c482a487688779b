"""Convolutions and transposed convolutions."""

from gpugrad.check.records.case import real
from layers.case import LayerCase, call

SPATIAL = {1: (7,), 2: (6, 5), 3: (4, 3, 5)}
SHORT = {1: (4,), 2: (3, 4), 3: (2, 3, 2)}


def _of(n: int) -> list[LayerCase]:
    """The cases over n spatial axes."""
    conv, transposed, x, short = f"Conv{n}d", f"ConvTranspose{n}d", real(2, 4, *SPATIAL[n]), real(2, 4, *SHORT[n])
    each = tuple(range(1, n + 1))
    return [
        LayerCase(conv, call(4, 6, 3), call(x)),
        LayerCase(conv, call(4, 6, 3, stride=2, padding=1, groups=2), call(x), "stride, groups"),
        LayerCase(conv, call(4, 2, (3, 2, 1)[:n], padding=each, dilation=each, bias=False), call(x), "dilation"),
        LayerCase(conv, call(4, 8, 2, groups=4, padding="valid"), call(real(4, *SPATIAL[n])), "depthwise, no batch"),
        LayerCase(conv, call(4, 3, (2, 3, 2)[:n], padding="same", dilation=(2, 1, 1)[:n]), call(x), "same"),
        *(
            LayerCase(conv, call(4, 2, 3, 1, 1, padding_mode=mode), call(x), mode)
            for mode in ("reflect", "replicate", "circular")
        ),
        LayerCase(conv, call(4, 2, 2, padding="same", padding_mode="circular"), call(x), "same, circular"),
        LayerCase(transposed, call(4, 6, 3), call(short)),
        LayerCase(transposed, call(4, 6, 3, stride=2, padding=1, output_padding=1, groups=2), call(short), "stride, groups"),
        LayerCase(transposed, call(4, 2, 2, dilation=3, output_padding=2, bias=False), call(short), "dilation"),
        LayerCase(transposed, call(4, 2, 3, stride=each, dilation=2), call(real(4, *SHORT[n])), "no batch"),
        LayerCase(
            transposed,
            call(4, 2, 3, stride=3, padding=1),
            call(short, output_size=[3 * size for size in SHORT[n]]),
            "output_size",
        ),
    ]


CASES = [case for n in SPATIAL for case in _of(n)]
