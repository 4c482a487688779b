"""Kernels that update parameters and state: derived from the rule of an optimizer, which says what it does to one element."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from gpugrad.arrays.kernels import Kernel, Kernels
from gpugrad.compile.accelerate import accelerated, compiled
from gpugrad.compile.pieces import Pieces
from gpugrad.nn.functional.precision import wide
from gpugrad.ops.dtypes import astype
from gpugrad.ops.elementwise import sqrt
from gpugrad.ops.reduction import sum
from gpugrad.ops.shape import concat, reshape

Rule = Callable[..., tuple[Any, ...]]
"""``rule(p, d, *state, **numbers)`` returns ``(p, *state)``: the new parameters and state, where d is to be descended."""


def directed(function: Callable[..., Any]) -> Callable[..., Any]:
    """`function` of parameters and a direction after what every optimizer does with parameters and gradients.

    The result is called ``(p, g, *state, decay=, weight_decay=, maximize=, master=, **numbers)``. The parameters are multiplied by
    `decay` (decoupled weight decay), and the direction is ``weight_decay * p`` plus g, or -g to `maximize`. With `master`, the
    first array of the state stands for the parameters: their copy in float32.
    """

    def called(
        p: Any, g: Any, *state: Any, decay: float, weight_decay: float, maximize: bool, master: bool, **numbers: Any
    ) -> Any:
        """`function` of the decayed parameters and the direction."""
        if master:
            p, *rest = state
            g, state = astype(g, p.dtype), tuple(rest)
        p = p * decay
        return function(p, (-g if maximize else g) + weight_decay * p, *state, **numbers)

    return called


def stepped(rule: Rule) -> Rule:
    """The :func:`directed` rule, which with `master` returns the parameters, rounded, and the master copy."""
    called = directed(rule)

    def step(p: Any, g: Any, *state: Any, master: bool, **numbers: Any) -> tuple[Any, ...]:
        """New parameters and state."""
        out = tuple(called(p, g, *state, master=master, **numbers))
        return (astype(out[0], p.dtype), *out) if master else out

    return step


def update_kernels(name: str, rule: Rule) -> Kernels:
    """Kernels that return what the :func:`stepped` rule does: the old arrays, where they were written over.

    On NumPy and CuPy one kernel, derived from the rule, does it all in one pass over memory, in place; where there is none, the rule
    runs and the results are arrays of their own. On NumPy the gradient may be :class:`Pieces`, and there the others are flat.
    """
    definition = stepped(rule)

    def derived(otherwise: Kernel) -> Kernel:
        """The kernel, which goes back to `otherwise`."""
        into = {0: 0} | {k: k + 1 for k in range(1, 9)}  # the gradient, argument 1, is only read
        return compiled(definition, name, by_stretches(otherwise), into)

    return Kernels(name, definition, False, derived)


def by_stretches(rule: Kernel) -> Kernel:
    """`rule` for a gradient that may be Pieces: what is no gap is then updated in place, once all is computed."""

    def update(p: Any, g: Any, *state: Any, **numbers: Any) -> tuple[Any, ...]:
        """New parameters and state: results of the rule, or the old arrays, written over."""
        if not isinstance(g, Pieces):
            return rule(p, g, *state, **numbers)
        found = []
        for where, arrays in g.stretches():
            gradient = concat([reshape(x, (-1,)) for x in arrays])
            found.append((where, rule(p[where], gradient, *(x[where] for x in state), **numbers)))
        for where, results in found:
            for x, new in zip((p, *state), results, strict=False):
                x[where] = new
        return (p, *state)

    return update


def whole_kernels(name: str, function: Callable[..., Any]) -> Kernels:
    """Kernels of the :func:`directed` function of a whole parameter, derived from it."""
    definition = directed(function)
    return Kernels(name, definition, False, lambda otherwise: accelerated(definition, name, otherwise))


def norm(x: Any) -> Any:
    """The Euclidean norm of all elements, in float32 or wider."""
    x = wide(x)
    return sqrt(sum(x * x))
