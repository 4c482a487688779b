"""BatchNorm1d to 3d and InstanceNorm1d to 3d: normalization by the statistics of channels, of which running ones may be kept."""

from __future__ import annotations

from typing import Any, ClassVar

from gpugrad.arrays.devices import DeviceLike
from gpugrad.arrays.dtypes import DTypeLike, int64
from gpugrad.errors import OptionError, ShapeError
from gpugrad.modes import recomputing
from gpugrad.nn import init
from gpugrad.nn.functional.batch_norm import batch_norm, instance_norm
from gpugrad.nn.functional.fold import over_batch
from gpugrad.nn.functional.linear import check_input
from gpugrad.nn.functional.normalization import check_eps
from gpugrad.nn.module import Module
from gpugrad.nn.parameter import Parameter, overwrite
from gpugrad.ops.creation import empty, zeros
from gpugrad.ops.dtypes import astype
from gpugrad.tape import Tensor


class _ChannelNorm(Module):
    """What the layers of this module share: their options, parameters and buffers."""

    layouts: ClassVar[tuple[str, ...]]
    """The axes of the inputs that the layer takes, C those of the channels."""

    weight: Parameter | None
    bias: Parameter | None
    running_mean: Tensor | None
    running_var: Tensor | None
    num_batches_tracked: Tensor | None

    def __init__(
        self,
        num_features: int,
        eps: float = 1e-5,
        momentum: float | None = 0.1,
        affine: bool = True,
        track_running_stats: bool = True,
        device: DeviceLike | None = None,
        dtype: DTypeLike | None = None,
        *,
        bias: bool = True,
    ) -> None:
        super().__init__()
        name = type(self).__name__
        if not isinstance(num_features, int) or num_features < 1:
            raise ShapeError(f"{name}: num_features is {num_features!r}, expected a number of channels, 1 or more")
        check_eps(name, eps)
        if momentum is not None and not 0 <= momentum <= 1:
            raise OptionError(f"{name}: momentum is {momentum}, expected a number from 0 to 1, or None for cumulative averages")
        self.num_features = num_features
        self.eps = eps
        self.momentum = momentum
        self.affine = affine
        self.track_running_stats = track_running_stats
        self.weight = Parameter(empty(num_features, dtype=dtype, device=device)) if affine else None
        self.bias = Parameter(empty(num_features, dtype=dtype, device=device)) if affine and bias else None
        for statistic in ("running_mean", "running_var"):
            buffer = empty(num_features, dtype=dtype, device=device) if track_running_stats else None
            self.register_buffer(statistic, buffer)
        self.register_buffer("num_batches_tracked", zeros((), dtype=int64, device=device) if track_running_stats else None)
        self.reset_parameters()

    def reset_running_stats(self) -> None:
        """The running mean to zeros, the running variance to ones, the count of batches to 0."""
        for statistic, value in ((self.running_mean, 0), (self.running_var, 1), (self.num_batches_tracked, 0)):
            if statistic is not None:
                overwrite(statistic, value)

    def reset_parameters(self) -> None:
        """The weight to ones, the bias to zeros, the running statistics as :meth:`reset_running_stats` says."""
        self.reset_running_stats()
        if self.weight is not None:
            init.ones_(self.weight)
        if self.bias is not None:
            init.zeros_(self.bias)

    def check(self, input: Any) -> None:
        """Raise ShapeError for an input that has not the axes or the channels of this layer."""
        name = type(self).__name__
        check_input(input, name)
        shape = tuple(input.shape)
        for layout in self.layouts:
            if len(shape) == len(axes := layout.split(", ")) and shape[axes.index("C")] == self.num_features:
                return
        expected = " or ".join(f"({layout.replace('C', str(self.num_features))})" for layout in self.layouts)
        raise ShapeError(f"{name}: input {shape}, expected {expected}")

    def extra_repr(self) -> str:
        return (
            f"{self.num_features}, eps={self.eps}, momentum={self.momentum}, affine={self.affine}, "
            f"bias={self.bias is not None}, track_running_stats={self.track_running_stats}"
        )


class _BatchNorm(_ChannelNorm):
    def forward(self, input: Any) -> Any:
        """See :func:`gpugrad.nn.functional.batch_norm`."""
        self.check(input)
        own = self.training or self.running_mean is None
        kept = (self.running_mean, self.running_var) if self.track_running_stats or not own else (None, None)
        count = None
        momentum: Any = self.momentum
        if self.training and self.num_batches_tracked is not None:
            count = self.num_batches_tracked + 1
            if momentum is None:
                momentum = 1 / astype(count, "float64")  # where the statistics are: a number would have to wait for the GPU
        out = batch_norm(input, *kept, self.weight, self.bias, own, 0.0 if momentum is None else momentum, self.eps)
        if count is not None and not recomputing.get():
            overwrite(self.num_batches_tracked, count)
        return out


class BatchNorm1d(_BatchNorm):
    """(x - mean) / sqrt(var + eps) * weight + bias for each channel, mean and variance over the batch and the spatial axes.

    In training mode they are those of the input, and the running ones move by `momentum` towards them: running = (1 - momentum) *
    running + momentum * new, with the variance divided by n - 1 there; `momentum` None averages over all batches so far. In
    evaluation mode they are the running ones, or with `track_running_stats` False those of the input too.

    Input (N, C) or (N, C, L), with C = `num_features`. Parameters, None without `affine`: `weight` (C,), which starts as ones,
    and `bias` (C,), zeros, None without `bias`. Buffers: `running_mean` (C,), zeros at first, `running_var` (C,), ones, and
    `num_batches_tracked`, an int64. A call that fails changes none of them. They have the parameters' dtype; parameters and
    statistics in float32 go with inputs of 16 bits.
    Raises OptionError for `eps` of 0 or less and a momentum outside [0, 1], ShapeError for `num_features` below 1, for other
    inputs, and in training mode for one number per channel, whose variance is 0.
    Source: https://docs.pytorch.org/docs/stable/generated/torch.nn.BatchNorm1d.html
    """

    layouts = ("N, C", "N, C, L")


class BatchNorm2d(_BatchNorm):
    """:class:`BatchNorm1d` of images: input (N, C, H, W).

    Source: https://docs.pytorch.org/docs/stable/generated/torch.nn.BatchNorm2d.html
    """

    layouts = ("N, C, H, W",)


class BatchNorm3d(_BatchNorm):
    """:class:`BatchNorm1d` of volumes: input (N, C, D, H, W).

    Source: https://docs.pytorch.org/docs/stable/generated/torch.nn.BatchNorm3d.html
    """

    layouts = ("N, C, D, H, W",)


class _InstanceNorm(_ChannelNorm):
    def __init__(
        self,
        num_features: int,
        eps: float = 1e-5,
        momentum: float | None = 0.1,
        affine: bool = False,
        track_running_stats: bool = False,
        device: DeviceLike | None = None,
        dtype: DTypeLike | None = None,
        *,
        bias: bool = True,
    ) -> None:
        super().__init__(num_features, eps, momentum, affine, track_running_stats, device, dtype, bias=bias)

    def forward(self, input: Any) -> Any:
        """See :func:`gpugrad.nn.functional.instance_norm`."""
        self.check(input)
        own = self.training or not self.track_running_stats
        momentum = 0.0 if self.momentum is None else self.momentum

        def norm(x: Any) -> Any:
            """A batch, normalized."""
            kept = (self.running_mean, self.running_var)
            return instance_norm(x, *kept, self.weight, self.bias, own, momentum, self.eps)

        return over_batch(norm, input, len(self.layouts[0].split(", ")))


class InstanceNorm1d(_InstanceNorm):
    """(x - mean) / sqrt(var + eps) * weight + bias for each channel of each image, mean and variance over its spatial axes.

    Input (N, C, L) or (C, L), with C = `num_features`. Without `track_running_stats` the statistics are always those of the
    input; with it, running ones are kept and used in evaluation mode as in :class:`BatchNorm1d`, except that `momentum` None
    leaves them as they are, and `num_batches_tracked` stays 0, as in PyTorch. Parameters and errors as there.
    Source: https://docs.pytorch.org/docs/stable/generated/torch.nn.InstanceNorm1d.html
    """

    layouts = ("N, C, L", "C, L")


class InstanceNorm2d(_InstanceNorm):
    """:class:`InstanceNorm1d` of images: input (N, C, H, W) or (C, H, W).

    Source: https://docs.pytorch.org/docs/stable/generated/torch.nn.InstanceNorm2d.html
    """

    layouts = ("N, C, H, W", "C, H, W")


class InstanceNorm3d(_InstanceNorm):
    """:class:`InstanceNorm1d` of volumes: input (N, C, D, H, W) or (C, D, H, W).

    Source: https://docs.pytorch.org/docs/stable/generated/torch.nn.InstanceNorm3d.html
    """

    layouts = ("N, C, D, H, W", "C, D, H, W")
