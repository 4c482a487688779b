// CUDA's mathematical functions. NVRTC has float and double overloads, none for integers: exp(1) is ambiguous here as there.
#pragma once

#ifdef STANDIN_CPP  // with <math.h> and <complex>, which ElementwiseKernels may need: they bring these functions
#define STANDIN_UNARY(name)
#define STANDIN_BINARY(name)
#else
#define STANDIN_UNARY(name) \
    inline double name(double x) { return __builtin_##name(x); } \
    inline float name##f(float x) { return __builtin_##name##f(x); } \
    inline float name(float x) { return __builtin_##name##f(x); }
// Mixtures of float and double are ambiguous in CUDA.
#define STANDIN_BINARY(name) \
    double name(float, double) = delete; \
    double name(double, float) = delete; \
    inline double name(double x, double y) { return __builtin_##name(x, y); } \
    inline float name##f(float x, float y) { return __builtin_##name##f(x, y); } \
    inline float name(float x, float y) { return __builtin_##name##f(x, y); }
#endif
STANDIN_UNARY(acos) STANDIN_UNARY(acosh) STANDIN_UNARY(asin) STANDIN_UNARY(asinh) STANDIN_UNARY(atan) STANDIN_UNARY(atanh)
STANDIN_UNARY(cbrt) STANDIN_UNARY(ceil) STANDIN_UNARY(cos) STANDIN_UNARY(cosh) STANDIN_UNARY(erf) STANDIN_UNARY(erfc)
STANDIN_UNARY(exp) STANDIN_UNARY(exp2) STANDIN_UNARY(expm1) STANDIN_UNARY(fabs) STANDIN_UNARY(floor) STANDIN_UNARY(lgamma)
STANDIN_UNARY(log) STANDIN_UNARY(log10) STANDIN_UNARY(log1p) STANDIN_UNARY(log2) STANDIN_UNARY(logb) STANDIN_UNARY(nearbyint)
STANDIN_UNARY(rint) STANDIN_UNARY(round) STANDIN_UNARY(sin) STANDIN_UNARY(sinh) STANDIN_UNARY(sqrt) STANDIN_UNARY(tan)
STANDIN_UNARY(tanh) STANDIN_UNARY(tgamma) STANDIN_UNARY(trunc)
STANDIN_BINARY(atan2) STANDIN_BINARY(copysign) STANDIN_BINARY(fdim) STANDIN_BINARY(fmax) STANDIN_BINARY(fmin)
STANDIN_BINARY(fmod) STANDIN_BINARY(hypot) STANDIN_BINARY(nextafter) STANDIN_BINARY(pow) STANDIN_BINARY(remainder)
#ifndef STANDIN_CPP
#define STANDIN_WITH_INTEGER(name, Integer) \
    inline double name(double x, Integer n) { return __builtin_##name(x, n); } \
    inline float name##f(float x, Integer n) { return __builtin_##name##f(x, n); } \
    inline float name(float x, Integer n) { return __builtin_##name##f(x, n); }
STANDIN_WITH_INTEGER(ldexp, int) STANDIN_WITH_INTEGER(scalbn, int) STANDIN_WITH_INTEGER(frexp, int*)
#define STANDIN_TO_INTEGER(T, name) \
    inline T name(double x) { return __builtin_##name(x); } \
    inline T name##f(float x) { return __builtin_##name##f(x); } \
    inline T name(float x) { return __builtin_##name##f(x); }
STANDIN_TO_INTEGER(int, ilogb) STANDIN_TO_INTEGER(long, lround) STANDIN_TO_INTEGER(long long, llround)
STANDIN_TO_INTEGER(long, lrint) STANDIN_TO_INTEGER(long long, llrint)
STANDIN_UNARY(j0) STANDIN_UNARY(j1) STANDIN_UNARY(y0) STANDIN_UNARY(y1)
inline double fma(double x, double y, double z) { return __builtin_fma(x, y, z); }
inline float fmaf(float x, float y, float z) { return __builtin_fmaf(x, y, z); }
inline float fma(float x, float y, float z) { return __builtin_fmaf(x, y, z); }
double fma(float, float, double) = delete;
double fma(float, double, float) = delete;
double fma(double, float, float) = delete;
double fma(float, double, double) = delete;
double fma(double, float, double) = delete;
double fma(double, double, float) = delete;
inline double modf(double x, double* n) { return __builtin_modf(x, n); }
inline float modff(float x, float* n) { return __builtin_modff(x, n); }
inline float modf(float x, float* n) { return __builtin_modff(x, n); }
inline double nan(const char*) { return __builtin_nan(""); }
inline float nanf(const char*) { return __builtin_nanf(""); }
inline void sincos(double x, double* s, double* c) { *s = __builtin_sin(x), *c = __builtin_cos(x); }
inline void sincosf(float x, float* s, float* c) { *s = __builtin_sinf(x), *c = __builtin_cosf(x); }
inline int abs(int x) { return x < 0 ? -x : x; }
inline long labs(long x) { return x < 0 ? -x : x; }
inline long long llabs(long long x) { return x < 0 ? -x : x; }
inline float pow(float x, int n) { return __builtin_powf(x, (float)n); }
inline double pow(double x, int n) { return __builtin_pow(x, n); }
inline float abs(float x) { return __builtin_fabsf(x); }
inline double abs(double x) { return __builtin_fabs(x); }
inline long abs(long x) { return x < 0 ? -x : x; }
inline long long abs(long long x) { return x < 0 ? -x : x; }
#define STANDIN_TEST(name) \
    inline bool name(float x) { return __builtin_##name(x); } \
    inline bool name(double x) { return __builtin_##name(x); }
STANDIN_TEST(isnan) STANDIN_TEST(isinf) STANDIN_TEST(isfinite) STANDIN_TEST(signbit)
inline void sincos(float x, float* s, float* c) { sincosf(x, s, c); }
#endif

// max and min of floats ignore a NaN; mixtures as in CUDA: signed and unsigned, float and double
#define STANDIN_EXTREMA(A, B, T) \
    inline T max(A a, B b) { T x = a, y = b; return y > x ? y : x; } \
    inline T min(A a, B b) { T x = a, y = b; return y < x ? y : x; }
STANDIN_EXTREMA(int, int, int) STANDIN_EXTREMA(unsigned, unsigned, unsigned)
STANDIN_EXTREMA(int, unsigned, unsigned) STANDIN_EXTREMA(unsigned, int, unsigned)
STANDIN_EXTREMA(long, long, long) STANDIN_EXTREMA(unsigned long, unsigned long, unsigned long)
STANDIN_EXTREMA(long, unsigned long, unsigned long) STANDIN_EXTREMA(unsigned long, long, unsigned long)
STANDIN_EXTREMA(long long, long long, long long)
STANDIN_EXTREMA(unsigned long long, unsigned long long, unsigned long long)
STANDIN_EXTREMA(long long, unsigned long long, unsigned long long)
STANDIN_EXTREMA(unsigned long long, long long, unsigned long long)
#define STANDIN_FLOAT_EXTREMA(A, B, T, suffix) \
    inline T max(A a, B b) { return __builtin_fmax##suffix(a, b); } \
    inline T min(A a, B b) { return __builtin_fmin##suffix(a, b); }
STANDIN_FLOAT_EXTREMA(float, float, float, f) STANDIN_FLOAT_EXTREMA(double, double, double, )
STANDIN_FLOAT_EXTREMA(float, double, double, ) STANDIN_FLOAT_EXTREMA(double, float, double, )
inline unsigned umax(unsigned a, unsigned b) { return max(a, b); }
inline unsigned umin(unsigned a, unsigned b) { return min(a, b); }
inline long long llmax(long long a, long long b) { return max(a, b); }
inline long long llmin(long long a, long long b) { return min(a, b); }
inline unsigned long long ullmax(unsigned long long a, unsigned long long b) { return max(a, b); }
inline unsigned long long ullmin(unsigned long long a, unsigned long long b) { return min(a, b); }

// CUDA's own names
#define STANDIN_OWN(name, expression, expression_f) \
    inline double name(double x) { return expression; } \
    inline float name##f(float x) { return expression_f; } \
    inline float name(float x) { return expression_f; }
STANDIN_OWN(rsqrt, 1.0 / __builtin_sqrt(x), (float)(1.0 / __builtin_sqrt(x)))
STANDIN_OWN(rcbrt, 1.0 / __builtin_cbrt(x), (float)(1.0 / __builtin_cbrt(x)))
STANDIN_OWN(sinpi, __builtin_sin(3.14159265358979323846 * __builtin_fmod(x, 2.0)), (float)sinpi((double)x))
STANDIN_OWN(cospi, __builtin_cos(3.14159265358979323846 * __builtin_fmod(x, 2.0)), (float)cospi((double)x))
STANDIN_OWN(normcdf, 0.5 * __builtin_erfc(-x * 0.70710678118654752440), (float)normcdf((double)x))
STANDIN_OWN(erfcx, __builtin_exp(x * x) * __builtin_erfc(x), (float)erfcx((double)x))
inline void sincospi(double x, double* s, double* c) { *s = sinpi(x); *c = cospi(x); }
inline void sincospif(float x, float* s, float* c) { *s = sinpif(x); *c = cospif(x); }
inline float norm3df(float x, float y, float z) { return __builtin_sqrtf(x * x + y * y + z * z); }
inline float rnorm3df(float x, float y, float z) { return 1.0f / norm3df(x, y, z); }
inline double rhypot(double x, double y) { return 1.0 / __builtin_hypot(x, y); }
inline float rhypotf(float x, float y) { return 1.0f / __builtin_hypotf(x, y); }
inline double exp10(double x) { return __builtin_exp10(x); }
inline float exp10(float x) { return __builtin_exp10f(x); }
#ifndef STANDIN_CPP
inline float exp10f(float x) { return __builtin_exp10f(x); }
#endif
inline float fdividef(float x, float y) { return x / y; }
inline float __fdividef(float x, float y) { return x / y; }
inline float __expf(float x) { return __builtin_expf(x); }
inline float __exp10f(float x) { return __builtin_exp10f(x); }
inline float __logf(float x) { return __builtin_logf(x); }
inline float __log2f(float x) { return __builtin_log2f(x); }
inline float __log10f(float x) { return __builtin_log10f(x); }
inline float __powf(float x, float y) { return __builtin_powf(x, y); }
inline float __sinf(float x) { return __builtin_sinf(x); }
inline float __cosf(float x) { return __builtin_cosf(x); }
inline float __tanf(float x) { return __builtin_tanf(x); }
inline float __tanhf(float x) { return __builtin_tanhf(x); }
inline void __sincosf(float x, float* s, float* c) { *s = __builtin_sinf(x); *c = __builtin_cosf(x); }
inline float __saturatef(float x) { return x != x ? 0.0f : __builtin_fminf(__builtin_fmaxf(x, 0.0f), 1.0f); }
inline float __frcp_rn(float x) { return 1.0f / x; }
inline float __fsqrt_rn(float x) { return __builtin_sqrtf(x); }
inline float __frsqrt_rn(float x) { return rsqrtf(x); }
inline float __fmaf_rn(float x, float y, float z) { return __builtin_fmaf(x, y, z); }
inline float __fmul_rn(float x, float y) { return x * y; }
inline float __fadd_rn(float x, float y) { return x + y; }
inline float __fsub_rn(float x, float y) { return x - y; }
inline float __fdiv_rn(float x, float y) { return x / y; }
inline double __fma_rn(double x, double y, double z) { return __builtin_fma(x, y, z); }
inline double __dmul_rn(double x, double y) { return x * y; }
inline double __dadd_rn(double x, double y) { return x + y; }
inline double __dsub_rn(double x, double y) { return x - y; }
inline double __ddiv_rn(double x, double y) { return x / y; }
inline double __dsqrt_rn(double x) { return __builtin_sqrt(x); }
inline double __drcp_rn(double x) { return 1.0 / x; }

// Conversions: CUDA's saturate, C++'s are undefined out of range
template <class To, class From> inline To standin_to_integer(From rounded) {
    const To lowest = (To)-1 < 0 ? (To)((To)1 << (sizeof(To) * 8 - 1)) : 0, highest = (To)~lowest;
    if (rounded != rounded) return sizeof(To) == 8 ? (To)1 << 63 : 0;
    if (rounded <= (From)lowest) return lowest;
    return rounded >= (From)highest ? highest : (To)rounded;
}
#define STANDIN_CONVERSION(T, name) \
    inline T __float2##name##_rn(float x) { return standin_to_integer<T>(__builtin_rintf(x)); } \
    inline T __float2##name##_rz(float x) { return standin_to_integer<T>(__builtin_truncf(x)); } \
    inline T __float2##name##_rd(float x) { return standin_to_integer<T>(__builtin_floorf(x)); } \
    inline T __float2##name##_ru(float x) { return standin_to_integer<T>(__builtin_ceilf(x)); } \
    inline T __double2##name##_rn(double x) { return standin_to_integer<T>(__builtin_rint(x)); } \
    inline T __double2##name##_rz(double x) { return standin_to_integer<T>(__builtin_trunc(x)); } \
    inline T __double2##name##_rd(double x) { return standin_to_integer<T>(__builtin_floor(x)); } \
    inline T __double2##name##_ru(double x) { return standin_to_integer<T>(__builtin_ceil(x)); } \
    inline float __##name##2float_rn(T x) { return (float)x; } \
    inline double __##name##2double_rn(T x) { return (double)x; }
STANDIN_CONVERSION(int, int) STANDIN_CONVERSION(unsigned, uint)
STANDIN_CONVERSION(long long, ll) STANDIN_CONVERSION(unsigned long long, ull)
inline float __double2float_rn(double x) { return (float)x; }

// Bits
inline unsigned __float_as_uint(float x) { return standin_bits<unsigned>(x); }
inline int __float_as_int(float x) { return standin_bits<int>(x); }
inline float __uint_as_float(unsigned x) { return standin_bits<float>(x); }
inline float __int_as_float(int x) { return standin_bits<float>(x); }
inline long long __double_as_longlong(double x) { return standin_bits<long long>(x); }
inline double __longlong_as_double(long long x) { return standin_bits<double>(x); }
inline double __hiloint2double(int high, int low) {
    return standin_bits<double>((unsigned long long)(unsigned)high << 32 | (unsigned)low);
}
inline int __double2hiint(double x) { return (int)(standin_bits<unsigned long long>(x) >> 32); }
inline int __double2loint(double x) { return (int)standin_bits<unsigned long long>(x); }
inline int __mulhi(int x, int y) { return (int)((long long)x * y >> 32); }
inline unsigned __umulhi(unsigned x, unsigned y) { return (unsigned)((unsigned long long)x * y >> 32); }
inline long long __mul64hi(long long x, long long y) { return (long long)((__int128)x * y >> 64); }
inline unsigned long long __umul64hi(unsigned long long x, unsigned long long y) {
    return (unsigned long long)((unsigned __int128)x * y >> 64);
}
inline int __mul24(int x, int y) { return (int)((unsigned)(x << 8 >> 8) * (unsigned)(y << 8 >> 8)); }
inline int __popc(unsigned x) { return __builtin_popcount(x); }
inline int __popcll(unsigned long long x) { return __builtin_popcountll(x); }
inline int __clz(int x) { return x ? __builtin_clz((unsigned)x) : 32; }
inline int __clzll(long long x) { return x ? __builtin_clzll((unsigned long long)x) : 64; }
inline int __ffs(int x) { return __builtin_ffs(x); }
inline int __ffsll(long long x) { return __builtin_ffsll(x); }
inline unsigned __brev(unsigned x) {
    unsigned y = 0;
    for (int i = 0; i < 32; ++i) y |= (x >> i & 1) << (31 - i);
    return y;
}
inline unsigned __funnelshift_l(unsigned low, unsigned high, unsigned n) {
    return (unsigned)(((unsigned long long)high << 32 | low) << (n & 31) >> 32);
}
inline unsigned __funnelshift_r(unsigned low, unsigned high, unsigned n) {
    return (unsigned)(((unsigned long long)high << 32 | low) >> (n & 31));
}
inline unsigned __byte_perm(unsigned x, unsigned y, unsigned selector) {
    const unsigned long long bytes = (unsigned long long)y << 32 | x;
    unsigned result = 0;
    for (int i = 0; i < 4; ++i) {
        const unsigned which = selector >> 4 * i & 15, byte = (unsigned)(bytes >> 8 * (which & 7)) & 255;
        result |= (which & 8 ? (byte & 128 ? 255u : 0u) : byte) << 8 * i;
    }
    return result;
}
