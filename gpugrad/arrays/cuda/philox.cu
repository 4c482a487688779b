// Philox4x64-10, the counter-based generator of gpugrad on a GPU, and its distributions in one pass.
//
// Source: J. K. Salmon, M. A. Moraes, R. O. Dror, D. E. Shaw, "Parallel random numbers: as easy as 1, 2, 3", SC 2011;
// the constants are those of the paper and of Random123. The words come in the order of numpy.random.Philox.random_raw,
// bit for bit. tests/arrays/test_random.py compiles this very file for the CPU and holds it to that.
//
// Every kernel here takes any one-dimensional grid, and writes `count` elements to `out`, which is aligned to 16 bytes (every CuPy
// allocation is) and written 16 bytes at a time. `count` is any 64-bit number.

#ifndef T  // compiled for no dtype: words and booleans
#define T float
#define A float
#endif

// A 128-bit key, and the 256-bit counter of a first block: its number plus one.
struct Stream {
    u64 key0, key1, c0, c1, c2, c3;

    // The four words of the block that comes `i` blocks after the first.
    __device__ __forceinline__ void block(u64 i, u64 (&x)[4]) const
    {
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
        x[0] = x0, x[1] = x1, x[2] = x2, x[3] = x3;
    }
};

#define STREAM u64 key0, u64 key1, u64 c0, u64 c1, u64 c2, u64 c3
#define GIVEN (Stream{key0, key1, c0, c1, c2, c3})

// The stream from a state in memory on: the key, and the number of the first block, low words first.
__device__ __forceinline__ Stream stream_at(const u64* state)
{
    u64 c[4];
    u64 carry = 1;
    for (int i = 0; i < 4; ++i) {
        c[i] = state[2 + i] + carry;
        carry = c[i] < carry;
    }
    return Stream{state[0], state[1], c[0], c[1], c[2], c[3]};
}

// What `make(words, elements)` makes of each block: N elements. A thread takes as many blocks as fill 16 bytes.
template <int N, typename O, typename Make> __device__ __forceinline__ void write(O* out, u64 count, const Stream& stream, Make make)
{
    const int blocks = N * (int)sizeof(O) < 16 ? 16 / (N * (int)sizeof(O)) : 1, elements = N * blocks;
    const u64 groups = count / elements + (count % elements != 0);  // (count + elements - 1) / elements could overflow
    const u64 stride = (u64)gridDim.x * blockDim.x;                 // 64 bits before the product, or a large grid would overflow 32
    for (u64 group = (u64)blockIdx.x * blockDim.x + threadIdx.x; group < groups; group += stride) {
        alignas(16) O made[elements];
#pragma unroll
        for (int b = 0; b < blocks; ++b) {
            u64 words[4];
            stream.block(group * blocks + b, words);
            make(words, made + N * b);
        }
        const u64 at = group * elements;
        if (count - at >= elements) {
#pragma unroll
            for (int i = 0; i < elements * (int)sizeof(O) / 16; ++i)
                reinterpret_cast<uint4*>(out + at)[i] = reinterpret_cast<const uint4*>(made)[i];
        } else {
            for (int i = 0; i < (int)(count - at); ++i) out[at + i] = made[i];
        }
    }
}

// Words -----------------------------------------------------------------------------------------------------------------

extern "C" __global__ void philox_bits(u64* out, u64 count, STREAM)
{
    write<4>(out, count, GIVEN, [](const u64* words, u64* made) {
#pragma unroll
        for (int i = 0; i < 4; ++i) made[i] = words[i];
    });
}

// Booleans: whether an integer of `width` bits, 32 or 64, is below the limit ----------------------------------------------

__device__ static void write_below(bool* out, u64 count, const Stream& stream, int width, u64 limit)
{
    if (width == 32)
        write<8>(out, count, stream, [limit](const u64* words, bool* made) {
#pragma unroll
            for (int i = 0; i < 8; ++i) made[i] = (words[i / 2] >> 32 * (i % 2) & 0xFFFFFFFFull) < limit;
        });
    else
        write<4>(out, count, stream, [limit](const u64* words, bool* made) {
#pragma unroll
            for (int i = 0; i < 4; ++i) made[i] = words[i] < limit;
        });
}

extern "C" __global__ void philox_below(bool* out, u64 count, STREAM, int width, u64 limit)
{
    write_below(out, count, GIVEN, width, limit);
}

extern "C" __global__ void philox_below_at(bool* out, u64 count, const u64* state, int width, u64 limit)
{
    write_below(out, count, stream_at(state), width, limit);
}

// Floating-point numbers: the very operations of gpugrad/arrays/random.py, each rounded, none fused into a multiply-add --------

__device__ __forceinline__ float times(float x, float y) { return __fmul_rn(x, y); }
__device__ __forceinline__ double times(double x, double y) { return __dmul_rn(x, y); }
__device__ __forceinline__ float plus(float x, float y) { return __fadd_rn(x, y); }
__device__ __forceinline__ double plus(double x, double y) { return __dadd_rn(x, y); }

// Integer i of a block, without its lowest bits, as a number: float takes half a word, double a whole one.
__device__ __forceinline__ float integer(const u64* words, int i, int drop, float)
{
    return (float)(int)((unsigned int)(words[i / 2] >> 32 * (i % 2)) >> drop);
}
__device__ __forceinline__ double integer(const u64* words, int i, int drop, double) { return (double)(long long)(words[i] >> drop); }

#define EACH (32 / (int)sizeof(A))  // numbers that a block makes

// start + k / 2^b * span, at most `most`.
extern "C" __global__ void philox_uniform(T* out, u64 count, STREAM, A start, A span, A most)
{
    const int drop = sizeof(A) == 4 ? 32 - 24 : 64 - 53;
    const A unit = sizeof(A) == 4 ? A(1.0 / 16777216) : A(1.0 / 9007199254740992);
    write<EACH>(out, count, GIVEN, [=](const u64* words, T* made) {
#pragma unroll
        for (int i = 0; i < EACH; ++i) {
            const T x = T(plus(times(times(integer(words, i, drop, A()), unit), span), start));
            made[i] = A(x) > most ? T(most) : x;
        }
    });
}

// Box and Muller: mean + std * sqrt(-2 log u) * (cos, sin)(2 pi v), with u = (k + 1/2) * scale and turn = 2 pi * scale.
extern "C" __global__ void philox_normal(T* out, u64 count, STREAM, A mean, A std, A scale, A turn)
{
    write<EACH>(out, count, GIVEN, [=](const u64* words, T* made) {
#pragma unroll
        for (int i = 0; i < EACH; i += 2) {
            const A u = plus(times(integer(words, i, 1, A()), scale), scale / 2), angle = times(integer(words, i + 1, 1, A()), turn);
            const A radius = times(sqrt(times(log(u), A(-2))), std);
            made[i] = T(plus(times(radius, cos(angle)), mean));
            made[i + 1] = T(plus(times(radius, sin(angle)), mean));
        }
    });
}
