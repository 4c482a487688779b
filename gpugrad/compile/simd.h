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

INLINE int64_t least(int64_t a, int64_t b) { return a < b ? a : b; }

#ifndef __clang__
typedef __typeof__((Vector){0} == (Vector){0}) Mask; /* integers of the size of T */

/* Of two vectors the elements in turn, those of the first halves (`half` 0) or of the second (1): a0 b0 a1 b1 ... */
INLINE Vector in_turn(Vector a, Vector b, int half) {
    Mask at;
    for (int l = 0; l < LANES; l++) at[l] = l / 2 + l % 2 * LANES + half * (LANES / 2);
    return __builtin_shuffle(a, b, at);
}
#endif
