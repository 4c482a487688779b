"""gpugrad.nn.functional.interpolate: values and derivatives are in gpugrad/check/records/resampling.py."""

import re

import numpy as np
import pytest

import gpugrad as gg
from gpugrad.errors import DTypeError, OptionError, ShapeError
from gpugrad.nn import functional as F
from gpugrad.testing import assert_close

X = np.asarray([[[1.0, 2.0, 4.0]]])
IMAGE = np.random.default_rng(0).normal(size=(2, 3, 8, 10))


def test_modes_by_hand():
    assert F.interpolate(X, 6).tolist() == [[[1, 1, 2, 2, 4, 4]]]
    assert F.interpolate(X, 5, mode="linear", align_corners=True).tolist() == [[[1, 1.5, 2, 3, 4]]]
    assert F.interpolate(X, 6, mode="linear").tolist() == [[[1, 1.25, 1.75, 2.5, 3.5, 4]]]
    assert F.interpolate(X, 2, mode="area").tolist() == [[[1.5, 3]]]
    assert F.interpolate(X, 1, mode="nearest-exact").tolist() == [[[2]]]


@pytest.mark.parametrize("mode", ["nearest", "nearest-exact", "bilinear", "bicubic", "area"])
def test_a_constant_stays(mode):
    assert_close(F.interpolate(np.full((1, 1, 5, 7), 3.0), (9, 4), mode=mode), np.full((1, 1, 9, 4), 3.0))


@pytest.mark.parametrize(
    "options", [{"size": (8, 10), "mode": "bicubic"}, {"size": (8, 10)}, {"scale_factor": (1.1, 1.05), "mode": "bilinear"}]
)
def test_axes_that_keep_their_sizes_stay_as_they_are(options):
    np.testing.assert_array_equal(F.interpolate(IMAGE, **options), IMAGE)


def test_antialias_sees_every_element():
    x = gg.tensor(IMAGE, requires_grad=True)
    for antialias in (False, True):
        (g,) = gg.gradients([gg.sum(F.interpolate(x, (2, 2), mode="bilinear", antialias=antialias))], [x])
        assert bool(np.all(g.numpy() > 0)) is antialias


def test_a_nan_stays_near():
    x = IMAGE.copy()
    x[0, 0, 0, 0] = np.nan
    out = F.interpolate(x, scale_factor=2, mode="bilinear")
    assert np.isnan(out[0, 0, :3, :3]).all() and np.isnan(out).sum() == 9


@pytest.mark.parametrize("dtype", ["int64", "bool", "float16", "float32", "complex64"])
def test_dtypes_stay(dtype):
    x = gg.asarray([[[0, 1, 1]]]).astype(dtype)
    assert F.interpolate(x, 5).dtype == x.dtype
    if dtype not in ("int64", "bool"):
        assert F.interpolate(x, 5, mode="linear").dtype == x.dtype


def test_inside_fuse():
    assert_close(
        gg.fuse(lambda x: F.interpolate(x * 2, 5, mode="bilinear"))(IMAGE), F.interpolate(IMAGE * 2, 5, mode="bilinear")
    )


@pytest.mark.parametrize(
    ("options", "error", "message"),
    [
        ({"size": 3, "mode": "linear"}, ShapeError, "interpolate: input (2, 3, 8, 10), expected 3 axes, (N, C, *spatial), for mode 'linear'"),
        ({"size": (3, 4, 5)}, ShapeError, "interpolate: size is (3, 4, 5) for input (2, 3, 8, 10), expected one number or 2 of them"),
        ({"size": (3, 0)}, ShapeError, "interpolate: of input (2, 3, 8, 10) with size (3, 0) come sizes (3, 0), expected 1 or more"),
        ({"scale_factor": 0.1}, ShapeError, "interpolate: of input (2, 3, 8, 10) with scale_factor 0.1 come sizes (0, 1), expected 1 or more"),
        ({"scale_factor": -1}, ShapeError, "interpolate: of input (2, 3, 8, 10) with scale_factor -1 come sizes (-8, -10), expected 1 or more"),
        ({"size": 2.5}, DTypeError, "interpolate: size is 2.5, expected ints"),
        ({"scale_factor": float("nan")}, DTypeError, "interpolate: scale_factor is nan, expected finite numbers"),
        (
            {"size": 3, "antialias": True}, OptionError,
            "interpolate: antialias is True for mode 'nearest', expected it with bilinear or bicubic alone",
        ),
        ({}, OptionError, "interpolate: got size None and scale_factor None, expected one of the two"),
    ],
)  # fmt: skip
def test_what_does_not_fit(options, error, message):
    with pytest.raises(error, match=f"^{re.escape(message)}$"):
        F.interpolate(IMAGE, **options)


def test_integers_have_no_means():
    with pytest.raises(DTypeError, match="interpolate: got int64 .*, expected floating-point numbers for mode 'linear'"):
        F.interpolate(np.ones((1, 1, 3), np.int64), 2, mode="linear")
