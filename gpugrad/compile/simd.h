/* What the kernels by hand share: vectors of T, the type of the elements. */

#include <stdint.h>
#include <string.h>

/* Sums of products are fused multiply-adds, as in any library of products; elsewhere gpugrad rounds as NumPy does. */
#ifdef __clang__
#pragma STDC FP_CONTRACT ON
#else
#pragma GCC optimize("fp-contract=fast")
#endif

#if defined(__AVX512F__)
enum { WIDTH = 64 }; /* bytes of a vector */
#elif defined(__AVX__)
enum { WIDTH = 32 };
#else
enum { WIDTH = 16 };
#endif
enum { LANES = WIDTH / sizeof(T) };

typedef T Vector __attribute__((vector_size(WIDTH), aligned(sizeof(T)), may_alias));

#define INLINE static inline __attribute__((always_inline))
#define JOIN2(a, b) a##b
#define JOIN(a, b) JOIN2(a, b)
