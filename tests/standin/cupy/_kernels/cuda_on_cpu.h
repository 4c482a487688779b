// Plays CUDA on a CPU for the cupy stand-in: types, built-in variables and functions that kernels use.
// Threads run one after another, so there is nothing here that makes threads wait for each other.
#include <math.h>
#include <algorithm>
#include <complex>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <tuple>
#include <type_traits>
#include <utility>

#define __global__
#define __device__
#define __host__
#define __forceinline__ inline
#define __noinline__
#define __constant__ static
#define __shared__ static
#define __restrict__ __restrict
#define __launch_bounds__(...)

// Built-in variables
struct dim3 { unsigned x = 1, y = 1, z = 1; };
struct standin_index { unsigned x, y, z; };
static thread_local standin_index threadIdx, blockIdx;
static thread_local dim3 blockDim, gridDim;
static const int warpSize = 32;

// Vector types, with CUDA's alignments: up to 16 bytes
#define STANDIN_VECTOR(T, name) \
    struct alignas(2 * sizeof(T)) name##2 { T x, y; }; \
    struct name##3 { T x, y, z; }; \
    struct alignas(sizeof(T) == 8 ? 16 : 4 * sizeof(T)) name##4 { T x, y, z, w; }; \
    inline name##2 make_##name##2(T x, T y) { return {x, y}; } \
    inline name##3 make_##name##3(T x, T y, T z) { return {x, y, z}; } \
    inline name##4 make_##name##4(T x, T y, T z, T w) { return {x, y, z, w}; }
STANDIN_VECTOR(signed char, char) STANDIN_VECTOR(unsigned char, uchar)
STANDIN_VECTOR(short, short) STANDIN_VECTOR(unsigned short, ushort)
STANDIN_VECTOR(int, int) STANDIN_VECTOR(unsigned int, uint)
STANDIN_VECTOR(long long, longlong) STANDIN_VECTOR(unsigned long long, ulonglong)
STANDIN_VECTOR(float, float) STANDIN_VECTOR(double, double)

// Bits
template <class To, class From> inline To standin_bits(From x) { To y; memcpy(&y, &x, sizeof y); return y; }
inline unsigned __float_as_uint(float x) { return standin_bits<unsigned>(x); }
inline int __float_as_int(float x) { return standin_bits<int>(x); }
inline float __uint_as_float(unsigned x) { return standin_bits<float>(x); }
inline float __int_as_float(int x) { return standin_bits<float>(x); }
inline unsigned __umulhi(unsigned x, unsigned y) { return (unsigned long long)x * y >> 32; }
inline unsigned long long __umul64hi(unsigned long long x, unsigned long long y) {
    return (unsigned long long)((unsigned __int128)x * y >> 64);
}
inline int __popc(unsigned x) { return __builtin_popcount(x); }
inline int __clz(int x) { return x ? __builtin_clz(x) : 32; }

// 16-bit floats: stored as such, computed in float, rounded to nearest even, as on the GPU
struct bfloat16 {
    uint16_t bits = 0;
    bfloat16() = default;
    bfloat16(float x) {
        unsigned u = __float_as_uint(x);
        bits = x != x ? 0x7fc0 : (u + 0x7fff + (u >> 16 & 1)) >> 16;
    }
    operator float() const { return __uint_as_float((unsigned)bits << 16); }
};
struct float16 {
    uint16_t bits = 0;
    float16() = default;
    float16(float x) {
        unsigned u = __float_as_uint(x), sign = u >> 16 & 0x8000u;
        float magnitude = fabsf(x);
        if (x != x) bits = 0x7e00;
        else if (magnitude >= 65520.0f) bits = sign | 0x7c00;
        else if (magnitude < 6.103515625e-05f) bits = sign | (unsigned)rintf(magnitude * 16777216.0f);  // subnormal
        else {
            unsigned m = (u & 0x7fffffffu) - 0x38000000u;  // rebias the exponent from 127 to 15
            bits = sign | (m + 0xfff + (m >> 13 & 1)) >> 13;
        }
    }
    operator float() const {
        unsigned e = bits >> 10 & 31, m = bits & 1023u, sign = (bits & 0x8000u) << 16;
        if (e == 31) return __uint_as_float(sign | 0x7f800000u | m << 13);
        if (e == 0) return (sign ? -1.0f : 1.0f) * m / 16777216.0f;
        return __uint_as_float(sign | e + 112 << 23 | m << 13);
    }
};
#define STANDIN_ASSIGN(op) \
    inline float16& operator op##=(float16& x, float y) { return x = float16(float(x) op y); } \
    inline bfloat16& operator op##=(bfloat16& x, float y) { return x = bfloat16(float(x) op y); }
STANDIN_ASSIGN(+) STANDIN_ASSIGN(-) STANDIN_ASSIGN(*) STANDIN_ASSIGN(/)
typedef float16 half; typedef float16 __half; typedef bfloat16 __nv_bfloat16;
inline float __half2float(half x) { return x; }
inline half __float2half(float x) { return x; }
inline half __float2half_rn(float x) { return x; }
inline float __bfloat162float(bfloat16 x) { return x; }
inline bfloat16 __float2bfloat16(float x) { return x; }
inline bfloat16 __float2bfloat16_rn(float x) { return x; }
namespace thrust { template <class T> using complex = std::complex<T>; using std::abs; using std::conj; using std::exp; }

// Mathematics: <math.h> has float overloads in C++; these are CUDA's own names
template <class A, class B> inline std::common_type_t<A, B> max(A a, B b) {
    std::common_type_t<A, B> x = a, y = b;  // like fmax, CUDA's max of floats ignores a NaN
    return x != x ? y : (y > x ? y : x);
}
template <class A, class B> inline std::common_type_t<A, B> min(A a, B b) {
    std::common_type_t<A, B> x = a, y = b;
    return x != x ? y : (y < x ? y : x);
}
inline float rsqrtf(float x) { return 1.0f / sqrtf(x); }
inline float rsqrt(float x) { return 1.0f / sqrtf(x); }
inline double rsqrt(double x) { return 1.0 / sqrt(x); }
inline float __expf(float x) { return expf(x); }
inline float __logf(float x) { return logf(x); }
inline float __powf(float x, float y) { return powf(x, y); }
inline float __sinf(float x) { return sinf(x); }
inline float __cosf(float x) { return cosf(x); }
inline float __fdividef(float x, float y) { return x / y; }
inline float __frcp_rn(float x) { return 1.0f / x; }
inline float __fmaf_rn(float x, float y, float z) { return fmaf(x, y, z); }
inline float __fmul_rn(float x, float y) { return x * y; }
inline float __fadd_rn(float x, float y) { return x + y; }
inline float __saturatef(float x) { return x != x ? 0.0f : fminf(fmaxf(x, 0.0f), 1.0f); }
inline float sinpif(float x) { return sinf(3.14159265358979323846f * x); }
inline float cospif(float x) { return cosf(3.14159265358979323846f * x); }
inline float normcdff(float x) { return 0.5f * erfcf(-x * 0.70710678118654752440f); }
inline double normcdf(double x) { return 0.5 * erfc(-x * 0.70710678118654752440); }
template <class T> inline T __ldg(const T* x) { return *x; }

// Atomics: nothing runs at the same time
template <class T, class U> inline T atomicAdd(T* p, U x) { T old = *p; *p = T(old + T(x)); return old; }
template <class T, class U> inline T atomicSub(T* p, U x) { T old = *p; *p = T(old - T(x)); return old; }
template <class T, class U> inline T atomicMax(T* p, U x) { T old = *p; *p = max(old, T(x)); return old; }
template <class T, class U> inline T atomicMin(T* p, U x) { T old = *p; *p = min(old, T(x)); return old; }
template <class T, class U> inline T atomicExch(T* p, U x) { T old = *p; *p = T(x); return old; }
template <class T, class U, class V> inline T atomicCAS(T* p, U expected, V x) {
    T old = *p;
    if (old == T(expected)) *p = T(x);
    return old;
}

// Arrays of ElementwiseKernel: words are {address, size, ndim, shape..., strides...}
template <class T> struct CArray {
    const long long* words;
    int ndim;
    explicit CArray(const long long* words) : words(words), ndim((int)words[2]) {}
    ptrdiff_t size() const { return words[1]; }
    const long long* shape() const { return words + 3; }
    const long long* strides() const { return words + 3 + ndim; }
    T& operator[](ptrdiff_t i) const {
        char* p = (char*)words[0];
        for (int d = ndim; d-- > 0;) { p += i % shape()[d] * strides()[d]; i /= shape()[d]; }
        return *(T*)p;
    }
    template <class I, size_t n> T& operator[](const I (&index)[n]) const {
        char* p = (char*)words[0];
        for (size_t d = 0; d < n; ++d) p += (ptrdiff_t)index[d] * strides()[d];
        return *(T*)p;
    }
};
struct CIndexer {
    ptrdiff_t count, current = 0;
    explicit CIndexer(ptrdiff_t count) : count(count) {}
    ptrdiff_t size() const { return count; }
    void set(ptrdiff_t i) { current = i; }
};

// Launching a __global__ function from untyped arguments, with the checks a GPU does not make
namespace standin {
template <class P> bool fits(int size, char kind) {
    typedef std::remove_cv_t<P> T;
    if (std::is_pointer_v<T>) return kind == 'p';
    if (kind == 'p') return std::is_integral_v<T> && sizeof(T) == 8;
    if (std::is_floating_point_v<T>) return kind == 'f' && size == (int)sizeof(T);
    if (std::is_integral_v<T>) return (kind == 'i' || kind == 'u' || kind == 'b') && size >= (int)sizeof(T);
    return size == (int)sizeof(T);  // structs by value, complex, 16-bit floats
}
template <class... P, size_t... n>
int launch(void (*kernel)(P...), const unsigned* grid, const unsigned* block, void** args, const int* sizes,
           const char* kinds, std::index_sequence<n...>) {
    int wrong = 0;
    ((wrong = wrong || fits<P>(sizes[n], kinds[n]) ? wrong : (int)n + 1), ...);
    if (wrong) return wrong;
    gridDim = {grid[0], grid[1], grid[2]};
    blockDim = {block[0], block[1], block[2]};
    for (blockIdx.z = 0; blockIdx.z < grid[2]; ++blockIdx.z)
    for (blockIdx.y = 0; blockIdx.y < grid[1]; ++blockIdx.y)
    for (blockIdx.x = 0; blockIdx.x < grid[0]; ++blockIdx.x)
    for (threadIdx.z = 0; threadIdx.z < block[2]; ++threadIdx.z)
    for (threadIdx.y = 0; threadIdx.y < block[1]; ++threadIdx.y)
    for (threadIdx.x = 0; threadIdx.x < block[0]; ++threadIdx.x)
        kernel(*(std::remove_cv_t<P>*)args[n]...);
    return 0;
}
template <class... P>
int launch(void (*kernel)(P...), const unsigned* grid, const unsigned* block, void** args, const int* sizes,
           const char* kinds, int count) {
    if (count != (int)sizeof...(P)) return -1;
    return launch(kernel, grid, block, args, sizes, kinds, std::index_sequence_for<P...>());
}
}  // namespace standin
