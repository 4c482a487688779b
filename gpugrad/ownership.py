"""Who holds an array: whether a gradient in a dict may be handed out, or added into, without anybody else seeing it.

Told by reference counts: a gradient may be that of other nodes too, one that a graph has saved, the user's own, or a view of one.
"""

from __future__ import annotations

from sys import getrefcount
from typing import Any

import numpy

from gpugrad.tape import Tensor, raw


def alone(arrays: dict[int, Any], key: int) -> bool:
    """Whether only `arrays` holds the array at `key`, and only that array the memory that it is a view of."""
    base = getattr(arrays[key], "base", None)
    if base is not None:
        # Only of an array that owns its memory is the count that of all who see it: a capsule or a memoryview lends others'.
        if getrefcount(base) != _LOCAL or type(base) is not type(arrays[key]) or base.base is not None:
            return False
        if not base.flags.owndata:
            return False
    return getrefcount(arrays[key]) == IN_DICT


def ours(gradients: dict[int, Any], key: int) -> bool:
    """Whether only `gradients` holds the array or the Tensor at `key`, and that is NumPy's, of memory that may be written to."""
    if getrefcount(gradients[key]) != IN_DICT:
        return False
    if type(gradients[key]) is Tensor and getrefcount(gradients[key].array) != IN_DICT:
        return False
    array = raw(gradients[key])
    return type(array) is numpy.ndarray and array.base is None and array.flags.writeable


def _reference_counts() -> tuple[int, int]:
    """What `alone` sees for an array in a dict, and for the base of one: it depends on the version of Python."""
    arrays = {0: numpy.empty(2)[:1]}
    base = getattr(arrays[0], "base", None)
    return getrefcount(arrays[0]), getrefcount(base)


IN_DICT, _LOCAL = _reference_counts()
"""What getrefcount returns for an object that only a dict holds, or a slot of another object; and for one in a local variable."""
