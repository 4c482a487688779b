"""The gradients of one row by gpugrad, by PyTorch and by JAX. Importing this skips a module unless the comparison was asked for.

PyTorch is called through array-api-compat, which gives its functions the standard's names. The gradient of all is PyTorch's, the
steepest ascent of a real loss; JAX's pullback is the transpose of the Jacobian without a conjugate, and is conjugated on both ends.
"""

from __future__ import annotations

import importlib
import os
import warnings
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from parity.row import Row

import gpugrad as gg
from gpugrad.trees import leaves, map_leaves

if os.environ.get("GPUGRAD_TEST_PARITY") != "1":
    pytest.skip("compares with PyTorch and JAX: python -m nox -s parity", allow_module_level=True)

with warnings.catch_warnings():  # what other libraries say when they are imported
    warnings.simplefilter("ignore")
    torch = importlib.import_module("torch")
    torch_namespace = importlib.import_module("array_api_compat.torch")
    jax = importlib.import_module("jax")
    jax_numpy = importlib.import_module("jax.numpy")
    jax_scipy = importlib.import_module("jax.scipy")
    importlib.import_module("jax.scipy.special")
jax.config.update("jax_enable_x64", True)

Found = tuple[list[Any], list[Any]]
"""NumPy arrays: the floating-point results, and the gradients of the floating-point arguments."""


def _is_array(x: Any) -> bool:
    return isinstance(x, (np.ndarray, np.generic))


def _inexact(x: Any) -> bool:
    return getattr(x, "dtype", None) is not None and str(x.dtype).rpartition(".")[2].startswith(("float", "complex"))


def _special(row: Row) -> bool:
    """Whether the function is none of the standard's, and stands elsewhere in these libraries."""
    return row.name.startswith("special.")


def _flat(row: Row, library: str, namespace: Any, convert: Callable[[Any], Any]) -> tuple[Callable[..., list[Any]], list[Any]]:
    """The row as a function of its floating-point arrays, which gives a list of such, and these arrays."""
    args, options = row.arguments()
    called = row.of(library)
    assert called is not None
    arguments = map_leaves(lambda x: convert(x) if _is_array(x) else x, [*args, options])
    picked = [x for x in leaves(arguments) if _inexact(x)]

    def function(*values: Any) -> list[Any]:
        remaining = iter(values)
        *positional, named = map_leaves(lambda x: next(remaining) if _inexact(x) else x, arguments)
        return [y for y in leaves(called(namespace, *positional, **named)) if _inexact(y)]

    return function, picked


def _weights(outputs: list[Any]) -> list[Any]:
    """Random gradients of the results, the same for every library."""
    rng = np.random.default_rng(0)
    made = [rng.uniform(-1, 1, y.shape) + (1j * rng.uniform(-1, 1, y.shape) if y.dtype.kind == "c" else 0) for y in outputs]
    return [np.asarray(w, dtype=y.dtype) for w, y in zip(made, outputs, strict=True)]


def by_gpugrad(row: Row) -> Found:
    function, picked = _flat(row, "gpugrad", gg, gg.asarray)
    out, pullback = gg.vjp(function, *picked)
    values = [y.numpy() for y in out]
    return values, [g.numpy() for g in pullback(list(map(gg.asarray, _weights(values))))]


def by_torch(row: Row) -> Found:
    function, picked = _flat(row, "torch", torch if _special(row) else torch_namespace, torch.asarray)
    inputs = [x.clone().requires_grad_() for x in picked]
    out = function(*inputs)
    values = [y.detach().resolve_conj().numpy() for y in out]
    pairs = [(y, torch.asarray(w)) for y, w in zip(out, _weights(values), strict=True) if y.requires_grad]
    ys, ws = zip(*pairs, strict=True)
    found = torch.autograd.grad(ys, inputs, ws, allow_unused=True, materialize_grads=True)
    return values, [g.resolve_conj().numpy() for g in found]


def by_jax(row: Row) -> Found:
    function, picked = _flat(row, "jax", jax_scipy if _special(row) else jax_numpy, jax_numpy.asarray)
    out, pullback = jax.vjp(function, *picked)
    values = [np.asarray(y) for y in out]
    found = pullback([jax_numpy.asarray(np.conj(w)) for w in _weights(values)])
    return values, [np.conj(np.asarray(g)) for g in found]


PEERS: dict[str, Callable[[Row], Found]] = {"torch": by_torch, "jax": by_jax}
