"""Where in a model an error happened: the path of the layer, put before the error's text on its way out of the calls.

    model.blocks[2].mlp.0 (Linear 256 -> 1024): input (32, 128), expected last dimension 256 for weight (1024, 256)

The innermost module that was called describes itself; every caller further out puts the way from itself to the module below before
that. What a caller says at any moment is whole: code that catches the error half way reads a path that starts there.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import TYPE_CHECKING, Any, NamedTuple

from gpugrad.arrays.devices import Device, device_of
from gpugrad.errors import DeviceError, GpugradError
from gpugrad.tape import raw

if TYPE_CHECKING:
    from gpugrad.nn.module import Module

_SIZES = (
    ("in_features", "->", "out_features"),
    ("in_channels", "->", "out_channels"),
    ("input_size", "->", "hidden_size"),
    ("num_embeddings", "x", "embedding_dim"),
)
"""The attributes that say how large a layer is; of others their ``extra_repr``."""

_NAMED = re.compile(r"(\w+): ")


class Place(NamedTuple):
    """Where an error happened, as seen from the outermost module that it has left so far."""

    outermost: int  # its id; it is alive, the traceback holds it
    name: str  # of its class
    path: str  # from it to the layer, as code writes that: ".blocks[2].mlp.0"
    layer: str  # the layer and its sizes: "Linear 256 -> 1024"
    below: str  # what was called there that is none of its children: " calling Linear 256 -> 1024"
    message: str
    explained: bool  # whether the message says already where input and parameters are

    def text(self) -> str:
        """The text of the error."""
        return f"{self.seen('model')}: {self.message}"

    def seen(self, root: str) -> str:
        """The layer, its path beginning with the name of the outermost module; a layer without a path by itself."""
        return (f"{root}{self.path} ({self.layer})" if self.path else self.layer) + self.below


def locate(error: GpugradError, module: Module, inputs: Iterable[Any]) -> None:
    """Put the path of the innermost layer, as seen from `module`, before the text of an error that leaves a call of `module`."""
    place = error.place
    if not isinstance(place, Place):
        place = _here(module, _without(module, str(error)))
    elif (path := _path(module, place.outermost)) is not None:
        place = place._replace(outermost=id(module), name=type(module).__name__, path=path + place.path)
    else:  # in a list, which is no place for modules, or made by the call
        place = _here(module, place.message)._replace(below=f" calling {place.seen(place.name)}", explained=place.explained)
    # Of nested modules the innermost one whose parameters are elsewhere says so.
    if isinstance(error, DeviceError) and not place.explained and (said := _misplaced(module, inputs)):
        place = _here(module, said)._replace(explained=True)
    error.place = place
    error.args = (place.text(),)


def _here(module: Module, message: str) -> Place:
    return Place(id(module), type(module).__name__, "", _described(module), "", message, False)


def _without(module: Module, message: str) -> str:
    """A message without the name that it begins with, if that is the layer's own: "linear: " of a Linear."""
    found = _NAMED.match(message)
    if found:
        name = found[1].replace("_", "").lower()
        if any(cls.__name__.replace("_", "").lower() in (name, f"{name}loss") for cls in type(module).__mro__):
            return message[found.end() :]
    return message


def _described(module: Module) -> str:
    """The class of a module and its sizes: "Linear 256 -> 1024", "LayerNorm((8,), eps=1e-05)"."""
    name, own = type(module).__name__, vars(module)
    for first, between, second in _SIZES:
        if first in own and second in own:
            return f"{name} {own[first]} {between} {own[second]}"
    try:
        extra = "" if module._modules else module.extra_repr()
    except Exception:  # a user's, of a module that is half made: the error at hand is the one to report
        extra = ""
    return f"{name}({extra})" if extra else name


def _path(module: Module, wanted: int) -> str | None:
    """How code writes the way from a module to the one of an id below it, the shortest first; None if there is none."""
    seen, level = {id(module)}, [("", module)]
    while level:
        following = []
        for path, found in level:
            if id(found) == wanted:
                return path
            for name, child in found._modules.items():
                if id(child) not in seen:
                    seen.add(id(child))
                    following.append((path + found._step(name), child))
        level = following
    return None


def _misplaced(module: Module, inputs: Iterable[Any]) -> str:
    """What to say if an input of a module is on another device than its own parameters; empty if none is."""
    own = [(device_of(p.array), name) for name, p in module._parameters.items()]
    for x in map(raw, inputs):
        where = device_of(x) if hasattr(x, "shape") and hasattr(x, "dtype") else None
        if own and isinstance(where, Device) and all(where != there for there, _ in own):
            there, name = own[0]
            return (
                f"the input is on {where} and the parameter {name!r} on {there}; "
                f"move the input with .to('{there}'), or the model with .to('{where}')"
            )
    return ""
