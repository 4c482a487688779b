// Philox4x64-10, for kernels that use random bits: the very numbers of gpugrad/arrays/random.py.
//
// Source: J. K. Salmon, M. A. Moraes, R. O. Dror, D. E. Shaw, "Parallel random numbers: as easy as 1, 2, 3", SC 2011.
// A state is six words: a 128-bit key and the 256-bit number of the first block, low words first. Block n of a stream is four
// words, the encryption of n + 1 (mod 2^256). Element e of the 32-bit integers at a state is in block e / 8, of the 64-bit ones
// in block e / 4; of a word, the low half comes first.
#pragma once

#ifdef GG_CUDA
#define GG_UNROLL _Pragma("unroll")
GG_FN uint64_t gg_multiply(uint64_t a, uint64_t b, uint64_t *low)
{
    *low = a * b;
    return __umul64hi(a, b);
}
#elif defined(__AVX512F__)
// In digits of 32 bits, which vectorises: with vectors of eight words this is faster than multiplying word by word.
#define GG_UNROLL _Pragma("GCC unroll 10")
GG_FN uint64_t gg_multiply(uint64_t a, uint64_t b, uint64_t *low)
{
    const uint64_t digit = 0xFFFFFFFFu, a0 = a & digit, a1 = a >> 32, b0 = b & digit, b1 = b >> 32;
    const uint64_t lowest = a0 * b0, middle = a0 * b1 + (lowest >> 32), sum = a1 * b0 + (middle & digit);
    *low = (sum << 32) | (lowest & digit);
    return a1 * b1 + (middle >> 32) + (sum >> 32);
}
#else
#define GG_UNROLL _Pragma("GCC unroll 10")
GG_FN uint64_t gg_multiply(uint64_t a, uint64_t b, uint64_t *low)
{
    const unsigned __int128 product = (unsigned __int128)a * b;
    *low = (uint64_t)product;
    return (uint64_t)(product >> 64);
}
#endif

// The four words of the block that comes `block` blocks after the first one.
GG_FN void gg_philox_block(const uint64_t *state, uint64_t block, uint64_t *out)
{
    uint64_t k0 = state[0], k1 = state[1];
    uint64_t x0 = state[2] + block, carry = x0 < block;
    x0 += 1; // numbers of blocks start at 0, counters at 1
    carry += x0 == 0;
    uint64_t x1 = state[3] + carry;
    carry = x1 < carry;
    uint64_t x2 = state[4] + carry;
    carry = x2 < carry;
    uint64_t x3 = state[5] + carry;
    GG_UNROLL
    for (int round = 0; round < 10; ++round) {
        uint64_t low0, low1;
        const uint64_t high0 = gg_multiply(x0, 0xD2E7470EE14C6C93ull, &low0);
        const uint64_t high1 = gg_multiply(x2, 0xCA5A826395121157ull, &low1);
        x0 = high1 ^ x1 ^ k0;
        x1 = low1;
        x2 = high0 ^ x3 ^ k1;
        x3 = low0;
        k0 += 0x9E3779B97F4A7C15ull; // the golden ratio
        k1 += 0xBB67AE8584CAA73Bull; // sqrt(3) - 1
    }
    out[0] = x0;
    out[1] = x1;
    out[2] = x2;
    out[3] = x3;
}

// Word `word` of a stream, without a table of the four: a register cannot be indexed.
GG_FN uint64_t gg_philox_u64(const uint64_t *state, uint64_t word)
{
    uint64_t x[4];
    gg_philox_block(state, word / 4, x);
    const uint64_t low = word & 1 ? x[1] : x[0], high = word & 1 ? x[3] : x[2];
    return word & 2 ? high : low;
}

GG_FN uint32_t gg_philox_u32(const uint64_t *state, uint64_t element)
{
    const uint64_t word = gg_philox_u64(state, element / 2);
    return (uint32_t)(element & 1 ? word >> 32 : word);
}

#ifdef GG_CUDA
// The elements first to first + N - 1, where N is a power of two and `first` a multiple of it, from as few blocks as hold them.
template <int N> GG_FN void gg_philox_vector(uint32_t (&out)[N], const uint64_t *state, uint64_t first)
{
    uint64_t x[4];
#pragma unroll
    for (int l = 0; l < N; ++l) {
        if (l % 8 == 0) gg_philox_block(state, (first + l) / 8, x);
        const int e = N >= 8 ? l % 8 : (int)(first % 8) + l;
        const uint64_t word = e & 4 ? (e & 2 ? x[3] : x[2]) : (e & 2 ? x[1] : x[0]);
        out[l] = (uint32_t)(l & 1 ? word >> 32 : word);
    }
}

template <int N> GG_FN void gg_philox_vector(uint64_t (&out)[N], const uint64_t *state, uint64_t first)
{
    uint64_t x[4];
#pragma unroll
    for (int l = 0; l < N; ++l) {
        if (l % 4 == 0) gg_philox_block(state, (first + l) / 4, x);
        const int e = N >= 4 ? l % 4 : (int)(first % 4) + l;
        out[l] = e & 2 ? (e & 1 ? x[3] : x[2]) : (e & 1 ? x[1] : x[0]);
    }
}
#else
// On a CPU a block is too much work for one element: a loop has the integers of a stretch made first, in whole blocks, in a buffer
// of its thread, and reads them from there.
#define GG_PHILOX_STRETCH 1024
#define GG_PHILOX_WORDS_u32 (GG_PHILOX_STRETCH / 2 + 8)
#define GG_PHILOX_WORDS_u64 (GG_PHILOX_STRETCH + 8)

// The blocks first to last - 1.
static __attribute__((noinline, unused)) void gg_philox_blocks(uint64_t *buffer, const uint64_t *state, int64_t first, int64_t last)
{
    const uint64_t own[6] = {state[0], state[1], state[2], state[3], state[4], state[5]};
#pragma omp simd
    for (int64_t i = 0; i < last - first; ++i) gg_philox_block(own, (uint64_t)(first + i), buffer + 4 * i);
}

// The elements begin to end - 1, of which there are at most GG_PHILOX_STRETCH. Returns where element `begin` is in the buffer.
GG_FN const uint32_t *gg_philox_fill_u32(uint64_t *buffer, const uint64_t *state, int64_t begin, int64_t end)
{
    gg_philox_blocks(buffer, state, begin / 8, (end + 7) / 8);
    return (const uint32_t *)buffer + begin % 8;
}

GG_FN const uint64_t *gg_philox_fill_u64(uint64_t *buffer, const uint64_t *state, int64_t begin, int64_t end)
{
    gg_philox_blocks(buffer, state, begin / 4, (end + 3) / 4);
    return buffer + begin % 4;
}
#endif
