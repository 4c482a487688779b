"""Ops whose gradients are computed together, as those of attention and of recurrent layers: one node, whatever the operands.

Unlike a :func:`~gpugrad.families.fused` op, which has a rule for each operand, such an op has one function that computes the
gradients of all operands from what the forward pass kept.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from gpugrad.arrays.explain import explain
from gpugrad.debug import caller, examine
from gpugrad.modes import DEBUG, flags, is_grad_enabled
from gpugrad.tape import Joint, Node, Tensor, raw


def jointly(
    name: str,
    operands: tuple[Any, ...],
    forward: Callable[..., tuple[Sequence[Any], Any]],
    gradient: Callable[[list[Any], tuple[Any, ...], Any, tuple[bool, ...]], Sequence[Any]],
) -> tuple[Any, ...]:
    """The results of an op, and a node if one of the operands, arrays or Tensors or None, records.

    ``forward(*operands)`` gives the results and what the gradient needs, ``kept``;
    ``gradient(gradients, operands, kept, wanted)``, from the gradients of the results, None where none arrived, those of all operands,
    None unless `wanted`. For derivatives of higher order both are called with Tensors, so that what is kept is linked to the
    operands, too. Errors of NumPy's and CuPy's in `forward` are explained.
    """
    arrays = tuple(raw(x) for x in operands)
    try:
        results, kept = forward(*arrays)
    except Exception as error:
        raise explain(name, error, arrays, {}) from None
    if not any(isinstance(x, Tensor) for x in operands):
        return tuple(results)
    nodes = tuple(x.node if isinstance(x, Tensor) else None for x in operands)
    parents = tuple(node for node in nodes if node is not None)
    joint = None
    if parents and is_grad_enabled():

        def pull(gradients: list[Any], create_graph: bool, live: Mapping[int, Any]) -> list[tuple[Node, Any]]:
            given, needed = arrays, kept
            if create_graph:
                given = tuple(None if x is None else Tensor(x, node) for x, node in zip(arrays, nodes, strict=True))
                _, needed = forward(*given)
            found = gradient(gradients, given, needed, tuple(node is not None for node in nodes))
            return [(node, g) for node, g in zip(nodes, found, strict=True) if node is not None]

        joint = Joint(name, parents, pull, len(results))
        if flags() & DEBUG:
            joint.site = caller()
    made = tuple(Tensor(x, joint and joint.output(i, x)) for i, x in enumerate(results))
    return tuple(examine(x, name, arrays) for x in made) if flags() & DEBUG else made
