"""All optimizers: what each keeps to, whatever its rule; and the rules of those that PyTorch does not have, written by hand."""

from __future__ import annotations

import copy
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import pytest
from tensors import leaf

import gpugrad as gg
from gpugrad import optim
from gpugrad.check.parts import OPTIMIZERS
from gpugrad.compile import compiled
from gpugrad.errors import DTypeError, GraphError, OptionError, ShapeError
from gpugrad.testing import assert_close

FLAT = [name for name in OPTIMIZERS if not name.startswith("L-BFGS")]
SHAPES = ((3, 4), (4, 2), (2, 2))  # matrices, for Muon


@pytest.fixture(params=OPTIMIZERS)
def make(request: pytest.FixtureRequest) -> Callable[..., optim.Optimizer]:
    return OPTIMIZERS[request.param]


@pytest.fixture(params=FLAT)
def make_flat(request: pytest.FixtureRequest) -> Callable[..., optim.Optimizer]:
    return OPTIMIZERS[request.param]


def parameters(dtype: str = "float64") -> list[gg.Tensor]:
    rng = np.random.default_rng(0)
    return [leaf(rng.normal(size=shape), dtype) for shape in SHAPES]


def train(optimizer: optim.Optimizer, ps: list[gg.Tensor], steps: range) -> None:
    def closure(step: int) -> gg.Tensor:
        optimizer.zero_grad()
        loss = sum((gg.sum(gg.sin(p + step) + p * p / 4) for p in ps), start=gg.zeros((), dtype=ps[0].dtype))
        loss.backward()
        return loss.detach()

    for step in steps:
        optimizer.step(lambda step=step: closure(step))  # type: ignore[misc]


def copies(ps: list[gg.Tensor]) -> list[gg.Tensor]:
    return [leaf(p.detach().numpy().copy(), p.dtype) for p in ps]


# States -------------------------------------------------------------------------------------------------------------


def test_a_loaded_state_goes_on_bit_for_bit(make: Callable[..., optim.Optimizer]) -> None:
    ps = parameters()
    optimizer = make(ps)
    train(optimizer, ps, range(4))
    qs = copies(ps)
    other = make(qs)
    other.load_state_dict(copy.deepcopy(optimizer.state_dict()))
    for o, xs in ((optimizer, ps), (other, qs)):
        train(o, xs, range(4, 8))
    for p, q in zip(ps, qs, strict=True):
        assert np.array_equal(p.detach().numpy(), q.detach().numpy())


def test_what_schedules_keep_in_groups_survives(make: Callable[..., optim.Optimizer]) -> None:
    ps, qs = parameters(), parameters()
    optimizer, other = make(ps), make(qs)
    group = optimizer.param_groups[0]
    group["initial_lr"], group["max_lr"], group["lr"] = 0.5, 0.7, 0.0
    other.load_state_dict(optimizer.state_dict())
    assert {k: other.param_groups[0][k] for k in ("initial_lr", "max_lr", "lr")} == {
        "initial_lr": 0.5,
        "max_lr": 0.7,
        "lr": 0.0,
    }
    assert [id(p) for p in other.param_groups[0]["params"]] == [id(q) for q in qs]


def test_groups_may_be_given_what_schedules_keep() -> None:
    a, b = parameters()[:2]
    optimizer = optim.SGD([{"params": [a], "initial_lr": 0.1, "name": "a"}, {"params": [b], "lr": 0.0}], lr=0.1)
    assert optimizer.param_groups[0]["initial_lr"] == 0.1 and optimizer.param_groups[1]["lr"] == 0.0


# Master weights -----------------------------------------------------------------------------------------------------


def with_masters(make: Callable[..., optim.Optimizer], ps: list[gg.Tensor]) -> optim.Optimizer:
    optimizer = make(ps)
    optimizer.param_groups[0]["master_weights"] = True
    return optimizer


def steps(optimizer: optim.Optimizer, ps: list[gg.Tensor], gradients: np.ndarray[Any, Any]) -> None:
    for g in gradients:
        for p in ps:
            p.grad = gg.asarray(np.full(p.shape, g)).astype(p.dtype)
        optimizer.step()


def test_master_weights_follow_float32(make_flat: Callable[..., optim.Optimizer]) -> None:
    """The float16 parameters are those of float32 training, rounded."""
    halves = parameters("float16")
    singles = [leaf(p.detach().numpy().astype("float32"), np.float32) for p in halves]
    gradients = np.array([0.5, 0.25, -0.125, 1.0, 0.75] * 4)
    steps(with_masters(make_flat, halves), halves, gradients)
    steps(make_flat(singles), singles, gradients)
    for p, q in zip(halves, singles, strict=True):
        assert p.dtype == gg.float16
        np.testing.assert_allclose(p.detach().numpy(), q.detach().numpy().astype("float16"), rtol=2e-3, atol=1e-6)


def test_master_weights_keep_steps_that_float16_loses() -> None:
    a, b, c = (leaf(np.ones(2), np.float16) for _ in range(3))
    one, other = optim.SGD([a], lr=1e-4), optim.SGD([b], lr=1e-4, master_weights=True)
    for optimizer, p in ((one, a), (other, b)):
        steps(optimizer, [p], np.ones(50))
    assert a.tolist() == [1.0, 1.0]
    assert_close(b.detach(), np.full(2, 0.995, np.float16))
    state = other.state_dict()
    assert state["state"][0]["master"].dtype == gg.float32 and state["param_groups"][0]["master_weights"] is True
    with gg.no_grad():
        c += b.detach() - c.detach()
    third = optim.SGD([c], lr=1e-4, master_weights=True)
    third.load_state_dict(state)
    for optimizer, p in ((other, b), (third, c)):
        steps(optimizer, [p], np.ones(3))
    assert_close(other.state_dict()["state"][0]["master"], third.state_dict()["state"][0]["master"], rtol=0, atol=0)


def test_a_parameter_that_is_given_other_values_gives_them_to_its_master() -> None:
    p = leaf(np.ones(2), np.float16)
    optimizer = optim.SGD([p], lr=1e-4, momentum=0.9, master_weights=True)
    steps(optimizer, [p], np.ones(3))
    p.array = np.full(2, 5.0, np.float16)
    steps(optimizer, [p], np.zeros(1))
    assert p.tolist() == [5.0, 5.0]


def test_master_weights_of_float32_are_the_parameters() -> None:
    p = leaf(np.ones(2), np.float32)
    optimizer = optim.Adam([p], master_weights=True)
    steps(optimizer, [p], np.ones(2))
    assert set(optimizer.state_dict()["state"][0]) == {"step", "exp_avg", "exp_avg_sq"}


# Hooks --------------------------------------------------------------------------------------------------------------


def test_hooks_run_before_and_after_a_step(make: Callable[..., optim.Optimizer]) -> None:
    ps = parameters()
    optimizer = make(ps)
    seen: list[Any] = []
    before = optimizer.register_step_pre_hook(lambda o, args, kwargs: seen.append(("before", o, len(args), kwargs)))
    optimizer.register_step_post_hook(lambda o, args, kwargs: seen.append(("after", o, len(args), kwargs)))
    train(optimizer, ps, range(1))
    before.remove()
    train(optimizer, ps, range(1))
    assert seen == [("before", optimizer, 1, {}), ("after", optimizer, 1, {}), ("after", optimizer, 1, {})]


def test_a_hook_may_change_the_arguments() -> None:
    p = leaf([1.0])
    optimizer = optim.SGD([p], lr=0.5)
    optimizer.register_step_pre_hook(lambda o, args, kwargs: ((lambda: 7,), {}))
    assert optimizer.step() == 7


# Bad input ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "kind", [c for c in map(optim.__dict__.get, optim.__all__) if isinstance(c, type) and c is not optim.Optimizer]
)
@pytest.mark.parametrize("lr", [0, 0.0, -1.0, float("nan"), None, "0.1"])
def test_bad_rates(kind: Any, lr: Any) -> None:
    with pytest.raises(OptionError, match=rf"^{kind.__name__}: lr is {lr!r}, expected"):
        kind(parameters(), lr=lr)


@pytest.mark.parametrize(
    "make, kind, message",
    [
        (lambda p: optim.NAdam(p, betas=(0.9, 1.0)), OptionError, r"NAdam: betas\[1\] is 1.0, expected at least 0 and below 1"),
        (lambda p: optim.Lion(p, betas=(-0.1, 0.9)), OptionError, r"Lion: betas\[0\] is -0.1, expected at least 0 and below 1"),
        (lambda p: optim.LAMB(p, eps=-1e-6), OptionError, "LAMB: eps is -1e-06, expected 0 or more"),
        (lambda p: optim.RMSprop(p, alpha=-1.0), OptionError, "RMSprop: alpha is -1.0, expected 0 or more"),
        (lambda p: optim.Adadelta(p, rho=1.5), OptionError, "Adadelta: rho is 1.5, expected 0 to 1"),
        (lambda p: optim.Rprop(p, etas=(1.5, 0.5)), OptionError, r"Rprop: etas is \(1.5, 0.5\), expected a number between 0 and 1"),
        (lambda p: optim.Rprop(p, step_sizes=(1.0, 0.5)), OptionError, r"Rprop: step_sizes is \(1.0, 0.5\), expected the least"),
        (lambda p: optim.Rprop(p, etas=0.5), OptionError, "Rprop: etas is 0.5, expected two numbers"),
        (lambda p: optim.LARS(p, momentum=0.0, nesterov=True), OptionError, "LARS: nesterov needs a momentum above 0"),
        (lambda p: optim.Muon(p, ns_steps=100), OptionError, "Muon: ns_steps is 100, expected at least 0 and below 100"),
        (lambda p: optim.Muon(p, adjust_lr_fn="x"), OptionError, "Muon: adjust_lr_fn is 'x', expected None, 'original' or"),
        (lambda p: optim.Muon(p, ns_coefficients=(1.0, 2.0)), OptionError, r"Muon: ns_coefficients is \(1.0, 2.0\), expected three"),
        (lambda p: optim.Muon([p[0], leaf([1.0])]), ShapeError, r"Muon: parameter 1 has shape \(1,\), expected a matrix; give it to"),
        (lambda p: optim.LBFGS(p, max_iter=0), OptionError, "LBFGS: max_iter is 0, expected an integer of 1 or more"),
        (lambda p: optim.LBFGS(p, line_search_fn="x"), OptionError, "LBFGS: line_search_fn is 'x', expected None or 'strong_wolfe'"),
        (lambda p: optim.LBFGS([{"params": p[:1]}, {"params": p[1:]}]), OptionError, "LBFGS: got a second parameter group"),
        *(
            (lambda p, make=make: make([leaf([[1j]], "complex64")]), DTypeError, f"{make.__name__}: parameter 0 is complex64, expected a")
            for make in (optim.LAMB, optim.LARS, optim.Muon)
        ),
        (lambda p: optim.LBFGS([leaf([1j], "complex128")]), DTypeError, "LBFGS: parameter 0 is complex128, expected real"),
        (lambda p: optim.LBFGS(p).step(), OptionError, r"LBFGS.step: got no closure; pass a function that computes the loss"),
        (lambda p: optim.Adam(p, differentiable=True), OptionError, "Adam: differentiable is True, but steps are not recorded"),
        (lambda p: optim.Adam(p, beta=0.9), TypeError, r"Adam.__init__\(\) got an unexpected keyword argument 'beta'"),
        (lambda p: optim.Lion([p[0], p[0]]), GraphError, "Lion: parameter 1, of shape .* was given twice"),
    ],
)  # fmt: skip
def test_bad_options(make: Callable[..., Any], kind: type[Exception], message: str) -> None:
    with pytest.raises(kind, match="^" + message):
        make(parameters())


def test_switches_of_pytorch_change_nothing() -> None:
    ps, qs = parameters(), parameters()
    train(optim.Adam(ps, fused=True, foreach=False, capturable=False), ps, range(3))
    train(optim.Adam(qs), qs, range(3))
    assert_close([p.detach() for p in ps], [q.detach() for q in qs], rtol=0, atol=0)


def test_a_parameter_of_two_optimizers() -> None:
    """Both go on from the values that the other left, each with its own state, as two optimizers of PyTorch do."""
    p, q = leaf([1.0, -2.0]), leaf([3.0])
    shared, own = optim.SGD([p, q], lr=0.1, momentum=0.9), optim.SGD([p], lr=0.5, momentum=0.5)
    x, y, b, c = np.array([1.0, -2.0]), np.array([3.0]), np.zeros(2), np.zeros(2)
    z = np.zeros(1)
    for step in range(1, 5):
        p.grad, q.grad = gg.asarray(np.full(2, float(step))), gg.asarray(np.full(1, 2.0 * step))
        shared.step()
        own.step()
        b, z, c = 0.9 * b + step, 0.9 * z + 2 * step, 0.5 * c + step
        x, y = x - 0.1 * b - 0.5 * c, y - 0.1 * z
    assert_close((p.detach(), q.detach()), (x, y), rtol=1e-13)


def test_parameters_without_kernels_that_have_made_different_steps(monkeypatch: pytest.MonkeyPatch) -> None:
    """Where there is no compiler: the rule itself runs, and leaves the others alone."""
    monkeypatch.setattr(compiled, "target_of", lambda arrays: None)
    a, b, c = (leaf(np.array([1 + 2j, 3 - 1j]), "complex128") for _ in range(3))
    alone, together = optim.SGD([a], lr=0.1, momentum=0.9), optim.SGD([b, c], lr=0.1, momentum=0.9)
    for step in range(1, 4):
        a.grad, b.grad = (gg.asarray(np.array([1j, step + 0j])) for _ in range(2))
        c.grad = gg.asarray(np.array([1j, 1 + 0j])) if step > 1 else None
        alone.step()
        together.step()
    assert_close(b.detach(), a.detach(), rtol=1e-13)
    assert_close(c.detach(), np.array([1 + 1.71j, 2.71 - 1j]), rtol=1e-13)


# Rules by hand ------------------------------------------------------------------------------------------------------


def lion(p: Any, gradients: Any, lr: float, betas: Any = (0.9, 0.99), weight_decay: float = 0.0) -> Any:
    """Program 1 of the paper."""
    m = np.zeros_like(p)
    for g in gradients:
        c = betas[0] * m + (1 - betas[0]) * g
        p = p - lr * (np.sign(c) + weight_decay * p)
        m = betas[1] * m + (1 - betas[1]) * g
    return p


def lamb(p: Any, gradients: Any, lr: float, betas: Any = (0.9, 0.999), eps: float = 1e-6, weight_decay: float = 0.0) -> Any:
    """Algorithm 2 of the paper, with phi the identity."""
    m, v = np.zeros_like(p), np.zeros_like(p)
    for t, g in enumerate(gradients, 1):
        m, v = betas[0] * m + (1 - betas[0]) * g, betas[1] * v + (1 - betas[1]) * g * g
        u = m / (1 - betas[0] ** t) / (np.sqrt(v / (1 - betas[1] ** t)) + eps) + weight_decay * p
        p = p - lr * np.linalg.norm(p) / np.linalg.norm(u) * u
    return p


def lars(
    p: Any, gradients: Any, lr: float, momentum: float = 0.9, weight_decay: float = 0.0, trust_coefficient: float = 1e-3,
    eps: float = 1e-8, nesterov: bool = False,
) -> Any:  # fmt: skip
    """Algorithm 1 of the paper."""
    b = np.zeros_like(p)
    for g in gradients:
        local = trust_coefficient * np.linalg.norm(p) / (np.linalg.norm(g) + weight_decay * np.linalg.norm(p) + eps)
        d = lr * local * (g + weight_decay * p)
        b = momentum * b + d
        p = p - (momentum * b + d if nesterov else b)
    return p


BY_HAND: list[tuple[Any, Any, dict[str, Any]]] = [
    (optim.Lion, lion, {"lr": 0.01}),
    (optim.Lion, lion, {"lr": 0.01, "betas": (0.5, 0.7), "weight_decay": 0.3}),
    (optim.LAMB, lamb, {"lr": 0.01}),
    (optim.LAMB, lamb, {"lr": 0.05, "betas": (0.8, 0.9), "weight_decay": 0.1, "eps": 1e-3}),
    (optim.LARS, lars, {"lr": 0.5}),
    (optim.LARS, lars, {"lr": 0.5, "momentum": 0.0, "weight_decay": 0.1, "trust_coefficient": 0.02}),
    (optim.LARS, lars, {"lr": 0.5, "momentum": 0.7, "weight_decay": 0.1, "nesterov": True, "eps": 0.1}),
]


@pytest.mark.parametrize("kind, by_hand, options", BY_HAND)
@pytest.mark.parametrize("maximize", [False, True])
def test_fifty_steps_by_hand(kind: Any, by_hand: Any, options: dict[str, Any], maximize: bool) -> None:
    rng = np.random.default_rng(0)
    starts = [rng.normal(size=shape) for shape in ((3, 4), (40, 50), (5,))]  # small and large: of several kernels
    gradients = [rng.normal(size=(50, *x.shape)) for x in starts]
    ps = [leaf(x) for x in starts]
    optimizer = kind(ps, maximize=maximize, **options)
    for step in range(50):
        for p, g in zip(ps, gradients, strict=True):
            p.grad = gg.asarray(g[step])
        optimizer.step()
    expected = [by_hand(x, -g if maximize else g, **options) for x, g in zip(starts, gradients, strict=True)]
    assert_close([p.detach() for p in ps], expected, rtol=1e-11, atol=1e-12)


@pytest.mark.parametrize("kind", [optim.LAMB, optim.LARS])
def test_a_parameter_or_gradient_of_zero_has_no_norm_to_divide_by(kind: Any) -> None:
    p, q = leaf(np.zeros(3)), leaf(np.ones(3))
    optimizer = kind([p, q], lr=0.1)
    p.grad, q.grad = gg.ones(3, dtype=gg.float64), gg.zeros(3, dtype=gg.float64)
    optimizer.step()
    assert_close((p.detach(), q.detach()), (np.full(3, -0.1), np.ones(3)), rtol=1e-5)


# L-BFGS -------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("line_search_fn", [None, "strong_wolfe"])
def test_lbfgs_finds_a_minimum(line_search_fn: str | None) -> None:
    x, y = leaf(np.array([-0.5, 0.4, 0.9])), leaf(np.zeros((2, 2)), np.float32)
    optimizer = optim.LBFGS([x, y], lr=1.0 if line_search_fn else 0.1, max_iter=200, line_search_fn=line_search_fn)

    def closure() -> gg.Tensor:
        optimizer.zero_grad()
        loss = gg.sum((x - 1) ** 2 * gg.asarray(np.array([1.0, 10.0, 100.0]))) + gg.sum((y + 2) ** 2).astype(gg.float64)
        loss.backward()
        return loss

    first = optimizer.step(closure)
    assert_close((x.detach(), y.detach()), (np.ones(3), np.full((2, 2), -2.0, np.float32)), atol=1e-3)
    assert first.item() > 10 and y.dtype == gg.float32


@pytest.mark.parametrize("size", [3, 3000])  # of many elements in kernels
def test_lbfgs_goes_on_from_values_given_between_steps(size: int) -> None:
    x, y = leaf(np.linspace(1.0, 2.0, size)), leaf(np.array([3.0]))
    g, h = gg.asarray(np.linspace(-1.0, 1.0, size)), gg.asarray(np.array([2.0]))
    optimizer = optim.LBFGS([x, y], lr=0.1, max_iter=1)

    def closure() -> float:
        x.grad, y.grad = g, h
        return 1.0

    optimizer.step(closure)
    optimizer.step(closure)  # of a gradient that stays, the direction is minus the gradient
    with gg.no_grad():
        y[...] = 10.0
    before = x.detach()
    optimizer.step(closure)
    assert_close(x, before - 0.1 * g)
    assert_close(y, gg.asarray(np.array([9.8])))


def failing() -> Iterator[bool]:
    yield from (False, False, True)


def test_a_closure_that_raises_leaves_lbfgs_as_it_was() -> None:
    x = leaf(np.array([1.0, 2.0]))
    optimizer = optim.LBFGS([x], lr=0.1)
    fails = failing()

    def closure() -> gg.Tensor:
        if next(fails):
            raise RuntimeError("no more data")
        optimizer.zero_grad()
        loss = gg.sum(x**4)
        loss.backward()
        return loss

    with pytest.raises(RuntimeError, match="no more data"):
        optimizer.step(closure)
    assert x.tolist() == [1.0, 2.0] and optimizer.state_dict()["state"] == {}


def test_lbfgs_refuses_a_state_of_other_parameters() -> None:
    x, y = leaf(np.array([1.0, 2.0])), leaf(np.array([1.0, 2.0, 3.0]))
    optimizer, other = optim.LBFGS([x]), optim.LBFGS([y])
    train(optimizer, [x], range(2))
    with pytest.raises(ShapeError, match=r"a flat array has shape \(2,\), and the parameters 3 elements"):
        other.load_state_dict(optimizer.state_dict())
    assert other.state_dict()["state"] == {}
