"""Parametrizations: a parameter computed from others each time it is read, such as a weight from its length and direction.

The state_dict has PyTorch's keys: ``parametrizations.weight.original``, or ``original0``, ``original1`` where there are several.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any

from gpugrad.errors import DTypeError, OptionError, ShapeError
from gpugrad.modes import no_grad
from gpugrad.nn.containers import ModuleDict, ModuleList
from gpugrad.nn.module import Module
from gpugrad.nn.parameter import Parameter
from gpugrad.nn.state import replace
from gpugrad.tape import Tensor, raw

_cache: ContextVar[dict[int, Any] | None] = ContextVar("gpugrad_parametrizations", default=None)


@contextmanager
def cached() -> Iterator[None]:
    """Within this block every parametrized parameter is computed once and kept, for code that reads it often.

    Values that were kept go when the outermost block ends; until then changes of what they are computed from are not seen.
    Source: https://docs.pytorch.org/docs/stable/generated/torch.nn.utils.parametrize.cached.html
    """
    token = _cache.set({}) if _cache.get() is None else None
    try:
        yield
    finally:
        if token is not None:
            _cache.reset(token)


class ParametrizationList(ModuleList):
    """The parametrizations of one parameter or buffer, applied one after the other, and what they start from.

    That is `original`, or `original0`, `original1`, ... if ``right_inverse`` of the first parametrization gives several.
    """

    def __init__(self, modules: list[Module], original: Tensor, unsafe: bool = False) -> None:
        super().__init__(modules)
        self.unsafe = unsafe
        self._single = True
        with no_grad():
            try:
                value = self._inverted(original.detach() if original.node is not None else original)
            except NotImplementedError:  # what is there is what the parametrizations start from
                value = original
        is_parameter = isinstance(original, Parameter)
        if isinstance(value, Tensor):
            if not unsafe and (value.shape, value.dtype) != (original.shape, original.dtype):
                raise ShapeError(
                    f"register_parametrization: right_inverse gave shape {value.shape} and dtype {value.dtype} for a tensor of shape "
                    f"{original.shape} and dtype {original.dtype}, expected the same; pass unsafe=True if that is meant"
                )
            before = original.array
            if value.array is not before:
                replace(original, value.array, None)
            self._hold("original", original)
        else:
            self._single = False
            for i, x in enumerate(value):
                if not isinstance(x, Tensor):
                    raise DTypeError(
                        f"register_parametrization: right_inverse gave {type(x).__name__} in its tuple, expected Tensors"
                    )
                self._hold(f"original{i}", Parameter(x.detach(), original.requires_grad) if is_parameter else x.detach())

    def _hold(self, name: str, x: Tensor) -> None:
        if isinstance(x, Parameter):
            self.register_parameter(name, x)
        else:
            self.register_buffer(name, x)

    def originals(self) -> list[Tensor]:
        """What the parametrizations start from."""
        return [*self._parameters.values(), *self._buffers.values()]

    def _inverted(self, value: Any) -> Any:
        """What gives `value` when the parametrizations are applied to it; that of one without ``right_inverse`` is its result."""
        for module in reversed(list(self)):
            if hasattr(module, "right_inverse"):
                value = module.right_inverse(value)
        return value

    def right_inverse(self, value: Tensor) -> None:
        """Give the parameter a value: its originals are changed so that it has it, as far as the parametrizations can."""
        with no_grad():
            new = self._inverted(value)
            new = [new] if isinstance(new, Tensor) else list(new)
            for x, y in zip(self.originals(), new, strict=True):
                if x.shape != y.shape:
                    raise ShapeError(f"right_inverse: got shape {y.shape} for an original of shape {x.shape}")
            for x, y in zip(self.originals(), new, strict=True):
                x[...] = y

    def forward(self) -> Any:
        """The parameter."""
        first, *others = self
        value = first(*self.originals())
        for module in others:
            value = module(value)
        return value

    def value(self) -> Any:
        """The parameter, or what was kept of it by :func:`cached`."""
        kept = _cache.get()
        if kept is None:
            return self.forward()
        if id(self) not in kept:
            kept[id(self)] = self, self.forward()
        return kept[id(self)][1]


def register_parametrization(module: Module, tensor_name: str, parametrization: Module, *, unsafe: bool = False) -> Module:
    """Compute a parameter or buffer of a module by a parametrization, a Module called with what it starts from. Returns the module.

    ::

        class Symmetric(nn.Module):
            def forward(self, x):
                return gg.triu(x) + gg.triu(x, k=1).mT

        parametrize.register_parametrization(layer, "weight", Symmetric())

    ``layer.weight`` is then the result, and ``layer.parametrizations.weight.original`` the parameter. Where the parametrization has a
    method ``right_inverse``, the original is what that gives for the value so far, possibly a tuple of several, and values can be
    assigned to ``layer.weight``. A second parametrization is applied to the result of the first.
    Raises ShapeError if the result has another shape or dtype, unless `unsafe`; OptionError if there is no such tensor; DTypeError for
    what is no Module. Then nothing has changed.
    Source: https://docs.pytorch.org/docs/stable/generated/torch.nn.utils.parametrize.register_parametrization.html
    """
    if not isinstance(parametrization, Module):
        raise DTypeError(f"register_parametrization: got {type(parametrization).__name__}, expected a Module")
    parametrization.train(module.training)
    if is_parametrized(module, tensor_name):
        present = _of(module)[tensor_name]
        before = getattr(module, tensor_name)
        with no_grad():
            _check(parametrization(before), before, unsafe)
            if hasattr(parametrization, "right_inverse"):
                present.right_inverse(parametrization.right_inverse(before.detach()))
        present.append(parametrization)
        return module
    original = {**module._parameters, **module._buffers}.get(tensor_name)
    if original is None:
        names = ", ".join([*module._parameters, *module._buffers]) or "none"
        raise OptionError(
            f"register_parametrization: {type(module).__name__} has no parameter or buffer {tensor_name!r}; it has {names}"
        )
    array = original.array
    made = ParametrizationList([parametrization], original, unsafe)
    try:
        with no_grad():
            _check(made.forward(), Tensor(array), unsafe)
    except BaseException:
        if made._single:
            replace(original, array, None)
        raise
    delattr(module, tensor_name)
    if "parametrizations" not in module._modules:
        module.register_module("parametrizations", ModuleDict())
    _of(module)[tensor_name] = made
    return module


def _check(found: Any, expected: Tensor, unsafe: bool) -> None:
    if not isinstance(found, Tensor):
        raise DTypeError(f"register_parametrization: the parametrization gave {type(found).__name__}, expected a Tensor")
    if not unsafe and (tuple(found.shape), found.dtype) != (tuple(expected.shape), expected.dtype):
        raise ShapeError(
            f"register_parametrization: the parametrization gave shape {found.shape} and dtype {found.dtype}, expected {expected.shape} and "
            f"{expected.dtype}; pass unsafe=True if that is meant"
        )


def is_parametrized(module: Module, tensor_name: str | None = None) -> bool:
    """Whether anything in a module is parametrized, or the tensor of this name."""
    held = vars(module).get("parametrizations")
    if not isinstance(held, ModuleDict) or not len(held):
        return False
    return tensor_name is None or tensor_name in held


def _of(module: Module) -> Any:
    """The ModuleDict of a module's parametrizations."""
    return vars(module)["parametrizations"]


def remove_parametrizations(module: Module, tensor_name: str, leave_parametrized: bool = True) -> Module:
    """Make a parametrized tensor a parameter or buffer again: with its value now, or with that of its original. Returns the module.

    Raises OptionError if it is not parametrized, or to leave it unparametrized if it has several originals.
    Source: https://docs.pytorch.org/docs/stable/generated/torch.nn.utils.parametrize.remove_parametrizations.html
    """
    if not is_parametrized(module, tensor_name):
        raise OptionError(f"remove_parametrizations: {tensor_name!r} of {type(module).__name__} is not parametrized")
    held = _of(module)[tensor_name]
    originals = held.originals()
    if not leave_parametrized and not held._single:
        raise OptionError(
            f"remove_parametrizations: {tensor_name!r} has {len(originals)} originals; only leave_parametrized=True can be met"
        )
    original = originals[0]
    if leave_parametrized:
        with no_grad():
            value = held.forward().detach()
        if held._single:
            replace(original, raw(value), None)
        else:
            original = Parameter(value, original.requires_grad) if isinstance(original, Parameter) else value
    del _of(module)[tensor_name]
    if not len(_of(module)):
        delattr(module, "parametrizations")
    if isinstance(original, Parameter):
        module.register_parameter(tensor_name, original)
    else:
        module.register_buffer(tensor_name, original)
    return module
