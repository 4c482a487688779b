"""gpugrad.nn.functional.conv: values and derivatives on every backend are in gpugrad/check/records/convolution.py."""

import re

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import gpugrad as gg
from gpugrad.arrays.windows import Window
from gpugrad.errors import DeviceError, DTypeError, OptionError, ShapeError
from gpugrad.families import REGISTRY
from gpugrad.nn import functional as F
from gpugrad.nn.functional import conv
from gpugrad.testing import assert_close, check_grads

RNG = np.random.default_rng(0)
_convolution, _input_gradient, _weight_gradient = (
    REGISTRY[name] for name in ("convolution", "convolution_input_gradient", "convolution_weight_gradient")
)


@st.composite
def convolutions(draw):
    """Shapes of an input and a weight, and options, of a convolution that has results."""
    axes = draw(st.integers(1, 3))
    some = lambda low, high: tuple(draw(st.integers(low, high)) for _ in range(axes))
    window = Window(some(1, 3), some(1, 3), some(0, 2), some(1, 2))
    sizes = tuple(max(1, s - 2 * p) + m for s, p, m in zip(window.spans, window.padding, some(0, 3), strict=True))
    groups, ins, outs = draw(st.integers(1, 3)), draw(st.integers(1, 2)), draw(st.sampled_from([1, 2, 30]))
    options = {"stride": window.stride, "padding": window.padding, "dilation": window.dilation, "groups": groups}
    return (draw(st.integers(0, 3)), ins * groups, *sizes), (outs * groups, ins, *window.kernel), options


@given(convolutions())
def test_the_gradients_are_transposes(convolution):
    x_shape, w_shape, options = convolution
    x, weight = RNG.normal(size=x_shape), RNG.normal(size=w_shape)
    out = _convolution(x, weight, **options)
    g = RNG.normal(size=out.shape)
    product = np.sum(g * out)
    of_x = _input_gradient(g, weight, shape=x_shape[2:], **options)
    of_weight = _weight_gradient(g, x, shape=w_shape[2:], **options)
    assert (of_x.shape, of_weight.shape) == (x_shape, w_shape)
    np.testing.assert_allclose([np.sum(x * of_x), np.sum(weight * of_weight)], [product] * 2, rtol=1e-9, atol=1e-9)


@pytest.mark.parametrize("most", [1, 60])
def test_many_images_are_computed_in_parts(most, monkeypatch):
    x, weight = (gg.tensor(RNG.normal(size=s), requires_grad=True) for s in [(5, 2, 4, 3), (4, 1, 2, 2)])
    found = []
    for _ in range(2):
        out = F.conv2d(x, weight, groups=2)
        found.append([out, *gg.gradients([gg.sum(out * out)], [x, weight], create_graph=True)])
        monkeypatch.setitem(conv._MOST, True, most)
    assert_close(*found)


def test_groups_are_convolutions_side_by_side():
    x, weight = RNG.normal(size=(2, 6, 5)), RNG.normal(size=(4, 3, 2))
    apart = [F.conv1d(x[:, :3], weight[:2]), F.conv1d(x[:, 3:], weight[2:])]
    assert_close(F.conv1d(x, weight, groups=2), np.concatenate(apart, axis=1))


def test_a_kernel_of_one_is_a_linear_layer():
    x, weight, bias = RNG.normal(size=(2, 3, 4, 5)), RNG.normal(size=(6, 3)), RNG.normal(size=6)
    expected = np.moveaxis(F.linear(np.moveaxis(x, 1, -1), weight, bias), -1, 1)
    assert_close(F.conv2d(x, weight[:, :, None, None], bias), expected)
    assert_close(F.conv2d(x, weight[:, :, None, None], bias, stride=2), expected[:, :, ::2, ::2])


@pytest.mark.parametrize("kernel", [1, 2, 3, 4])
@pytest.mark.parametrize("dilation", [1, 2])
def test_same_keeps_sizes_and_the_odd_zero_comes_last(kernel, dilation):
    x, weight = RNG.normal(size=(1, 1, 6)), RNG.normal(size=(1, 1, kernel))
    total = (kernel - 1) * dilation
    padded = np.pad(x, [(0, 0), (0, 0), (total // 2, total - total // 2)])
    out = F.conv1d(x, weight, padding="same", dilation=dilation)
    assert out.shape == x.shape
    assert_close(out, F.conv1d(padded, weight, dilation=dilation, padding="valid"))


def test_a_batch_of_one_and_none():
    x, weight = RNG.normal(size=(2, 4, 4)), RNG.normal(size=(3, 2, 3, 3))
    assert_close(F.conv2d(x, weight), F.conv2d(x[None], weight)[0])
    nothing = gg.zeros((0, 2, 4, 4), dtype=gg.float64).requires_grad_()
    w = gg.tensor(weight, requires_grad=True)
    out = F.conv2d(nothing, w)
    assert out.shape == (0, 3, 2, 2)
    found = gg.gradients([gg.sum(out)], [nothing, w])
    assert [g.shape for g in found] == [(0, 2, 4, 4), (3, 2, 3, 3)] and not found[1].numpy().any()


def test_third_derivatives():
    def function(x, weight):
        return F.conv1d(x * x, weight * weight, stride=2, padding=1)

    check_grads(function, RNG.normal(size=(1, 2, 4)), RNG.normal(size=(1, 2, 3)), order=3)


@pytest.mark.parametrize("dtype", [np.float16, np.float32, np.complex64])
def test_dtypes_stay(dtype):
    x, weight, bias = (gg.tensor(np.ones(s, dtype), requires_grad=True) for s in [(2, 2, 3), (2, 2, 2), (2,)])
    out = F.conv1d(x, weight, bias)
    assert out.dtype == dtype and out.tolist() == [[[5, 5], [5, 5]]] * 2
    assert [g.dtype for g in gg.gradients([out], [x, weight, bias], [gg.ones_like(out)])] == [dtype] * 3


def test_a_wider_weight_promotes():
    x = gg.ones((1, 1, 3)).requires_grad_()
    out = F.conv1d(x, np.ones((1, 1, 2)))
    assert out.dtype == gg.float64
    (found,) = gg.gradients([gg.sum(out)], [x])
    assert found.dtype == gg.float32 and found.tolist() == [[[1, 2, 1]]]


@pytest.mark.parametrize(
    ("shapes", "options", "message"),
    [
        (
            [(8, 3, 32, 32), (16, 4, 3, 3)], {},
            "conv2d: input (8, 3, 32, 32), expected 4 channels for weight (16, 4, 3, 3)",
        ),
        ([(4, 6, 6), (4, 2, 3, 3)], {"groups": 4}, "conv2d: input (4, 6, 6), expected 8 channels for weight (4, 2, 3, 3) and groups=4"),
        (
            [(1, 4, 6, 6), (6, 1, 3, 3)], {"groups": 4},
            "conv2d: weight (6, 1, 3, 3) has 6 output channels, expected a multiple of groups=4",
        ),
        ([(1, 4, 6, 6), (6, 1, 3, 3)], {"groups": 0}, "conv2d: groups is 0, expected an int, 1 or more"),
        (
            [(6, 6), (4, 2, 3, 3)], {},
            "conv2d: got input (6, 6) and weight (4, 2, 3, 3), expected (N, C, H, W) or (C, H, W) and (O, C / groups, *kernel)",
        ),
        ([(1, 2, 6, 6), (4, 2, 3, 3), (3,)], {}, "conv2d: got bias (3,) and weight (4, 2, 3, 3), expected bias (4,), one per output"),
        (
            [(1, 2, 2, 9), (4, 2, 3, 3)], {"dilation": (1, 2)},
            "conv2d: the kernel (3, 3) with dilation (1, 2) spans (3, 5), more than input (1, 2, 2, 9) with padding (0, 0) on both sides",
        ),
        (
            [(1, 2, 6, 6), (4, 2, 3, 3)], {"padding": "same", "stride": 2},
            "conv2d: padding is 'same' and stride (2, 2), expected stride 1, which keeps the sizes",
        ),
        (
            [(1, 2, 6, 6), (4, 2, 3, 3)], {"stride": (1, 1, 1)},
            "conv2d: stride is (1, 1, 1), expected an int or a tuple of 2 of them, 1 or more",
        ),
        (
            [(1, 2, 6, 6), (4, 2, 0, 3)], {},
            "conv2d: kernel_size is (0, 3), expected an int or a tuple of 2 of them, 1 or more",
        ),
        ([(1, 2, 6, 6), (4, 2, 3, 3)], {"padding": -1}, "conv2d: padding is -1, expected an int or a tuple of 2 of them, 0 or more"),
    ],
)  # fmt: skip
def test_shapes_that_do_not_fit(shapes, options, message):
    with pytest.raises(ShapeError, match=f"^{re.escape(message)}$"):
        F.conv2d(*(np.ones(shape) for shape in shapes), **options)


def test_what_is_no_array_or_option():
    with pytest.raises(DTypeError, match="conv1d: the input is list"):
        F.conv1d([[1.0]], np.ones((1, 1, 1)))
    with pytest.raises(DTypeError, match="conv1d: the weight is list"):
        F.conv1d(np.ones((1, 3)), [[[1.0]]])
    with pytest.raises(OptionError, match="conv1d: padding is 'full', expected 'same', 'valid' or ints"):
        F.conv1d(np.ones((1, 3)), np.ones((1, 1, 1)), padding="full")
    with pytest.raises(DTypeError, match=r"conv1d: stride is 1.5, expected an int"):
        F.conv1d(np.ones((1, 3)), np.ones((1, 1, 1)), stride=1.5)
    with pytest.raises(DTypeError, match=r"conv1d: groups is 1.5, expected an int"):
        F.conv1d(np.ones((1, 3)), np.ones((1, 1, 1)), groups=1.5)


def test_inside_fuse():
    def loss(x, weight):
        return gg.sum(F.max_pool2d(F.relu(F.conv2d(x, weight, padding=1)), 2) ** 2)

    x, weight = RNG.normal(size=(2, 3, 8, 8)), RNG.normal(size=(4, 3, 3, 3))
    assert_close(gg.fuse(loss)(x, weight), loss(x, weight))
    assert_close(gg.fuse(gg.grad(loss, argnums=1))(x, weight), gg.grad(loss, argnums=1)(x, weight))


def test_arrays_on_two_devices():
    if not gg.cuda.is_available():
        pytest.skip("needs a GPU, or GPUGRAD_TEST_STANDIN=1")
    with pytest.raises(DeviceError, match="cpu.*cuda|cuda.*cpu"):
        F.conv1d(gg.ones((1, 3)), gg.ones((1, 1, 2), device="cuda"))


@pytest.mark.parametrize("name", ["conv2d", "conv_transpose2d"])
def test_integers_go_with_no_floating_weight(name):
    with pytest.raises(DTypeError, match=f"^{name}: input has dtype uint8, expected floating-point for a weight of float32"):
        getattr(F, name)(np.ones((1, 2, 4, 4), "uint8"), np.ones((2, 2, 3, 3), "float32"))
