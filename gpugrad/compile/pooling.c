/* Max pooling on the CPU: where each window has its maximum; elements that are taken from there, and put back. See pooling.py.

   T is the type of the elements, I that of integers of the same size. An item is a plane: a channel of an image. */

#include "lines.h"

typedef I Integers __attribute__((vector_size(WIDTH), may_alias));

enum { TAPS, LENGTH, PADDING0, PADDING1, PADDING2, DILATION0, DILATION1, DILATION2, LINES, MAPS, OFFSETS, SHIFTS };

/* How far behind tap 0 of window o, along an axis, the first tap is that lies on an element. */
static int64_t lead(const int64_t *n, int axis, int64_t o) {
    const int64_t before = n[PADDING0 + axis] - o * n[n[LINES] + STEP0 + axis], dilation = n[DILATION0 + axis];
    return before > 0 ? (before + dilation - 1) / dilation * dilation : 0;
}

/* p: result (N, C, *windows), x (N, C, *spatial) */
void max_pool_indices(char *const *p, const int64_t *n, const double *s, char *scratch, int64_t begin, int64_t end) {
    const int64_t *x = n + n[LINES], *g = n + n[MAPS], *offset = n + n[OFFSETS], *shift = n + n[SHIFTS];
    const int64_t rows = g[PHASE + COUNT0], columns = g[PHASE + COUNT1], windows = g[PHASE + COUNT2];
    T *line = (T *)scratch;
    I *first = (I *)(line + x[PITCH]), *found = first + n[LENGTH]; /* what is added to the place of tap 0 */
    for (int64_t k = 0; k < x[PITCH]; k++) line[k] = -__builtin_inf(); /* the padding */
    for (int64_t i = 0; i < rows; i++) /* a window of nothing else than -inf has its maximum on an element all the same */
        for (int64_t j = 0; j < columns; j++)
            for (int64_t k = 0; k < windows; k++)
                first[i * x[FLAT0] + j * x[FLAT1] + k] = (I)((lead(n, 0, i) * x[ROW] + lead(n, 1, j)) * x[COLUMN] + lead(n, 2, k));
    for (int64_t plane = begin; plane < end; plane++) {
        spread(x, line, (const T *)p[1] + plane * x[SIZE], 1);
        for (int64_t q = 0; q < n[LENGTH]; q += LANES) {
            Vector best = *(const Vector *)(line + offset[0] + q);
            Integers at = *(const Integers *)(first + q);
            for (int64_t t = 1; t < n[TAPS]; t++) {
                const Vector value = *(const Vector *)(line + offset[t] + q);
                const Integers better = (Integers)((value > best) | (value != value)); /* every bit is set, or none */
                best = (Vector)((better & (Integers)value) | (~better & (Integers)best));
                at = (better & (I)shift[t]) | (~better & at);
            }
            *(Integers *)(found + q) = at;
        }
        int64_t *to = (int64_t *)p[0] + plane * g[SIZE];
        for (int64_t i = 0; i < rows; i++)
            for (int64_t j = 0; j < columns; j++, to += windows) {
                const int64_t row = (i * x[STEP0] - n[PADDING0]) * x[ROW] + j * x[STEP1] - n[PADDING1];
                const int64_t tap0 = row * x[COLUMN] - n[PADDING2], step = x[STEP2];
                const I *from = found + i * x[FLAT0] + j * x[FLAT1];
                for (int64_t k = 0; k < windows; k++) to[k] = tap0 + k * step + from[k];
            }
    }
}

enum { WINDOWS, ELEMENTS };

/* p: result (N, C, *windows), x (N, C, *spatial), indices (N, C, *windows). Where an index is none, the result is nan. */
void pool_take(char *const *p, const int64_t *n, const double *s, char *scratch, int64_t begin, int64_t end) {
    for (int64_t plane = begin; plane < end; plane++) {
        T *restrict out = (T *)p[0] + plane * n[WINDOWS];
        const T *x = (const T *)p[1] + plane * n[ELEMENTS];
        const int64_t *indices = (const int64_t *)p[2] + plane * n[WINDOWS];
        for (int64_t k = 0; k < n[WINDOWS]; k++) out[k] = (uint64_t)indices[k] < (uint64_t)n[ELEMENTS] ? x[indices[k]] : __builtin_nan("");
    }
}

/* p: result (N, C, *spatial), g (N, C, *windows), indices (N, C, *windows) */
void pool_put(char *const *p, const int64_t *n, const double *s, char *scratch, int64_t begin, int64_t end) {
    for (int64_t plane = begin; plane < end; plane++) {
        T *out = (T *)p[0] + plane * n[ELEMENTS];
        const T *g = (const T *)p[1] + plane * n[WINDOWS];
        const int64_t *indices = (const int64_t *)p[2] + plane * n[WINDOWS];
        memset(out, 0, (size_t)n[ELEMENTS] * sizeof(T));
        for (int64_t k = 0; k < n[WINDOWS]; k++)
            if ((uint64_t)indices[k] < (uint64_t)n[ELEMENTS]) out[indices[k]] += g[k];
    }
}
