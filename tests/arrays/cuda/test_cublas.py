"""The bindings of cuBLAS: handles of threads, devices and streams, TF32, and what happens where the library is missing or fails.

With GPUGRAD_TEST_STANDIN=1 on a library that plays cuBLAS, see test_gemm.py. No GPU has run these tests so far.
"""

import ctypes
import gc
import logging
import threading

import numpy as np
import pytest
from matrix_products import BFLOAT16, RECORDED, STANDIN, TWO_GPUS, cupy, library

import gpugrad as gg
from gpugrad.arrays.cuda import cublas, gemm

X = np.arange(6.0, dtype=np.float32).reshape(2, 3)


def product(x=None):
    x = cupy.asarray(X) if x is None else x
    return gg.matmul(x, x.T)


@pytest.fixture
def fresh(monkeypatch):
    """As in a process that has not used cuBLAS yet."""
    monkeypatch.setattr(cublas, "unusable", [])
    monkeypatch.setattr(cublas, "_thread", cublas._Thread())
    monkeypatch.setattr(cublas._Handles, "spare", {})
    cublas._functions.cache_clear()
    yield
    cublas._functions.cache_clear()


@pytest.fixture
def precision():
    yield
    gg.set_float32_matmul_precision("highest")


def test_the_version():
    major, _, _ = map(int, cublas.describe().split("."))
    assert major >= 12


# Precision


@RECORDED
@pytest.mark.parametrize("stack", [(), (2,)])
@pytest.mark.parametrize("dtype, changes", [("float32", True), ("complex64", True), ("float64", False), ("float16", False)])
def test_high_precision_is_tf32(dtype, changes, stack, precision):
    x = cupy.asarray(
        np.full((*stack, 3, 3), 1 + 2.0**-12 if dtype != "float16" else 1.0, dtype=dtype)
    )  # 13 bits: TF32 rounds it to 1
    exact = gg.matmul(x, x)
    gg.set_float32_matmul_precision("high")
    with library.recording() as calls:
        rounded = gg.matmul(x, x)
    assert (calls[0].compute == cublas._COMPUTE_32F_FAST_TF32) == changes
    assert exact.tolist() == (x.get() @ x.get()).tolist()
    assert (rounded.get() == 3).all() if changes else rounded.tolist() == exact.tolist()


@RECORDED
def test_parts_of_16_bit_products_are_added_in_float32():
    with library.recording() as calls:
        product(cupy.asarray(X.astype(np.float16)))
    assert calls[0].compute == cublas._COMPUTE_32F and calls[0].math == cublas._MATH_DISALLOW_REDUCED_PRECISION_REDUCTION


# Streams, threads, devices


@RECORDED
def test_products_go_to_the_current_stream_with_a_workspace_of_its_own():
    first, second = cupy.cuda.Stream(non_blocking=True), cupy.cuda.Stream(non_blocking=True)
    with library.recording() as calls:
        product()
        for stream in (first, first, second, first):
            with stream:
                product()
    assert [call.stream for call in calls[1:]] == [first.ptr, first.ptr, second.ptr, first.ptr]
    assert {call.workspace_size for call in calls} == {32 << 20}


def test_results_on_other_streams():
    x = cupy.asarray(X)
    cupy.cuda.Device().synchronize()
    with cupy.cuda.Stream(non_blocking=True) as stream:
        found = product(x)
        stream.synchronize()
    assert found.tolist() == (X @ X.T).tolist() == product(x).tolist()


def test_the_workspace_can_be_kept_by_a_graph(fresh):
    assert cublas.take_workspace() is None
    product()
    kept = cublas.take_workspace()
    product()
    other = cublas._thread.handles[0].workspace
    assert kept is not None and other is not None and kept.ptr != other.ptr
    assert cublas.take_workspace() is other


def in_thread(function):
    thread = threading.Thread(target=function)
    thread.start()
    return thread


def test_each_thread_has_a_handle_and_the_next_thread_takes_it(fresh):
    found = {}
    ready, done = threading.Barrier(2), threading.Event()

    def work(name, wait):
        result = product()
        found[name] = cublas._thread.handles[0].pointer, result.tolist()
        if wait:
            ready.wait()
            done.wait()

    first = in_thread(lambda: work("first", True))
    ready.wait()
    work("here", False)
    done.set()
    first.join()
    gc.collect()
    in_thread(lambda: work("next", False)).join()
    assert found["first"][0] != found["here"][0] and found["next"][0] == found["first"][0]
    assert {str(result) for _, result in found.values()} == {str((X @ X.T).tolist())}


@TWO_GPUS
def test_each_device_has_a_handle(fresh):
    products = [product(gg.asarray(X, device=f"cuda:{i}").array) for i in range(2)]
    assert [int(p.device) for p in products] == [0, 1]
    assert cublas._thread.handles[0].pointer != cublas._thread.handles[1].pointer
    assert [int(cublas._thread.handles[i].workspace.device) for i in range(2)] == [0, 1]


def test_no_room_for_the_workspace(fresh):
    x = cupy.asarray(X)
    pool = cupy.cuda.MemoryPool()
    pool.set_limit(1 << 20)
    with cupy.cuda.using_allocator(pool.malloc), pytest.raises(cupy.cuda.memory.OutOfMemoryError):
        product(x)
    assert product(x).tolist() == (X @ X.T).tolist()


# Without cuBLAS


def warnings_of(caplog, function):
    caplog.clear()
    with caplog.at_level(logging.WARNING, "gpugrad"):
        found = function()
    return found, [record.getMessage() for record in caplog.records]


def test_without_the_library_cupy_multiplies(fresh, monkeypatch, caplog):
    def missing(name):
        raise ImportError("no libcublas")

    monkeypatch.setattr(cublas.importlib, "import_module", missing)
    for dtype in (np.float32, BFLOAT16):
        x = cupy.asarray(X.astype(dtype))
        stacks = cupy.stack([x, x])
        (one, more, both), said = warnings_of(
            caplog, lambda x=x, s=stacks: (product(x), gg.matmul(s, x.T), gg.matmul(s, cupy.swapaxes(s, 1, 2)))
        )
        assert one.dtype == more.dtype == both.dtype == dtype
        expected = (X @ X.T).tolist()
        assert one.tolist() == expected and more.tolist() == both.tolist() == [expected] * 2
        assert said == (
            ["gpugrad: matmul: cuBLAS cannot be used directly, so CuPy's products are taken: no libcublas"]
            if dtype is np.float32
            else []
        )
    assert cublas.describe() == "not used: no libcublas"


def test_an_older_library(fresh, monkeypatch, caplog):
    monkeypatch.setattr(cublas.ctypes, "CDLL", lambda name: ctypes.pythonapi)
    found, said = warnings_of(caplog, product)
    assert found.tolist() == (X @ X.T).tolist()
    assert len(said) == 1 and "cublasCreate_v2" in said[0]


@RECORDED
def test_no_handle(fresh, caplog):
    library.fail("cublasCreate_v2", 1)
    found, said = warnings_of(caplog, product)
    assert found.tolist() == (X @ X.T).tolist()
    assert len(said) == 1 and said[0].endswith("cublasCreate_v2: CUBLAS_STATUS_NOT_INITIALIZED")
    assert cublas.describe() == "not used: cublasCreate_v2: CUBLAS_STATUS_NOT_INITIALIZED"


@RECORDED
@pytest.mark.parametrize("stack", [(), (4,)])
def test_a_product_that_fails(stack):
    x = cupy.ones((*stack, 2, 3), np.float32)
    name = "cublasGemmStridedBatchedEx_64" if stack else "cublasGemmEx_64"
    library.fail(name, 13)
    text = rf"cuBLAS reports CUBLAS_STATUS_EXECUTION_FAILED for {4 if stack else 1} products \(2, 3\) @ \(3, 2\) on cuda:0$"
    with pytest.raises(gg.LibraryError, match=text):
        gg.matmul(x, cupy.swapaxes(x, -1, -2))
    library.fail(name, 15)  # no such product on this GPU: CuPy may know a way
    assert (gg.matmul(x, cupy.swapaxes(x, -1, -2)).get() == 3).all()


@RECORDED
@pytest.mark.parametrize(
    "change, status",
    [
        ({"lda": 2}, "INVALID_VALUE"),
        ({"ldb": 1}, "INVALID_VALUE"),
        ({"m": -1}, "INVALID_VALUE"),
        ({"transpose_a": 3}, "INVALID_VALUE"),
    ],
)
def test_the_stand_in_refuses_what_cublas_refuses(change, status):
    x, out = cupy.ones((3, 3), np.float32), cupy.zeros((3, 3), np.float32)
    arguments = {
        "kind": cublas.ARITHMETIC["float32"], "device": 0, "transpose_a": 0, "transpose_b": 0, "m": 3, "n": 3, "k": 3,
        "a": x.data.ptr, "lda": 3, "stride_a": 0, "b": x.data.ptr, "ldb": 3, "stride_b": 0,
        "c": out.data.ptr, "stride_c": 0, "count": 1,
    }  # fmt: skip
    assert cublas.gemm(**arguments) and (out.get() == 3).all()
    with pytest.raises(gg.LibraryError, match=status):
        cublas.gemm(**{**arguments, **change})
    assert not cublas.gemm(**{**arguments, "kind": arguments["kind"]._replace(compute=70, fast=70)})


@RECORDED
def test_every_16_bit_number_of_the_stand_in():
    # The product with 1 reads and rounds each; the stand-in's own conversions are held to NumPy's and ml_dtypes'.
    for dtype in (np.float16, BFLOAT16):
        x = np.arange(1 << 16, dtype=np.uint16).view(dtype)
        one = cupy.ones((1, 1), dtype)
        found = gg.matmul(cupy.asarray(x[:, None]), one).get()[:, 0]
        np.testing.assert_array_equal(found.astype(np.float32), x.astype(np.float32))
    near = np.linspace(-3, 3, 50001, dtype=np.float32) * 10.0 ** np.linspace(-8, 2, 50001)
    for dtype in (np.float16, BFLOAT16):
        x = near.astype(dtype)
        y = np.array([[1.0009765625]], dtype)
        found = gg.matmul(cupy.asarray(x[:, None]), cupy.asarray(y)).get()[:, 0]
        exact = x.astype(np.float32) * y.astype(np.float32)[0, 0]
        np.testing.assert_array_equal(found.astype(np.float32), exact.astype(dtype).astype(np.float32))


def test_gemm_does_not_wait(fresh):
    product()
    if STANDIN:
        with cupy.standin.counting() as seen:
            gemm.matmul(cupy.ones((2, 3, 4)), cupy.ones((4, 5)))
        assert (seen.host_reads, seen.waits, seen.uploads) == (0, 0, 0)
