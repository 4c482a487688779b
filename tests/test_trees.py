"""gpugrad.trees."""

from collections import OrderedDict, defaultdict, namedtuple

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gpugrad.trees import leaves, map_leaves, present, rebuild, refill, same_structure

Pair = namedtuple("Pair", "first second")

TREES = st.recursive(
    st.integers() | st.none() | st.text(max_size=2),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.lists(inner, max_size=3).map(tuple)
        | st.dictionaries(st.text(max_size=2), inner, max_size=3)
        | st.builds(Pair, inner, inner)
    ),
    max_leaves=12,
)


@given(TREES)
def test_taking_apart_and_putting_together(tree):
    again = rebuild(tree, iter(leaves(tree)))
    assert again == tree and type(again) is type(tree)


@given(TREES)
def test_mapping_keeps_the_structure(tree):
    mapped = map_leaves(lambda leaf: (1, leaf) and "leaf", tree)
    assert leaves(mapped) == ["leaf"] * len(leaves(tree))
    assert same_structure(tree, mapped) and same_structure(mapped, tree)


@given(TREES, TREES)
def test_the_same_structure_has_as_many_leaves(one, other):
    if same_structure(one, other):
        assert len(leaves(one)) == len(leaves(other))
        assert same_structure(other, one)


def test_the_order_of_the_leaves():
    tree = {"b": 1, "a": [2, (3, Pair(4, 5))], "c": None}
    assert leaves(tree) == [1, 2, 3, 4, 5, None]


@given(TREES)
def test_none_stays_where_the_other_leaves_are_replaced(tree):
    assert present(tree) == [leaf for leaf in leaves(tree) if leaf is not None]
    assert refill(tree, iter(present(tree))) == tree
    assert refill({"a": None, "b": [1, None, (2,)]}, iter([10, 20])) == {"a": None, "b": [10, None, (20,)]}


def test_types_are_kept():
    out = map_leaves(lambda x: x + 1, Pair([1], {"a": (2,)}))
    assert out == Pair([2], {"a": (3,)}) and type(out) is Pair and type(out.first) is list


def test_kinds_of_dicts_are_kept():
    out = map_leaves(lambda x: x * 2, OrderedDict(b=1, a=2))
    assert out == OrderedDict(b=2, a=4) and type(out) is OrderedDict


def test_a_defaultdict_is_kept():
    tree = defaultdict(list, a=1)
    out = map_leaves(lambda x: x * 2, tree)
    assert out == {"a": 2} and type(out) is defaultdict and out.default_factory is list


def test_dicts_of_one_structure_may_differ_in_the_order_of_their_keys():
    """What takes the leaves of two trees side by side must not take the wrong pairs."""
    from gpugrad.trees import aligned

    one, other = {"a": 1, "b": (2, 3)}, {"b": (20, 30), "a": 10}
    assert same_structure(one, other)
    assert list(zip(leaves(one), aligned(one, other), strict=True)) == [(1, 10), (2, 20), (3, 30)]


@pytest.mark.parametrize(
    "one, other",
    [
        ([1, 2], [1]),
        ([1], 1),
        (1, [1]),
        ({"a": 1}, {"b": 1}),
        ({"a": 1}, [1]),
        ([1], {"a": 1}),
        ([1, [2]], [1, 2]),
        (None, ()),
    ],
)
def test_different_structures(one, other):
    assert not same_structure(one, other)


def test_lists_and_tuples_nest_alike():
    assert same_structure([1, (2, 3)], (4, [5, 6]))
