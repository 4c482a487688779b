"""Optimizers whose step is a rule for each element, or for each parameter: flat buffers, one update per device and dtype."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, NamedTuple

from gpugrad.arrays.devices import device_of, on
from gpugrad.arrays.dtypes import numpy_dtype
from gpugrad.arrays.explain import explain
from gpugrad.arrays.kernels import Kernels
from gpugrad.errors import DTypeError, OptionError, ShapeError
from gpugrad.ops.conversion import asarray
from gpugrad.ops.shape import reshape
from gpugrad.ops.transfer import to_device
from gpugrad.optim.flat import Chosen, FlatBuffer, buffer_key, has_views, return_freed
from gpugrad.optim.optimizer import Optimizer, Parameters, State
from gpugrad.optim.options import Switches, read_switches
from gpugrad.tape import Tensor


class Update(NamedTuple):
    """Parameters of a buffer that are updated together: [values, gradients, *state], and the numbers to do it with and to keep."""

    buffer: FlatBuffer
    members: Chosen
    arrays: list[Any]
    numbers: dict[str, Any]
    kept: dict[str, float]


class FlatOptimizer(Optimizer):
    """Base class: a subclass names its state and its rule, and computes the rule's numbers for a step.

    From the first step on the arrays of the parameters are views of flat buffers, one per group, device and dtype. The rule is
    made a kernel by :func:`~gpugrad.optim.update.update_kernels`, which adds weight decay, `maximize` and float32 master weights.

    Complex parameters are updated as pairs of real numbers, as in PyTorch, by rules for single elements; others refuse them.

    A rule for single elements updates all parameters of a buffer at once. One that needs a whole parameter, a norm or a matrix,
    has `whole`: kernels of a function that is called as the rule is, each parameter by itself and in its shape, and returns one
    array. The rule then takes that array after the state, or what :meth:`finished` makes of it.
    """

    kernels: Kernels
    whole: Kernels | None = None
    counted = True
    """Whether "step" is part of a parameter's state. If not, it is 1 in the first step, 2 in all others, and in no state_dict."""

    def __init__(self, params: Parameters, defaults: dict[str, Any], switches: Switches) -> None:
        self._buffers: dict[int, list[FlatBuffer]] = {}
        super().__init__(params, {**defaults, **read_switches(type(self).__name__, switches)})

    def check_parameter(self, p: Any, which: str) -> None:
        super().check_parameter(p, which)
        if p.dtype.kind == "c" and (self.whole is not None or not has_views(p.array)):
            kind = "a real one" if self.whole is not None else "a real one, or an array of NumPy or CuPy"
            raise DTypeError(
                f"{type(self).__name__}: {which} is {p.dtype}, expected {kind}; keep real and imaginary parts apart"
            )

    def arrays(self, options: Mapping[str, Any]) -> dict[str, float]:
        """The names of the arrays that are kept for every parameter of a group, and the number that they start with."""
        raise NotImplementedError

    def scalars(self, options: Mapping[str, Any]) -> dict[str, float]:
        """The names of more numbers that are kept for every parameter, on the host, and what they start with."""
        return {}

    def numbers(self, options: Mapping[str, Any], state: dict[str, float]) -> dict[str, Any]:
        """The numbers that the rule takes in a step.

        `state` holds "step", counted from 1, and :meth:`scalars`; what this method writes into it is kept.
        """
        raise NotImplementedError

    def decays(self, options: Mapping[str, Any]) -> tuple[float, float]:
        """The weight decay that joins the gradient, and the factor of the parameters that is decoupled from it."""
        rate = options.get("weight_decay", 0.0)
        return (0.0, 1 - options["lr"] * rate) if options.get("decoupled_weight_decay", False) else (rate, 1.0)

    # Steps -----------------------------------------------------------------------------------------------------------

    def _update(self, gradients: list[list[Any]]) -> None:
        buffers = list(map(self._current_buffers, range(len(self.param_groups))))
        # All that takes memory before anything is written: whoever runs out of it finds everything as it was. So those go first that
        # are not updated in place, and of parameters by themselves the largest, whose memory the others take after it.
        updates: list[Update] = []
        for group, found, given in zip(self.param_groups, buffers, gradients, strict=True):
            for buffer in found:
                updates += self._updates(buffer, group, given)
        if len(updates) > 1:
            updates.sort(key=lambda update: (update.buffer.in_place, -update.arrays[0].size if self.whole is not None else 0))
        waiting = []
        for update, results in self._results(updates):
            old = [update.arrays[0], *update.arrays[2:]]
            pairs = [(x, new) for x, new in zip(old, results, strict=True) if new is not x]
            update.buffer.in_place = not pairs
            if pairs:
                waiting.append((update, pairs))
            else:
                update.buffer.updated(update.members, update.kept)
        for update, pairs in waiting:
            for x, new in pairs:
                with on(device_of(x)):  # CuPy writes on its current device
                    x[...] = new
            update.buffer.updated(update.members, update.kept)

    def _results(self, updates: list[Update]) -> Iterator[tuple[Update, tuple[Any, ...]]]:
        """The new values and state of each; the old arrays, where they were written over."""
        whole = self.whole
        try:
            if whole is None:
                for update in updates:
                    yield update, self.kernels[type(update.buffer.data)](*update.arrays, **update.numbers)
                return
            for alike in self.together(updates):
                found = [whole[type(x.buffer.data)](*x.arrays, **x.numbers) for x in alike]
                found = self.finished(found, alike[0].numbers)
                for update, array in zip(alike, found, strict=True):
                    yield update, self.kernels[type(update.buffer.data)](*update.arrays, array, **update.numbers)
        except MemoryError as error:
            raise explain(self.kernels.name, error, (), {}) from None

    def together(self, updates: list[Update]) -> Iterator[list[Update]]:
        """Cut the updates of a step into those that are computed together: the arrays of `whole` of all of them exist at a time."""
        return ([update] for update in updates)

    def finished(self, found: list[Any], numbers: Mapping[str, Any]) -> list[Any]:
        """What the rule takes, from the arrays of `whole` of updates that are computed together, with the numbers of the first."""
        return found

    def _updates(self, buffer: FlatBuffer, group: Mapping[str, Any], gradients: Sequence[Any]) -> list[Update]:
        """What a step updates of a buffer, given the gradients of its group."""
        if len(buffer.places) < len(gradients):
            gradients = [gradients[place] for place in buffer.places]
        start = {"step": 0, **self.scalars(group)}
        alike: dict[tuple[float, ...], tuple[dict[str, float], list[int]]] = {}
        chosen: list[int] = []
        last = None
        for i, gradient in enumerate(gradients):
            if gradient is not None:
                given = buffer.numbers[i] or start
                if given is not last:  # what was updated together shares its numbers
                    (_, chosen), last = alike.setdefault(tuple(given.values()), (given.copy(), [])), given
                chosen.append(i)
        buffer.release()
        coupled, decay = self.decays(group)
        common = {"decay": decay, "weight_decay": coupled, "maximize": group["maximize"], "master": buffer.master}
        parts = buffer.joined if self.whole is None else buffer.apart
        updates = []
        for state, chosen in alike.values():
            state["step"] = state["step"] + 1 if self.counted else min(state["step"] + 1, 2)
            numbers = {**common, **self.numbers(group, state)}
            # Floats are arguments of a kernel; a kernel for each value is what all else would mean.
            for name, x in numbers.items():
                if type(x) is not float and type(x) is not bool and isinstance(x, (int, float)):
                    numbers[name] = float(x)
            for members, arrays in parts(tuple(chosen), gradients):
                updates.append(Update(buffer, members, arrays, numbers, state))
        return updates

    def _current_buffers(self, index: int) -> list[FlatBuffer]:
        """The buffers of a group; made again, with their state, if it has other parameters, or one has moved or got a new array."""
        group = self.param_groups[index]
        arrays, master = self.arrays(group), group["master_weights"]
        if index not in self._buffers:  # the state comes when what the parameters were in is gone: less memory
            self._take(index, _laid_out(group["params"]))
            return_freed(self._buffers[index])
            for buffer in self._buffers[index]:
                buffer.allocate(arrays, master)
        found, params = self._buffers[index], group["params"]
        usable = bool(found) or not params
        for buffer in found:
            usable = usable and buffer.intact(params) and buffer.fits(arrays, master)
        if not usable:
            self._take(index, self._made(group, self._states(index, current=True)))
        return self._buffers[index]

    def _made(self, group: Mapping[str, Any], states: list[State]) -> list[FlatBuffer]:
        """Buffers for the parameters of a group, with a copy of their values and states; the parameters stay where they are."""
        state = {id(p): s for p, s in zip(group["params"], states, strict=True)}
        buffers = _laid_out(group["params"])
        for buffer in buffers:
            buffer.allocate(self.arrays(group), group["master_weights"])
            for i, p in enumerate(buffer.parameters):
                self._fill(buffer, i, state[id(p)], group)
        return buffers

    def _fill(self, buffer: FlatBuffer, i: int, state: State, group: Mapping[str, Any]) -> None:
        """Write the state of a parameter into a new buffer."""
        if not state:
            return
        scalars = {"step": 0, **self.scalars(group)}
        if not self.counted:
            state = {**state, "step": 1 if buffer.state.keys() - {"master"} <= state.keys() else 0}
        buffer.numbers[i] = {name: state.get(name, value) for name, value in scalars.items()}
        for name, flat in buffer.state.items():
            if name in state:  # of before the parameter was moved, perhaps
                moved = to_device(asarray(state[name], dtype=numpy_dtype(flat.dtype)), buffer.parameters[i].device)
                buffer.write(flat, i, reshape(moved.array, (-1,)))

    def _take(self, index: int, buffers: list[FlatBuffer]) -> None:
        """Let the parameters of a group stand in these buffers. Takes no memory."""
        for buffer in buffers:
            buffer.take_over()
        self._buffers[index] = buffers

    # States ----------------------------------------------------------------------------------------------------------

    def _states(self, index: int, current: bool = False) -> list[State]:
        """See :class:`Optimizer`. With `current`, without the master copies of parameters that have been given other values."""
        found = {}
        for buffer in self._buffers.get(index, ()):
            for i, (p, numbers) in enumerate(zip(buffer.parameters, buffer.numbers, strict=True)):
                if numbers is None:
                    continue
                state: State = {k: x for k, x in numbers.items() if k != "step" or self.counted}
                for name, flat in buffer.state.items():
                    if name != "master" or not current or p.array is buffer.views[i]:
                        state[name] = Tensor(reshape(buffer.of(flat, i), buffer.shapes[i]))
                found[id(p)] = state
        return [found.get(id(p), {}) for p in self.param_groups[index]["params"]]

    def _loading(self, index: int, options: Mapping[str, Any], states: list[State]) -> Callable[[], None]:
        params = options["params"]
        checked = [self._checked_state(p, s, options) if s else {} for p, s in zip(params, states, strict=True)]
        buffers = self._made(options, checked)
        return lambda: self._take(index, buffers)

    def _checked_state(self, p: Tensor, state: Mapping[str, Any], options: Mapping[str, Any]) -> State:
        """The loaded state of one parameter: its numbers, and arrays as Tensors on the parameter's device."""
        shape = tuple(p.array.shape)
        checked: State = {}
        for name in ("step", *self.scalars(options)) if self.counted else ():
            if name not in state:
                raise OptionError(f"load_state_dict: {name} is missing for a parameter of shape {shape}")
            checked[name] = int(state[name]) if name == "step" else float(state[name])
        for name in self.arrays(options):
            value = state.get(name)
            if value is not None and not hasattr(value, "shape"):
                raise DTypeError(f"load_state_dict: {name} is {type(value).__name__}, expected an array")
            given = None if value is None else tuple(value.shape)
            if given != shape:
                raise ShapeError(f"load_state_dict: {name} has shape {given} for a parameter of shape {shape}")
            checked[name] = _loaded(value, p)
        if state.get("master") is not None and tuple(state["master"].shape) == shape:
            checked["master"] = _loaded(state["master"], p)
        return checked


def _laid_out(params: list[Tensor]) -> list[FlatBuffer]:
    """A buffer for each kind of parameters."""
    alike: dict[Any, list[int]] = {}
    for i, p in enumerate(params):
        alike.setdefault(buffer_key(p), []).append(i)
    return [FlatBuffer(params, places) for places in alike.values()]


def _loaded(value: Any, p: Tensor) -> Tensor:
    """An array of any library, PyTorch's included, as a Tensor on the device of a parameter."""
    return to_device(asarray(value), p.device).detach()
