"""Hooks of modules: functions that see, and may replace, what goes into a call and out of it, forward and backward.

A module without hooks pays one test of an attribute per call.
"""

from __future__ import annotations

import warnings
from collections import OrderedDict
from collections.abc import Callable, Iterator, Mapping
from typing import TYPE_CHECKING, Any, NamedTuple

from gpugrad.arrays.dtypes import numpy_dtype
from gpugrad.debug import caller
from gpugrad.errors import DTypeError, RuleError
from gpugrad.modes import DEBUG, flags, is_grad_enabled
from gpugrad.operators import RemovableHandle
from gpugrad.ops.dtypes import astype
from gpugrad.ops.elementwise import conj
from gpugrad.tape import Joint, Tensor, raw
from gpugrad.trees import leaves, rebuild

if TYPE_CHECKING:
    from gpugrad.nn.module import Module

Gradients = tuple[Any, ...]


class Hook(NamedTuple):
    """One hook and how it is called."""

    function: Callable[..., Any]
    with_kwargs: bool = False
    always_call: bool = False


class Hooks:
    """The hooks of one module, by when they are called, each kind in the order of its calls."""

    def __init__(self) -> None:
        self.before: OrderedDict[int, Hook] = OrderedDict()
        self.after: OrderedDict[int, Hook] = OrderedDict()
        self.backward_before: OrderedDict[int, Hook] = OrderedDict()
        self.backward_after: OrderedDict[int, Hook] = OrderedDict()
        self.saving: OrderedDict[int, Hook] = OrderedDict()
        self.saved: OrderedDict[int, Hook] = OrderedDict()
        self.loading: OrderedDict[int, Hook] = OrderedDict()
        self.loaded: OrderedDict[int, Hook] = OrderedDict()


class Hooked:
    """What :class:`Module` has to do with hooks."""

    _hooks: Hooks | None = None

    def _add_hook(self, kind: str, hook: Hook, prepend: bool = False) -> RemovableHandle:
        if not callable(hook.function):
            raise DTypeError(f"{type(self).__name__}: a hook is {type(hook.function).__name__}, expected a function")
        if self._hooks is None:
            self._hooks = Hooks()
        present = getattr(self._hooks, kind)
        handle = RemovableHandle(present)
        present[handle._key] = hook
        if prepend:
            present.move_to_end(handle._key, last=False)
        return handle

    def register_forward_pre_hook(
        self, hook: Callable[..., Any], *, prepend: bool = False, with_kwargs: bool = False
    ) -> RemovableHandle:
        """Call ``hook(module, args)`` before every forward; what it returns, unless None, replaces the arguments.

        A single value stands for a tuple of one. With `with_kwargs` it is ``hook(module, args, kwargs)``, which returns None or
        ``(args, kwargs)``. With `prepend` it is called before the hooks that are there already. ``remove()`` of the result takes
        the hook away; so does leaving it as a context.
        Source: https://docs.pytorch.org/docs/stable/generated/torch.nn.Module.html
        """
        return self._add_hook("before", Hook(hook, with_kwargs), prepend)

    def register_forward_hook(
        self, hook: Callable[..., Any], *, prepend: bool = False, with_kwargs: bool = False, always_call: bool = False
    ) -> RemovableHandle:
        """Call ``hook(module, args, output)`` after every forward; what it returns, unless None, replaces the output.

        With `with_kwargs` it is ``hook(module, args, kwargs, output)``. With `always_call` it is called, its result ignored, also
        if the forward raised an error: the output is None then. Otherwise as :meth:`register_forward_pre_hook`.
        """
        return self._add_hook("after", Hook(hook, with_kwargs, always_call), prepend)

    def register_full_backward_pre_hook(self, hook: Callable[..., Any], prepend: bool = False) -> RemovableHandle:
        """Call ``hook(module, grad_output)`` when the gradients of the output are known, before they go through the module.

        `grad_output` is a tuple with one entry per array of the output, None where no gradient arrived. What the hook returns,
        unless None, replaces it: a tuple of as many, or a Tensor for one. Derivatives of higher order pass hooks as any op.
        """
        return self._add_hook("backward_before", Hook(hook), prepend)

    def register_full_backward_hook(self, hook: Callable[..., Any], prepend: bool = False) -> RemovableHandle:
        """Call ``hook(module, grad_input, grad_output)`` when the gradients of the inputs are known.

        `grad_input` has one entry per positional argument, None for those that are no Tensors or record nothing; what the hook
        returns, unless None, replaces it. If no input records, it is called with None for each when the gradients of the output
        are known. `grad_output` as for :meth:`register_full_backward_pre_hook`.
        """
        return self._add_hook("backward_after", Hook(hook), prepend)

    def register_state_dict_pre_hook(self, hook: Callable[..., Any]) -> RemovableHandle:
        """Call ``hook(module, prefix, keep_vars)`` before ``state_dict`` collects."""
        return self._add_hook("saving", Hook(hook))

    def register_state_dict_post_hook(self, hook: Callable[..., Any]) -> RemovableHandle:
        """Call ``hook(module, state_dict, prefix, local_metadata)`` after ``state_dict`` has collected; it may change the dict."""
        return self._add_hook("saved", Hook(hook))

    def register_load_state_dict_pre_hook(self, hook: Callable[..., Any]) -> RemovableHandle:
        """Call ``hook(module, state_dict, prefix, local_metadata, strict, missing_keys, unexpected_keys, error_msgs)``.

        Before ``load_state_dict`` looks at the dict, a copy that the hook may change: to rename keys of old files, say. What it
        appends to `error_msgs` is reported.
        """
        return self._add_hook("loading", Hook(hook))

    def register_load_state_dict_post_hook(self, hook: Callable[..., Any]) -> RemovableHandle:
        """Call ``hook(module, incompatible_keys)`` after ``load_state_dict``."""
        return self._add_hook("loaded", Hook(hook))


def hooks_below(module: Module, kind: str, prefix: str = "") -> Iterator[tuple[str, Module, Callable[..., Any]]]:
    """The hooks of a kind of a module and all below it, parents first, with what the names of their parts begin with: "layer."."""
    for name, owner in module.named_modules():
        if owner._hooks is not None:
            for hook in tuple(getattr(owner._hooks, kind).values()):
                yield f"{prefix}{name}." if name else prefix, owner, hook.function


def called(module: Module, hooks: Hooks, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
    """A call of a module with hooks."""
    output, done = None, set()
    try:
        for hook in tuple(hooks.before.values()):
            args, kwargs = _before(hook, module, args, kwargs)
        watch = _Watch(module, hooks, len(args)) if hooks.backward_before or hooks.backward_after else None
        if watch is not None:
            args = watch.inputs(args)
        output = module.forward(*args, **kwargs)
        for key, hook in tuple(hooks.after.items()):
            done.add(key)
            returned = _after(hook, module, args, kwargs, output)
            output = output if returned is None else returned
        return output if watch is None else watch.outputs(output)
    except Exception:
        for key, hook in tuple(hooks.after.items()):
            if hook.always_call and key not in done:
                try:
                    _after(hook, module, args, kwargs, output)
                except Exception as error:  # the error at hand is the one to report
                    warnings.warn(f"a forward hook with always_call of {type(module).__name__} failed: {error}", stacklevel=3)
        raise


def _before(
    hook: Hook, module: Module, args: tuple[Any, ...], kwargs: dict[str, Any]
) -> tuple[tuple[Any, ...], dict[str, Any]]:
    if not hook.with_kwargs:
        returned = hook.function(module, args)
        return (args if returned is None else returned if isinstance(returned, tuple) else (returned,)), kwargs
    returned = hook.function(module, args, kwargs)
    if returned is None:
        return args, kwargs
    if not isinstance(returned, tuple) or len(returned) != 2:
        raise DTypeError(
            f"{type(module).__name__}: a forward pre-hook with kwargs returned {type(returned).__name__}, expected None or (args, kwargs)"
        )
    return returned


def _after(hook: Hook, module: Module, args: tuple[Any, ...], kwargs: dict[str, Any], output: Any) -> Any:
    return hook.function(module, args, kwargs, output) if hook.with_kwargs else hook.function(module, args, output)


# Backward ------------------------------------------------------------------------------------------------------------


class _Watch:
    """The backward hooks of one call: inputs and outputs pass through nodes that show their gradients to the hooks."""

    def __init__(self, module: Module, hooks: Hooks, count: int) -> None:
        self.module = module
        self.hooks = hooks
        self.count = count  # of positional arguments
        self.recording = False  # whether any input does
        self.grad_output: Gradients = ()

    def inputs(self, args: tuple[Any, ...]) -> tuple[Any, ...]:
        """The arguments; the Tensors among them show their gradients."""
        if not self.hooks.backward_after:
            return args
        self.recording = is_grad_enabled() and any(isinstance(x, Tensor) and x.node is not None for x in args)
        return tuple(_shown(args, self.into, type(self.module).__name__))

    def outputs(self, output: Any) -> Any:
        """The output, whose arrays show their gradients."""
        return rebuild(output, iter(_shown(leaves(output), self.out_of, type(self.module).__name__)))

    def out_of(self, gradients: Gradients) -> Gradients:
        """The gradients of the outputs after the hooks that see them alone; the others run here if no input records."""
        for hook in tuple(self.hooks.backward_before.values()):
            gradients = _replaced(hook.function(self.module, gradients), gradients, self.module)
        self.grad_output = gradients
        if not self.recording:
            self.into((None,) * self.count)
        return gradients

    def into(self, gradients: Gradients) -> Gradients:
        """The gradients of the inputs after the hooks that see those of inputs and outputs."""
        grad_output, self.grad_output = self.grad_output, ()
        for hook in tuple(self.hooks.backward_after.values()):
            gradients = _replaced(hook.function(self.module, gradients, grad_output), gradients, self.module)
        return gradients


def _replaced(returned: Any, gradients: Gradients, module: Module) -> Gradients:
    """The gradients after a hook."""
    if returned is None:
        return gradients
    returned = returned if isinstance(returned, (tuple, list)) else (returned,)
    if len(returned) != len(gradients):
        raise RuleError(
            f"{type(module).__name__}: a backward hook returned {len(returned)} gradients, expected {len(gradients)}"
        )
    for i, (new, old) in enumerate(zip(returned, gradients, strict=True)):
        if new is not None and old is not None and tuple(getattr(new, "shape", ())) != tuple(old.shape):
            given = f"shape {tuple(new.shape)}" if hasattr(new, "shape") else type(new).__name__
            raise RuleError(
                f"{type(module).__name__}: a backward hook returned {given} for gradient {i}, expected {tuple(old.shape)}"
            )
    return tuple(returned)


def _shown(values: Any, show: Callable[[Gradients], Gradients], name: str) -> list[Any]:
    """The values; those that record go through one node, which gives their gradients to `show` and passes on what that returns."""
    values = list(values)
    recording = [i for i, x in enumerate(values) if isinstance(x, Tensor) and x.node is not None]
    if not recording or not is_grad_enabled():
        return values
    nodes = [values[i].node for i in recording]
    count = len(values)

    def pull(gradients: list[Any], create_graph: bool, live: Mapping[int, Any]) -> Iterator[tuple[Any, ...]]:
        """The nodes before this one, with their gradients after `show`."""
        # Tensors of their own, in the user's convention for complex numbers: a hook may rebind them.
        given: list[Any] = [None] * count
        for i, node, g in zip(recording, nodes, gradients, strict=True):
            if g is not None:
                seen = Tensor(raw(g), g.node if create_graph else None)
                given[i] = conj(seen) if numpy_dtype(node.dtype).kind == "c" else seen
        returned = show(tuple(given))
        for k, (i, node) in enumerate(zip(recording, nodes, strict=True)):
            if returned[i] is given[i]:
                if gradients[k] is not None:
                    yield node, gradients[k], live.get(k)
            elif returned[i] is not None:
                new = returned[i] if isinstance(returned[i], Tensor) else Tensor(returned[i])
                new = astype(conj(new) if numpy_dtype(node.dtype).kind == "c" else new, node.dtype, copy=False)
                yield node, new if create_graph else new.array

    joint = Joint(f"hooks of {name}", tuple(nodes), pull, len(recording))
    if flags() & DEBUG:
        joint.site = caller()
    for k, i in enumerate(recording):
        values[i] = Tensor(values[i].array, joint.output(k, values[i].array))
    return values
