"""What all optimizers share: parameter groups, hooks, gradients, state_dict."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Any

from numpy import asarray, generic, ndarray

from gpugrad.arrays.devices import device_of
from gpugrad.errors import DeviceError, DTypeError, GraphError, OptionError, ShapeError
from gpugrad.modes import enable_grad
from gpugrad.operators import RemovableHandle
from gpugrad.ops.creation import zeros_like
from gpugrad.optim.flat import array_kind
from gpugrad.optim.options import LASTING, Switches, check_options
from gpugrad.tape import Leaf, Tensor
from gpugrad.trees import map_leaves

Parameters = Iterable[Tensor] | Iterable[tuple[str, Tensor]] | Iterable[dict[str, Any]]
State = dict[str, Any]


class Optimizer:
    """Base class: groups of parameters and their options.

    `params` are leaf Tensors that require gradients, pairs of a name and such a Tensor as ``model.named_parameters()`` gives
    them (errors then name them), or dicts with either as "params" and options of their own. An option may be changed at any time, in
    ``param_groups[i]``; a group may also hold what schedules keep there ("initial_lr", "max_lr", ...).

    A parameter may have several optimizers. Each then keeps a state of its own and goes on from the values that the others left, as in
    PyTorch; but whichever comes first after another one moves all parameters of its group, so let it be few optimizers.

    Raises DTypeError for what is no list of parameters; OptionError for none, for options out of range and for an lr of 0 or less (a
    group of its own, or a schedule, may have an lr of 0); GraphError for a Tensor that is no such leaf or is given twice.
    """

    stepped = False
    """Whether a step was taken, or left out on purpose: schedules go on after it."""

    def __init__(self, params: Parameters, defaults: dict[str, Any]) -> None:
        name = type(self).__name__
        self.defaults = defaults
        self.check(self.defaults)
        if not self.defaults["lr"] > 0:
            raise OptionError(
                f"{name}: lr is {self.defaults['lr']}, expected more than 0; for a rate that begins at 0 use a schedule"
            )
        self.param_groups: list[dict[str, Any]] = []
        self._pre_hooks: dict[int, Callable[..., Any]] = {}
        self._post_hooks: dict[int, Callable[..., Any]] = {}
        given = _listed(params, name)
        if not given:
            raise OptionError(f"{name}: got no parameters; does the model have any?")
        groups = given if isinstance(given[0], dict) else [{"params": given}]
        for group in groups:
            self.add_param_group(group)

    def __repr__(self) -> str:
        groups = [
            "\n".join(f"    {name}: {value}" for name, value in sorted(group.items()) if name not in ("params", "param_names"))
            for group in self.param_groups
        ]
        return f"{type(self).__name__} (\n" + "".join(f"Parameter Group {i}\n{text}\n" for i, text in enumerate(groups)) + ")"

    def add_param_group(self, group: Mapping[str, Any]) -> None:
        """Add a group: a dict with "params" and the options in which it differs from the defaults."""
        if "params" not in group:
            raise OptionError(f"{type(self).__name__}: a group needs 'params', but this one has only {sorted(group)}")
        params = group["params"]
        params, names = _named(_listed(params, type(self).__name__), type(self).__name__)
        known = {id(p) for g in self.param_groups for p in g["params"]}
        for i, p in enumerate(params):
            which = f"parameter {i}" if names is None else f"parameter {i} ({names[i]!r})"
            self.check_parameter(p, which)
            if id(p) in known:
                raise GraphError(f"{type(self).__name__}: {which}, of shape {tuple(p.array.shape)}, was given twice")
            known.add(id(p))
        unknown = set(group) - set(self.defaults) - {"params"} - LASTING - set(Switches.__annotations__)
        if unknown:
            raise OptionError(
                f"{type(self).__name__}: unknown options {sorted(unknown)}, expected some of {sorted(self.defaults)}"
            )
        options = {**self.defaults, **group, "params": params}
        if names is not None:
            options["param_names"] = names
        self.check(options)
        self.param_groups.append(options)

    def check_parameter(self, p: Any, which: str) -> None:
        """Raise GraphError for what cannot be optimized."""
        if not isinstance(p, Tensor) or type(p.node) is not Leaf:
            got = f"a Tensor of shape {tuple(p.array.shape)}" if isinstance(p, Tensor) else type(p).__name__
            raise GraphError(f"{type(self).__name__}: {which} is {got}, expected a leaf Tensor that requires a gradient")

    def check(self, options: Mapping[str, Any]) -> None:
        """Raise OptionError for options out of range."""
        check_options(type(self).__name__, options)

    def zero_grad(self, set_to_none: bool = True) -> None:
        """Forget the gradients: None, or zeros if `set_to_none` is False."""
        for group in self.param_groups:
            for p in group["params"]:
                node = p.node
                if type(node) is Leaf:
                    node.grad = None if set_to_none or node.grad is None else zeros_like(node.grad)

    # Steps -----------------------------------------------------------------------------------------------------------

    def step(self, closure: Callable[[], Any] | None = None) -> Any:
        """Update every parameter that has a gradient; the others are left alone, as in PyTorch.

        `closure`, if given, computes the loss and its gradients first, and its result is returned. No other thread may read
        or hand out the parameters meanwhile.
        Raises ShapeError, DTypeError, DeviceError if a gradient does not fit its parameter, OutOfMemoryError if there is no room for
        the state, a gradient or, where no kernel updates in place, the results; then nothing has changed.
        """
        arguments: Any = ((), {}) if closure is None else ((closure,), {})
        for hook in tuple(self._pre_hooks.values()):
            arguments = hook(self, *arguments) or arguments
        self.stepped = True
        loss = self._step(*arguments[0], **arguments[1])
        for hook in tuple(self._post_hooks.values()):
            hook(self, *arguments)
        return loss

    def _step(self, closure: Callable[[], Any] | None = None) -> Any:
        loss = None
        if closure is not None:
            with enable_grad():
                loss = closure()
        self._update(self._gradients())
        return loss

    def _update(self, gradients: list[list[Any]]) -> None:
        """Update every parameter that has a gradient; :meth:`_gradients` are given."""
        raise NotImplementedError

    def _gradients(self) -> list[list[Any]]:
        """The raw gradients of each group, None for a parameter that has none. Raises what :meth:`step` says of them."""
        found = []
        for group in self.param_groups:
            gradients: list[Any] = []
            for i, p in enumerate(group["params"]):
                node = p.node
                grad = node.grad if type(node) is Leaf else None
                given = None if grad is None else grad.array
                if given is not None:
                    own = p.array
                    if not (type(given) is type(own) is ndarray and given.shape == own.shape and given.dtype is own.dtype):
                        names = group.get("param_names")
                        _check_gradient(given, own, names[i] if names else "")
                        given = asarray(given) if isinstance(given, generic) else given  # which kernels take for a number
                gradients.append(given)
            found.append(gradients)
        return found

    def register_step_pre_hook(self, hook: Callable[..., Any]) -> RemovableHandle:
        """Call ``hook(optimizer, args, kwargs)`` before each step; it may return the (args, kwargs) that step is to get instead."""
        return _registered(self._pre_hooks, hook)

    def register_step_post_hook(self, hook: Callable[..., Any]) -> RemovableHandle:
        """Call ``hook(optimizer, args, kwargs)`` after each step."""
        return _registered(self._post_hooks, hook)

    # States ----------------------------------------------------------------------------------------------------------

    def _states(self, index: int) -> list[State]:
        """Per parameter of a group: its numbers, and arrays as Tensors in the parameter's shape; empty before its first step."""
        raise NotImplementedError

    def _loading(self, index: int, options: Mapping[str, Any], states: list[State]) -> Callable[[], None]:
        """Check the states of a group and make room for them; what is returned takes them over, which cannot fail."""
        raise NotImplementedError

    def state_dict(self) -> dict[str, Any]:
        """The state in PyTorch's form: "state" by number of the parameter, and "param_groups" with numbers for parameters."""
        state: dict[int, State] = {}
        groups = []
        number = 0
        for index, group in enumerate(self.param_groups):
            numbers = list(range(number, number + len(group["params"])))
            number += len(numbers)
            groups.append({**{k: v for k, v in group.items() if k != "params"}, "params": numbers})
            for n, s in zip(numbers, self._states(index), strict=True):
                if s:
                    state[n] = map_leaves(lambda x: x.clone() if isinstance(x, Tensor) else x, s)
        return {"state": state, "param_groups": groups}

    def load_state_dict(self, state_dict: Mapping[str, Any]) -> None:
        """Continue from a :meth:`state_dict`, of this or of PyTorch's optimizer of that name, with Tensors or arrays.

        Whatever else a group of it holds, such as the "initial_lr" of a schedule, is taken over as well.
        Raises ShapeError, DTypeError or OptionError if it is of other parameters or another optimizer, OutOfMemoryError if there is
        no room for it; then nothing has changed.
        """
        if not isinstance(state_dict, Mapping) or not {"state", "param_groups"} <= set(state_dict):
            raise OptionError("load_state_dict: expected a dict with 'state' and 'param_groups', as state_dict() returns it")
        groups = state_dict["param_groups"]
        sizes, own = [len(g["params"]) for g in groups], [len(g["params"]) for g in self.param_groups]
        if sizes != own:
            raise ShapeError(f"load_state_dict: the state has groups of {sizes} parameters, and this optimizer has {own}")
        loading = []
        for index, (mine, theirs) in enumerate(zip(self.param_groups, groups, strict=True)):
            # Files of before an option was introduced have no say about it: such options are all off if they are False.
            missing = sorted(k for k, default in self.defaults.items() if k not in theirs and default is not False)
            if missing:
                raise OptionError(f"load_state_dict: a group of the state lacks the options {missing}")
            options = {**mine, **theirs, "params": mine["params"]}
            if "param_names" in mine:
                options["param_names"] = mine["param_names"]
            self.check(options)
            loading.append((options, self._loading(index, options, [state_dict["state"].get(n, {}) for n in theirs["params"]])))
        for group, (options, take) in zip(self.param_groups, loading, strict=True):
            group.update(options)
            take()


def _registered(hooks: dict[int, Callable[..., Any]], hook: Callable[..., Any]) -> RemovableHandle:
    handle = RemovableHandle(hooks)
    hooks[handle._key] = hook
    return handle


def _listed(params: Any, optimizer: str) -> list[Any]:
    """A single parameter or several as a list. Raises DTypeError for anything else, such as a model."""
    if isinstance(params, Tensor):
        return [params]
    if not isinstance(params, Iterable):
        raise DTypeError(f"{optimizer}: got {type(params).__name__}, expected parameters, such as model.parameters()")
    return list(params)


def _named(params: list[Any], optimizer: str) -> tuple[list[Any], list[str] | None]:
    """Parameters, and their names if they came in pairs with them."""
    if not params or not _is_pair(params[0]):
        return params, None
    for i, pair in enumerate(params):
        if not _is_pair(pair):
            raise GraphError(
                f"{optimizer}: parameter {i} is {type(pair).__name__}, expected a pair of its name and itself, as the others are"
            )
    return [p for _, p in params], [name for name, _ in params]


def _is_pair(x: Any) -> bool:
    return isinstance(x, (tuple, list)) and len(x) == 2 and isinstance(x[0], str)


def _check_gradient(given: Any, own: Any, name: str) -> None:
    """Raise what :meth:`Optimizer.step` says of the gradient of a parameter."""
    same = type(given) is type(own) and given.shape == own.shape and given.dtype == own.dtype
    if same and (type(own) is ndarray or device_of(given) == device_of(own)):
        return  # the rest is to say what is wrong
    which = f"the gradient of {name!r}" if name else "a gradient"
    if tuple(given.shape) != tuple(own.shape):
        raise ShapeError(f"step: {which} has shape {tuple(given.shape)} and its parameter {tuple(own.shape)}")
    there, here = device_of(given), device_of(own)
    if there != here:
        raise DeviceError(f"step: {which} is on {there} and its parameter on {here}; zero_grad after moving a model")
    if array_kind(given) is not array_kind(own) or given.dtype != own.dtype:
        raise DTypeError(
            f"step: {which} is {type(given).__name__} of {given.dtype} and its parameter {type(own).__name__} of {own.dtype}; "
            "zero_grad after casting a model"
        )
