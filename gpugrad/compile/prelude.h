// What generated kernels use beside maths.h: the meaning that NumPy gives to the ops that C has no operator for.
// The same text serves C (with the vectorised functions of maths.h) and CUDA C++ (after cuda.h, with CUDA's own).
#ifndef GG_CUDA
#pragma once
#include <stddef.h>
#include <stdint.h>
#define GG_FN static inline __attribute__((always_inline, unused))
#if defined(__FLT16_MAX__)
typedef _Float16 gg_half;
#endif

#define gg_inf_f32 ((float)__builtin_inff())
#define gg_inf_f64 ((double)__builtin_inf())
#define gg_nan_f32 ((float)__builtin_nanf(""))
#define gg_nan_f64 ((double)__builtin_nan(""))

#if defined(__FLT16_MAX__)
#define gg_round_float16(x) ((float)(gg_half)(x)) // from float or double, in one step
#endif
#define GG_FLOATING(T, S, F)                                                                   \
    GG_FN T gg_abs_##S(T x) { return __builtin_fabs##F(x); }                                   \
    GG_FN T gg_sqrt_##S(T x) { return __builtin_sqrt##F(x); }                                  \
    GG_FN T gg_floor_##S(T x) { return __builtin_floor##F(x); }                                \
    GG_FN T gg_ceil_##S(T x) { return __builtin_ceil##F(x); }                                  \
    GG_FN T gg_trunc_##S(T x) { return __builtin_trunc##F(x); }                                \
    GG_FN T gg_round_##S(T x) { return __builtin_rint##F(x); }                                 \
    GG_FN T gg_copysign_##S(T x, T y) { return __builtin_copysign##F(x, y); }                  \
    GG_FN T gg_nextafter_##S(T x, T y) { return __builtin_nextafter##F(x, y); }                \
    GG_FN T gg_fmod_##S(T x, T y) { return __builtin_fmod##F(x, y); }                          \
    GG_FN int gg_isinf_##S(T x) { return __builtin_fabs##F(x) == gg_inf_##S; }                 \
    GG_FN int gg_isfinite_##S(T x) { return __builtin_fabs##F(x) < gg_inf_##S; }               \
    GG_FN int gg_signbit_##S(T x) { return __builtin_signbit(x) != 0; }
GG_FLOATING(float, f32, f)
GG_FLOATING(double, f64, )
#endif

// nan if either is nan.
#define GG_COMPARING(T, S)                                                                     \
    GG_FN T gg_maximum_##S(T a, T b) { return (a > b || a != a) ? a : b; }                     \
    GG_FN T gg_minimum_##S(T a, T b) { return (a < b || a != a) ? a : b; }                     \
    GG_FN T gg_sign_##S(T x) { return x != x ? x : (T)((x > (T)0) - (x < (T)0)); }
GG_COMPARING(float, f32)
GG_COMPARING(double, f64)

// x - y * floor(x / y) with the sign of y, exact; the quotient that belongs to it.
#define GG_DIVISION(T, S)                                                                      \
    GG_FN T gg_remainder_##S(T x, T y)                                                         \
    {                                                                                          \
        T m = gg_fmod_##S(x, y);                                                               \
        return m == 0 ? gg_copysign_##S(m, y) : (m < 0) != (y < 0) ? m + y : m;                \
    }                                                                                          \
    GG_FN T gg_floor_divide_##S(T x, T y)                                                      \
    {                                                                                          \
        T m = gg_fmod_##S(x, y);                                                               \
        T q = (x - m) / y - ((m != 0 && (m < 0) != (y < 0)) ? (T)1 : (T)0);                    \
        T f = gg_floor_##S(q);                                                                 \
        f = q - f > (T)0.5 ? f + 1 : f;                                                        \
        f = q == 0 ? gg_copysign_##S((T)0, x / y) : f;                                         \
        return y == 0 ? x / y : f;                                                             \
    }
GG_DIVISION(float, f32)
GG_DIVISION(double, f64)

// Integers: division by zero gives 0, as in NumPy; shifts by the width or more give what is left.
#define GG_INTEGER(T, S, SIGNED, BITS)                                                         \
    GG_FN T gg_maximum_##S(T a, T b) { return a > b ? a : b; }                                 \
    GG_FN T gg_minimum_##S(T a, T b) { return a < b ? a : b; }                                 \
    GG_FN T gg_abs_##S(T x) { return (T)(SIGNED && x < 0 ? 0 - x : x); }                       \
    GG_FN T gg_sign_##S(T x) { return (T)((x > 0) - (SIGNED && x < 0)); }                      \
    GG_FN T gg_floor_divide_##S(T x, T y)                                                      \
    {                                                                                          \
        if (y == 0) return 0;                                                                  \
        if (SIGNED && y == (T)-1) return (T)(0 - x);                                           \
        return (T)(x / y - (SIGNED && x % y != 0 && (x < 0) != (y < 0)));                      \
    }                                                                                          \
    GG_FN T gg_remainder_##S(T x, T y)                                                         \
    {                                                                                          \
        if (y == 0 || (SIGNED && y == (T)-1)) return 0;                                        \
        T m = (T)(x % y);                                                                      \
        return (T)(SIGNED && m != 0 && (m < 0) != (y < 0) ? m + y : m);                        \
    }                                                                                          \
    GG_FN T gg_bitwise_left_shift_##S(T x, T y)                                                \
    {                                                                                          \
        return (uint64_t)y < BITS ? (T)((uint64_t)x << (uint64_t)y) : (T)0;                    \
    }                                                                                          \
    GG_FN T gg_bitwise_right_shift_##S(T x, T y)                                               \
    {                                                                                          \
        return (uint64_t)y < BITS ? (T)(x >> y) : SIGNED && x < 0 ? (T)-1 : (T)0;              \
    }
GG_INTEGER(int8_t, i8, 1, 8)
GG_INTEGER(int16_t, i16, 1, 16)
GG_INTEGER(int32_t, i32, 1, 32)
GG_INTEGER(int64_t, i64, 1, 64)
GG_INTEGER(uint8_t, u8, 0, 8)
GG_INTEGER(uint16_t, u16, 0, 16)
GG_INTEGER(uint32_t, u32, 0, 32)
GG_INTEGER(uint64_t, u64, 0, 64)

// From floating point to integers. What is out of range, undefined in C, is the least integer, as the instructions of x86 have it;
// small integers wrap round from those of 32 bits, uint32 from 64. On GPUs, as CUDA C++ has it.
#ifdef GG_CUDA
GG_FN int64_t gg_to_i64(double x) { return (int64_t)x; }
GG_FN int32_t gg_to_i32(double x) { return (int32_t)(int64_t)x; }
GG_FN uint64_t gg_to_u64(double x) { return x < 9223372036854775808.0 ? (uint64_t)(int64_t)x : (uint64_t)x; }
#else
GG_FN int64_t gg_to_i64(double x)
{
    return x >= -9223372036854775808.0 && x < 9223372036854775808.0 ? (int64_t)x : INT64_MIN;
}
GG_FN int32_t gg_to_i32(double x) { return x > -2147483649.0 && x < 2147483648.0 ? (int32_t)x : INT32_MIN; }
GG_FN uint64_t gg_to_u64(double x)
{
    if (x < 9223372036854775808.0) return (uint64_t)gg_to_i64(x);
    return x < 18446744073709551616.0 ? (uint64_t)x : 0;
}
#endif
GG_FN int8_t gg_to_i8(double x) { return (int8_t)gg_to_i32(x); }
GG_FN int16_t gg_to_i16(double x) { return (int16_t)gg_to_i32(x); }
GG_FN uint8_t gg_to_u8(double x) { return (uint8_t)gg_to_i32(x); }
GG_FN uint16_t gg_to_u16(double x) { return (uint16_t)gg_to_i32(x); }
GG_FN uint32_t gg_to_u32(double x) { return (uint32_t)gg_to_i64(x); }

#ifndef GG_CUDA
// Vectors of 64 bytes, for vectors.py: loading, filling, and the sum of all elements, by halves where the compiler can.
#ifdef __has_builtin
#if __has_builtin(__builtin_shufflevector)
#define GG_HALF(v, ...) __builtin_shufflevector(v, v, __VA_ARGS__)
#endif
#endif
typedef float gg_v_f32 __attribute__((vector_size(64)));
typedef float gg_v8_f32 __attribute__((vector_size(32)));
typedef float gg_v4_f32 __attribute__((vector_size(16)));
typedef double gg_v_f64 __attribute__((vector_size(64)));
typedef double gg_v4_f64 __attribute__((vector_size(32)));
typedef double gg_v2_f64 __attribute__((vector_size(16)));
GG_FN gg_v_f32 gg_load_f32(const float *p)
{
    gg_v_f32 v;
    __builtin_memcpy(&v, p, 64);
    return v;
}
GG_FN gg_v_f64 gg_load_f64(const double *p)
{
    gg_v_f64 v;
    __builtin_memcpy(&v, p, 64);
    return v;
}
GG_FN gg_v_f32 gg_all_f32(float x) { return x - (gg_v_f32){0}; }
GG_FN gg_v_f64 gg_all_f64(double x) { return x - (gg_v_f64){0}; }
GG_FN float gg_sum_f32(gg_v_f32 v)
{
#ifdef GG_HALF
    gg_v8_f32 a = GG_HALF(v, 0, 1, 2, 3, 4, 5, 6, 7) + GG_HALF(v, 8, 9, 10, 11, 12, 13, 14, 15);
    gg_v4_f32 b = GG_HALF(a, 0, 1, 2, 3) + GG_HALF(a, 4, 5, 6, 7);
    gg_v4_f32 c = b + GG_HALF(b, 2, 3, 0, 1);
    return c[0] + c[1];
#else
    float x = v[0];
    for (int l = 1; l < 16; ++l) x += v[l];
    return x;
#endif
}
GG_FN double gg_sum_f64(gg_v_f64 v)
{
#ifdef GG_HALF
    gg_v4_f64 a = GG_HALF(v, 0, 1, 2, 3) + GG_HALF(v, 4, 5, 6, 7);
    gg_v2_f64 b = GG_HALF(a, 0, 1) + GG_HALF(a, 2, 3);
    return b[0] + b[1];
#else
    double x = v[0];
    for (int l = 1; l < 8; ++l) x += v[l];
    return x;
#endif
}
#endif
