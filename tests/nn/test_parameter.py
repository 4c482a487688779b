"""gpugrad.nn.parameter."""

import copy
import pickle

import numpy as np
import pytest

import gpugrad as gg
from gpugrad import nn
from gpugrad.errors import DTypeError, GraphError
from gpugrad.nn.parameter import overwrite
from gpugrad.testing import assert_close


def test_is_a_leaf_that_requires_a_gradient():
    p = nn.Parameter(np.ones((2, 3)))
    assert isinstance(p, gg.Tensor) and p.is_leaf and p.requires_grad
    (p * 2).sum().backward()
    assert_close(p.grad, np.full((2, 3), 2.0))
    assert repr(nn.Parameter([1.0])).startswith("Parameter([1.]")


def test_copies_its_data():
    """An optimizer writes into it; the array given is somebody else's."""
    array = np.ones(3)
    p = nn.Parameter(array)
    overwrite(p, 5.0)
    assert array.tolist() == [1, 1, 1]
    assert p.tolist() == [5, 5, 5]
    read_only = np.ones(3)
    read_only.flags.writeable = False
    overwrite(nn.Parameter(read_only), 2.0)


def test_a_number_has_an_array_that_can_be_written_to():
    p = nn.Parameter(gg.sum(gg.ones(3)))
    assert isinstance(p.array, np.ndarray)
    overwrite(p, 7.0)
    assert p.item() == 7.0


def test_frozen():
    p = nn.Parameter(np.ones(3), requires_grad=False)
    assert not p.requires_grad
    assert not nn.Parameter(np.arange(3), requires_grad=False).requires_grad


def test_results_and_integers_are_refused():
    with pytest.raises(GraphError, match=r"Parameter: the data is a recorded result.*pass data\.detach\(\)"):
        nn.Parameter(nn.Parameter(np.ones(3)) * 2)
    with pytest.raises(DTypeError, match="a tensor of dtype int64 cannot require a gradient"):
        nn.Parameter(np.arange(3))


@pytest.mark.parametrize("requires_grad", [True, False])
def test_deepcopy_and_pickle(requires_grad):
    p = nn.Parameter(np.array([1.0, 2.0]), requires_grad)
    if requires_grad:
        (p * p).sum().backward()
    for other in (copy.deepcopy(p), pickle.loads(pickle.dumps(p))):
        assert type(other) is nn.Parameter
        assert other.requires_grad is requires_grad
        assert other.node is not p.node or not requires_grad
        assert_close(other.detach(), p.detach())
        assert not np.shares_memory(other.array, p.array)
    if requires_grad:
        assert_close(copy.deepcopy(p).grad, p.grad)


def test_copy_shares_the_node():
    p = nn.Parameter(np.ones(2))
    assert copy.copy(p).node is p.node
    assert type(copy.copy(p)) is nn.Parameter


def test_overwriting_leaves_what_graphs_hold():
    p = nn.Parameter(np.ones(2))
    loss = (p * p).sum()
    overwrite(p, 0.0)
    assert p.tolist() == [0, 0]
    loss.backward()
    assert p.grad.tolist() == [2, 2]
