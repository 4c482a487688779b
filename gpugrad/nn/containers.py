"""Modules that hold modules: Sequential, ModuleList, ModuleDict. Those that hold parameters are in parameter_containers.py."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Any, TypeVar, overload

from gpugrad.errors import DTypeError, IndexingError
from gpugrad.nn.module import Module

L = TypeVar("L", bound="_Numbered")


class _Numbered(Module):
    """Children under the names "0", "1", ... (a Sequential may name them otherwise), in order."""

    def __len__(self) -> int:
        return len(self._modules)

    def __iter__(self) -> Iterator[Module]:
        return iter(self._modules.values())

    @overload
    def __getitem__(self, index: int) -> Module: ...
    @overload
    def __getitem__(self, index: slice) -> Sequential | ModuleList: ...
    def __getitem__(self, index: int | slice) -> Any:
        if isinstance(index, slice):
            chosen = list(self._modules.items())[index]
            # A slice of a Sequential keeps the names, as in PyTorch; that of a list counts anew.
            return Sequential(dict(chosen)) if isinstance(self, Sequential) else ModuleList(module for _, module in chosen)
        return self._modules[self._name(index)]

    def __setitem__(self, index: int, module: Module) -> None:
        setattr(self, self._name(index), _module(module, self))

    def __delitem__(self, index: int | slice) -> None:
        entries = list(self._modules.items())
        chosen = entries[index] if isinstance(index, slice) else [entries[self._position(index)]]
        self._refill([entry for entry in entries if entry not in chosen])

    def append(self: L, module: Module) -> L:
        """Add a module at the end. Returns self. Raises DTypeError for anything else."""
        number = len(self)
        while str(number) in self._modules:  # in a slice of a Sequential, which keeps its names
            number += 1
        self.register_module(str(number), _module(module, self))
        return self

    def extend(self: L, modules: Iterable[Module]) -> L:
        """Add modules at the end. Returns self. Raises DTypeError for anything else."""
        for module in modules:
            self.append(module)
        return self

    def __iadd__(self: L, modules: Iterable[Module]) -> L:
        return self.extend(modules)

    def __add__(self: L, modules: Iterable[Module]) -> L:
        return type(self)().extend(self).extend(modules)

    def pop(self, index: int = -1) -> Module:
        """Take a module out. Raises IndexingError if it is not there."""
        module = self[index]
        del self[index]
        return module

    def insert(self: L, index: int, module: Module) -> L:
        """Add a module before position `index`. Returns self. Raises DTypeError for anything else."""
        entries = list(self._modules.items())
        entries.insert(index, ("", _module(module, self)))
        self._refill(entries)
        return self

    def _refill(self, entries: list[tuple[str, Module]]) -> None:
        """Replace the children; numbers are given anew, names of one's own stay."""
        for name in self._modules:
            delattr(self, name)
        for i, (name, module) in enumerate(entries):
            self.register_module(name if name and not name.isdecimal() else str(i), module)

    def _position(self, index: int) -> int:
        size = len(self)
        if not -size <= index < size:
            raise IndexingError(f"{type(self).__name__}: index {index} is out of range for {size} modules")
        return index % size

    def _name(self, index: int) -> str:
        return list(self._modules)[self._position(index)]


class Sequential(_Numbered):
    """Modules applied one after the other: ``Sequential(first, second)`` or ``Sequential(OrderedDict(name=first, ...))``.

    The parameters of the module at position 0 are called "0.weight" and so on, or by the names of the dict.
    Raises DTypeError for an argument that is no Module.
    """

    def __init__(self, *modules: Module | Mapping[str, Module]) -> None:
        super().__init__()
        if len(modules) == 1 and isinstance(modules[0], Mapping):
            for name, module in modules[0].items():
                self.register_module(name, _module(module, self))
        else:
            self.extend(modules)  # type: ignore[arg-type]  # append checks each

    def forward(self, input: Any) -> Any:
        """The last module of ... of the first module of `input`."""
        for module in self._modules.values():
            input = module(input)
        return input


class ModuleList(_Numbered):
    """A list of modules whose parameters are found. It computes nothing itself.

    Raises DTypeError for an element that is no Module.
    """

    def __init__(self, modules: Iterable[Module] = ()) -> None:
        super().__init__()
        self.extend(modules)

    def _step(self, name: str) -> str:
        return f"[{name}]"


class ModuleDict(Module):
    """A dict of modules, by strings without dots, whose parameters are found. It computes nothing itself.

    Raises DTypeError for a value that is no Module, OptionError for a key that is no such string or names a method.
    """

    def __init__(self, modules: Mapping[str, Module] | Iterable[tuple[str, Module]] | None = None) -> None:
        super().__init__()
        self.update(modules or {})

    def _step(self, name: str) -> str:
        return f"[{name!r}]"

    def __len__(self) -> int:
        return len(self._modules)

    def __iter__(self) -> Iterator[str]:
        return iter(self._modules)

    def __contains__(self, key: object) -> bool:
        return key in self._modules

    def __getitem__(self, key: str) -> Module:
        return self._modules[key]

    def __setitem__(self, key: str, module: Module) -> None:
        self.register_module(key, _module(module, self))

    def __delitem__(self, key: str) -> None:
        self.pop(key)

    def keys(self) -> Iterable[str]:
        """The keys."""
        return self._modules.keys()

    def values(self) -> Iterable[Module]:
        """The modules."""
        return self._modules.values()

    def items(self) -> Iterable[tuple[str, Module]]:
        """Pairs of key and module."""
        return self._modules.items()

    def update(self, modules: Mapping[str, Module] | Iterable[tuple[str, Module]]) -> None:
        """Add the modules of a dict, or of pairs of key and module."""
        for key, module in modules.items() if isinstance(modules, (Mapping, ModuleDict)) else modules:
            self[key] = module

    def clear(self) -> None:
        """Take all modules out."""
        for key in list(self):
            delattr(self, key)

    def pop(self, key: str) -> Module:
        """Take a module out. Raises KeyError if it is not there."""
        module = self._modules[key]
        delattr(self, key)
        return module


def _module(value: Any, owner: Module) -> Module:
    if not isinstance(value, Module):
        raise DTypeError(f"{type(owner).__name__}: got {type(value).__name__}, expected a Module such as nn.ReLU()")
    return value
