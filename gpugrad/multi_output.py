"""Ops of several results, as ``eigh`` and ``svd``: one node for the op, and an output node for each result.

::

    class EighResult(NamedTuple):
        eigenvalues: Any
        eigenvectors: Any

    def _rule(g, out):                # g: the gradients of the results, None for one that nothing depends on
        gw, gv = g
        w, v = out                    # as in primitive, what a rule names is what the tape keeps
        ...

    @multi_output(x=_rule)
    def eigh(x, /):
        w, v = array_namespace(x).linalg.eigh(x)
        return EighResult(w, v)

Gradients are carried as the sweep carries them: conjugated (see ``sweep.py``).
"""

from __future__ import annotations

import functools
import inspect
import weakref
from collections.abc import Callable, Mapping, Sequence
from typing import Any, TypeVar

from gpugrad.arrays.dtypes import is_inexact
from gpugrad.arrays.explain import explain
from gpugrad.arrays.kernels import Kernels
from gpugrad.debug import caller, examine
from gpugrad.families import REGISTRY, TABLES
from gpugrad.modes import flags
from gpugrad.tape import Joint, Node, Pull, Tensor

Function = TypeVar("Function", bound=Callable[..., Any])


def multi_output(*, x: Callable[..., Any], elementwise: bool = False) -> Callable[[Function], Function]:
    """Make a definition that maps one raw array `x`, and options given by keyword, to a named tuple of arrays an op.

    `x` is the rule of its gradient: it is called with the tuple of the results' gradients (None where none arrived) and what
    its parameter names ask for: ``x``, ``out`` (the tuple of results), and options. The derivative of a result that is not
    floating-point does not exist: such a result is a constant. `elementwise` lets masks of live gradients pass (``branches.py``).
    """

    def declare(definition: Function) -> Function:
        """Write the wrapper of one definition, and register it."""
        name = definition.__name__.lstrip("_")
        kernels = Kernels(name, definition, standard=False)
        parameters = inspect.signature(definition).parameters.values()
        defaults = {p.name: p.default for p in parameters if p.kind is p.KEYWORD_ONLY}
        residuals = tuple(inspect.signature(x).parameters)[1:]

        @functools.wraps(definition)
        def op(operand: Any, /, **options: Any) -> Any:
            if not options.keys() <= defaults.keys():
                unknown = next(option for option in options if option not in defaults)
                raise TypeError(f"{name}() got an unexpected keyword argument {unknown!r}")
            array = operand.array if isinstance(operand, Tensor) else operand
            try:
                out = kernels[type(array)](array, **options)
            except Exception as error:
                raise explain(name, error, (array,), options) from None
            if not isinstance(operand, Tensor):
                return out
            mode = flags()
            if operand.node is None or not mode & 1:
                results = [Tensor(part) for part in out]
            else:
                available = {"x": array, "out": tuple(out), **defaults, **options}
                results = _recorded(name, operand.node, x, {r: available[r] for r in residuals}, out, elementwise)
            if mode >= 4:
                for result in results:
                    examine(result, name, (array,))
                    if isinstance(result.node, Node):
                        result.node.source.site = caller()  # type: ignore[attr-defined]
            return type(out)(*results)

        op.kernels = kernels  # type: ignore[attr-defined]
        op.definition = definition  # type: ignore[attr-defined]
        REGISTRY[name] = op
        TABLES[name] = kernels
        return op  # type: ignore[return-value]

    return declare


def _recorded(
    name: str, parent: Node, rule: Callable[..., Any], residuals: dict[str, Any], out: Any, elementwise: bool
) -> list[Tensor]:
    joint = Joint(name, (parent,), _never, len(out), elementwise)
    nodes = [joint.output(i, part) if is_inexact(part.dtype) else None for i, part in enumerate(out)]
    held = [None if node is None else weakref.ref(node) for node in nodes]
    joint.pull = _pull(weakref.ref(joint), held, parent, rule, residuals)
    return [Tensor(part, node) for part, node in zip(out, nodes, strict=True)]


def _pull(
    joint: Callable[[], Joint | None],
    held: Sequence[Callable[[], Node | None] | None],
    parent: Node,
    rule: Callable[..., Any],
    residuals: dict[str, Any],
) -> Pull:
    """How the gradients of the results become that of x. The node holds this function, which must not hold the node.

    `held` gives the results' own nodes. One that nothing uses is gone, and the rule's result gets a new one.
    """

    def pull(gradients: list[Any], create_graph: bool, live: Mapping[int, Any]) -> list[tuple[Node, Any]]:
        values = residuals
        if create_graph:
            node = joint()
            assert node is not None  # it is being visited
            values = dict(residuals)
            if "x" in values:
                values["x"] = Tensor(values["x"], parent)
            if "out" in values:
                values["out"] = tuple(
                    Tensor(part, None if own is None else own() or node.output(i, part))
                    for i, (part, own) in enumerate(zip(values["out"], held, strict=True))
                )
        return [(parent, rule(tuple(gradients), **values))]

    return pull


def _never(gradients: list[Any], create_graph: bool, live: Mapping[int, Any]) -> list[tuple[Node, Any]]:
    raise AssertionError("replaced when the node is made")
