"""GradScaler: gradients that float16 could not hold, kept by a factor on the loss."""

from __future__ import annotations

import math
import weakref
from collections.abc import Mapping
from enum import Enum
from typing import Any

from gpugrad.arrays.dtypes import numpy_dtype
from gpugrad.errors import DTypeError, OptionError
from gpugrad.nn.utils.clip_grad import get_total_norm, scale_gradients
from gpugrad.ops.elementwise import multiply
from gpugrad.optim.optimizer import Optimizer
from gpugrad.tape import Tensor
from gpugrad.trees import map_leaves


class _Stage(Enum):
    READY = "ready"
    UNSCALED = "unscaled"
    STEPPED = "stepped"


class GradScaler:
    """Scales the loss so that small gradients do not become 0 in float16, and skips steps whose gradients overflowed.

    ::

        scaler = gg.amp.GradScaler()
        for images, labels in loader:
            optimizer.zero_grad()
            with gg.autocast("cuda", dtype=gg.float16):
                loss = F.cross_entropy(model(images), labels)
            scaler.scale(loss).backward()
            scaler.unscale_(optimizer)                        # only to clip, or to look at gradients
            nn.utils.clip_grad_norm_(model.parameters(), 1.0)
            scaler.step(optimizer)                            # unscales first, unless that was done
            scaler.update()

    A step whose gradients hold inf or nan is left out, and the scale is multiplied by `backoff_factor`; after `growth_interval`
    steps in a row without one it is multiplied by `growth_factor`. bfloat16 has the range of float32 and needs no scaler. One
    number for each optimizer and step is read back from a GPU.
    Raises OptionError for options out of range, DTypeError for an init_scale that is no number.
    Source: P. Micikevicius et al., "Mixed precision training", ICLR 2018;
    https://docs.pytorch.org/docs/stable/amp.html#torch.amp.GradScaler
    """

    def __init__(
        self,
        device: str = "cuda",
        init_scale: float = 2.0**16,
        growth_factor: float = 2.0,
        backoff_factor: float = 0.5,
        growth_interval: int = 2000,
        enabled: bool = True,
    ) -> None:
        if not 0 < init_scale < math.inf:
            raise OptionError(f"GradScaler: init_scale is {init_scale}, expected a positive number")
        if not growth_factor > 1:
            raise OptionError(f"GradScaler: growth_factor is {growth_factor}, expected more than 1")
        if not 0 < backoff_factor < 1:
            raise OptionError(f"GradScaler: backoff_factor is {backoff_factor}, expected more than 0 and less than 1")
        if growth_interval < 1:
            raise OptionError(f"GradScaler: growth_interval is {growth_interval}, expected 1 or more")
        self.device = device
        self._scale = float(init_scale)
        self._growth_factor = growth_factor
        self._backoff_factor = backoff_factor
        self._growth_interval = growth_interval
        self._growth_tracker = 0
        self._enabled = enabled
        # Of every optimizer since the last update: its stage, and whether its gradients were finite.
        self._optimizers: weakref.WeakKeyDictionary[Optimizer, tuple[_Stage, bool]] = weakref.WeakKeyDictionary()

    def __getstate__(self) -> dict[str, Any]:
        """All but what concerns optimizers: a copy, or what is pickled, is as after an update."""
        return {name: value for name, value in vars(self).items() if name != "_optimizers"}

    def __setstate__(self, state: dict[str, Any]) -> None:
        vars(self).update(state, _optimizers=weakref.WeakKeyDictionary())

    def scale(self, outputs: Any) -> Any:
        """The loss, or a list or dict of losses, times the scale. Raises DTypeError for what is no Tensor."""
        if not self._enabled:
            return outputs

        def scaled(x: Any) -> Any:
            """One of them times the scale."""
            if not isinstance(x, Tensor):
                raise DTypeError(f"GradScaler.scale: got {type(x).__name__}, expected a Tensor such as the loss")
            return multiply(x, self._scale)

        return map_leaves(scaled, outputs)

    def unscale_(self, optimizer: Optimizer) -> None:
        """Divide the gradients of an optimizer by the scale, in place: before they are clipped or looked at.

        Raises OptionError if that was done since the last :meth:`update`, or if no parameter has a gradient; DTypeError for
        gradients of 16 bits, which lose what the scale was to save: keep parameters in float32, with autocast.
        """
        if not self._enabled:
            return
        stage, _ = self._optimizers.get(optimizer, (_Stage.READY, True))
        if stage is not _Stage.READY:
            done = "unscale_" if stage is _Stage.UNSCALED else "step"
            raise OptionError(
                f"GradScaler.unscale_: {done} was called for this optimizer since the last update(); call update() first"
            )
        owners = [p for group in optimizer.param_groups for p in group["params"] if p.grad is not None]
        if not owners:
            raise OptionError(
                "GradScaler: no parameter of the optimizer has a gradient; call scaler.scale(loss).backward() first"
            )
        for p in owners:
            if numpy_dtype(p.grad.dtype).itemsize == 2:
                raise DTypeError(
                    f"GradScaler.unscale_: got a gradient of {p.grad.dtype}, expected float32 or float64: what the scale saved would be "
                    "lost; keep the model in float32 and use gg.autocast, or give the optimizer float32 master weights"
                )
        scale_gradients(owners, 1 / self._scale)
        norm = get_total_norm([p.grad for p in owners], math.inf)
        self._optimizers[optimizer] = (_Stage.UNSCALED, math.isfinite(norm.item()))

    def step(self, optimizer: Optimizer, *args: Any, **kwargs: Any) -> Any:
        """``optimizer.step(*args, **kwargs)`` if its gradients, unscaled, are finite; else None, and nothing changes.

        Raises OptionError for a second step without :meth:`update`, for a closure, and as :meth:`unscale_`.
        """
        if not self._enabled:
            return optimizer.step(*args, **kwargs)
        if args or kwargs.get("closure") is not None:
            raise OptionError(
                "GradScaler.step: got a closure, which computes gradients that are not unscaled; step without one"
            )
        stage, _ = self._optimizers.get(optimizer, (_Stage.READY, True))
        if stage is _Stage.STEPPED:
            raise OptionError("GradScaler.step: was called for this optimizer since the last update(); call update() first")
        if stage is _Stage.READY:
            self.unscale_(optimizer)
        _, finite = self._optimizers[optimizer]
        self._optimizers[optimizer] = (_Stage.STEPPED, finite)
        if finite:
            return optimizer.step(**kwargs)
        optimizer.stepped = True  # a schedule may go on
        return None

    def update(self, new_scale: float | None = None) -> None:
        """Adapt the scale to the steps since the last update, or set it. Raises OptionError if there were none."""
        if not self._enabled:
            return
        if new_scale is not None:
            if not 0 < new_scale < math.inf:
                raise OptionError(f"GradScaler.update: new_scale is {new_scale}, expected a positive number")
            self._scale = float(new_scale)
        elif not self._optimizers:
            raise OptionError(
                "GradScaler.update: no optimizer was unscaled or stepped since the last update; call step(optimizer) first"
            )
        elif all(finite for _, finite in self._optimizers.values()):
            self._growth_tracker += 1
            if self._growth_tracker >= self._growth_interval:
                grown = self._scale * self._growth_factor
                self._scale = grown if grown < math.inf else self._scale
                self._growth_tracker = 0
        else:
            self._scale *= self._backoff_factor
            self._growth_tracker = 0
        self._optimizers.clear()

    def get_scale(self) -> float:
        """The scale; 1 if it is not enabled."""
        return self._scale if self._enabled else 1.0

    def is_enabled(self) -> bool:
        """Whether it scales at all."""
        return self._enabled

    def state_dict(self) -> dict[str, Any]:
        """The scale, the options, and how many steps in a row were finite; empty if it is not enabled."""
        names = ("growth_factor", "backoff_factor", "growth_interval", "_growth_tracker")
        own = {name: getattr(self, f"_{name.lstrip('_')}") for name in names}
        return {"scale": self._scale, **own} if self._enabled else {}

    def load_state_dict(self, state_dict: Mapping[str, Any]) -> None:
        """Continue from a :meth:`state_dict`. Raises OptionError for another dict; then nothing has changed."""
        if not self._enabled:
            return
        own = self.state_dict()
        if state_dict.keys() != own.keys():
            raise OptionError(
                f"GradScaler.load_state_dict: got {sorted(state_dict)}, expected {sorted(own)}; a scaler that is not enabled saves nothing"
            )
        for name, value in state_dict.items():
            setattr(self, f"_{name.lstrip('_')}", value)
