/* Elementary functions that a C compiler vectorises.
 *
 * gg_<name>_f32 (float) and gg_<name>_f64 (double) are branch-free inline functions of C11: inside a plain loop
 *
 *     #pragma omp simd
 *     for (int64_t j = 0; j < n; ++j) y[j] = gg_exp_f32(x[j]);
 *
 * GCC turns them into vector code (checked with GCC 12 for SSE4.2, AVX2, AVX-512); they keep to what GCC 9 and Clang 11 vectorise:
 * arithmetic, square roots, rounding, bit casts and selects, no table and no call. To be compiled with
 *
 *     -O3 -march=native -fopenmp-simd -fno-math-errno -fno-trapping-math -ffp-contract=off
 *
 * and never with -ffast-math: infinities, NaN, signed zeros and the order of the operations carry meaning here. The header stands
 * alone and needs nothing but <math.h>; link with -lm.
 *
 * Values follow C99, Annex F: NaN passes through, exp(inf) = inf, log(0) = -inf, log(-1) = NaN, atan2 and pow as tabulated there
 * (pow(x, 0) = pow(1, y) = 1), hypot(inf, NaN) = inf; f(-0) = -0 for the odd functions. Results underflow gradually. logaddexp is
 * NumPy's log(e^x + e^y), sigmoid is 1 / (1 + e^-x). The rounding mode must be to nearest.
 *
 * Error, in units in the last place of the result (for logaddexp, whose terms may cancel, of the largest of |x|, |y| and the result).
 * A bound is the largest error found, rounded up, with and without fused multiply-add (__FMA__, __aarch64__). Searched, against
 * libm in the next wider type: in float32 every ninth bit pattern of all 2^32 with fused multiply-add, two million at random without,
 * and 20 million pairs for two arguments; in float64, against an 80-bit long double, 10 million samples over all exponents and dense
 * where the functions have their seams. "libm": the float64 function calls libm's and its loop stays scalar; the error is glibc's.
 * With SSE2 alone (no -march) float32 sin, cos, tan, pow and float64 atan2 stay scalar too.
 *
 *   name        float32   float64
 *   exp            1.2       1.2
 *   exp2           1.3       1.2
 *   expm1          1.7       2.0
 *   log            1.0       0.9
 *   log1p          1.7       1.5
 *   log2           2.1       0.9
 *   log10          2.6       0.8
 *   sin            1.7       0.6   libm
 *   cos            1.7       0.6   libm
 *   tan            0.6       0.6   libm
 *   asin           2.2       2.2
 *   acos           1.3       1.3
 *   atan           1.7       2.0
 *   atan2          1.7       2.1
 *   sinh           1.7       1.8
 *   cosh           1.6       1.7
 *   tanh           1.2       1.5
 *   asinh          2.1       1.9
 *   acosh          2.3       2.2
 *   atanh          2.4       2.2
 *   erf            1.4       1.4
 *   erfc           3.4       3.9
 *   sigmoid        2.6       2.5
 *   pow            0.6       0.6   libm
 *   hypot          0.6       1.3
 *   logaddexp      2.6       2.5
 *
 * Methods: argument reduction after Cody & Waite, "Software Manual for the Elementary Functions" (1980), and Muller, "Elementary
 * Functions" (3rd ed., 2016); polynomials are minimax fits for the relative error of the result, by Remez's algorithm in 45 digits:
 * the lowest coefficient is rounded, the others are fitted anew, and so on upwards.
 * Coefficients that are no fits are mathematical constants. Both values of a `c ? a : b` are computed: a choice of values, not of paths. */
#ifndef GPUGRAD_MATHS_H
#define GPUGRAD_MATHS_H

#include <math.h>
#include <stdint.h>
#include <string.h>

#define GG_FN static inline __attribute__((always_inline, unused))

/* ---------------------------------------------------------------- tools */

/* One rounding where the machine has it; a*b+c, which the bounds above do not rely on, where it has not. */
#if defined(__FMA__) || defined(__aarch64__)
GG_FN float gg_fma_f32(float a, float b, float c) { return __builtin_fmaf(a, b, c); }
GG_FN double gg_fma_f64(double a, double b, double c) { return __builtin_fma(a, b, c); }
#else
GG_FN float gg_fma_f32(float a, float b, float c) { return a * b + c; }
GG_FN double gg_fma_f64(double a, double b, double c) { return a * b + c; }
#endif

/* c0 + t c1 + t^2 c2 + ... by Horner's rule; GG_P<n>_<type>(t, c0, ..., c<n-1>). */
#define GG_H1(F, t, a) (a)
#define GG_H2(F, t, a, ...) F(t, GG_H1(F, t, __VA_ARGS__), a)
#define GG_H3(F, t, a, ...) F(t, GG_H2(F, t, __VA_ARGS__), a)
#define GG_H4(F, t, a, ...) F(t, GG_H3(F, t, __VA_ARGS__), a)
#define GG_H5(F, t, a, ...) F(t, GG_H4(F, t, __VA_ARGS__), a)
#define GG_H6(F, t, a, ...) F(t, GG_H5(F, t, __VA_ARGS__), a)
#define GG_H7(F, t, a, ...) F(t, GG_H6(F, t, __VA_ARGS__), a)
#define GG_H8(F, t, a, ...) F(t, GG_H7(F, t, __VA_ARGS__), a)
#define GG_H9(F, t, a, ...) F(t, GG_H8(F, t, __VA_ARGS__), a)
#define GG_H10(F, t, a, ...) F(t, GG_H9(F, t, __VA_ARGS__), a)
#define GG_H11(F, t, a, ...) F(t, GG_H10(F, t, __VA_ARGS__), a)
#define GG_H12(F, t, a, ...) F(t, GG_H11(F, t, __VA_ARGS__), a)
#define GG_H18(F, t, a, b, c, d, e, f, ...) F(t, F(t, F(t, F(t, F(t, F(t, GG_H12(F, t, __VA_ARGS__), f), e), d), c), b), a)
#define GG_H23(F, t, a, b, c, d, e, ...) F(t, F(t, F(t, F(t, F(t, GG_H18(F, t, __VA_ARGS__), e), d), c), b), a)
#define GG_POLY_F32(n, t, ...) GG_H##n(gg_fma_f32, t, __VA_ARGS__)
#define GG_POLY_F64(n, t, ...) GG_H##n(gg_fma_f64, t, __VA_ARGS__)

GG_FN uint32_t gg_bits_f32(float x) { uint32_t i; memcpy(&i, &x, sizeof i); return i; }
GG_FN float gg_from_bits_f32(uint32_t i) { float x; memcpy(&x, &i, sizeof x); return x; }
GG_FN uint64_t gg_bits_f64(double x) { uint64_t i; memcpy(&i, &x, sizeof i); return i; }
GG_FN double gg_from_bits_f64(uint64_t i) { double x; memcpy(&x, &i, sizeof x); return x; }

/* Bounds that let a NaN through. */
GG_FN float gg_clamp_f32(float x, float lo, float hi) { float y = x < lo ? lo : x; return y > hi ? hi : y; }
GG_FN double gg_clamp_f64(double x, double lo, double hi) { double y = x < lo ? lo : x; return y > hi ? hi : y; }

/* Adding and subtracting 1.5 * 2^23 (2^52) rounds to the nearest integer and leaves it in the low bits on the way. */
#define GG_ROUND_F32 0x1.8p23f
#define GG_ROUND_F64 0x1.8p52

/* 2^n for an integral n of a normal result. */
GG_FN float gg_pow2_f32(float n) { return gg_from_bits_f32((gg_bits_f32(n + GG_ROUND_F32) << 23) + 0x3f800000u); }
GG_FN double gg_pow2_f64(double n)
{
    return gg_from_bits_f64((gg_bits_f64(n + GG_ROUND_F64) << 52) + 0x3ff0000000000000u);
}

/* p 2^n in two steps: overflow gives inf and a subnormal result is rounded once. |n| <= 252 (2044). */
GG_FN float gg_scale_f32(float p, float n)
{
    float half = (n * 0.5f + GG_ROUND_F32) - GG_ROUND_F32;
    return p * gg_pow2_f32(half) * gg_pow2_f32(n - half);
}
/* p 2^n for t = n + GG_ROUND_F32, as above in integers, of which the units of a CPU are idle here. */
GG_FN float gg_scale_int_f32(float p, float t)
{
    int32_t n = (int32_t)(gg_bits_f32(t) - 0x4b400000u), half = n >> 1;
    float first = gg_from_bits_f32((uint32_t)(half + 127) << 23), second = gg_from_bits_f32((uint32_t)(n - half + 127) << 23);
    return p * first * second;
}
GG_FN double gg_scale_f64(double p, double n)
{
    double half = (n * 0.5 + GG_ROUND_F64) - GG_ROUND_F64;
    return p * gg_pow2_f64(half) * gg_pow2_f64(n - half);
}

/* ---------------------------------------------------------------- float32: exponentials */

#define GG_LN2_HI_F32 0x1.62e4p-1f /* 15 bits: its product with an exponent is exact (Cody & Waite) */
#define GG_LN2_LO_F32 0x1.7f7d1cp-20f

/* e^r - 1 = r + r^2 q(r) for |r| <= ln(2)/2. */
GG_FN float gg_expm1_poly_f32(float r)
{
    float q = GG_POLY_F32(5, r, 0.5f, 0.166665152f, 0.0416665711f, 0.00836925488f, 0.00139250304f);
    return gg_fma_f32(r * r, q, r);
}
/* e^r with one rounding near 1 fewer than 1 + (e^r - 1). */
GG_FN float gg_exp_poly_f32(float r)
{
    return GG_POLY_F32(7, r, 1.0f, 1.0f, 0.5f, 0.166665152f, 0.0416665711f, 0.00836925488f, 0.00139250304f);
}
/* The integer nearest to x / ln 2. */
GG_FN float gg_exp_n_f32(float x) { return gg_fma_f32(x, 0x1.715476p+0f, GG_ROUND_F32) - GG_ROUND_F32; }
GG_FN float gg_exp_r_f32(float x, float n) { return gg_fma_f32(n, -GG_LN2_LO_F32, gg_fma_f32(n, -GG_LN2_HI_F32, x)); }

GG_FN float gg_exp_f32(float x)
{
    x = gg_clamp_f32(x, -104.0f, 89.0f);
    float t = gg_fma_f32(x, 0x1.715476p+0f, GG_ROUND_F32);
    return gg_scale_int_f32(gg_exp_poly_f32(gg_exp_r_f32(x, t - GG_ROUND_F32)), t);
}

GG_FN float gg_exp2_poly_f32(float f) /* 2^f for |f| <= 1/2 */
{
    float q = GG_POLY_F32(6, f, 0.693147182f, 0.240226507f, 0.0555032752f, 0.00961800292f, 0.00134004035f, 0.000154764566f);
    return gg_fma_f32(f, q, 1.0f);
}

GG_FN float gg_exp2_f32(float x)
{
    x = gg_clamp_f32(x, -151.0f, 129.0f);
    float n = (x + GG_ROUND_F32) - GG_ROUND_F32;
    return gg_scale_f32(gg_exp2_poly_f32(x - n), n);
}

GG_FN float gg_expm1_f32(float x)
{
    float c = gg_clamp_f32(x, -20.0f, 89.0f);
    float n = gg_exp_n_f32(c), s = gg_pow2_f32(n - 1.0f);
    float q = gg_expm1_poly_f32(gg_exp_r_f32(c, n));
    float y = 2.0f * gg_fma_f32(s, q, s - 0.5f);
    return fabsf(x) < 0x1p-26f ? x : y;
}

GG_FN float gg_sigmoid_f32(float x)
{
    float z = gg_exp_f32(-fabsf(x)); /* does not overflow */
    return (x < 0.0f ? z : 1.0f) / (1.0f + z);
}

GG_FN float gg_tanh_f32(float x)
{
    float a = fabsf(x), z = x * x;
    float p = GG_POLY_F32(6, z, -0.333332211f, 0.133305132f, -0.0537300929f, 0.0209252406f, -0.00688360678f, 0.00131373969f);
    float small = gg_fma_f32(x * z, p, x);
    float c = 2.0f * (a > 9.5f ? 9.5f : a), n = gg_exp_n_f32(c);
    float large = 1.0f - 2.0f / gg_fma_f32(gg_pow2_f32(n), gg_exp_poly_f32(gg_exp_r_f32(c, n)), 1.0f);
    return copysignf(a < 0.8f ? small : large, x);
}

/* e^a / 2 for a >= 0, without an early overflow. */
GG_FN float gg_half_exp_f32(float a)
{
    float c = a > 90.0f ? 90.0f : a, n = gg_exp_n_f32(c);
    return gg_scale_f32(gg_exp_poly_f32(gg_exp_r_f32(c, n)), n - 1.0f);
}

GG_FN float gg_sinh_f32(float x)
{
    float z = x * x, e = gg_half_exp_f32(fabsf(x));
    float p = GG_POLY_F32(4, z, 0.166666672f, 0.00833331235f, 0.000198423426f, 2.78606012e-06f);
    float small = gg_fma_f32(x * z, p, x), large = copysignf(e - 0.25f / e, x);
    return fabsf(x) < 1.0f ? small : large;
}

GG_FN float gg_cosh_f32(float x)
{
    float e = gg_half_exp_f32(fabsf(x));
    return e + 0.25f / e;
}

/* ---------------------------------------------------------------- float32: logarithms */

typedef struct { float e, f; } gg_split_f32_t;

/* x = 2^e (1 + f), 2/3 <= 1 + f < 4/3, for finite x > 0. */
GG_FN gg_split_f32_t gg_split_f32(float x)
{
    gg_split_f32_t s;
    uint32_t tiny = x < 0x1p-126f;
    uint32_t i = gg_bits_f32(tiny ? x * 0x1p23f : x) - 0x3f2aaaabu;
    s.e = (float)((int32_t)i >> 23) - (tiny ? 23.0f : 0.0f);
    s.f = gg_from_bits_f32((i & 0x7fffffu) + 0x3f2aaaabu) - 1.0f;
    return s;
}

GG_FN float gg_log_split_f32(float e, float f)
{
    float q = GG_POLY_F32(8, f, 0.333332241f, -0.249996886f, 0.200100303f, -0.166854843f, 0.140111506f, -0.121147029f,
                          0.139612406f, -0.131945699f);
    float t = (f * f) * gg_fma_f32(f, q, -0.5f);
    return gg_fma_f32(e, GG_LN2_HI_F32, f + gg_fma_f32(e, GG_LN2_LO_F32, t));
}

/* The values of a logarithm at x <= 0, inf and NaN; y elsewhere. */
GG_FN float gg_log_edges_f32(float x, float y)
{
    float r = x < INFINITY ? y : x;
    float edge = x == 0.0f ? -INFINITY : NAN;
    return x > 0.0f ? r : edge;
}

GG_FN float gg_log_f32(float x)
{
    gg_split_f32_t s = gg_split_f32(x);
    return gg_log_edges_f32(x, gg_log_split_f32(s.e, s.f));
}

GG_FN float gg_log2_f32(float x)
{
    gg_split_f32_t s = gg_split_f32(x);
    float q = GG_POLY_F32(9, s.f, -0.72134757f, 0.480896443f, -0.360664934f, 0.288700372f, -0.240845039f, 0.201884925f,
                          -0.17334424f, 0.202605292f, -0.196063697f);
    float t = s.f * gg_fma_f32(s.f, q, 0.442695041f); /* 1 / ln 2 = 1 + 0.44... */
    return gg_log_edges_f32(x, s.e + (s.f + t));
}

GG_FN float gg_log10_f32(float x)
{
    gg_split_f32_t s = gg_split_f32(x);
    float q = GG_POLY_F32(9, s.f, -0.217147246f, 0.1447642f, -0.108572662f, 0.0869107321f, -0.0724347606f, 0.0607207455f,
                          -0.0530943051f, 0.0612362288f, -0.0550270267f);
    float t = s.f * gg_fma_f32(s.f, q, -0.00320551810f); /* 1 / ln 10 = 7/16 - 0.003... */
    float lo = gg_fma_f32(s.f, 0.4375f, gg_fma_f32(s.e, 0x1.3509f8p-18f, t));
    return gg_log_edges_f32(x, gg_fma_f32(s.e, 0x1.344p-2f, lo));
}

/* log(u) with u = fl(1 + x); what the sum lost goes into the fraction. */
GG_FN float gg_log1p_f32(float x)
{
    float u = 1.0f + x, b = u - 1.0f, lost = (1.0f - (u - b)) + (x - b);
    gg_split_f32_t s = gg_split_f32(u);
    float f = gg_fma_f32(lost, gg_pow2_f32(s.e > 100.0f ? -100.0f : -s.e), s.f);
    float y = gg_log_edges_f32(u, gg_log_split_f32(s.e, f));
    return fabsf(x) < 0x1p-26f ? x : y;
}

GG_FN float gg_logaddexp_f32(float x, float y)
{
    float top = x > y ? x : y;
    float r = top + gg_log1p_f32(gg_exp_f32(-fabsf(x - y)));
    return x == y ? x + 0.693147181f : r;
}

GG_FN float gg_asinh_f32(float x)
{
    float a = fabsf(x), z = a * a;
    float w = a > 0x1p30f ? a : a + z / (1.0f + sqrtf(1.0f + z));
    float y = gg_log1p_f32(w) + (a > 0x1p30f ? 0.693147181f : 0.0f);
    return copysignf(y, x);
}

GG_FN float gg_acosh_f32(float x)
{
    float t = x - 1.0f;
    float w = x > 0x1p30f ? x : t + sqrtf(2.0f * t + t * t);
    float y = gg_log1p_f32(w) + (x > 0x1p30f ? 0.693147181f : 0.0f);
    return x >= 1.0f ? y : NAN;
}

GG_FN float gg_atanh_f32(float x)
{
    float a = fabsf(x);
    return copysignf(0.5f * gg_log1p_f32(2.0f * a / (1.0f - a)), x);
}

/* ---------------------------------------------------------------- float32: trigonometry */

typedef struct { double r; int32_t q; } gg_angle_f32_t;

/* x = q pi/2 + r with |r| <= pi/4, for every finite x. Payne & Hanek's idea without a table look-up: 1/(2 pi) in parts of 29 bits,
 * whose products with the 24 bits of x are exact in double; of each product the fraction alone matters. */
GG_FN gg_angle_f32_t gg_angle_f32(float x)
{
    gg_angle_f32_t a;
    double d = (double)x;
    double p1 = d * 0x1.45f306d000000p-3, p2 = d * 0x1.9391054000000p-32, p3 = d * 0x1.4fe13ab000000p-61;
    double p4 = d * 0x1.d1f534d000000p-90, p5 = d * 0x1.b81b6c5000000p-119, p6 = d * 0x1.5993c40000000p-150;
    double t1 = p1 - __builtin_rint(p1), t2 = p2 - __builtin_rint(p2), t3 = p3 - __builtin_rint(p3);
    double t4 = p4 - __builtin_rint(p4), t5 = p5 - __builtin_rint(p5);
    double tail = gg_fma_f64(d, 0x1.c820ff28b1d5fp-177, p6);
    double n = __builtin_rint(4.0 * (t1 + (t2 + (t3 + (t4 + (t5 + tail))))));
    double f = ((((gg_fma_f64(n, -0.25, t1) + t2) + t3) + t4) + t5) + tail;
    a.r = f * 6.283185307179586;
    a.q = (int32_t)n;
    return a;
}

/* (-1)^(q div 2) times sin r (q even) or cos r (q odd). */
GG_FN float gg_sin_angle_f32(float r, int32_t q)
{
    float z = r * r;
    float s = gg_fma_f32(r * z, GG_POLY_F32(3, z, -0.166666552f, 0.00833219104f, -0.000195186047f), r);
    float c = gg_fma_f32(z * z, GG_POLY_F32(3, z, 0.0416666456f, -0.00138873013f, 2.44306702e-05f), gg_fma_f32(z, -0.5f, 1.0f));
    float y = (q & 1) ? c : s;
    return gg_from_bits_f32(gg_bits_f32(y) ^ ((uint32_t)(q & 2) << 30));
}

GG_FN float gg_sin_f32(float x)
{
    gg_angle_f32_t a = gg_angle_f32(x);
    float y = gg_sin_angle_f32((float)a.r, a.q);
    return fabsf(x) < 0x1p-13f ? x : y;
}

GG_FN float gg_cos_f32(float x)
{
    gg_angle_f32_t a = gg_angle_f32(x);
    return gg_sin_angle_f32((float)a.r, a.q + 1);
}

GG_FN float gg_tan_f32(float x)
{
    gg_angle_f32_t a = gg_angle_f32(x);
    double r = a.r, z = r * r;
    double s = r + r * z * GG_POLY_F64(4, z, -0.16666666641577627, 0.008333329380057737, -0.0001983933292606512,
                                       2.718293040518302e-06);
    double c = (1.0 - 0.5 * z) + z * z * GG_POLY_F64(4, z, 0.04166666662274092, -0.0013888883745750674, 2.479951795513954e-05,
                                                     -2.721006574793882e-07);
    float y = (float)(((a.q & 1) ? -c : s) / ((a.q & 1) ? s : c));
    return fabsf(x) < 0x1p-13f ? x : y;
}

#define GG_PIO2_HI_F32 1.57079637f
#define GG_PIO2_LO_F32 -4.37113883e-08f

/* asin s - s, z = s^2 <= 1/4. */
GG_FN float gg_asin_rest_f32(float s, float z)
{
    return s * z * GG_POLY_F32(5, z, 0.166667536f, 0.0749525204f, 0.0454760455f, 0.0241520554f, 0.0422118902f);
}

/* Above 1/2: pi/2 - 2 asin(s) with s = sqrt((1 - |x|) / 2); pi/2 - 2 s comes first, being nearly exact. */
GG_FN float gg_asin_f32(float x)
{
    float a = fabsf(x), z = a > 0.5f ? 0.5f * (1.0f - a) : x * x, s = a > 0.5f ? sqrtf(z) : a;
    float rest = gg_asin_rest_f32(s, z);
    float large = (GG_PIO2_HI_F32 - 2.0f * s) - (2.0f * rest - GG_PIO2_LO_F32);
    return copysignf(a > 0.5f ? large : s + rest, x);
}

GG_FN float gg_acos_f32(float x)
{
    float a = fabsf(x), z = a > 0.5f ? 0.5f * (1.0f - a) : x * x, s = a > 0.5f ? sqrtf(z) : x;
    float rest = gg_asin_rest_f32(s, z);
    float middle = (GG_PIO2_HI_F32 - s) - (rest - GG_PIO2_LO_F32);
    float ends = x < 0.0f ? 2.0f * middle : 2.0f * (s + rest);
    return a > 0.5f ? ends : middle;
}

GG_FN float gg_atan_poly_f32(float r) /* atan r for 0 <= r <= 1 */
{
    float z = r * r;
    float p = GG_POLY_F32(9, z, -0.333333015f, 0.199986264f, -0.142650917f, 0.109566994f, -0.0841678679f, 0.0581866838f,
                          -0.0314044282f, 0.0110339308f, -0.00181948009f);
    return gg_fma_f32(r * z, p, r);
}

GG_FN float gg_atan_f32(float x)
{
    float a = fabsf(x), p = gg_atan_poly_f32(a > 1.0f ? 1.0f / a : a);
    return copysignf(a > 1.0f ? GG_PIO2_HI_F32 - (p - GG_PIO2_LO_F32) : p, x);
}

GG_FN float gg_atan2_f32(float y, float x)
{
    float ax = fabsf(x), ay = fabsf(y);
    uint32_t steep = ay > ax;
    float n = steep ? ax : ay, d = steep ? ay : ax;
    float quotient = n / d, equal = n == 0.0f ? 0.0f : 1.0f; /* 0/0 and inf/inf have a direction */
    float p = gg_atan_poly_f32(n == d ? equal : quotient);
    p = steep ? GG_PIO2_HI_F32 - (p - GG_PIO2_LO_F32) : p;
    p = gg_bits_f32(x) >> 31 ? 2.0f * GG_PIO2_HI_F32 - (p - 2.0f * GG_PIO2_LO_F32) : p;
    return copysignf(p, y);
}

/* ---------------------------------------------------------------- float32: error function, powers */

/* |x| < 1: x + x p(x^2). Beyond: 1 - 2^-q(|x|), q a fit to -log2 erfc. */
GG_FN float gg_erf_f32(float x)
{
    float a = fabsf(x), z = x * x;
    float p = GG_POLY_F32(7, z, 0.128379166f, -0.37612626f, 0.112835787f, -0.0268533472f, 0.0051871622f, -0.00079978531f,
                          7.80690316e-05f);
    float small = gg_fma_f32(x, p, x);
    float c = a > 4.0f ? 4.0f : a;
    float q = GG_POLY_F32(7, c, 0.000492792984f, 1.6260457f, 0.920648813f, 0.148751214f, -0.0315054394f, 0.00425249618f,
                          -0.000268877746f);
    float n = GG_ROUND_F32 - (GG_ROUND_F32 + q), f = -q - n;
    float e = GG_POLY_F32(6, f, 1.0f, 0.693147242f, 0.240222231f, 0.0555023998f, 0.00967259984f, 0.00134358078f);
    float large = copysignf(gg_fma_f32(-gg_pow2_f32(n), e, 1.0f), x);
    return a < 1.0f ? small : large;
}

/* exp(-x^2) (1 + 2 x) erfcx(x) / (1 + 2 x), the middle a polynomial in (x - 2) / (x + 2) (Shepherd & Laframboise 1981); x^2 in two
 * parts, since its rounding error would be multiplied by x^2. Below 1/2: 1 - erf x. */
GG_FN float gg_erfc_f32(float x)
{
    float a = fabsf(x);
    a = a > 10.5f ? 10.5f : a;
    float t = (a - 2.0f) / (a + 2.0f);
    float p = GG_POLY_F32(10, t, 1.27697837f, -0.0927639827f, -0.166030645f, 0.164055139f, -0.0542099513f, -0.00806004927f,
                          0.0086465152f, 0.00131866685f, -0.00124314777f, -0.000408617139f);
    float head = gg_from_bits_f32(gg_bits_f32(a) & 0xfffff000u), hi = -head * head, lo = (head - a) * (a + head);
    float n = gg_exp_n_f32(hi), r = gg_exp_r_f32(hi, n) + lo;
    float w = p / gg_fma_f32(2.0f, a, 1.0f), y = gg_scale_f32(gg_fma_f32(w, gg_expm1_poly_f32(r), w), n);
    float z = x * x, near0 = GG_POLY_F32(5, z, 0.128379151f, -0.376125604f, 0.112821557f, -0.0267221089f, 0.00465627154f);
    near0 = 1.0f - gg_fma_f32(x, near0, x);
    y = x < 0.0f ? 2.0f - y : y;
    return fabsf(x) < 0.5f ? near0 : y;
}

/* 2^(y log2 |x|) in double, then C99's special cases. */
GG_FN float gg_pow_f32(float x, float y)
{
    double a = (double)fabsf(x), yd = (double)y;
    uint64_t i = gg_bits_f64(a) + (0x3ff0000000000000u - 0x3fe6a09e667f3bcdu);
    double e = gg_from_bits_f64((i >> 52) | 0x4330000000000000u) - (0x1p52 + 1023.0);
    double f = gg_from_bits_f64((i & 0xfffffffffffffu) + 0x3fe6a09e667f3bcdu) - 1.0;
    double s = f / (2.0 + f), z = s * s;
    double l = s * GG_POLY_F64(6, z, 2.0, 0.6666666667581894, 0.3999999561514769, 0.2857210992452663, 0.2217615444516326,
                               0.19584674957026169);
    l = gg_fma_f64(l, 1.4426950408889634, e);
    l = a < (double)INFINITY ? l : a;
    l = a == 0.0 ? -(double)INFINITY : l;
    double w = gg_clamp_f64(yd * l, -200.0, 200.0), n = (w + GG_ROUND_F64) - GG_ROUND_F64, g = w - n;
    double q = GG_POLY_F64(7, g, 0.693147180541517, 0.24022651078131427, 0.05550410962664058, 0.00961803654047799,
                           0.0013333430749680963, 0.00015467238302635435, 1.5314959446974874e-05);
    float r = (float)(gg_fma_f64(g, q, 1.0) * gg_pow2_f64(n));
    double c = gg_clamp_f64(yd, -0x1p25, 0x1p25), whole = c + GG_ROUND_F64; /* beyond 2^24 every float is even */
    uint32_t integral = whole - GG_ROUND_F64 == c;
    uint32_t negative = gg_bits_f32(x) >> 31;
    uint32_t odd = integral & (uint32_t)gg_bits_f64(whole);
    r = fabsf(x) == 1.0f ? (y == y ? 1.0f : y) : r;
    r = (x < 0.0f) & (x > -INFINITY) & !integral & (y == y) ? NAN : r;
    r = gg_from_bits_f32(gg_bits_f32(r) ^ ((negative & odd) << 31));
    return (x == 1.0f) | (y == 0.0f) ? 1.0f : r;
}

GG_FN float gg_hypot_f32(float x, float y)
{
    double a = (double)x, b = (double)y;
    float r = (float)__builtin_sqrt(a * a + b * b);
    return (fabsf(x) == INFINITY) | (fabsf(y) == INFINITY) ? INFINITY : r;
}

/* ---------------------------------------------------------------- float64: exponentials */

#define GG_LN2_HI_F64 0x1.62e42fefa3p-1 /* 41 bits */
#define GG_LN2_LO_F64 0x1.3de6af278ece6p-42

GG_FN double gg_expm1_poly_f64(double r)
{
    double q = GG_POLY_F64(11, r, 0.5, 0.16666666666666677, 0.04166666666666667, 0.00833333333332148, 0.0013888888888878687,
                           0.00019841269886297224, 2.4801587349895647e-05, 2.75572441722161e-06, 2.755724086606541e-07,
                           2.5109026056648156e-08, 2.0927944062874854e-09);
    return gg_fma_f64(r * r, q, r);
}
GG_FN double gg_exp_poly_f64(double r)
{
    return GG_POLY_F64(12, r, 1.0, 1.0, 0.5000000000000013, 0.166666666666667, 0.04166666666650992, 0.008333333333307352,
                       0.0013888888948594066, 0.00019841269916839348, 2.4801488175173064e-05, 2.7557216918041203e-06,
                       2.7631947200586715e-07, 2.5117672965444833e-08);
}
GG_FN double gg_exp_n_f64(double x) { return gg_fma_f64(x, 1.4426950408889634, GG_ROUND_F64) - GG_ROUND_F64; }
GG_FN double gg_exp_r_f64(double x, double n) { return gg_fma_f64(n, -GG_LN2_LO_F64, gg_fma_f64(n, -GG_LN2_HI_F64, x)); }

GG_FN double gg_exp_f64(double x)
{
    x = gg_clamp_f64(x, -746.0, 710.0);
    double n = gg_exp_n_f64(x);
    return gg_scale_f64(gg_exp_poly_f64(gg_exp_r_f64(x, n)), n);
}

GG_FN double gg_exp2_f64(double x)
{
    x = gg_clamp_f64(x, -1076.0, 1025.0);
    double n = (x + GG_ROUND_F64) - GG_ROUND_F64, f = x - n;
    double q = GG_POLY_F64(11, f, 0.6931471805599453, 0.2402265069591015, 0.05550410866482406, 0.009618129107586219,
                           0.0013333558145774945, 0.00015403530467368617, 1.5252734480458955e-05, 1.321543009670212e-06,
                           1.0177781230403e-07, 7.074678663256234e-09, 4.4984488167982396e-10);
    return gg_scale_f64(gg_fma_f64(f, q, 1.0), n);
}

GG_FN double gg_expm1_f64(double x)
{
    double c = gg_clamp_f64(x, -40.0, 710.0);
    double n = gg_exp_n_f64(c), s = gg_pow2_f64(n - 1.0);
    double q = gg_expm1_poly_f64(gg_exp_r_f64(c, n));
    double y = 2.0 * gg_fma_f64(s, q, s - 0.5);
    return fabs(x) < 0x1p-55 ? x : y;
}

GG_FN double gg_sigmoid_f64(double x)
{
    double z = gg_exp_f64(-fabs(x));
    return (x < 0.0 ? z : 1.0) / (1.0 + z);
}

GG_FN double gg_tanh_f64(double x)
{
    double a = fabs(x), z = x * x;
    double p = GG_POLY_F64(11, z, -0.33333333333332876, 0.1333333333326468, -0.05396825393237184, 0.021869487599416898,
                           -0.008863221285688545, 0.0035919912986264375, -0.001454969073846736, 0.0005863478758393411,
                           -0.00022862389175651066, 7.720851435252262e-05, -1.610231911796504e-05);
    double small = gg_fma_f64(x * z, p, x);
    double c = 2.0 * (a > 20.0 ? 20.0 : a), n = gg_exp_n_f64(c);
    double large = 1.0 - 2.0 / gg_fma_f64(gg_pow2_f64(n), gg_exp_poly_f64(gg_exp_r_f64(c, n)), 1.0);
    return copysign(a < 0.625 ? small : large, x);
}

GG_FN double gg_half_exp_f64(double a)
{
    double c = a > 711.0 ? 711.0 : a, n = gg_exp_n_f64(c);
    return gg_scale_f64(gg_exp_poly_f64(gg_exp_r_f64(c, n)), n - 1.0);
}

GG_FN double gg_sinh_f64(double x)
{
    double z = x * x, e = gg_half_exp_f64(fabs(x));
    double p = GG_POLY_F64(7, z, 0.16666666666666669, 0.008333333333332915, 0.00019841269841589207, 2.7557319108516354e-06,
                           2.5052130666839976e-08, 1.6056688115288484e-10, 7.775649784845976e-13);
    double small = gg_fma_f64(x * z, p, x), large = copysign(e - 0.25 / e, x);
    return fabs(x) < 1.0 ? small : large;
}

GG_FN double gg_cosh_f64(double x)
{
    double e = gg_half_exp_f64(fabs(x));
    return e + 0.25 / e;
}

/* ---------------------------------------------------------------- float64: logarithms */

typedef struct { double e, f; } gg_split_f64_t;

/* x = 2^e (1 + f), sqrt(1/2) <= 1 + f < sqrt(2), for finite x > 0. The exponent becomes a double by way of the bits of 2^52, since
 * AVX2 has no conversion of 64-bit integers. */
GG_FN gg_split_f64_t gg_split_f64(double x)
{
    gg_split_f64_t s;
    uint64_t tiny = x < 0x1p-1022;
    uint64_t i = gg_bits_f64(tiny ? x * 0x1p52 : x) + (0x3ff0000000000000u - 0x3fe6a09e667f3bcdu);
    s.e = gg_from_bits_f64((i >> 52) | 0x4330000000000000u) - (tiny ? 0x1p52 + 1075.0 : 0x1p52 + 1023.0);
    s.f = gg_from_bits_f64((i & 0xfffffffffffffu) + 0x3fe6a09e667f3bcdu) - 1.0;
    return s;
}

/* log(1 + f) = f - f^2/2 + s (f^2/2 + R(s^2)) with s = f / (2 + f): all but f - f^2/2. */
GG_FN double gg_log_rest_f64(double f, double half)
{
    double s = f / (2.0 + f), z = s * s;
    double R = z * GG_POLY_F64(7, z, 0.6666666666666735, 0.39999999999409286, 0.2857142874370909, 0.22222198426218687,
                               0.18183572511691218, 0.15313827951842834, 0.1479830209738929);
    return s * (half + R);
}

GG_FN double gg_log_split_f64(double e, double f)
{
    double half = 0.5 * f * f;
    double lo = gg_fma_f64(e, GG_LN2_LO_F64, gg_log_rest_f64(f, half));
    return gg_fma_f64(e, GG_LN2_HI_F64, f - (half - lo));
}

GG_FN double gg_log_edges_f64(double x, double y)
{
    double r = x < (double)INFINITY ? y : x;
    double edge = x == 0.0 ? -(double)INFINITY : (double)NAN;
    return x > 0.0 ? r : edge;
}

GG_FN double gg_log_f64(double x)
{
    gg_split_f64_t s = gg_split_f64(x);
    return gg_log_edges_f64(x, gg_log_split_f64(s.e, s.f));
}

/* e * step + log(1 + f) * factor with both constants in two parts; the head of the logarithm keeps 21 bits, so that its product with
 * the head of the factor (32 bits) is exact. */
GG_FN double gg_log_base_f64(double x, double step_hi, double step_lo, double factor_hi, double factor_lo)
{
    gg_split_f64_t s = gg_split_f64(x);
    double half = 0.5 * s.f * s.f;
    double hi = gg_from_bits_f64(gg_bits_f64(s.f - half) & 0xffffffff00000000u);
    double lo = ((s.f - hi) - half) + gg_log_rest_f64(s.f, half);
    double big = s.e * step_hi, head = hi * factor_hi, sum = big + head;
    double lost = (big - sum) + head; /* |big| >= |head|, or big = 0 */
    return gg_log_edges_f64(x, sum + (lost + (s.e * step_lo + ((lo + hi) * factor_lo + lo * factor_hi))));
}

GG_FN double gg_log2_f64(double x) { return gg_log_base_f64(x, 1.0, 0.0, 0x1.71547652p+0, 0x1.705fc2eefa2p-33); }
GG_FN double gg_log10_f64(double x)
{
    return gg_log_base_f64(x, 0x1.34413509f7p-2, 0x1.3fde623e2566bp-43, 0x1.bcb7b152p-2, 0x1.b9438ca9aadd5p-36);
}

GG_FN double gg_log1p_f64(double x)
{
    double u = 1.0 + x, b = u - 1.0, lost = (1.0 - (u - b)) + (x - b);
    gg_split_f64_t s = gg_split_f64(u);
    double f = gg_fma_f64(lost, gg_pow2_f64(s.e > 1000.0 ? -1000.0 : -s.e), s.f);
    double y = gg_log_edges_f64(u, gg_log_split_f64(s.e, f));
    return fabs(x) < 0x1p-55 ? x : y;
}

GG_FN double gg_logaddexp_f64(double x, double y)
{
    double top = x > y ? x : y;
    double r = top + gg_log1p_f64(gg_exp_f64(-fabs(x - y)));
    return x == y ? x + 0.6931471805599453 : r;
}

GG_FN double gg_asinh_f64(double x)
{
    double a = fabs(x), z = a * a;
    double w = a > 0x1p60 ? a : a + z / (1.0 + sqrt(1.0 + z));
    double y = gg_log1p_f64(w) + (a > 0x1p60 ? 0.6931471805599453 : 0.0);
    return copysign(y, x);
}

GG_FN double gg_acosh_f64(double x)
{
    double t = x - 1.0;
    double w = x > 0x1p60 ? x : t + sqrt(2.0 * t + t * t);
    double y = gg_log1p_f64(w) + (x > 0x1p60 ? 0.6931471805599453 : 0.0);
    return x >= 1.0 ? y : (double)NAN;
}

GG_FN double gg_atanh_f64(double x)
{
    double a = fabs(x);
    return copysign(0.5 * gg_log1p_f64(2.0 * a / (1.0 - a)), x);
}

/* ---------------------------------------------------------------- float64: trigonometry */

/* A reduction of any double modulo pi/2 takes 1200 bits of 1/pi: libm's business. */
GG_FN double gg_sin_f64(double x) { return sin(x); }
GG_FN double gg_cos_f64(double x) { return cos(x); }
GG_FN double gg_tan_f64(double x) { return tan(x); }

#define GG_PIO2_HI_F64 0x1.921fb54442d18p+0
#define GG_PIO2_LO_F64 0x1.1a62633145c07p-54

/* asin s - s, z = s^2 <= 1/4. */
GG_FN double gg_asin_rest_f64(double s, double z)
{
    return s * z * GG_POLY_F64(12, z, 0.16666666666665383, 0.07500000000342942, 0.04464285682354716, 0.03038195932900265,
                               0.022371753571923333, 0.017359770422687583, 0.013884604876252185, 0.012173239201308146,
                               0.006511019391774963, 0.019573469503597462, -0.016293412321945415, 0.031958525882145296);
}

/* Above 1/2: pi/2 - 2 asin(s) with s = sqrt((1 - |x|) / 2); pi/2 - 2 s comes first, being nearly exact. */
GG_FN double gg_asin_f64(double x)
{
    double a = fabs(x), z = a > 0.5 ? 0.5 * (1.0 - a) : x * x, s = a > 0.5 ? sqrt(z) : a;
    double rest = gg_asin_rest_f64(s, z);
    double large = (GG_PIO2_HI_F64 - 2.0 * s) - (2.0 * rest - GG_PIO2_LO_F64);
    return copysign(a > 0.5 ? large : s + rest, x);
}

GG_FN double gg_acos_f64(double x)
{
    double a = fabs(x), z = a > 0.5 ? 0.5 * (1.0 - a) : x * x, s = a > 0.5 ? sqrt(z) : x;
    double rest = gg_asin_rest_f64(s, z);
    double middle = (GG_PIO2_HI_F64 - s) - (rest - GG_PIO2_LO_F64);
    double ends = x < 0.0 ? 2.0 * middle : 2.0 * (s + rest);
    return a > 0.5 ? ends : middle;
}

/* atan(n / d) for 0 <= n <= d: above 1/2 the argument turns by pi/4, and n - d is exact. */
GG_FN double gg_atan_ratio_f64(double n, double d)
{
    double shrink = d > 0x1p1000 ? 0x1p-100 : 1.0; /* n + d must not overflow */
    n *= shrink;
    d *= shrink;
    uint64_t turn = (n > 0.5 * d) | ((n == d) & (n > 0.0)); /* the second for inf/inf */
    double r = (turn ? n - d : n) / (turn ? n + d : d);
    r = n == d ? 0.0 : r;
    double z = r * r;
    double p = GG_POLY_F64(12, z, -0.33333333333332993, 0.19999999999905538, -0.14285714276574474, 0.11111110667010238,
                           -0.09090896413043456, 0.07692076334501799, -0.06663833484524462, 0.05858442639260801,
                           -0.05122601521092626, 0.041880684697082206, -0.0274585210130973, 0.010132377215681618);
    double small = gg_fma_f64(r * z, p, r);
    return turn ? 0.5 * GG_PIO2_HI_F64 + (small + 0.5 * GG_PIO2_LO_F64) : small;
}

GG_FN double gg_atan_f64(double x)
{
    double a = fabs(x);
    uint64_t steep = a > 1.0;
    double p = gg_atan_ratio_f64(steep ? 1.0 : a, steep ? a : 1.0);
    return copysign(steep ? GG_PIO2_HI_F64 - (p - GG_PIO2_LO_F64) : p, x);
}

GG_FN double gg_atan2_f64(double y, double x)
{
    double ax = fabs(x), ay = fabs(y);
    uint64_t steep = ay > ax;
    double p = gg_atan_ratio_f64(steep ? ax : ay, steep ? ay : ax);
    p = steep ? GG_PIO2_HI_F64 - (p - GG_PIO2_LO_F64) : p;
    p = gg_bits_f64(x) >> 63 ? 2.0 * GG_PIO2_HI_F64 - (p - 2.0 * GG_PIO2_LO_F64) : p;
    return copysign(p, y);
}

/* ---------------------------------------------------------------- float64: error function, powers */

/* As in float32; q is a fit to -log erfc in |x| - 1. */
GG_FN double gg_erf_f64(double x)
{
    double a = fabs(x), z = x * x;
    double p = GG_POLY_F64(12, z, 0.12837916709551256, -0.37612638903183343, 0.11283791670936953, -0.026866170641960466,
                           0.005223977596755875, -0.0008548325486440633, 0.00012055280554823836, -1.4924467053287014e-05,
                           1.644417161237863e-06, -1.618417916439303e-07, 1.3617623798934794e-08, -7.609734901989662e-10);
    double small = gg_fma_f64(x, p, x);
    double u = (a > 5.95 ? 5.95 : a) - 1.0;
    double q = GG_POLY_F64(18, u, 1.8496055099332482, 2.6389675142347837, 0.8431072563591065, 0.04156109803022539,
                           -0.01003382522598486, 0.0019779014762024167, -0.00023731738414141463, -2.6293945614426674e-05,
                           2.7194731644042068e-05, -9.66590381145906e-06, 2.1267623457251244e-06, -2.01208936813524e-07,
                           -5.984737833554684e-08, 3.406599015698168e-08, -8.692455647994684e-09, 1.3487427450283034e-09,
                           -1.2233175065333426e-10, 5.001883756759159e-12);
    double n = gg_exp_n_f64(-q), s = gg_pow2_f64(n), e = gg_expm1_poly_f64(gg_exp_r_f64(-q, n));
    double large = copysign(1.0 - gg_fma_f64(s, e, s), x);
    return a < 1.0 ? small : large;
}

/* As in float32, in (x - 4) / (x + 4). */
GG_FN double gg_erfc_f64(double x)
{
    double a = fabs(x);
    a = a > 27.5 ? 27.5 : a;
    double t = (a - 4.0) / (a + 4.0);
    double p = GG_POLY_F64(23, t, 1.2329951186255526, -0.13962111684056286, 0.015379652102620142, 0.06809705425473357,
                           -0.10103906603632364, 0.09373283499691361, -0.06633036581203784, 0.037167515560714966,
                           -0.016197734054724484, 0.005031969770505454, -0.00075777336144963, -0.0001992555790778646,
                           0.00015062229042362481, -2.440295507838277e-05, -1.1224822521777976e-05, 5.717500311680436e-06,
                           3.0127539999732597e-07, -8.347673227402767e-07, 6.288605989640647e-08, 1.1516032258434873e-07,
                           -7.84105742898315e-09, -1.364971153262034e-08, -1.8001928719386393e-09);
    double head = gg_from_bits_f64(gg_bits_f64(a) & 0xfffffffff8000000u), hi = -head * head, lo = (head - a) * (a + head);
    double n = gg_exp_n_f64(hi), r = gg_exp_r_f64(hi, n) + lo;
    double w = p / gg_fma_f64(2.0, a, 1.0), y = gg_scale_f64(gg_fma_f64(w, gg_expm1_poly_f64(r), w), n);
    double z = x * x;
    double near0 = GG_POLY_F64(9, z, 0.1283791670955125, -0.3761263890318223, 0.1128379167085633, -0.02686617061561461,
                               0.005223977142958801, -0.0008548280332754317, 0.00012052582750087189, -1.4828591269714138e-05,
                               1.456275684934707e-06);
    near0 = 1.0 - gg_fma_f64(x, near0, x);
    y = x < 0.0 ? 2.0 - y : y;
    return fabs(x) < 0.5 ? near0 : y;
}

/* The logarithm would have to be right to 64 bits: libm's business. */
GG_FN double gg_pow_f64(double x, double y) { return pow(x, y); }

GG_FN double gg_hypot_f64(double x, double y)
{
    double a = fabs(x), b = fabs(y), top = a > b ? a : b;
    double up = top < 0x1p-500 ? 0x1p600 : 1.0, scale = top > 0x1p500 ? 0x1p-600 : up;
    a *= scale;
    b *= scale;
    double r = sqrt(gg_fma_f64(a, a, b * b)) / scale;
    return (fabs(x) == (double)INFINITY) | (fabs(y) == (double)INFINITY) ? (double)INFINITY : r;
}

#endif
