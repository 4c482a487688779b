"""L-BFGS."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from itertools import accumulate, pairwise
from typing import Any

from gpugrad.arrays.dtypes import numpy_dtype
from gpugrad.derived import derived
from gpugrad.errors import DTypeError, OptionError, ShapeError
from gpugrad.modes import enable_grad
from gpugrad.ops.aliasing import refresh
from gpugrad.ops.conversion import asarray
from gpugrad.ops.creation import zeros_like
from gpugrad.ops.dtypes import astype
from gpugrad.ops.elementwise import abs
from gpugrad.ops.reduction import max, sum
from gpugrad.ops.shape import concat, reshape
from gpugrad.ops.transfer import to_device
from gpugrad.optim.flat import has_views
from gpugrad.optim.line_search import Point, strong_wolfe
from gpugrad.optim.optimizer import Optimizer, Parameters, State
from gpugrad.tape import Leaf, Tensor
from gpugrad.trees import map_leaves

_FLAT = ("d", "prev_flat_grad")
_LISTS = ("old_dirs", "old_stps")
_NUMBERS = ("t", "H_diag", "prev_loss")


class LBFGS(Optimizer):
    """The quasi-Newton method of limited memory (Liu and Nocedal, "On the limited memory BFGS method", 1989). For whole batches.

    A step makes up to `max_iter` iterations, with up to `max_eval` evaluations of the closure, 5/4 `max_iter` if it is None. It ends
    early once no gradient is larger than `tolerance_grad`, or no parameter and no loss has changed by more than `tolerance_change`.
    The inverse Hessian is estimated from the last `history_size` iterations. Steps have the length `lr` or, with
    ``line_search_fn="strong_wolfe"``, one that satisfies the strong Wolfe conditions, `lr` being tried first.

    As ``torch.optim.LBFGS``: one group of real parameters, on one device. It decides by numbers that it has to wait for, on a GPU as
    well. A step that raises leaves the parameters and the state as they were.
    Raises OptionError for a second group, for options out of range and, by :meth:`step`, without a closure; DTypeError for complex
    parameters.
    """

    def __init__(
        self,
        params: Parameters,
        lr: float = 1.0,
        max_iter: int = 20,
        max_eval: int | None = None,
        tolerance_grad: float = 1e-7,
        tolerance_change: float = 1e-9,
        history_size: int = 100,
        line_search_fn: str | None = None,
    ) -> None:
        options = {"lr": lr, "max_iter": max_iter, "max_eval": max_iter * 5 // 4 if max_eval is None else max_eval}
        tolerances = {"tolerance_grad": tolerance_grad, "tolerance_change": tolerance_change}
        self._state: State = {}
        self._moved: tuple[Any, list[Any]] = None, []  # a flat array, and the views of it that the parameters were made
        super().__init__(params, {**options, **tolerances, "history_size": history_size, "line_search_fn": line_search_fn})

    def add_param_group(self, group: Mapping[str, Any]) -> None:
        """See :class:`Optimizer`: the one group there may be."""
        if self.param_groups:
            raise OptionError(
                "LBFGS: got a second parameter group, and its direction is one for all parameters; use a single group"
            )
        super().add_param_group(group)
        sizes = [math.prod(p.array.shape) for p in self.param_groups[0]["params"]]
        self._stretches = list(pairwise(accumulate(sizes, initial=0)))

    def check_parameter(self, p: Any, which: str) -> None:
        super().check_parameter(p, which)
        if numpy_dtype(p.array.dtype).kind == "c":
            raise DTypeError(f"LBFGS: {which} is {p.array.dtype}, expected real parameters")

    def check(self, options: Mapping[str, Any]) -> None:
        super().check(options)
        for name in ("max_iter", "max_eval", "history_size"):
            if not isinstance(options[name], int) or options[name] < 1:
                raise OptionError(f"LBFGS: {name} is {options[name]!r}, expected an integer of 1 or more")
        if options["line_search_fn"] not in (None, "strong_wolfe"):
            raise OptionError(f"LBFGS: line_search_fn is {options['line_search_fn']!r}, expected None or 'strong_wolfe'")

    # Steps -----------------------------------------------------------------------------------------------------------

    def _step(self, closure: Callable[[], Any] | None = None) -> Any:
        if closure is None:
            raise OptionError(
                "LBFGS.step: got no closure; pass a function that computes the loss, calls backward and returns the loss"
            )
        before = [p.array for p in self.param_groups[0]["params"]]
        try:
            return self._iterate(closure)
        except BaseException:
            self._assign(before)
            raise

    def _iterate(self, closure: Callable[[], Any]) -> Any:
        options = self.param_groups[0]
        state: State = {"func_evals": 0, "n_iter": 0, "old_dirs": [], "old_stps": [], "ro": [], "H_diag": 1.0, **self._state}
        state = {name: list(x) if isinstance(x, list) else x for name, x in state.items()}
        first, gradient = self._evaluated(closure)
        loss, evaluations = _number(first), 1
        for n in range(1, options["max_iter"] + 1):
            if n == 1 and _largest(gradient).item() <= options["tolerance_grad"]:
                break
            state["n_iter"] += 1
            direction = _direction(gradient, state, options["history_size"])
            state |= {"d": direction, "prev_flat_grad": gradient, "prev_loss": loss}
            t = float(options["lr"])
            if state["n_iter"] == 1:
                t *= min(1.0, 1 / _size(gradient).item())
            state["t"] = t
            slope = _dot(gradient, direction).item()
            if slope > -options["tolerance_change"]:
                break
            x = self._position()
            if options["line_search_fn"] is not None:
                evaluate = self._along(closure, x, direction)
                start = Point(0.0, loss, gradient, slope)
                size, limit = _largest(direction).item(), options["max_eval"] - evaluations
                found, count = strong_wolfe(evaluate, start, t, size, limit)
                state["t"], loss, gradient = found.t, found.loss, found.gradient
                self._move(_plus(x, found.t, direction))
            else:
                self._move(_plus(x, t, direction))
                count = 0
                if n < options["max_iter"]:  # else nobody needs it
                    value, gradient = self._evaluated(closure)
                    loss, count = _number(value), 1
            evaluations += count
            if (
                n == options["max_iter"]
                or evaluations >= options["max_eval"]
                or math.fabs(loss - state["prev_loss"]) < options["tolerance_change"]
                or _largest(gradient).item() <= options["tolerance_grad"]
                or _largest(direction).item() * state["t"] <= options["tolerance_change"]
            ):
                break
        state["func_evals"] += evaluations
        self._state = state
        return first

    def _evaluated(self, closure: Callable[[], Any]) -> tuple[Any, Tensor]:
        """The loss and its gradient."""
        with enable_grad():
            loss = closure()
        self._gradients()  # checks them
        params = self.param_groups[0]["params"]
        return loss, self._flat([zeros_like(p.detach()) if p.grad is None else p.grad.detach() for p in params])

    def _along(self, closure: Callable[[], Any], x: Tensor, direction: Tensor) -> Callable[[float], Point]:
        """The points from x on in a direction."""

        def evaluate(t: float) -> Point:
            """The point at x + t * direction, where the parameters are moved."""
            self._move(_plus(x, t, direction))
            loss, gradient = self._evaluated(closure)
            return Point(t, _number(loss), gradient, _dot(gradient, direction).item())

        return evaluate

    @staticmethod
    def _flat(tensors: list[Tensor]) -> Tensor:
        return concat([reshape(x, (-1,)) for x in tensors])

    def _position(self) -> Tensor:
        """The values of the parameters as a flat array: that of which they are views, unless they were given others since."""
        params = self.param_groups[0]["params"]
        flat, views = self._moved
        if len(views) == len(params) and all(p.array is view for p, view in zip(params, views, strict=True)):
            return flat
        return self._flat([p.detach() for p in params])

    def _move(self, x: Tensor) -> None:
        """Give the parameters the values of a flat array, of which they become views."""
        params = self.param_groups[0]["params"]
        flat = x.array
        pairs = zip(params, self._stretches, strict=True)
        views = [astype(reshape(flat[a:b], tuple(p.array.shape)), p.array.dtype, copy=False) for p, (a, b) in pairs]
        self._assign(views)
        # Of another dtype, or of an array library without views, they would be copies.
        shared = has_views(flat) and all(p.array.dtype == flat.dtype for p in params)
        self._moved = (x, views) if shared else (x, [])

    def _assign(self, arrays: list[Any]) -> None:
        for p, array in zip(self.param_groups[0]["params"], arrays, strict=True):
            p.array = array
            if isinstance(p.node, Leaf):
                p.node.mark_changed()
            refresh(p)

    # States ----------------------------------------------------------------------------------------------------------

    def _states(self, index: int) -> list[State]:
        """In the place of the first parameter's, as in PyTorch."""
        return [self._state, *({} for _ in self._stretches[1:])]

    def _loading(self, index: int, options: Mapping[str, Any], states: list[State]) -> Callable[[], None]:
        given, p = states[0], options["params"][0]
        state: State = {}
        if given.get("n_iter"):
            missing = sorted({*_FLAT, *_LISTS, *_NUMBERS, "ro", "func_evals"} - set(given))
            if missing:
                raise OptionError(f"load_state_dict: the state of LBFGS lacks {missing}")
            state = {name: int(given[name]) for name in ("func_evals", "n_iter")}
            state |= {name: float(given[name]) for name in _NUMBERS} | {"ro": [float(x) for x in given["ro"]]}
            arrays = {name: given[name] for name in (*_FLAT, *_LISTS)}
            state |= map_leaves(lambda x: self._loaded(x, p), arrays)
        return lambda: setattr(self, "_state", state)

    def _loaded(self, value: Any, p: Tensor) -> Tensor:
        total = self._stretches[-1][1]
        if tuple(value.shape) != (total,):
            raise ShapeError(
                f"load_state_dict: a flat array has shape {tuple(value.shape)}, and the parameters {total} elements"
            )
        return to_device(asarray(value, dtype=numpy_dtype(p.array.dtype)), p.device).detach()


def _direction(gradient: Tensor, state: State, history_size: int) -> Tensor:
    """Minus the gradient times the inverse Hessian, as estimated; the last step joins the estimate, if the loss is convex there."""
    if state["n_iter"] == 1:
        return -gradient
    change, step, product, square = _progress(gradient, state["prev_flat_grad"], state["d"], state["t"])
    product = product.item()
    if product > 1e-10:
        for name, x in (("old_dirs", change), ("old_stps", step), ("ro", 1 / product)):
            state[name] = [*state[name], x][-history_size:]
        state["H_diag"] = product / square.item()
    memory = list(zip(state["old_dirs"], state["old_stps"], state["ro"], strict=True))
    ascent, factors = gradient, []
    for y, s, rho in reversed(memory):
        factors.append(_dot(s, ascent) * rho)
        ascent = _plus(ascent, -factors[-1], y)
    direction = _times(ascent, -state["H_diag"])
    for (y, s, rho), factor in zip(memory, reversed(factors), strict=True):
        direction = _plus(direction, -factor - _dot(y, direction) * rho, s)
    return direction


def _number(loss: Any) -> float:
    return float(loss.detach() if isinstance(loss, Tensor) else loss)


# Of flat arrays, each in one pass over memory:


@derived
def _dot(x: Any, y: Any) -> Any:
    return sum(x * y)


@derived
def _largest(x: Any) -> Any:
    return max(abs(x))


@derived
def _size(x: Any) -> Any:
    return sum(abs(x))


@derived
def _times(x: Any, factor: float) -> Any:
    return x * factor


@derived
def _plus(x: Any, factor: Any, y: Any) -> Any:
    return x + factor * y


@derived
def _progress(gradient: Any, before: Any, direction: Any, t: float) -> Any:
    """How much gradient and parameters have changed, the product of the two, and the square of the first."""
    change, step = gradient - before, direction * t
    return change, step, sum(change * step), sum(change * change)
