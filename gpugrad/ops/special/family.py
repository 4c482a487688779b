"""How a special function is declared: SciPy's name, a formula, and one gradient rule for each operand."""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable
from typing import Any, NoReturn

import numpy

from gpugrad.arrays.dtypes import float32, float64, numpy_dtype
from gpugrad.arrays.kernels import WEAK, strong
from gpugrad.arrays.special import evaluate
from gpugrad.errors import GraphError
from gpugrad.families import GradientRule, primitive, zero
from gpugrad.multi_output import multi_output
from gpugrad.ops.dtypes import astype
from gpugrad.ops.elementwise import real
from gpugrad.tape import Tensor, raw


def special(
    name: str, formula: str, /, *, complex: bool = False, note: str = "", source: str = "", **rules: GradientRule
) -> Callable[..., Any]:
    """Declare ``scipy.special.<name>``, elementwise; `rules` names its operands in their order, each with its gradient rule.

    ``zero`` is the rule of an operand on which the result is locally constant, :func:`no_rule` of one whose derivative has no
    formula. `complex` says that the function takes complex numbers. A rule is called with arrays of floating-point numbers
    of 32 bits or more alone: integers come as float64, Python numbers as the dtype of the gradient.
    """

    def definition(*operands: Any) -> Any:
        return evaluate(name, *operands, complex=complex)

    _describe(definition, name, formula, rules, complex, note, source)
    wide = {operand: _of_floats(rule) for operand, rule in rules.items()}
    return primitive(elementwise=True, **wide)(definition)  # type: ignore[arg-type]  # no operand is called `casts`


def several(name: str, formula: str, result: type, rule: Callable[..., Any], /, *, note: str = "") -> Callable[..., Any]:
    """Declare ``scipy.special.<name>`` of one real or complex operand x and several results: `result` is their named tuple.

    `rule` is that of :func:`~gpugrad.multi_output.multi_output`.
    """

    def definition(x: Any, /) -> Any:
        found = evaluate(name, x)  # in one array where they were computed elsewhere
        return result(*(found if isinstance(found, tuple) else (found[i, ...] for i in range(found.shape[0]))))

    _describe(definition, name, formula, {"x": rule}, True, note, "")
    return multi_output(x=rule, elementwise=True)(definition)


def sum_of_terms(gradients: tuple[Any, ...], *slopes: Callable[[], Any]) -> Any:
    """The gradients of several results times their derivatives, added; a derivative is computed only where one arrived."""
    terms = [g * slope() for g, slope in zip(gradients, slopes, strict=True) if g is not None]
    return sum(terms[1:], terms[0])


def _describe(
    definition: Any, name: str, formula: str, rules: dict[str, GradientRule], complex: bool, note: str, source: str
) -> None:
    """Give a definition its name, its signature and its documentation."""
    kind = inspect.Parameter.POSITIONAL_ONLY
    definition.__signature__ = inspect.Signature([inspect.Parameter(x, kind) for x in rules])
    definition.__name__ = definition.__qualname__ = name
    definition.__module__ = "gpugrad.special"
    definition.__annotations__ = {}
    more = len(rules) > 1
    given = "real and complex floating" if complex else "real floating"
    url = f"https://docs.scipy.org/doc/scipy/reference/generated/scipy.special.{name}.html"
    definition.__doc__ = (
        f"{formula}, elementwise.\n\n"
        f"Shapes: {'the operands broadcast' if more else 'any, and the result has the same'}. "
        f"Dtypes: {given}; integers are taken as float64, as SciPy does.\n"
        f"{_differentiable(rules)}{' ' + note if note else ''}\n\n"
        f"Raises DTypeError for a dtype that it does not take"
        f"{', ShapeError if the shapes do not broadcast, DeviceError if the devices differ' if more else ''}.\n"
        f"Source: {source + ', ' if source else ''}{url}"
    )


def _of_floats(rule: GradientRule) -> GradientRule:
    """`rule` for residuals that may be numbers, integers, with which rules could not compute on every library, or of 16 bits."""
    if rule is None or rule is zero or getattr(rule, "missing", False):
        return rule

    @functools.wraps(rule)  # with it goes the signature, which says what the tape keeps
    def of_floats(g: Any, *residuals: Any) -> Any:
        arrays = (_number(x, raw(g)) if type(x) in WEAK or isinstance(x, numpy.generic) else x for x in residuals)
        floats = map(_wide, arrays)
        return rule(_wide(g), *(Tensor(x) if isinstance(g, Tensor) and not isinstance(x, Tensor) else x for x in floats))

    return of_floats


def _wide(x: Any) -> Any:
    """Integers as float64, as SciPy takes them, and numbers of 16 bits, whose range is small, as float32."""
    dtype = numpy_dtype(x.dtype)
    if dtype.itemsize == 2 and dtype.kind in "fV":
        return astype(x, float32)
    return inexact(x)


def _number(x: Any, like: Any) -> Any:
    """A number as an array; a real one stays real beside complex gradients, for an order or a parameter must be."""
    array = strong(x, like)
    return array if isinstance(x, (complex, numpy.complexfloating)) else real(array)


def inexact(x: Any) -> Any:
    """`x` with integers and booleans as float64, those of Python as floats."""
    if not hasattr(x, "dtype"):
        return float(x) if type(x) in (int, bool) else x
    return astype(x, float64) if numpy_dtype(x.dtype).kind in "biu" else x


def _differentiable(rules: dict[str, GradientRule]) -> str:
    missing = [x for x, rule in rules.items() if getattr(rule, "missing", False)]
    if len(missing) == len(rules):
        return "Not differentiable: a backward pass through it raises GraphError."
    if missing:
        return f"Differentiable, but not in {' and '.join(missing)}, for which a backward pass raises GraphError."
    if all(rule is zero for rule in rules.values()):
        return "Locally constant: the gradient is zero."
    constant = [x for x, rule in rules.items() if rule is zero]
    return f"Differentiable; locally constant in {' and '.join(constant)}." if constant else "Differentiable."


def no_rule(name: str, operand: str) -> Callable[..., NoReturn]:
    """The rule of an operand whose derivative has no formula: a backward pass that needs it raises GraphError."""

    def rule(g: Any) -> NoReturn:
        raise GraphError(
            f"{name}: it has no derivative with respect to {operand} here; .detach() {operand} to hold it constant"
        )

    rule.missing = True  # type: ignore[attr-defined]
    return rule
