"""Nested containers as JSON and a flat dict of arrays, and back: what a safetensors file can hold of the state of an optimizer.

::

    {"step": 3, "state": {0: {"exp_avg": array}}}

    {"dict": [["step", 3], ["state", {"dict": [[0, {"dict": [["exp_avg", {"array": "state/0/exp_avg"}]]}]]}]]}
    {"state/0/exp_avg": array}
"""

from __future__ import annotations

import json
from typing import Any

import numpy

from gpugrad.errors import DTypeError
from gpugrad.tape import raw

_PLAIN = (type(None), bool, int, float, str)


def is_array(x: Any) -> bool:
    """Whether x is a Tensor or an array of any library; NumPy's scalars count as numbers."""
    array = raw(x)
    return hasattr(array, "dtype") and hasattr(array, "shape") and not isinstance(x, numpy.generic)


def encode(tree: Any) -> tuple[str, dict[str, Any]]:
    """The structure of `tree` as JSON, and its arrays by name. Raises DTypeError for what is neither array, container nor number."""
    arrays: dict[str, Any] = {}

    def node(x: Any, place: tuple[Any, ...]) -> Any:
        if isinstance(x, numpy.generic):
            x = x.item()
        if isinstance(x, _PLAIN):
            return x
        if is_array(x):
            name = "/".join(map(str, place))
            while name in arrays:
                name += "'"
            arrays[name] = x
            return {"array": name}
        if isinstance(x, dict):
            for key in x:
                if not isinstance(key, _PLAIN):
                    raise DTypeError(
                        f"save: {_said(place)} has a key of type {type(key).__name__}, expected a string or a number"
                    )
            return {"dict": [[key, node(value, (*place, key))] for key, value in x.items()]}
        if isinstance(x, (list, tuple)):
            kind = "list" if isinstance(x, list) else "tuple"
            return {kind: [node(value, (*place, i)) for i, value in enumerate(x)]}
        raise DTypeError(
            f"save: {_said(place)} is {type(x).__name__}, expected a Tensor, an array, a number, a string, or a dict, list or tuple of "
            "such" + ("; pass its state_dict()" if hasattr(x, "state_dict") else "")
        )

    return json.dumps(node(tree, ())), arrays


def decode(text: str, arrays: dict[str, Any]) -> Any:
    """What :func:`encode` was given. Raises ValueError for a text that it did not write, or not for these arrays."""
    left = dict(arrays)

    def tree(x: Any) -> Any:
        if isinstance(x, _PLAIN):
            return x
        ((kind, content),) = x.items() if isinstance(x, dict) and len(x) == 1 else (("", None),)
        if kind == "array" and isinstance(content, str) and content in left:
            return left.pop(content)
        if kind == "dict" and isinstance(content, list):
            if not all(isinstance(pair, list) and len(pair) == 2 and isinstance(pair[0], _PLAIN) for pair in content):
                raise ValueError("its structure has a dict without pairs of key and value")
            return {key: tree(value) for key, value in content}
        if kind in ("list", "tuple") and isinstance(content, list):
            values = [tree(value) for value in content]
            return values if kind == "list" else tuple(values)
        raise ValueError("its structure is not what gg.save writes")

    found = tree(json.loads(text))
    if left:
        raise ValueError(f"its structure does not say where the array {next(iter(left))!r} belongs")
    return found


def _said(place: tuple[Any, ...]) -> str:
    return repr("/".join(map(str, place))) if place else "the state"
