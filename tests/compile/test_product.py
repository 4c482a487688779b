"""The kernels of products against NumPy's products in float64."""

import itertools

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import gpugrad as gg
from gpugrad.arrays import products
from gpugrad.compile import product as native

pytestmark = pytest.mark.skipif(
    native.handwritten(native.__file__, "f", native._KERNELS) is None, reason="there is no compiler"
)

DTYPES = [np.float32, np.float64]
ROWS, DEPTHS, COLUMNS = (4, 7, 9, 31, 257), (1, 15, 17, 384, 385, 800), (8, 15, 16, 17, 47, 49, 193)


def matrix(shape, dtype, *, across=False, seed=0):
    """Normal numbers; `across`: with contiguous columns."""
    x = np.random.default_rng(seed).standard_normal(shape).astype(dtype)
    return np.swapaxes(np.swapaxes(x, -1, -2).copy(), -1, -2) if across else x


def close(found, x, y, bias=0.0):
    """Whether `found` is x @ y + bias but for rounding, whose bound grows with the terms of a sum, of the sizes that are met here."""
    expected = np.matmul(x.astype(np.float64), y.astype(np.float64)) + bias
    bound = np.matmul(abs(x.astype(np.float64)), abs(y.astype(np.float64))) + abs(bias)
    assert found.dtype == x.dtype
    assert found.shape == expected.shape
    return bool((abs(found - expected) <= 4 * np.sqrt(x.shape[-1]) * np.finfo(x.dtype).eps * bound).all())


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize(("of_x", "of_y"), list(itertools.product([False, True], repeat=2)))
def test_all_sizes_around_those_of_tiles_and_blocks(dtype, of_x, of_y):
    for rows, depth, columns in itertools.product(ROWS, DEPTHS, COLUMNS):
        x, y = matrix((rows, depth), dtype, across=of_x), matrix((depth, columns), dtype, across=of_y, seed=1)
        assert close(native.product(x, y), x, y), (rows, depth, columns)


@settings(max_examples=60, deadline=None)
@given(st.data())
def test_any_sizes(data):
    rows, columns = data.draw(st.integers(4, 300)), data.draw(st.integers(8, 300))
    depth = data.draw(st.integers(1, 900))
    dtype = data.draw(st.sampled_from(DTYPES))
    x = matrix((rows, depth), dtype, across=data.draw(st.booleans()))
    y = matrix((depth, columns), dtype, across=data.draw(st.booleans()), seed=1)
    bias = matrix((columns,), dtype, seed=2) if data.draw(st.booleans()) else None
    found = native.product(x, y, bias)
    assert close(found, x, y, 0.0 if bias is None else bias)


@pytest.mark.parametrize("dtype", DTYPES)
def test_a_part_of_a_larger_array(dtype):
    large = matrix((60, 90), dtype)
    x, y = large[3:40, 5:70], large[:37, 20:85].T
    assert close(native.product(x, y), x, y)
    assert close(native.product(x[::2], y), x[::2], y)  # rows at a larger pitch


@pytest.mark.parametrize("stack", [(3,), (2, 3), (1,), (5, 1)], ids=str)
@pytest.mark.parametrize("dtype", DTYPES)
def test_stacks(stack, dtype):
    x, y = matrix((*stack, 9, 33), dtype), matrix((*stack, 33, 50), dtype, across=True, seed=1)
    first = (0,) * len(stack)
    assert close(native.product(x, y), x, y)
    assert close(native.product(x, y[first]), x, y[first])
    assert close(native.product(x[first], y), x[first], y)
    bias = matrix((50,), dtype, seed=2)
    assert close(native.product(x, y, bias), x, y, bias)


def test_every_other_matrix_of_a_stack():
    x, y = matrix((6, 9, 33), np.float32), matrix((3, 33, 50), np.float32)
    assert close(native.product(x[::2], y), x[::2], y)


def test_the_same_bits_on_any_number_of_threads_and_for_any_rows_beside():
    x, y = matrix((400, 500), np.float32), matrix((500, 300), np.float32, across=True, seed=1)
    kept = gg.get_num_threads()
    try:
        gg.set_num_threads(1)
        native._call.cache_clear()
        expected = native.product(x, y)
        for threads in (2, 3, 8):
            gg.set_num_threads(threads)
            native._call.cache_clear()
            np.testing.assert_array_equal(native.product(x, y), expected)
    finally:
        gg.set_num_threads(kept)
    for begin, end in ((0, 4), (13, 30), (399 - 4, 400)):
        np.testing.assert_array_equal(native.product(x[begin:end], y), expected[begin:end])


@np.errstate(all="ignore")
@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
def test_what_is_not_finite_goes_where_the_product_takes_it(value):
    """And nowhere else: panels are filled up with zeros, and what lies beside a part of an array is not read."""
    large = matrix((20, 120), np.float32)
    large[:, 100] = value
    x, y = matrix((9, 20), np.float32, seed=1), large[:, 50:101]
    found = native.product(x, y)
    assert np.isfinite(found[:, :-1]).all()
    assert not np.isfinite(found[:, -1]).any()
    assert np.isfinite(native.product(x, large[:, 50:100])).all()
    x[4, 3] = value
    assert np.isfinite(np.delete(native.product(x, large[:, 50:100]), 4, 0)).all()


def test_numpy_computes_what_it_has_to_tell_of():
    x, y = np.full((80, 90), 1e30, np.float32), np.full((90, 70), 1e30, np.float32)
    assert native.product(x, y) is None
    with pytest.warns(RuntimeWarning, match="overflow"):
        assert np.isinf(gg.matmul(x, y)).all()
    with np.errstate(over="ignore"):
        assert np.isinf(native.product(x, y)).all()
    with np.errstate(over="raise"), pytest.raises(FloatingPointError):
        gg.matmul(x, y)
    assert close(native.product(x / 1e30, y / 1e30), x / 1e30, y / 1e30)


def test_a_stack_with_a_gap_behind_an_axis_of_one():
    whole = matrix((3, 1, 4, 9, 9), np.float32)
    assert native.product(whole[:, :, :2], whole[:, :, :2]) is None
    assert close(native.product(whole[:, :, 1], whole[:, :, 1]), whole[:, :, 1], whole[:, :, 1])


def test_what_has_no_kernel():
    x, y = matrix((8, 8), np.float32), matrix((8, 8), np.float32)
    assert native.product(x, y) is not None
    assert native.product(x[:3], y) is None  # few rows, few columns
    assert native.product(x, y[:, :7]) is None
    assert native.product(x, y.astype(np.float64)) is None
    assert native.product(x.astype(np.float16), y.astype(np.float16)) is None
    assert native.product(x.astype(">f4"), y.astype(">f4")) is None
    assert native.product(x[::-1], y) is None
    assert native.product(x, matrix((8, 16), np.float32)[:, ::2]) is None
    assert native.product(np.broadcast_to(x[0], (8, 8)), y) is None
    assert native.product(x, y[:7]) is None
    assert native.product(x[:, :0], y[:0]) is None
    assert native.product(np.stack([x, x]), np.stack([y, y, y])) is None
    assert native.product(np.stack([[x, x], [x, x]]).swapaxes(0, 1), np.stack([[y, y], [y, y]])) is None
    assert native.product(x, y, matrix((8,), np.float64)) is None
    assert native.product(x, y, matrix((16,), np.float32)[::2]) is None
    unaligned = np.frombuffer(bytearray(4 * 64 + 1), np.uint8)[1:].view(np.float32).reshape(8, 8)
    assert native.product(unaligned, y) is None
    assert native.product(x, unaligned) is None


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("stack", [(), (3,), (2, 2)], ids=str)
def test_substitution(dtype, stack):
    """For lower and upper triangles that lie either way, with nan in what is not read; against the product with the solution."""
    for size, columns, across, upper, unit in itertools.product((1, 7, 9, 100), (1, 8, 25, 49), *[[False, True]] * 3):
        whole = matrix((*stack, size, size), dtype, across=across) * 0.2 + 2 * np.eye(size, dtype=dtype)
        read = np.tri(size, dtype=bool).T if upper else np.tri(size, dtype=bool)
        triangle = np.where(read, whole, 0)
        if unit:
            triangle = np.where(np.eye(size, dtype=bool), dtype(1), triangle)
        whole[...] = np.where(read ^ np.eye(size, dtype=bool) if unit else read, whole, np.nan)
        y = matrix((*stack, size, columns), dtype, seed=1)
        for x, kept in ((whole, triangle), (whole[(0,) * len(stack)], triangle[(0,) * len(stack)])):
            found = y.copy()
            assert native.substitute(x, found, upper, unit)
            bound = np.matmul(abs(kept), abs(found)) + abs(y)
            assert (abs(np.matmul(kept, found) - y) <= 4 * np.sqrt(size) * np.finfo(dtype).eps * bound).all()


def test_substitution_in_a_part_of_an_array():
    x, large = np.tril(matrix((30, 30), np.float64)) + 5 * np.eye(30), np.full((40, 20), np.nan)
    y = matrix((30, 9), np.float64, seed=1)
    large[3:33, 4:13] = y
    assert native.substitute(x, large[3:33, 4:13], False, False)
    np.testing.assert_allclose(x @ large[3:33, 4:13], y, atol=1e-12)
    assert np.isnan(large).sum() == 800 - 270


def test_systems_that_have_no_kernel():
    x, y = np.eye(8), np.ones((8, 5))
    before = y.copy()
    for triangle, right in (
        (x.astype(np.complex128), y.astype(np.complex128)),
        (x.astype(np.float32), y),
        (x[:7, :7], y),
        (x[::-1], y),
        (np.stack([x, x]), y),
        (x, np.asfortranarray(y)),
        (x, np.broadcast_to(y, (2, 8, 5))),
    ):
        assert not native.substitute(triangle, right, False, False)
    np.testing.assert_array_equal(y, before)


def test_large_products_of_numpys_arrays_run_here(monkeypatch):
    """Of matmul, of linear and of its gradients; small ones do not."""
    seen = []
    monkeypatch.setattr(products, "_by_openblas", lambda: True)
    monkeypatch.setattr(
        native, "product", lambda x, y, bias=None, found=native.product: seen.append(x.shape) or found(x, y, bias)
    )
    x, weight = matrix((128, 80), np.float32), matrix((130, 80), np.float32)
    bias = np.zeros(130, np.float32)
    gg.matmul(x[:4], weight.T)
    gg.nn.functional.linear(x[:4], weight, bias)
    assert not seen
    gg.matmul(x, weight.T)
    gg.matmul(np.stack([x] * 3), np.stack([weight.T] * 3))
    assert seen == [(128, 80), (3, 128, 80)]
    seen.clear()
    parts = [gg.tensor(part, requires_grad=True) for part in (x.reshape(2, 64, 80), weight, bias)]
    out = gg.nn.functional.linear(*parts)
    assert close(out.detach().numpy().reshape(128, 130), x, weight.T)
    gradient = matrix((2, 64, 130), np.float32, seed=3)
    out.backward(gg.asarray(gradient))
    assert sorted(map(str, seen)) == ["(128, 130)", "(128, 80)", "(130, 128)"]
    flat = gradient.reshape(128, 130)
    assert close(parts[0].grad.numpy().reshape(128, 80), flat, weight)
    assert close(parts[1].grad.numpy(), flat.T, x)
    np.testing.assert_allclose(parts[2].grad.numpy(), flat.sum(0), rtol=0, atol=1e-4)


@given(
    st.integers(1, 40),
    st.integers(4, 2000),
    st.integers(8, 2000),
    st.integers(1, 512),
    st.sampled_from([4, 8]),
    st.integers(1, 64),
)
def test_blocks_cover_the_columns_and_narrow_ones_come_beside_wide_ones(stack, rows, columns, depth, itemsize, threads):
    high, down, wide, whole, narrow = native._blocks(stack, rows, columns, depth, itemsize, threads)
    assert 0 < high <= rows and stack * rows <= down * high < stack * (rows + high)
    assert 0 < narrow <= wide <= max(columns, native._PANEL)
    assert whole > 0 and (narrow == wide or whole * wide < columns)
