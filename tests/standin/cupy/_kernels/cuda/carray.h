// What CuPy puts in front of the body of an ElementwiseKernel or ReductionKernel: its arrays, 16-bit floats, complex numbers.
#pragma once
#ifdef STANDIN_CPP
namespace thrust { template <class T> using complex = std::complex<T>; using std::abs; using std::conj; using std::exp; }
#endif
namespace {
#include <cuda_bf16.h>
#include <cuda_fp16.h>

typedef signed char int8_t;
typedef unsigned char uint8_t;
typedef short int16_t;
typedef unsigned short uint16_t;
typedef int int32_t;
typedef unsigned uint32_t;
typedef long int64_t;
typedef unsigned long uint64_t;
#ifndef M_PI
#define M_PI 3.1415926535897932384626433832795
#endif

// Unlike __half, these compute in float and round only when stored
#define STANDIN_FLOAT16(name, storage) \
    struct name { \
        storage data; \
        name() = default; \
        name(float x) : data(x) {} \
        operator float() const { return data; } \
    }; \
    inline name& operator+=(name& x, float y) { return x = name(float(x) + y); } \
    inline name& operator-=(name& x, float y) { return x = name(float(x) - y); } \
    inline name& operator*=(name& x, float y) { return x = name(float(x) * y); } \
    inline name& operator/=(name& x, float y) { return x = name(float(x) / y); }
STANDIN_FLOAT16(float16, __half) STANDIN_FLOAT16(bfloat16, __nv_bfloat16)

// Words are {address, size, ndim, shape..., strides...}
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
}  // namespace
