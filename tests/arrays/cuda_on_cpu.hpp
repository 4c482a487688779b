// Just enough of CUDA to run philox.cu on the CPU: one thread after another, in a loop. No shared memory, no barriers.
#pragma once

struct dim3_on_cpu {
    unsigned x = 1, y = 1, z = 1;
};
static thread_local dim3_on_cpu blockIdx, threadIdx, blockDim, gridDim;

#define __global__
#define __device__

struct alignas(16) ulonglong2 {
    unsigned long long x, y;
};
static inline ulonglong2 make_ulonglong2(unsigned long long x, unsigned long long y) { return {x, y}; }

static inline unsigned long long __umul64hi(unsigned long long a, unsigned long long b)
{
    return (unsigned long long)(((unsigned __int128)a * b) >> 64);
}

// Runs body() as one thread of a one-dimensional launch.
template <typename Body>
void run_thread(unsigned grid, unsigned block, unsigned block_index, unsigned thread_index, Body body)
{
    gridDim.x = grid;
    blockDim.x = block;
    blockIdx.x = block_index;
    threadIdx.x = thread_index;
    body();
}

// Runs body() as every thread of a one-dimensional launch.
template <typename Body>
void run_grid(unsigned grid, unsigned block, Body body)
{
    for (unsigned b = 0; b < grid; ++b)
        for (unsigned t = 0; t < block; ++t) run_thread(grid, block, b, t, body);
}
