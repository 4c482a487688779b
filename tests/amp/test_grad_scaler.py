"""gpugrad.amp.GradScaler."""

import copy
import pickle

import numpy as np
import pytest

import gpugrad as gg
from gpugrad import nn
from gpugrad.errors import DTypeError, OptionError
from gpugrad.nn import functional as F


def leaf(values, dtype="float32", device="cpu"):
    return gg.asarray(np.asarray(values, dtype), device=device).requires_grad_()


def test_gradients_that_float16_cannot_hold_are_saved(device):
    """1e-8 is 0 in float16; times 2 ** 16 it is not."""
    found = {}
    for enabled in (False, True):
        x = leaf([1.0], device=device)
        scaler = gg.amp.GradScaler(enabled=enabled)
        small = x.astype(gg.float16) * 1.0
        scaler.scale(gg.sum(small.astype(gg.float32) * 1e-8)).backward()
        optimizer = gg.optim.SGD([x], lr=1.0)
        scaler.step(optimizer)
        found[enabled] = x.grad.cpu().numpy()[0]
    assert found[False] == 0 and found[True] == pytest.approx(1e-8, rel=1e-2)


def test_a_step_that_overflows_is_left_out_and_the_scale_halved(device):
    p, q = leaf([1.0, 2.0], device=device), leaf([3.0], device=device)
    optimizer = gg.optim.Adam([p, q], lr=0.1)
    scaler = gg.amp.GradScaler(init_scale=8.0, growth_interval=2)
    scales = []
    for bad in (False, True, False, False):
        loss = gg.sum(p * p) + gg.sum(q) * (np.inf if bad else 1.0)
        optimizer.zero_grad()
        scaler.scale(loss).backward()
        before = [x.detach().cpu().numpy().copy() for x in (p, q)]
        scaler.step(optimizer)
        scaler.update()
        same = [np.array_equal(x, y.detach().cpu().numpy()) for x, y in zip(before, (p, q), strict=True)]
        assert same == [bad, bad]
        scales.append(scaler.get_scale())
    assert scales == [8.0, 4.0, 4.0, 8.0]
    assert optimizer.state_dict()["state"][0]["step"] == 3


def test_unscaled_gradients_are_those_without_a_scale(device):
    x = leaf([1.0, -2.0], device=device)
    optimizer = gg.optim.SGD([x], lr=0.5)
    scaler = gg.amp.GradScaler(init_scale=1024.0)
    scaler.scale(gg.sum(x**3)).backward()
    assert x.grad.cpu().numpy().tolist() == [3 * 1024, 12 * 1024]
    scaler.unscale_(optimizer)
    assert x.grad.cpu().numpy().tolist() == [3, 12]
    nn.utils.clip_grad_value_([x], 4.0)
    scaler.step(optimizer)
    assert x.detach().cpu().numpy().tolist() == [-0.5, -4]


def test_a_skipped_step_is_no_reason_for_a_schedule_to_warn():
    x = leaf([1.0])
    optimizer = gg.optim.SGD([x], lr=0.5)
    scheduler = gg.optim.lr_scheduler.StepLR(optimizer, 1)
    scaler = gg.amp.GradScaler()
    scaler.scale(gg.sum(x) * np.inf).backward()
    scaler.step(optimizer)
    scheduler.step()
    assert x.detach().tolist() == [1.0] and scheduler.get_last_lr() == pytest.approx([0.05])


def test_several_losses_and_optimizers():
    x, y = leaf([1.0]), leaf([2.0])
    first, second = gg.optim.SGD([x], lr=1.0), gg.optim.SGD([y], lr=1.0)
    scaler = gg.amp.GradScaler(init_scale=4.0)
    losses = scaler.scale({"a": gg.sum(x), "b": gg.sum(y) * np.nan})
    for loss in losses.values():
        loss.backward()
    scaler.step(first)
    scaler.step(second)
    scaler.update()
    assert (x.detach().tolist(), y.detach().tolist(), scaler.get_scale()) == ([0.0], [2.0], 2.0)


@pytest.mark.parametrize("dtype", ["float16", "bfloat16"])
def test_training_in_mixed_precision(dtype):
    gg.manual_seed(0)
    rng = np.random.default_rng(0)
    x, labels = gg.asarray(rng.normal(size=(64, 10)).astype("float32")), gg.asarray(rng.integers(0, 3, 64))
    model = nn.Sequential(nn.Linear(10, 32), nn.ReLU(), nn.Linear(32, 3))
    optimizer, scaler, losses = gg.optim.AdamW(model.parameters(), lr=0.01), gg.amp.GradScaler(enabled=dtype == "float16"), []
    for _ in range(30):
        with gg.autocast("cpu", dtype=dtype):
            loss = F.cross_entropy(model(x), labels)
        optimizer.zero_grad()
        scaler.scale(loss).backward()
        scaler.step(optimizer)
        scaler.update()
        losses.append(loss.item())
    assert {p.dtype for p in model.parameters()} == {gg.float32} and losses[-1] < 0.6 * losses[0]


def test_a_state_continues():
    scaler = gg.amp.GradScaler(init_scale=16.0, growth_interval=5)
    scaler.update(new_scale=3.0)
    other = gg.amp.GradScaler()
    other.load_state_dict(scaler.state_dict())
    assert other.state_dict() == scaler.state_dict() and other.get_scale() == 3.0
    assert gg.amp.GradScaler(enabled=False).state_dict() == {} and gg.amp.GradScaler(enabled=False).get_scale() == 1.0
    with pytest.raises(OptionError, match=r"GradScaler.load_state_dict: got \['scale'\], expected"):
        other.load_state_dict({"scale": 1.0})
    assert other.get_scale() == 3.0


WRONG = [
    ({"init_scale": 0}, "GradScaler: init_scale is 0, expected a positive number"),
    ({"init_scale": np.nan}, "GradScaler: init_scale is nan"),
    ({"growth_factor": 1.0}, "GradScaler: growth_factor is 1.0, expected more than 1"),
    ({"backoff_factor": 1.0}, "GradScaler: backoff_factor is 1.0, expected more than 0 and less than 1"),
    ({"growth_interval": 0}, "GradScaler: growth_interval is 0, expected 1 or more"),
]


@pytest.mark.parametrize(("options", "message"), WRONG)
def test_options_out_of_range(options, message):
    with pytest.raises(OptionError, match=message):
        gg.amp.GradScaler(**options)


def test_what_comes_in_the_wrong_order_is_refused():
    x = leaf([1.0])
    optimizer, scaler = gg.optim.SGD([x], lr=1.0), gg.amp.GradScaler()
    with pytest.raises(OptionError, match="GradScaler: no parameter of the optimizer has a gradient; call scaler.scale"):
        scaler.step(optimizer)
    with pytest.raises(OptionError, match="GradScaler.update: no optimizer was unscaled or stepped since the last update"):
        scaler.update()
    scaler.scale(gg.sum(x)).backward()
    scaler.unscale_(optimizer)
    with pytest.raises(OptionError, match="GradScaler.unscale_: unscale_ was called for this optimizer since the last"):
        scaler.unscale_(optimizer)
    scaler.step(optimizer)
    with pytest.raises(OptionError, match="GradScaler.step: was called for this optimizer since the last update"):
        scaler.step(optimizer)
    with pytest.raises(OptionError, match="GradScaler.step: got a closure"):
        scaler.step(optimizer, lambda: None)
    with pytest.raises(DTypeError, match="GradScaler.scale: got float, expected a Tensor such as the loss"):
        scaler.scale(1.0)


def test_gradients_of_16_bits_are_refused():
    x = leaf([1.0], "float16")
    scaler = gg.amp.GradScaler()
    scaler.scale(gg.sum(x).astype(gg.float32)).backward()
    with pytest.raises(DTypeError, match="GradScaler.unscale_: got a gradient of float16, expected float32 or float64"):
        scaler.step(gg.optim.SGD([x], lr=1.0))


@pytest.mark.parametrize("again", [copy.deepcopy, lambda x: pickle.loads(pickle.dumps(x))])
def test_a_copy_is_as_after_an_update(again):
    x = leaf([1.0])
    scaler, optimizer = gg.amp.GradScaler(init_scale=8.0), gg.optim.SGD([x], lr=0.5)
    scaler.scale(gg.sum(x * 2)).backward()
    scaler.unscale_(optimizer)
    same = again(scaler)
    assert same.state_dict() == scaler.state_dict() and same.get_scale() == 8.0
    same.step(optimizer)
    assert x.tolist() == [1.0 - 0.5 * 2 / 8]
