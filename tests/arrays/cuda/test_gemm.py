"""Matrix products on the GPU: layouts, dtypes, stacks, and how many products and copies they take.

With GPUGRAD_TEST_STANDIN=1 a library of the same functions plays cuBLAS (tests/standin/cupy_backends/cuda/libs/cublas.cpp): it refuses
what cuBLAS refuses and records what it is asked for. No GPU has run these tests so far.
"""

import contextlib

import hypothesis
import numpy as np
import pytest
from hypothesis import strategies as st
from matrix_products import BFLOAT16, RECORDED, STANDIN, cupy, library

import gpugrad as gg
from gpugrad.arrays.cuda import cublas, gemm
from gpugrad.testing import assert_close

TOLERANCES = {"float16": 2e-3, "bfloat16": 2e-2, "float32": 1e-5, "complex64": 1e-5, "float64": 1e-12, "complex128": 1e-12}


def values(shape, dtype=np.float64, seed=0):
    rng = np.random.default_rng(seed)
    x = rng.normal(size=shape)
    if np.dtype(dtype).kind == "c":
        x = x + 1j * rng.normal(size=shape)
    return x.astype(dtype)


def assert_product(x, y, view_x=lambda x: x, view_y=lambda y: y):
    """The product of two views is right; gives the recorded calls."""
    on_gpu = view_x(cupy.asarray(x)), view_y(cupy.asarray(y))
    x, y = view_x(x), view_y(y)
    with library.recording() if STANDIN else contextlib.nullcontext() as calls:
        found = gemm.matmul(*on_gpu)
    wide = np.complex128 if "c" in (x.dtype.kind, y.dtype.kind) else np.float64
    expected = np.matmul(x.astype(wide), y.astype(wide))
    assert isinstance(found, cupy.ndarray) and found.flags.c_contiguous
    assert found.dtype == np.promote_types(x.dtype, y.dtype) and found.shape == expected.shape
    tolerance = TOLERANCES[found.dtype.name] * max(1, x.shape[-1]) ** 0.5
    np.testing.assert_allclose(found.get().astype(wide), expected, rtol=tolerance, atol=tolerance)
    return calls


def extra_bytes(function):
    """What a call allocates at its peak beside its result."""
    function()  # compiles, and makes the handle and its workspace
    pool = cupy.get_default_memory_pool()
    pool.free_all_blocks()
    before = pool.total_bytes()
    out = function()
    return pool.total_bytes() - before - -(-out.nbytes // 512) * 512


# Layouts: of a matrix that is 6 by 6 before it is viewed, and whether cuBLAS reads it as it is.
LAYOUTS = {
    "C": (lambda x: x[:3, :4].copy(), True),
    "F": (lambda x: x[:4, :3].copy().T, True),
    "transposed part": (lambda x: x[1:5, 2:5].T, True),
    "part": (lambda x: x[1:4, 2:6], True),
    "every second row": (lambda x: x[::2, :4], True),
    "one row": (lambda x: x[2:3, :4], True),
    "one column": (lambda x: x[:4, 2:3], True),
    "strided row": (lambda x: x[2:3, ::2], True),
    "every second column": (lambda x: x[:4, ::2], False),
    "rows reversed": (lambda x: x[3::-1], False),
    "columns reversed": (lambda x: x[:, ::-1], False),
    "both strided": (lambda x: x[::2, ::3], False),
}


@pytest.mark.parametrize("right", LAYOUTS)
@pytest.mark.parametrize("left", LAYOUTS)
def test_layouts(left, right):
    (view_x, _), (view_y, _) = LAYOUTS[left], LAYOUTS[right]
    x, y = values((6, 6)), values((6, 6), seed=1)
    inner = min(view_x(x).shape[1], view_y(y).shape[0])
    calls = assert_product(x, y, lambda x: view_x(x)[:, :inner], lambda y: view_y(y)[:inner])
    if STANDIN:
        assert len(calls) == 1 and not calls[0].batched


@RECORDED
@pytest.mark.parametrize("name", LAYOUTS)
def test_which_layouts_are_copied(name):
    view, direct = LAYOUTS[name]
    x = view(cupy.asarray(values((6, 6))))
    y = cupy.asarray(values((x.shape[1], 5)))
    assert (extra_bytes(lambda: gemm.matmul(x, y)) == 0) == direct


def test_broadcast_views():
    x, y = values((1, 4)), values((1, 4), seed=1)
    for module, array in ((np, lambda x: x), (cupy, cupy.asarray)):
        found = module.broadcast_to(array(x), (3, 4)), module.broadcast_to(array(y), (3, 4)).T
        if module is np:
            expected = found[0] @ found[1]
    assert_close(gemm.matmul(*found), expected)


@pytest.mark.parametrize("dtype", [np.dtype(name) if name != "bfloat16" else BFLOAT16 for name in TOLERANCES], ids=str)
@pytest.mark.parametrize(
    "shapes", [((3, 7), (7, 5)), ((2, 3, 7), (7, 5)), ((2, 3, 7), (2, 7, 5)), ((7,), (7, 5)), ((3, 7), (7,)), ((7,), (7,))]
)
def test_dtypes(dtype, shapes):
    assert_product(values(shapes[0], dtype), values(shapes[1], dtype, seed=1))


@pytest.mark.parametrize(
    "types",
    [
        (np.float32, np.float64),
        (np.float16, np.float32),
        (BFLOAT16, np.float32),
        (np.int32, np.float32),
        (np.float64, np.complex64),
    ],
)
def test_operands_of_two_dtypes(types):
    assert_product((10 * values((3, 4))).astype(types[0]), values((4, 5), types[1]))


@pytest.mark.parametrize("dtype", [np.dtype(np.float16), BFLOAT16], ids=str)
@pytest.mark.parametrize("stack", [(), (2,)])
def test_16_bit_products_are_summed_in_float32(dtype, stack):
    x = cupy.ones((*stack, 2, 1000), dtype)
    found = gg.matmul(x, cupy.swapaxes(x, -1, -2))
    assert found.dtype == dtype and (found.astype(np.float32).get() == 1000).all()  # 256 or 2048 is where sums of 16 bits stop


@pytest.mark.parametrize("dtype", [np.bool_, np.int32, np.uint8])
def test_other_dtypes_are_left_to_cupy(dtype):
    x = np.arange(12).reshape(3, 4).astype(dtype)
    assert gemm.matmul(cupy.asarray(x), cupy.asarray(x.T)) is NotImplemented
    if dtype is not np.bool_:
        assert gg.matmul(cupy.asarray(x), cupy.asarray(x.T)).tolist() == (x @ x.T).tolist()


# Stacks: shapes, views, and the products that cuBLAS is asked for.
def heads(x):
    """(batch, time, heads, width) as attention takes it."""
    return x.transpose(0, 2, 1, 3)


STACKS = {
    "stack @ matrix": ((5, 3, 4), (4, 2), None, None, 1, False),
    "stack of stacks @ matrix": ((2, 5, 3, 4), (4, 2), None, None, 1, False),
    "stack @ one-matrix stack": ((5, 3, 4), (1, 4, 2), None, None, 1, False),
    "stack @ transposed matrix": ((5, 3, 4), (2, 4), None, lambda y: y.T, 1, False),
    "part of a stack @ matrix": ((5, 6, 8), (4, 2), lambda x: x[:, :3, :4], None, 5, False),
    "permuted stack @ matrix": ((3, 5, 4), (4, 2), lambda x: x.transpose(1, 0, 2), None, 5, False),
    "stack of rows @ matrix": ((5, 1, 8), (4, 2), lambda x: x[:, :, :4], None, 1, False),
    "first rows of a stack @ matrix": ((5, 3, 4), (4, 2), lambda x: x[:, :1], None, 1, False),
    "stack @ vector": ((5, 3, 4), (4,), None, None, 1, False),
    "vector @ stack": ((4,), (5, 4, 2), None, None, 5, False),
    "matrix @ stack": ((3, 4), (5, 4, 2), None, None, 5, False),
    "stack @ stack": ((5, 3, 4), (5, 4, 2), None, None, 5, False),
    "stack of stacks": ((2, 5, 3, 4), (2, 5, 4, 2), None, None, 10, False),
    "transposed stacks": ((5, 4, 3), (5, 2, 4), lambda x: x.transpose(0, 2, 1), lambda y: y.transpose(0, 2, 1), 5, False),
    "every second of a stack": ((9, 3, 4), (5, 4, 2), lambda x: x[::2], None, 5, False),
    "reversed stack": ((5, 3, 4), (5, 4, 2), lambda x: x[::-1], None, 5, True),
    "outer batch": ((5, 1, 3, 4), (2, 4, 2), None, None, 10, True),
    "heads": ((2, 3, 5, 4), (2, 6, 5, 4), heads, lambda y: heads(y).transpose(0, 1, 3, 2), 10, True),
    "heads of one sequence": ((1, 3, 5, 4), (1, 6, 5, 4), heads, lambda y: heads(y).transpose(0, 1, 3, 2), 5, False),
    "a matrix for each head": ((2, 5, 3, 4), (5, 4, 2), None, None, 10, True),
}  # fmt: skip


@pytest.mark.parametrize("name", STACKS)
def test_stacks(name):
    shape_x, shape_y, view_x, view_y, count, _ = STACKS[name]
    calls = assert_product(values(shape_x), values(shape_y, seed=1), view_x or (lambda x: x), view_y or (lambda y: y))
    if STANDIN:
        assert [call.count for call in calls] == [count]


@RECORDED
@pytest.mark.parametrize("name", STACKS)
def test_which_stacks_are_copied(name):
    shape_x, shape_y, view_x, view_y, _, copied = STACKS[name]
    x, y = cupy.asarray(values(shape_x)), cupy.asarray(values(shape_y))
    x, y = (view_x(x) if view_x else x), (view_y(y) if view_y else y)
    assert (extra_bytes(lambda: gemm.matmul(x, y)) > 0) == copied


@pytest.mark.parametrize("name", ["outer batch", "heads", "a matrix for each head"])
def test_large_stacks_are_looped_over_instead_of_copied(name, monkeypatch):
    shape_x, shape_y, view_x, view_y, count, _ = STACKS[name]
    view_x, view_y = view_x or (lambda x: x), view_y or (lambda y: y)
    monkeypatch.setattr(gemm, "_LAUNCH", 0)
    calls = assert_product(values(shape_x), values(shape_y, seed=1), view_x, view_y)
    if STANDIN:
        assert [call.count for call in calls] == [5] * (count // 5)
        x, y = view_x(cupy.asarray(values(shape_x))), view_y(cupy.asarray(values(shape_y)))
        assert extra_bytes(lambda: gemm.matmul(x, y)) == 0


@pytest.mark.parametrize(
    "shapes",
    [
        ((0, 4), (4, 2)), ((3, 0), (0, 2)), ((3, 4), (4, 0)), ((0,), (0,)),
        ((0, 3, 4), (4, 2)), ((2, 3, 0), (2, 0, 5)), ((2, 0, 4), (4,)),
    ],
)  # fmt: skip
def test_empty_operands(shapes):
    assert not assert_product(values(shapes[0], np.float32), values(shapes[1], np.float32)) or not STANDIN


@RECORDED
def test_leading_dimensions_beyond_32_bits():
    row = 2**31 + 8
    try:
        memory = cupy.cuda.alloc(2 * (row + 8))
    except MemoryError:
        pytest.skip("needs 4 GiB of addresses")
    x = cupy.ndarray((2, 3), np.float16, memory, strides=(2 * row, 2))
    x[...] = cupy.asarray(values((2, 3), np.float16))
    y = values((3, 2), np.float16)
    with library.recording() as calls:
        found = gemm.matmul(x, cupy.asarray(y))
    assert calls[0].ldb == row
    np.testing.assert_allclose(found.get(), values((2, 3), np.float16) @ y, rtol=1e-2, atol=1e-2)


@pytest.mark.parametrize(
    "shape, view",
    [
        ((3, 10), lambda x: x[:, 1:9].view(np.complex128)),
        ((3, 9), lambda x: x[:, :8].view(np.complex128)),
        ((2, 17), lambda x: x[:, :16].view(np.complex128).reshape(2, 2, 4)),
    ],
    ids=["address", "rows", "stack"],
)
def test_distances_that_are_no_multiple_of_an_element_are_copied(shape, view):
    assert_product(values(shape), values((4, 2)), view)  # numbers of 16 bytes at multiples of 8


# Any shapes and strides


@st.composite
def stacks(draw):
    """A pair of views that can be multiplied: functions from base arrays, which may be NumPy's or CuPy's."""
    m, k, n = (draw(st.integers(0, 4)) for _ in range(3))
    batch = draw(st.lists(st.integers(0, 3), max_size=2))
    found = []
    for matrix in ((m, k), (k, n)):
        if draw(st.integers(0, 9)) == 0:
            shape = (k,)
        else:
            leading = [draw(st.sampled_from([size, size, 1])) for size in batch]
            shape = (*leading[draw(st.integers(0, len(leading))) :], *matrix)
        steps = draw(st.tuples(*(st.sampled_from([1, 1, 1, 2, -1]) for _ in shape)))
        order = draw(st.permutations(range(len(shape))))
        found.append((shape, steps, order))
    return found


def built(module, spec, seed):
    """Memory in the given order of axes, every step-th element of it, with axes back in place."""
    shape, steps, order = spec
    base = module.asarray(values([shape[axis] * abs(steps[axis]) for axis in order], seed=seed))
    back = base.transpose(sorted(range(len(order)), key=order.__getitem__))
    return back[tuple(slice(None, None, step) for step in steps)]


@hypothesis.given(stacks(), st.sampled_from([0, 1 << 30]))
def test_any_shapes_and_strides(specs, launch):
    x, y = (built(np, spec, seed) for seed, spec in enumerate(specs))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(gemm, "_LAUNCH", launch)
        found = gemm.matmul(*(built(cupy, spec, seed) for seed, spec in enumerate(specs)))
    expected = np.matmul(x, y)
    assert found.shape == expected.shape
    np.testing.assert_allclose(found.get(), expected, rtol=1e-12, atol=1e-12)


# The op and what is made of it


def calls_of(function):
    with library.recording() as calls:
        function()
    return [(call.m, call.n, call.k, call.count) for call in calls]


@RECORDED
def test_a_layer_takes_three_products():
    x = gg.tensor(values((5, 3, 4)), device="cuda", requires_grad=True)
    w = gg.tensor(values((4, 2)), device="cuda", requires_grad=True)
    out = x @ w
    g = gg.ones((5, 3, 2), device="cuda")
    assert calls_of(lambda: x @ w) == [(2, 15, 4, 1)]
    assert calls_of(lambda: out.backward(g)) == [(4, 15, 2, 1), (2, 4, 15, 1)]


@RECORDED
def test_linear_takes_three_products_and_no_copies():
    x = gg.tensor(values((5, 3, 4)), device="cuda", requires_grad=True)
    w = gg.tensor(values((2, 4)), device="cuda", requires_grad=True)
    out = gg.nn.functional.linear(x, w)
    assert calls_of(lambda: gg.nn.functional.linear(x, w)) == [(2, 15, 4, 1)]
    assert calls_of(lambda: out.backward(gg.ones((5, 3, 2), device="cuda"))) == [(4, 15, 2, 1), (4, 2, 15, 1)]
    assert extra_bytes(lambda: gg.nn.functional.linear(x.array, w.array)) == 0


@RECORDED
@pytest.mark.parametrize(
    "subscripts, shapes, products",
    [
        ("ij,jk->ik", ((3, 4), (4, 5)), [(5, 3, 4, 1)]),
        ("ij,kj->ik", ((3, 4), (5, 4)), [(5, 3, 4, 1)]),
        ("bqhd,bkhd->bhqk", ((1, 3, 5, 4), (1, 6, 5, 4)), [(6, 3, 4, 5)]),
        ("btd,df->btf", ((2, 3, 4), (4, 5)), [(5, 6, 4, 1)]),
        ("btd,btf->df", ((2, 3, 4), (2, 3, 5)), [(5, 4, 6, 1)]),
        ("bi,bi->b", ((3, 4), (3, 4)), [(1, 1, 4, 3)]),
    ],
)
def test_einsum_takes_one_product_and_no_copies(subscripts, shapes, products):
    x, y = (cupy.asarray(values(shape)) for shape in shapes)
    assert calls_of(lambda: gg.einsum(subscripts, x, y)) == products
    assert extra_bytes(lambda: gg.einsum(subscripts, x, y)) == 0


@pytest.mark.parametrize(
    "function",
    [
        lambda x, y: gg.einsum("bqhd,bkhd->bhqk", x, y),
        lambda x, y: gg.permute_dims(x, (0, 2, 1, 3)) @ gg.permute_dims(y, (0, 2, 3, 1)),
        lambda x, y: gg.tensordot(x, y, axes=((0, 2, 3), (0, 2, 3))),
        lambda x, y: gg.vecdot(x, y[:, :3]),
        lambda x, y: x[0] @ y[1, 0, 0],
        lambda x, y: x @ gg.matrix_transpose(y[0, :1, :, :]),
        lambda x, y: gg.nn.functional.linear(x, y[0, 0]),
    ],
)
def test_values_and_gradients_equal_those_on_the_cpu(function):
    found = {}
    for device in ("cpu", "cuda"):
        x = gg.tensor(values((2, 3, 5, 4)), device=device, requires_grad=True)
        y = gg.tensor(values((2, 6, 5, 4), seed=1), device=device, requires_grad=True)
        out = function(x, y)
        gradients = gg.gradients(gg.sum(out * out), [x, y], create_graph=True)
        second = gg.gradients(sum(gg.sum(g * g) for g in gradients), [x, y])
        found[device] = [z.detach().cpu() for z in (out, *gradients, *second)]
    assert_close(found["cuda"], found["cpu"], rtol=1e-10, atol=1e-10)


@pytest.mark.parametrize(
    "shapes, message",
    [
        (((2, 3), (2, 3)), r"matmul: got float64 \(2, 3\) and float64 \(2, 3\): the inner sizes, 3 and 2, must be equal"),
        (((2, 3), (2,)), r"the inner sizes, 3 and 2, must be equal"),
        (((2, 3, 4), (3, 4, 5)), r"the leading shapes \(2,\) and \(3,\) do not broadcast"),
        (((), (2,)), r"expected one dimension or more of each"),
    ],
)
def test_shapes_that_do_not_fit(shapes, message):
    with pytest.raises(gg.ShapeError, match=message):
        gg.matmul(*(cupy.asarray(values(shape)) for shape in shapes))


def test_the_library_is_used():
    assert gemm.matmul(cupy.ones((2, 2)), cupy.ones((2, 2))) is not NotImplemented and not cublas.unusable
