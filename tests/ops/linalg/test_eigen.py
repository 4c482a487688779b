"""Eigenvalues and eigenvectors where the records do not reach: equal eigenvalues, phases, one triangle, nan, refusals."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from backends import Backend

import gpugrad as gg
from gpugrad.ops.linalg.eigen import eig, eigh, eigvals, eigvalsh
from gpugrad.testing import assert_close

ALL = [eig, eigh, eigvals, eigvalsh]
W = np.arange(9.0).reshape(3, 3)


def projector(v: Any) -> Any:
    return v @ gg.conj(gg.matrix_transpose(v))


def first(out: Any) -> Any:
    """The eigenvalues, of results that may hold the vectors too."""
    return out[0] if isinstance(out, tuple) else out


@pytest.mark.parametrize("function", [eig, eigh])
def test_results_have_the_standards_names(function: Any, backend: Backend) -> None:
    x = np.asarray([[2.0, 1.0], [1.0, 3.0]])
    out = function(backend.asarray(x))
    w, v = backend.to_numpy(out.eigenvalues), backend.to_numpy(out.eigenvectors)
    assert_close(x @ v, v * w)
    assert isinstance(function(gg.asarray(x)).eigenvectors, gg.Tensor)


@pytest.mark.parametrize("dtype", ["float32", "float64", "complex64", "complex128"])
def test_dtypes(dtype: str, backend: Backend) -> None:
    x = backend.asarray(np.eye(2, dtype=dtype))
    kind = {"float32": "complex64", "float64": "complex128"}.get(dtype, dtype)
    real = {"complex64": "float32", "complex128": "float64"}.get(dtype, dtype)
    found = [backend.to_numpy(part).dtype.name for part in (*eig(x), eigvals(x), *eigh(x), eigvalsh(x))]
    assert found == [kind, kind, kind, real, dtype, real]


@pytest.mark.parametrize("shape", [(0, 0), (0, 3, 3), (2, 0, 0)])
@pytest.mark.parametrize("function", ALL)
def test_nothing_has_no_eigenvalues(function: Any, shape: tuple[int, ...], backend: Backend) -> None:
    w = first(function(gg.asarray(backend.asarray(np.zeros(shape))).requires_grad_()))
    assert w.shape == shape[:-1] and w.dtype.kind == ("c" if function in (eig, eigvals) else "f")


def test_only_the_lower_triangle_is_read_and_both_receive_the_gradient() -> None:
    lower = np.asarray([[2.0, 99.0], [1.0, 3.0]])
    symmetric = np.asarray([[2.0, 1.0], [1.0, 3.0]])
    assert_close(eigvalsh(lower), np.linalg.eigvalsh(symmetric))
    assert_close(gg.grad(lambda x: gg.sum(eigvalsh(x) ** 2))(lower), 2 * symmetric)


@pytest.mark.parametrize("x", [np.eye(3), np.zeros((3, 3)), np.eye(3, dtype=complex)])
@pytest.mark.parametrize("function", [eigvalsh, eigvals])
def test_the_gradient_of_equal_eigenvalues_divides_by_nothing(function: Any, x: Any) -> None:
    assert_close(gg.grad(lambda x: gg.real(gg.sum(gg.exp(function(x)))))(x), np.exp(x[0, 0]) * np.eye(3).astype(x.dtype))


@pytest.mark.parametrize("function", [eig, eigh])
def test_vectors_of_other_eigenvalues_than_the_equal_ones_have_a_gradient(function: Any) -> None:
    x = np.diag([1.0, 1.0, 5.0])  # a perturbation e in the last column turns the last vector by e / (5 - 1)
    turned = np.zeros((3, 3))
    turned[:2, 2] = (W + W.T)[:2, 2] / 4
    found = gg.grad(lambda x: gg.sum(W * gg.real(projector(function(x).eigenvectors[:, 2:]))))(x)
    assert_close(found, turned if function is eig else (turned + turned.T) / 2)


@pytest.mark.parametrize("function", [eig, eigh])
def test_vectors_of_equal_eigenvalues_have_none(function: Any) -> None:
    found = gg.grad(lambda x: gg.sum(W * gg.real(projector(function(x).eigenvectors[:, :1]))))(np.diag([1.0, 1.0, 5.0]))
    assert not np.isfinite(found).any()


def test_what_depends_on_a_phase_is_left_out() -> None:
    """A perturbation that leaves each vector as it is, up to its phase, changes nothing."""
    x = np.asarray([[2.0, 1 + 1j], [1 - 1j, -1.0]])
    g = gg.grad(lambda x: gg.sum(gg.imag(eigh(x).eigenvectors) * W[:2, :2]))(x)
    _, v = np.linalg.eigh(x)
    assert_close(np.diag(np.conj(v.T) @ g @ v), np.zeros(2, complex))
    assert_close(g, np.conj(g.T))


def test_eigenvalues_of_a_rotation_are_complex() -> None:
    """The product of |w|**2 over a conjugate pair is det**2, whose gradient is 2 det inv(x).T det."""
    x = np.asarray([[1.0, -2.0], [3.0, 1.5]])
    det = np.linalg.det(x)
    g = gg.grad(lambda x: gg.prod(gg.abs(eigvals(x)) ** 2))(x)
    assert_close(g, 2 * det**2 * np.linalg.inv(x).T)


def test_without_enough_eigenvectors_there_is_no_gradient() -> None:
    """A gpugrad gradient is an error or huge there, never an innocent number: w = 1 +- sqrt(x[1, 0])."""
    x = np.asarray([[1.0, 1.0], [0.0, 1.0]])
    try:
        g = gg.grad(lambda x: gg.real(eigvals(x)[0]))(x)
    except gg.LinAlgError:
        return
    assert not np.abs(g[1, 0]) < 1e7


def test_tangents_of_eigenvalues() -> None:
    x, t = np.asarray([[2.0, 1.0], [1.0, 3.0]]), np.asarray([[1.0, 0.5], [0.5, -1.0]])
    w, v = np.linalg.eigh(x)
    value, tangent = gg.jvp(eigvalsh, (x,), (t,))
    assert_close((value, tangent), (w, np.diag(v.T @ t @ v)))


@pytest.mark.parametrize("bad", [np.nan, np.inf])
@pytest.mark.parametrize("function", ALL)
def test_a_matrix_with_nan_or_inf_has_nan_results_and_spoils_no_other(function: Any, bad: float, backend: Backend) -> None:
    x = np.asarray([[[2.0, 0.0], [1.0, 3.0]], [[2.0, 0.0], [bad, 3.0]]])
    t = gg.asarray(backend.asarray(x)).requires_grad_()
    out = function(t)
    for part in out if isinstance(out, tuple) else (out,):
        part = backend.to_numpy(part.detach().array)
        assert np.isfinite(part[0]).all() and np.isnan(part[1]).all()
    gg.sum(gg.real(first(out))).backward()
    gradient = backend.to_numpy(t.grad.array)
    assert_close(gradient[0], np.eye(2))
    assert np.isnan(gradient[1]).all()


@pytest.mark.parametrize("function", ALL)
def test_refusals(function: Any, backend: Backend) -> None:
    name = function.__name__
    with pytest.raises(gg.ShapeError, match=rf"{name}: got .*float64 \(2, 3\), expected a square matrix"):
        function(backend.asarray(np.ones((2, 3))))
    with pytest.raises(gg.ShapeError, match=rf"{name}: got .*float64 \(3,\), expected a square matrix"):
        function(gg.asarray(backend.asarray(np.ones(3))))
    with pytest.raises(gg.DTypeError, match=rf"{name}: got .*int64 \(2, 2\), expected float32"):
        function(backend.asarray(np.ones((2, 2), np.int64)))


@pytest.mark.parametrize("function", ALL)
def test_an_iteration_that_does_not_converge(function: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(x: Any) -> Any:
        raise np.linalg.LinAlgError("Eigenvalues did not converge")

    monkeypatch.setattr(f"array_api_compat.numpy.linalg.{function.__name__}", fail)
    with pytest.raises(gg.LinAlgError, match=rf"{function.__name__}: got float64 \(2, 2\): Eigenvalues did not converge"):
        function(np.eye(2))


def test_in_a_fused_function() -> None:
    x = np.diag([1.0, 2.0])
    assert_close(gg.grad(gg.fuse(lambda x: gg.sum(gg.exp(eigvalsh(x)) * 2)))(x), np.diag(2 * np.exp([1.0, 2.0])))
