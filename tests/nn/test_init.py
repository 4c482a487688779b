"""gpugrad.nn.init."""

import math

import numpy as np
import pytest

import gpugrad as gg
from gpugrad import nn
from gpugrad.errors import ShapeError
from gpugrad.nn import init

SHAPE = (200, 100)  # fan-out, fan-in


def fresh(shape=SHAPE, dtype=gg.float64):
    return nn.Parameter(gg.zeros(shape, dtype=dtype))


# (function, standard deviation, bound of uniform numbers)
DISTRIBUTIONS = [
    (lambda p: init.uniform_(p, -1, 3), 4 / math.sqrt(12), None),
    (lambda p: init.normal_(p, 0, 0.3), 0.3, None),
    (lambda p: init.xavier_uniform_(p, gain=2.0), 2 * math.sqrt(2 / 300), 2 * math.sqrt(6 / 300)),
    (lambda p: init.xavier_normal_(p), math.sqrt(2 / 300), None),
    (lambda p: init.kaiming_uniform_(p), math.sqrt(2 / 100), math.sqrt(6 / 100)),
    (lambda p: init.kaiming_uniform_(p, a=math.sqrt(5)), 0.1 / math.sqrt(3), 0.1),
    (lambda p: init.kaiming_normal_(p, mode="fan_out", nonlinearity="relu"), math.sqrt(2 / 200), None),
    (lambda p: init.kaiming_normal_(p, nonlinearity="tanh"), 5 / 3 / 10, None),
]


@pytest.mark.parametrize(("function", "std", "bound"), DISTRIBUTIONS)
def test_distributions(function, std, bound):
    gg.manual_seed(0)
    p = fresh()
    node = p.node
    assert function(p) is p
    assert p.node is node
    array = p.array
    assert abs(array.std() / std - 1) < 0.02
    if bound is not None:
        assert 0.99 * bound < np.abs(array).max() <= bound


def test_constants():
    p = fresh((2, 2))
    assert init.ones_(p).tolist() == [[1, 1], [1, 1]]
    assert init.constant_(p, 2.5).tolist() == [[2.5, 2.5], [2.5, 2.5]]
    assert init.zeros_(p).tolist() == [[0, 0], [0, 0]]
    assert init.uniform_(p, 3.0, 3.0).tolist() == [[3, 3], [3, 3]]


def test_a_generator_of_ones_own():
    first = init.normal_(fresh(), generator=gg.random.Generator(3))
    gg.manual_seed(3)
    before = gg.random.default_generator.get_state()
    again = init.normal_(fresh(), generator=gg.random.Generator(3))
    assert np.array_equal(first.array, again.array)
    assert gg.random.default_generator.get_state() == before
    assert np.array_equal(init.normal_(fresh()).array, first.array)  # the default generator, seeded alike


def test_dtypes():
    for dtype in (gg.float32, gg.float16):
        p = init.kaiming_uniform_(fresh(dtype=dtype))
        assert p.dtype == dtype and p.array.any()


def test_convolution_weights_count_their_field():
    p = init.kaiming_uniform_(fresh((8, 4, 5, 5)))
    assert 0.98 * math.sqrt(6 / 100) < np.abs(p.array).max() <= math.sqrt(6 / 100)


def test_an_array_that_others_hold_stays_as_it_is():
    buffer = np.zeros(6)
    p = fresh((2, 3))
    p.array = buffer.reshape(2, 3)
    init.normal_(p)
    assert p.array.all() and not buffer.any()


def test_on_the_device_of_the_parameter(device):
    gg.manual_seed(0)
    p = init.uniform_(nn.Parameter(gg.zeros((3, 4), device=device)))
    gg.manual_seed(0)
    assert p.detach().cpu().tolist() == gg.random.uniform((3, 4)).tolist()


def test_gains():
    assert init.calculate_gain("linear") == init.calculate_gain("sigmoid") == 1
    assert init.calculate_gain("tanh") == 5 / 3
    assert init.calculate_gain("relu") == math.sqrt(2)
    assert init.calculate_gain("selu") == 0.75
    assert init.calculate_gain("leaky_relu") == pytest.approx(1.4141428569978354)  # PyTorch's
    assert init.calculate_gain("leaky_relu", 2.0) == pytest.approx(math.sqrt(0.4))
    with pytest.raises(ValueError, match=r"calculate_gain: unknown nonlinearity 'gelu', expected one of linear, .*leaky_relu"):
        init.calculate_gain("gelu")


@pytest.mark.parametrize("function", [init.kaiming_uniform_, init.kaiming_normal_, init.xavier_uniform_, init.xavier_normal_])
def test_fans_need_two_axes(function):
    with pytest.raises(ShapeError, match=r"init: fan-in and fan-out need a weight of two axes or more, got shape \(3,\)"):
        function(fresh((3,)))


def test_an_unknown_mode():
    with pytest.raises(ValueError, match="kaiming: mode is 'fan_avg', expected 'fan_in' or 'fan_out'"):
        init.kaiming_normal_(fresh(), mode="fan_avg")
