"""gpugrad.nn.init."""

import math

import numpy as np
import pytest
import scipy.stats

import gpugrad as gg
from gpugrad import nn
from gpugrad.errors import OptionError, ShapeError
from gpugrad.nn import init

SHAPE = (200, 100)  # fan-out, fan-in


def fresh(shape=SHAPE, dtype=gg.float64):
    return nn.Parameter(gg.zeros(shape, dtype=dtype))


# (function, standard deviation, bound of uniform numbers)
DISTRIBUTIONS = [
    (lambda p: init.uniform_(p, -1, 3), 4 / math.sqrt(12), None),
    (lambda p: init.normal_(p, 0, 0.3), 0.3, None),
    (lambda p: init.trunc_normal_(p, std=0.1, a=-0.2, b=0.2), 0.1 * 0.8796, 0.2),  # sqrt(1 - 4 phi(2) / (2 Phi(2) - 1))
    (lambda p: init.orthogonal_(p, gain=3.0), 3 / math.sqrt(200), None),
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


@pytest.mark.parametrize("bounds", [(-2.0, 2.0), (-1.0, 0.25), (1.5, 4.0), (-9.0, -6.0), (8.0, 9.0), (-math.inf, -3.0)])
def test_truncated_normal_numbers(bounds):
    gg.manual_seed(0)
    a, b = bounds
    for dtype in (gg.float64, gg.float32):
        x = init.trunc_normal_(fresh((40_000,), dtype), mean=0.5, std=2.0, a=0.5 + 2 * a, b=0.5 + 2 * b).array
        assert x.dtype == dtype and x.min() >= 0.5 + 2 * a and x.max() <= 0.5 + 2 * b
        expected = scipy.stats.truncnorm(a, b, loc=0.5, scale=2.0)
        assert scipy.stats.kstest(x.astype(np.float64), expected.cdf).pvalue > 1e-3


def test_truncated_numbers_that_cannot_be():
    for options in ({"std": 0}, {"a": 1.0, "b": 1.0}, {"std": math.nan}):
        with pytest.raises(OptionError, match=r"^trunc_normal_: std is .* expected std > 0 and a < b$"):
            init.trunc_normal_(fresh(), **options)


@pytest.mark.parametrize("shape", [(4, 4), (3, 5), (5, 3), (4, 2, 3), (2, 2, 3, 3)])
def test_orthogonal(shape):
    gg.manual_seed(0)
    for dtype, tolerance in ((gg.float64, 1e-12), (gg.float16, 5e-3)):
        x = init.orthogonal_(fresh(shape, dtype), gain=2.0).array.reshape(shape[0], -1).astype(np.float64)
        product = x @ x.T if x.shape[0] <= x.shape[1] else x.T @ x
        np.testing.assert_allclose(product, 4 * np.eye(len(product)), atol=4 * tolerance)


def test_orthogonal_matrices_have_no_preferred_sign():
    gg.manual_seed(0)
    first = [init.orthogonal_(fresh((2, 2))).array for _ in range(200)]
    assert 60 < sum(x[0, 0] > 0 for x in first) < 140
    assert 60 < sum(np.linalg.det(x) > 0 for x in first) < 140


def test_orthogonal_of_nothing():
    assert init.orthogonal_(fresh((0, 3))).shape == (0, 3)
    with pytest.raises(ShapeError, match=r"^orthogonal_: got shape \(3,\), expected two axes or more$"):
        init.orthogonal_(fresh((3,)))


def test_eye_and_dirac():
    assert init.eye_(fresh((2, 3))).tolist() == [[1, 0, 0], [0, 1, 0]]
    x = init.dirac_(fresh((4, 2, 3, 3)), groups=2).array
    assert x.sum() == 4 and all(x[i, i % 2, 1, 1] == 1 for i in range(4))
    image = np.random.default_rng(0).normal(size=(1, 2, 5, 5))
    y = nn.functional.conv2d(image, init.dirac_(fresh((2, 2, 3, 3))).detach(), padding=1)
    np.testing.assert_array_equal(y.numpy(), image)
    with pytest.raises(ShapeError, match=r"^eye_: got shape \(3,\), expected two axes$"):
        init.eye_(fresh((3,)))
    with pytest.raises(
        ShapeError, match=r"^dirac_: got shape \(3, 2, 3\) and 2 groups, expected 3 to 5 axes, the first a multiple"
    ):
        init.dirac_(fresh((3, 2, 3)), groups=2)


def test_sparse():
    gg.manual_seed(0)
    x = init.sparse_(fresh((50, 400)), sparsity=0.41, std=0.5).array
    assert ((x == 0).sum(axis=0) == 21).all()  # of 20.5, in every column
    assert abs(x[x != 0].std() / 0.5 - 1) < 0.02
    assert 100 < (x[0] == 0).sum() < 230  # any row as likely
    with pytest.raises(OptionError, match="^sparse_: sparsity is 1.5, expected a number from 0 to 1$"):
        init.sparse_(fresh(), 1.5)
    with pytest.raises(ShapeError, match=r"^sparse_: got shape \(3,\), expected two axes$"):
        init.sparse_(fresh((3,)), 0.5)


@pytest.mark.parametrize(
    "function",
    [init.eye_, init.orthogonal_, init.trunc_normal_, lambda p, **o: init.sparse_(p, 0.3, **o)],
    ids=["eye", "orthogonal", "trunc_normal", "sparse"],
)
def test_on_every_backend(function, backend):
    """The same numbers wherever they are drawn."""
    found = []
    for make in (np.asarray, backend.asarray):
        gg.manual_seed(5)
        p = nn.Parameter(np.zeros((4, 3)))
        p.array = make(p.array)
        found.append(function(p).array)
    assert backend.is_array(found[1])
    np.testing.assert_allclose(backend.to_numpy(found[1]), found[0], atol=1e-12)


def test_everything_that_pytorch_has():
    """But the names without the underscore, which it deprecates."""
    expected = (
        "calculate_gain constant_ dirac_ eye_ kaiming_normal_ kaiming_uniform_ normal_ ones_ orthogonal_ sparse_ trunc_normal_ uniform_ "
        "xavier_normal_ xavier_uniform_ zeros_"
    )
    assert all(callable(getattr(init, name)) for name in expected.split())
