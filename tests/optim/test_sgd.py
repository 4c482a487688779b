"""gpugrad.optim.sgd against a loop written by hand, and its kernels against its definition."""

import numpy as np
import pytest

import gpugrad as gg
from gpugrad.optim import SGD
from gpugrad.testing import assert_close

OPTIONS = [
    {},
    {"weight_decay": 0.1},
    {"momentum": 0.9},
    {"momentum": 0.9, "weight_decay": 0.1},
    {"momentum": 0.9, "dampening": 0.5},
    {"momentum": 0.9, "dampening": 0.3, "weight_decay": 0.01},
    {"momentum": 0.9, "nesterov": True},
    {"momentum": 0.5, "nesterov": True, "weight_decay": 0.1},
    {"maximize": True},
    {"maximize": True, "weight_decay": 0.1},
    {"maximize": True, "momentum": 0.9},
    {"maximize": True, "momentum": 0.9, "nesterov": True, "weight_decay": 0.1},
]


def by_hand(p, gradients, lr, momentum=0.0, dampening=0.0, weight_decay=0.0, nesterov=False, maximize=False):
    """torch.optim.SGD, as its documentation writes it."""
    buffer = None
    for g in gradients:
        g = (-g if maximize else g) + weight_decay * p
        if momentum:
            buffer = g.copy() if buffer is None else momentum * buffer + (1 - dampening) * g
            g = g + momentum * buffer if nesterov else buffer
        p = p - lr * g
    return p


@pytest.mark.parametrize("options", OPTIONS, ids=str)
def test_fifty_steps(options):
    rng = np.random.default_rng(0)
    start, gradients = rng.normal(size=(3, 4)), rng.normal(size=(50, 3, 4))
    p = gg.tensor(start, requires_grad=True)
    optimizer = SGD([p], lr=0.05, **options)
    for g in gradients:
        p.grad = gg.asarray(g)
        optimizer.step()
    assert_close(p.detach(), by_hand(start, gradients, 0.05, **options), rtol=1e-12, atol=1e-12)


def test_pytorchs_numbers():
    """Computed once by hand with torch.optim.SGD in float64: p = [1, -2], grad = p**2, three steps."""
    p = gg.tensor(np.array([1.0, -2.0]), requires_grad=True)
    optimizer = SGD([p], lr=0.1, momentum=0.9, weight_decay=0.01, nesterov=True)
    for _ in range(3):
        optimizer.zero_grad()
        (gg.sum(p**3) / 3).backward()
        optimizer.step()
    assert_close(p.detach(), np.array(PYTORCH), rtol=1e-12)


PYTORCH = [0.40380474773152214, -9.287477729811815]


TOLERANCES = {
    "float16": {"rtol": 2e-2, "atol": 2e-3},
    "float32": {"rtol": 1e-6, "atol": 1e-7},
    "float64": {"rtol": 1e-14, "atol": 1e-7},
}


@pytest.mark.parametrize("options", OPTIONS, ids=str)
@pytest.mark.parametrize("dtype", ["float16", "float32", "float64"])
def test_the_kernel_of_every_library_equals_the_definition(backend, options, dtype):
    if dtype == "float16" and "strict" in backend.name:
        pytest.skip("array-api-strict has no float16")
    rng = np.random.default_rng(1)
    p, g, buffer = (rng.normal(size=33).astype(dtype) for _ in range(3))
    defaults = {"lr": 0.1, "momentum": 0.0, "dampening": 0.0, "weight_decay": 0.0, "nesterov": False}
    numbers = {"decay": 1.0, "maximize": False, "master": False, **defaults, **options}
    state = [buffer] if numbers["momentum"] else []
    expected = SGD.kernels.definition(p, g, *state, **numbers)
    make = np.array if backend.name == "numpy-read-only" else backend.asarray  # only the gradient may be read-only
    arrays = [make(p), backend.asarray(g), *map(make, state)]
    found = SGD.kernels[type(arrays[0])](*arrays, **numbers)
    for x, y in zip(found, expected, strict=True):
        assert backend.to_numpy(x).dtype == dtype
        np.testing.assert_allclose(backend.to_numpy(x), y, **TOLERANCES[dtype])
    assert backend.to_numpy(arrays[1]).tolist() == g.tolist()  # the gradient is only read


@pytest.mark.parametrize(
    "options, message",
    [
        ({"lr": -0.1}, "SGD: lr is -0.1, expected 0 or more"),
        ({"momentum": -1}, "SGD: momentum is -1, expected 0 or more"),
        ({"weight_decay": -1e-3}, "SGD: weight_decay is -0.001, expected 0 or more"),
        ({"lr": float("nan")}, "SGD: lr is nan, expected 0 or more"),
        ({"nesterov": True}, "SGD: nesterov needs a momentum above 0 and no dampening"),
        ({"nesterov": True, "momentum": 0.9, "dampening": 0.1}, "SGD: nesterov needs a momentum above 0 and no dampening"),
    ],
)
def test_bad_options(options, message):
    p = gg.tensor([1.0], requires_grad=True)
    with pytest.raises(ValueError, match=message):
        SGD([p], **options)
    with pytest.raises(ValueError, match=message):
        SGD([{"params": [p], **options}])


def test_the_defaults_are_pytorchs():
    assert SGD([gg.tensor([1.0], requires_grad=True)]).defaults == {
        "lr": 1e-3, "momentum": 0.0, "dampening": 0.0, "weight_decay": 0.0, "nesterov": False, "maximize": False,
        "master_weights": False,
    }  # fmt: skip
