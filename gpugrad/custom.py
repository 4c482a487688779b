"""Functions with a gradient rule of the user's own."""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable, Mapping
from types import MethodType
from typing import Any

import numpy

from gpugrad.arrays.dtypes import is_inexact, numpy_dtype
from gpugrad.arrays.kernels import WEAK
from gpugrad.debug import caller, examine
from gpugrad.errors import GraphError, RuleError
from gpugrad.modes import DEBUG, enable_grad, flags, is_grad_enabled
from gpugrad.ops.conversion import asarray
from gpugrad.ops.creation import raw_full
from gpugrad.ops.elementwise import conj
from gpugrad.tape import Joint, Node, Tensor, raw
from gpugrad.trees import Tree, aligned, leaves, map_leaves, rebuild, same_structure


class custom_vjp:
    """A function with a gradient rule of the user's own: for code that cannot be recorded, or a rule that is better.

    ::

        @gg.custom_vjp
        def smooth(x, width):
            return scipy.ndimage.gaussian_filter(x, width)

        def forward(x, width):
            return smooth(x, width), width             # the output, and what the rule needs

        def backward(width, g):
            return smooth(g, width), None              # one gradient per argument; None is zero

        smooth.defvjp(forward, backward)

    Arguments and outputs are trees. Keyword arguments and defaults are put where they stand in the function's signature, so the
    rule sees positional arguments, one for each parameter; on a method, the first is the object. The functions are called with
    raw arrays of whatever backend the arguments are on, so they may call compiled code. Only for derivatives of higher order
    are they called with Tensors: then they must be written in gpugrad's ops, and other code refuses the Tensors rather than
    lose a gradient.

    An output that is a Python float or complex number has the precision and the device of the floating-point arguments.

    Calling it raises GraphError without a rule, RuleError if the rule returns the wrong number, structure or shape,
    TypeError for arguments that do not fit the signature.
    """

    def __init__(self, function: Callable[..., Any]) -> None:
        functools.update_wrapper(self, function)
        self._function = function
        self._forward: Callable[..., tuple[Any, Any]] | None = None
        self._backward: Callable[[Any, Any], Any] | None = None
        self._name = getattr(function, "__qualname__", repr(function))
        try:
            self._signature: inspect.Signature | None = inspect.signature(function)
        except (TypeError, ValueError):  # compiled functions may have none
            self._signature = None

    def defvjp(self, forward: Callable[..., tuple[Any, Any]], backward: Callable[[Any, Any], Any]) -> None:
        """Set the rule.

        ``forward(*args)`` returns ``(output, residuals)``; ``backward(residuals, gradient)``, with a gradient that nests as
        the output, returns a tuple of gradients, one per argument: None for zero, else nesting as the argument. Complex
        gradients are in PyTorch's convention (the direction of steepest ascent of a real loss).
        """
        self._forward = forward
        self._backward = backward

    def __get__(self, instance: Any, owner: type | None = None) -> Any:
        return self if instance is None else MethodType(self, instance)

    def _positional(self, args: tuple[Any, ...], kwargs: dict[str, Any]) -> tuple[Any, ...]:
        """All arguments by position, with the defaults of the function's signature."""
        if self._signature is None:
            if kwargs:
                raise TypeError(
                    f"custom_vjp: {self._name} has no signature that Python can read, so {', '.join(kwargs)} must be passed by position"
                )
            return args
        try:
            bound = self._signature.bind(*args, **kwargs)
        except TypeError as error:
            raise TypeError(f"custom_vjp: {self._name}: {error}") from None
        kinds = {name: self._signature.parameters[name].kind for name in bound.arguments}
        if only := [
            name for name, kind in kinds.items() if kind in (inspect.Parameter.KEYWORD_ONLY, inspect.Parameter.VAR_KEYWORD)
        ]:
            raise TypeError(
                f"custom_vjp: {', '.join(only)} cannot be passed to {self._name} by position, as a gradient rule needs it"
            )
        bound.apply_defaults()
        return bound.args

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        args = self._positional(args, kwargs)
        given = leaves(args)
        if not any(isinstance(x, Tensor) for x in given):
            return self._function(*args)
        arrays = map_leaves(raw, args)
        linked = [x.node if isinstance(x, Tensor) else None for x in given]
        if not is_grad_enabled() or not any(node is not None for node in linked):
            out = self._function(*arrays)
            return rebuild(out, iter(self._results(out, arrays)))
        if self._forward is None or self._backward is None:
            raise GraphError(
                f"custom_vjp: {self._name} has no gradient rule yet; set it with {self._name}.defvjp(forward, backward)"
            )
        returned = self._forward(*arrays)
        if not isinstance(returned, tuple) or len(returned) != 2:
            raise RuleError(
                f"custom_vjp: forward of {self._name} must return (output, residuals), but returned {type(returned).__name__}"
            )
        out, residuals = returned
        results = [x.array for x in self._results(out, arrays)]
        recording = [i for i, x in enumerate(results) if is_inexact(x.dtype)]
        joint = Joint(
            self._name,
            tuple(node for node in linked if node is not None),
            _Pull(self, arrays, linked, residuals, out, results, recording),
            len(recording),
        )
        if flags() & DEBUG:
            joint.site = caller()
        nodes = {i: joint.output(k, results[i]) for k, i in enumerate(recording)}
        return rebuild(out, iter(Tensor(x, nodes.get(i)) for i, x in enumerate(results)))

    def _results(self, out: Tree, arrays: Tree) -> list[Tensor]:
        """The outputs as Tensors without nodes. In debug mode, raises AnomalyError for the first nan or inf."""
        floating = [x for x in leaves(arrays) if hasattr(x, "dtype") and hasattr(x, "shape") and is_inexact(x.dtype)]
        results = [self._constant(_like(x, floating)) for x in leaves(out)]
        if flags() & DEBUG:
            for x in results:
                examine(x, self._name, tuple(leaves(arrays)))
        return results

    def _constant(self, x: Any) -> Tensor:
        """An output as a Tensor without a node. Raises GraphError if it records on its own."""
        tensor = x if isinstance(x, Tensor) else asarray(x)
        if tensor.node is not None:
            raise GraphError(
                f"custom_vjp: the output of {self._name} depends on a Tensor that records and that is not an argument, so its "
                "gradient would be lost; pass it as an argument, or stop_gradient it"
            )
        return tensor


def _like(x: Any, floating: list[Any]) -> Any:
    """A Python float or complex number in the common dtype and on the device of floating-point arrays; anything else as it is."""
    if type(x) not in (float, complex) or not floating:
        return x
    return raw_full(floating[0], (), x, numpy.result_type(*(numpy_dtype(array.dtype) for array in floating), x))


class _Pull:
    """What the tape keeps for one call."""

    def __init__(
        self,
        owner: custom_vjp,
        arrays: Tree,
        linked: list[Node | None],
        residuals: Any,
        out: Tree,
        results: list[Any],
        recording: list[int],
    ) -> None:
        self.owner = owner
        self.arrays = arrays
        self.linked = linked
        self.residuals = residuals
        self.out = map_leaves(lambda _: None, out)
        self.results = [(x.shape, x.dtype) for x in results]
        self.like = results[0]
        self.recording = recording

    def __call__(self, gradients: list[Any], create_graph: bool, live: Mapping[int, Any]) -> list[tuple[Node, Any]]:
        forward, backward = self.owner._forward, self.owner._backward
        assert forward is not None and backward is not None
        residuals = self.residuals
        if create_graph:  # residuals linked to the graph: compute them again from recording arguments
            tensors = [
                Tensor(x, node) if hasattr(x, "dtype") and hasattr(x, "shape") else x
                for x, node in zip(leaves(self.arrays), self.linked, strict=True)
            ]
            with enable_grad():
                _, residuals = forward(*rebuild(self.arrays, iter(tensors)))
        arrived = dict(zip(self.recording, gradients, strict=True))
        incoming = [self._incoming(arrived.get(i), i, create_graph) for i in range(len(self.results))]
        return self._checked(backward(residuals, rebuild(self.out, iter(incoming))), create_graph)

    def _incoming(self, gradient: Any, index: int, create_graph: bool) -> Any:
        shape, dtype = self.results[index]
        if gradient is None:
            zeros = raw_full(self.like, shape, 0, dtype)
            return Tensor(zeros) if create_graph else zeros
        return conj(gradient) if numpy_dtype(dtype).kind == "c" else gradient

    def _checked(self, returned: Any, create_graph: bool) -> list[tuple[Node, Any]]:
        """Pairs of an argument's node and its gradient, from what the rule returned."""
        name = self.owner._name
        if not isinstance(returned, (tuple, list)) or len(returned) != len(self.arrays):
            count = len(returned) if isinstance(returned, (tuple, list)) else type(returned).__name__
            raise RuleError(
                f"custom_vjp: the rule of {name} returned {count} gradients, expected a tuple of {len(self.arrays)}, one per argument"
            )
        pairs = []
        linked = iter(self.linked)
        for i, (argument, gradient) in enumerate(zip(self.arrays, returned, strict=True)):
            nodes = [next(linked) for _ in leaves(argument)]
            if gradient is None:
                continue
            if not same_structure(argument, gradient):
                raise RuleError(
                    f"custom_vjp: the rule of {name} returned a gradient for argument {i} that does not nest as the argument does"
                )
            for node, x, g in zip(nodes, leaves(argument), aligned(argument, gradient), strict=True):
                if node is None or g is None:
                    continue
                pairs.append((node, self._outgoing(g, x, i, create_graph)))
        return pairs

    def _outgoing(self, g: Any, x: Any, index: int, create_graph: bool) -> Any:
        if type(g) in WEAK:
            g = raw_full(x, x.shape, g, x.dtype)
        tensor = g if isinstance(g, Tensor) else asarray(g)
        if tuple(tensor.array.shape) != tuple(x.shape):
            raise RuleError(
                f"custom_vjp: the rule of {self.owner._name} returned a gradient of shape {tuple(tensor.array.shape)} for argument {index} "
                f"of shape {tuple(x.shape)}; they must be equal"
            )
        out = conj(tensor) if numpy_dtype(tensor.array.dtype).kind == "c" else tensor
        return out if create_graph else out.array
