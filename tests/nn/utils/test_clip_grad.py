"""gpugrad.nn.utils.clip_grad."""

import math

import numpy as np
import pytest
from backends import Backend

import gpugrad as gg
from gpugrad.errors import AnomalyError, DTypeError, GpugradError, OptionError
from gpugrad.nn import utils
from gpugrad.nn.utils import clip_grad_norm_, clip_grad_value_, clip_grads_with_norm_

SHAPES = [(3, 4), (70, 30), (), (2000,), (0, 3)]
ORDERS = pytest.mark.parametrize("order", [2.0, 2, 1, 3, 2.5, math.inf])


def with_gradients(dtype="float64", backend=None):
    rng = np.random.default_rng(0)
    as_array = backend.asarray if backend else np.array
    parameters = []
    for shape in SHAPES:
        p = gg.asarray(as_array(rng.normal(size=shape).astype(dtype))).requires_grad_()
        p.grad = gg.asarray(as_array(rng.normal(size=shape).astype(dtype)))
        parameters.append(p)
    unused = gg.asarray(as_array(np.ones(2, dtype))).requires_grad_()
    return [unused, *parameters]


def flat(parameters, to_numpy=np.asarray):
    return np.concatenate([to_numpy(p.grad.array).astype("float64").reshape(-1) for p in parameters if p.grad is not None])


@ORDERS
@pytest.mark.parametrize("dtype", ["float64", "float32"])
@pytest.mark.parametrize("max_norm", [0.5, 1e9])
def test_the_norm_of_all_gradients_together(order, dtype, max_norm, backend: Backend):
    parameters = with_gradients(dtype, backend)
    before = flat(parameters, backend.to_numpy)
    norm = clip_grad_norm_(parameters, max_norm, order)
    expected = np.linalg.norm(before, order)
    tolerance = 1e-12 if dtype == "float64" else 1e-5
    assert norm.dtype == dtype and norm.shape == () and not norm.requires_grad
    assert norm.device == parameters[1].device
    np.testing.assert_allclose(norm.item(), expected, rtol=tolerance)
    after = flat(parameters, backend.to_numpy)
    np.testing.assert_allclose(after, before * min(1, max_norm / (expected + 1e-6)), rtol=tolerance, atol=1e-12)
    assert all(p.grad.dtype == dtype and p.grad.shape == p.shape for p in parameters[1:])
    assert parameters[0].grad is None


def test_values(backend: Backend):
    parameters = with_gradients("float32", backend)
    parameters[2].grad = gg.asarray(backend.asarray(np.where(np.eye(70, 30), np.nan, 3).astype("float32")))
    before = flat(parameters, backend.to_numpy)
    assert clip_grad_value_(parameters, 0.25) is None
    assert np.array_equal(flat(parameters, backend.to_numpy), np.clip(before, -0.25, 0.25), equal_nan=True)


@pytest.mark.parametrize("shape", [(5,), (60, 70)])
@pytest.mark.parametrize("clip", [lambda p: clip_grad_norm_(p, 0.5), lambda p: clip_grad_value_(p, 0.5)], ids=["norm", "value"])
def test_who_holds_the_same_memory_keeps_what_it_has(clip, shape):
    held = np.full(shape, 2.0)
    x, y, z, alone = (gg.tensor(np.ones(shape), requires_grad=True) for _ in range(4))
    x.grad = gg.asarray(held)
    y.grad = gg.asarray(np.broadcast_to(np.array(2.0), shape))  # as the gradient of a sum is: read-only
    z.grad = gg.tensor(np.ones(shape))
    alone.grad = gg.tensor(np.ones(shape))
    view = z.grad.array[..., :2]
    memory = alone.grad.array.ctypes.data
    clip([x, y, z, alone])
    assert np.all(held == 2) and np.all(view == 1)
    assert np.max(x.grad.array) <= 0.5 and np.array_equal(x.grad.array, y.grad.array)
    assert np.max(z.grad.array) <= 0.5 and np.array_equal(z.grad.array, alone.grad.array)
    assert alone.grad.array.ctypes.data == memory  # written in place: nobody else held it


@pytest.mark.parametrize("shape", [(5, 3), (60, 70)])
def test_gradients_that_share_an_array(shape):
    x, y = (gg.tensor(np.ones(shape), requires_grad=True) for _ in range(2))
    ((x + y) * gg.asarray(np.full(shape, 3.0))).sum().backward()
    clip_grad_norm_([x, y], 1.0)
    expected = 1 / math.sqrt(2 * x.array.size)
    np.testing.assert_allclose(x.grad.array, expected, rtol=1e-5)
    np.testing.assert_allclose(y.grad.array, expected, rtol=1e-5)


def test_transposed_gradients():
    p = gg.tensor(np.zeros((40, 50)), requires_grad=True)
    values = np.random.default_rng(0).normal(size=(50, 40))
    p.grad = gg.Tensor(values.copy().T)
    norm = clip_grad_norm_(p, 1.0)
    np.testing.assert_allclose(norm.item(), np.linalg.norm(values))
    np.testing.assert_allclose(p.grad.array, values.T / np.linalg.norm(values), rtol=1e-6)


def test_a_recorded_gradient_is_replaced():
    x = gg.tensor(np.array([1.0, 2.0]), requires_grad=True)
    gg.sum(x**3).backward(create_graph=True)
    recorded = x.grad
    clip_grad_norm_([x], 1.0)
    assert recorded.tolist() == [3.0, 12.0] and not x.grad.requires_grad
    np.testing.assert_allclose(np.linalg.norm(x.grad.array), 1, rtol=1e-6)


def test_a_parameter_that_is_listed_twice_counts_once():
    p = gg.tensor(np.zeros(2), requires_grad=True)
    p.grad = gg.tensor(np.array([3.0, 4.0]))
    assert clip_grad_norm_([p, p], 1.0).item() == 5.0
    np.testing.assert_allclose(p.grad.array, [0.6, 0.8], rtol=1e-6)


@pytest.mark.parametrize("size", [10, 5000])
def test_norms_of_float16_are_those_of_float32(size):
    p = gg.tensor(np.zeros(size, "float16"), requires_grad=True)
    p.grad = gg.tensor(np.full(size, 1000, "float16"))
    norm = clip_grad_norm_(p, 10.0)
    np.testing.assert_allclose(norm.item(), 1000 * math.sqrt(size), rtol=1e-4)
    assert norm.dtype == "float32" and p.grad.dtype == "float16"
    np.testing.assert_allclose(p.grad.array, 10 / math.sqrt(size), rtol=2e-3)


def test_gradients_of_several_dtypes():
    x, y = gg.tensor(np.zeros(3, "float32"), requires_grad=True), gg.tensor(np.zeros(2000), requires_grad=True)
    x.grad, y.grad = gg.tensor(np.ones(3, "float32")), gg.tensor(np.ones(2000))
    norm = clip_grad_norm_([x, y], 1.0)
    assert norm.dtype == "float64" and norm.item() == pytest.approx(math.sqrt(2003))
    assert x.grad.dtype == "float32" and x.grad.array[0] == pytest.approx(1 / math.sqrt(2003))


def test_complex_gradients():
    p = gg.tensor(np.zeros(2, "complex128"), requires_grad=True)
    p.grad = gg.tensor(np.array([3j, 4 + 0j]))
    assert clip_grad_norm_(p, 1.0).item() == 5.0
    np.testing.assert_allclose(p.grad.array, [0.6j, 0.8], rtol=1e-6)


def test_complex_gradients_have_no_largest_value():
    p = gg.tensor(np.zeros(2, "complex64"), requires_grad=True)
    p.grad = gg.tensor(np.array([3j, 4], "complex64"))
    with pytest.raises(DTypeError, match="clip_grad_value_: got a gradient of complex64, expected real ones"):
        clip_grad_value_([p], 1.0)


@pytest.mark.parametrize("bad", [np.nan, np.inf])
def test_what_is_not_finite(bad):
    p, q = gg.tensor(np.zeros(2), requires_grad=True), gg.tensor(np.zeros(2000), requires_grad=True)
    p.grad, q.grad = gg.tensor(np.array([1.0, bad])), gg.tensor(np.ones(2000))
    with pytest.raises(
        AnomalyError, match=rf"clip_grad_norm_: the norm of order 2.0 of the gradients is {bad}, so they cannot be clipped"
    ):
        clip_grad_norm_([p, q], 1.0, error_if_nonfinite=True)
    assert p.grad.array[0] == 1 and np.all(q.grad.array == 1)  # nothing has changed
    with np.errstate(invalid="ignore"):
        clip_grad_norm_([p, q], 1.0)
    assert np.isnan(p.grad.array[1])
    assert np.all(np.isnan(q.grad.array)) if np.isnan(bad) else np.all(q.grad.array == 0)


def test_without_gradients_the_norm_is_0():
    p = gg.tensor([1.0], requires_grad=True)
    assert clip_grad_norm_([p], 1.0).item() == 0.0 and clip_grad_norm_([], 1.0).item() == 0.0
    clip_grad_value_(p, 1.0)
    assert p.grad is None


@pytest.mark.parametrize("order", [0, -1, float("nan")])
def test_other_orders_are_refused(order):
    with pytest.raises(ValueError, match=f"clip_grad_norm_: norm_type is {order}, expected a positive number or inf"):
        clip_grad_norm_([], 1.0, order)


def test_only_tensors_have_gradients():
    with pytest.raises(
        DTypeError, match=r"clip_grad_norm_: got a parameter of type ndarray, expected Tensors, as model.parameters\(\)"
    ):
        clip_grad_norm_([np.ones(2)], 1.0)
    with pytest.raises(GpugradError, match="clip_grad_value_: got a parameter of type str"):
        clip_grad_value_("ab", 1.0)


def test_a_training_step_with_clipping():
    model = gg.nn.Sequential(gg.nn.Linear(40, 50), gg.nn.GELU(), gg.nn.LayerNorm(50), gg.nn.Linear(50, 2))
    optimizer = gg.optim.SGD(model.parameters(), lr=0.1)
    x, labels = np.random.default_rng(0).normal(size=(60, 40)).astype("float32"), np.arange(60) % 2
    losses = []
    for _ in range(20):
        loss = gg.nn.functional.cross_entropy(model(x), labels)
        optimizer.zero_grad()
        loss.backward()
        utils.clip_grad_norm_(model.parameters(), 1.0)
        assert np.linalg.norm(flat(model.parameters())) <= 1.00001
        optimizer.step()
        losses.append(loss.item())
    assert losses[-1] < 0.9 * losses[0]


@pytest.mark.parametrize("norm_type", [1.0, 2.0, 3.5, math.inf])
def test_the_norm_and_the_scaling_by_themselves(norm_type):
    at_once, apart = with_gradients(), with_gradients()
    expected = utils.clip_grad_norm_(at_once, 0.5, norm_type)
    norm = utils.get_total_norm([p.grad for p in apart if p.grad is not None], norm_type)
    assert norm.item() == expected.item() and np.array_equal(flat(apart), flat(with_gradients()))
    utils.clip_grads_with_norm_(apart, 0.5, norm)
    np.testing.assert_allclose(flat(apart), flat(at_once), rtol=1e-15)


def test_the_norm_of_nothing():
    assert utils.get_total_norm([]).item() == 0 and utils.get_total_norm([gg.zeros((0, 2))]).item() == 0
    utils.clip_grads_with_norm_([gg.ones(2).requires_grad_()], 1.0, gg.asarray(2.0))
    with pytest.raises(AnomalyError, match="get_total_norm: the norm of order 2.0 of the gradients is inf"):
        utils.get_total_norm([gg.asarray([math.inf])], error_if_nonfinite=True)


@pytest.mark.parametrize("limit", [-1.0, float("nan")])
def test_a_negative_limit_would_turn_gradients_round(limit):
    p = gg.tensor([1.0], requires_grad=True)
    p.grad = gg.tensor([3.0])
    with pytest.raises(OptionError, match=f"clip_grad_norm_: max_norm is {limit}, expected 0 or more"):
        clip_grad_norm_(p, limit)
    with pytest.raises(OptionError, match=f"clip_grads_with_norm_: max_norm is {limit}, expected 0 or more"):
        clip_grads_with_norm_(p, limit, gg.tensor(3.0))
    with pytest.raises(OptionError, match=f"clip_grad_value_: clip_value is {limit}, expected 0 or more"):
        clip_grad_value_(p, limit)
    assert p.grad.tolist() == [3.0]
