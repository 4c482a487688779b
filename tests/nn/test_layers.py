"""Every layer and loss, from its cases in tests/layers/: the same on every backend, right gradients, weights that go around in files."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from backends import CUPY, Backend
from layers import CASES
from layers.case import LayerCase
from layers.run import called, everything, inputs, made, objective

import gpugrad as gg
from gpugrad import nn
from gpugrad.arrays.devices import import_cupy
from gpugrad.arrays.dtypes import numpy_dtype
from gpugrad.tape import Tensor
from gpugrad.trees import leaves, map_leaves

ABSTRACT = {"Module", "ModuleDict", "ModuleList", "Parameter", "ParameterDict", "ParameterList"}
"""Of what holds layers and parameters, and computes nothing itself."""


def of(cases: list[LayerCase]) -> Any:
    """Parametrize a test by cases."""
    return pytest.mark.parametrize("case", cases, ids=lambda case: case.id)


on_numpy = pytest.mark.skipif(
    not "numpy".startswith(os.environ.get("GPUGRAD_TEST_BACKENDS", "")),
    reason="on NumPy, which GPUGRAD_TEST_BACKENDS leaves out",
)
"""For tests that are the same whatever the backends: one run of the suite for each would repeat them."""


def test_every_layer_has_a_case() -> None:
    classes = {name for name in nn.__all__ if isinstance(getattr(nn, name), type)}
    assert classes - ABSTRACT == {case.name for case in CASES}


@of(CASES)
def test_results_and_gradients_are_those_of_numpy(case: LayerCase, backend: Backend) -> None:
    found, expected = everything(case, backend), everything(case)
    assert found.keys() == expected.keys()
    for name, x in expected.items():
        assert (x is None) == (found[name] is None), name
        if x is not None:
            atol = 1e-12 * max(1.0, float(np.max(np.abs(x), initial=0)))
            np.testing.assert_allclose(found[name], x, rtol=1e-10, atol=atol, err_msg=name)


@of(CASES)
def test_single_precision_stays_single_and_close(case: LayerCase, backend: Backend) -> None:
    if backend is CUPY and hasattr(import_cupy(), "standin"):
        pytest.skip("as in double precision there, but for hundreds of kernels that would have to be compiled")
    found, expected = everything(case, backend, "float32"), everything(case)
    for name, x in expected.items():
        if x is not None:
            scale = float(np.max(np.abs(x), initial=1e-3))
            np.testing.assert_allclose(found[name], x, rtol=0, atol=3e-5 * scale, err_msg=name)


@on_numpy
@of(CASES)
def test_gradients_are_those_of_differences(case: LayerCase) -> None:
    """In one random direction of all inputs and parameters."""

    def at(step: float) -> tuple[Any, list[Any], list[Any]]:
        """The objective that many steps away, the points that it depends on, and the direction."""
        layer, (args, options) = made(case), inputs(case)  # a new layer: some change their buffers with every call
        points = [*(x for x in leaves([args, options]) if isinstance(x, Tensor) and x.requires_grad), *layer.parameters()]
        rng = np.random.default_rng(2)
        direction = [rng.uniform(-1, 1, x.shape) for x in points]
        with gg.no_grad():
            for x, d in zip(points, direction, strict=True):
                x.array = x.array + step * d
        return objective(called(case, layer, args, options)), points, direction

    value, points, direction = at(0)
    value.backward()
    slope = sum(float(np.sum(x.grad.numpy() * d)) for x, d in zip(points, direction, strict=True) if x.grad is not None)
    difference = (at(1e-6)[0].item() - at(-1e-6)[0].item()) / 2e-6
    assert abs(slope - difference) < 1e-6 * max(1, abs(slope), abs(value.item()))
    assert slope != 0


@on_numpy
@of(CASES)
def test_weights_go_through_a_file(case: LayerCase, tmp_path: Path) -> None:
    """Into a layer that was made with other random numbers."""
    layer = made(case)
    gg.save(layer.state_dict(), tmp_path / "weights.safetensors")
    other = case.layer(nn, gg.asarray).double().train(case.train)
    other.load_state_dict(gg.load(tmp_path / "weights.safetensors"))
    found, expected = (called(case, x, *inputs(case)) for x in (other, layer))
    for y, z in zip(found, expected, strict=True):
        assert np.array_equal(y.detach().numpy(), z.detach().numpy(), equal_nan=True)


@on_numpy
@of(CASES)
def test_arrays_give_what_tensors_give(case: LayerCase) -> None:
    """A layer takes plain arrays, and does not write into them."""
    layer = made(case)
    args, options = map_leaves(lambda x: x.array if isinstance(x, Tensor) else x, [*inputs(case)])
    before = [x.copy() for x in leaves([args, options]) if isinstance(x, np.ndarray)]
    found, expected = called(case, layer, args, options), called(case, made(case), *inputs(case))
    assert all(np.array_equal(y.detach().numpy(), z.detach().numpy()) for y, z in zip(found, expected, strict=True))
    after = [x for x in leaves([args, options]) if isinstance(x, np.ndarray)]
    assert all(np.array_equal(x, y) for x, y in zip(after, before, strict=True))


@on_numpy
@of(CASES)
def test_mixed_precision_comes_close(case: LayerCase) -> None:
    """Under autocast parameters and inputs of 32 bits keep gradients of 32 bits, near those of single precision."""
    found, expected = [], []
    for enabled, made_of in ((True, found), (False, expected)):
        layer, (args, options) = made(case, precision="float32"), inputs(case, precision="float32")
        with gg.autocast("cpu", dtype="float16", enabled=enabled):
            outputs = called(case, layer, args, options)
            total = objective([y.astype(gg.float32) if y.dtype == gg.float16 else y for y in outputs], precision="float32")
        total.backward()
        leaves_of = [x for x in leaves([args, options]) if isinstance(x, Tensor) and x.requires_grad] + list(layer.parameters())
        made_of += [y.detach() for y in outputs] + [x.grad for x in leaves_of if x.grad is not None]
        assert all(x.grad is None or x.grad.dtype == gg.float32 for x in leaves_of)
    for x, y in zip(found, expected, strict=True):
        if y.dtype.kind == "f":
            scale = max(1.0, float(np.max(np.abs(y.numpy()), initial=0)))
            np.testing.assert_allclose(x.numpy().astype("float32"), y.numpy(), rtol=0, atol=0.03 * scale)


@on_numpy
@of(CASES)
def test_layers_of_16_bits_come_close(case: LayerCase) -> None:
    """Results and gradients of bfloat16, near those that the same numbers give in single precision."""

    def run(layer: Any, dtype: Any) -> tuple[list[Any], list[Any]]:
        args, options = map_leaves(
            lambda x: (
                x.detach().astype(short).astype(dtype).requires_grad_() if isinstance(x, Tensor) and x.requires_grad else x
            ),
            [*inputs(case)],
        )
        outputs = called(case, layer.to(dtype), args, options)
        objective([y.astype(gg.float32) if y.dtype == short else y for y in outputs], precision="float32").backward()
        given = [x for x in leaves([args, options]) if isinstance(x, Tensor) and x.requires_grad]
        return outputs, [x.grad for x in (*given, *layer.parameters())]

    short = numpy_dtype("bfloat16")
    results, gradients = run(made(case).to(short), short)
    expected, slopes = run(made(case).to(short), gg.float32)
    assert [y.dtype for y in results] == [short if y.dtype == gg.float32 else y.dtype for y in expected]
    for x, y in zip(results + gradients, expected + slopes, strict=True):
        assert (x is None) == (y is None)
        if x is not None and x.dtype == short:
            scale = max(1.0, float(np.max(np.abs(y.detach().numpy()), initial=0)))
            np.testing.assert_allclose(x.detach().numpy().astype("float32"), y.detach().numpy(), rtol=0, atol=0.06 * scale)
