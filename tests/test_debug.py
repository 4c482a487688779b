"""gpugrad.debug: the op and the line of user code of the first nan or inf."""

import inspect

import numpy as np
import pytest
from tensors import leaf

import gpugrad as gg
from gpugrad.debug import caller, finite
from gpugrad.errors import AnomalyError


def next_line():
    """The line below the caller's, as messages name it."""
    frame = inspect.currentframe().f_back
    return f"{frame.f_code.co_filename}:{frame.f_lineno + 1}"


@pytest.fixture(autouse=True)
def quiet_numpy():
    with np.errstate(all="ignore"):
        yield


def test_forward():
    x = leaf([1.0, 0.0])
    with gg.debug(), pytest.raises(AnomalyError) as error:
        y = x * 2
        place = next_line()
        gg.log(y)
    message = str(error.value)
    assert message.startswith("log: the first nan or inf of the forward pass, from finite operands float64 (2,), was made at ")
    assert place in message and "in test_forward: gg.log(y)" in message


def test_forward_through_an_operator_and_a_method():
    x = leaf([1.0, 0.0])
    with gg.debug():
        with pytest.raises(AnomalyError) as error:
            place = next_line()
            1 / x
        assert place in str(error.value) and str(error.value).startswith("divide:")
        with pytest.raises(AnomalyError) as error:
            place = next_line()
            (x * 1e308).sum().reshape(1) * 1e308
        assert place in str(error.value)


def test_forward_of_constants_is_examined_too():
    with gg.debug(), pytest.raises(AnomalyError, match="log: the first nan or inf"):
        gg.log(gg.zeros(3))


def test_what_was_not_finite_before_is_no_discovery():
    x = leaf([np.nan, np.inf])
    with gg.debug():
        y = gg.exp(x) + gg.sum(x)
    assert np.isnan(y.detach().numpy()).all()


def test_backward_of_sqrt_at_zero():
    x = leaf([4.0, 0.0])
    with gg.debug():
        place = next_line()
        y = gg.sqrt(x * 1.0)
        with pytest.raises(AnomalyError) as error:
            gg.sum(y).backward()
    message = str(error.value)
    assert message.startswith("sqrt: the first nan or inf of the backward pass is in the gradient of its operand x")
    assert f"the op was called at {place}" in message
    assert x.grad is None


def test_backward_of_the_second_order():
    x = leaf(0.0)
    with gg.debug():
        place = next_line()
        y = gg.abs(x) ** 1.5
        (g,) = gg.gradients(y, [x], create_graph=True)
        with pytest.raises(AnomalyError, match="backward pass") as error:
            gg.gradients(g, [x])
    assert "pow" in str(error.value) or place in str(error.value)


def test_outside_debug_mode_nothing_is_examined():
    x = leaf([4.0, 0.0])
    gg.sum(gg.sqrt(x)).backward()
    assert x.grad.tolist() == [0.25, np.inf]


def test_a_graph_recorded_outside_names_an_unknown_place():
    x = leaf([0.0])
    y = gg.sum(gg.sqrt(x))
    with gg.debug(), pytest.raises(AnomalyError, match="the op was called at an unknown place"):
        y.backward()


def test_inside_a_checkpoint_forward():
    @gg.checkpoint
    def block(x):
        return gg.log(x)  # the culprit

    with gg.debug(), pytest.raises(AnomalyError, match=r"log: .*in block: return gg.log\(x\)  # the culprit"):
        block(leaf([0.0]))


def test_inside_a_checkpoint_backward():
    @gg.checkpoint
    def block(x):
        return gg.sqrt(x)  # the culprit

    x = leaf([0.0])
    with gg.debug():
        y = gg.sum(block(x))
        with pytest.raises(AnomalyError, match=r"sqrt: the first nan or inf of the backward pass.*# the culprit"):
            y.backward()


def custom(forward, rule):
    @gg.custom_vjp
    def mine(x):
        return forward(x)

    mine.defvjp(lambda x: (forward(x), x), rule)
    return mine


def test_inside_a_custom_rule_backward():
    mine = custom(lambda x: x * 2, lambda x, g: (g / 0.0,))
    x = leaf([1.0])
    with gg.debug():
        place = next_line()
        y = mine(x)
        with pytest.raises(AnomalyError, match="mine: the first nan or inf of the backward pass") as error:
            gg.sum(y).backward()
    assert place in str(error.value)


@pytest.mark.parametrize("record", [True, False])
def test_inside_a_custom_function_forward(record):
    mine = custom(lambda x: x / 0.0, lambda x, g: (g,))
    x = leaf([1.0]) if record else gg.ones(1)
    with gg.debug(), pytest.raises(AnomalyError, match="mine: the first nan or inf of the forward pass") as error:
        place = next_line()
        mine(x)
    assert place in str(error.value)


def test_behind_unstack():
    x = leaf([4.0, 0.0])
    with gg.debug():
        _, second = gg.unstack(x)
        place = next_line()
        y = gg.sqrt(second)
        with pytest.raises(AnomalyError, match="sqrt") as error:
            y.backward()
    assert place in str(error.value)


def test_unstack_is_not_blamed_for_what_arrived_at_it():
    x = leaf([4.0, 1.0])
    first, second = gg.unstack(x)
    out = gg.stack([first, second])
    with gg.debug():
        out.backward(np.array([np.nan, 1.0]))
    assert np.isnan(x.grad.numpy()[0]) and x.grad.numpy()[1] == 1.0


def test_caller_is_the_innermost_line_outside_gpugrad():
    place = next_line()
    found = caller()
    assert found.startswith(f"{place} in test_caller_is_the_innermost_line_outside_gpugrad: ")


@pytest.mark.parametrize(
    "x, expected",
    [
        (1.0, True),
        (np.array([1, 2]), True),
        (np.array([1.0, np.inf]), False),
        (np.array([1.0, np.nan]), False),
        (np.array([1 + 1j * np.nan]), False),
        (np.array([], np.float32), True),
        (None, True),
        ("text", True),
    ],
)
def test_finite(x, expected):
    assert finite(x) is expected


def test_on_every_library(backend):
    x = gg.asarray(backend.asarray(np.array([0.0, 4.0]))).requires_grad_()
    with gg.debug(), pytest.raises(AnomalyError, match="log: the first nan or inf of the forward pass"):
        gg.log(x)
    with gg.debug():
        y = gg.sum(gg.sqrt(x))
        with pytest.raises(AnomalyError, match="sqrt: the first nan or inf of the backward pass"):
            y.backward()
