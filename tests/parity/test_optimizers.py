"""Optimizers side by side with PyTorch's: fifty steps from the same weights and a state that either library goes on from."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest
from parity.peers import torch

import gpugrad as gg
from gpugrad.trees import map_leaves

SHAPES = ((4, 3), (3,), (2, 3), ())
STEPS = 50
CASES: list[tuple[str, dict[str, Any]]] = [
    ("SGD", {}),
    ("SGD", {"lr": 0.05, "momentum": 0.9, "dampening": 0.3, "weight_decay": 0.01}),
    ("SGD", {"lr": 0.05, "momentum": 0.9, "nesterov": True, "maximize": True}),
    ("Adam", {}),
    ("Adam", {"lr": 0.05, "betas": (0.8, 0.95), "eps": 1e-3, "weight_decay": 0.1, "amsgrad": True}),
    ("Adam", {"lr": 0.05, "weight_decay": 0.1, "decoupled_weight_decay": True, "maximize": True}),
    ("AdamW", {}),
    ("AdamW", {"lr": 0.05, "weight_decay": 0.3, "amsgrad": True, "maximize": True}),
    ("NAdam", {}),
    ("NAdam", {"lr": 0.05, "weight_decay": 0.1, "momentum_decay": 0.1, "betas": (0.7, 0.9)}),
    ("NAdam", {"lr": 0.05, "weight_decay": 0.1, "decoupled_weight_decay": True, "maximize": True}),
    ("RAdam", {}),
    ("RAdam", {"lr": 0.05, "betas": (0.8, 0.9), "weight_decay": 0.1, "eps": 1e-4}),
    ("RAdam", {"lr": 0.05, "weight_decay": 0.1, "decoupled_weight_decay": True, "maximize": True}),
    ("Adamax", {}),
    ("Adamax", {"lr": 0.05, "betas": (0.8, 0.9), "weight_decay": 0.1, "eps": 1e-3, "maximize": True}),
    ("RMSprop", {}),
    ("RMSprop", {"lr": 0.02, "momentum": 0.9, "weight_decay": 0.1}),
    ("RMSprop", {"lr": 0.02, "alpha": 0.9, "centered": True, "eps": 1e-3, "maximize": True}),
    ("RMSprop", {"lr": 0.02, "momentum": 0.5, "centered": True}),
    ("Adagrad", {}),
    ("Adagrad", {"lr": 0.1, "lr_decay": 0.1, "weight_decay": 0.1, "initial_accumulator_value": 0.5, "eps": 1e-3}),
    ("Adagrad", {"maximize": True}),
    ("Adadelta", {}),
    ("Adadelta", {"lr": 0.5, "rho": 0.7, "eps": 1e-3, "weight_decay": 0.1, "maximize": True}),
    ("ASGD", {}),
    ("ASGD", {"lr": 0.1, "lambd": 0.1, "alpha": 0.5, "t0": 5.0, "weight_decay": 0.1, "maximize": True}),
    ("Rprop", {}),
    ("Rprop", {"lr": 0.1, "etas": (0.3, 1.5), "step_sizes": (1e-3, 0.3), "maximize": True}),
]
PARAMETRIZED = pytest.mark.parametrize("name, options", CASES, ids=lambda x: x if isinstance(x, str) else str(x))


@pytest.fixture(autouse=True)
def in_float64() -> Iterator[None]:
    """PyTorch keeps numbers such as NAdam's product of momenta in its default dtype."""
    before = torch.get_default_dtype()
    torch.set_default_dtype(torch.float64)
    yield
    torch.set_default_dtype(before)


def both(name: str, options: dict[str, Any], groups: bool = False) -> list[tuple[Any, list[Any], Any]]:
    """Library, parameters and optimizer, of gpugrad and of PyTorch. With `groups`, the last two parameters have options of their own."""
    rng = np.random.default_rng(0)
    values = [rng.normal(size=shape) for shape in SHAPES]
    found = []
    for library, make in (
        (gg, lambda x: gg.tensor(x, requires_grad=True)),
        (torch, lambda x: torch.tensor(x, requires_grad=True)),
    ):
        ps = [make(x) for x in values]
        params = [{"params": ps[:2]}, {"params": ps[2:], "lr": 0.03}] if groups else ps
        found.append((library, ps, getattr(library.optim, name)(params, **options)))
    return found


def train(library: Any, ps: list[Any], optimizer: Any, steps: range, skip: bool = False) -> None:
    """Steps down a bounded loss that is not quadratic: rounding errors do not grow.

    With `skip`, a parameter has no gradient in two of three steps.
    """
    for step in steps:
        optimizer.zero_grad()
        a, b, c, d = ps
        h = library.tanh(c) @ library.tanh(a.T) + library.sin(b).sum() * library.sin(d)
        loss = library.sin(h + step % 3).sum() + 0.1 * library.cos(a).sum() + library.cos(d + 1)
        loss.backward()
        if skip and step % 3:
            b.grad = None
        optimizer.step()


def assert_same(ours: list[Any], theirs: list[Any], tolerance: float) -> None:
    for p, q in zip(ours, theirs, strict=True):
        np.testing.assert_allclose(p.detach().numpy(), q.detach().numpy(), rtol=tolerance, atol=tolerance)


@PARAMETRIZED
@pytest.mark.parametrize("groups, skip", [(False, False), (True, True)], ids=["", "groups and skipped gradients"])
def test_fifty_steps(name: str, options: dict[str, Any], groups: bool, skip: bool) -> None:
    (_, ours, _), (_, theirs, _) = sides = both(name, options, groups)
    start = [p.detach().numpy().copy() for p in ours]
    for side in sides:
        train(*side, range(STEPS), skip)
    assert_same(ours, theirs, 1e-9)
    assert all(np.abs(p.detach().numpy() - x).max() > 1e-4 for p, x in zip(ours, start, strict=True))


@PARAMETRIZED
def test_complex_parameters_are_pairs_of_real_numbers(name: str, options: dict[str, Any]) -> None:
    """In steps and in the state, which either library goes on from."""
    rng = np.random.default_rng(0)
    values = [rng.normal(size=shape) + 1j * rng.normal(size=shape) for shape in SHAPES]
    gradients = [[rng.normal(size=x.shape) + 1j * rng.normal(size=x.shape) for x in values] for _ in range(6)]
    found = []
    for library in (gg, torch):
        ps = [library.tensor(x, requires_grad=True) for x in values]
        optimizer = getattr(library.optim, name)(ps, **options)
        for step, given in enumerate(gradients):
            for p, g in zip(ps, given, strict=True):
                p.grad = library.tensor(g)
            if step == 3:
                ps[1].grad = None
                optimizer.load_state_dict(optimizer.state_dict())
            optimizer.step()
        found.append((ps, optimizer.state_dict()["state"]))
    (ours, state), (theirs, expected) = found
    tolerance = 1e-7 if name == "Rprop" else 1e-9  # PyTorch starts with lr rounded to float32 there
    assert_same(ours, theirs, tolerance)
    for mine, other in zip(state.values(), expected.values(), strict=True):
        arrays = [key for key, x in mine.items() if isinstance(x, gg.Tensor)]
        assert_same([mine[key] for key in arrays], [other[key] for key in arrays], tolerance)


@PARAMETRIZED
def test_the_state_has_pytorchs_names(name: str, options: dict[str, Any]) -> None:
    sides = both(name, options)
    for side in sides:
        train(*side, range(2))
    ours, theirs = (side[2].state_dict() for side in sides)
    assert {n: set(s) for n, s in ours["state"].items()} == {n: set(s) for n, s in theirs["state"].items() if s}
    theirs_only = {"foreach", "fused", "capturable", "differentiable"}
    assert set(ours["param_groups"][0]) - {"master_weights"} == set(theirs["param_groups"][0]) - theirs_only


@PARAMETRIZED
def test_the_defaults_are_pytorchs(name: str, options: dict[str, Any]) -> None:
    (_, _, ours), (_, _, theirs) = both(name, {})
    for key, value in ours.defaults.items():
        if key != "master_weights":
            assert theirs.defaults[key] == value


@PARAMETRIZED
@pytest.mark.parametrize("arrays", [False, True], ids=["tensors", "arrays"])
def test_we_go_on_from_pytorchs_state(name: str, options: dict[str, Any], arrays: bool) -> None:
    (_, ours, optimizer), theirs = both(name, options)
    train(*theirs, range(5))
    with gg.no_grad():
        for p, q in zip(ours, theirs[1], strict=True):
            p += q.detach().numpy() - p.detach().numpy()
    state = theirs[2].state_dict()
    if arrays:
        state = map_leaves(lambda x: x.numpy() if isinstance(x, torch.Tensor) else x, state)
    optimizer.load_state_dict(state)
    for side in ((gg, ours, optimizer), theirs):
        train(*side, range(5, 15))
    assert_same(ours, theirs[1], 1e-9)


LBFGS = [
    {},
    {"lr": 0.3, "max_iter": 4, "history_size": 2},
    {"line_search_fn": "strong_wolfe"},
    {"line_search_fn": "strong_wolfe", "lr": 3.0, "max_iter": 3, "max_eval": 7, "history_size": 5},
    {"line_search_fn": "strong_wolfe", "lr": 1e-3, "max_iter": 30, "tolerance_grad": 1e-3},
    {"line_search_fn": "strong_wolfe", "max_iter": 8, "tolerance_change": 1e-4},
]


def minimize(library: Any, ps: list[Any], optimizer: Any, steps: int) -> list[float]:
    """The losses at the beginning of each step."""
    x, y = ps

    def closure() -> Any:
        optimizer.zero_grad()
        loss = ((x[1:] - x[:-1] ** 2) ** 2).sum() * 10 + ((1 - x) ** 2).sum() + library.cosh(y - x).sum()
        loss.backward()
        return loss

    return [float(optimizer.step(closure).detach()) for _ in range(steps)]


@pytest.mark.parametrize("options", LBFGS, ids=str)
def test_lbfgs(options: dict[str, Any]) -> None:
    rng = np.random.default_rng(1)
    values = [rng.normal(size=6) * 0.5 for _ in range(2)]
    ours, theirs = ([f(x, requires_grad=True) for x in values] for f in (gg.tensor, torch.tensor))
    a, b = gg.optim.LBFGS(ours, **options), torch.optim.LBFGS(theirs, **options)
    found, expected = minimize(gg, ours, a, 3), minimize(torch, theirs, b, 3)
    np.testing.assert_allclose(found, expected, rtol=1e-8)
    assert found[-1] < found[0]
    assert_same(ours, theirs, 1e-6)
    mine, other = a.state_dict()["state"][0], b.state_dict()["state"][0]
    assert set(mine) == set(other) - {"al"}
    assert [mine[k] for k in ("n_iter", "func_evals")] == [other[k] for k in ("n_iter", "func_evals")]
    a.load_state_dict(b.state_dict())
    np.testing.assert_allclose(minimize(gg, ours, a, 2), minimize(torch, theirs, b, 2), rtol=1e-6)


MUON = [
    {},
    {"lr": 0.02, "nesterov": False, "weight_decay": 0.3},
    {"lr": 0.02, "momentum": 0.5, "adjust_lr_fn": "match_rms_adamw"},
    {"lr": 0.02, "ns_steps": 1, "ns_coefficients": (2.0, -1.5, 0.5), "adjust_lr_fn": "original"},
]


@pytest.mark.parametrize("options", MUON, ids=str)
def test_muon(options: dict[str, Any]) -> None:
    """Both round to bfloat16, whose last place is 2**-8 of a number. Sums in another order round differently now and then."""
    rng = np.random.default_rng(0)
    values = [rng.normal(size=shape) for shape in ((4, 3), (3, 5), (6, 6))]
    ours, theirs = ([f(x, requires_grad=True) for x in values] for f in (gg.tensor, torch.tensor))
    a, b = gg.optim.Muon(ours, **options), torch.optim.Muon(theirs, **options)
    for _ in range(STEPS):
        for library, ps, optimizer in ((gg, ours, a), (torch, theirs, b)):
            optimizer.zero_grad()
            x, y, z = ps
            (library.sin(x @ y).sum() + library.cos(z @ z).sum() + library.sin(y).sum()).backward()
            optimizer.step()
    assert_same(ours, theirs, 1e-6 if options.get("ns_steps") == 1 else 0.05 * optimizer.defaults["lr"])
    assert set(a.state_dict()["state"][0]) == set(b.state_dict()["state"][0])
