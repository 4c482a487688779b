"""Module: the base class of layers and models."""

from __future__ import annotations

import builtins
from collections.abc import Callable, Iterator, Mapping
from typing import TYPE_CHECKING, Any, TypeVar

from gpugrad.arrays.devices import CPU, DeviceLike, gpu
from gpugrad.arrays.dtypes import DTypeLike, float16, float32, float64, is_inexact, numpy_dtype
from gpugrad.errors import DTypeError, GpugradError, OptionError
from gpugrad.nn.hooks import Hooked, called, hooks_below
from gpugrad.nn.location import locate
from gpugrad.nn.parameter import Parameter
from gpugrad.nn.state import LoadResult, check_mapping, load, replace
from gpugrad.ops.creation import zeros_like
from gpugrad.ops.dtypes import astype
from gpugrad.ops.transfer import destination, to_device
from gpugrad.tape import Tensor

M = TypeVar("M", bound="Module")
Part = TypeVar("Part")


class Module(Hooked):
    """Base class of layers and models: its parts are its attributes.

    ::

        class Model(nn.Module):
            def __init__(self):
                super().__init__()
                self.first = nn.Linear(64, 32)
                self.scale = nn.Parameter(gg.ones(10))

            def forward(self, x):
                return self.first(x)

    An attribute that is a :class:`Parameter` is a parameter, one that is a Module is a child, and a Tensor given to
    :meth:`register_buffer` is a buffer: state that is saved but not trained. Children in lists or dicts are not found: use
    ModuleList, ModuleDict. The order is that of assignment.
    """

    training: bool = True
    _persistent: Mapping[str, bool] = {}  # the names of the buffers, and whether they belong to the state_dict

    def forward(self, *args: Any, **kwargs: Any) -> Any:
        """What the module computes. Subclasses define it, and users call the module itself."""
        raise NotImplementedError(f"{type(self).__name__} defines no forward method; it says what the module computes")

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        try:
            if self._hooks is None:
                return self.forward(*args, **kwargs)
            return called(self, self._hooks, args, kwargs)
        except GpugradError as error:
            locate(error, self, (*args, *kwargs.values()))
            raise

    def _step(self, name: str) -> str:
        """How code goes on from this module to its child `name`."""
        return f".{name}"

    # Attributes ------------------------------------------------------------------------------------------------------

    @property
    def _parameters(self) -> dict[str, Parameter]:
        return {name: value for name, value in vars(self).items() if isinstance(value, Parameter)}

    @property
    def _buffers(self) -> dict[str, Tensor]:
        return {name: value for name in self._persistent if (value := vars(self).get(name)) is not None}

    @property
    def _modules(self) -> dict[str, Module]:
        return {name: value for name, value in vars(self).items() if isinstance(value, Module)}

    if not TYPE_CHECKING:  # a type checker would take any attribute for one that is there

        def __getattr__(self, name: str) -> Any:
            parametrized = vars(self).get("parametrizations")  # see nn/utils/parametrize.py
            if isinstance(parametrized, Module) and name in parametrized._modules:
                return parametrized._modules[name].value()
            return super().__getattribute__(name)  # raises, with the error of a property that failed

    def __setattr__(self, name: str, value: Any) -> None:
        parametrized = vars(self).get("parametrizations")
        if isinstance(parametrized, Module) and name in parametrized._modules:
            parametrized._modules[name].right_inverse(value)  # type: ignore[attr-defined]
            return
        present = vars(self).get(name)
        expected: builtins.type | None = next((kind for kind in (Parameter, Module) if isinstance(present, kind)), None)
        if name in self._persistent:
            if isinstance(value, Parameter):
                self._forget_buffer(name)
            else:
                expected = Tensor
        if expected is not None and value is not None and not isinstance(value, expected):
            raise DTypeError(
                f"{type(self).__name__}.{name} is a {expected.__name__} and cannot become {type(value).__name__}; assign a "
                f"{expected.__name__} or None, or del the attribute first"
            )
        object.__setattr__(self, name, value)

    def __delattr__(self, name: str) -> None:
        object.__delattr__(self, name)
        self._forget_buffer(name)

    def _forget_buffer(self, name: str) -> None:
        if name in self._persistent:
            object.__setattr__(self, "_persistent", {key: value for key, value in self._persistent.items() if key != name})

    def register_parameter(self, name: str, param: Parameter | None) -> None:
        """Assign a parameter under a name that may be computed; None holds the place of one that is absent.

        Raises DTypeError for anything else, OptionError for a name that is taken or has a dot.
        """
        self._register(name, param, Parameter)

    def register_module(self, name: str, module: Module | None) -> None:
        """Assign a child under a name that may be computed. Raises as :meth:`register_parameter`."""
        self._register(name, module, Module)

    def add_module(self, name: str, module: Module | None) -> None:
        """The older name of :meth:`register_module`."""
        self.register_module(name, module)

    def register_buffer(self, name: str, tensor: Tensor | None, persistent: bool = True) -> None:
        """Assign a Tensor that moves with the module but is not trained; it is in the state_dict if `persistent`.

        Raises as :meth:`register_parameter`.
        """
        self._register(name, tensor, Tensor)
        object.__setattr__(self, "_persistent", {**self._persistent, name: persistent})

    def _register(self, name: str, value: Any, kind: builtins.type) -> None:
        if not isinstance(name, str) or not name or "." in name:
            raise OptionError(f"{type(self).__name__}: {name!r} cannot name a {kind.__name__}; expected a string without dots")
        if value is not None and not isinstance(value, kind):
            raise DTypeError(f"{type(self).__name__}.{name}: got {type(value).__name__}, expected a {kind.__name__} or None")
        if hasattr(self, name) and not (name in vars(self) and isinstance(vars(self)[name], (kind, type(None)))):
            raise OptionError(f"{type(self).__name__}: {name!r} is taken by another attribute; choose another name")
        setattr(self, name, value)

    # Traversal -------------------------------------------------------------------------------------------------------

    def named_modules(self, prefix: str = "", remove_duplicate: bool = True) -> Iterator[tuple[str, Module]]:
        """This module and all below it, with their dotted names; one that occurs twice comes once if `remove_duplicate`."""
        seen: set[int] = set()
        stack: list[tuple[str, Module]] = [(prefix, self)]
        while stack:
            name, module = stack.pop()
            if remove_duplicate and id(module) in seen:
                continue
            seen.add(id(module))
            yield name, module
            stack.extend(reversed([(_join(name, key), child) for key, child in module._modules.items()]))

    def modules(self) -> Iterator[Module]:
        """This module and all below it, each once."""
        return (module for _, module in self.named_modules())

    def named_children(self) -> Iterator[tuple[str, Module]]:
        """The modules directly below this one, each once, with their names."""
        return _unique(self._modules.items())

    def children(self) -> Iterator[Module]:
        """The modules directly below this one, each once."""
        return (module for _, module in self.named_children())

    def named_parameters(
        self, prefix: str = "", recurse: bool = True, remove_duplicate: bool = True
    ) -> Iterator[tuple[str, Parameter]]:
        """The parameters with their dotted names; a shared one comes once if `remove_duplicate`."""
        found = self._named(lambda module: module._parameters, prefix, recurse)
        return _unique(found) if remove_duplicate else found

    def parameters(self, recurse: bool = True) -> Iterator[Parameter]:
        """The parameters, each once: what an optimizer takes."""
        return (parameter for _, parameter in self.named_parameters(recurse=recurse))

    def named_buffers(
        self, prefix: str = "", recurse: bool = True, remove_duplicate: bool = True
    ) -> Iterator[tuple[str, Tensor]]:
        """The buffers with their dotted names."""
        found = self._named(lambda module: module._buffers, prefix, recurse)
        return _unique(found) if remove_duplicate else found

    def buffers(self, recurse: bool = True) -> Iterator[Tensor]:
        """The buffers, each once."""
        return (buffer for _, buffer in self.named_buffers(recurse=recurse))

    def _named(self, parts: Callable[[Module], dict[str, Part]], prefix: str, recurse: bool) -> Iterator[tuple[str, Part]]:
        modules = self.named_modules(prefix, remove_duplicate=False) if recurse else iter([(prefix, self)])
        return ((_join(name, key), part) for name, module in modules for key, part in parts(module).items())

    def get_submodule(self, target: str) -> Module:
        """The module of a dotted name. Raises AttributeError if there is none."""
        found = dict(self.named_modules(remove_duplicate=False))
        if target not in found:
            raise AttributeError(
                f"{type(self).__name__} has no submodule {target!r}; it has {', '.join(n for n in found if n) or 'none'}"
            )
        return found[target]

    def get_parameter(self, target: str) -> Parameter:
        """The parameter of a dotted name. Raises AttributeError if there is none."""
        found = dict(self.named_parameters(remove_duplicate=False))
        if target not in found:
            raise AttributeError(f"{type(self).__name__} has no parameter {target!r}; it has {', '.join(found) or 'none'}")
        return found[target]

    def get_buffer(self, target: str) -> Tensor:
        """The buffer of a dotted name. Raises AttributeError if there is none."""
        found = dict(self.named_buffers(remove_duplicate=False))
        if target not in found:
            raise AttributeError(f"{type(self).__name__} has no buffer {target!r}; it has {', '.join(found) or 'none'}")
        return found[target]

    def set_submodule(self, target: str, module: Module, strict: bool = False) -> None:
        """Put a module in the place of a dotted name; with `strict` only where there is one already.

        Raises AttributeError if there is no module to put it into (or none to replace), OptionError for an empty name,
        DTypeError for what is no Module.
        """
        if not isinstance(module, Module):
            raise DTypeError(f"set_submodule: got {type(module).__name__}, expected a Module")
        if not target:
            raise OptionError("set_submodule: the name is empty, expected that of a module below this one")
        if strict:
            self.get_submodule(target)
        owner, _, name = target.rpartition(".")
        setattr(self.get_submodule(owner), name, module)

    def apply(self: M, fn: Callable[[Module], Any]) -> M:
        """Call `fn` with every module below this one and then with this one. Returns self."""
        for child in self.children():
            child.apply(fn)
        fn(self)
        return self

    # Modes and gradients ---------------------------------------------------------------------------------------------

    def train(self: M, mode: bool = True) -> M:
        """Training mode for this module and all below it, in which dropout drops. Returns self."""
        for module in self.modules():
            module.training = mode
        return self

    def eval(self: M) -> M:
        """Evaluation mode: ``train(False)``. Returns self."""
        return self.train(False)

    def requires_grad_(self: M, requires_grad: bool = True) -> M:
        """Whether the parameters require gradients: False freezes them. Returns self."""
        for parameter in self.parameters():
            parameter.requires_grad_(requires_grad)
        return self

    def zero_grad(self, set_to_none: bool = True) -> None:
        """Forget the gradients: None, or zeros where there was one if `set_to_none` is False."""
        for parameter in self.parameters():
            if parameter.grad is not None:
                parameter.grad = None if set_to_none else zeros_like(parameter.grad.detach())

    # State -----------------------------------------------------------------------------------------------------------

    def state_dict(
        self, *, destination: dict[str, Any] | None = None, prefix: str = "", keep_vars: bool = False
    ) -> dict[str, Any]:
        """The parameters and persistent buffers by dotted name, as constants that share their memory.

        ``gg.save(model.state_dict(), path)`` writes them. With `keep_vars` they are the parameters themselves. They are added to
        `destination`, if that is given, under names that begin with `prefix`: "net." for the part of a model called net.
        """
        for path, module, hook in hooks_below(self, "saving", prefix):
            hook(module, path, keep_vars)
        state = {} if destination is None else destination
        state.update({f"{prefix}{name}": x if keep_vars else Tensor(x.array) for name, x in self._state().items()})
        for path, module, hook in hooks_below(self, "saved", prefix):
            hook(module, state, path, {})
        return state

    def _state(self) -> dict[str, Tensor]:
        return dict(
            self._named(lambda m: {**m._parameters, **{k: b for k, b in m._buffers.items() if m._persistent[k]}}, "", True)
        )

    def load_state_dict(self, state_dict: Mapping[str, Any], strict: bool = True, assign: bool = False) -> LoadResult:
        """Copy the values of a state_dict into the parameters and buffers, in place, cast and moved where needed.

        Without `strict`, keys that are missing or unexpected are left out, and returned. With `assign` the parameters and buffers
        take over the arrays themselves, with their dtypes and devices, and nothing is copied.
        Raises FileFormatError that lists everything that does not fit: missing and unexpected keys, values that are no arrays
        or have another shape. Then nothing has changed. Raises DTypeError for what is no dict.
        """
        check_mapping(state_dict, type(self).__name__)
        state, errors = dict(state_dict), list[str]()
        for path, module, hook in hooks_below(self, "loading"):
            hook(module, state, path, {}, strict, [], [], errors)
        result = load(self._state(), state, strict=strict, assign=assign, name=type(self).__name__, errors=errors)
        for _, module, hook in hooks_below(self, "loaded"):
            hook(module, result)
        return result

    # Devices and dtypes ----------------------------------------------------------------------------------------------

    def to(
        self: M,
        *where: Any,
        dtype: DTypeLike | None = None,
        device: DeviceLike | None = None,
        non_blocking: bool = False,
    ) -> M:
        """Move the parameters and buffers to a device, cast the floating-point ones to a dtype, or both. Returns self.

        ``model.to("cuda")``, ``model.to(gg.float64)``, ``model.to("cuda:1", gg.float16)``, ``model.to(tensor)``. Gradients
        move along, and an optimizer's state follows with its next step. `non_blocking` as for :meth:`gpugrad.Tensor.to`.
        Raises DeviceError for an unknown or absent device, DTypeError for a dtype that is not floating-point; and if anything
        fails, for want of memory say, nothing has moved.
        """
        place, dtype = destination(f"{type(self).__name__}.to", where, device, dtype)
        if dtype is not None and not is_inexact(dtype):
            raise DTypeError(f"{type(self).__name__}.to: got dtype {numpy_dtype(dtype)}, expected a floating-point one")

        def convert(array: Any) -> Any:
            if dtype is not None and is_inexact(array.dtype):
                array = astype(array, dtype, copy=False)
            return array if place is None else to_device(array, place, non_blocking=non_blocking)

        tensors = [*self.parameters(), *self.buffers()]
        grads = [None if x.grad is None else convert(x.grad.array) for x in tensors]
        arrays = [convert(x.array) for x in tensors]
        for x, array, grad in zip(tensors, arrays, grads, strict=True):
            replace(x, array, grad)
        return self

    def cpu(self: M) -> M:
        """Move to the CPU. Returns self."""
        return self.to(device=CPU)

    def cuda(self: M, device: int | DeviceLike | None = None) -> M:
        """Move to a GPU: the current one, or the one of this number or name. Returns self."""
        return self.to(device=gpu(device))

    def float(self: M) -> M:
        """Cast the floating-point parameters and buffers to float32. Returns self."""
        return self.to(dtype=float32)

    def double(self: M) -> M:
        """Cast the floating-point parameters and buffers to float64. Returns self."""
        return self.to(dtype=float64)

    def half(self: M) -> M:
        """Cast the floating-point parameters and buffers to float16. Returns self."""
        return self.to(dtype=float16)

    def bfloat16(self: M) -> M:
        """Cast the floating-point parameters and buffers to bfloat16. Returns self. Raises DTypeError without ml_dtypes."""
        return self.to(dtype="bfloat16")

    def type(self: M, dst_type: DTypeLike) -> M:
        """Cast the floating-point parameters and buffers to `dst_type`; those of integers stay. Returns self."""
        return self.to(dtype=dst_type)

    # Printing --------------------------------------------------------------------------------------------------------

    def extra_repr(self) -> str:
        """What the repr shows between the parentheses; subclasses define it."""
        return ""

    def __repr__(self) -> str:
        name, extra = type(self).__name__, self.extra_repr()
        children = [f"({key}): {child!r}".replace("\n", "\n  ") for key, child in self._modules.items()]
        if not children:
            return f"{name}({extra})"
        return "\n  ".join([f"{name}(", *([extra] if extra else []), *children]) + "\n)"


def _join(prefix: str, name: str) -> str:
    return f"{prefix}.{name}" if prefix else name


def _unique(named: Any) -> Iterator[tuple[str, Any]]:
    """Pairs of a name and an object, without objects that came before."""
    seen: set[int] = set()
    for name, value in named:
        if id(value) not in seen:
            seen.add(id(value))
            yield name, value
