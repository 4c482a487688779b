"""gpugrad.nn.functional.linear: values and derivatives on every backend are in gpugrad/check/records/functional.py."""

import re

import numpy as np
import pytest

import gpugrad as gg
from gpugrad.errors import DeviceError, DTypeError, ShapeError
from gpugrad.nn import functional as F

RNG = np.random.default_rng(0)


def message(*parts):
    return "^" + re.escape(" ".join(parts)) + "$"


@pytest.mark.parametrize("weight", [(3, 5), (4,), (2, 3, 4), ()])
def test_sizes_that_do_not_fit(weight):
    wrong = "expected two axes, (out_features, in_features)"
    text = (
        "linear: input (2, 4), expected last dimension 5 for weight (3, 5)"
        if len(weight) == 2
        else f"linear: weight {weight}, {wrong}"
    )
    with pytest.raises(ShapeError, match=message(text)):
        F.linear(RNG.normal(size=(2, 4)), RNG.normal(size=weight))


@pytest.mark.parametrize("bias", [(4,), (1,), (2, 3), ()])
def test_a_bias_that_does_not_fit(bias):
    with pytest.raises(
        ShapeError, match=message(f"linear: bias {bias}, expected (3,), one number per output of weight (3, 4)")
    ):
        F.linear(RNG.normal(size=(2, 4)), RNG.normal(size=(3, 4)), RNG.normal(size=bias))


def test_a_scalar_input():
    with pytest.raises(ShapeError, match=r"linear: input \(\), expected last dimension 4 for weight \(3, 4\)"):
        F.linear(gg.tensor(1.0), RNG.normal(size=(3, 4)))


def test_a_wider_bias_promotes():
    y = F.linear(np.ones((2, 3), np.float32), np.ones((4, 3), np.float32), np.ones(4))
    assert y.dtype == np.float64
    assert y.tolist() == [[4.0] * 4] * 2


def test_the_result_of_a_product_is_not_that_of_an_operand():
    x, weight, bias = (RNG.normal(size=s) for s in [(2, 3), (4, 3), (4,)])
    copies = [a.copy() for a in (x, weight, bias)]
    F.linear(x, weight, bias)
    assert all(np.array_equal(a, b) for a, b in zip((x, weight, bias), copies, strict=True))


def test_arrays_of_two_libraries():
    strict = pytest.importorskip("array_api_strict")
    with pytest.raises(DeviceError, match=r"linear: .*gg.from_dlpack, or gg.asarray"):
        F.linear(RNG.normal(size=(2, 3)), strict.ones((4, 3), dtype=strict.float64))


def test_memory_kept_for_the_backward_pass_is_that_of_input_and_weight():
    x, weight, bias = (gg.tensor(RNG.normal(size=s), requires_grad=True) for s in [(2, 3), (4, 3), (4,)])
    kept = [r for _, _, residuals in F.linear(x, weight, bias).node.edges for r in residuals]
    assert {id(r) for r in kept} == {id(x.array), id(weight.array)}


def test_lists_are_no_input():
    with pytest.raises(
        DTypeError, match="^linear: the input is list, expected a Tensor or an array; convert it with gg.asarray$"
    ):
        F.linear([[1.0, 2.0]], np.ones((3, 2)))


@pytest.mark.parametrize("dtype", ["int64", "uint8", "bool"])
def test_integers_go_with_no_floating_weight(dtype):
    with pytest.raises(
        DTypeError,
        match=rf"^linear: input has dtype {dtype}, expected floating-point for a weight of float32; convert it with .astype",
    ):
        F.linear(np.ones((2, 3), dtype), np.ones((4, 3), "float32"))
    assert F.linear(np.ones((2, 3), int), np.ones((4, 3), int)).tolist() == [[3] * 4] * 2


@pytest.mark.parametrize("leading", [(), (1,), (6,), (2, 3), (0,), (1, 1)])
def test_gradients_on_numpy_are_those_of_the_definition(leading):
    shapes = [(*leading, 4), (5, 4), (5,)]
    arrays = [RNG.normal(size=s).astype(np.float32) for s in shapes]
    g = RNG.normal(size=(*leading, 5)).astype(np.float32)
    leaves = [gg.tensor(x, requires_grad=True) for x in arrays]
    F.linear(*leaves).backward(g)
    rows, x = g.reshape(-1, 5).astype("float64"), arrays[0].reshape(-1, 4)
    expected = [(rows @ arrays[1]).reshape(shapes[0]), rows.T @ x, rows.sum(0)]
    for leaf, value in zip(leaves, expected, strict=True):
        assert leaf.grad.dtype == np.float32
        np.testing.assert_allclose(leaf.grad.numpy(), value, rtol=1e-5, atol=1e-5)
    assert all(not np.shares_memory(leaf.grad.array, g) for leaf in leaves)


def test_the_gradient_of_a_bias_of_many_rows_is_their_sum():
    x, bias = gg.zeros((256, 4), dtype=gg.float64), gg.tensor(np.zeros(96), requires_grad=True)
    g = RNG.normal(size=(256, 96))
    F.linear(x, gg.zeros((96, 4), dtype=gg.float64), bias).backward(gg.asarray(g))
    np.testing.assert_allclose(bias.grad.numpy(), g.sum(axis=0), rtol=1e-12, atol=1e-12)


@pytest.mark.parametrize("shape", [(3,), (1, 3), (5, 3), (2, 4, 3), (0, 3), (300, 3)])
@pytest.mark.parametrize("outputs", [1, 4, 64])
def test_rules_as_numpy_spells_them_are_the_rules(shape, outputs):
    rng = np.random.default_rng(0)
    x, w, b = (gg.tensor(rng.normal(size=size), requires_grad=True) for size in (shape, (outputs, 3), (outputs,)))
    out = gg.nn.functional.linear(x, w, b)
    g = rng.normal(size=out.shape)
    spelled = [(rule, residuals) for _, rule, residuals in out.node.edges if rule.numpy is not rule.function]
    assert [rule.operand for rule, _ in spelled] == ["input", "weight", "bias"]
    for rule, residuals in spelled:
        found, expected = rule.numpy(g, *residuals), rule.function(g, *residuals)
        if rule.operand == "bias":  # what the sweep does with the rule's gradient: it is summed to the operand's shape
            expected = expected.reshape(-1, outputs).sum(0)
        np.testing.assert_allclose(found, expected, rtol=1e-12, atol=1e-14)
        assert found.shape == expected.shape
