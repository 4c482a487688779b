/* The quintic Newton-Schulz iteration on the CPU, each matrix on one thread. newton_schulz.py says what it computes, and why so.

   All matrices lie in panels of PANEL columns, [panel][row][PANEL], padded to whole panels both ways. For the m by n matrix y with
   m <= n there are y and its transpose: then both factors of every product y y^T, G G and P y are read in successive panels, since
   G and P are symmetric, and what lies beyond the edge of a factor only meets what lies beyond the edge of a product. */

#include <math.h>

#include "simd.h"

enum { M = WIDTH == 64 ? 8 : 4, N = 2 }; /* of a tile of sums that fits the registers: rows, vectors */
enum { PANEL = N * LANES };

typedef int32_t Bits __attribute__((vector_size(WIDTH), aligned(sizeof(float)), may_alias));

/* To the nearest number of bfloat16, the even one of two; nan stays */
INLINE Vector rounded(Vector x) {
    const Bits bits = (Bits)x, is_nan = x != x, up = (bits + 0x7fff + ((bits >> 16) & 1)) & -0x10000;
    return (Vector)((up & ~is_nan) | (bits & is_nan));
}

INLINE int64_t padded(int64_t n) { return (n + PANEL - 1) / PANEL * PANEL; }

/* What becomes of a product x: rounded(x) or, with `old`, rounded(alpha * old + beta * x). */
typedef struct {
    float alpha, beta;
    const float *old; /* where in the panel of its like the tile is; NULL: there is none */
} Join;

/* A tile of a^T b: M columns of panel a by n vectors of panel b; to `to` and, transposed, to `back` if there is such. */
INLINE void tile(const int n, float *to, float *back, const float *a, const float *b, int64_t depth, const Join *join) {
    Vector sum[M][N] = {{{0}}};
    for (int64_t k = 0; k < depth; k++, a += PANEL, b += PANEL) {
        Vector row[N];
#pragma GCC unroll 8
        for (int v = 0; v < n; v++) row[v] = *(const Vector *)(b + v * LANES);
#pragma GCC unroll 8
        for (int i = 0; i < M; i++) {
            const float x = a[i];
#pragma GCC unroll 8
            for (int v = 0; v < n; v++) sum[i][v] += x * row[v];
        }
    }
#pragma GCC unroll 8
    for (int i = 0; i < M; i++)
#pragma GCC unroll 8
        for (int v = 0; v < n; v++) {
            Vector x = sum[i][v];
            if (join->old) x = join->alpha * *(const Vector *)(join->old + i * PANEL + v * LANES) + join->beta * x;
            *(Vector *)(to + i * PANEL + v * LANES) = rounded(x);
        }
    if (back)
        for (int64_t j = 0; j < n * LANES; j++)
            for (int64_t i = 0; i < M; i++) back[j * PANEL + i] = to[i * PANEL + j];
}

/* `rows` rows of one panel of the result, from panels at a, each of `pitch` elements, and one at b. With `back`, they go there
   transposed, too: to successive panels, `jump` elements apart. */
INLINE void tiles(float *to, float *back, int64_t jump, const float *a, int64_t pitch, const float *b, int64_t rows,
                  int64_t columns, int64_t depth, float alpha, float beta, const float *old) {
    for (int64_t i = 0; i < rows; i += M) {
        const Join join = {alpha, beta, old ? old + i * PANEL : NULL};
        float *mirror = back ? back + i / PANEL * jump + i % PANEL : NULL;
        const float *from = a + i / PANEL * pitch + i % PANEL;
        if (columns > LANES) tile(N, to + i * PANEL, mirror, from, b, depth, &join);
        else tile(1, to + i * PANEL, mirror, from, b, depth, &join);
    }
}

/* The symmetric x^T x, or alpha x + beta x^T x, of as many rows and columns as x has columns: half of it, and its mirror image. */
static void symmetric(float *to, const float *x, int64_t size, int64_t depth, int64_t pitch, int joined, float alpha, float beta) {
    const int64_t all = padded(size) * PANEL; /* elements of a panel of the result */
    for (int64_t c = 0; c < size; c += PANEL) {
        const int64_t p = c / PANEL, columns = size - c;
        const float *b = x + p * pitch, *old = joined ? x + p * all : NULL;
        tiles(to + p * all, to + c * PANEL, all, x, pitch, b, c, columns, depth, alpha, beta, old);
        const int64_t corner = columns < PANEL ? columns : PANEL;
        tiles(to + p * all + c * PANEL, NULL, 0, b, pitch, b, corner, columns, depth, alpha, beta, old ? old + c * PANEL : NULL);
    }
}

/* From panels of `rows` rows to those of the transpose, which have `columns` rows, both with all of their padding */
static void transpose(float *to, const float *x, int64_t rows, int64_t columns) {
    for (int64_t c = 0; c < columns; c += PANEL)
        for (int64_t r = 0; r < rows; r += PANEL)
            for (int64_t i = 0; i < PANEL; i++)
                for (int64_t j = 0; j < PANEL; j++) to[r * columns + (c + j) * PANEL + i] = x[c * rows + (r + i) * PANEL + j];
}

enum { ROWS, COLUMNS, STEPS };
enum { A, B, C, EPS, SCALE };

/* Each item is an array, a contiguous matrix, which is written over. */
void newton_schulz(char *const *p, const int64_t *n, const double *s, char *scratch, int64_t begin, int64_t end) {
    const int64_t rows = n[ROWS], columns = n[COLUMNS], tall = rows > columns, small = tall ? columns : rows,
                  large = tall ? rows : columns, m = padded(small), l = padded(large);
    float *y = (float *)scratch, *t = y + m * l, *gram = t + m * l, *factor = gram + m * m, *panel = factor + m * m;
    for (int64_t item = begin; item < end; item++) {
        float *x = (float *)p[item], *like = tall ? t : y; /* the one whose panels have the rows of x */
        const int64_t pitch = (tall ? l : m) * PANEL;
        memset(like, 0, m * l * sizeof *x);
        for (int64_t i = 0; i < rows; i++)
            for (int64_t c = 0; c < columns; c += PANEL)
                memcpy(like + c / PANEL * pitch + i * PANEL, x + i * columns + c,
                       (columns - c < PANEL ? columns - c : PANEL) * sizeof *x);
        Vector squares = {0};
        for (int64_t k = 0; k < m * l; k += LANES) {
            Vector *v = (Vector *)(like + k);
            *v = rounded(*v);
            squares += *v * *v;
        }
        double sum = 0;
        for (int v = 0; v < LANES; v++) sum += squares[v];
        const Vector norm = rounded((Vector){0} + (float)sqrt(sum));
        const float least = (float)s[EPS], by = norm[0] < least ? least : norm[0];
        for (int64_t k = 0; k < m * l; k += LANES) *(Vector *)(like + k) = rounded(*(Vector *)(like + k) / by);
        if (tall) transpose(y, t, l, m);
        else transpose(t, y, m, l);
        for (int64_t step = 0; step < n[STEPS]; step++) {
            symmetric(gram, t, small, large, l * PANEL, 0, 0, 0);
            symmetric(factor, gram, small, small, m * PANEL, 1, (float)s[B], (float)s[C]);
            for (int64_t c = 0; c < large; c += PANEL) {
                float *of_y = y + c * m;
                tiles(panel, t + c * PANEL, l * PANEL, factor, m * PANEL, of_y, small, large - c, small, (float)s[A], 1, of_y);
                memcpy(of_y, panel, m * PANEL * sizeof *y);
            }
        }
        const float scale = (float)s[SCALE];
        for (int64_t i = 0; i < rows; i++)
            for (int64_t c = 0; c < columns; c += PANEL)
                for (int64_t j = 0; j < PANEL && c + j < columns; j++)
                    x[i * columns + c + j] = scale * like[c / PANEL * pitch + i * PANEL + j];
    }
}
