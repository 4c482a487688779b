"""gpugrad.optim.adam against a loop written by hand, and its kernels against its definition."""

import numpy as np
import pytest

import gpugrad as gg
from gpugrad.optim import Adam
from gpugrad.optim.adam import adam
from gpugrad.testing import assert_close

OPTIONS = [
    {},
    {"betas": (0.8, 0.95)},
    {"eps": 1e-3},
    {"weight_decay": 0.1},
    {"betas": (0.0, 0.9), "weight_decay": 0.01},
    {"betas": (0.9, 0.0)},
    {"amsgrad": True},
    {"maximize": True, "weight_decay": 0.1},
    {"amsgrad": True, "maximize": True, "betas": (0.8, 0.5)},
]


def by_hand(p, gradients, lr, betas=(0.9, 0.999), eps=1e-8, weight_decay=0.0, amsgrad=False, maximize=False):
    """torch.optim.Adam, as its documentation writes it."""
    m, v, largest = np.zeros_like(p), np.zeros_like(p), np.zeros_like(p)
    for t, g in enumerate(gradients, 1):
        g = (-g if maximize else g) + weight_decay * p
        m = betas[0] * m + (1 - betas[0]) * g
        v = betas[1] * v + (1 - betas[1]) * g * g
        largest = np.maximum(largest, v)
        m_hat, v_hat = m / (1 - betas[0] ** t), (largest if amsgrad else v) / (1 - betas[1] ** t)
        p = p - lr * m_hat / (np.sqrt(v_hat) + eps)
    return p


@pytest.mark.parametrize("options", OPTIONS, ids=str)
def test_fifty_steps(options):
    rng = np.random.default_rng(0)
    start, gradients = rng.normal(size=(3, 4)), rng.normal(size=(50, 3, 4))
    p = gg.tensor(start, requires_grad=True)
    optimizer = Adam([p], lr=0.05, **options)
    for g in gradients:
        p.grad = gg.asarray(g)
        optimizer.step()
    assert_close(p.detach(), by_hand(start, gradients, 0.05, **options), rtol=1e-12, atol=1e-12)


def test_pytorchs_numbers():
    """Computed once by hand with torch.optim.Adam in float64: p = [1, -2], grad = p**2, three steps."""
    p = gg.tensor(np.array([1.0, -2.0]), requires_grad=True)
    optimizer = Adam([p], lr=0.1, weight_decay=0.01)
    for _ in range(3):
        optimizer.zero_grad()
        (gg.sum(p**3) / 3).backward()
        optimizer.step()
    assert_close(p.detach(), np.array(PYTORCH), rtol=1e-12)


PYTORCH = [0.7041212490185714, -2.3004939637372606]


STEPS = [
    {},
    {"weight_decay": 0.1},
    {"decay": 0.99},
    {"beta1": 0.0, "eps": 1e-2},
    {"correction2_sqrt": 0.03, "step_size": 1.0},
    {"maximize": True, "weight_decay": 0.1},
]


TOLERANCES = {
    "float16": {"rtol": 2e-2, "atol": 2e-3},
    "float32": {"rtol": 2e-6, "atol": 1e-7},
    "float64": {"rtol": 1e-14, "atol": 1e-7},
}


@pytest.mark.parametrize("options", STEPS, ids=str)
@pytest.mark.parametrize("amsgrad", [False, True])
@pytest.mark.parametrize("dtype", ["float16", "float32", "float64"])
def test_the_kernel_of_every_library_equals_the_definition(backend, options, amsgrad, dtype):
    if dtype == "float16" and "strict" in backend.name:
        pytest.skip("array-api-strict has no float16")
    rng = np.random.default_rng(1)
    p, g, m = (rng.normal(size=33).astype(dtype) for _ in range(3))
    v = rng.uniform(0.1, 1, size=33).astype(dtype)
    numbers = {
        "step_size": 0.1, "beta1": 0.9, "beta2": 0.999, "eps": 1e-8, "correction2_sqrt": 0.5, "weight_decay": 0.0,
        "decay": 1.0, "maximize": False, "master": False, **options,
    }  # fmt: skip
    state = [m, v, *([rng.uniform(0.1, 1, size=33).astype(dtype)] if amsgrad else [])]
    expected = Adam.kernels.definition(p, g, *state, **numbers)
    make = np.array if backend.name == "numpy-read-only" else backend.asarray  # only the gradient may be read-only
    arrays = [make(p), backend.asarray(g), *map(make, state)]
    found = Adam.kernels[type(arrays[0])](*arrays, **numbers)
    for x, y in zip(found, expected, strict=True):
        assert backend.to_numpy(x).dtype == dtype
        np.testing.assert_allclose(backend.to_numpy(x), y, **TOLERANCES[dtype])
    assert backend.to_numpy(arrays[1]).tolist() == g.tolist()


def test_a_gradient_of_zero_changes_nothing():
    p = gg.tensor([1.0, 2.0], requires_grad=True)
    optimizer = Adam([p], lr=0.1)
    p.grad = gg.zeros(2)
    optimizer.step()
    assert p.tolist() == [1.0, 2.0]


@pytest.mark.parametrize(
    "options, message",
    [
        ({"lr": -0.1}, "Adam: lr is -0.1, expected 0 or more"),
        ({"lr": 0}, "Adam: lr is 0, expected more than 0; for a rate that begins at 0 use a schedule"),
        ({"lr": float("inf")}, "Adam: lr is inf, expected 0 or more, and finite"),
        ({"lr": "fast"}, "Adam: lr is 'fast', expected 0 or more, and finite"),
        ({"eps": -1}, "Adam: eps is -1, expected 0 or more"),
        ({"weight_decay": -1}, "Adam: weight_decay is -1, expected 0 or more"),
        ({"lr": float("nan")}, "Adam: lr is nan, expected 0 or more"),
        ({"betas": (1.0, 0.9)}, r"Adam: betas\[0\] is 1.0, expected at least 0 and below 1"),
        ({"betas": (0.9, -0.1)}, r"Adam: betas\[1\] is -0.1, expected at least 0 and below 1"),
        ({"betas": (0.9,)}, r"Adam: betas is \(0.9,\), expected two numbers"),
        ({"betas": 0.9}, "Adam: betas is 0.9, expected two numbers"),
    ],
)
def test_bad_options(options, message):
    p = gg.tensor([1.0], requires_grad=True)
    with pytest.raises(ValueError, match=message):
        Adam([p], **options)


def test_the_defaults_are_pytorchs():
    assert Adam([gg.tensor([1.0], requires_grad=True)]).defaults == {
        "lr": 1e-3, "betas": (0.9, 0.999), "eps": 1e-8, "weight_decay": 0.0, "amsgrad": False, "maximize": False,
        "decoupled_weight_decay": False, "master_weights": False,
    }  # fmt: skip


def test_the_state_of_amsgrad_is_pytorchs_and_is_kept():
    p, q = (gg.tensor(np.ones(2), requires_grad=True) for _ in range(2))
    optimizer, other = (Adam([x], betas=(0.9, 0.5), amsgrad=True) for x in (p, q))
    p.grad = gg.asarray(np.array([3.0, 4.0]))
    optimizer.step()
    state = optimizer.state_dict()
    assert set(state["state"][0]) == {"step", "exp_avg", "exp_avg_sq", "max_exp_avg_sq"}
    other.load_state_dict(state)
    p.grad = gg.asarray(np.array([0.5, 0.25]))
    optimizer.step()
    assert_close(optimizer.state_dict()["state"][0]["max_exp_avg_sq"], np.array([4.5, 8.0]))
    assert_close(other.state_dict()["state"][0]["max_exp_avg_sq"], np.array([4.5, 8.0]))


def test_amsgrad_keeps_nan():
    """As numpy.maximum does, on every library: a parameter that is broken shows."""
    numbers = {"step_size": 0.1, "beta1": 0.9, "beta2": 0.0, "eps": 1e-8, "correction2_sqrt": 0.5}
    state = [np.zeros(2), np.zeros(2), np.array([np.nan, 0.0])]
    p, *_, largest = adam(np.ones(2), np.array([1.0, np.nan]), *state, **numbers)
    assert np.isnan(p).all() and np.isnan(largest).all()


def test_maximize_is_by_keyword_only():
    with pytest.raises(TypeError):
        Adam([gg.tensor([1.0], requires_grad=True)], 0.1, (0.9, 0.99), 1e-8, 0.0, False, True)
