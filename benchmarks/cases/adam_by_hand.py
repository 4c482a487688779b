"""Adam in NumPy or CuPy by hand, in place, a pass over memory for each operation."""

from __future__ import annotations

from typing import Any

LR, BETA1, BETA2, EPS = 1e-3, 0.9, 0.999, 1e-8


def update(xp: Any, p: Any, g: Any, m: Any, v: Any, s: Any, t: int) -> None:
    """Step number `t` of the parameters `p` with gradients `g`, means `m` and mean squares `v`. `s` is overwritten."""
    root = (1 - BETA2**t) ** 0.5
    xp.multiply(g, 1 - BETA1, out=s)
    m *= BETA1
    m += s
    xp.multiply(g, g, out=s)
    s *= 1 - BETA2
    v *= BETA2
    v += s
    xp.sqrt(v, out=s)
    s += EPS * root
    xp.divide(m, s, out=s)
    s *= LR / (1 - BETA1**t) * root
    p -= s
