"""The shape of an op's wrapper, once: unwrap Tensors, run the kernel, record.

An op is declared by a definition (its signature, its documentation, and the truth about what it computes) and one gradient
rule for each operand. From these :func:`primitive` writes the wrapper, as ``dataclasses`` writes ``__init__``. For
``multiply = binary("multiply", "x1 * x2", x=lambda g, y: g * y, y=lambda g, x: g * x)`` it is::

    def multiply(x, y, /):
        if isinstance(x, Tensor):
            x_node = x.node; x = x.array; wrapped = True
        else:
            x_node = None; wrapped = False
        ...the same for y
        try:
            if type(x) is type(y): kernel = kernels[type(x)]
            else: kernel = combined[type(x), type(y)]
            out = kernel(x, y)
        except Exception as error:
            raise explain("multiply", error, (x, y), {}) from None
        if not wrapped:
            return out                                             # arrays in, arrays out
        mode = flags()
        if not mode & 1 or x_node is None and y_node is None:
            result = Tensor(out)                                   # a constant
        else:
            if y_node is None:
                edges = ((x_node, x_rule, (y,)),)
            ...
            result = Tensor(out, Node(edges, out.shape, out.dtype))
        return result if mode < 4 else examine(result, "multiply", (x, y))

but for that last line but one: calls of the two classes take as long as half of all the rest, so what their ``__init__`` does stands
there instead. What a rule names is what the tape keeps: above, ``(y,)`` is there because the rule of x names y. An op that
``mixed_precision.py`` names reads its flags first, for ``if mode & 2: x, y = autocast(x, y)``.
"""

from __future__ import annotations

import functools
import inspect
import linecache
from collections.abc import Callable, Mapping
from typing import Any, NamedTuple, ParamSpec, Protocol, TypeAlias, TypeVar, overload

from array_api_compat import array_namespace

from gpugrad.arrays import numpy as numpy_backend
from gpugrad.arrays.devices import place_of
from gpugrad.arrays.dtypes import is_inexact
from gpugrad.arrays.explain import explain, explaining
from gpugrad.arrays.kernels import Kernels
from gpugrad.compile.accelerate import accelerated
from gpugrad.debug import GENERATED, examine
from gpugrad.mixed_precision import FLOAT32, LOWER, recording, target
from gpugrad.modes import flags, not_autocasting
from gpugrad.tape import Node, Rule, Tensor, alias, next_number
from gpugrad.trees import leaves, rebuild

A = TypeVar("A")
P = ParamSpec("P")
R = TypeVar("R")
Number: TypeAlias = "bool | int | float | complex"
Function = TypeVar("Function", bound=Callable[..., Any])
GradientRule: TypeAlias = "Callable[..., Any] | None"

REGISTRY: dict[str, Callable[..., Any]] = {}
"""Every op by name: the tests hold each against its record in gpugrad/check/records/."""

TABLES: dict[str, Kernels] = {}
"""The kernels of every op by name, also of one that only a :func:`composite` of the same name calls."""


class Unary(Protocol):
    """An op of one array. Tensor in, Tensor out; array in, array out; Python number in, Python number out."""

    __name__: str

    def __call__(self, x: A, /) -> A: ...


class Binary(Protocol):
    """An op of two arrays that broadcast, or of an array and a number."""

    __name__: str

    @overload
    def __call__(self, x1: Tensor, x2: Any, /) -> Tensor: ...
    @overload
    def __call__(self, x1: Any, x2: Tensor, /) -> Tensor: ...
    @overload
    def __call__(self, x1: A, x2: A | Number, /) -> A: ...


def zero(g: Any) -> None:
    """The rule of a locally constant op: its gradient is zero, which is no error. The engine makes the zeros."""


def unary(name: str, formula: str, x: GradientRule = None, *, note: str = "") -> Unary:
    """Declare an elementwise op of one operand; without a rule its results are constants (booleans, integers)."""

    def definition(x: Any, /) -> Any:
        return getattr(array_namespace(x), name)(x)

    return _elementwise(definition, name, formula, {"x": x}, note)


def binary(name: str, formula: str, x: GradientRule = None, y: GradientRule = None, *, note: str = "") -> Binary:
    """Declare an elementwise op of two operands that broadcast; the engine undoes the broadcasting of gradients."""

    def definition(x: Any, y: Any, /) -> Any:
        return getattr(array_namespace(x, y), name)(x, y)

    return _elementwise(definition, name, formula, {"x": x, "y": y}, note)


def _elementwise(definition: Any, name: str, formula: str, rules: dict[str, GradientRule], note: str) -> Any:
    definition.__name__ = definition.__qualname__ = name
    definition.__module__ = "gpugrad"
    definition.__annotations__ = {}
    two = len(rules) == 2
    gradient = (
        "Differentiable."
        if any(rule not in (None, zero) for rule in rules.values())
        else "Locally constant: the gradient is zero."
        if any(rules.values())
        else "Not differentiable: the result is a constant."
    )
    definition.__doc__ = (
        f"{formula}, elementwise.\n\n"
        f"Shapes: {'the two operands broadcast' if two else 'any, and the result has the same'}. "
        f"Dtypes: as NumPy and CuPy; a Python number never widens an array{', but a float makes bfloat16 float32' if two else ''}.\n"
        f"{gradient}{' ' + note if note else ''}\n\n"
        f"Raises {'ShapeError if the shapes do not broadcast, DeviceError if the devices differ, ' if two else ''}"
        "DTypeError for a dtype that it does not take.\n"
        f"Standard: https://data-apis.org/array-api/latest/API_specification/generated/array_api.{name}.html"
    )
    return _declare(definition, rules, True, True, False, {})


def primitive(
    *,
    standard: bool = False,
    elementwise: bool = False,
    casts: bool = False,
    cancels: bool = False,
    moves: bool = False,
    branches: Mapping[str, Callable[..., Any]] | None = None,
    **rules: GradientRule,
) -> Callable[[Function], Function]:
    """Make a definition over raw arrays an op. `rules` names every array operand, with its gradient rule or None.

    `standard` says that ``numpy.<name>`` and ``cupy.<name>`` are kernels of this op. A rule is called with the gradient of the
    result and what its parameter names ask for: operands, options, ``out``, ``<operand>_shape``, ``<operand>_device``.
    `casts` says that the result may be of integers although an operand records; then it is a constant.
    `elementwise` and `branches` say how far a mask of live gradients reaches (see ``branches.py``): `branches` gives, for an
    operand that may not be taken, the `branch` of its Rule (see ``tape.py``). `cancels` says that a rule that keeps no data adds
    up gradients with factors that are not all positive, as a Fourier transform does: there a mask ends. `moves` says that the
    result has the elements of its one operand, so that the rule, which moves gradients back, does so with values that are written
    into the result where that is a view (see ``ops/aliasing.py``).
    """

    def declare(definition: Function) -> Function:
        return _declare(definition, rules, standard, elementwise, casts, branches or {}, cancels=cancels, moves=moves)

    return declare


def fused(
    *, elementwise: bool = False, compiles: bool = True, check: Callable[..., None] | None = None, **rules: GradientRule
) -> Callable[[Function], Function]:
    """Make a function written in gpugrad's ops one op with rules of its own; `rules` as in :func:`primitive`.

    The definition is the truth: it runs on the raw arrays of every backend. Kernels for NumPy's and CuPy's arrays are derived
    from it and from the rules, unless `compiles` is False, and held to it by the tests. Where nothing can be compiled, and for
    small arrays, what ``arrays/numpy.py`` or ``arrays/cupy.py`` spell under the op's name runs, or the definition; and in place of a
    rule what NumPy spells under that name, "_d" and the operand's.

    `check` raises the errors that the definition cannot tell as clearly: it is called with the arguments, raw arrays, first.
    """

    def declare(definition: Function) -> Function:
        return _declare(definition, rules, False, elementwise, False, {}, compiles, check=check)

    return declare


def _declare(
    definition: Function,
    rules: Mapping[str, GradientRule],
    standard: bool,
    elementwise: bool,
    casts: bool,
    branches: Mapping[str, Callable[..., Any]],
    compiles: bool = False,
    cancels: bool = False,
    moves: bool = False,
    check: Callable[..., None] | None = None,
) -> Function:
    name = definition.__name__.lstrip("_")
    signature = inspect.signature(definition)
    operands = tuple(rules)
    compiled = (lambda otherwise: accelerated(definition, name, otherwise)) if compiles else None
    kernels = Kernels(name, definition, standard, compiled)
    scope: dict[str, Any] = {"kernels": kernels, "combined": kernels.combined, "op": name}
    keeps: list[tuple[str, tuple[str, ...]]] = []
    data = {"out", *(operand for operand, function in rules.items() if function is not None)}
    for operand, function in rules.items():
        if function is not None:
            residuals = tuple(inspect.signature(function).parameters)[1:]
            spelled = numpy_backend.spelling(f"{name}_d{operand}", False)
            if compiles:
                function = accelerated(function, f"{name}_d{operand}", small=spelled)
                spelled = None
            scope[f"{operand}_rule"] = Rule(
                name, operand, function, residuals, operands,
                elementwise=elementwise, linear=data.isdisjoint(residuals) and not cancels, branch=branches.get(operand),
                numpy=spelled,
            )  # fmt: skip
            keeps.append((operand, residuals))
    policy = autocasts(name)
    scope |= {} if policy is None else {"autocast": policy}
    scope |= {} if check is None else {"check": check}
    wrapper = _factory(_form(signature, operands, keeps, casts, moves, policy is not None, check is not None))(**scope)
    wrapper.__code__ = wrapper.__code__.replace(co_name=name, co_qualname=name)
    functools.update_wrapper(wrapper, definition)
    wrapper.kernels = kernels
    wrapper.definition = definition
    REGISTRY[name] = wrapper
    TABLES[name] = kernels
    return wrapper


def composite(function: Callable[P, R]) -> Callable[P, R]:
    """Register a function that is differentiable because it is written in other ops: it needs no rule, but has a record too."""
    return registered(explained(function))


def explained(function: Callable[P, R]) -> Callable[P, R]:
    """A function written in ops, with clear errors, and operands that autocast casts for it; not registered."""
    policy = autocasts(function.__name__)
    if policy is None and function.__module__.startswith("gpugrad.nn.functional"):
        policy = _as_given  # it casts no operands, nor does what it is made of
    return explaining(function, None if policy is None else _autocasting(explaining(function), policy))


def registered(function: Function) -> Function:
    """As :func:`composite`, for what hands its operands to an op of its own name, whose errors are clear: calls cost nothing more."""
    REGISTRY[function.__name__] = function
    return function


def autocasts(name: str) -> Callable[..., tuple[Any, ...]] | None:
    """How an op of this name casts its operands under autocast; None for one that leaves them as they are."""
    if name not in LOWER and name not in FLOAT32:
        return None
    lower = name in LOWER

    def cast(*operands: Any) -> tuple[Any, ...]:
        if not recording(operands):
            return operands
        astype = REGISTRY["astype"]
        dtypes = (target(x, lower) for x in operands)
        return tuple(x if dtype is None else astype(x, dtype) for x, dtype in zip(operands, dtypes, strict=True))

    return cast


def _as_given(*operands: Any) -> tuple[Any, ...]:
    return operands


def _autocasting(function: Callable[P, R], cast: Callable[..., tuple[Any, ...]]) -> Callable[P, R]:
    """`function`, under autocast: with its arrays cast, and what it is made of left alone."""

    @functools.wraps(function)
    def casting_function(*args: P.args, **kwargs: P.kwargs) -> R:
        given = cast(*leaves((args, kwargs)))
        with not_autocasting():
            inner, options = rebuild((args, kwargs), iter(given))
            return function(*inner, **options)

    return casting_function


class _Form(NamedTuple):
    """What shapes the source of a wrapper; ops of one form share their code, so that importing gpugrad stays quick."""

    parameters: str  # the parameter list, without annotations
    operands: tuple[str, ...]
    keeps: tuple[tuple[str, tuple[str, ...]], ...]  # the operands that have a rule, each with what it keeps
    arguments: str  # how the kernel is called
    options: str  # a dict display of what is no operand, for error messages
    casts: bool
    moves: bool
    autocast: bool
    checks: bool


def _form(
    signature: inspect.Signature,
    operands: tuple[str, ...],
    keeps: list[tuple[str, tuple[str, ...]]],
    casts: bool,
    moves: bool,
    autocast: bool,
    checks: bool,
) -> _Form:
    parameters = signature.parameters.values()
    bare = [p.replace(annotation=inspect.Parameter.empty) for p in parameters]
    arguments = (f"{p.name}={p.name}" if p.kind is p.KEYWORD_ONLY else p.name for p in parameters)
    options = (f"'{p.name}': {p.name}" for p in parameters if p.name not in operands)
    return _Form(
        str(signature.replace(parameters=bare, return_annotation=inspect.Signature.empty)),
        operands, tuple(keeps), ", ".join(arguments), "{" + ", ".join(options) + "}", casts, moves, autocast, checks,
    )  # fmt: skip


@functools.cache
def _factory(form: _Form) -> Callable[..., Any]:
    """A function that makes wrappers of this form from an op's name, kernels and rules."""
    rules = [f"{operand}_rule" for operand, _ in form.keeps]
    parameters = ", ".join(["op", "kernels", "combined", *rules, *["autocast"] * form.autocast, *["check"] * form.checks])
    source = f"def factory({parameters}):\n" + _indent(_source(form)) + "\n    return wrapper"
    file = f"{GENERATED}wrapper {_factory.cache_info().misses}>"
    linecache.cache[file] = (len(source), None, source.splitlines(keepends=True), file)  # tracebacks and pdb show the source
    scope: dict[str, Any] = {
        "Tensor": Tensor, "Node": Node, "flags": flags, "explain": explain, "examine": examine, "place_of": place_of,
        "is_inexact": is_inexact, "alias": alias, "new": object.__new__, "next_number": next_number,
    }  # fmt: skip
    exec(compile(source, file, "exec"), scope)
    factory: Callable[..., Any] = scope["factory"]
    return factory


def _source(form: _Form) -> str:
    """The source of the wrapper shown at the top of this module."""
    operands = form.operands
    given = "(" + "".join(f"{x}, " for x in operands) + ")"
    recording = {operand for operand, _ in form.keeps}
    lines = [f"def wrapper{form.parameters}:"]
    if form.autocast:
        listed = "".join(f"{x}, " for x in operands)
        lines += ["    mode = flags()", f"    if mode & 2: {listed}= autocast({listed})"]
    for i, x in enumerate(operands):
        keep_node = f"{x}_node = {x}.node; " if x in recording else ""
        keep_tensor = f"_tensor = {x}; " if form.moves else ""
        lines += [f"    if isinstance({x}, Tensor):", f"        {keep_tensor}{keep_node}{x} = {x}.array; wrapped = True"]
        otherwise = [f"{x}_node = None"] * (x in recording) + ["wrapped = False"] * (i == 0)
        if otherwise:
            lines += ["    else:", f"        {'; '.join(otherwise)}"]
    lines += ["    try:", *[f"        check({form.arguments})"] * form.checks]
    if len(operands) == 1:
        lines += [f"        out = kernels[type({operands[0]})]({form.arguments})"]
    else:
        same = " is ".join(f"type({x})" for x in operands)
        lines += [
            f"        if {same}: kernel = kernels[type({operands[0]})]",
            f"        else: kernel = combined[{', '.join(f'type({x})' for x in operands)}]",
            f"        out = kernel({form.arguments})",
        ]
    lines += [
        "    except Exception as error:",
        f"        raise explain(op, error, {given}, {form.options}) from None",
        "    if not wrapped:",
        "        return out",
        *["    mode = flags()"] * (not form.autocast),
        *_recording(form),
        *_moving(form),
        f"    return result if mode < 4 else examine(result, op, {given})",
    ]
    return "\n".join(lines)


def _recording(form: _Form) -> list[str]:
    """The lines that make the result: a constant, or a Tensor with an edge to every operand that records."""

    def edge(operand: str, residuals: tuple[str, ...]) -> str:
        kept = "".join(_residual(name) + ", " for name in residuals)
        return f"({operand}_node, {operand}_rule, ({kept}))"

    keeps = form.keeps
    if not keeps:
        return ["    result = Tensor(out)"]
    constant = "not mode & 1 or " + " and ".join(f"{operand}_node is None" for operand, _ in keeps)
    if form.casts:
        constant += " or not is_inexact(out.dtype)"
    lines = [f"    if {constant}:", "        result = Tensor(out)", "    else:"]
    edges = [edge(operand, kept) for operand, kept in keeps]
    if len(keeps) == 1:
        lines += [f"        edges = ({edges[0]},)"]
    elif len(keeps) == 2:
        lines += [
            f"        if {keeps[1][0]}_node is None: edges = ({edges[0]},)",
            f"        elif {keeps[0][0]}_node is None: edges = ({edges[1]},)",
            f"        else: edges = {', '.join(edges)}",
        ]
    else:
        lines += ["        edges = ()"]
        lines += [
            f"        if {operand}_node is not None: edges += ({e},)" for (operand, _), e in zip(keeps, edges, strict=True)
        ]
    return [
        *lines,
        "        node = new(Node); node.edges = edges; node.shape = out.shape; node.dtype = out.dtype",
        "        node.number = next_number(); node.hooks = None",
        "        result = new(Tensor); result.array = out; result.node = node; result.aliases = None",
    ]


def _moving(form: _Form) -> list[str]:
    """The lines that note what a view was taken from."""
    if not form.moves:
        return []
    ((x, residuals),) = form.keeps
    kept = "".join(f", {_residual(name)}" for name in residuals).replace(f"{x}.shape", "whole.shape")
    step = f"lambda z, whole=None: wrapper(z{form.arguments.removeprefix(x)}) if whole is None else {x}_rule.function(z{kept})"
    return [
        '    base = getattr(out, "base", None)  # which is the array, or what that is a view of; None where a library does not tell',
        f"    if base is not None and (base is {x} or base is {x}.base):",
        f"        alias(result, _tensor, {step})",  # which may not hold the array: that is freed with its Tensor
    ]


def _residual(name: str) -> str:
    """What the tape keeps for a parameter of a rule, as source."""
    if name.endswith("_shape"):
        return f"{name.removesuffix('_shape')}.shape"
    return f"place_of({name.removesuffix('_device')})" if name.endswith("_device") else name


def _indent(text: str) -> str:
    return "\n".join("    " + line for line in text.splitlines())
