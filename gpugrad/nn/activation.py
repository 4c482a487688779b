"""Activation functions as layers."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, ClassVar

from gpugrad.arrays.devices import DeviceLike
from gpugrad.arrays.dtypes import DTypeLike
from gpugrad.errors import ShapeError
from gpugrad.nn import init as initial
from gpugrad.nn.functional.gelu import check_approximate, gelu
from gpugrad.nn.functional.rectifiers import (
    celu,
    check_alpha,
    check_bounds,
    check_slopes,
    elu,
    hardsigmoid,
    hardswish,
    hardtanh,
    leaky_relu,
    prelu,
    relu6,
    rrelu,
    selu,
    threshold,
)
from gpugrad.nn.functional.relu import relu
from gpugrad.nn.functional.sigmoid import sigmoid
from gpugrad.nn.functional.silu import silu
from gpugrad.nn.functional.smooth import (
    check_beta,
    check_lambd,
    glu,
    hardshrink,
    logsigmoid,
    mish,
    softplus,
    softshrink,
    softsign,
    tanhshrink,
)
from gpugrad.nn.functional.softmax import log_softmax, softmax, softmin
from gpugrad.nn.module import Module
from gpugrad.nn.parameter import Parameter
from gpugrad.ops.creation import empty
from gpugrad.ops.elementwise import tanh


class _Activation(Module):
    """A function of ``nn.functional`` with its options kept as attributes, which it is called with by name."""

    _function: ClassVar[Callable[..., Any]]

    def __init_subclass__(cls, function: Callable[..., Any] | None = None, **others: Any) -> None:
        super().__init_subclass__(**others)
        if function is not None:
            cls._function = staticmethod(function)

    def __init__(self, **options: Any) -> None:
        super().__init__()
        self._options = tuple(options)
        for name, value in options.items():
            setattr(self, name, value)

    def forward(self, input: Any) -> Any:
        """The function of ``gpugrad.nn.functional`` that is named like the layer, of the input."""
        options = self._options
        return self._function(input, **{name: getattr(self, name) for name in options}) if options else self._function(input)

    def extra_repr(self) -> str:
        return ", ".join(f"{name}={getattr(self, name)!r}" for name in self._options)


class _InPlace(_Activation):
    """One whose `inplace` is accepted from PyTorch code and changes nothing: results are new Tensors."""

    def __init__(self, inplace: bool = False, **options: Any) -> None:
        super().__init__(**options)
        self.inplace = inplace

    def extra_repr(self) -> str:
        return ", ".join(filter(None, (super().extra_repr(), "inplace=True" if self.inplace else "")))


class _Plain(_InPlace):
    """One without other options."""

    def __init__(self, inplace: bool = False) -> None:
        super().__init__(inplace)


class ReLU(_Plain, function=relu):
    """max(x, 0), elementwise. `inplace` changes nothing. See :func:`gpugrad.nn.functional.relu`."""


class ReLU6(_Plain, function=relu6):
    """min(max(x, 0), 6), elementwise. `inplace` changes nothing. See :func:`gpugrad.nn.functional.relu6`."""


class LeakyReLU(_InPlace, function=leaky_relu):
    """x where x > 0, else negative_slope * x. `inplace` changes nothing. See :func:`gpugrad.nn.functional.leaky_relu`."""

    def __init__(self, negative_slope: float = 0.01, inplace: bool = False) -> None:
        super().__init__(inplace, negative_slope=negative_slope)


class PReLU(Module):
    """x where x > 0, else weight * x, with one slope for all or one for each channel. See :func:`gpugrad.nn.functional.prelu`.

    Parameter: `weight` (num_parameters,), at first `init` everywhere. Shapes: input any, with num_parameters channels along axis 1.
    Raises ShapeError for fewer than one parameter and for an input with another number of channels.
    """

    weight: Parameter

    def __init__(
        self, num_parameters: int = 1, init: float = 0.25, device: DeviceLike | None = None, dtype: DTypeLike | None = None
    ) -> None:
        super().__init__()
        if num_parameters < 1:
            raise ShapeError(f"PReLU: num_parameters is {num_parameters}, expected 1 or more")
        self.num_parameters = num_parameters
        self.init = init
        self.weight = Parameter(empty((num_parameters,), dtype=dtype, device=device))
        self.reset_parameters()

    def reset_parameters(self) -> None:
        """Set the slopes to what they were at first."""
        initial.constant_(self.weight, self.init)

    def forward(self, input: Any) -> Any:
        """See :func:`gpugrad.nn.functional.prelu`."""
        return prelu(input, self.weight)

    def extra_repr(self) -> str:
        return f"num_parameters={self.num_parameters}"


class RReLU(_InPlace, function=rrelu):
    """x where x > 0, else r * x, with r random in training mode. `inplace` changes nothing. See :func:`gpugrad.nn.functional.rrelu`.

    Raises OptionError unless lower <= upper.
    """

    lower: float
    upper: float

    def __init__(self, lower: float = 1 / 8, upper: float = 1 / 3, inplace: bool = False) -> None:
        check_slopes(lower, upper)
        super().__init__(inplace, lower=lower, upper=upper)

    def forward(self, input: Any) -> Any:
        """See :func:`gpugrad.nn.functional.rrelu`."""
        return rrelu(input, self.lower, self.upper, self.training)


class ELU(_InPlace, function=elu):
    """x where x > 0, else alpha * (exp(x) - 1). `inplace` changes nothing. See :func:`gpugrad.nn.functional.elu`."""

    def __init__(self, alpha: float = 1.0, inplace: bool = False) -> None:
        super().__init__(inplace, alpha=alpha)


class SELU(_Plain, function=selu):
    """1.0507 * elu(x, 1.6733), which keeps mean 0 and variance 1. `inplace` changes nothing. See :func:`gpugrad.nn.functional.selu`."""


class CELU(_InPlace, function=celu):
    """x where x > 0, else alpha * (exp(x / alpha) - 1). `inplace` changes nothing. See :func:`gpugrad.nn.functional.celu`.

    Raises OptionError for alpha = 0.
    """

    def __init__(self, alpha: float = 1.0, inplace: bool = False) -> None:
        check_alpha(alpha)
        super().__init__(inplace, alpha=alpha)


class GELU(_Activation, function=gelu):
    """x times the probability that a normal variable is below x, elementwise; `approximate` is "none" or "tanh".

    Raises OptionError for another `approximate`. See :func:`gpugrad.nn.functional.gelu`.
    """

    def __init__(self, approximate: str = "none") -> None:
        check_approximate(approximate)
        super().__init__(approximate=approximate)


class SiLU(_Plain, function=silu):
    """x * sigmoid(x), elementwise. `inplace` changes nothing. See :func:`gpugrad.nn.functional.silu`."""


class Mish(_Plain, function=mish):
    """x * tanh(softplus(x)), elementwise. `inplace` changes nothing. See :func:`gpugrad.nn.functional.mish`."""


class Softplus(_Activation, function=softplus):
    """log(1 + exp(beta * x)) / beta, elementwise. Raises OptionError for beta = 0. See :func:`gpugrad.nn.functional.softplus`."""

    def __init__(self, beta: float = 1.0, threshold: float = 20.0) -> None:
        check_beta(beta)
        super().__init__(beta=beta, threshold=threshold)


class Softsign(_Activation, function=softsign):
    """x / (1 + abs(x)), elementwise."""


class Sigmoid(_Activation, function=sigmoid):
    """1 / (1 + exp(-x)), elementwise."""


class LogSigmoid(_Activation, function=logsigmoid):
    """log(1 / (1 + exp(-x))), elementwise, accurate in both tails."""


class Tanh(_Activation, function=tanh):
    """The hyperbolic tangent, elementwise."""


class Tanhshrink(_Activation, function=tanhshrink):
    """x - tanh(x), elementwise."""


class Softshrink(_Activation, function=softshrink):
    """x moved towards 0 by `lambd`, elementwise. Raises OptionError if that is negative. See :func:`gpugrad.nn.functional.softshrink`."""

    def __init__(self, lambd: float = 0.5) -> None:
        check_lambd(lambd)
        super().__init__(lambd=lambd)


class Hardshrink(_Activation, function=hardshrink):
    """x, and 0 where abs(x) <= lambd, elementwise. See :func:`gpugrad.nn.functional.hardshrink`."""

    def __init__(self, lambd: float = 0.5) -> None:
        super().__init__(lambd=lambd)


class Threshold(_InPlace, function=threshold):
    """x where x > `threshold`, else `value`. `inplace` changes nothing. See :func:`gpugrad.nn.functional.threshold`."""

    def __init__(self, threshold: float, value: float, inplace: bool = False) -> None:
        super().__init__(inplace, threshold=threshold, value=value)


class Hardtanh(_InPlace, function=hardtanh):
    """x held between `min_val` and `max_val`. `inplace` changes nothing. See :func:`gpugrad.nn.functional.hardtanh`.

    Raises OptionError unless min_val < max_val.
    """

    def __init__(self, min_val: float = -1.0, max_val: float = 1.0, inplace: bool = False) -> None:
        check_bounds(min_val, max_val)
        super().__init__(inplace, min_val=min_val, max_val=max_val)


class Hardsigmoid(_Plain, function=hardsigmoid):
    """x / 6 + 1 / 2 held between 0 and 1. `inplace` changes nothing. See :func:`gpugrad.nn.functional.hardsigmoid`."""


class Hardswish(_Plain, function=hardswish):
    """x times hardsigmoid(x). `inplace` changes nothing. See :func:`gpugrad.nn.functional.hardswish`."""


class GLU(_Activation, function=glu):
    """The first half along `dim` times sigmoid of the second. See :func:`gpugrad.nn.functional.glu`."""

    def __init__(self, dim: int = -1) -> None:
        super().__init__(dim=dim)


class Softmax(_Activation, function=softmax):
    """exp(x) / sum(exp(x)) along the axis `dim`, which must be named."""

    def __init__(self, dim: int) -> None:
        super().__init__(dim=dim)


class Softmin(_Activation, function=softmin):
    """softmax(-x) along the axis `dim`, which must be named."""

    def __init__(self, dim: int) -> None:
        super().__init__(dim=dim)


class LogSoftmax(_Activation, function=log_softmax):
    """The logarithm of softmax along the axis `dim`, which must be named."""

    def __init__(self, dim: int) -> None:
        super().__init__(dim=dim)


class Softmax2d(Module):
    """softmax over the channels of each place of an input (N, C, H, W) or (C, H, W). Raises ShapeError for another number of axes."""

    def forward(self, input: Any) -> Any:
        """See :func:`gpugrad.nn.functional.softmax`."""
        shape = tuple(input.shape)
        if len(shape) not in (3, 4):
            raise ShapeError(f"Softmax2d: input {shape}, expected (N, C, H, W) or (C, H, W)")
        return softmax(input, -3)
