"""Bad input is refused in the same words on every backend, and nan propagates."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from backends import Backend

import gpugrad as gg
from gpugrad import linalg
from gpugrad.testing import assert_close

SQUARE: dict[str, Callable[[Any], Any]] = {
    "inv": linalg.inv,
    "det": linalg.det,
    "slogdet": linalg.slogdet,
    "cholesky": linalg.cholesky,
    "expm": linalg.expm,
    "matrix_power": lambda x: linalg.matrix_power(x, 3),
    "solve": lambda x: linalg.solve(x, x),
    "solve_triangular": lambda x: linalg.solve_triangular(x, x, upper=True),
}
STACKED: dict[str, Callable[[Any], Any]] = {
    "pinv": linalg.pinv,
    "matrix_rank": linalg.matrix_rank,
    "lstsq": lambda x: linalg.lstsq(x, x),
    "matrix_norm": linalg.matrix_norm,
}
INVERTING = [linalg.inv, lambda x: linalg.solve(x, x), lambda x: linalg.matrix_power(x, -1)]


@pytest.mark.parametrize("name", SQUARE)
@pytest.mark.parametrize("shape", [(4, 3, 2), (3,)])
def test_what_is_not_square_is_refused(name: str, shape: tuple[int, ...], backend: Backend) -> None:
    with pytest.raises(
        gg.ShapeError, match=rf"^{name}: got .*float64 \({', '.join(map(str, shape))}.*\), expected a square matrix"
    ):
        SQUARE[name](backend.asarray(np.ones(shape)))


@pytest.mark.parametrize("name", [*STACKED, "diagonal", "trace"])
def test_fewer_than_two_dimensions_are_refused(name: str, backend: Backend) -> None:
    function = STACKED.get(name) or getattr(linalg, name)
    with pytest.raises(gg.ShapeError, match=rf"^{name}: got .*float64 \(3,\), expected a matrix or a stack of matrices"):
        function(backend.asarray(np.ones(3)))


@pytest.mark.parametrize("name", SQUARE | STACKED)
@pytest.mark.parametrize("dtype", ["int64", "bool"])
def test_other_dtypes_are_refused(name: str, dtype: str, backend: Backend) -> None:
    with pytest.raises(gg.DTypeError, match=rf"^{name}: got .*{dtype}.* \(2, 2\).*expected .*float.*astype"):
        (SQUARE | STACKED)[name](backend.asarray(np.ones((2, 2), dtype)))


@pytest.mark.parametrize("name", [name for name in SQUARE | STACKED if name != "matrix_norm"])
def test_float16_is_refused_where_there_is_no_kernel(name: str) -> None:
    with pytest.raises(gg.DTypeError, match=f"^{name}: got float16 .*astype"):
        (SQUARE | STACKED)[name](np.eye(2, dtype=np.float16))


def test_the_op_that_was_called_is_named_whatever_it_is_made_of() -> None:
    for name in ("eigvals", "eigvalsh", "svdvals"):
        with pytest.raises(gg.ShapeError, match=f"^{name}: "):
            getattr(linalg, name)(gg.asarray(np.ones(3)).requires_grad_())
    with pytest.raises(gg.DTypeError, match="^matrix_norm: got float16"):
        linalg.matrix_norm(np.eye(2, dtype=np.float16), ord="nuc")


@pytest.mark.parametrize("x", [2.0, [[1.0]]])
def test_what_is_no_array_is_refused(x: Any) -> None:
    for function in [*SQUARE.values(), *STACKED.values(), linalg.diagonal, linalg.vector_norm, lambda x: linalg.outer(x, x)]:
        with pytest.raises(gg.DTypeError, match="expected a Tensor"):
            function(x)


@pytest.mark.parametrize(
    ("function", "shapes", "said"),
    [
        (linalg.solve, [(3, 3), (2,)], r"solve: got .*float64 \(3, 3\) and .*float64 \(2,\), expected of the second \(3,\)"),
        (linalg.solve, [(2, 3, 3), (2, 3)], r"solve: got .*float64 \(2, 3, 3\) and .*float64 \(2, 3\), expected of the second"),
        (linalg.solve, [(3, 3), ()], r"solve: .* expected of the second \(3,\) or \(..., 3, K\)"),
        (linalg.solve, [(2, 3, 3), (4, 3, 1)], r"solve: .* the leading shapes \(2,\) and \(4,\) do not broadcast"),
        (
            lambda x, y: linalg.solve_triangular(x, y, upper=True, left=False),
            [(3, 3), (3, 2)],
            r"solve_triangular: got .*float64 \(3, 3\) and .*float64 \(3, 2\), expected of the second \(3,\) or \(..., K, 3\)",
        ),
        (linalg.lstsq, [(3, 2), (2, 1)], r"lstsq: .* expected of the second \(3,\) or \(..., 3, K\)"),
        (linalg.cross, [(3,), (2,)], r"cross: got shapes \(3,\) and \(2,\), expected size 3 along axis -1"),
        (linalg.cross, [(1, 3), (3, 1)], "expected size 3 along axis -1 of both"),
        (linalg.outer, [(2, 2), (3,)], r"outer: got shapes \(2, 2\) and \(3,\), expected two 1-d arrays"),
    ],
)
def test_shapes_that_do_not_fit_are_refused(function: Any, shapes: Any, said: str, backend: Backend) -> None:
    with pytest.raises(gg.ShapeError, match=said):
        function(*(backend.asarray(np.ones(shape)) for shape in shapes))


def test_axes_out_of_range_are_refused() -> None:
    with pytest.raises(gg.ShapeError, match=r"cross: axis 2 is out of range for shapes \(3, 3\) and \(3, 3\)"):
        linalg.cross(np.ones((3, 3)), np.ones((3, 3)), axis=2)
    with pytest.raises(gg.ShapeError, match="cross: axis 0 is out of range.* count it from the end"):
        linalg.cross(np.ones((3, 1)), np.ones((2, 3, 1)), axis=0)
    with pytest.raises(gg.ShapeError, match="vector_norm: axis 2 is out of range"):
        linalg.vector_norm(np.ones((2, 2)), axis=2)
    with pytest.raises(gg.ShapeError, match="names an axis twice"):
        linalg.vector_norm(np.ones((2, 2)), axis=(0, -2))


@pytest.mark.parametrize("function", INVERTING)
@pytest.mark.parametrize("dtype", ["float32", "complex128"])
@pytest.mark.parametrize("stacked", [True, False])
def test_a_singular_matrix_is_an_error(function: Any, dtype: str, stacked: bool, backend: Backend) -> None:
    x = np.asarray([[1.0, 2.0], [2.0, 4.0]], dtype)
    with pytest.raises(gg.LinAlgError, match=r"got .*2, 2\).*: Singular matrix") as raised:
        function(backend.asarray(np.stack([np.eye(2, dtype=dtype), x]) if stacked else x))
    assert isinstance(raised.value, np.linalg.LinAlgError)


@pytest.mark.parametrize("x", [-np.eye(2), np.asarray([[1.0, 2.0], [2.0, 1.0]])])
@pytest.mark.parametrize("stacked", [True, False])
def test_a_matrix_that_is_not_positive_definite_is_an_error(x: Any, stacked: bool, backend: Backend) -> None:
    with pytest.raises(gg.LinAlgError, match=r"^cholesky: got .*float64 \(.*2, 2\): Matrix is not positive definite"):
        linalg.cholesky(backend.asarray(np.stack([np.eye(2), x]) if stacked else x))


@pytest.mark.parametrize("bad", [np.nan, np.inf])
@pytest.mark.parametrize("name", [n for n in (SQUARE | STACKED) if n not in ("matrix_rank", "matrix_norm", "solve_triangular")])
def test_nan_makes_its_matrix_nan_and_no_other(name: str, bad: float, backend: Backend) -> None:
    good = np.asarray([[2.0, 0.5], [0.5, 1.0]])
    spoilt = np.asarray([[bad, 0.0], [0.0, 0.0]])  # LAPACK alone calls this one singular
    function = (SQUARE | STACKED)[name]
    with np.errstate(all="ignore"):
        found = function(backend.asarray(np.stack([good, spoilt])))
    expected = function(good)
    pairs = [(found[0], expected[0])] if name == "lstsq" else zip(found, expected) if name == "slogdet" else [(found, expected)]
    for x, y in pairs:
        x = backend.to_numpy(x)
        assert_close(x[0], y)
        if name != "matrix_power" or bad != np.inf:  # a product, where inf stays inf
            assert np.isnan(x[1]).all() or (name == "matrix_power" and np.isnan(x[1]).any())


@pytest.mark.parametrize("name", ["inv", "det", "slogdet", "expm", "pinv"])
def test_gradients_of_nan_are_nan(name: str, backend: Backend) -> None:
    x = gg.asarray(backend.asarray(np.stack([np.eye(2), np.full((2, 2), np.nan)]))).requires_grad_()
    out = (SQUARE | STACKED)[name](x)
    gg.sum(out[1] if name == "slogdet" else out).backward()
    g = backend.to_numpy(x.grad.array)
    assert np.isfinite(g[0]).all()
    assert np.isnan(g[1]).all()
