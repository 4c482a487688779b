"""The kernel of sums over rows against NumPy's sums in float64."""

import numpy as np
import pytest

import gpugrad as gg
from gpugrad.arrays import numpy as numpy_backend
from gpugrad.compile import column_sums as native
from gpugrad.compile.column_sums import column_sums

pytestmark = pytest.mark.skipif(
    native.handwritten(native.__file__, "f", ("column_sums",)) is None, reason="there is no compiler"
)

DTYPES = [np.float32, np.float64]


@pytest.mark.parametrize(
    "shape", [(1, 1), (3, 127), (200, 128), (77, 300), (128, 512), (5, 65), (1000, 10), (2**13, 1), (2**15 + 3, 31)], ids=str
)
@pytest.mark.parametrize("dtype", DTYPES)
def test_column_sums(shape, dtype):
    x = np.random.default_rng(0).standard_normal(shape).astype(dtype)
    found = column_sums(x)
    assert found.dtype == x.dtype
    np.testing.assert_allclose(found, x.sum(0, dtype=np.float64), rtol=0, atol=100 * shape[0] * np.finfo(dtype).eps)
    assert column_sums(x[:, ::2]) is None or shape[1] == 1


def test_sums_of_many_numbers_lose_few_digits():
    np.testing.assert_array_equal(column_sums(np.ones((2**23 + 2**22, 2), np.float32)), [2**23 + 2**22] * 2)
    np.testing.assert_allclose(column_sums(np.full((20000, 300), 0.1, np.float32)), 2000, rtol=1e-5)


@pytest.mark.parametrize("dtype", DTYPES)
def test_there_is_nothing_to_sum_up(dtype):
    assert column_sums(np.empty((0, 4), dtype)) is None


def test_the_gradient_of_a_bias_is_summed_up_here(monkeypatch):
    """But for few rows."""
    seen = []
    monkeypatch.setattr(numpy_backend, "_column_sums", lambda: lambda x: seen.append(x.shape) or column_sums(x))
    for rows in (8, 128):
        x, weight, bias = np.ones((2, rows, 3)), np.ones((5, 3)), gg.tensor(np.zeros(5), requires_grad=True)
        gg.nn.functional.linear(x, weight, bias).sum().backward()
        assert bias.grad.tolist() == [2.0 * rows] * 5
    assert seen == [(256, 5)]
