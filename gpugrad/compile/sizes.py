"""Sizes that are known only at run time: what a traced function sees in ``x.shape``.

A :class:`Size` is a polynomial with integer coefficients in the sizes of the arguments' axes. Arithmetic builds further ones; a
quotient is a number of the traced program, like a Python float argument.
A comparison is answered for the call that is being traced and noted as a guard: the kernels made from the trace serve every
later call for which the guards give the same answers, so a new batch size compiles nothing. What only a plain int can do
(``range(n)``, a list of length n, hashing) takes the present value and notes that it must stay so.
"""

from __future__ import annotations

import math
import operator
from collections.abc import Callable
from typing import Any, Protocol, TypeAlias

Polynomial: TypeAlias = "tuple[tuple[tuple[int, ...], int], ...]"
"""((variables of a product, in ascending order), its coefficient), ..., in ascending order: ``((0, 1), 2)`` is 2 * s0 * s1."""


class Guards:
    """The conditions under which a trace holds, as source over the variables ``s0, s1, ...``, each only once."""

    def __init__(self) -> None:
        self.conditions: dict[str, None] = {}

    def add(self, condition: str) -> None:
        self.conditions[condition] = None

    def source(self) -> str:
        return " and ".join(self.conditions) or "True"


class Tracer(Protocol):
    """What sizes belong to: see ``symbols.py``."""

    guards: Guards

    def number(self, op: str, x: Any, y: Any) -> Any:
        """``op(x, y)`` of a size and a Python number."""


class Size:
    """A size of the call being traced, `hint`, and how it follows from the sizes of the arguments."""

    __slots__ = ("hint", "polynomial", "trace")

    def __init__(self, polynomial: Polynomial, hint: int, trace: Tracer) -> None:
        self.polynomial = polynomial
        self.hint = hint
        self.trace = trace

    def __repr__(self) -> str:
        return text(self)

    def __str__(self) -> str:
        return str(self.fixed())

    def __format__(self, spec: str) -> str:
        return format(self.fixed(), spec)

    # Arithmetic ------------------------------------------------------------------------------------------------------

    def __add__(self, other: Any) -> Any:
        if isinstance(other, (int, Size)):
            return _size(_add(self.polynomial, polynomial(other)), self.hint + value(other), self.trace)
        return self.trace.number("add", self, other) if isinstance(other, float) else NotImplemented

    def __mul__(self, other: Any) -> Any:
        if isinstance(other, (int, Size)):
            return _size(_multiply(self.polynomial, polynomial(other)), self.hint * value(other), self.trace)
        return self.trace.number("multiply", self, other) if isinstance(other, float) else NotImplemented

    __radd__ = __add__
    __rmul__ = __mul__

    def __sub__(self, other: Any) -> Any:
        return self + -other if isinstance(other, (int, float, Size)) else NotImplemented

    def __rsub__(self, other: Any) -> Any:
        return -self + other

    def __truediv__(self, other: Any) -> Any:
        _refuse_zero(other)
        return self.trace.number("divide", self, other) if isinstance(other, (int, float, Size)) else NotImplemented

    def __rtruediv__(self, other: Any) -> Any:
        _refuse_zero(self)
        return self.trace.number("divide", other, self) if isinstance(other, (int, float)) else NotImplemented

    def __pow__(self, other: Any) -> Any:
        if isinstance(other, int) and other >= 0:
            return math.prod([self] * other)
        return self.trace.number("pow", self, other) if isinstance(other, (int, float, Size)) else NotImplemented

    def __rpow__(self, other: Any) -> Any:
        return self.trace.number("pow", other, self) if isinstance(other, float) else other ** self.fixed()

    def __neg__(self) -> Any:
        return self * -1

    def __pos__(self) -> Any:
        return self

    def __abs__(self) -> Any:
        return self if self >= 0 else -self

    def __round__(self, digits: int | None = None) -> Any:
        return self if digits is None or digits >= 0 else round(self.fixed(), digits)

    def __divmod__(self, other: Any) -> Any:
        return self // other, self % other

    def __rdivmod__(self, other: Any) -> Any:
        return other // self, other % self

    def __floordiv__(self, other: Any) -> Any:
        quotient = _exact(self.polynomial, polynomial(other)) if isinstance(other, (int, Size)) else None
        if quotient is None:
            return self.fixed() // other
        return _size(quotient, self.hint // value(other), self.trace)

    def __rfloordiv__(self, other: Any) -> Any:
        return other // self.fixed()

    def __mod__(self, other: Any) -> Any:
        if isinstance(other, (int, Size)) and _exact(self.polynomial, polynomial(other)) is not None:
            return 0
        return self.fixed() % other

    def __rmod__(self, other: Any) -> Any:
        return other % self.fixed()

    # Comparison ------------------------------------------------------------------------------------------------------

    def _compare(self, other: Any, symbol: str, holds: Callable[[int, int], bool]) -> Any:
        if not isinstance(other, (int, float, Size)):
            return NotImplemented
        difference = self - other if isinstance(other, Size) else self
        if isinstance(difference, int):
            return holds(difference, 0)
        answer = holds(self.hint, other.hint if isinstance(other, Size) else other)  # type: ignore[arg-type]
        limit = text(other) if isinstance(other, Size) else str(float(other) if isinstance(other, float) else other)
        condition = f"{text(self)} {symbol} {limit}"
        self.trace.guards.add(condition if answer else f"not {condition}")
        return answer

    def __eq__(self, other: object) -> Any:
        if type(other) is int and other < 2 and _long(self):
            return False
        return self._compare(other, "==", lambda a, b: a == b)

    def __ne__(self, other: object) -> Any:
        equal = self.__eq__(other)
        return equal if equal is NotImplemented else not equal

    def __lt__(self, other: Any) -> Any:
        return self._compare(other, "<", lambda a, b: a < b)

    def __le__(self, other: Any) -> Any:
        return self._compare(other, "<=", lambda a, b: a <= b)

    def __gt__(self, other: Any) -> Any:
        return self._compare(other, ">", lambda a, b: a > b)

    def __ge__(self, other: Any) -> Any:
        return self._compare(other, ">=", lambda a, b: a >= b)

    def __bool__(self) -> bool:
        return bool(self != 0)

    # What only an int can do -----------------------------------------------------------------------------------------

    def fixed(self) -> int:
        """The present value, noting that it must stay so."""
        self.trace.guards.add(f"{text(self)} == {self.hint}")
        return self.hint

    __index__ = fixed
    __int__ = fixed

    def __float__(self) -> float:
        return float(self.fixed())

    def __hash__(self) -> int:
        return hash(self.fixed())


def _binary(name: str) -> tuple[Any, Any]:
    """``size op other`` and ``other op size`` for an operator of Python's ints alone: with the present values."""
    function = getattr(operator, name)

    def left(self: Size, other: Any) -> Any:
        return function(self.fixed(), other) if isinstance(other, (int, Size)) else NotImplemented

    def right(self: Size, other: Any) -> Any:
        return function(other, self.fixed()) if isinstance(other, int) else NotImplemented

    return left, right


for _name in ("and_", "or_", "xor", "lshift", "rshift"):
    for _prefix, _method in zip(("", "r"), _binary(_name), strict=True):
        setattr(Size, f"__{_prefix}{_name.rstrip('_')}__", _method)


def _refuse_zero(divisor: Any) -> None:
    """Raise ZeroDivisionError, as Python does, if a number is zero; that a size is not zero is a guard."""
    if isinstance(divisor, (int, float, Size)) and divisor == 0:
        raise ZeroDivisionError("a size of a traced array was divided by zero, or by a size that is zero")


def variable(index: int, hint: int, trace: Tracer) -> Size:
    """The size number `index` of the arguments: at least 2, since axes of size 0 and 1 are part of the pattern of a trace."""
    return Size((((index,), 1),), hint, trace)


def axis(size: int | Size) -> int | Size:
    """A size as that of an axis: a plain int if it is 0 or 1 in the call being traced, since those are part of the pattern."""
    return size if not isinstance(size, Size) or _long(size) or size > 1 else size.fixed()


def polynomial(size: int | Size) -> Polynomial:
    return size.polynomial if isinstance(size, Size) else _constant(size)


def value(size: int | Size) -> int:
    """The size in the call being traced."""
    return size.hint if isinstance(size, Size) else size


def same(a: int | Size, b: int | Size) -> bool:
    """Whether two sizes are equal for all calls, without a guard."""
    return polynomial(a) == polynomial(b)


def text(size: Any, name: Callable[[int], str] = "s{}".format) -> str:
    """Source of the size, which C and Python read alike: "(s0*s1 + 2)"."""
    terms = []
    for variables, coefficient in polynomial(size):
        factors = [name(v) for v in variables]
        if coefficient != 1 or not factors:
            factors.insert(0, str(coefficient))
        terms.append("*".join(factors))
    source = " + ".join(terms) or "0"
    return f"({source})" if "*" in source or len(terms) > 1 else source


def evaluator(sizes: list[int | Size]) -> Callable[[tuple[int, ...]], tuple[int, ...]]:
    """A function from the values of the variables to those of `sizes`."""
    source = ", ".join(text(size, "s[{}]".format) for size in sizes)
    function: Callable[[tuple[int, ...]], tuple[int, ...]] = eval(f"lambda s: ({source}{',' if sizes else ''})")
    return function


def _size(p: Polynomial, hint: int, trace: Tracer) -> int | Size:
    if not p:
        return 0
    if len(p) == 1 and not p[0][0]:
        return p[0][1]
    return Size(p, hint, trace)


def _constant(number: int) -> Polynomial:
    return (((), int(number)),) if number else ()


def _add(p: Polynomial, q: Polynomial) -> Polynomial:
    return _sorted([*p, *q])


def _multiply(p: Polynomial, q: Polynomial) -> Polynomial:
    return _sorted([(tuple(sorted(v + w)), a * b) for v, a in p for w, b in q])


def _sorted(terms: list[tuple[tuple[int, ...], int]]) -> Polynomial:
    total: dict[tuple[int, ...], int] = {}
    for variables, coefficient in terms:
        total[variables] = total.get(variables, 0) + coefficient
    return tuple(sorted((v, c) for v, c in total.items() if c))


def _exact(p: Polynomial, q: Polynomial) -> Polynomial | None:
    """p / q where q is one product that divides every product of p; else None."""
    if len(q) != 1:
        return (((), 1),) if p == q else None
    divisor, by = q[0]
    quotient = []
    for variables, coefficient in p:
        left = list(variables)
        for v in divisor:
            if v not in left:
                return None
            left.remove(v)
        if coefficient % by:
            return None
        quotient.append((tuple(left), coefficient // by))
    return _sorted(quotient)


def _long(size: Size) -> bool:
    """Whether a size is at least 2 for all calls, as its variables are: no guard is needed."""
    return all(coefficient > 0 for _, coefficient in size.polynomial) and any(variables for variables, _ in size.polynomial)
