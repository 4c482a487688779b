/* Attention on the CPU, forward and backward. attention.py says what the arrays are, and why it is done so.

   T is the type of the elements, S the suffix of its functions. A kernel's items are the heads of keys and values of all sequences,
   each with the heads of queries that share it. Scores exist for a few queries at a time, in the thread's own memory. */

#include "prelude.h"

#include "maths.h"

#include "simd.h"

enum { M = WIDTH == 64 ? 8 : 4, N = 2 }; /* of a tile of sums that fits the registers: rows, vectors */
enum { QUERIES = 8, BLOCK = 32, PANEL = 128 / sizeof(T) };

#define exp_ JOIN(gg_exp_, S)
#define log_ JOIN(gg_log_, S)
#define LESS(a, b) ((a) < (b) ? (a) : (b))
#define PADDED(n) (((n) + PANEL - 1) / PANEL * PANEL)
#define MORE(a, b) ((a) > (b) ? (a) : (b))
#define PLUS(a, b) ((a) + (b))
#define EACH _Pragma("omp simd") for (int l = 0; l < PANEL; l++)

/* x[0] becomes the sum, or the like, of PANEL numbers. */
#define FOLD(x, OF)                                                                                                    \
    _Pragma("GCC unroll 8") for (int half_ = PANEL / 2; half_ > 0; half_ /= 2)                                         \
        _Pragma("omp simd") for (int l = 0; l < half_; l++) x[l] = OF(x[l], x[l + half_])

/* Matrices on the right of a product are cut into panels of PANEL columns, [panel][row][PANEL], filled up with zeros. */

static void pack(T *w, const T *x, int64_t stride, int64_t rows, int64_t columns) {
    for (int64_t c = 0; c < columns; c += PANEL)
        for (int64_t i = 0; i < rows; i++, w += PANEL) {
            const T *from = x + i * stride + c;
            if (columns - c >= PANEL) {
                EACH w[l] = from[l];
            } else {
                for (int l = 0; l < PANEL; l++) w[l] = l < columns - c ? from[l] : 0;
            }
        }
}

/* The transposed matrix, of `columns` rows */
static void pack_transposed(T *w, const T *x, int64_t stride, int64_t rows, int64_t columns) {
    for (int64_t r = 0; r < rows; r += PANEL)
        for (int64_t c = 0; c < columns; c++, w += PANEL) {
            const T *from = x + r * stride + c;
            const int64_t left = LESS(rows - r, PANEL);
            for (int64_t l = 0; l < left; l++) w[l] = from[l * stride];
            for (int64_t l = left; l < PANEL; l++) w[l] = 0;
        }
}

/* y[rows, columns] = (add ? y : 0) + x[rows, depth] @ w, whole panels of it. Element (i, k) of x is x[i * row + k * step], and w has
   `deep` rows, of which the first `depth` are taken. */

INLINE void tile(int rows, T *y, int64_t stride, const T *x, int64_t row, int64_t step, const T *w, int64_t depth, int add) {
    Vector sum[M][N];
    for (int i = 0; i < rows; i++)
        for (int v = 0; v < N; v++) sum[i][v] = add ? *(const Vector *)(y + i * stride + v * LANES) : (Vector){0};
    for (int64_t k = 0; k < depth; k++, w += PANEL, x += step) {
        Vector b[N];
        for (int v = 0; v < N; v++) b[v] = *(const Vector *)(w + v * LANES);
        for (int i = 0; i < rows; i++) {
            const T a = x[i * row];
            for (int v = 0; v < N; v++) sum[i][v] += a * b[v];
        }
    }
    for (int i = 0; i < rows; i++)
        for (int v = 0; v < N; v++) *(Vector *)(y + i * stride + v * LANES) = sum[i][v];
}

static void product(int64_t rows, T *y, int64_t stride, const T *x, int64_t row, int64_t step, const T *w, int64_t deep,
                    int64_t depth, int add, int64_t columns) {
    for (int64_t c = 0; c < columns; c += N * LANES) {
        const T *panel = w + c / PANEL * PANEL * deep + c % PANEL;
        int64_t i = 0;
#define TILES(R)                                                                                                       \
    for (; i + R <= rows; i += R) tile(R, y + i * stride + c, stride, x + i * row, row, step, panel, depth, add);
        TILES(M)
#if defined(__AVX512F__)
        TILES(4)
#endif
        TILES(2)
        TILES(1)
    }
}

static void write_rows(T *to, int64_t stride, const T *from, int64_t pitch, int64_t rows, int64_t columns, T factor) {
    for (int64_t i = 0; i < rows; i++)
        _Pragma("omp simd") for (int64_t j = 0; j < columns; j++) to[i * stride + j] = from[i * pitch + j] * factor;
}

/* An array of four axes: sequences, heads, rows and, for a mask, columns; how far from one to the next, in elements. */
typedef struct {
    int64_t sequence, head, row, column;
} Steps;

enum { HEADS, GROUP, QUERY_COUNT, KEYS, WIDTH_OF_KEY, WIDTH_OF_VALUE, CAUSAL, MASK, STEPS };
enum { NO_MASK, SEEN, ADDED };

#define SETTING                                                                                                        \
    const int64_t heads = n[HEADS], group = n[GROUP], queries = n[QUERY_COUNT], keys = n[KEYS], width = n[WIDTH_OF_KEY], \
                  depth = n[WIDTH_OF_VALUE], pitch = PADDED(keys), wide = PADDED(width), deep = PADDED(depth);           \
    const Steps *steps = (const Steps *)(n + STEPS);                                                                   \
    const T scale = (T)s[0]
#define HEAD(array, number) ((T *)p[array] + sequence * steps[array].sequence + (number) * steps[array].head)
#define MASK_OF(number)                                                                                                \
    (p[OF_MASK] + (sequence * steps[OF_MASK].sequence + (number) * steps[OF_MASK].head) * (n[MASK] == SEEN ? 1 : sizeof(T)))
#define KERNEL(name) void name(char *const *p, const int64_t *n, const double *s, char *scratch, int64_t begin, int64_t end)

/* Scores of query i, from the products with the keys: those of keys that it does not see are -inf, up to the end of a panel. */
INLINE void finish_scores(T *restrict scores, const int64_t *n, T scale, const char *mask, Steps steps, int64_t i, int64_t count) {
    const int64_t seen = n[CAUSAL] ? LESS(i + 1, n[KEYS]) : n[KEYS];
    if (n[MASK] == SEEN) {
        for (int64_t j = 0; j < seen; j++) scores[j] = mask[i * steps.row + j * steps.column] ? scores[j] * scale : -INFINITY;
        scale = 1; /* -inf times another may be nan, or inf */
    } else if (n[MASK] == ADDED) {
        const T *more = (const T *)mask + i * steps.row;
        for (int64_t j = 0; j < seen; j++) scores[j] = scores[j] * scale + more[j * steps.column];
        scale = 1;
    }
    for (int64_t j = 0; j < count; j += PANEL) {
        const int left = seen - j < PANEL ? (int)(seen - j) : PANEL;
        EACH scores[j + l] = l < left ? scores[j + l] * scale : -INFINITY;
    }
}

KERNEL(attention) {
    SETTING;
    enum { OUT, SUMS, QUERY, KEY, VALUE, OF_MASK };
    T *k = (T *)scratch, *v = k + pitch * width, *scores = v + keys * deep, *out = scores + QUERIES * pitch;
    for (int64_t item = begin; item < end; item++) {
        const int64_t sequence = item / heads, head = item % heads;
        pack_transposed(k, HEAD(KEY, head), steps[KEY].row, keys, width);
        pack(v, HEAD(VALUE, head), steps[VALUE].row, keys, depth);
        for (int64_t g = head * group; g < (head + 1) * group; g++) {
            T *sums = (T *)p[SUMS] + (sequence * heads * group + g) * queries;
            const T *q = HEAD(QUERY, g);
            const char *mask = MASK_OF(g);
            for (int64_t i = 0; i < queries; i += QUERIES) {
                const int64_t rows = LESS(queries - i, QUERIES), seen = n[CAUSAL] ? LESS(i + rows, keys) : keys;
                product(rows, scores, pitch, q + i * steps[QUERY].row, steps[QUERY].row, 1, k, width, width, 0, seen);
                T tops[QUERIES] = {0}, totals[QUERIES] = {0};
                for (int64_t r = 0; r < rows; r++) {
                    T *restrict x = scores + r * pitch, most[PANEL], sum[PANEL];
                    finish_scores(x, n, scale, mask, steps[OF_MASK], i + r, PADDED(seen));
                    EACH most[l] = -INFINITY, sum[l] = 0;
                    for (int64_t j = 0; j < seen; j += PANEL) EACH most[l] = MORE(x[j + l], most[l]);
                    FOLD(most, MORE);
                    const T top = tops[r] = most[0] == -INFINITY ? 0 : most[0];
                    for (int64_t j = 0; j < seen; j += PANEL) EACH sum[l] += x[j + l] = exp_(x[j + l] - top);
                    FOLD(sum, PLUS);
                    totals[r] = sum[0];
                }
                _Pragma("omp simd") for (int r = 0; r < QUERIES; r++) {
                    totals[r] = totals[r] == 0 ? 1 : totals[r];
                    tops[r] += log_(totals[r]);
                }
                memcpy(sums + i, tops, rows * sizeof(T));
                product(rows, out, deep, scores, pitch, 1, v, keys, seen, 0, depth);
                for (int64_t r = 0; r < rows; r++)
                    write_rows(HEAD(OUT, g) + (i + r) * steps[OUT].row, 0, out + r * deep, 0, 1, depth, 1 / totals[r]);
            }
        }
    }
}

KERNEL(attention_gradient) {
    SETTING;
    enum { OF_QUERY, OF_KEY, OF_VALUE, GRADIENT, QUERY, KEY, VALUE, OUT, SUMS, OF_MASK };
    T *k_rows = (T *)scratch, *k = k_rows + keys * wide, *v = k + pitch * width, *weights = v + pitch * depth,
      *of_scores = weights + BLOCK * pitch, *q_rows = of_scores + BLOCK * pitch, *g_rows = q_rows + BLOCK * wide,
      *dq = g_rows + BLOCK * deep, *dk = dq + QUERIES * wide, *dv = dk + keys * wide;
    for (int64_t item = begin; item < end; item++) {
        const int64_t sequence = item / heads, head = item % heads;
        pack(k_rows, HEAD(KEY, head), steps[KEY].row, keys, width);
        pack_transposed(k, HEAD(KEY, head), steps[KEY].row, keys, width);
        pack_transposed(v, HEAD(VALUE, head), steps[VALUE].row, keys, depth);
        memset(dk, 0, keys * wide * sizeof(T));
        memset(dv, 0, keys * deep * sizeof(T));
        for (int64_t h = head * group; h < (head + 1) * group; h++) {
            const T *sums = (const T *)p[SUMS] + (sequence * heads * group + h) * queries;
            const char *mask = MASK_OF(h);
            for (int64_t start = 0; start < queries; start += BLOCK) {
                const int64_t block = LESS(queries - start, BLOCK), seen_by_block = n[CAUSAL] ? LESS(start + block, keys) : keys;
                const T *q = HEAD(QUERY, h) + start * steps[QUERY].row, *g = HEAD(GRADIENT, h) + start * steps[GRADIENT].row,
                        *out = HEAD(OUT, h) + start * steps[OUT].row;
                pack(q_rows, q, steps[QUERY].row, block, width);
                pack(g_rows, g, steps[GRADIENT].row, block, depth);
                for (int64_t i = 0; i < block; i += QUERIES) {
                    const int64_t rows = LESS(block - i, QUERIES), seen = n[CAUSAL] ? LESS(start + i + rows, keys) : keys;
                    T *w = weights + i * pitch, *d = of_scores + i * pitch;
                    product(rows, w, pitch, q + i * steps[QUERY].row, steps[QUERY].row, 1, k, width, width, 0, seen);
                    product(rows, d, pitch, g + i * steps[GRADIENT].row, steps[GRADIENT].row, 1, v, depth, depth, 0, seen);
                    for (int64_t r = 0; r < rows; r++) {
                        T *restrict x = w + r * pitch, *restrict y = d + r * pitch, sum = 0;
                        const T *a = g + (i + r) * steps[GRADIENT].row, *b = out + (i + r) * steps[OUT].row, logarithm = sums[start + i + r];
                        finish_scores(x, n, scale, mask, steps[OF_MASK], start + i + r, PADDED(seen));
                        _Pragma("omp simd reduction(+ : sum)") for (int64_t j = 0; j < depth; j++) sum += a[j] * b[j];
                        for (int64_t j = 0; j < seen; j += PANEL)
                            EACH {
                                const T weight = exp_(x[j + l] - logarithm);
                                x[j + l] = weight;
                                y[j + l] = weight * (y[j + l] - sum);
                            }
                    }
                    product(rows, dq, wide, d, pitch, 1, k_rows, keys, seen, 0, width);
                    write_rows(HEAD(OF_QUERY, h) + (start + i) * steps[OF_QUERY].row, steps[OF_QUERY].row, dq, wide, rows, width, scale);
                }
                for (int64_t j = 0; j < seen_by_block; j += QUERIES) { /* the first query that sees key j is number j */
                    const int64_t rows = LESS(seen_by_block - j, QUERIES), from = n[CAUSAL] && j > start ? j - start : 0;
                    product(rows, dv + j * deep, deep, weights + from * pitch + j, 1, pitch, g_rows + from * PANEL, block, block - from, 1, depth);
                    product(rows, dk + j * wide, wide, of_scores + from * pitch + j, 1, pitch, q_rows + from * PANEL, block, block - from, 1, width);
                }
            }
        }
        write_rows(HEAD(OF_KEY, head), steps[OF_KEY].row, dk, wide, keys, width, scale);
        write_rows(HEAD(OF_VALUE, head), steps[OF_VALUE].row, dv, deep, keys, depth, 1);
    }
}
