// Philox4x64-10, the counter-based generator of gpugrad on a GPU.
//
// Source: J. K. Salmon, M. A. Moraes, R. O. Dror, D. E. Shaw, "Parallel random numbers: as easy as 1, 2, 3", SC 2011;
// the constants are those of the paper and of Random123. The words come in the order of numpy.random.Philox.random_raw,
// bit for bit. tests/arrays/test_random.py compiles this very file for the CPU and holds it to that.

typedef unsigned long long u64;

// Writes out[0 .. count), where out[4 i + j] is word j of the block with the 256-bit counter (c3 c2 c1 c0) + i under the
// 128-bit key (key1 key0).
//
//   out     count words, aligned to 16 bytes (every CuPy allocation is)
//   count   any 64-bit number, not necessarily a multiple of 4
//   grid    any one-dimensional grid: the result does not depend on it
__device__ static void write_words(u64* out, u64 count, u64 key0, u64 key1, u64 c0, u64 c1, u64 c2, u64 c3)
{
    const u64 blocks = count / 4 + (count % 4 != 0);  // (count + 3) / 4 could overflow
    const u64 stride = (u64)gridDim.x * blockDim.x;   // 64 bits before the product, or a large grid would overflow 32

    for (u64 i = (u64)blockIdx.x * blockDim.x + threadIdx.x; i < blocks; i += stride) {
        // The counter plus i; a sum that came out smaller than what was added has carried.
        u64 x0 = c0 + i;
        u64 carry = x0 < i;
        u64 x1 = c1 + carry;
        carry = x1 < carry;
        u64 x2 = c2 + carry;
        carry = x2 < carry;
        u64 x3 = c3 + carry;

        u64 k0 = key0, k1 = key1;
#pragma unroll
        for (int round = 0; round < 10; ++round) {
            const u64 low0 = 0xD2E7470EE14C6C93ull * x0, high0 = __umul64hi(0xD2E7470EE14C6C93ull, x0);
            const u64 low1 = 0xCA5A826395121157ull * x2, high1 = __umul64hi(0xCA5A826395121157ull, x2);
            x0 = high1 ^ x1 ^ k0;
            x1 = low1;
            x2 = high0 ^ x3 ^ k1;
            x3 = low0;
            k0 += 0x9E3779B97F4A7C15ull;  // the golden ratio
            k1 += 0xBB67AE8584CAA73Bull;  // sqrt(3) - 1
        }

        const u64 at = 4 * i;
        if (count - at >= 4) {
            ulonglong2* const pair = reinterpret_cast<ulonglong2*>(out + at);  // 16 bytes per store
            pair[0] = make_ulonglong2(x0, x1);
            pair[1] = make_ulonglong2(x2, x3);
        } else {
            out[at] = x0;
            if (count - at > 1) out[at + 1] = x1;
            if (count - at > 2) out[at + 2] = x2;
        }
    }
}

// The words of the counter that is given by value.
extern "C" __global__ void philox_bits(u64* out, u64 count, u64 key0, u64 key1, u64 c0, u64 c1, u64 c2, u64 c3)
{
    write_words(out, count, key0, key1, c0, c1, c2, c3);
}

// The words from a state in memory on: the key, and the number of the first block, which is one less than its counter.
extern "C" __global__ void philox_words(u64* out, u64 count, const u64* state)
{
    u64 c[4];
    u64 carry = 1;
    for (int i = 0; i < 4; ++i) {
        c[i] = state[2 + i] + carry;
        carry = c[i] < carry;
    }
    write_words(out, count, state[0], state[1], c[0], c[1], c[2], c[3]);
}
