/* Sums over the rows of a matrix. column_sums.py says why. */

#ifndef __clang__
#pragma GCC optimize("O2")
#endif
#include "simd.h"

enum { HEIGHT, WIDTH_OF_ROWS, ROWS_OF_PART };

/* p: sums (parts, N), x (M, N). An item is a part of the rows, which are added up one after the other, as they lie. */
void column_sums(char *const *p, const int64_t *n, const double *s, char *scratch, int64_t begin, int64_t end) {
    const int64_t columns = n[WIDTH_OF_ROWS], vectors = columns / LANES * LANES;
    for (int64_t item = begin; item < end; item++) {
        T *sum = (T *)p[0] + item * columns;
        memset(sum, 0, (size_t)columns * sizeof(T));
        for (int64_t i = item * n[ROWS_OF_PART]; i < least((item + 1) * n[ROWS_OF_PART], n[HEIGHT]); i++) {
            const T *x = (const T *)p[1] + i * columns;
#pragma GCC unroll 4
            for (int64_t j = 0; j < vectors; j += LANES) *(Vector *)(sum + j) += *(const Vector *)(x + j);
            for (int64_t j = vectors; j < columns; j++) sum[j] += x[j];
        }
    }
}
