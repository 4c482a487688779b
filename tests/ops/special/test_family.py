"""gpugrad.ops.special.family: how special functions are declared, and what all of them keep."""

import inspect

import ml_dtypes
import numpy as np
import pytest
import scipy.special
import scipy.stats
from backends import Backend

import gpugrad as gg
from gpugrad.errors import GraphError
from gpugrad.families import REGISTRY, TABLES, zero
from gpugrad.ops.special.family import inexact, no_rule, special

ELEMENTWISE = [
    name
    for name in gg.special.__all__
    if hasattr(getattr(gg.special, name), "kernels") and isinstance(getattr(scipy.special, name, None), np.ufunc)
]
OWN = [
    name
    for name in gg.special.__all__
    if getattr(gg.special, name).__module__.startswith(("gpugrad.special", "gpugrad.ops.special"))
]


@pytest.mark.parametrize("name", gg.special.__all__)
def test_names_are_scipy_s(name):
    assert callable(getattr(gg.special, name))
    assert hasattr(scipy.special, name)


@pytest.mark.parametrize("name", ELEMENTWISE)
def test_operands_are_positional_and_as_many_as_scipy_s(name):
    kinds = [p.kind for p in inspect.signature(getattr(gg.special, name)).parameters.values()]
    assert kinds == [inspect.Parameter.POSITIONAL_ONLY] * getattr(scipy.special, name).nin


@pytest.mark.parametrize("name", OWN)
def test_documentation_says_shapes_dtypes_errors_and_source(name):
    text = inspect.getdoc(getattr(gg.special, name))
    for word in ("Shapes:", "Dtypes:", "Raises", "Source:"):
        assert word in text


def test_a_derivative_that_is_missing_raises_and_is_never_dropped():
    a, x = gg.asarray([2.0]).requires_grad_(), gg.asarray([0.5]).requires_grad_()
    assert gg.grad(lambda x: gg.special.gammainc(2.0, x))(0.5) == pytest.approx(0.5 * np.exp(-0.5))
    with pytest.raises(GraphError, match=r"gammainc: .* with respect to a here; .detach\(\) a to hold it constant"):
        gg.special.gammainc(a, x).backward()
    assert a.grad is None and x.grad is None
    gg.special.gammainc(a.detach(), x).backward()
    assert float(x.grad) == pytest.approx(0.5 * np.exp(-0.5))
    assert "not in a, for which a backward pass raises GraphError" in gg.special.gammainc.__doc__


def test_a_parameter_that_counts_has_gradient_zero():
    k, p = gg.asarray([2.5]).requires_grad_(), gg.asarray([0.25]).requires_grad_()
    gg.special.pdtr(k, p).backward()
    assert (float(k.grad), float(p.grad)) == (0, pytest.approx(-(0.25**2) / 2 * np.exp(-0.25)))


def test_rules_are_given_floating_point_arrays(backend: Backend, monkeypatch):
    for table in (REGISTRY, TABLES):
        monkeypatch.setitem(table, "betainc", table["betainc"])  # which come back after this test
    seen = []

    def rule(g, a, b, x):
        seen.append([str(gg.asarray(z).dtype) for z in (a, b, x)])
        return g

    op = special("betainc", "A test", a=no_rule("betainc", "a"), b=zero, x=rule)
    x = gg.asarray(backend.asarray(np.array([0.5], np.float32))).requires_grad_()
    op(backend.asarray(np.array([2, 3])), 4, x).backward(gg.asarray(backend.asarray(np.ones(2))))
    assert seen == [["float64", "float64", "float32"]]
    assert x.grad.dtype == "float32"


@pytest.mark.parametrize("dtype", [np.float16, ml_dtypes.bfloat16])
def test_rules_compute_in_float32_for_numbers_of_16_bits(dtype, backend: Backend):
    """x ** 8 is beyond the range of float16."""
    if backend.name == "array-api-strict":
        pytest.skip("array-api-strict has no numbers of 16 bits")
    x = gg.asarray(backend.asarray(np.array([10.0, 20.0]).astype(dtype))).requires_grad_()
    gg.special.gammainc(9.0, x).backward(backend.asarray(np.ones(2, dtype)))
    assert x.grad.dtype == np.dtype(dtype)
    found = backend.to_numpy(x.grad.array).astype(float)
    np.testing.assert_allclose(found, scipy.stats.gamma(9).pdf([10.0, 20.0]), rtol=5e-3)


def test_inexact_leaves_what_is_floating_point():
    x = np.ones(2, np.float32)
    assert inexact(x).dtype == np.float32
    assert inexact(np.ones(2, bool)).dtype == np.float64
    assert (type(inexact(2)), type(inexact(True)), inexact(2j)) == (float, float, 2j)


def test_masks_of_where_reach_through():
    """The derivative of gammainc(0.5, x) is infinite at 0."""
    f = lambda x: gg.sum(gg.where(x > 0, gg.special.gammainc(0.5, x), 0.0))
    np.testing.assert_allclose(gg.grad(f)(np.array([0.0, 1.0])), [0, np.exp(-1) / np.sqrt(np.pi)], rtol=1e-14)
