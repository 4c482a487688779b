"""The stand-in itself: that it refuses what CuPy refuses, counts what waits, and computes what kernels say.

Run on its own: `GPUGRAD_TEST_STANDIN=1 python -m pytest tests/standin`.
"""

import pathlib
import sys

import array_api_compat
import ml_dtypes
import numpy as np
import pytest

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent))
from activate import activate

if not activate():
    pytest.skip("a GPU is usable here: test the real CuPy", allow_module_level=True)

import cupy
import cupyx


@pytest.fixture(autouse=True)
def fresh():
    """Counters at zero, two devices."""
    cupy.standin.reset()


@pytest.fixture
def x():
    return cupy.arange(12, dtype=np.float32).reshape(3, 4)


# What kind of thing an array is


def test_is_recognised_and_is_no_numpy_array(x):
    assert type(x) is cupy.ndarray
    assert not isinstance(x, np.ndarray)
    assert array_api_compat.is_cupy_array(x)
    assert array_api_compat.array_namespace(x).__name__ == "array_api_compat.cupy"
    for absent in ("__array_namespace__", "to_device", "__index__", "__dict__"):
        assert not hasattr(x, absent)
    with pytest.raises(TypeError, match="unhashable"):
        hash(x)


def test_has_the_methods_of_cupy():
    left_out = {"cstruct", "dump", "dumps", "flat", "mdspan", "reduced_view", "scatter_max", "scatter_min", "toDlpack"}
    left_out |= {"argpartition", "byteswap", "partition", "tofile", "ptp"}
    missing = {name for name in cupy._names.METHODS if not hasattr(cupy.ndarray, name)}
    assert missing <= left_out


def test_names_absent_from_cupy_are_absent():
    for name in ("fmod2", "acoshh", "trapz2", "vecdot", "unstack", "matvec"):
        with pytest.raises(AttributeError, match="no attribute"):
            getattr(cupy, name)
    with pytest.raises(AttributeError, match="stand-in for it does not"):
        getattr(cupy, "fuse")


def test_layout(x):
    assert (x.shape, x.ndim, x.size, x.itemsize, x.nbytes, x.strides) == ((3, 4), 2, 12, 4, 48, (16, 4))
    assert x.copy().flags.owndata and x.flags.c_contiguous and not x.flags.f_contiguous
    assert x.T.flags.f_contiguous and not x.T.flags["OWNDATA"]
    assert x[1:].data.ptr == x.data.ptr + 16
    assert x.data.device_id == 0 and x.device == cupy.cuda.Device(0)


# Refusals


@pytest.mark.parametrize(
    "mix",
    [
        lambda x, n: x + n,
        lambda x, n: n + x,
        lambda x, n: np.add(x, n),
        lambda x, n: cupy.add(x, n),
        lambda x, n: cupy.concatenate([x, n]),
        lambda x, n: cupy.where(x > 0, x, n),
        lambda x, n: x @ n.T,
    ],
)
def test_numpy_arrays_are_refused(x, mix):
    with pytest.raises(TypeError, match="numpy.ndarray"):
        mix(x, np.ones((3, 4), np.float32))


def test_implicit_conversion_is_refused(x):
    with pytest.raises(TypeError, match=r"Implicit conversion to a NumPy array is not allowed. Please use `.get\(\)`"):
        np.asarray(x)
    with pytest.raises(TypeError):
        memoryview(x)


def test_lists_are_no_operands(x):
    with pytest.raises(TypeError):
        x + [1, 2, 3, 4]
    with pytest.raises(AttributeError):
        cupy.sum([1, 2])


def test_keywords_that_cupy_lacks(x):
    for call in (
        lambda: cupy.zeros(3, device=0),
        lambda: cupy.ones(3, device=0),
        lambda: cupy.sum(x, where=x > 1),
        lambda: cupy.add(x, x, where=x > 1),
        lambda: cupy.sum(x, initial=1.0),
        lambda: x.astype(np.float64, casting="unsafe"),
    ):
        with pytest.raises(TypeError):
            call()


def test_ufunc_methods_that_cupy_lacks(x):
    assert cupy.add.reduce(x).shape == (4,)
    with pytest.raises(NotImplementedError):
        cupy.maximum.reduce(x)
    with pytest.raises(NotImplementedError):
        cupy.multiply.at(x, 0, 1.0)


def test_unsupported_dtypes():
    with pytest.raises(ValueError, match="Unsupported dtype"):
        cupy.asarray(np.array(["a"]))
    with pytest.raises(ValueError, match="Unsupported dtype"):
        cupy.zeros(2, np.longdouble)


def test_bfloat16_products():
    a = cupy.ones((2, 3), ml_dtypes.bfloat16)
    assert (a @ a.T).dtype == ml_dtypes.bfloat16
    with pytest.raises(TypeError, match="10317"):
        a[None] @ a.T[None]


def test_bfloat16_is_added_up_in_single_precision():
    a = cupy.ones(3000, ml_dtypes.bfloat16)
    for total in (a.sum(), cupy.sum(a, axis=0, dtype=None), a.sum(dtype=ml_dtypes.bfloat16)):
        assert (float(total), total.dtype) == (3008, ml_dtypes.bfloat16)
    assert (float(a.mean()), a.mean().dtype) == (1, ml_dtypes.bfloat16)
    assert a.sum(dtype=np.float32).dtype == np.float32


def test_where_has_no_loop_for_bfloat16():
    a = cupy.ones(3, ml_dtypes.bfloat16)
    for x, y, dtype in ((a, a, "f"), (a, 0.0, "f"), (1, a, "f"), (a, cupy.ones(3, "i"), "d"), (a, cupy.ones(3, "D"), "D")):
        assert cupy.where(a > 0, x, y).dtype == dtype


def test_dlpack(x):
    shared = cupy.from_dlpack(x)
    shared[0, 0] = 7
    assert x[0, 0] == 7
    with pytest.raises(NotImplementedError):
        cupy.from_dlpack(x, device=(2, 0))
    with pytest.raises(BufferError):
        x.__dlpack__(copy=True)
    with pytest.raises(BufferError):
        np.from_dlpack(x)
    with pytest.raises(TypeError, match="CPU arrays"):
        cupy.from_dlpack(np.ones(2))
    assert np.from_dlpack(x, device="cpu").sum() == x.get().sum()


# Results


def test_reductions_and_scalars_stay_on_the_gpu(x):
    for result in (x.sum(), cupy.max(x), x.mean(), x[0, 0], cupy.exp(x[0, 0]), cupy.exp(1.0), np.float32(2) * x[1, 1]):
        assert type(result) is cupy.ndarray and result.shape == ()
    for result in (cupy.allclose(x, x), cupy.array_equal(x, x), cupy.count_nonzero(x)):
        assert type(result) is cupy.ndarray
    assert (x * 2.0).dtype == np.float32
    assert (np.float64(2) * x).dtype == np.float64
    assert (x == None).tolist() == [[False] * 4] * 3  # noqa: E711
    assert cupy.std(cupy.zeros(0, np.float32)).dtype == np.float32  # no warning on empty input
    assert np.isnan(cupy.empty(2).get()).all()  # uninitialised memory shows
    assert (1 / cupy.zeros(2)).tolist() == [np.inf, np.inf]  # nor on division by zero


def test_views_share_memory(x):
    part = x[1:3]
    part[...] = -1
    assert float(x[2, 3]) == -1 and part.base is x.base
    x.reshape(-1)[0] = 5
    cupy.transpose(x)[1, 0] = 6
    assert x[0].tolist()[:2] == [5, 6]
    own = cupy.zeros((2, 2))
    assert own.base is None and own[0].base is own and cupy.ravel(own).base is own
    assert cupy.sum(own, axis=0).base is None
    x += 1
    assert float(x[0, 0]) == 6


def test_asarray_copies_from_numpy_and_not_from_itself(x):
    host = np.ones(3)
    device = cupy.asarray(host)
    host[0] = 9
    assert device.tolist() == [1, 1, 1]
    assert cupy.asarray(x) is x and cupy.array(x) is not x
    got = device.get()
    got[0] = 8
    assert float(device[0]) == 1
    assert cupy.asnumpy(device, out=np.empty(3)).tolist() == [1, 1, 1]
    with pytest.raises(ValueError, match="Unable to avoid copy"):
        cupy.array(x, dtype=np.float64, copy=False)


def test_indexing_wraps_out_of_range_integers(x):
    line = cupy.arange(3)
    assert line[[1, 3]].tolist() == [1, 0]
    assert line[cupy.array([-4, 4])].tolist() == [2, 1]
    assert line[np.array([5])].tolist() == [2]
    assert line.take([1, 3, -4]).tolist() == cupy.take(line, cupy.array([1, 3, -4]), axis=0).tolist() == [1, 0, 2]
    assert cupy.take_along_axis(x, cupy.array([[4], [-5], [1]]), 1).tolist() == [[0], [7], [9]]
    with pytest.raises(IndexError, match="empty"):
        line[:0].take([0])
    line[[1, 4]] = 10
    assert line.tolist() == [0, 10, 2]
    with pytest.raises(IndexError):
        line[3]
    with pytest.raises(IndexError):
        line[cupy.array([1.0])]
    assert x[:, cupy.array([0, 5])].tolist() == [[0, 1], [4, 5], [8, 9]]
    assert x[cupy.array([0, 1]), cupy.array([1, 2])].tolist() == [1, 6]
    assert x[np.array([True, False, True])].shape == (2, 4)


def test_assignment(x):
    with pytest.raises(ValueError, match="non-scalar numpy.ndarray cannot be used for fill"):
        x[0] = np.ones(4, np.float32)
    x[[0, 1]] = np.ones(4)  # with an integer array as index, CuPy uploads the value
    x[2] = 2.5
    x[2, :2] = x[0, :2]
    assert x.tolist() == [[1] * 4, [1] * 4, [1, 1, 2.5, 2.5]]
    x.fill(3)
    assert float(x.sum()) == 36


def test_scatter_add():
    grid = cupy.zeros(3, np.float32)
    cupyx.scatter_add(grid, cupy.array([0, 0, 2]), cupy.ones(3, np.float32))
    cupy.add.at(grid, cupy.array([2, 5]), 1.0)
    assert grid.tolist() == [2, 0, 3]
    with pytest.raises(TypeError, match="only supports"):
        cupy.add.at(cupy.zeros(3, np.complex64), cupy.array([0]), 1)


@pytest.mark.parametrize("dtype, expected", [("float32", "complex64"), ("float64", "complex128"), ("complex64", "complex64")])
def test_eigenvalues_of_general_matrices_are_complex(dtype, expected):
    x = cupy.asarray(np.eye(2, dtype=dtype))
    assert {r.dtype for r in (*cupy.linalg.eig(x), cupy.linalg.eigvals(x))} == {np.dtype(expected)}


def test_singular_matrices_pass_in_silence():
    singular = cupy.zeros((2, 2))
    assert np.isnan(cupy.linalg.inv(singular).get()).all()
    with cupyx.errstate(linalg="raise"), pytest.raises(np.linalg.LinAlgError):
        cupy.linalg.inv(singular)


# Special functions


def test_special_functions_have_the_loops_of_cupy(x):
    import cupyx.scipy.special as special

    assert special.gammainc(1, x + 1).dtype == np.float32  # a Python number is weak
    assert special.gammainc(1, cupy.arange(3)).dtype == np.float64
    assert special.erf(x.astype(np.float16)).dtype == np.float64
    assert special.polygamma(1, x + 1).shape == x.shape
    np.testing.assert_allclose(special.zeta(2.0, cupy.ones(1)).get(), np.pi**2 / 6)
    with pytest.raises(TypeError, match="Wrong type .*complex64.* of arguments"):
        special.erf(x.astype(np.complex64))
    with pytest.raises(TypeError, match="Unsupported type"):
        special.erf(np.ones(3))
    assert not hasattr(special, "erfi")


# Counters


def test_host_reads_are_counted(x):
    with cupy.standin.counting() as seen:
        y = cupy.where(x > 3, x, 0.0) @ x.T
        y = cupy.take(y, cupy.zeros(2, dtype=np.int64), axis=0).sum()
    assert seen.host_reads == 0, seen.reads
    reads = [
        lambda: bool(y > 0), lambda: int(y), lambda: float(y), y.item, y.get, y.tolist, lambda: x[x > 3],
        lambda: cupy.nonzero(x), lambda: cupy.where(x), lambda: cupy.unique(x),
        lambda: cupy.repeat(x[0], cupy.arange(4)),
    ]  # fmt: skip
    for n, read in enumerate(reads, start=1):
        read()
        assert cupy.standin.host_reads == n, cupy.standin.reads


def test_uploads_and_waits_are_counted():
    with cupy.standin.counting() as seen:
        cupy.asarray(np.ones(2))
        cupy.cuda.Stream(non_blocking=True).synchronize()
    assert (seen.uploads, seen.waits, seen.host_reads) == (1, 1, 0)


# Devices and memory


def test_device_context(x):
    with cupy.cuda.Device(1):
        assert cupy.cuda.get_device_id() == 1
        y = cupy.ones((3, 4), np.float32)
        moved = cupy.asarray(x)
    assert y.device == moved.device == cupy.cuda.Device(1) and cupy.cuda.get_device_id() == 0
    for mix in (lambda: x + y, lambda: y.sum(), lambda: cupy.stack([x, y]), lambda: x.__setitem__(0, y[0])):
        with pytest.raises(ValueError, match="different from the current device"):
            mix()
    assert y[0].device.id == 1  # views are no computation
    back = array_api_compat.to_device(y, cupy.cuda.Device(0))
    assert (x + back).device.id == 0 and y.get().sum() == 12
    with pytest.raises(RuntimeError, match="does not match"), cupy.cuda.Device(1):
        stream = cupy.cuda.Stream()
        with cupy.cuda.Device(0), stream:
            pass


def test_no_device():
    with pytest.raises(cupy.cuda.runtime.CUDARuntimeError, match="invalid device ordinal"), cupy.cuda.Device(2):
        pass
    cupy.standin.set_device_count(0)
    assert not cupy.cuda.is_available() and not cupy.is_available()
    for call in (cupy.cuda.runtime.getDeviceCount, lambda: cupy.zeros(3), lambda: cupy.cuda.Event()):
        with pytest.raises(cupy.cuda.runtime.CUDARuntimeError):
            call()


def test_a_driver_that_is_too_old_or_missing():
    """[tried: CuPy 14.2 without a driver]: driverGetVersion() is 0, and nothing else answers."""
    runtime = cupy.cuda.runtime
    for version in (11040, 0):
        cupy.standin.set_driver_version(version)
        assert runtime.driverGetVersion() == version and runtime.runtimeGetVersion() == 12090
        assert not cupy.cuda.is_available()
        for call in (runtime.getDeviceCount, runtime.getDevice, lambda: cupy.zeros(3)):
            with pytest.raises(runtime.CUDARuntimeError, match="cudaErrorInsufficientDriver") as error:
                call()
            assert error.value.status == 35
    cupy.standin.set_driver_version(12000)
    assert runtime.getDeviceCount() == 2


def test_pinned_memory_is_known():
    runtime = cupy.cuda.runtime
    memory = cupy.cuda.alloc_pinned_memory(64)
    host = np.frombuffer(memory, np.float64, 8)
    assert runtime.pointerGetAttributes(host[3:].ctypes.data).type == runtime.memoryTypeHost
    assert runtime.pointerGetAttributes(np.ones(3).ctypes.data).type == runtime.memoryTypeUnregistered


def test_a_copy_that_is_not_waited_for():
    out = np.zeros(3)
    with cupy.standin.counting() as seen:
        cupy.ones(3).get(out=out, blocking=False)
    assert seen.host_reads == 0 and np.isnan(out).all()
    cupy.cuda.Device().synchronize()
    assert out.tolist() == [1.0, 1.0, 1.0]


def test_views_with_gaps_do_not_go_to_another_device():
    x = cupy.ones((4, 6))[:, ::2]
    with cupy.cuda.Device(1):
        with pytest.raises(NotImplementedError, match="non-contiguous array between devices"):
            cupy.array(x)
        assert cupy.asarray(x, order="C").device.id == 1


def test_memory_is_counted_and_limited():
    pool = cupy.get_default_memory_pool()
    before = pool.used_bytes()
    block = cupy.zeros(1000, np.float32)
    view = block[10:]
    assert pool.used_bytes() - before == 4096 and pool.total_bytes() >= pool.used_bytes()
    del block
    assert pool.used_bytes() - before == 4096
    del view
    assert pool.used_bytes() == before
    pool.set_limit(before + 1024)
    try:
        with pytest.raises(cupy.cuda.memory.OutOfMemoryError, match="(?i)out of memory"):
            cupy.zeros(1000)
    finally:
        pool.set_limit(0)
    pinned = cupy.cuda.alloc_pinned_memory(16)
    np.frombuffer(pinned, np.float32, 4)[...] = 2
    assert bytes(pinned[:4]) == np.float32(2).tobytes()


# The Array API by array-api-compat


def test_array_api_compat(x):
    xp = array_api_compat.array_namespace(x)
    index = xp.asarray([[0], [2], [1]])
    assert xp.take_along_axis(x, index, axis=1).tolist() == [[0], [6], [9]]
    assert [row.tolist() for row in xp.unstack(x)] == x.tolist()
    assert xp.cumulative_sum(x, axis=1, include_initial=True).shape == (3, 5)
    assert xp.astype(x, xp.float64).dtype == np.float64
    assert float(xp.sum(xp.matmul(x, xp.matrix_transpose(x)))) == (x.get() @ x.get().T).sum()
    keys = xp.asarray([1.0, 0.0, 1.0])
    assert xp.argsort(keys, stable=True).tolist() == [1, 0, 2]
    assert xp.argsort(keys, descending=True, stable=True).tolist() == [0, 2, 1]
    values, indices, inverse, counts = xp.unique_all(keys)
    assert [a.tolist() for a in (values, indices, inverse, counts)] == [[0, 1], [1, 0], [1, 0, 1], [1, 2]]
    assert xp.searchsorted(xp.asarray([0.0, 1.0, 2.0]), keys, side="right").tolist() == [2, 1, 2]
    assert [a.tolist() for a in xp.nonzero(keys)] == [[0, 2]]
    assert xp.linalg.vector_norm(x).dtype == np.float32
    assert xp.linalg.eigh(x[:, :3] + x[:, :3].T).eigenvectors.shape == (3, 3)
    assert xp.fft.rfft(x).dtype == np.complex64
    assert array_api_compat.device(x) == cupy.cuda.Device(0)
    assert type(xp.zeros(3, device=cupy.cuda.Device(0))) is cupy.ndarray
    assert xp.broadcast_to(x[0], (2, 4)).tolist() == [x[0].tolist()] * 2
    assert float(xp.var(x, correction=1)) == pytest.approx(x.get().var(ddof=1))
