// __half and __half2: stored as 16 bits, computed in float, rounded to nearest even, as on the GPU.
#pragma once

#define STANDIN_HALF_TYPE(half, vector) \
    struct alignas(2) half { \
        unsigned short __x; \
        half() = default; \
        half(float x); \
        half(double x) : half((float)x) {} \
        half(int x) : half((float)x) {} \
        half(unsigned x) : half((float)x) {} \
        half(long long x) : half((float)x) {} \
        half(unsigned long long x) : half((float)x) {} \
        operator float() const; \
    }; \
    struct alignas(4) vector { \
        half x, y; \
        vector() = default; \
        vector(half x, half y) : x(x), y(y) {} \
    };

// Arithmetic rounds after every operation. Mixing with float is ambiguous, as it is in CUDA.
#define STANDIN_HALF_OPERATORS(half, vector) \
    inline half operator+(half a, half b) { return half((float)a + (float)b); } \
    inline half operator-(half a, half b) { return half((float)a - (float)b); } \
    inline half operator*(half a, half b) { return half((float)a * (float)b); } \
    inline half operator/(half a, half b) { return half((float)a / (float)b); } \
    inline half operator-(half a) { return half(-(float)a); } \
    inline half& operator+=(half& a, half b) { return a = a + b; } \
    inline half& operator-=(half& a, half b) { return a = a - b; } \
    inline half& operator*=(half& a, half b) { return a = a * b; } \
    inline half& operator/=(half& a, half b) { return a = a / b; } \
    inline bool operator==(half a, half b) { return (float)a == (float)b; } \
    inline bool operator!=(half a, half b) { return (float)a != (float)b; } \
    inline bool operator<(half a, half b) { return (float)a < (float)b; } \
    inline bool operator>(half a, half b) { return (float)a > (float)b; } \
    inline bool operator<=(half a, half b) { return (float)a <= (float)b; } \
    inline bool operator>=(half a, half b) { return (float)a >= (float)b; } \
    inline half __hadd(half a, half b) { return a + b; } \
    inline half __hsub(half a, half b) { return a - b; } \
    inline half __hmul(half a, half b) { return a * b; } \
    inline half __hdiv(half a, half b) { return a / b; } \
    inline half __hneg(half a) { return -a; } \
    inline half __habs(half a) { return half(__builtin_fabsf(a)); } \
    inline half __hfma(half a, half b, half c) { return half(__builtin_fmaf(a, b, c)); } \
    inline half __hmax(half a, half b) { return half(__builtin_fmaxf(a, b)); } \
    inline half __hmin(half a, half b) { return half(__builtin_fminf(a, b)); } \
    inline bool __hisnan(half a) { return __builtin_isnan((float)a); } \
    inline vector __hadd2(vector a, vector b) { return {a.x + b.x, a.y + b.y}; } \
    inline vector __hmul2(vector a, vector b) { return {a.x * b.x, a.y * b.y}; } \
    inline vector __hfma2(vector a, vector b, vector c) { return {__hfma(a.x, b.x, c.x), __hfma(a.y, b.y, c.y)}; } \
    inline float __low2float(vector a) { return a.x; } \
    inline float __high2float(vector a) { return a.y; } \
    inline half atomicAdd(half* p, half x) { half old = *p; *p = old + x; return old; } \
    inline vector atomicAdd(vector* p, vector x) { vector old = *p; *p = __hadd2(old, x); return old; } \
    STANDIN_SHUFFLES(half) STANDIN_SHUFFLES(vector)

STANDIN_HALF_TYPE(__half, __half2)

inline __half::__half(float x) {
    const unsigned u = __float_as_uint(x), sign = u >> 16 & 0x8000u;
    const float magnitude = __builtin_fabsf(x);
    if (x != x) __x = 0x7fff;
    else if (magnitude >= 65520.0f) __x = sign | 0x7c00;
    else if (magnitude < 6.103515625e-05f) __x = sign | (unsigned)__builtin_rintf(magnitude * 16777216.0f);  // subnormal
    else {
        const unsigned m = (u & 0x7fffffffu) - 0x38000000u;  // rebias the exponent from 127 to 15
        __x = sign | (m + 0xfff + (m >> 13 & 1)) >> 13;
    }
}
inline __half::operator float() const {
    const unsigned e = __x >> 10 & 31, m = __x & 1023u, sign = (__x & 0x8000u) << 16;
    if (e == 31) return __uint_as_float(sign | 0x7f800000u | m << 13);
    if (e == 0) return (sign ? -1.0f : 1.0f) * m / 16777216.0f;
    return __uint_as_float(sign | (e + 112) << 23 | m << 13);
}
STANDIN_HALF_OPERATORS(__half, __half2)
typedef __half half;
typedef __half2 half2;

inline float __half2float(__half x) { return x; }
inline __half __float2half(float x) { return __half(x); }
inline __half __float2half_rn(float x) { return __half(x); }
inline __half __double2half(double x) { return __half(x); }
inline __half __int2half_rn(int x) { return __half(x); }
inline int __half2int_rn(__half x) { return __float2int_rn(x); }
inline __half __ushort_as_half(unsigned short x) { return standin_bits<__half>(x); }
inline __half __short_as_half(short x) { return standin_bits<__half>(x); }
inline unsigned short __half_as_ushort(__half x) { return x.__x; }
inline short __half_as_short(__half x) { return (short)x.__x; }
inline __half2 make_half2(__half x, __half y) { return {x, y}; }
inline __half2 __halves2half2(__half x, __half y) { return {x, y}; }
inline __half2 __half2half2(__half x) { return {x, x}; }
inline __half2 __floats2half2_rn(float x, float y) { return {__half(x), __half(y)}; }
inline __half2 __float2half2_rn(float x) { return {__half(x), __half(x)}; }
inline __half2 __float22half2_rn(float2 x) { return {__half(x.x), __half(x.y)}; }
inline float2 __half22float2(__half2 x) { return {x.x, x.y}; }
inline __half __low2half(__half2 x) { return x.x; }
inline __half __high2half(__half2 x) { return x.y; }
inline __half hexp(__half x) { return __half(__builtin_expf(x)); }
inline __half hlog(__half x) { return __half(__builtin_logf(x)); }
inline __half hsqrt(__half x) { return __half(__builtin_sqrtf(x)); }
inline __half hrsqrt(__half x) { return __half(rsqrtf(x)); }
inline __half hrcp(__half x) { return __half(1.0f / (float)x); }
