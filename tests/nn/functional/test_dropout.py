"""gpugrad.nn.functional.dropout: values and derivatives on every backend are in gpugrad/check/records/functional.py."""

import tracemalloc

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import gpugrad as gg
from gpugrad.errors import GpugradError
from gpugrad.nn import functional as F
from gpugrad.testing import assert_close, check_grads

LARGE = (37, 129)  # kernels compute it, where there is a compiler


def seeded(function, *arguments, seed=4):
    """What a function gives, and the state of the generator after it."""
    gg.manual_seed(seed)
    gg.random.bernoulli(3, 0.5)  # so that it does not begin at the first block
    return function(*arguments), gg.random.default_generator.get_state()


def reference(x, p, seed=4):
    """By the numbers of gg.random.bernoulli."""
    generator = gg.random.Generator(seed)
    generator.bernoulli(3, 0.5)
    kept = generator.bernoulli(x.shape, 1 - p).numpy()
    return x * kept * x.dtype.type(1 / (1 - p) if p < 1 else 0.0), generator.get_state()


def test_keeps_the_share_and_the_mean():
    gg.manual_seed(0)
    y = F.dropout(np.ones(100_000), 0.3)
    assert set(np.unique(y)) == {0.0, 1 / 0.7}
    assert abs(y.mean() - 1) < 0.01


def test_evaluation_and_zero_probability_return_the_input_itself():
    x = gg.ones(3)
    assert F.dropout(x, 0.5, training=False) is x
    assert F.dropout(x, 0.0) is x


def test_probability_one_drops_all():
    x = gg.tensor([1.0, 2.0], requires_grad=True)
    y = F.dropout(x, 1.0)
    y.sum().backward()
    assert y.tolist() == [0.0, 0.0]
    assert x.grad.tolist() == [0.0, 0.0]


def test_the_gradient_passes_where_the_element_stayed():
    gg.manual_seed(1)
    x = gg.tensor(np.full(50, 2.0), requires_grad=True)
    y = F.dropout(x, 0.4)
    y.backward(np.full(50, 3.0))
    assert_close(x.grad, y.detach().numpy() * 1.5)


def test_a_seed_repeats_it_and_the_next_draw_differs():
    gg.manual_seed(5)
    first, second = F.dropout(np.ones(100)), F.dropout(np.ones(100))
    gg.manual_seed(5)
    assert np.array_equal(F.dropout(np.ones(100)), first)
    assert not np.array_equal(first, second)


def test_checkpoint_drops_the_same_elements_again():
    def function(x):
        return gg.sum(F.dropout(x, 0.5) ** 3)

    x = gg.tensor(np.random.default_rng(0).normal(size=100), requires_grad=True)
    gg.manual_seed(3)
    function(x).backward()
    expected, x.grad = x.grad.numpy(), None
    gg.manual_seed(3)
    loss = gg.checkpoint(function)(x)
    after = gg.random.default_generator.get_state()
    loss.backward()
    assert_close(x.grad, expected)
    assert gg.random.default_generator.get_state() == after


@pytest.mark.parametrize("p", [-0.1, 1.1, float("nan")])
def test_probabilities_out_of_range(p):
    with pytest.raises(ValueError, match=f"dropout: p is {p}, expected a probability from 0 to 1"):
        F.dropout(np.ones(3), p, training=False)


def test_a_mask_of_where_reaches_through():
    gg.manual_seed(0)
    found = gg.grad(lambda x: gg.sum(gg.where(x > 0, F.dropout(gg.sqrt(x), 0.5), 0.0)))(np.array([0.0] * 8 + [4.0] * 8))
    assert found[:8].tolist() == [0.0] * 8
    assert sorted(set(found[8:].tolist())) == [0.0, 0.5]


# The numbers are those of gg.random.bernoulli ----------------------------------------------------------------------


@pytest.mark.parametrize("dtype", ["float16", "float32", "float64"])
@pytest.mark.parametrize("p", [0.5, 0.3, 1e-5, 0.9998, 1.0, 1])
@pytest.mark.parametrize("shape", [(), (7,), (0, 3), (1023,), (5, 5, 41), (20_001,), LARGE])
def test_the_mask_is_that_of_bernoulli(shape, p, dtype):
    x = np.random.default_rng(0).uniform(0.5, 2, shape).astype(dtype)
    (found, after), (expected, end) = seeded(F.dropout, x, p), reference(x, p)
    assert found.dtype == dtype
    np.testing.assert_array_equal(found == 0, expected == 0)
    np.testing.assert_allclose(found, expected, rtol=4 * np.finfo(dtype).eps)
    assert after == end


@settings(max_examples=40)
@given(seed=st.integers(0, 2**130), offset=st.integers(0, 2**256 - 1), count=st.integers(1, 3000), p=st.floats(0.01, 0.99))
def test_any_seed_offset_size_and_probability(seed, offset, count, p):
    gg.random.default_generator.set_state((seed, offset))
    found = F.dropout(np.ones(count), p)
    generator = gg.random.Generator()
    generator.set_state((seed, offset))
    np.testing.assert_array_equal(found != 0, generator.bernoulli(count, 1 - p).numpy())
    assert gg.random.default_generator.get_state() == generator.get_state()


def test_a_probability_too_small_to_drop_anything():
    x = np.ones(100)
    found, after = seeded(F.dropout, x, 1e-20)
    np.testing.assert_array_equal(found, x)
    assert after == reference(x, 1e-20)[1]


def test_numpy_scalars_as_probability():
    x = np.ones(LARGE, np.float32)
    np.testing.assert_array_equal(seeded(F.dropout, x, np.float64(0.25))[0], reference(x, 0.25)[0])


def test_shares_of_large_arrays():
    gg.manual_seed(0)
    for p in (0.1, 0.5, 0.99):
        y = F.dropout(np.ones(200_000, np.float32), p) != 0
        assert abs(y.mean() - (1 - p)) < 0.005
        assert abs(np.corrcoef(y[1:], y[:-1])[0, 1]) < 0.01


# Gradients ----------------------------------------------------------------------------------------------------------


def test_nothing_is_kept_but_the_state():
    x = gg.tensor(np.ones(500_000, np.float32), requires_grad=True)
    F.dropout(x, 0.5)  # compiled
    tracemalloc.start()
    try:
        y = F.dropout(x, 0.5)
        kept = tracemalloc.get_traced_memory()[0] - y.array.nbytes
    finally:
        tracemalloc.stop()
    assert kept < 10_000
    y.sum().backward()
    np.testing.assert_array_equal(x.grad.numpy(), y.detach().numpy())


@pytest.mark.parametrize("shape", [(3, 4), LARGE])
@pytest.mark.parametrize("fused", [False, True])
def test_derivatives(shape, fused):
    x = np.random.default_rng(2).normal(size=shape)

    def function(x):
        gg.manual_seed(3)
        h = F.dropout(x, 0.4)
        return gg.sum(h * h * F.dropout(x, 0.2))

    def plain(x):
        h = gg.Tensor(x) if not isinstance(x, gg.Tensor) else x
        gg.manual_seed(3)
        a = gg.random.bernoulli(shape, 0.6).numpy() / 0.6
        b = gg.random.bernoulli(shape, 0.8).numpy() / 0.8
        return gg.sum(h * h * h * a * a * b)

    chosen = _seeded_fuse(function) if fused else function
    assert_close(gg.grad(chosen)(x), gg.grad(plain)(x))
    assert_close(gg.grad(lambda x: gg.sum(gg.grad(chosen)(x) ** 2))(x), gg.grad(lambda x: gg.sum(gg.grad(plain)(x) ** 2))(x))
    if not fused and shape == (3, 4):
        check_grads(function, x, order=3)


def _seeded_fuse(function):
    """The fused function, seeded before each call as `function` seeds itself: a trace seeds nothing."""

    @gg.fuse
    def fused(x):
        h = F.dropout(x, 0.4)
        return gg.sum(h * h * F.dropout(x, 0.2))

    def call(x):
        gg.manual_seed(3)
        return fused(x)

    return call


# Inside gg.fuse -----------------------------------------------------------------------------------------------------


def network(x, b, p=0.3):
    h = F.dropout(x + b, p)
    return F.dropout(gg.sum(h * h, axis=1, keepdims=True) * h, 0.5)


def test_every_call_of_a_fused_function_draws_anew():
    fused, x, b = gg.fuse(network), np.ones(LARGE), np.ones(LARGE[1])
    (first, second), _ = seeded(lambda: (fused(x, b), fused(x, b)))
    assert not np.array_equal(first, second)
    (again, same), _ = seeded(lambda: (fused(x, b), fused(x, b)))
    np.testing.assert_array_equal(first, again)
    np.testing.assert_array_equal(second, same)


@pytest.mark.parametrize("shape", [(3, 5), LARGE, (6, 6), (1, 1030)])
def test_fused_or_not_the_numbers_are_the_same(shape):
    rng = np.random.default_rng(0)
    x, b, fused = rng.normal(size=shape), rng.normal(size=shape[1]), gg.fuse(network)
    for p in (0.3, 0.25, 1e-5, 1.0, 0.0, 0.3):
        (found, after), (expected, end) = seeded(fused, x, b, p), seeded(network, x, b, p)
        np.testing.assert_allclose(found, expected, rtol=1e-12)
        np.testing.assert_array_equal(found == 0, expected == 0)
        assert after == end


def test_fused_gradients():
    x, b = np.random.default_rng(0).normal(size=LARGE), np.ones(LARGE[1])
    found = []
    for function in (network, gg.fuse(network)):
        leaves = [gg.tensor(x, requires_grad=True), gg.tensor(b, requires_grad=True)]
        y, _ = seeded(lambda f, *given: f(*given) * f(*given), function, *leaves)
        first = gg.gradients(gg.sum(y), leaves, create_graph=True)
        second = gg.gradients(gg.sum(first[0] ** 2) + gg.sum(first[1] ** 2), leaves)
        found.append([t.detach().numpy() for t in (y, *first, *second)])
    for one, other in zip(*found, strict=True):
        np.testing.assert_allclose(one, other, rtol=1e-9, atol=1e-9 * np.abs(other).max())


def test_fused_kernels_keep_no_mask():
    source = gg.fuse(network).graph(gg.tensor(np.ones(LARGE), requires_grad=True), np.ones(LARGE[1]))
    backward = source[source.index("_backward(") :]
    assert "uint64[6]" in backward
    assert "philox" in backward
    assert "bool[" not in backward.partition("\n")[0]


def test_a_fused_function_can_be_traced_in_another():
    inner = gg.fuse(lambda x: F.dropout(x, 0.5))
    outer = gg.fuse(lambda x: inner(x) + inner(x))
    x = np.ones(LARGE)
    found, after = seeded(outer, x)
    expected, end = seeded(lambda x: F.dropout(x, 0.5) + F.dropout(x, 0.5), x)
    np.testing.assert_array_equal(found, expected)
    assert after == end


def test_probabilities_out_of_range_in_a_fused_function():
    with pytest.raises((ValueError, GpugradError), match="expected a probability from 0 to 1"):
        gg.fuse(lambda x, p: F.dropout(x, p))(np.ones(LARGE), 1.5)


def cubes(x):
    return gg.sum(F.dropout(x, 0.5) ** 3 * F.dropout(x, 0.1))


def nested(x):
    y = x * F.dropout(x, 0.4)
    return gg.checkpoint(cubes)(y)


@pytest.mark.parametrize(
    "function",
    [
        gg.checkpoint(nested), gg.fuse(nested), gg.fuse(gg.checkpoint(nested)), gg.checkpoint(gg.fuse(nested)),
        gg.fuse(gg.checkpoint(gg.checkpoint(nested))),
    ],
    ids=["checkpoint", "fuse", "checkpoint fused", "fused in checkpoint", "checkpoint twice"],
)  # fmt: skip
def test_checkpoint_and_fuse_together(function):
    x = np.random.default_rng(0).normal(size=LARGE)
    found = []
    for f in (lambda x: cubes(x * F.dropout(x, 0.4)), function):
        t = gg.tensor(x, requires_grad=True)
        loss, after = seeded(f, t)
        (first,) = gg.gradients(loss, [t], create_graph=True)
        (second,) = gg.gradients(gg.sum(first * first), [t])
        assert gg.random.default_generator.get_state() == after
        found.append((loss.item(), first.detach().numpy(), second.numpy(), after))
    assert found[0][3] == found[1][3]
    for one, other in zip(found[0][:3], found[1][:3], strict=True):
        np.testing.assert_allclose(other, one, rtol=1e-9, atol=1e-9 * np.abs(one).max())


def test_a_gradient_inside_a_fused_function():
    x = np.random.default_rng(0).normal(size=LARGE)
    found, _ = seeded(gg.fuse(gg.grad(nested)), x)
    expected, _ = seeded(gg.grad(nested), x)
    np.testing.assert_allclose(found, expected, rtol=1e-9, atol=1e-9 * np.abs(expected).max())
