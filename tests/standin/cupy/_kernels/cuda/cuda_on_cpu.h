// Plays CUDA on a CPU for the cupy stand-in: qualifiers, built-in variables, vector types, and the launch of a kernel.
// Includes nothing of the C++ library: compiling a kernel should take a moment, and NVRTC has no such headers either.
#pragma once

#define __CUDACC__ 1
#define __CUDACC_RTC__ 1
#define __CUDACC_VER_MAJOR__ 12
#define __CUDACC_VER_MINOR__ 8
#define __CUDA_ARCH__ 800
#define __NVCC__ 1

#define __global__
#define __device__
#define __host__
#define __managed__
#define __constant__
#define __grid_constant__
#define __forceinline__ inline
#define __noinline__ __attribute__((noinline))
#define __align__(n) __attribute__((aligned(n)))
#define __builtin_align__(n) __attribute__((aligned(n)))
#define __launch_bounds__(...)
// One section for all shared variables, so that they can be filled with NaN before every block. `extern __shared__` arrays
// are rewritten by compiler.py.
#define __shared__ static __attribute__((section("standin_shared")))
extern "C" __attribute__((weak, visibility("hidden"))) char __start_standin_shared[], __stop_standin_shared[];

typedef __SIZE_TYPE__ size_t;
typedef __PTRDIFF_TYPE__ ptrdiff_t;
typedef long clock_t;
typedef unsigned char uchar;

// Vector types, with CUDA's alignments: up to 16 bytes
#define STANDIN_VECTOR(T, name) \
    struct name##1 { T x; }; \
    struct alignas(2 * sizeof(T)) name##2 { T x, y; }; \
    struct name##3 { T x, y, z; }; \
    struct alignas(sizeof(T) == 8 ? 16 : 4 * sizeof(T)) name##4 { T x, y, z, w; }; \
    inline name##1 make_##name##1(T x) { return {x}; } \
    inline name##2 make_##name##2(T x, T y) { return {x, y}; } \
    inline name##3 make_##name##3(T x, T y, T z) { return {x, y, z}; } \
    inline name##4 make_##name##4(T x, T y, T z, T w) { return {x, y, z, w}; }
STANDIN_VECTOR(signed char, char) STANDIN_VECTOR(unsigned char, uchar)
STANDIN_VECTOR(short, short) STANDIN_VECTOR(unsigned short, ushort)
STANDIN_VECTOR(int, int) STANDIN_VECTOR(unsigned int, uint)
STANDIN_VECTOR(long, long) STANDIN_VECTOR(unsigned long, ulong)
STANDIN_VECTOR(long long, longlong) STANDIN_VECTOR(unsigned long long, ulonglong)
STANDIN_VECTOR(float, float) STANDIN_VECTOR(double, double)
struct dim3 {
    unsigned x, y, z;
    dim3(unsigned x = 1, unsigned y = 1, unsigned z = 1) : x(x), y(y), z(z) {}
    dim3(uint3 v) : x(v.x), y(v.y), z(v.z) {}
    operator uint3() const { return {x, y, z}; }
};

// What threads.cpp provides: the built-in variables of the thread that runs now, and waiting
extern "C" {
extern uint3 threadIdx, blockIdx;
extern dim3 blockDim, gridDim;
extern char standin_dynamic_shared[];
int standin_barrier(int line, int predicate);
unsigned long long standin_exchange(int kind, unsigned mask, unsigned long long value, int operand, int width, int line);
unsigned standin_active_lanes();
void standin_trap(const char* what, int line);
int standin_run(void (*thread)(void**), void** args, const unsigned* grid, const unsigned* block, size_t dynamic_shared,
                char* shared, char* shared_end, unsigned long long order);
void* memcpy(void*, const void*, size_t) noexcept;
void* memset(void*, int, size_t) noexcept;
int printf(const char*, ...);
}
static constexpr int warpSize = 32;

template <class To, class From> inline To standin_bits(From x) {
    static_assert(sizeof(To) == sizeof(From), "a reinterpretation keeps the size");
    To y;
    __builtin_memcpy(&y, &x, sizeof y);
    return y;
}

// Launching a __global__ function from untyped arguments, with the checks a GPU does not make
namespace standin {
template <class T> struct plain { typedef T type; static constexpr bool pointer = false; };
template <class T> struct plain<T*> { typedef T* type; static constexpr bool pointer = true; };
template <class T> struct plain<const T> : plain<T> {};
template <class T> struct kind_of { static constexpr char value = 'V'; };  // structs, complex, 16-bit floats
#define STANDIN_KIND(T, letter) template <> struct kind_of<T> { static constexpr char value = letter; };
STANDIN_KIND(bool, 'i') STANDIN_KIND(char, 'i') STANDIN_KIND(signed char, 'i') STANDIN_KIND(unsigned char, 'i')
STANDIN_KIND(short, 'i') STANDIN_KIND(unsigned short, 'i') STANDIN_KIND(int, 'i') STANDIN_KIND(unsigned, 'i')
STANDIN_KIND(long, 'i') STANDIN_KIND(unsigned long, 'i') STANDIN_KIND(long long, 'i') STANDIN_KIND(unsigned long long, 'i')
STANDIN_KIND(float, 'f') STANDIN_KIND(double, 'f')

template <class P> bool fits(int size, char kind) {
    typedef typename plain<P>::type T;
    constexpr char wanted = kind_of<T>::value;
    if (plain<P>::pointer) return kind == 'p';
    if (kind == 'p') return wanted == 'i' && sizeof(T) == 8;
    if (wanted == 'f') return kind == 'f' && size == (int)sizeof(T);
    if (wanted == 'i') return (kind == 'i' || kind == 'u' || kind == 'b') && size >= (int)sizeof(T);
    return size == (int)sizeof(T);
}
template <int... n> struct numbers {};
template <auto kernel, class F = decltype(kernel)> struct launcher;
template <auto kernel, class... P> struct launcher<kernel, void (*)(P...)> {
    template <int... n> struct of {
        static void thread(void** args) { kernel(*(typename plain<P>::type*)args[n]...); }
        static int check(const int* sizes, const char* kinds) {
            int wrong = 0;
            ((wrong = wrong || fits<P>(sizes[n], kinds[n]) ? wrong : n + 1), ...);
            return wrong;
        }
        of(numbers<n...>) {}
    };
    typedef decltype(of(numbers<__integer_pack(sizeof...(P))...>())) arguments;
    static constexpr int count = sizeof...(P);
};
}  // namespace standin

// -1: another number of arguments; n > 0: argument n - 1 does not fit; -2: failed, see standin_error
#define STANDIN_LAUNCH(symbol, ...) \
    extern "C" __attribute__((visibility("default"))) int symbol( \
        const unsigned* grid, const unsigned* block, void** args, const int* sizes, const char* kinds, int count, \
        size_t dynamic_shared, unsigned long long order) { \
        typedef standin::launcher<&__VA_ARGS__> launcher; \
        typedef launcher::arguments arguments; \
        if (count != launcher::count) return -1; \
        if (int wrong = arguments::check(sizes, kinds)) return wrong; \
        return standin_run(arguments::thread, args, grid, block, dynamic_shared, \
                           __start_standin_shared, __stop_standin_shared, order); \
    }

#ifdef STANDIN_CPP
#include <complex>
#include <math.h>
#endif
// In the unnamed namespace, like the source: else an overload there, for a type of its own, would hide the functions here.
namespace {
#include "cuda_math.h"
#include "cuda_threads.h"
}
