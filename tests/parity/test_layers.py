"""Layers and losses side by side with PyTorch's, from the same weights: state_dict, results, all gradients, buffers afterwards.

Run by ``python -m nox -s parity``. The cases are those of tests/layers/.
"""

from __future__ import annotations

import functools
import warnings
from typing import Any

import numpy as np
import pytest
from layers import CASES
from layers.case import LayerCase, same
from layers.run import everything, made, weights
from parity.peers import torch

from gpugrad.trees import leaves, map_leaves

COMPARED = [case for case in CASES if case.peer is not None and not case.draws]


def of(cases: list[LayerCase]) -> Any:
    """Parametrize a test by cases."""
    return pytest.mark.parametrize("case", cases, ids=lambda case: case.id)


def theirs(case: LayerCase, precision: str) -> Any:
    """PyTorch's layer with the weights of ours. ``load_state_dict`` raises where keys or shapes differ."""
    args, options = map_leaves(
        lambda x: torch.from_numpy(x) if isinstance(x, np.ndarray) else x, [*case.arrays(case.made, precision)]
    )
    with warnings.catch_warnings():  # about options that do nothing
        warnings.simplefilter("ignore")
        if case.peer is not same:
            layer = case.peer(torch, *args, **options)
        else:
            layer = case.make(torch.nn, *args, **options) if case.make else getattr(torch.nn, case.name)(*args, **options)
    state = {name: torch.from_numpy(np.array(x.array)) for name, x in made(case, precision=precision).state_dict().items()}
    layer.to(getattr(torch, precision)).train(case.train)
    assert list(layer.state_dict()) == list(state)
    layer.load_state_dict(state)
    return layer


def by_torch(case: LayerCase, precision: str) -> dict[str, Any]:
    """What ``layers.run.everything`` tells of ours."""
    layer = theirs(case, precision)

    def convert(x: Any) -> Any:
        return torch.from_numpy(x).requires_grad_(x.dtype.kind == "f") if isinstance(x, np.ndarray) else x

    args, options = map_leaves(convert, [*case.arrays(case.inputs, precision)])
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        outputs = [x for x in leaves(case.output(layer, torch.nn, args, options)) if isinstance(x, torch.Tensor)]
    inexact = [y for y in outputs if y.is_floating_point()]
    products = [torch.sum(y * torch.from_numpy(w.astype(precision))) for y, w in zip(inexact, weights(inexact), strict=True)]
    functools.reduce(torch.add, products).backward()
    found = {f"result {i}": y for i, y in enumerate(outputs)}
    given = [x for x in leaves([args, options]) if isinstance(x, torch.Tensor) and x.requires_grad]
    found |= {f"gradient of input {i}": x.grad for i, x in enumerate(given)}
    found |= {f"gradient of {name}": p.grad for name, p in layer.named_parameters()}
    found |= {f"buffer {name}": b for name, b in layer.named_buffers()}
    return {name: None if x is None else x.detach().numpy() for name, x in found.items()}


@pytest.mark.parametrize("precision", ["float64", "float32"])
@of(COMPARED)
def test_results_and_gradients_are_those_of_pytorch(case: LayerCase, precision: str) -> None:
    found, expected = everything(case, precision=precision), by_torch(case, precision)
    assert all(name.startswith("buffer ") for name in found.keys() ^ expected.keys())
    for name in found.keys() & expected.keys():
        x, y = found[name], expected[name]
        # PyTorch's gradient is None where nothing depends on an input; so is ours, or zero.
        y = np.zeros_like(x) if y is None and x is not None else y
        x = np.zeros_like(y) if x is None and y is not None else x
        if y is not None:
            tolerance = case.rtol if precision == "float64" else 1e-5
            np.testing.assert_allclose(x, y, rtol=0, atol=tolerance * max(1.0, np.max(np.abs(y), initial=0)), err_msg=name)
