"""gpugrad.multi_output: ops of several results, by one whose derivatives are known."""

import gc
import weakref
from typing import Any, NamedTuple

import numpy as np
import pytest
from array_api_compat import array_namespace

import gpugrad as gg
from gpugrad.families import REGISTRY, TABLES
from gpugrad.multi_output import multi_output
from gpugrad.testing import check_grads

X = np.array([0.3, 0.5, -1.2])


class Result(NamedTuple):
    exponential: Any
    power: Any
    sign: Any


def _rule(g, x, out, exponent):
    exponential, power, sign = g
    assert sign is None
    parts = [] if exponential is None else [exponential * out[0]]
    return sum([*parts, *([] if power is None else [power * exponent * x ** (exponent - 1)])])


@multi_output(x=_rule)
def parts(x, /, *, exponent=2):
    xp = array_namespace(x)
    return Result(xp.exp(x), x**exponent, xp.real(x) > 0 if xp.isdtype(x.dtype, "complex floating") else x > 0)


del REGISTRY["parts"], TABLES["parts"]


@pytest.mark.parametrize("made", [lambda x: x, lambda x: x + 0.4j * x[::-1]])
def test_derivatives_of_all_orders(made):
    check_grads(lambda x: (parts(x).exponential * parts(x).power, parts(x, exponent=3).power), made(X), order=3)


def test_results_that_are_used_together_and_more_than_once():
    def function(x):
        out = parts(x)
        return out.exponential * out.power + out.exponential

    check_grads(function, X, order=3)


def test_second_derivatives_reach_the_results_that_the_user_holds():
    # The gradient of x is exponential * (what came), so that of its sum with respect to exponential is what came.
    x = gg.tensor(X, requires_grad=True)
    exponential = parts(x).exponential
    seen: list[Any] = []
    exponential.register_hook(seen.append)
    (first,) = gg.gradients(gg.sum(exponential * X), [x], create_graph=True)
    (second,) = gg.gradients(gg.sum(first), [exponential])
    assert second.numpy().tolist() == X.tolist()
    assert len(seen) == 2


def test_arrays_give_arrays_and_tensors_tensors():
    assert isinstance(parts(X), Result) and type(parts(X).exponential) is np.ndarray
    out = parts(gg.tensor(X, requires_grad=True))
    assert isinstance(out, Result) and out.exponential.requires_grad
    assert out.sign.dtype == bool and not out.sign.requires_grad
    assert not any(part.requires_grad for part in parts(gg.asarray(X)))
    with gg.no_grad():
        assert not any(part.requires_grad for part in parts(gg.tensor(X, requires_grad=True)))


def test_a_graph_is_freed_by_reference_counts():
    gc.collect()
    gc.disable()
    try:
        out = parts(gg.tensor(X, requires_grad=True))
        node = weakref.ref(out.power.node.source)
        del out
        assert node() is None
    finally:
        gc.enable()


def test_unknown_options_are_named():
    with pytest.raises(TypeError, match=r"^parts\(\) got an unexpected keyword argument 'base'"):
        parts(X, base=2)


def test_a_freed_graph_is_refused():
    out = parts(gg.tensor(X, requires_grad=True)).power
    gg.sum(out).backward()
    with pytest.raises(gg.GraphError, match="already differentiated"):
        gg.sum(out).backward()


def test_debug_mode_names_the_op():
    with (
        gg.debug(),
        np.errstate(over="ignore"),
        pytest.raises(gg.AnomalyError, match="parts: the first nan or inf of the forward"),
    ):
        parts(gg.tensor(np.array([1e4]), requires_grad=True))
    x = gg.tensor(np.array([0.0]), requires_grad=True)
    with (
        gg.debug(),
        np.errstate(all="ignore"),
        pytest.raises(gg.AnomalyError, match=r"parts: .*backward.*test_multi_output.py"),
    ):
        gg.sum(parts(x, exponent=0.5).power).backward()


def _elementwise_rule(g, x):
    logarithm, root = g
    return sum([*([] if logarithm is None else [logarithm / x]), *([] if root is None else [root * 0.5 * x**-0.5])])


class Both(NamedTuple):
    logarithm: Any
    root: Any


@multi_output(x=_elementwise_rule, elementwise=True)
def both(x, /):
    xp = array_namespace(x)
    return Both(xp.log(x), xp.sqrt(x))


del REGISTRY["both"], TABLES["both"]


@pytest.mark.parametrize("create_graph", [False, True])
def test_masks_of_branches_not_taken_pass_elementwise_ops(create_graph):
    x = gg.tensor(np.array([-1.0, 0.0, 0.5, 4.0]), requires_grad=True)

    def gradient(mask):
        out = both(x)
        y = gg.where(x > 0, out.logarithm, 0) + gg.where(mask, out.root, 0)
        return gg.gradients(gg.sum(y), [x], create_graph=create_graph)[0].tolist()

    with np.errstate(all="ignore"):
        assert gradient(x > 1) == [0.0, 0.0, 2.0, 0.5]
        assert np.isnan(gradient(x < 1)[0])  # there it is taken
