"""What all optimizers share: parameter groups, gradients, flat buffers, state_dict."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any

import numpy

from gpugrad.arrays.devices import device_of, on
from gpugrad.arrays.dtypes import numpy_dtype
from gpugrad.arrays.explain import explain
from gpugrad.arrays.kernels import Kernel, Kernels
from gpugrad.compile.accelerate import accelerated
from gpugrad.errors import DeviceError, DTypeError, GraphError, OptionError, ShapeError
from gpugrad.modes import enable_grad
from gpugrad.ops.conversion import asarray
from gpugrad.ops.creation import zeros_like
from gpugrad.ops.shape import reshape
from gpugrad.ops.transfer import to_device
from gpugrad.optim.flat import FlatBuffer, array_kind, buffer_key
from gpugrad.tape import Leaf, Tensor

Parameters = Iterable[Tensor] | Iterable[tuple[str, Tensor]] | Iterable[dict[str, Any]]


def update_kernels(name: str, definition: Callable[..., tuple[Any, ...]]) -> Kernels:
    """Kernels that return what `definition` does, the new parameters and states: the old arrays, where they were written over.

    ``definition(p, g, *state, **numbers)`` returns ``(p, *state)``. On NumPy and CuPy one kernel, derived from it, does it all
    in one pass over memory, in place; where there is none, the definition runs and the results are arrays of their own.
    """

    def derived(otherwise: Kernel) -> Kernel:
        into = {0: 0} | {k: k + 1 for k in range(1, 9)}  # the gradient, argument 1, is only read
        return accelerated(definition, name, otherwise, smallest=0, into=into)

    return Kernels(name, definition, False, derived)


class Optimizer:
    """Base class: a subclass names its state arrays and its update kernel, and computes the kernel's numbers for a step.

    `params` are leaf Tensors that require gradients, pairs of a name and such a Tensor as ``model.named_parameters()`` gives
    them (errors then name them), or dicts with either as "params" and options of their own. From the first step on their arrays
    are views of flat buffers, one per group, device and dtype.
    Raises OptionError for no parameters or for options out of range, GraphError for a Tensor that is no such leaf or is given
    twice.
    """

    kernels: Kernels
    stepped = False
    """Whether a step was taken, or left out on purpose: schedules go on after it."""

    def __init__(self, params: Parameters, defaults: dict[str, Any]) -> None:
        self.defaults = defaults
        self.param_groups: list[dict[str, Any]] = []
        self._buffers: list[list[FlatBuffer]] = []
        given: list[Any] = [params] if isinstance(params, Tensor) else list(params)
        if not given:
            raise OptionError(f"{type(self).__name__}: got no parameters; does the model have any?")
        groups = given if isinstance(given[0], dict) else [{"params": given}]
        for group in groups:
            self.add_param_group(group)

    def add_param_group(self, group: Mapping[str, Any]) -> None:
        """Add a group: a dict with "params" and the options in which it differs from the defaults."""
        if "params" not in group:
            raise OptionError(f"{type(self).__name__}: a group needs 'params', but this one has only {sorted(group)}")
        params = group["params"]
        params, names = _named([params] if isinstance(params, Tensor) else list(params), type(self).__name__)
        known = {id(p) for g in self.param_groups for p in g["params"]}
        for i, p in enumerate(params):
            which = f"parameter {i}" if names is None else f"parameter {i} ({names[i]!r})"
            if not isinstance(p, Tensor) or type(p.node) is not Leaf:
                got = f"a Tensor of shape {tuple(p.array.shape)}" if isinstance(p, Tensor) else type(p).__name__
                raise GraphError(f"{type(self).__name__}: {which} is {got}, expected a leaf Tensor that requires a gradient")
            if id(p) in known:
                raise GraphError(f"{type(self).__name__}: {which}, of shape {tuple(p.array.shape)}, was given twice")
            known.add(id(p))
        unknown = set(group) - set(self.defaults) - {"params"}
        if unknown:
            raise OptionError(
                f"{type(self).__name__}: unknown options {sorted(unknown)}, expected some of {sorted(self.defaults)}"
            )
        options = {**self.defaults, **group, "params": params}
        if names is not None:
            options["param_names"] = names
        self.check(options)
        self.param_groups.append(options)
        self._buffers.append([])

    def check(self, options: Mapping[str, Any]) -> None:
        """Raise OptionError for options out of range."""

    def state_names(self, options: Mapping[str, Any]) -> tuple[str, ...]:
        """The names of the arrays that are kept for every parameter of a group."""
        raise NotImplementedError

    def numbers(self, options: Mapping[str, Any], step: int) -> dict[str, Any]:
        """The numbers that the update kernel takes in step number `step`, counted from 1."""
        raise NotImplementedError

    def zero_grad(self, set_to_none: bool = True) -> None:
        """Forget the gradients: None, or zeros if `set_to_none` is False."""
        for group in self.param_groups:
            for p in group["params"]:
                p.grad = None if set_to_none or p.grad is None else zeros_like(p.grad)

    def step(self, closure: Callable[[], Any] | None = None) -> Any:
        """Update every parameter that has a gradient; the others are left alone, as in PyTorch.

        `closure`, if given, computes the loss and its gradients first, and its result is returned. No other thread may read
        or hand out the parameters meanwhile.
        Raises ShapeError, DTypeError, DeviceError if a gradient does not fit its parameter, OutOfMemoryError if there is no room for
        the state, a gradient or, where no kernel updates in place, the results; then nothing has changed.
        """
        loss = None
        self.stepped = True
        if closure is not None:
            with enable_grad():
                loss = closure()
        for group in self.param_groups:
            for p, name in zip(group["params"], group.get("param_names") or itertools.repeat(""), strict=False):
                _check_gradient(p, name)
        groups = enumerate(self.param_groups)
        buffers = [(group, buffer) for index, group in groups for buffer in self._current_buffers(index)]
        # All that takes memory before anything is written: whoever runs out of it finds everything as it was.
        updates = [(buffer, *update) for group, buffer in buffers for update in self._updates(buffer, group)]
        # So those go first that are not updated in place.
        updates.sort(key=lambda update: update[0].in_place)
        waiting = []
        for buffer, members, (p, gradient, *state), numbers in updates:
            try:
                new = self.kernels[type(buffer.data)](p, gradient, *state, **numbers)
            except MemoryError as error:
                raise explain(self.kernels.name, error, (), {}) from None
            pairs = [(old, result) for old, result in zip((p, *state), new, strict=True) if result is not old]
            buffer.in_place = not pairs
            if pairs:
                waiting.append((buffer, members, pairs))
            else:
                buffer.updated(members)
        for buffer, members, pairs in waiting:
            for old, result in pairs:
                with on(device_of(old)):  # CuPy writes on its current device
                    old[...] = result
            buffer.updated(members)
        return loss

    def _updates(
        self, buffer: FlatBuffer, group: Mapping[str, Any]
    ) -> Iterator[tuple[tuple[int, ...], list[Any], dict[str, Any]]]:
        """What a step updates: which parameters of a buffer, the arrays and the numbers for the kernel."""
        by_step: dict[int, list[int]] = {}
        for i, p in enumerate(buffer.parameters):
            if p.grad is not None:
                by_step.setdefault(buffer.steps[i], []).append(i)
        buffer.release()
        for step, chosen in by_step.items():
            numbers = self.numbers(group, step + 1)
            for members, arrays in buffer.updates(chosen):
                yield members, arrays, numbers

    def _current_buffers(self, index: int) -> list[FlatBuffer]:
        """The buffers of a group; made again, with their state, if a parameter has moved or been given a new array."""
        params: list[Tensor] = self.param_groups[index]["params"]
        names = self.state_names(self.param_groups[index])
        buffers = self._buffers[index]
        if not buffers or not all(buffer.intact() and tuple(buffer.state) == names for buffer in buffers):
            buffers = _made(params, names, self._states(index))
            self._take(index, buffers)
        return buffers

    def _take(self, index: int, buffers: list[FlatBuffer]) -> None:
        """Let the parameters of a group stand in these buffers. Takes no memory."""
        for buffer in buffers:
            buffer.take_over()
        self._buffers[index] = buffers

    def _states(self, index: int) -> list[dict[str, Any]]:
        """Per parameter of a group: "step" and the state arrays, in the parameter's shape; empty before the first step."""
        found = {}
        for buffer in self._buffers[index]:
            for i, p in enumerate(buffer.parameters):
                if buffer.steps[i]:
                    arrays = {n: Tensor(reshape(buffer.of(a, i), tuple(p.array.shape))) for n, a in buffer.state.items()}
                    found[id(p)] = {"step": buffer.steps[i], **arrays}
        return [found.get(id(p), {}) for p in self.param_groups[index]["params"]]

    def state_dict(self) -> dict[str, Any]:
        """The state in PyTorch's form: "state" by number of the parameter, and "param_groups" with numbers for parameters."""
        state: dict[int, dict[str, Any]] = {}
        groups = []
        number = 0
        for index, group in enumerate(self.param_groups):
            numbers = list(range(number, number + len(group["params"])))
            number += len(numbers)
            groups.append({**{k: v for k, v in group.items() if k != "params"}, "params": numbers})
            for n, s in zip(numbers, self._states(index), strict=True):
                if s:
                    state[n] = {k: v.clone() if isinstance(v, Tensor) else v for k, v in s.items()}
        return {"state": state, "param_groups": groups}

    def load_state_dict(self, state_dict: Mapping[str, Any]) -> None:
        """Continue from a :meth:`state_dict`.

        Raises ShapeError, DTypeError or OptionError if it is of other parameters or another optimizer, OutOfMemoryError if there is
        no room for it; then nothing has changed.
        """
        if not isinstance(state_dict, Mapping) or not {"state", "param_groups"} <= set(state_dict):
            raise OptionError("load_state_dict: expected a dict with 'state' and 'param_groups', as state_dict() returns it")
        groups = state_dict["param_groups"]
        sizes, own = [len(g["params"]) for g in groups], [len(g["params"]) for g in self.param_groups]
        if sizes != own:
            raise ShapeError(f"load_state_dict: the state has groups of {sizes} parameters, and this optimizer has {own}")
        made = []
        for mine, theirs in zip(self.param_groups, groups, strict=True):
            missing = sorted(set(self.defaults) - set(theirs))
            if missing:
                raise OptionError(f"load_state_dict: a group of the state lacks the options {missing}")
            self.check(theirs)
            names = self.state_names(theirs)
            states = [(p, state_dict["state"].get(n, {})) for p, n in zip(mine["params"], theirs["params"], strict=True)]
            made.append(_made(mine["params"], names, [_checked_state(p, s, names) if s else {} for p, s in states]))
        for index, (theirs, buffers) in enumerate(zip(groups, made, strict=True)):
            self.param_groups[index].update({k: v for k, v in theirs.items() if k in self.defaults})
            self._take(index, buffers)


def _checked_state(p: Tensor, state: Mapping[str, Any], names: tuple[str, ...]) -> dict[str, Any]:
    """The loaded state of one parameter: its step, and arrays as Tensors of the parameter's dtype and device."""
    if "step" not in state:
        raise OptionError(f"load_state_dict: step is missing for a parameter of shape {tuple(p.array.shape)}")
    checked: dict[str, Any] = {"step": int(state["step"])}
    for name in names:
        value = state.get(name)
        if value is not None and not hasattr(value, "shape"):
            raise DTypeError(f"load_state_dict: {name} is {type(value).__name__}, expected an array")
        shape = None if value is None else tuple(value.shape)
        if shape != tuple(p.array.shape):
            raise ShapeError(f"load_state_dict: {name} has shape {shape} for a parameter of shape {tuple(p.array.shape)}")
        checked[name] = to_device(asarray(value, dtype=numpy_dtype(p.array.dtype)), p.device).detach()
    return checked


def _made(params: list[Tensor], names: tuple[str, ...], states: list[dict[str, Any]]) -> list[FlatBuffer]:
    """Buffers for these parameters, with a copy of their values and states; the parameters stay where they are."""
    state = {id(p): s for p, s in zip(params, states, strict=True)}
    alike: dict[Any, list[Tensor]] = {}
    for p in params:
        alike.setdefault(buffer_key(p), []).append(p)
    buffers = [FlatBuffer(ps, names) for ps in alike.values()]
    for buffer in buffers:
        _fill(buffer, [state[id(p)] for p in buffer.parameters])
    return buffers


def _fill(buffer: FlatBuffer, states: list[dict[str, Any]]) -> None:
    """Write the states of its parameters into a buffer."""
    for i, state in enumerate(states):
        buffer.steps[i] = state.get("step", 0)
        p = buffer.parameters[i]
        for name, flat in buffer.state.items():
            if name in state:  # of before the parameter was moved, perhaps
                moved = to_device(asarray(state[name], dtype=numpy_dtype(flat.dtype)), p.device)
                buffer.write(flat, i, reshape(moved.array, (-1,)))
            else:
                buffer.write(flat, i, 0)


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


def _check_gradient(p: Tensor, name: str) -> None:
    grad = p.grad
    if grad is None:
        return
    given, own = grad.array, p.array
    same = type(given) is type(own) and given.shape == own.shape and given.dtype == own.dtype
    if same and (type(own) is numpy.ndarray or device_of(given) == device_of(own)):
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
