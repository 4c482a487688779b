"""gpugrad.tape: what a recorded graph holds on to, and that it is freed without the garbage collector."""

import gc
import weakref

import numpy as np
import pytest
from tensors import leaf

import gpugrad as gg
from gpugrad.errors import DTypeError
from gpugrad.tape import Joint, Leaf, Node, Output, Rule, Tensor, parents, raw, require_grad

LONG = 500_000


@pytest.fixture
def collector_off():
    """Only reference counting frees memory inside."""
    gc.collect()
    gc.disable()
    yield
    gc.enable()


def residuals(x):
    """The arrays that the tape keeps for the last op."""
    return [value for _, _, kept in x.node.edges for value in kept if hasattr(value, "dtype")]


def test_nodes_are_numbered_in_the_order_of_creation():
    x = leaf(1.0)
    y = x * x
    z = y + x
    assert x.node.number < y.node.number < z.node.number


def test_parents_of_a_node_are_the_operands_that_record():
    x, constant = leaf([1.0, 2.0]), gg.tensor([3.0, 4.0], dtype=gg.float64)
    y = x * constant
    assert parents(y.node) == [x.node]
    assert parents((y * x).node) == [y.node, x.node]


def test_parents_of_an_output_and_of_its_joint_node():
    x = leaf([1.0, 2.0])
    first, _ = gg.unstack(x)
    assert type(first.node) is Output and type(first.node.source) is Joint
    assert parents(first.node) == [first.node.source]
    assert parents(first.node.source) == [x.node]


def test_a_leaf_and_a_freed_node_have_no_parents():
    x = leaf(1.0)
    y = x * 2
    y.backward()
    assert parents(x.node) == [] and parents(y.node) == []


@pytest.mark.parametrize(
    "op, kept",
    [
        (lambda x, y: x + y, 0),
        (lambda x, y: x - y, 0),
        (lambda x, y: -x, 0),
        (lambda x, y: gg.exp(x), 1),
        (lambda x, y: gg.tanh(x), 1),
        (lambda x, y: x * y, 2),
        (lambda x, y: gg.reshape(x, (3, 1)), 0),
        (lambda x, y: gg.sum(x), 0),
        (lambda x, y: gg.floor(x), 0),
    ],
    ids=["add", "subtract", "negative", "exp", "tanh", "multiply", "reshape", "sum", "floor"],
)
def test_the_tape_keeps_what_the_rules_name_and_nothing_else(op, kept):
    assert len(residuals(op(leaf([1.0, 2.0, 3.0]), leaf([4.0, 5.0, 6.0])))) == kept


def test_exp_keeps_its_result_and_no_copy_of_it():
    y = gg.exp(leaf([1.0, 2.0]))
    assert residuals(y)[0] is y.array


def test_a_product_with_a_constant_keeps_only_the_constant():
    constant = gg.tensor([3.0, 4.0], dtype=gg.float64)
    (kept,) = residuals(leaf([1.0, 2.0]) * constant)
    assert kept is constant.array


def test_require_grad_refuses_integers():
    with pytest.raises(DTypeError, match=r"dtype int64 cannot require a gradient.*astype\(gg.float32\)"):
        require_grad(np.arange(3))


def test_require_grad_takes_complex_numbers():
    node = require_grad(np.ones(3, np.complex64))
    assert type(node) is Leaf and node.shape == (3,) and node.grad is None


def test_raw():
    array = np.ones(2)
    assert raw(Tensor(array)) is array and raw(array) is array and raw(None) is None


def test_reprs_name_the_op():
    x = leaf([1.0, 2.0])
    y = x * x
    assert repr(y.node) == f"<Node {y.node.number}: multiply>"
    assert repr(x.node) == f"<Leaf {x.node.number}: no parents>"
    rule = y.node.edges[0][1]
    assert isinstance(rule, Rule) and repr(rule) == "Rule(multiply, dx, keeps y)"
    gg.sum(y).backward()
    assert repr(y.node) == f"<Node {y.node.number}, freed>"


def test_a_graph_is_freed_with_its_result(collector_off):
    x = leaf([1.0, 2.0])
    y = gg.exp(x)
    z = gg.sin(y)
    nodes = [weakref.ref(y.node), weakref.ref(z.node)]
    arrays = [weakref.ref(y.array)]
    del y
    assert nodes[0]() is not None
    del z
    assert [r() for r in nodes + arrays] == [None, None, None]


def test_several_results_are_freed_with_the_last_of_them(collector_off):
    x = leaf([1.0, 2.0])
    first, second = gg.unstack(x * 2)
    joint = weakref.ref(first.node.source)
    del first
    assert joint() is not None
    del second
    assert joint() is None


def chain(x, length):
    for _ in range(length):
        x = x + 1.0
    return x


def test_a_long_chain_goes_backward_without_recursion_and_is_freed_without_the_collector(collector_off):
    x = leaf(0.0)
    early = x * 3.0
    y = chain(early, LONG)
    early_node, last = weakref.ref(early.node), weakref.ref(y.node)
    del early
    y.backward()
    assert float(x.grad) == 3.0
    assert early_node() is None  # freed by the sweep as it passed
    del y
    assert last() is None


def test_a_long_chain_that_is_never_differentiated_is_freed_without_the_collector(collector_off):
    x = leaf(0.0)
    early = x * 3.0
    node = weakref.ref(early.node)
    y = chain(early, LONG)
    del early
    assert isinstance(node(), Node)
    del y
    assert node() is None


def test_a_long_chain_of_joint_nodes_is_freed_without_the_collector(collector_off):
    x = leaf([0.0])
    y = x * 3.0
    node = weakref.ref(y.node)
    for _ in range(50_000):
        (y,) = gg.unstack(y[None])
    y.backward(np.ones(1))
    assert x.grad.tolist() == [3.0]
    del y
    assert node() is None


def test_a_graph_of_the_second_order_is_freed_without_the_collector(collector_off):
    x = leaf([1.0, 2.0])
    y = gg.sum(x**3)
    (g,) = gg.gradients(y, [x], create_graph=True)
    nodes = [weakref.ref(y.node), weakref.ref(g.node)]
    del y, g
    assert [r() for r in nodes] == [None, None]
