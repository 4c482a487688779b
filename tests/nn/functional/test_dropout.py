"""gpugrad.nn.functional.dropout: values and derivatives on every backend are in tests/cases/functional.py."""

import numpy as np
import pytest

import gpugrad as gg
from gpugrad.nn import functional as F
from gpugrad.testing import assert_close


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
