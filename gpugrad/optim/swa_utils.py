"""Averages of a model's weights over the steps of training: exponential moving averages (EMA), and stochastic weight averaging."""

from __future__ import annotations

import copy
from collections.abc import Callable, Iterable, Sequence
from typing import Any

from gpugrad.arrays.devices import DeviceLike, device_of
from gpugrad.arrays.dtypes import is_inexact, real_dtype
from gpugrad.compile.accelerate import accelerated
from gpugrad.errors import OptionError, ShapeError
from gpugrad.modes import no_grad
from gpugrad.nn.batchnorm import _BatchNorm
from gpugrad.nn.module import Module
from gpugrad.nn.parameter import overwrite
from gpugrad.ops.conversion import asarray
from gpugrad.ops.dtypes import astype
from gpugrad.ops.elementwise import add, minimum, multiply, subtract
from gpugrad.ops.transfer import to_device
from gpugrad.tape import Tensor, raw

Average = Callable[[Sequence[Any], Sequence[Any], Any], None]


def _between(averaged: Any, current: Any, weight: Any) -> Any:
    return astype(add(multiply(averaged, subtract(1.0, weight)), multiply(current, weight)), averaged.dtype, copy=False)


_between_kernel = accelerated(_between, "average")


class _Weighted:
    """``averaged * (1 - w) + current * w``, with w a function of how many models were averaged before: 1 for the first."""

    def __init__(self, weight: Callable[[Any], Any]) -> None:
        self.weight = weight

    def __call__(self, averaged: Sequence[Any], current: Sequence[Any], num_averaged: Any) -> None:
        # Computed where the count is, so that nothing waits for a GPU.
        for mean, x in zip(averaged, current, strict=True):
            weight = self.weight(astype(raw(num_averaged), real_dtype(mean.array.dtype)))
            overwrite(mean, _between_kernel(mean.array, raw(x), to_device(weight, device_of(mean.array))))


def get_ema_multi_avg_fn(decay: float = 0.999) -> Average:
    """The exponential moving average ``decay * averaged + (1 - decay) * current``. Raises OptionError for a decay outside [0, 1].

    Source: https://docs.pytorch.org/docs/stable/optim.html#weight-averaging-swa-and-ema
    """
    if not 0 <= decay <= 1:
        raise OptionError(f"get_ema_multi_avg_fn: decay is {decay}, expected 0 to 1")

    def weight(count: Any) -> Any:
        """The share of a model in the average, where `count` came before it."""
        later = minimum(count, 1)  # 0 for the first model, 1 for all others
        return (1 - later) + (1 - decay) * later

    return _Weighted(weight)


def get_swa_multi_avg_fn() -> Average:
    """The mean of all models so far: ``averaged + (current - averaged) / (num_averaged + 1)``.

    Source: P. Izmailov et al., "Averaging weights leads to wider optima and better generalization", UAI 2018.
    """
    return _Weighted(lambda count: 1 / (count + 1))


class AveragedModel(Module):
    """A copy of a model, at :attr:`module`, that holds an average of its weights.

    ::

        ema = gg.optim.swa_utils.AveragedModel(model, multi_avg_fn=get_ema_multi_avg_fn(0.999))
        for images, labels in loader:
            ...                              # optimizer.step()
            ema.update_parameters(model)
        ema(images)                          # evaluates with the averages

    The first update copies the weights; each one after it averages: the mean of all models, unless `multi_avg_fn`, such as
    :func:`get_ema_multi_avg_fn` makes, or ``avg_fn(averaged, current, num_averaged)`` for one parameter, says otherwise. Buffers are
    copied; with `use_buffers` those of floating point are averaged too. The buffer `n_averaged` counts.
    Raises OptionError for both functions at once, ShapeError for a model of other parameters.
    Source: https://docs.pytorch.org/docs/stable/optim.html#weight-averaging-swa-and-ema
    """

    n_averaged: Tensor

    def __init__(
        self,
        model: Module,
        device: DeviceLike | None = None,
        avg_fn: Callable[[Any, Any, Any], Any] | None = None,
        multi_avg_fn: Average | None = None,
        use_buffers: bool = False,
    ) -> None:
        super().__init__()
        if avg_fn is not None and multi_avg_fn is not None:
            raise OptionError("AveragedModel: got avg_fn and multi_avg_fn, expected one of them at most")
        self.module = copy.deepcopy(model)
        if device is not None:
            self.module.to(device)
        first = next(iter(self.module.parameters()), None)
        self.register_buffer("n_averaged", asarray(0, device="cpu" if first is None else first.device))
        self.avg_fn = avg_fn
        self.multi_avg_fn = multi_avg_fn or get_swa_multi_avg_fn()
        self.use_buffers = use_buffers

    def forward(self, *args: Any, **kwargs: Any) -> Any:
        """What the averaged model computes."""
        return self.module(*args, **kwargs)

    @no_grad()
    def update_parameters(self, model: Module) -> None:
        """Average the weights of `model` in. Raises ShapeError if it has other parameters or buffers; then nothing has changed."""
        own: list[Tensor] = [*self.module.parameters()]
        given: list[Tensor] = [*model.parameters()]
        own_buffers, given_buffers = list(self.module.buffers()), list(model.buffers())
        _check_alike([*own, *own_buffers], [*given, *given_buffers])
        pairs = list(zip(own_buffers, given_buffers, strict=True))
        if self.use_buffers:
            averaged = [(a, b) for a, b in pairs if is_inexact(a.array.dtype)]
            own, given = own + [a for a, _ in averaged], given + [b for _, b in averaged]
            pairs = [(a, b) for a, b in pairs if not is_inexact(a.array.dtype)]
        moved = [to_device(x.detach(), mean.device) for mean, x in zip(own, given, strict=True)]
        if self.avg_fn is None:
            self.multi_avg_fn(own, moved, self.n_averaged)
        elif self.n_averaged.item() == 0:
            for mean, x in zip(own, moved, strict=True):
                overwrite(mean, x)
        else:
            for mean, x in zip(own, moved, strict=True):
                overwrite(mean, self.avg_fn(mean.detach(), x, self.n_averaged))
        for mean, x in pairs:
            overwrite(mean, to_device(x.detach(), mean.device))
        overwrite(self.n_averaged, self.n_averaged + 1)


def _check_alike(own: Sequence[Tensor], given: Sequence[Tensor]) -> None:
    shapes = [tuple(x.shape) for x in own], [tuple(x.shape) for x in given]
    if shapes[0] != shapes[1]:
        differ = next((pair for pair in zip(*shapes, strict=False) if pair[0] != pair[1]), (len(shapes[0]), len(shapes[1])))
        raise ShapeError(
            f"AveragedModel.update_parameters: got {len(given)} parameters and buffers, expected the {len(own)} of the model that was "
            f"averaged before; the first that differ are {differ[1]} and {differ[0]}"
        )


@no_grad()
def update_bn(loader: Iterable[Any], model: Module, device: DeviceLike | None = None) -> None:
    """Compute the running statistics of all batch norms anew, as cumulative averages over the batches of `loader`.

    An averaged model has weights that no batch has seen. Batches are inputs, or tuples and lists that begin with them; they are
    moved to `device` if one is given.
    """
    layers = [module for module in model.modules() if isinstance(module, _BatchNorm)]
    momenta = [layer.momentum for layer in layers]
    modes = [(module, module.training) for module in model.modules()]
    for layer in layers:
        layer.reset_running_stats()
        layer.momentum = None
    model.train()
    try:
        for batch in loader:
            x = batch[0] if isinstance(batch, (tuple, list)) else batch
            model(x if device is None else to_device(x, device))
    finally:
        for layer, momentum in zip(layers, momenta, strict=True):
            layer.momentum = momentum
        for module, training in modes:
            module.training = training
