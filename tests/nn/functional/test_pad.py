"""gpugrad.nn.functional.pad: values and derivatives are in gpugrad/check/records/resampling.py."""

import re

import numpy as np
import pytest

import gpugrad as gg
from gpugrad.errors import DTypeError, OptionError, ShapeError
from gpugrad.nn import functional as F
from gpugrad.testing import assert_close

RNG = np.random.default_rng(0)
X = np.asarray([1, 2, 3, 4])


def test_the_modes():
    assert F.pad(X, (1, 2)).tolist() == [0, 1, 2, 3, 4, 0, 0]
    assert F.pad(X, (1, 2), value=9).tolist() == [9, 1, 2, 3, 4, 9, 9]
    assert F.pad(X, (1, 2), "reflect").tolist() == [2, 1, 2, 3, 4, 3, 2]
    assert F.pad(X, (1, 2), "replicate").tolist() == [1, 1, 2, 3, 4, 4, 4]
    assert F.pad(X, (1, 2), "circular").tolist() == [4, 1, 2, 3, 4, 1, 2]


def test_the_last_axis_comes_first():
    assert F.pad(gg.ones((2, 3, 4)), (1, 0, 2, 3)).shape == (2, 8, 5)


@pytest.mark.parametrize("mode", ["constant", "reflect", "replicate", "circular"])
@pytest.mark.parametrize("dtype", ["bool", "int32", "float16", "bfloat16", "float32", "complex64"])
def test_dtypes_stay(mode, dtype):
    if dtype == "bfloat16":
        pytest.importorskip("ml_dtypes")
    x = gg.asarray([[0, 1, 1]]).astype(dtype)
    assert F.pad(x, (1, 1), mode).dtype == x.dtype


def test_gradients_of_long_pads_add_up():
    """More than terms of a sum are written out for."""
    x = gg.tensor(RNG.normal(size=(1, 3, 40)), requires_grad=True)
    (found,) = gg.gradients([gg.sum(F.pad(x, (100, 0), "replicate"))], [x])
    expected = np.ones((1, 3, 40))
    expected[..., 0] = 101
    assert_close(found, expected)


def test_inside_fuse():
    x = RNG.normal(size=(2, 3, 8, 9))
    for mode in ("constant", "reflect"):
        assert_close(gg.fuse(lambda x, mode=mode: F.pad(x * 2, (1, 2), mode))(x), F.pad(x * 2, (1, 2), mode))


@pytest.mark.parametrize(
    ("pad", "mode", "error", "message"),
    [
        (
            (1,), "constant", ShapeError,
            "pad: pad is (1,) for input (3, 4), expected pairs of ints, one for each axis from the last one on, at most 2",
        ),
        ((1,) * 6, "constant", ShapeError, "pad: pad is (1, 1, 1, 1, 1, 1) for input (3, 4), expected pairs of ints, one for each axis"),
        ((-3, -2), "constant", ShapeError, "pad: pad is (-3, -2) for input (3, 4), expected to take away no more than there is"),
        ((4, 0), "reflect", ShapeError, "pad: pad is (4, 0) and mode 'reflect' for input (3, 4), expected 3 or less for axis 1 of size 4"),
        ((0, 5), "circular", ShapeError, "pad: pad is (0, 5) and mode 'circular' for input (3, 4), expected 4 or less for axis 1 of size 4"),
        ((1, 1), "mirror", OptionError, "pad: mode is 'mirror', expected 'constant', 'reflect', 'replicate' or 'circular'"),
        ((1, 0.5), "constant", DTypeError, "pad: pad is (1, 0.5), expected a tuple of ints, two for each axis from the last one on"),
        (1, "constant", DTypeError, "pad: pad is 1, expected a tuple of ints"),
    ],
)  # fmt: skip
def test_what_does_not_fit(pad, mode, error, message):
    with pytest.raises(error, match=f"^{re.escape(message)}"):
        F.pad(np.ones((3, 4)), pad, mode)


def test_values_without_use_and_nothing_to_repeat():
    with pytest.raises(OptionError, match="pad: value is 2 and mode 'reflect', expected a value with mode 'constant' alone"):
        F.pad(X, (1, 1), "reflect", 2)
    with pytest.raises(DTypeError, match="pad: value is 'a', expected a number"):
        F.pad(X, (1, 1), value="a")
    with pytest.raises(DTypeError, match="pad: .*complex"):
        F.pad(X, (1, 1), value=1j)
    with pytest.raises(ShapeError, match="expected 0 or less for axis 0 of size 0"):
        F.pad(np.ones(0), (1, 1), "replicate")
    with pytest.raises(DTypeError, match="pad: the input is list"):
        F.pad([1.0], (1, 1))
