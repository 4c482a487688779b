// What generated CUDA C++ stands on, in front of prelude.h: integer types, which NVRTC has no header for, CUDA's mathematical
// functions under the names of maths.h, 16-byte accesses, and reductions among the threads of a row or a column.

typedef signed char int8_t;
typedef short int16_t;
typedef int int32_t;
typedef long long int64_t;
typedef unsigned char uint8_t;
typedef unsigned short uint16_t;
typedef unsigned int uint32_t;
typedef unsigned long long uint64_t;

// Places in arrays: 32 bits, which GPUs divide four times as fast as 64, but where an array is too long for them.
#ifdef GG_WIDE
typedef int64_t gg_index;
#else
typedef int32_t gg_index;
#endif

#define GG_FN static __device__ __forceinline__
#define gg_inf_f32 __int_as_float(0x7f800000)
#define gg_nan_f32 __int_as_float(0x7fc00000)
#define gg_inf_f64 __longlong_as_double(0x7ff0000000000000ll)
#define gg_nan_f64 __longlong_as_double(0x7ff8000000000000ll)

// Numbers of 16 bits: only rounded to, computed with in float.
#ifdef GG_FLOAT16
typedef __half gg_half;
GG_FN float gg_round_float16(float x) { return __half2float(__float2half_rn(x)); }
#endif
#ifdef GG_BFLOAT16
typedef __nv_bfloat16 gg_bfloat16;
GG_FN float gg_round_bfloat16(float x) { return __bfloat162float(__float2bfloat16_rn(x)); }
#endif

// Mathematical functions ----------------------------------------------------------------------------------------------

#define GG_UNARY(name, of)                                                                     \
    GG_FN float gg_##name##_f32(float x) { return of##f(x); }                                  \
    GG_FN double gg_##name##_f64(double x) { return of(x); }
#define GG_BINARY(name, of)                                                                    \
    GG_FN float gg_##name##_f32(float x, float y) { return of##f(x, y); }                      \
    GG_FN double gg_##name##_f64(double x, double y) { return of(x, y); }
GG_UNARY(abs, fabs)
GG_UNARY(acos, acos)
GG_UNARY(acosh, acosh)
GG_UNARY(asin, asin)
GG_UNARY(asinh, asinh)
GG_UNARY(atan, atan)
GG_UNARY(atanh, atanh)
GG_UNARY(ceil, ceil)
GG_UNARY(cos, cos)
GG_UNARY(cosh, cosh)
GG_UNARY(erf, erf)
GG_UNARY(erfc, erfc)
GG_UNARY(exp, exp)
GG_UNARY(exp2, exp2)
GG_UNARY(expm1, expm1)
GG_UNARY(floor, floor)
GG_UNARY(log, log)
GG_UNARY(log10, log10)
GG_UNARY(log1p, log1p)
GG_UNARY(log2, log2)
GG_UNARY(round, rint)
GG_UNARY(sin, sin)
GG_UNARY(sinh, sinh)
GG_UNARY(sqrt, sqrt)
GG_UNARY(tan, tan)
GG_UNARY(tanh, tanh)
GG_UNARY(trunc, trunc)
GG_BINARY(atan2, atan2)
GG_BINARY(copysign, copysign)
GG_BINARY(fmod, fmod)
GG_BINARY(hypot, hypot)
GG_BINARY(nextafter, nextafter)
GG_BINARY(pow, pow)

#define GG_CLASSES(T, S)                                                                       \
    GG_FN int gg_isinf_##S(T x) { return gg_abs_##S(x) == gg_inf_##S; }                        \
    GG_FN int gg_isfinite_##S(T x) { return gg_abs_##S(x) < gg_inf_##S; }                      \
    GG_FN T gg_sigmoid_##S(T x)                                                                \
    {                                                                                          \
        T e = gg_exp_##S(-gg_abs_##S(x));                                                      \
        return (x < (T)0 ? e : (T)1) / ((T)1 + e);                                             \
    }                                                                                          \
    GG_FN T gg_logaddexp_##S(T x, T y)                                                         \
    {                                                                                          \
        T top = x > y ? x : y, gap = gg_abs_##S(x - y);                                        \
        return x == y ? x + gg_log1p_##S((T)1) : top + gg_log1p_##S(gg_exp_##S(-gap));     \
    }
GG_CLASSES(float, f32)
GG_CLASSES(double, f64)
GG_FN int gg_signbit_f32(float x) { return __float_as_int(x) < 0; }
GG_FN int gg_signbit_f64(double x) { return __double_as_longlong(x) < 0; }

// Memory --------------------------------------------------------------------------------------------------------------

// Neighbouring elements, read and written 16 bytes at a time.
template <typename T, int N> struct alignas(sizeof(T) * N < 16 ? sizeof(T) * N : 16) gg_vector {
    T at[N];
    __device__ __forceinline__ T &operator[](int l) { return at[l]; }
    __device__ __forceinline__ const T &operator[](int l) const { return at[l]; }
};

GG_FN bool gg_aligned(const void *p) { return ((uint64_t)p & 15) == 0; }

// Reductions ----------------------------------------------------------------------------------------------------------

GG_FN int gg_least(int a, int b) { return a < b ? a : b; }

// A value per warp of a block; one per thread. All reductions of a kernel use the same.
GG_FN double *gg_row_memory()
{
    __shared__ double memory[32];
    return memory;
}
GG_FN double *gg_column_memory()
{
    __shared__ double memory[1024];
    return memory;
}

// x of the threads that share threadIdx.y, combined; every one of them gets the result. blockDim.x is a power of two. The order
// is the same for all: a butterfly among the lanes of a warp, then one among the warps.
template <typename T, typename Op> GG_FN T gg_reduce_row(T x, Op op)
{
    const int lanes = gg_least(blockDim.x, 32);
    for (int k = lanes / 2; k > 0; k /= 2) x = op(x, (T)__shfl_xor_sync(0xffffffffu, x, k));
    const int warps = blockDim.x / 32;
    if (warps > 1) {
        T *const part = (T *)gg_row_memory() + threadIdx.y * warps;
        __syncthreads(); // what was left here has been read by all
        if (threadIdx.x % 32 == 0) part[threadIdx.x / 32] = x;
        __syncthreads();
        x = part[threadIdx.x % warps];
        for (int k = warps / 2; k > 0; k /= 2) x = op(x, (T)__shfl_xor_sync(0xffffffffu, x, k));
    }
    return x;
}

// x of the threads that share threadIdx.x, combined; every one of them gets the result.
template <typename T, typename Op> GG_FN T gg_reduce_column(T x, Op op)
{
    if (blockDim.y == 1) return x;
    T *const part = (T *)gg_column_memory();
    __syncthreads();
    part[threadIdx.y * blockDim.x + threadIdx.x] = x;
    __syncthreads();
    x = part[threadIdx.x];
    for (int k = 1; k < (int)blockDim.y; ++k) x = op(x, part[k * blockDim.x + threadIdx.x]);
    return x;
}
