"""Parameter: a Tensor that a Module owns and an optimizer changes."""

from __future__ import annotations

from typing import Any

import numpy

from gpugrad.errors import GraphError
from gpugrad.modes import no_grad
from gpugrad.ops.conversion import asarray, home
from gpugrad.ops.transfer import copy
from gpugrad.tape import Leaf, Tensor, require_grad


class Parameter(Tensor):
    """A leaf Tensor that counts as a parameter of the Module whose attribute it becomes.

    `data` is a Tensor, an array, a number or nested lists; numbers and NumPy's arrays go to the default device. It is copied:
    optimizers write into a parameter's array, and must not change one that somebody else holds.
    Raises GraphError for a Tensor that is a recorded result, DTypeError for integers or booleans unless `requires_grad` is
    False.
    """

    __slots__ = ()

    def __init__(self, data: Any, requires_grad: bool = True) -> None:
        given = asarray(data, device=home(data))
        if not given.is_leaf:
            raise GraphError("Parameter: the data is a recorded result, and its gradient would be lost; pass data.detach()")
        array = copy(given.array)
        super().__init__(numpy.asarray(array) if isinstance(array, numpy.generic) else array)
        if requires_grad:
            self.node = require_grad(self.array)

    def __copy__(self) -> Parameter:
        out = type(self)(Tensor(self.array), False)
        out.array, out.node = self.array, self.node
        return out

    def __deepcopy__(self, memo: dict[int, Any]) -> Parameter:
        out = type(self)(Tensor(self.array), self.node is not None)
        if isinstance(self.node, Leaf) and isinstance(out.node, Leaf) and self.node.grad is not None:
            out.node.grad = Tensor(copy(self.node.grad.array))
        memo[id(self)] = out
        return out


def overwrite(x: Any, values: Any) -> None:
    """Give x, a Tensor, other values, also if it is a leaf, or write them into x, an array.

    A Tensor gets a new array if graphs or others hold the old one; an optimizer takes it into its buffer again.
    """
    with no_grad():
        x[...] = values
