"""gpugrad.random: Tensors of random numbers. What the numbers are is tested in arrays/test_random.py."""

import copy
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest

import gpugrad as gg
from gpugrad.errors import DeviceError, DTypeError, ShapeError

DRAWS = {
    "normal": lambda source: source.normal((3, 2)),
    "uniform": lambda source: source.uniform((3, 2)),
    "integers": lambda source: source.integers((3, 2), 0, 100),
    "permutation": lambda source: source.permutation(6),
    "bernoulli": lambda source: source.bernoulli((3, 2), 0.5),
}
DTYPES = {"normal": gg.float32, "uniform": gg.float32, "integers": gg.int64, "permutation": gg.int64, "bernoulli": gg.bool}


@pytest.mark.parametrize("name", DRAWS)
def test_the_same_seed_gives_the_same_constants(name):
    draw = DRAWS[name]
    gg.manual_seed(7)
    first, second = draw(gg.random), draw(gg.random)
    assert type(first) is gg.Tensor and not first.requires_grad and first.device == "cpu" and first.dtype == DTYPES[name]
    assert first.shape == ((6,) if name == "permutation" else (3, 2))
    gg.manual_seed(7)
    assert draw(gg.random).tolist() == first.tolist() and draw(gg.random).tolist() == second.tolist()
    gg.manual_seed(8)
    others = [draw(gg.random).tolist() for _ in range(3)]
    assert first.tolist() not in others and len({str(x) for x in others}) == 3


@pytest.mark.parametrize("name", DRAWS)
def test_a_generator_of_ones_own_draws_the_same_numbers(name):
    gg.manual_seed(11)
    expected = DRAWS[name](gg.random).tolist()
    state = gg.random.default_generator.get_state()
    assert DRAWS[name](gg.random.Generator(11)).tolist() == expected
    assert gg.random.default_generator.get_state() == state


def test_manual_seed_returns_the_generator():
    assert gg.manual_seed(3) is gg.random.default_generator
    assert gg.random.default_generator.initial_seed() == 3
    generator = gg.random.Generator()
    assert generator.manual_seed(5) is generator and generator.initial_seed() == 5


def test_without_a_seed_two_generators_differ():
    assert gg.random.Generator().initial_seed() != gg.random.Generator().initial_seed()


def test_states():
    generator = gg.random.Generator(1)
    generator.uniform((5,))
    state = generator.get_state()
    expected = generator.uniform((5,)).tolist()
    generator.set_state(state)
    assert generator.uniform((5,)).tolist() == expected and generator.get_state() != state
    assert repr(gg.random.Generator(4)) == "Generator(seed=4, offset=0)"


def test_a_copy_goes_its_own_way():
    generator = gg.random.Generator(1)
    twin = copy.deepcopy(generator)
    expected = generator.uniform((5,)).tolist()
    generator.uniform((5,))
    assert twin.uniform((5,)).tolist() == expected


def test_dtypes():
    assert gg.random.normal((2,), dtype=gg.float64).dtype == gg.float64
    assert gg.random.integers((2,), 0, 5, dtype="int8").dtype == gg.int8
    try:
        gg.set_default_dtype("float64")
        assert gg.random.normal((2,)).dtype == gg.float64
    finally:
        gg.set_default_dtype("float32")


def test_shapes():
    assert gg.random.normal().shape == () and gg.random.uniform(3).shape == (3,) and gg.random.normal((0, 2)).shape == (0, 2)


def test_parameters_of_the_distributions():
    gg.manual_seed(0)
    x = gg.random.normal((20_000,), mean=3.0, std=0.5, dtype=gg.float64).numpy()
    assert abs(x.mean() - 3) < 0.02 and abs(x.std() - 0.5) < 0.02
    u = gg.random.uniform((20_000,), low=-1.0, high=3.0).numpy()
    assert u.min() >= -1 and u.max() < 3 and abs(u.mean() - 1) < 0.03
    n = gg.random.integers((20_000,), -2, 3).numpy()
    assert sorted(set(n.tolist())) == [-2, -1, 0, 1, 2]
    assert abs(gg.random.bernoulli((20_000,), 0.2).numpy().mean() - 0.2) < 0.02
    assert sorted(gg.random.permutation(50).tolist()) == list(range(50))


def test_threads_share_the_default_generator_without_drawing_the_same():
    gg.manual_seed(0)
    with ThreadPoolExecutor(4) as pool:
        drawn = list(pool.map(lambda _: tuple(gg.random.uniform((8,)).tolist()), range(200)))
    assert len(set(drawn)) == 200


@pytest.mark.parametrize(
    "draw, kind, message",
    [
        (lambda: gg.manual_seed(-1), ValueError, "seed"),
        (lambda: gg.random.normal((2,), dtype=gg.int64), DTypeError, "normal needs float16, float32 or float64, got int64"),
        (lambda: gg.random.normal((-1,)), ShapeError, "must be at least 0, got -1"),
        (lambda: gg.random.bernoulli((2,), 1.5), ValueError, "1.5"),
        (lambda: gg.random.integers((2,), 5, 5), ValueError, "5"),
        (lambda: gg.random.uniform((2,), device="gpu"), DeviceError, "unknown device 'gpu'"),
        (lambda: gg.random.uniform((2,), device=3), DeviceError, "random: device is 3, expected 'cpu', 'cuda' or 'cuda:N'"),
    ],
)
def test_bad_input(draw, kind, message):
    with pytest.raises(kind, match=message):
        draw()


def test_on_every_device(device):
    gg.manual_seed(3)
    x = gg.random.normal((5,), device=device)
    gg.manual_seed(3)
    assert x.device.type == device
    np.testing.assert_allclose(x.cpu().numpy(), gg.random.normal((5,)).numpy(), rtol=1e-5)


def test_the_default_device_is_used(device):
    with gg.device(device):
        assert gg.random.uniform((2,)).device.type == device
