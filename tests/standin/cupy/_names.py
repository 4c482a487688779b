"""Reads `names.txt`: what real CuPy has, so that the stand-in has no more (see ../record_names.py)."""

import inspect
import pathlib

DEFAULT = object()  # stands for any default value: only its presence is recorded


def _signature(words):
    """An inspect.Signature from `a axis= * out=`, or None where CuPy does not tell."""
    if words == ["?"]:
        return None
    parameters, kind = [], inspect.Parameter.POSITIONAL_OR_KEYWORD
    for word in words:
        if word == "/":
            parameters = [p.replace(kind=inspect.Parameter.POSITIONAL_ONLY) for p in parameters]
        elif word == "*":
            kind = inspect.Parameter.KEYWORD_ONLY
        elif word.startswith("**"):
            parameters.append(inspect.Parameter(word[2:], inspect.Parameter.VAR_KEYWORD))
        elif word.startswith("*"):
            parameters.append(inspect.Parameter(word[1:], inspect.Parameter.VAR_POSITIONAL))
            kind = inspect.Parameter.KEYWORD_ONLY
        else:
            default = DEFAULT if word.endswith("=") else inspect.Parameter.empty
            parameters.append(inspect.Parameter(word.rstrip("="), kind, default=default))
    return inspect.Signature(parameters)


def _read():
    names = {"ufunc": {}, "value": [], "function": {}, "method": []}
    for line in (pathlib.Path(__file__).parent / "names.txt").read_text().splitlines():
        kind, name, *words = line.split()
        if kind == "function":
            names[kind][name] = _signature(words)
        elif kind == "ufunc":
            names[kind][name] = words
        elif kind in names:
            names[kind].append(name)
    return names


_names = _read()
UFUNCS = _names["ufunc"]  # {name: types of the loops, recorded for cupyx only}
VALUES = frozenset(_names["value"])
METHODS = frozenset(_names["method"])
FUNCTIONS = _names["function"]  # {name: signature or None}
EVERYTHING = VALUES | UFUNCS.keys() | FUNCTIONS.keys()
