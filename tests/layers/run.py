"""A case run by gpugrad on a backend: results, and the gradients of all inputs and parameters."""

from __future__ import annotations

import functools
from typing import Any

import numpy as np
from backends import NUMPY, Backend

import gpugrad as gg
from gpugrad import nn
from gpugrad.compile.keys import is_array
from gpugrad.tape import Tensor
from gpugrad.trees import leaves, map_leaves
from layers.case import LayerCase

SEED = 7
"""Before the layer is made, and before it is called."""


def made(case: LayerCase, backend: Backend = NUMPY, precision: str = "float64") -> Any:
    """The layer, its parameters and buffers arrays of the backend: the same values on every one. None of them is zero everywhere."""
    gg.manual_seed(SEED)
    layer = case.layer(nn, gg.asarray, precision)
    rng = np.random.default_rng(0)
    for p in layer.parameters():
        # Biases and weights that start with zeros or ones would hide a gradient that is missing.
        values = p.detach().numpy() + rng.uniform(-0.3, 0.3, p.shape)
        p.array = backend.asarray(values.astype(precision))
        if p.node is not None:
            p.requires_grad_(False)
            p.requires_grad_()
    for b in layer.buffers():
        values = b.numpy()
        b.array = backend.asarray(values.astype(precision) if values.dtype.kind == "f" else values)
    return layer.train(case.train)


def inputs(case: LayerCase, backend: Backend = NUMPY, precision: str = "float64") -> tuple[list[Any], dict[str, Any]]:
    """The arguments of the call: Tensors, which require a gradient if they are floating-point, and whatever else there is."""

    def convert(x: Any) -> Any:
        if not isinstance(x, np.ndarray):
            return x
        tensor = gg.asarray(backend.asarray(x))
        return tensor.requires_grad_() if x.dtype.kind == "f" else tensor

    args, options = map_leaves(convert, [*case.arrays(case.inputs, precision)])
    return args, options


def called(case: LayerCase, layer: Any, args: list[Any], options: dict[str, Any]) -> list[Any]:
    """The results that are arrays, one after the other, as Tensors."""
    gg.manual_seed(SEED)
    return [gg.asarray(x) for x in leaves(case.output(layer, nn, args, options)) if is_array(x)]


def weights(outputs: list[Any]) -> list[Any]:
    """Random gradients of the floating-point results: the same numbers for every library."""
    rng = np.random.default_rng(1)
    return [rng.uniform(-1, 1, tuple(y.shape)) for y in outputs]


def objective(outputs: list[Any], backend: Backend = NUMPY, precision: str = "float64") -> Any:
    """One number of all floating-point results."""
    inexact = [y for y in outputs if y.dtype.kind == "f"]
    constants = [backend.asarray(w.astype(precision)) for w in weights(inexact)]
    return functools.reduce(gg.add, [gg.sum(y * w) for y, w in zip(inexact, constants, strict=True)])


def everything(case: LayerCase, backend: Backend = NUMPY, precision: str = "float64") -> dict[str, Any]:
    """Results, gradients and buffers afterwards, by name: NumPy arrays. Raises AssertionError for arrays of another library."""
    layer, (args, options) = made(case, backend, precision), inputs(case, backend, precision)
    outputs = called(case, layer, args, options)
    objective(outputs, backend, precision).backward()
    found = {f"result {i}": y for i, y in enumerate(outputs)}
    given = [x for x in leaves([args, options]) if isinstance(x, Tensor) and x.requires_grad]
    found |= {f"gradient of input {i}": x.grad for i, x in enumerate(given)}
    found |= {f"gradient of {name}": p.grad for name, p in layer.named_parameters()}
    found |= {f"buffer {name}": b for name, b in layer.named_buffers()}
    for name, x in found.items():
        assert x is None or backend.is_array(x.array), f"{name} is a {type(x.array)}"
        assert x is None or x.dtype.kind != "f" or x.dtype == precision, f"{name} has dtype {x.dtype}"
    return {name: None if x is None else np.array(backend.to_numpy(x.array)) for name, x in found.items()}
