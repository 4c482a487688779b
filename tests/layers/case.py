"""What a layer is tested with: how it is made, what it is called with. One table for all backends, and for PyTorch's layer beside it.

    LayerCase("Conv2d", call(3, 8, 3, padding=1), call(real(2, 3, 6, 6)))
    LayerCase("CrossEntropyLoss", call(weight=positive(4)), call(real(5, 4), integers(5, low=0, high=4)))

The layer is ``nn.Conv2d(3, 8, 3, padding=1)`` and PyTorch's is ``torch.nn.Conv2d(3, 8, 3, padding=1)``. Draws stand for arrays, the
same in every run; gradients are taken of those that are floating-point, and of all parameters.
"""

from __future__ import annotations

import zlib
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy

from gpugrad.check.records.case import Call, Draw, call
from gpugrad.trees import map_leaves

NOTHING = call()


def same(torch: Any, *args: Any, **options: Any) -> Any:
    """Stands for PyTorch's class of the same name."""
    raise NotImplementedError


@dataclass(frozen=True)
class LayerCase:
    """A class of ``gpugrad.nn`` with one set of options and one set of inputs.

    :param made: the arguments of the class; Draws in them become constants, such as class weights.
    :param inputs: the arguments of the call.
    :param label: tells cases of one class apart, where the arguments alone do not say what is special.
    :param make: ``make(nn, *made)`` in place of ``nn.<name>(*made)``, for layers that take layers.
    :param run: ``run(layer, nn, *inputs)`` in place of ``layer(*inputs)``, for packed sequences and the like.
    :param peer: how to make the same of PyTorch's parts, ``peer(torch, *made)``, where its ``torch.nn`` has no class of that name and
        options. None compares with nothing: say in a comment why.
    :param train: whether the layer is in training mode.
    :param draws: how many times a call draws random numbers, which PyTorch draws otherwise: not compared unless 0.
    :param rtol: how far results may be from PyTorch's in float64, relative to the largest of each array.
    """

    name: str
    made: Call = NOTHING
    inputs: Call = NOTHING
    label: str = ""
    make: Callable[..., Any] | None = None
    run: Callable[..., Any] | None = None
    peer: Callable[..., Any] | None = same
    train: bool = True
    draws: int = 0
    rtol: float = 1e-10

    @property
    def id(self) -> str:
        return f"{self.name}-{self.label}" if self.label else self.name

    def arrays(self, what: Call, precision: str = "float64") -> tuple[list[Any], dict[str, Any]]:
        """Arguments with NumPy arrays where there were Draws."""
        rng = numpy.random.default_rng(zlib.crc32(self.id.encode()))

        def sample(x: Any) -> Any:
            if not isinstance(x, Draw):
                return x
            values = x.sample(rng)
            return values.astype(precision) if values.dtype.kind == "f" else values

        *args, options = map_leaves(sample, [*what.args, what.options])
        return args, options

    def layer(self, nn: Any, convert: Callable[[Any], Any], precision: str = "float64") -> Any:
        """The layer of a namespace, arrays among its arguments converted."""
        args, options = map_leaves(
            lambda x: convert(x) if isinstance(x, numpy.ndarray) else x, [*self.arrays(self.made, precision)]
        )
        return self.make(nn, *args, **options) if self.make else getattr(nn, self.name)(*args, **options)

    def output(self, layer: Any, nn: Any, args: list[Any], options: dict[str, Any]) -> Any:
        """What the layer gives for inputs."""
        return self.run(layer, nn, *args, **options) if self.run else layer(*args, **options)
