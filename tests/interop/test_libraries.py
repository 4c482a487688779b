"""Libraries other than SciPy, call by call: each differentiates, or raises or warns rather than to lose a gradient in silence.

What is written here about a library is what its current release does; nothing in gpugrad knows of any of them.
"""

from __future__ import annotations

import importlib
import os
from collections.abc import Callable
from typing import Any

import numpy
import pytest

import gpugrad as gg
from gpugrad.testing import check_grads

pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore::FutureWarning", "ignore::RuntimeWarning")

MASK = numpy.arange(12).reshape(3, 4) % 5 == 0
POSITIVE = numpy.random.default_rng(0).uniform(0.5, 2.0, (3, 4))
X = POSITIVE * numpy.where(numpy.arange(12).reshape(3, 4) % 3 == 1, -1.0, 1.0)
WEIGHTS = numpy.random.default_rng(1).normal(size=64)


def library(name: str) -> Any:
    """The module, or a skipped test that says what is missing."""
    if importlib.util.find_spec(name.partition(".")[0]) is None:
        pytest.skip(f"{name} is not installed; nox -s interop installs it")
    if name == "sklearn" and os.environ.get("SCIPY_ARRAY_API") != "1":
        pytest.skip("scikit-learn asks for SCIPY_ARRAY_API=1 before SciPy is first imported: nox -s interop sets it")
    return importlib.import_module(name)


def weigh(x: Any) -> Any:
    """One number that depends on every element of x, on each in another way."""
    assert isinstance(x, gg.Tensor), type(x)
    return gg.sum(gg.reshape(x, (-1,)) ** 2 * WEIGHTS[: x.size])


def checked(function: Callable[..., Any], *arrays: Any) -> None:
    """Assert that the gradients of what a library computes are right; check_grads alone would find constants right, too."""
    found = gg.grad(lambda *x: weigh(function(*x)), argnums=tuple(range(len(arrays))))(*arrays)
    assert all(gradient.any() for gradient in found)
    check_grads(lambda *x: weigh(function(*x)), *arrays, order=1)


# array-api-extra ----------------------------------------------------------------------------------------------------

EXTRA: dict[str, Callable[[Any, Any], Any]] = {
    "angle": lambda xpx, x: xpx.angle(x + 1j * x**2),
    "apply_where": lambda xpx, x: xpx.apply_where(x > 0, (x, x + 1), lambda a, b: gg.sqrt(a) * b, lambda a, b: a - b),
    "apply_where fill_value": lambda xpx, x: xpx.apply_where(x > 0, x, gg.sqrt, fill_value=0.0),
    "argpartition": lambda xpx, x: x[0, :][xpx.argpartition(x[0, :], 2)],
    "at.set": lambda xpx, x: xpx.at(x)[1:, ::2].set(x[:2, 1::2]),
    "at.add": lambda xpx, x: xpx.at(x)[0, :].add(x[1, :]),
    "at.subtract copy": lambda xpx, x: xpx.at(x * 1, 0).subtract(x[1, :], copy=False),
    "at.divide": lambda xpx, x: xpx.at(x)[x > 0].divide(3.0),
    "at.power": lambda xpx, x: xpx.at(abs(x))[:, 1].power(2.5),
    "at.max": lambda xpx, x: xpx.at(x)[...].max(0.7),
    "atleast_nd": lambda xpx, x: xpx.atleast_nd(x, ndim=3),
    "cov": lambda xpx, x: xpx.cov(x),
    "create_diagonal": lambda xpx, x: xpx.create_diagonal(x[0, :], offset=1),
    "deg2rad": lambda xpx, x: xpx.deg2rad(x) * 30,
    "kron": lambda xpx, x: xpx.kron(x[:2, :2], x[1:, :3]),
    "lazy_apply": lambda xpx, x: xpx.lazy_apply(lambda a: a * 2, x),
    "nan_to_num": lambda xpx, x: xpx.nan_to_num(gg.where(x > 0, x, gg.nan), fill_value=2.0),
    "nanmax": lambda xpx, x: xpx.nanmax(gg.where(MASK, gg.nan, x), axis=1),
    "nanmean": lambda xpx, x: xpx.nanmean(gg.where(MASK, gg.nan, x), axis=0),
    "nansum": lambda xpx, x: xpx.nansum(gg.where(MASK, gg.nan, x), axis=1),
    "one_hot": lambda xpx, x: x[:, :3] @ xpx.one_hot(gg.asarray([0, 2, 1]), 3, dtype=x.dtype),
    "pad": lambda xpx, x: xpx.pad(x, ((1, 2), (0, 1)), constant_values=2.0),
    "partition": lambda xpx, x: xpx.partition(x, 2),
    "setdiff1d": lambda xpx, x: xpx.setdiff1d(x[0, :], gg.asarray([9.0, 10.0], dtype=x.dtype)),
    "sinc": lambda xpx, x: xpx.sinc(gg.concat([x[0, :] * 0, x[1, :]])),
    "union1d": lambda xpx, x: xpx.union1d(x[0, :], x[1, :]),
}


@pytest.mark.parametrize("name", EXTRA)
def test_array_api_extra(name: str) -> None:
    xpx = library("array_api_extra")
    checked(lambda x: EXTRA[name](xpx, x), X)


# einops -------------------------------------------------------------------------------------------------------------

EINOPS: dict[str, Callable[[Any, Any], Any]] = {
    "rearrange": lambda e, x: e.rearrange(x, "a (b c) -> c (b a) 1", b=2),
    "repeat": lambda e, x: e.repeat(x, "a b -> b (a k)", k=3),
    "pack": lambda e, x: e.pack([x, x[:, 0] ** 2], "a *")[0],
    "unpack": lambda e, x: e.unpack(x, [(), (3,)], "a *")[1],
    **{f"reduce {r}": lambda e, x, r=r: e.reduce(x, "a (b c) -> b", r, b=2) for r in ("sum", "mean", "max", "min", "prod")},
}


@pytest.mark.parametrize("name", EINOPS)
def test_einops(name: str) -> None:
    einops = library("einops.array_api")
    checked(lambda x: EINOPS[name](einops, x), X)


def test_the_top_level_of_einops_refuses_what_it_does_not_know() -> None:
    einops = library("einops")
    with pytest.raises(RuntimeError, match="unknown to einops"):
        einops.rearrange(gg.asarray(X), "a b -> b a")


# marray -------------------------------------------------------------------------------------------------------------

MASKED: dict[str, Callable[[Any, Any], Any]] = {
    **{f: lambda m, x, f=f: getattr(m, f)(x) for f in ("exp", "log", "sqrt", "tanh", "abs", "negative", "reciprocal")},
    **{
        f: lambda m, x, f=f: getattr(m, f)(x, axis=1)
        for f in ("sum", "prod", "max", "min", "mean", "var", "std", "cumulative_sum", "sort", "flip", "diff")
    },
    **{
        f: lambda m, x, f=f: getattr(m, f)(x, x + 1) for f in ("add", "divide", "maximum", "pow", "hypot", "logaddexp", "atan2")
    },
    "broadcast_to": lambda m, x: m.broadcast_to(x, (2, 3, 4)),
    "clip": lambda m, x: m.clip(x, 0.7, 1.5),
    "concat": lambda m, x: m.concat([x, x * 2]),
    "getitem": lambda m, x: x[1:, ::2],
    "matmul": lambda m, x: x @ m.matrix_transpose(x),
    "reshape": lambda m, x: m.reshape(x, (4, 3)),
    "stack": lambda m, x: m.stack([x, x * 2]),
    "take": lambda m, x: m.take(x, m.asarray([2, 0, 0]), axis=1),
    "tensordot": lambda m, x: m.tensordot(x, x, axes=((1,), (1,))),
    "vecdot": lambda m, x: m.vecdot(x, x),
    "where": lambda m, x: m.where(x > 1, x**2, x),
}


@pytest.mark.parametrize("name", MASKED)
def test_marray(name: str) -> None:
    """The gradient with respect to what is missing is zero."""
    masked = library("marray").gpugrad

    def known(x: Any) -> Any:
        out = MASKED[name](masked, masked.asarray(x, mask=gg.asarray(MASK)))
        return gg.where(out.mask, 0.0, out.data)

    checked(known, POSITIVE)
    assert not gg.grad(lambda x: weigh(known(x)))(POSITIVE)[MASK].any()


# xarray -------------------------------------------------------------------------------------------------------------


def _assigned(xr: Any, d: Any) -> Any:
    out = d * 1
    out.loc[{"t": 2}] = d.sel(t=0) * 3
    return out


XARRAY: dict[str, Callable[[Any, Any], Any]] = {
    "arithmetic": lambda xr, d: d * 2 - d**2 / (abs(d) + 1),
    "ufuncs": lambda xr, d: xr.ufuncs.exp(d),
    "sum": lambda xr, d: d.sum("t"),
    **{f: lambda xr, d, f=f: getattr(d, f)("t", skipna=False) for f in ("mean", "max", "min", "prod")},
    "isel": lambda xr, d: d.isel(t=[0, 2, 2], a=1),
    "isel backwards": lambda xr, d: d.isel(t=slice(None, None, -1)),
    "sel": lambda xr, d: d.sel(a=[30, 10], t=slice(1, 2)),
    "loc": _assigned,
    "where": lambda xr, d: d.where(d > 0, 0.0),
    "where without other": lambda xr, d: d.where(d > 0).sum("t"),
    "fillna": lambda xr, d: d.where(d.t > 1).fillna(0.5),
    "clip": lambda xr, d: d.clip(-0.7, 0.7),
    "align": lambda xr, d: d.isel(t=slice(0, 3)) * d.isel(t=slice(1, 4)),
    "broadcast": lambda xr, d: d * d.isel(a=0),
    "transpose": lambda xr, d: d.transpose("t", "a"),
    "stack": lambda xr, d: d.stack(z=("a", "t")),
    "concat": lambda xr, d: xr.concat([d, d * 2], "z"),
    "dot": lambda xr, d: xr.dot(d, d, dim="t"),
    "diff": lambda xr, d: d.diff("t"),
    "roll": lambda xr, d: d.roll(t=1),
    "integrate": lambda xr, d: d.integrate("t"),
    "polyval": lambda xr, d: xr.polyval(d.t, d.rename(t="degree")),
    "weighted": lambda xr, d: d.weighted(xr.DataArray([1.0, 2.0, 3.0, 4.0], dims="t")).mean("t"),
    "groupby": lambda xr, d: d.groupby("a").sum(),
    "copy": lambda xr, d: d.copy(deep=True),
    "sortby": lambda xr, d: d.sortby("t", ascending=False),
    "apply_ufunc": lambda xr, d: xr.apply_ufunc(lambda x: gg.cumulative_sum(x, axis=-1), d),
    "Dataset": lambda xr, d: (lambda s: s.u * s.v)(xr.Dataset({"u": d, "v": d * 2})),
    "to_dataarray": lambda xr, d: xr.Dataset({"u": d, "v": d * 2}).to_dataarray(),
    "repr": lambda xr, d: d if repr(d) and d._repr_html_() else None,
}


def labelled(xr: Any, x: Any) -> Any:
    return xr.DataArray(x, dims=("a", "t"), coords={"a": [10, 20, 30], "t": [0, 1, 2, 3]}, name="x")


@pytest.mark.parametrize("name", XARRAY)
def test_xarray(name: str) -> None:
    xr = library("xarray")
    checked(lambda x: XARRAY[name](xr, labelled(xr, x)).data, X)


@pytest.mark.parametrize(
    ("call", "error"),
    [
        (lambda d: d.mean("t"), gg.ConversionError),  # skips nan by NumPy's nanmean
        (lambda d: d.median("t"), gg.ConversionError),
        (lambda d: d.interp(t=[0.5, 1.5]), gg.ConversionError),
        (lambda d: d.to_numpy(), gg.ConversionError),
        (lambda d: numpy.exp(d), TypeError),
    ],
)
def test_what_xarray_leaves_to_numpy_is_refused(call: Callable[[Any], Any], error: type[Exception]) -> None:
    xr = library("xarray")
    with pytest.raises(error):
        call(labelled(xr, gg.asarray(X).requires_grad_()))


# scikit-learn -------------------------------------------------------------------------------------------------------

SAMPLES = numpy.random.default_rng(2).normal(size=(16, 4))
LABELS = numpy.arange(16) % 2


def _made(path: str, **options: Any) -> Any:
    module, _, name = path.rpartition(".")
    return getattr(importlib.import_module(f"sklearn.{module}"), name)(**options)


TRANSFORMS = {
    "StandardScaler": lambda x: _made("preprocessing.StandardScaler").fit_transform(x),
    "MinMaxScaler": lambda x: _made("preprocessing.MinMaxScaler").fit_transform(x),
    "MaxAbsScaler": lambda x: _made("preprocessing.MaxAbsScaler").fit_transform(x),
    "Normalizer": lambda x: _made("preprocessing.Normalizer").fit_transform(x),
    "PolynomialFeatures": lambda x: _made("preprocessing.PolynomialFeatures").fit_transform(x[:4, :2]),
    "KernelCenterer": lambda x: _made("preprocessing.KernelCenterer").fit_transform(x[:6, :] @ gg.matrix_transpose(x[:6, :])),
    "PCA full": lambda x: _made("decomposition.PCA", n_components=2, svd_solver="full").fit_transform(x),
    "PCA covariance_eigh": lambda x: _made("decomposition.PCA", n_components=2, svd_solver="covariance_eigh").fit_transform(x),
    "PCA whiten": lambda x: _made("decomposition.PCA", n_components=2, whiten=True).fit_transform(x),
    "Ridge": lambda x: _made("linear_model.Ridge", solver="svd").fit(x[:, 1:], x[:, 0]).predict(x[:, 1:]),
    "RidgeCV": lambda x: _made("linear_model.RidgeCV").fit(x[:, 1:], x[:, 0]).predict(x[:, 1:]),
    "RidgeClassifier": lambda x: (
        _made("linear_model.RidgeClassifier", solver="svd").fit(x, gg.asarray(LABELS)).decision_function(x)
    ),
    "LinearDiscriminantAnalysis": lambda x: (
        _made("discriminant_analysis.LinearDiscriminantAnalysis").fit(x, gg.asarray(LABELS)).predict_proba(x)
    ),
    "GaussianNB": lambda x: _made("naive_bayes.GaussianNB").fit(x, gg.asarray(LABELS)).predict_log_proba(x),
    "Nystroem": lambda x: _made("kernel_approximation.Nystroem", n_components=3, random_state=0).fit_transform(x),
    **{
        f"GaussianMixture {kind}": lambda x, kind=kind: (
            _made(
                "mixture.GaussianMixture", n_components=2, covariance_type=kind, init_params="random", tol=0.1, random_state=0
            )
            .fit(x)
            .score_samples(x)
        )
        for kind in ("full", "tied", "diag", "spherical")
    },
}
KERNELS = (
    "rbf_kernel linear_kernel polynomial_kernel sigmoid_kernel laplacian_kernel cosine_similarity euclidean_distances".split()
)


@pytest.mark.parametrize("name", TRANSFORMS)
def test_scikit_learn(name: str) -> None:
    sklearn = library("sklearn")
    with sklearn.config_context(array_api_dispatch=True):
        checked(TRANSFORMS[name], SAMPLES)


@pytest.mark.parametrize("start", ["random", "random_from_data"])
def test_mixtures_are_those_of_numpy(start: str) -> None:
    """Scikit-learn adds reg_covar by writing into views."""
    sklearn = library("sklearn")
    make = lambda: _made("mixture.GaussianMixture", n_components=2, init_params=start, reg_covar=0.1, random_state=0)
    expected = make().fit(SAMPLES).covariances_
    with sklearn.config_context(array_api_dispatch=True):
        found = make().fit(gg.asarray(SAMPLES)).covariances_
    numpy.testing.assert_allclose(numpy.asarray(found), expected, rtol=1e-9)


@pytest.mark.parametrize("name", KERNELS)
def test_kernels_of_scikit_learn(name: str) -> None:
    sklearn = library("sklearn")
    function = getattr(importlib.import_module("sklearn.metrics.pairwise"), name)
    with sklearn.config_context(array_api_dispatch=True):
        checked(function, SAMPLES[:4], SAMPLES[4:8])


def test_what_scikit_learn_computes_by_numpy_is_refused() -> None:
    sklearn = library("sklearn")
    x, y = gg.asarray(SAMPLES).requires_grad_(), gg.asarray(SAMPLES[:, 0])
    with sklearn.config_context(array_api_dispatch=True):
        for refused in (
            lambda: _made("linear_model.LinearRegression").fit(x, y),
            lambda: _made("preprocessing.RobustScaler").fit(x),
            lambda: _made("preprocessing.QuantileTransformer", n_quantiles=4).fit(x),
        ):
            with pytest.raises(gg.ConversionError, match="its gradient would be lost"):
                refused()


def test_metrics_of_scikit_learn_are_python_numbers_and_warn() -> None:
    sklearn = library("sklearn")
    metrics = importlib.import_module("sklearn.metrics")
    y = gg.asarray(SAMPLES[:, 0])
    with sklearn.config_context(array_api_dispatch=True), pytest.warns(gg.DetachedWarning, match="the number has no gradient"):
        found = metrics.mean_squared_error(y, gg.asarray(SAMPLES[:, 1]).requires_grad_())
    assert type(found) is float
