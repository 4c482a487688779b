"""Threads on the stand-in that wait for each other: barriers, warp functions, shared memory, atomics, and mistakes with them."""

import pathlib
import shutil
import sys

import ml_dtypes
import numpy as np
import pytest

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent))
from activate import activate

if not activate():
    pytest.skip("a GPU is usable here: test the real CuPy", allow_module_level=True)
if shutil.which("g++") is None:
    pytest.skip("no g++ to compile kernels with", allow_module_level=True)

import cupy

ORDERS = ["forward", "backward", "0", "1"]
HALF = "#include <cuda_fp16.h>\n#include <cuda_bf16.h>\n"
C_NAMES = {
    "int32": "int", "uint32": "unsigned", "int64": "long long", "uint64": "unsigned long long", "float32": "float",
    "float64": "double",
}  # fmt: skip


@pytest.fixture(autouse=True, params=ORDERS)
def order(request, monkeypatch):
    """Every test in every order of the threads."""
    monkeypatch.setenv("GPUGRAD_STANDIN_ORDER", request.param)
    return request.param


def kernel(body, parameters="", head=HALF):
    """The kernel `f` with that body."""
    return cupy.RawModule(code=f'{head}extern "C" __global__ void f({parameters}) {{\n{body}\n}}').get_function("f")


def run(body, result, threads, grid=1, head=HALF, **settings):
    """What a kernel of one pointer, `out`, writes to an array like `result`."""
    out = cupy.asarray(result)
    kernel(body, f"{C_NAMES[out.dtype.name]}* out", head)((grid,), (threads,), (out,), **settings)
    return out.get()


BLOCK_SUM = r"""
__device__ __forceinline__ float warp_sum(float x) {
    #pragma unroll
    for (int lanes = 16; lanes > 0; lanes >>= 1) x += __shfl_xor_sync(0xffffffffu, x, lanes);
    return x;
}
__device__ float block_sum(float x) {
    __shared__ float partial[32];
    const int lane = threadIdx.x % warpSize, warp = threadIdx.x / warpSize;
    x = warp_sum(x);
    __syncthreads();  // partial may still be read from the last call
    if (lane == 0) partial[warp] = x;
    __syncthreads();
    return warp_sum(lane < blockDim.x / warpSize ? partial[lane] : 0.0f);
}
"""


@pytest.mark.parametrize("threads", [32, 256, 1024])
def test_block_reduction(threads):
    code = (
        BLOCK_SUM
        + r"""
    extern "C" __global__ void __launch_bounds__(1024) sums(const float* __restrict__ x, float* y, int n) {
        float sum = 0.0f, squares = 0.0f;
        for (int i = threadIdx.x; i < n; i += blockDim.x) {
            const float value = x[blockIdx.x * n + i];
            sum += value;
            squares += value * value;
        }
        sum = block_sum(sum);
        squares = block_sum(squares);
        if (threadIdx.x == 0) { y[2 * blockIdx.x] = sum; y[2 * blockIdx.x + 1] = squares; }
    }"""
    )
    x = np.random.default_rng(0).integers(-9, 9, (5, 1000)).astype(np.float32)
    y = cupy.empty((5, 2), np.float32)
    cupy.RawModule(code=code).get_function("sums")((5,), (threads,), (cupy.asarray(x), y, np.int32(1000)))
    np.testing.assert_array_equal(y.get(), np.stack([x.sum(1), (x * x).sum(1)], 1))


def test_bfloat16_layer_norm_one_warp_per_row():
    code = (
        BLOCK_SUM.replace("block_sum", "unused")
        + r"""
    #include <cuda_bf16.h>
    extern "C" __global__ void layer_norm(const __nv_bfloat16* x, __nv_bfloat16* y, int rows, int n, float epsilon) {
        const int row = blockIdx.x * (blockDim.x / 32) + threadIdx.x / 32, lane = threadIdx.x % 32;
        if (row >= rows) return;  // a whole warp
        x += row * n, y += row * n;
        float sum = 0.0f, squares = 0.0f;
        for (int i = lane; i < n; i += 32) sum += __bfloat162float(x[i]);
        const float mean = warp_sum(sum) / n;
        for (int i = lane; i < n; i += 32) {
            const float centered = __bfloat162float(x[i]) - mean;
            squares = __fmaf_rn(centered, centered, squares);
        }
        const float scale = rsqrtf(warp_sum(squares) / n + epsilon);
        for (int i = lane; i < n; i += 32) y[i] = __float2bfloat16((__bfloat162float(x[i]) - mean) * scale);
    }"""
    )
    x = np.random.default_rng(0).normal(3, 2, (7, 100)).astype(ml_dtypes.bfloat16)
    y = cupy.empty_like(cupy.asarray(x))
    arguments = (cupy.asarray(x), y, np.int32(7), np.int32(100), np.float32(1e-5))
    cupy.RawModule(code=code).get_function("layer_norm")((2,), (128,), arguments)
    wide = x.astype(np.float64)
    expected = (wide - wide.mean(1, keepdims=True)) / np.sqrt(wide.var(1, keepdims=True) + 1e-5)
    np.testing.assert_allclose(y.get().astype(np.float64), expected, rtol=2**-8, atol=1e-6)


def test_two_stage_column_sum():
    code = r"""
    extern "C" {
    __global__ void stage_one(const double* x, double* partial, int rows, int columns) {
        __shared__ double tile[8][33];
        const int column = blockIdx.x * 32 + threadIdx.x;
        double sum = 0.0;
        for (int row = blockIdx.y * 8 + threadIdx.y; row < rows; row += gridDim.y * 8)
            if (column < columns) sum += x[row * columns + column];
        tile[threadIdx.y][threadIdx.x] = sum;
        __syncthreads();
        for (int half = 4; half > 0; half /= 2) {
            if (threadIdx.y < half) tile[threadIdx.y][threadIdx.x] += tile[threadIdx.y + half][threadIdx.x];
            __syncthreads();
        }
        if (threadIdx.y == 0 && column < columns) partial[blockIdx.y * columns + column] = tile[0][threadIdx.x];
    }
    __global__ void stage_two(const double* partial, double* y, int count, int columns) {
        const int column = blockIdx.x * blockDim.x + threadIdx.x;
        if (column >= columns) return;
        double sum = 0.0;
        for (int i = 0; i < count; ++i) sum += partial[i * columns + column];
        y[column] = sum;
    }
    }"""
    module = cupy.RawModule(code=code)
    x = np.random.default_rng(0).integers(-99, 99, (101, 70)).astype(np.float64)
    partial, y = cupy.empty((3, 70)), cupy.empty(70)
    module.get_function("stage_one")((3, 3), (32, 8), (cupy.asarray(x), partial, np.int32(101), np.int32(70)))
    module.get_function("stage_two")((2,), (64,), (partial, y, np.int32(3), np.int32(70)))
    np.testing.assert_array_equal(y.get(), x.sum(0))


@pytest.mark.parametrize("dtype", [np.int32, np.uint32, np.int64, np.uint64, np.float32, np.float64])
@pytest.mark.parametrize("width", [32, 8])
def test_shuffles(dtype, width):
    lanes, segments = np.arange(32), np.arange(32) // width * width
    above = np.where(lanes % width + 3 < width, lanes + 3, lanes)
    below = np.where(lanes % width >= 3, lanes - 3, lanes)
    for call, source in [
        ("__shfl_sync(~0u, x, 5, width)", segments + 5),
        ("__shfl_sync(~0u, x, threadIdx.x + 1, width)", segments + (lanes + 1) % width),
        ("__shfl_down_sync(~0u, x, 3, width)", above),
        ("__shfl_up_sync(~0u, x, 3, width)", below),
        ("__shfl_xor_sync(~0u, x, 6, width)", lanes ^ 6),
    ]:
        values = (lanes * 7 + 1).astype(dtype)
        body = f"const int width = {width}; auto x = out[threadIdx.x]; out[threadIdx.x] = {call};"
        np.testing.assert_array_equal(run(body, values, 32), values[source], err_msg=call)


def test_votes_and_reductions_of_a_warp():
    body = """
    const int i = threadIdx.x;
    const unsigned odd = __ballot_sync(~0u, i & 1), low = i % 32 < 16 ? 0xffffu : 0xffff0000u;
    const unsigned values[] = {
        odd, (unsigned)__any_sync(~0u, i == 40), (unsigned)__all_sync(low, i < 16), __activemask(),
        __match_any_sync(~0u, i / 8), (unsigned)__reduce_add_sync(low, i), (unsigned)__reduce_min_sync(~0u, -i),
        __reduce_max_sync(~0u, (unsigned)i), (unsigned)__syncthreads_count(i % 3 == 0), (unsigned)__syncthreads_or(i == 9)};
    for (int k = 0; k < 10; ++k) out[10 * i + k] = values[k];
    """
    got = run(body, np.zeros((64, 10), np.uint32), 64).astype(np.int64)
    i = np.arange(64)
    assert (got[:, 0] == 0xAAAAAAAA).all()
    np.testing.assert_array_equal(got[:, 1], i >= 32)
    np.testing.assert_array_equal(got[:, 2], i < 16)
    assert (got[:, 3] == 0xFFFFFFFF).all()
    np.testing.assert_array_equal(got[:, 4], 0xFF << i % 32 // 8 * 8)
    np.testing.assert_array_equal(got[:, 5], np.repeat([120, 376, 632, 888], 16))
    np.testing.assert_array_equal(got[:, 6].astype(np.uint32).view(np.int32), np.where(i < 32, -31, -63))
    np.testing.assert_array_equal(got[:, 7], np.where(i < 32, 31, 63))
    assert (got[:, 8] == 22).all() and (got[:, 9] == 1).all()


def test_dynamic_shared_memory():
    body = """
    extern __shared__ __align__(16) unsigned char memory[];
    int* s = reinterpret_cast<int*>(memory);
    s[threadIdx.x] = out[threadIdx.x];
    __syncthreads();
    out[threadIdx.x] = s[blockDim.x - 1 - threadIdx.x];"""
    values = np.arange(100, dtype=np.int32)
    np.testing.assert_array_equal(run(body, values, 100, shared_mem=400), values[::-1])
    with pytest.raises(RuntimeError, match="wrote behind its dynamic shared memory of 396 bytes"):
        run(body, values, 100, shared_mem=396)
    big = kernel(body, "int* out")
    with pytest.raises(RuntimeError, match="max_dynamic_shared_size_bytes"):
        big((1,), (100,), (cupy.asarray(values),), shared_mem=50000)
    big.max_dynamic_shared_size_bytes = 50000
    out = cupy.asarray(values)
    big((1,), (100,), (out,), shared_mem=50000)
    np.testing.assert_array_equal(out.get(), values[::-1])


def test_shared_memory_holds_nan_at_first():
    body = """
    __shared__ float a[2];
    __shared__ __half b[2];
    extern __shared__ float c[];
    if (threadIdx.x == 0) { out[3 * blockIdx.x] = a[1]; out[3 * blockIdx.x + 1] = __half2float(b[0]); out[3 * blockIdx.x + 2] = c[0]; }
    __syncthreads();
    a[1] = 1.0f, b[0] = __float2half(1.0f), c[0] = 1.0f;"""
    assert np.isnan(run(body, np.zeros(6, np.float32), 32, grid=2, shared_mem=4)).all()


@pytest.mark.parametrize("dtype", [np.int32, np.uint32, np.uint64, np.float32, np.float64])
def test_atomics(dtype):
    name = C_NAMES[np.dtype(dtype).name]
    body = f"atomicAdd(out, ({name})(blockIdx.x * blockDim.x + threadIdx.x)); __threadfence();"
    assert run(body, np.zeros(1, dtype), 100, grid=3).tolist() == [300 * 299 / 2]


def test_atomics_that_compare():
    body = """
    const int i = threadIdx.x;
    atomicMax(out, i); atomicMin(out + 1, -i); atomicExch(out + 2, 5); atomicOr((unsigned*)out + 3, 1u << i % 8);
    int* lock = out + 4;
    int seen = *lock, assumed;
    do { assumed = seen; seen = atomicCAS(lock, assumed, assumed + i); } while (seen != assumed);"""
    assert run(body, np.zeros(5, np.int32), 64).tolist() == [63, -63, 5, 255, 2016]


def test_the_last_block_adds_up():
    body = """
    __shared__ bool last;
    float* partial = out + 2;
    if (threadIdx.x == 0) {
        partial[blockIdx.x] = blockIdx.x + 1.0f;
        __threadfence();
        last = atomicAdd((unsigned*)out, 1u) == gridDim.x - 1;
    }
    __syncthreads();
    if (last && threadIdx.x == 0) {
        float sum = 0.0f;
        for (unsigned i = 0; i < gridDim.x; ++i) sum += partial[i];
        out[1] = sum;
    }"""
    assert run(body, np.zeros(12, np.float32), 64, grid=10)[1] == 55


@pytest.mark.parametrize(("c_type", "dtype"), [("__half", np.float16), ("__nv_bfloat16", ml_dtypes.bfloat16)])
def test_16_bit_floats_convert_as_numpy_s(c_type, dtype):
    body = "const int i = blockIdx.x * blockDim.x + threadIdx.x; y[i] = {}(x[i]);"
    bits = np.arange(65536).astype(np.uint16)
    wide = cupy.empty(65536, np.float32)
    kernel(body.format("float"), f"const {c_type}* x, float* y")((256,), (256,), (cupy.asarray(bits.view(dtype)), wide))
    np.testing.assert_array_equal(wide.get(), bits.view(dtype).astype(np.float32))

    # Every pattern of the upper bits with lower bits around the points where rounding changes.
    x = (bits.astype(np.uint32) << 16)[:, None] + np.array(
        [0, 1, 0x7FFF, 0x8000, 0x8001, 0x1000, 0x0FFF, 0x1001, 0xFFFF], np.uint32
    )
    x = x.ravel().view(np.float32)
    narrow = cupy.empty(x.size, dtype)
    kernel(body.format(c_type), f"const float* x, {c_type}* y")((x.size // 256,), (256,), (cupy.asarray(x), narrow))
    number = ~np.isnan(x)
    with np.errstate(over="ignore"):
        expected = x[number].astype(dtype)
    np.testing.assert_array_equal(narrow.get()[number].view(np.uint16), expected.view(np.uint16))
    assert np.isnan(narrow.get()[~number].astype(np.float32)).all()


def test_vector_loads():
    body = """
    const float4 v = __ldg(reinterpret_cast<const float4*>(out) + threadIdx.x);
    const uint2 packed = make_uint2(__float_as_uint(v.x + v.y), __float_as_uint(v.z * v.w));
    *reinterpret_cast<uint2*>(out + 4 * threadIdx.x) = packed;"""
    x = np.arange(16, dtype=np.float32).reshape(4, 4)
    got = run(body, x, 4)
    np.testing.assert_array_equal(got[:, :2], np.stack([x[:, 0] + x[:, 1], x[:, 2] * x[:, 3]], 1))


@pytest.mark.parametrize(
    ("body", "message"),
    [
        ("if (threadIdx.x < 40) __syncthreads();", "40 of 64 threads .* wait at __syncthreads in line 3; 24 .* have left"),
        ("if (threadIdx.x >= 60) return;\n__syncthreads();", "60 of 64 threads .*wait at __syncthreads in line 4"),
        ("if (threadIdx.x % 2)\n__syncthreads();\nelse\n__syncthreads();", "at different barriers: __syncthreads in line"),
        (
            "if (threadIdx.x < 16) __shfl_xor_sync(~0u, 1, 1);",
            "16 of 64 threads .* wait in __shfl_xor_sync with mask 0xffffffff",
        ),
        ("if (threadIdx.x == 0) __shfl_xor_sync(0xfffeu, 1, 1);", "lane 0 is not in its own mask 0x0000fffe"),
        ("if (threadIdx.x < 16) __shfl_xor_sync(0xffffu, 1, 16);", "reads lane [0-9]+, which is not in the mask 0x0000ffff"),
        ("if (threadIdx.x % 2) __syncwarp();\nelse __any_sync(~0u, 1);", "lanes of a warp are in different functions"),
        ("if (threadIdx.x < 32) __syncwarp(); else __syncthreads();", "32 of 64 threads .* wait at __syncthreads"),
        ("__shfl_sync(~0u, 1, 0, 24);", "width 24 is not a power of two"),
        ("assert(threadIdx.x < 63);", "assertion failed: threadIdx.x < 63"),
        ("float4 v = *reinterpret_cast<float4*>(out + 1); out[0] = v.x;", "misaligned address in line 3: .*float4"),
        ("__shared__ float s[8]; s[threadIdx.x] = 1.0f;", "line 3: index [0-9]+ is out of range for 'float \\[8\\]'"),
    ],
)
def test_mistakes_raise(body, message):
    with pytest.raises(RuntimeError, match=message):
        run(body, np.zeros(8, np.float32), 64, head="\n")
    assert run("__syncthreads(); out[threadIdx.x] = 1.0f;", np.zeros(8, np.float32), 8).sum() == 8  # the next launch works


def test_a_mask_of_lanes_that_do_not_exist_raises():
    with pytest.raises(RuntimeError, match="names lanes that the last warp of 40 threads does not have"):
        run("__syncwarp();", np.zeros(8, np.float32), 40)


def test_too_many_shared_variables_raise(monkeypatch):
    monkeypatch.setenv("GPUGRAD_TEST_NVRTC", "0")  # it would refuse them before anything runs
    with pytest.raises(RuntimeError, match="80000 bytes of shared variables"):
        run("__shared__ float s[20000]; s[threadIdx.x] = 1.0f; out[0] = s[1];", np.zeros(8, np.float32), 8)


def test_overloads_of_a_kernel_s_own_stand_beside_cuda_s():
    head = """
    struct Pair { float a, b; };
    __device__ float max(Pair p) { return max(p.a, p.b); }
    template <class T> __device__ T clamp(T x) { return min(max(x, T(-1)), T(1)); }
    __constant__ float table[2] = {3.0f, 5.0f};
    """
    body = "out[0] = max(Pair{1.0f, 2.0f}); out[1] = clamp(out[1]); out[2] = fmaxf(table[0], table[1]);"
    assert run(body, np.full(3, 7, np.float32), 1, head=head).tolist() == [2, 1, 5]


def test_a_missing_barrier_shows_in_some_order(order):
    body = """
    __shared__ float s[64];
    s[threadIdx.x] = out[threadIdx.x];
    out[threadIdx.x] = s[63 - threadIdx.x];"""
    x = np.arange(64, dtype=np.float32)
    assert not np.array_equal(run(body, x, 64), x[::-1])


def test_what_nvrtc_refuses_is_refused():
    for body in [
        "out[0] = INFINITY;",
        "uint32_t x = 0;",
        "out[0] = exp(1);",
        "out[0] = fmax(out[0], 1.0);",
        "out[0] = std::exp(1.0f);",
    ]:
        with pytest.raises(Exception, match="error"):
            run(body, np.zeros(1, np.float32), 1, head="")
    with pytest.raises(Exception, match="__half"):
        run("__half x;", np.zeros(1, np.float32), 1, head="")
    with pytest.raises(Exception, match="No such file"):
        run("", np.zeros(1, np.float32), 1, head="#include <vector>\n")
