"""gpugrad.optim.lr_scheduler: rates by their formulas, states, and what is refused. PyTorch's rates: tests/parity/test_lr_scheduler.py."""

import math
import warnings

import pytest

import gpugrad as gg
from gpugrad.errors import DTypeError, OptionError
from gpugrad.optim import lr_scheduler as schedulers


def optimizer(lr=0.1, **options):
    return gg.optim.SGD([gg.zeros(1).requires_grad_()], lr=lr, **options)


def rates(scheduler, steps):
    """The rates of so many steps, from the present one on."""
    found = []
    for _ in range(steps):
        found.append(scheduler.optimizer.param_groups[0]["lr"])
        scheduler.optimizer.step()
        scheduler.step()
    return found


def test_a_warm_up_then_a_cosine():
    o = optimizer()
    warmup = schedulers.LinearLR(o, 0.1, total_iters=3)
    scheduler = schedulers.SequentialLR(o, [warmup, schedulers.CosineAnnealingLR(o, 4)], [3])
    cosine = [0.05 * (1 + math.cos(math.pi * i / 4)) for i in range(5)]
    assert rates(scheduler, 8) == pytest.approx([0.01, 0.04, 0.07, *cosine])


def test_schedules_multiply_each_other_and_changes_by_hand():
    o = optimizer()
    scheduler = schedulers.ChainedScheduler([schedulers.StepLR(o, 2, 0.1), schedulers.ExponentialLR(o, 0.5)])
    assert rates(scheduler, 2) == pytest.approx([0.1, 0.05])
    o.param_groups[0]["lr"] *= 10
    assert rates(scheduler, 2) == pytest.approx([0.025, 0.0125])


def test_the_momentum_goes_against_the_rate():
    o = gg.optim.Adam([gg.zeros(1).requires_grad_()], betas=(0.9, 0.99))
    scheduler = schedulers.OneCycleLR(o, 1.0, total_steps=11, pct_start=0.5, anneal_strategy="linear")
    found = []
    for _ in range(11):
        found.append((o.param_groups[0]["lr"], *o.param_groups[0]["betas"]))
        o.step()
        scheduler.step()
    assert max(found)[0] <= 1 and [beta for _, _, beta in found] == [0.99] * 11
    by_rate = sorted(found[:6])
    assert [m for _, m, _ in by_rate] == sorted((m for _, m, _ in by_rate), reverse=True)
    with pytest.raises(
        OptionError, match="OneCycleLR: step 12 is beyond total_steps=11; it counts optimizer steps, not epochs"
    ):
        scheduler.step()


def test_a_restart_may_be_reached_between_steps():
    scheduler = schedulers.CosineAnnealingWarmRestarts(optimizer(), 2, 2)
    scheduler.step(1.5)
    assert scheduler.get_last_lr() == pytest.approx([0.05 * (1 + math.cos(math.pi * 0.75))])
    scheduler.step(2.0)
    assert scheduler.get_last_lr() == pytest.approx([0.1]) and (scheduler.T_cur, scheduler.T_i) == (0.0, 4)


@pytest.mark.parametrize("name", [name for name in schedulers.__all__ if name != "LRScheduler"])
def test_a_state_continues_where_it_was_saved(name):
    make = {
        "ChainedScheduler": lambda o: schedulers.ChainedScheduler([schedulers.ExponentialLR(o, 0.9), schedulers.StepLR(o, 3)]),
        "ConstantLR": schedulers.ConstantLR,
        "CosineAnnealingLR": lambda o: schedulers.CosineAnnealingLR(o, 7),
        "CosineAnnealingWarmRestarts": lambda o: schedulers.CosineAnnealingWarmRestarts(o, 3, 2),
        "CyclicLR": lambda o: schedulers.CyclicLR(o, 0.01, 0.1, 3),
        "ExponentialLR": lambda o: schedulers.ExponentialLR(o, 0.9),
        "LambdaLR": lambda o: schedulers.LambdaLR(o, lambda step: 1 / (step + 1)),
        "LinearLR": schedulers.LinearLR,
        "MultiStepLR": lambda o: schedulers.MultiStepLR(o, [2, 6]),
        "MultiplicativeLR": lambda o: schedulers.MultiplicativeLR(o, lambda step: 0.9),
        "OneCycleLR": lambda o: schedulers.OneCycleLR(o, 0.3, total_steps=20),
        "PolynomialLR": lambda o: schedulers.PolynomialLR(o, 9),
        "ReduceLROnPlateau": lambda o: schedulers.ReduceLROnPlateau(o, patience=1),
        "SequentialLR": lambda o: schedulers.SequentialLR(o, [schedulers.LinearLR(o), schedulers.StepLR(o, 2)], [4]),
        "StepLR": lambda o: schedulers.StepLR(o, 3),
    }[name]
    arguments = (1.0,) if name == "ReduceLROnPlateau" else ()

    def follow(scheduler):
        scheduler.optimizer.step()
        scheduler.step(*arguments)
        return [(group["lr"], group["momentum"]) for group in scheduler.optimizer.param_groups]

    first = make(optimizer(momentum=0.9))
    for _ in range(5):
        follow(first)
    second = make(optimizer(momentum=0.9))
    second.optimizer.load_state_dict(first.optimizer.state_dict())
    second.load_state_dict(first.state_dict())
    assert [follow(first) for _ in range(6)] == [follow(second) for _ in range(6)]


def test_a_step_before_the_optimizers_warns_once():
    scheduler = schedulers.StepLR(optimizer(), 2)
    with pytest.warns(
        UserWarning, match=r"StepLR.step was called before the optimizer took a step.*call optimizer.step\(\) first"
    ):
        scheduler.step()
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        scheduler.step()


def test_a_loss_that_records_may_be_given_to_a_plateau():
    scheduler = schedulers.ReduceLROnPlateau(optimizer(), patience=0)
    x = gg.tensor(1.0, requires_grad=True)
    scheduler.step(x * 1)
    scheduler.step(x * 2)
    assert scheduler.optimizer.param_groups[0]["lr"] == pytest.approx(0.01)


WRONG = [
    (lambda o: schedulers.StepLR(o, 0), "StepLR: step_size is 0, expected an int of 1 or more"),
    (lambda o: schedulers.LinearLR(o, 0), "LinearLR: start_factor is 0, expected more than 0 and at most 1"),
    (lambda o: schedulers.LinearLR(o, end_factor=2), "LinearLR: end_factor is 2, expected 0 to 1"),
    (lambda o: schedulers.ConstantLR(o, 1.5), "ConstantLR: factor is 1.5, expected 0 to 1"),
    (lambda o: schedulers.CosineAnnealingLR(o, 0), "CosineAnnealingLR: T_max is 0"),
    (lambda o: schedulers.CosineAnnealingWarmRestarts(o, 5, 0), "CosineAnnealingWarmRestarts: T_mult is 0"),
    (lambda o: schedulers.OneCycleLR(o, 0.1), "OneCycleLR: got no number of steps"),
    (lambda o: schedulers.OneCycleLR(o, 0.1, total_steps=10, pct_start=2), "OneCycleLR: pct_start is 2, expected 0 to 1"),
    (lambda o: schedulers.OneCycleLR(o, [0.1, 0.2], total_steps=10), "OneCycleLR: max_lr has 2 values, expected one, or 1"),
    (lambda o: schedulers.CyclicLR(o, 0.1, 0.2, mode="square"), "CyclicLR: mode is 'square', expected 'triangular'"),
    (lambda o: schedulers.LambdaLR(o, [abs, abs]), "LambdaLR: lr_lambda has 2 values, expected one, or 1"),
    (lambda o: schedulers.SequentialLR(o, [schedulers.StepLR(o, 1)], [5]), "SequentialLR: got 1 schedulers and 1 milestones"),
    (lambda o: schedulers.SequentialLR(o, [], []), "SequentialLR: got no schedulers"),
    (lambda o: schedulers.ChainedScheduler([schedulers.StepLR(optimizer(), 1)], o), "scheduler 0, StepLR, is of another optimizer"),
    (lambda o: schedulers.ReduceLROnPlateau(o, "down"), "ReduceLROnPlateau: mode is 'down', expected 'min' or 'max'"),
    (lambda o: schedulers.ReduceLROnPlateau(o, factor=1), "ReduceLROnPlateau: factor is 1, expected less than 1"),
    (lambda o: schedulers.StepLR(o, 1, last_epoch=3), "last_epoch is 3, but group 0 of the optimizer has no 'initial_lr'"),
]  # fmt: skip


@pytest.mark.parametrize(("make", "message"), WRONG)
def test_options_out_of_range_are_refused_and_change_nothing(make, message):
    o = optimizer()
    with pytest.raises(OptionError) as caught:
        make(o)
    assert message in str(caught.value)
    assert o.param_groups[0]["lr"] == 0.1


def test_what_is_no_optimizer_is_refused():
    with pytest.raises(DTypeError, match=r"StepLR: got Tensor, expected an optimizer such as gg.optim.SGD\(...\)"):
        schedulers.StepLR(gg.zeros(1), 2)


def test_the_state_of_another_schedule_is_refused_and_changes_nothing():
    scheduler = schedulers.ExponentialLR(optimizer(), 0.9)
    before = scheduler.state_dict()
    with pytest.raises(
        OptionError, match=r"ExponentialLR.load_state_dict: got .*'step_size'.*is it the state of another schedule\?"
    ):
        scheduler.load_state_dict(schedulers.StepLR(optimizer(), 3).state_dict())
    assert scheduler.state_dict() == before
    both = schedulers.ChainedScheduler([schedulers.ExponentialLR(o := optimizer(), 0.9), schedulers.StepLR(o, 2)])
    other = schedulers.ChainedScheduler([schedulers.ExponentialLR(o := optimizer(), 0.5), schedulers.ExponentialLR(o, 0.2)])
    before = both.state_dict()
    with pytest.raises(OptionError, match="is it the state of another schedule"):
        both.load_state_dict(other.state_dict())
    assert both.state_dict() == before
