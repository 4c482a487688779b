"""The kernels of convolution for the CPU, held to the definitions in gpugrad/nn/functional/conv.py."""

from __future__ import annotations

import functools
import random
from collections.abc import Iterator
from typing import Any, NoReturn

import numpy as np
import pytest

import gpugrad as gg
from gpugrad.arrays.windows import Window
from gpugrad.compile import build, convolution, runtime
from gpugrad.compile.handwritten import handwritten
from gpugrad.families import TABLES
from gpugrad.nn import functional as F

RNG = np.random.default_rng(0)
PASSES = ("convolution", "convolution_input_gradient", "convolution_weight_gradient")
IMAGES = {"stride": (1, 1), "padding": (1, 1), "dilation": (1, 1), "groups": 1}


@pytest.fixture(autouse=True)
def compiled(kernels: None, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Kernels run at any size."""
    forget()
    monkeypatch.setattr(convolution, "SMALLEST", 0)
    yield
    forget()


def forget() -> None:
    handwritten.cache_clear()
    convolution._call.cache_clear()


def refuse(*operands: Any, **options: Any) -> NoReturn:
    raise AssertionError("there is a kernel for this")


def alone(op: str) -> Any:
    """The kernel of an op, which must not fall back."""
    return functools.partial(convolution.KERNELS[op], refuse)


def operands(x: tuple[int, ...], weight: tuple[int, ...], options: dict[str, Any], dtype: str = "float64") -> dict[str, Any]:
    """Arguments of each pass for an input and a weight of these shapes."""
    counts = Window(weight[2:], options["stride"], options["padding"], options["dilation"]).counts(x[2:])
    x_, w, g = (RNG.normal(size=s).astype(dtype) for s in (x, weight, (x[0], weight[0], *counts)))
    return {
        "convolution": ((x_, w), options),
        "convolution_input_gradient": ((g, w), {**options, "shape": x[2:]}),
        "convolution_weight_gradient": ((g, x_), {**options, "shape": weight[2:]}),
    }


def drawn(seed: int) -> tuple[Any, Any, dict[str, Any]]:
    """Shapes and options for which there is a kernel: any number of axes and groups, strides, padding and dilation along each."""
    draw = random.Random(seed)
    while True:
        axes, groups = draw.randint(1, 3), draw.choice([1, 1, 2, 3])
        some = lambda least, most: tuple(draw.randint(least, most) for _ in range(axes))
        window, sizes = Window(some(1, 4), some(1, 3), some(0, 3), some(1, 3)), some(1, 22 if axes < 3 else 9)
        ins, outs = draw.choice([1, 2, 3, 9]), draw.choice([1, 2, 5, 13, 20])
        if convolution.pays(window, sizes, outs):
            options = {"stride": window.stride, "padding": window.padding, "dilation": window.dilation, "groups": groups}
            return (draw.randint(1, 5), ins * groups, *sizes), (outs * groups, ins, *window.kernel), options


@pytest.mark.parametrize(("dtype", "tolerance"), [("float32", 1e-4), ("float64", 1e-12)])
@pytest.mark.parametrize("op", PASSES)
def test_kernels_compute_what_definitions_say(op: str, dtype: str, tolerance: float) -> None:
    for seed in range(50):
        case = drawn(seed)
        arrays, options = operands(*case, dtype)[op]
        found, expected = alone(op)(*arrays, **options), TABLES[op].definition(*arrays, **options)
        assert (found.shape, found.dtype) == (expected.shape, expected.dtype), case
        np.testing.assert_allclose(found, expected, rtol=tolerance, atol=tolerance * np.abs(expected).max(), err_msg=str(case))


@pytest.mark.parametrize("op", PASSES)
def test_many_images_and_long_rows(op: str) -> None:
    """More windows than are multiplied at a time, several images laid out together, several shares of the batch."""
    for x, weight in [((1, 2, 70, 70), (9, 2, 3, 3)), ((150, 3, 7, 7), (4, 3, 3, 3)), ((1, 70, 9, 9), (70, 70, 3, 3))]:
        arrays, options = operands(x, weight, IMAGES)[op]
        expected = TABLES[op].definition(*arrays, **options)
        np.testing.assert_allclose(alone(op)(*arrays, **options), expected, rtol=1e-12, atol=1e-12 * np.abs(expected).max())


@pytest.mark.parametrize("op", PASSES)
def test_any_number_of_threads_gives_the_same(op: str) -> None:
    arrays, options = operands((6, 33, 12, 12), (30, 33, 3, 3), IMAGES, "float32")[op]
    found = []
    try:
        for threads in (1, 2, 7):
            runtime.set_num_threads(threads)
            found.append(alone(op)(*arrays, **options))
    finally:
        runtime._forget()
    assert np.array_equal(found[0], found[1]) and np.array_equal(found[0], found[2])


def test_a_bias_is_added_and_has_a_gradient() -> None:
    x, weight, bias = RNG.normal(size=(3, 4, 9, 9)), RNG.normal(size=(5, 4, 3, 3)), RNG.normal(size=5)
    out = alone("convolution_with_bias")(x, weight, bias, **IMAGES)
    np.testing.assert_allclose(out, TABLES["convolution"].definition(x, weight, **IMAGES) + bias[:, None, None], rtol=1e-12)
    leaves = [gg.tensor(a, requires_grad=True) for a in (x, weight, bias)]
    g = RNG.normal(size=out.shape)
    found = gg.gradients([F.conv2d(*leaves, padding=1)], leaves, [gg.asarray(g)])
    np.testing.assert_allclose(found[2].numpy(), g.sum((0, 2, 3)), rtol=1e-12)


@pytest.mark.parametrize("value", [np.nan, np.inf])
@pytest.mark.parametrize("op", PASSES)
def test_what_is_not_finite_reaches_what_it_reaches_by_the_definition(op: str, value: float) -> None:
    for place in [0, 37, -1]:
        for which in (0, 1):
            arrays, options = operands((2, 3, 6, 5), (4, 3, 3, 3), IMAGES)[op]
            arrays[which].flat[place] = value
            kernel = functools.partial(convolution.KERNELS[op], TABLES[op].definition)
            with np.errstate(invalid="ignore"):
                found, expected = kernel(*arrays, **options), TABLES[op].definition(*arrays, **options)
            np.testing.assert_allclose(found, expected, rtol=1e-12, atol=1e-12)


@pytest.mark.parametrize("op", PASSES)
def test_inputs_may_be_read_only_and_lie_anyhow(op: str) -> None:
    arrays, options = operands((2, 4, 8, 8), (6, 4, 3, 3), IMAGES)[op]
    expected = TABLES[op].definition(*arrays, **options)
    reversed_ = [np.asfortranarray(a) for a in arrays]
    for a in reversed_:
        a.flags.writeable = False
    np.testing.assert_allclose(alone(op)(*reversed_, **options), expected, rtol=1e-12, atol=1e-12)


@pytest.mark.parametrize(
    ("x", "weight", "changes"),
    [
        ((0, 2, 8, 8), (3, 2, 3, 3), {}),  # empty
        ((2, 0, 8, 8), (3, 0, 3, 3), {}),
        ((4, 8, 4, 4), (8, 8, 4, 4), {"padding": (0, 0)}),  # one window: mostly computed in vain
        ((1, 2, 7, 7), (512, 2, 3, 3), {}),  # many outputs share columns
    ],
)
def test_other_shapes_take_the_definition(x: Any, weight: Any, changes: dict[str, Any]) -> None:
    for op, (arrays, options) in operands(x, weight, {**IMAGES, **changes}).items():
        with pytest.raises(AssertionError, match="there is a kernel"):
            alone(op)(*arrays, **options)
        assert convolution.KERNELS[op](lambda *a, **o: "definition", *arrays, **options) == "definition"


@pytest.mark.parametrize("dtype", ["float16", "complex64", ">f4"])
def test_other_dtypes_take_the_definition(dtype: str) -> None:
    (x, weight), options = operands((2, 2, 8, 8), (3, 2, 3, 3), IMAGES)["convolution"]
    kernel = functools.partial(convolution.KERNELS["convolution"], lambda *a, **o: "definition")
    assert kernel(x.astype(dtype), weight.astype(dtype), **options) == "definition"
    assert kernel(x.astype("float32"), weight, **options) == "definition"


def test_without_a_compiler_the_definition_runs(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GPUGRAD_COMPILE", "0")
    build._forget()
    try:
        (x, weight), options = operands((2, 2, 8, 8), (3, 2, 3, 3), IMAGES)["convolution"]
        assert convolution.KERNELS["convolution"](lambda *a, **o: "definition", x, weight, **options) == "definition"
    finally:
        monkeypatch.undo()
        build._forget()


def test_small_work_takes_the_definition(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(convolution, "SMALLEST", 2 * 2 * 3 * 9 * 64 + 1)
    (x, weight), options = operands((2, 2, 8, 8), (3, 2, 3, 3), IMAGES)["convolution"]
    assert convolution.KERNELS["convolution"](lambda *a, **o: "definition", x, weight, **options) == "definition"
