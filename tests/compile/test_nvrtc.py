"""Kernels as NVRTC sees them, for GPUs that are not here. tests/standin runs kernels; it cannot say whether they compile."""

from __future__ import annotations

from pathlib import Path

import nvrtc
import pytest

from gpugrad.arrays import random

if not nvrtc.available():
    pytest.skip(nvrtc.MISSING, allow_module_level=True)

MAP = r"""
extern "C" __global__ void __launch_bounds__(256) scaled_add(
    const float4* __restrict__ x, const float4* __restrict__ y, float4* __restrict__ out, float scale, long long n)
{
    const long long stride = (long long)gridDim.x * blockDim.x;
    for (long long i = (long long)blockIdx.x * blockDim.x + threadIdx.x; i < n; i += stride) {
        const float4 a = x[i], b = __ldg(y + i);
        out[i] = make_float4(fmaf(scale, a.x, b.x), fmaf(scale, a.y, b.y), fmaf(scale, a.z, b.z), fmaf(scale, a.w, b.w));
    }
}
"""

WARP_PER_ROW = r"""
extern "C" __global__ void softmax(const float* x, float* y, int rows, int n)
{
    const int row = blockIdx.x * (blockDim.x / 32) + threadIdx.x / 32, lane = threadIdx.x % 32;
    if (row >= rows) return;
    x += (long long)row * n, y += (long long)row * n;
    float top = __int_as_float(0xff800000), sum = 0.0f;
    for (int i = lane; i < n; i += 32) top = fmaxf(top, x[i]);
    for (int lanes = 16; lanes > 0; lanes >>= 1) top = fmaxf(top, __shfl_xor_sync(0xffffffffu, top, lanes));
    for (int i = lane; i < n; i += 32) sum += __expf(x[i] - top);
    for (int lanes = 16; lanes > 0; lanes >>= 1) sum += __shfl_xor_sync(0xffffffffu, sum, lanes);
    for (int i = lane; i < n; i += 32) y[i] = __fdividef(__expf(x[i] - top), sum);
}
"""

BLOCK_PER_ROW = r"""
extern "C" __global__ void row_sums(const double* x, double* y, long long n)
{
    __shared__ double partial[32];
    extern __shared__ __align__(16) unsigned char unused[];
    double sum = 0.0;
    for (long long i = threadIdx.x; i < n; i += blockDim.x) sum += x[blockIdx.x * n + i];
    for (int lanes = 16; lanes > 0; lanes >>= 1) sum += __shfl_down_sync(0xffffffffu, sum, lanes);
    if (threadIdx.x % warpSize == 0) partial[threadIdx.x / warpSize] = sum;
    __syncthreads();
    if (threadIdx.x == 0) {
        for (int warp = 1; warp < blockDim.x / warpSize; ++warp) sum += partial[warp];
        y[blockIdx.x] = sum;
    }
}
"""

HALF = r"""
#include <cuda_bf16.h>
#include <cuda_fp16.h>
extern "C" __global__ void casts(const uint4* x, uint4* y, int n)
{
    const int i = blockIdx.x * blockDim.x + threadIdx.x;
    if (i >= n) return;
    uint4 in = x[i], out;
    const __half* half = reinterpret_cast<const __half*>(&in);
    __nv_bfloat16* brain = reinterpret_cast<__nv_bfloat16*>(&out);
    for (int k = 0; k < 8; ++k) brain[k] = __float2bfloat16(2.0f * __half2float(half[k]));
    y[i] = out;
}
"""

SOURCES = {
    "philox": "".join((Path(random.__file__).parent / "cuda" / name).read_text() for name in ("common.h", "philox.cu")),
    "map": MAP,
    "warp per row": WARP_PER_ROW,
    "block per row": BLOCK_PER_ROW,
    "half": HALF,
}


@pytest.mark.parametrize("architecture", nvrtc.ARCHITECTURES)
@pytest.mark.parametrize("name", SOURCES)
def test_kernels_compile(name: str, architecture: str) -> None:
    assert nvrtc.compile_cuda(SOURCES[name], architecture).startswith(b"\x7fELF")


def test_an_error_names_the_line_and_shows_the_source() -> None:
    source = 'extern "C" __global__ void f(float* x)\n{\n    x[0] = undefined_name;\n}\n'
    with pytest.raises(nvrtc.CompileError, match=r'kernel.cu\(3\): error: identifier "undefined_name" is undefined') as error:
        nvrtc.compile_cuda(source, "sm_90")
    assert "   3      x[0] = undefined_name;" in str(error.value)


def test_too_much_shared_memory_is_an_error() -> None:
    source = 'extern "C" __global__ void f(float* x) { __shared__ float s[20000]; s[threadIdx.x] = 1; x[0] = s[1]; }'
    with pytest.raises(nvrtc.CompileError, match="shared"):
        nvrtc.compile_cuda(source, "sm_90")


def test_16_bit_floats_need_their_header() -> None:
    without = HALF.replace("#include <cuda_fp16.h>", "").replace("#include <cuda_bf16.h>", "")
    with pytest.raises(nvrtc.CompileError, match="__half"):
        nvrtc.compile_cuda(without, "sm_90")
    with pytest.raises(nvrtc.CompileError, match=r"cuda_bf16.h"):
        nvrtc.compile_cuda(HALF, "sm_90", headers=False)
