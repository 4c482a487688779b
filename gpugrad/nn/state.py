"""Loading a state_dict into parameters and buffers: what fits, what does not, and saying so."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, NamedTuple

from gpugrad.arrays.devices import device_of
from gpugrad.arrays.dtypes import is_inexact, numpy_dtype
from gpugrad.errors import DTypeError, FileFormatError
from gpugrad.nn.parameter import overwrite
from gpugrad.ops import aliasing
from gpugrad.ops.conversion import asarray
from gpugrad.ops.dtypes import astype
from gpugrad.ops.transfer import to_device
from gpugrad.tape import Leaf, Tensor, raw

_SHOWN = 8
"""So many names are listed; of more the first ones and their number."""


class LoadResult(NamedTuple):
    """What ``load_state_dict(strict=False)`` left out."""

    missing_keys: list[str]
    unexpected_keys: list[str]


def load(
    own: Mapping[str, Tensor],
    state_dict: Mapping[str, Any],
    *,
    strict: bool,
    assign: bool,
    name: str,
    errors: Iterable[str] = (),
) -> LoadResult:
    """Give the values of a state_dict to the Tensors of a model, all or none of them. See ``Module.load_state_dict``."""
    missing = [key for key in own if key not in state_dict]
    unexpected = [key for key in state_dict if key not in own]
    faults = list(errors)
    if strict:
        faults += [f"{what} {listed(keys)}" for what, keys in (("missing", missing), ("unexpected", unexpected)) if keys]
    common = {key: raw(value) for key, value in state_dict.items() if key in own}
    misfits = [fault for key, value in common.items() if (fault := _misfit(key, value, own[key].array, assign))]
    faults += misfits[:_SHOWN] + ([f"and {len(misfits) - _SHOWN} more that do not fit"] if len(misfits) > _SHOWN else [])
    if faults:
        text = f"load_state_dict: the state does not fit {name}: {'; '.join(faults)}"
        raise FileFormatError(text + (_prefixed(missing, unexpected) if strict else ""))
    # All conversions before the first write: one that fails, for want of memory say, leaves the model as it was.
    converted = [(own[key], raw(asarray(x) if assign else _converted(x, own[key].array))) for key, x in common.items()]
    for target, value in converted:
        if assign:
            replace(target, value, None)
        else:
            overwrite(target, value)
    return LoadResult(missing, unexpected)


def listed(names: list[str]) -> str:
    """The names, or of many their number and the first ones."""
    if len(names) <= _SHOWN:
        return ", ".join(names)
    return f"{len(names)} keys ({', '.join(names[:_SHOWN])}, ...)"


def replace(x: Tensor, array: Any, grad: Any) -> None:
    """Give a parameter or buffer another array and gradient, and a leaf node that fits; leave it alone if nothing changes."""
    if array is x.array:
        return
    node = x.node
    aliasing.part(x)
    x.array = array
    if isinstance(node, Leaf):
        x.node = Leaf(array.shape, array.dtype)
        x.node.hooks = node.hooks
        x.node.grad = None if grad is None else Tensor(grad)


def _prefixed(missing: list[str], unexpected: list[str]) -> str:
    """A word on keys that would fit but for what they begin with: "module." of a file, or of the model."""
    for here, there, what in ((missing, unexpected, "state"), (unexpected, missing, "model")):
        for key in there:
            if here and key.endswith(f".{here[0]}"):
                prefix = key.removesuffix(here[0])
                if {prefix + name for name in here} <= set(there):
                    return f"; the keys of the {what} begin with {prefix!r}: take that off, or put it there, in the state"
    return ""


def _misfit(name: str, value: Any, own: Any, assign: bool) -> str:
    """Why a value cannot be loaded; nothing if it can."""
    if not hasattr(value, "shape") or not hasattr(value, "dtype"):
        return f"{name} is {type(value).__name__}, expected an array"
    if tuple(value.shape) != tuple(own.shape):
        return f"{name} has shape {tuple(value.shape)}, expected {tuple(own.shape)}"
    if numpy_dtype(value.dtype).kind == "c" and numpy_dtype(own.dtype).kind != "c":
        return f"{name} has dtype {value.dtype}, expected real"
    if assign and is_inexact(own.dtype) and not is_inexact(value.dtype):
        return f"{name} has dtype {value.dtype}, expected a floating-point one"
    return ""


def _converted(value: Any, own: Any) -> Any:
    """A raw array in the dtype and on the device of another."""
    if numpy_dtype(value.dtype) != numpy_dtype(own.dtype):
        value = astype(value, own.dtype)
    return value if device_of(value) == device_of(own) else to_device(value, device_of(own))


def check_mapping(state_dict: Any, name: str) -> None:
    """Raise DTypeError for what is no dict of arrays: a model, a path, a list."""
    if not isinstance(state_dict, Mapping):
        hint = "model.state_dict()" if hasattr(state_dict, "state_dict") else "gg.load(path)"
        raise DTypeError(f"load_state_dict: {name} got {type(state_dict).__name__}, expected a dict of arrays, as {hint} gives")
