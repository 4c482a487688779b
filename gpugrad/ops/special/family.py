"""How a special function is declared: SciPy's name, a formula, and one gradient rule for each operand."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from typing import Any, NoReturn

from gpugrad.arrays.dtypes import numpy_dtype
from gpugrad.arrays.special import evaluate
from gpugrad.errors import DTypeError, GraphError
from gpugrad.families import GradientRule, primitive, zero


def special(
    name: str, formula: str, /, *, complex: bool = False, note: str = "", source: str = "", **rules: GradientRule
) -> Callable[..., Any]:
    """Declare ``scipy.special.<name>``, elementwise; `rules` names its operands in their order, each with its gradient rule.

    ``zero`` is the rule of an operand on which the result is locally constant, :func:`no_rule` of one whose derivative has no
    formula. `complex` says that the function takes complex numbers.
    """

    def definition(*operands: Any) -> Any:
        if not complex:
            _refuse_complex(name, operands)
        return evaluate(name, *operands)

    kind = inspect.Parameter.POSITIONAL_ONLY
    definition.__signature__ = inspect.Signature([inspect.Parameter(x, kind) for x in rules])  # type: ignore[attr-defined]
    definition.__name__ = definition.__qualname__ = name
    definition.__module__ = "gpugrad.special"
    definition.__annotations__ = {}
    given = "real and complex floating" if complex else "real floating"
    url = f"https://docs.scipy.org/doc/scipy/reference/generated/scipy.special.{name}.html"
    definition.__doc__ = (
        f"{formula}, elementwise.\n\n"
        f"Shapes: {'the operands broadcast' if len(rules) > 1 else 'any, and the result has the same'}. "
        f"Dtypes: {given}; integers are taken as float64, as SciPy does.\n"
        f"{_differentiable(rules)}{' ' + note if note else ''}\n\n"
        f"Raises DTypeError for a dtype that it does not take{', ShapeError if the shapes do not broadcast' if len(rules) > 1 else ''}.\n"
        f"Source: {source + ', ' if source else ''}{url}"
    )
    return primitive(elementwise=True, **rules)(definition)  # type: ignore[arg-type]  # no operand is called `casts`


def _refuse_complex(name: str, operands: tuple[Any, ...]) -> None:
    for x in operands:
        if isinstance(x, complex) or (hasattr(x, "dtype") and numpy_dtype(x.dtype).kind == "c"):
            raise DTypeError(f"{name}: got {getattr(x, 'dtype', 'a complex number')}, expected real floating-point")


def _differentiable(rules: dict[str, GradientRule]) -> str:
    missing = [x for x, rule in rules.items() if getattr(rule, "missing", False)]
    if len(missing) == len(rules):
        return "Not differentiable: a backward pass through it raises GraphError."
    if missing:
        return f"Differentiable, but not in {' and '.join(missing)}, for which a backward pass raises GraphError."
    if all(rule is zero for rule in rules.values()):
        return "Locally constant: the gradient is zero."
    return "Differentiable."


def no_rule(name: str, operand: str) -> Callable[..., NoReturn]:
    """The rule of an operand whose derivative has no formula: a backward pass that needs it raises GraphError."""

    def rule(g: Any) -> NoReturn:
        raise GraphError(
            f"{name}: it has no derivative with respect to {operand} here; .detach() {operand} to hold it constant"
        )

    rule.missing = True  # type: ignore[attr-defined]
    return rule
