"""Modules that hold parameters: ParameterList, ParameterDict."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Any, overload

from gpugrad.errors import DTypeError, IndexingError
from gpugrad.nn.module import Module
from gpugrad.nn.parameter import Parameter


class _Parameters(Module):
    """What a list and a dict of parameters have in common. They compute nothing themselves."""

    def __len__(self) -> int:
        return len(self._parameters)

    def extra_repr(self) -> str:
        return "\n  ".join(
            f"({name}): Parameter of shape {x.shape} and dtype {x.dtype}" for name, x in self._parameters.items()
        )

    def __repr__(self) -> str:
        return f"{type(self).__name__}(\n  {self.extra_repr()}\n)" if len(self) else f"{type(self).__name__}()"


class ParameterList(_Parameters):
    """A list of parameters, which are found: "0", "1", ... Tensors and arrays become parameters.

    Raises DTypeError for what is no array.
    Source: https://docs.pytorch.org/docs/stable/generated/torch.nn.ParameterList.html
    """

    def __init__(self, values: Iterable[Any] = ()) -> None:
        super().__init__()
        self.extend(values)

    def __iter__(self) -> Iterator[Parameter]:
        return iter(self._parameters.values())

    @overload
    def __getitem__(self, idx: int) -> Parameter: ...
    @overload
    def __getitem__(self, idx: slice) -> ParameterList: ...
    def __getitem__(self, idx: int | slice) -> Any:
        if isinstance(idx, slice):
            return ParameterList(list(self)[idx])
        return self._parameters[self._name(idx)]

    def __setitem__(self, idx: int, param: Any) -> None:
        setattr(self, self._name(idx), _parameter(param, self))

    def append(self, value: Any) -> ParameterList:
        """Add a parameter at the end. Returns self."""
        self.register_parameter(str(len(self)), _parameter(value, self))
        return self

    def extend(self, values: Iterable[Any]) -> ParameterList:
        """Add parameters at the end. Returns self."""
        for value in list(values):
            self.append(value)
        return self

    def __iadd__(self, values: Iterable[Any]) -> ParameterList:
        return self.extend(values)

    def pop(self, idx: int = -1) -> Parameter:
        """Take a parameter out; those behind it move up."""
        left = list(self)
        taken = left.pop(int(self._name(idx)))
        for name in list(self._parameters):
            delattr(self, name)
        self.extend(left)
        return taken

    def _name(self, idx: int) -> str:
        size = len(self)
        if not -size <= idx < size:
            raise IndexingError(f"ParameterList: index {idx} is out of range for {size} parameters")
        return str(idx % size)


class ParameterDict(_Parameters):
    """A dict of parameters, by strings without dots, which are found. Tensors and arrays become parameters.

    Raises DTypeError for what is no array, OptionError for a key that is no such string or names a method.
    Source: https://docs.pytorch.org/docs/stable/generated/torch.nn.ParameterDict.html
    """

    def __init__(self, parameters: Any = None) -> None:
        super().__init__()
        self.update(() if parameters is None else parameters)

    def __iter__(self) -> Iterator[str]:
        return iter(self._parameters)

    def __reversed__(self) -> Iterator[str]:
        return reversed(self._parameters)

    def __contains__(self, key: object) -> bool:
        return key in self._parameters

    def __getitem__(self, key: str) -> Parameter:
        return self._parameters[key]

    def __setitem__(self, key: str, parameter: Any) -> None:
        self.register_parameter(key, _parameter(parameter, self))

    def __delitem__(self, key: str) -> None:
        self.pop(key)

    def __or__(self, other: Any) -> ParameterDict:
        out = self.copy()
        out.update(other)
        return out

    def __ior__(self, other: Any) -> ParameterDict:
        self.update(other)
        return self

    def keys(self) -> Iterable[str]:
        """The keys."""
        return self._parameters.keys()

    def values(self) -> Iterable[Parameter]:
        """The parameters."""
        return self._parameters.values()

    def items(self) -> Iterable[tuple[str, Parameter]]:
        """Pairs of key and parameter."""
        return self._parameters.items()

    def get(self, key: str, default: Any = None) -> Any:
        """The parameter of a key, or `default`."""
        return self._parameters.get(key, default)

    def setdefault(self, key: str, default: Any) -> Parameter:
        """The parameter of a key, which is `default` from now on if there was none."""
        if key not in self:
            self[key] = default
        return self[key]

    def update(self, parameters: Any) -> None:
        """Add the parameters of a dict, or of pairs of key and parameter."""
        for key, parameter in parameters.items() if isinstance(parameters, (Mapping, ParameterDict)) else parameters:
            self[key] = parameter

    def pop(self, key: str) -> Parameter:
        """Take a parameter out. Raises KeyError if it is not there."""
        parameter = self._parameters[key]
        delattr(self, key)
        return parameter

    def popitem(self) -> tuple[str, Parameter]:
        """Take the last parameter out. Raises KeyError if there is none."""
        if not self:
            raise KeyError("ParameterDict: popitem of a dict without parameters")
        key = next(reversed(self))
        return key, self.pop(key)

    def clear(self) -> None:
        """Take all parameters out."""
        for key in list(self):
            delattr(self, key)

    def copy(self) -> ParameterDict:
        """Another dict of the same parameters."""
        return ParameterDict(self.items())

    def fromkeys(self, keys: Iterable[str], default: Any = None) -> ParameterDict:
        """A dict with these keys, each of which gets a parameter of its own with the values of `default`."""
        return ParameterDict((key, default) for key in keys)


def _parameter(value: Any, owner: Module) -> Parameter:
    if isinstance(value, Parameter):
        return value
    if not hasattr(value, "shape") or not hasattr(value, "dtype"):
        raise DTypeError(f"{type(owner).__name__}: got {type(value).__name__}, expected a Parameter, a Tensor or an array")
    return Parameter(value)
