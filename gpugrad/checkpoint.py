"""Checkpointing: trade time for memory by computing a function again in the backward pass instead of keeping its arrays.

T. Chen et al., "Training deep nets with sublinear memory cost", 2016.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any

from gpugrad.errors import GraphError, InplaceError
from gpugrad.mixed_precision import autocast_dtypes, restored
from gpugrad.modes import enable_grad, is_grad_enabled, random_log, recomputing
from gpugrad.tape import Joint, Leaf, Node, Rule, Tensor, parents, raw
from gpugrad.trees import leaves, rebuild

_INPUT = Rule("checkpoint", "x", lambda g: g, elementwise=True, linear=True)


def checkpoint(function: Callable[..., Any]) -> Callable[..., Any]:
    """`function`, keeping only its arguments for the backward pass, in which it is computed again.

    Gradients are the same, also those of Tensors that the function uses without taking them as arguments (the parameters of
    a layer), and of any order. Random numbers drawn inside (dropout) are drawn again; running statistics and the vectors of
    spectral_norm move on once. The function must compute the same again: it must not depend on what changes in between.
    """

    @functools.wraps(function)
    def checkpointed(*args: Any, **kwargs: Any) -> Any:
        """What `function` returns; the Tensors in it that record are outputs of one node, which computes `function` again."""
        if not is_grad_enabled():
            return function(*args, **kwargs)
        given = leaves((args, kwargs))
        start = Node((), (), None).number  # nodes with smaller numbers were there before the call
        inputs = [_detached(x) for x in given]
        with _random_states() as states:
            out = _call(function, (args, kwargs), inputs)
        results = leaves(out)
        own = {x.node.number for x in inputs if isinstance(x, Tensor) and x.node is not None}
        captured = _captured([x.node for x in results if isinstance(x, Tensor) and x.node is not None], own, start)
        linked = [x.node for x in given if isinstance(x, Tensor) and x.node is not None]
        if not captured and not linked:
            return out
        dtypes = autocast_dtypes()
        kept = [(raw(x), x.node if isinstance(x, Tensor) else None, isinstance(x, Tensor)) for x in given]
        recording = [i for i, x in enumerate(results) if isinstance(x, Tensor) and x.node is not None]
        count = len(results)

        # What pull refers to, it keeps alive: no result, which would keep its graph, and not the joint node, which refers to pull.
        shapes = [tuple(results[i].array.shape) for i in recording]
        name = getattr(function, "__qualname__", type(function).__name__)

        def pull(gradients: list[Any], create_graph: bool, live: Mapping[int, Any]) -> Iterator[tuple[Node, Any]]:
            for node in captured:
                if isinstance(node, Leaf) and node.changed > start:
                    raise InplaceError(
                        f"checkpoint: a parameter of shape {tuple(node.shape)} was changed since {name} ran; "
                        "computing it again would give another result: call backward before changing it"
                    )
            again = [Tensor(array, _link(array, node)) if wrapped else array for array, node, wrapped in kept]
            with _replay(states), enable_grad(), restored(dtypes):
                recomputed = leaves(_call(function, (args_tree, kwargs_tree), again))
            if len(recomputed) != count:
                raise GraphError(f"checkpoint: {name} returned {count} results, and {len(recomputed)} when computed again")
            for i, shape, gradient in zip(recording, shapes, gradients, strict=True):
                result = recomputed[i]
                if gradient is None:
                    continue
                if not isinstance(result, Tensor) or result.node is None or tuple(result.array.shape) != shape:
                    raise GraphError(
                        f"checkpoint: result {i} of {name} had shape {shape}, and was something else when computed again; the function "
                        "must not depend on what changes in between"
                    )
                yield result.node, gradient

        # The structure of the arguments without their arrays, which `kept` holds.
        args_tree, kwargs_tree = rebuild((args, kwargs), iter([None] * len(given)))
        joint = Joint(name, (*linked, *captured), pull, len(recording))
        position = {i: k for k, i in enumerate(recording)}
        outputs = [Tensor(x.array, joint.output(position[i], x.array)) if i in position else x for i, x in enumerate(results)]
        return rebuild(out, iter(outputs))

    return checkpointed


def _call(function: Callable[..., Any], structure: Any, flat: list[Any]) -> Any:
    args, kwargs = rebuild(structure, iter(flat))
    return function(*args, **kwargs)


def _detached(x: Any) -> Any:
    """A Tensor that records on its own account: a stand-in for an argument while the function runs for the first time."""
    if not isinstance(x, Tensor) or x.node is None:
        return x
    return Tensor(x.array, Leaf(x.array.shape, x.array.dtype))


def _link(array: Any, node: Node | None) -> Node | None:
    """A fresh node for an argument, so that what is recorded from it is younger than everything in the graph."""
    return None if node is None else Node(((node, _INPUT, ()),), array.shape, array.dtype)


def _captured(roots: list[Node], own: set[int], start: int) -> list[Node]:
    """The nodes that the roots depend on and that were there before the call: leaves and results made outside."""
    found: dict[int, Node] = {}
    seen: set[int] = set()
    stack = list(roots)
    while stack:
        node = stack.pop()
        if node.number in seen or node.number in own:
            continue
        seen.add(node.number)
        if isinstance(node, Leaf) or node.number < start:
            found[node.number] = node
        else:
            stack.extend(parents(node))
    return list(found.values())


@contextmanager
def _random_states() -> Iterator[dict[Any, Any]]:
    """Collect the states in which random generators are first used inside; an enclosing checkpoint learns of them too."""
    outer = random_log.get()
    states: dict[Any, Any] = {}
    token = random_log.set(states)
    try:
        yield states
    finally:
        random_log.reset(token)
        if outer is not None:
            for generator, state in states.items():
                if isinstance(state, list):  # of all draws in a trace, in order
                    outer.setdefault(generator, []).extend(state)
                else:
                    outer.setdefault(generator, state)


@contextmanager
def _replay(states: dict[Any, Any]) -> Iterator[None]:
    """Put the generators back to these states, and afterwards to where they were; meanwhile no layer moves its statistics on."""
    present = {generator: generator.get_state() for generator in states}
    for generator, state in states.items():
        generator.set_state(state)
    token = recomputing.set(True)
    try:
        yield
    finally:
        recomputing.reset(token)
        for generator, state in present.items():
            generator.set_state(state)
