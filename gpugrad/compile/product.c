/* Products of matrices on the CPU: out (M, N) = x (M, K) y (K, N) + bias (N), or stacks of them; triangular systems. product.py says why.

   The result is cut into blocks, and these into tiles of sums that stay in registers. For each step along K a tile takes a few
   numbers of x and a few vectors of y. y is packed into panels of as many columns as a tile has, [panel][k][PANEL], which are read
   one after the other from the second level of the cache; x is read as it lies if its rows are contiguous, and else packed, too. Where
   a panel would be read but once or twice, for few rows of x, y is read as it lies as well.
   (K. Goto and R. van de Geijn, Anatomy of high-performance matrix multiplication, ACM Trans. Math. Softw. 34, 2008.) */

#ifndef __clang__
#pragma GCC optimize("O2") /* what matters is unrolled and in vectors as it is written: -O3 takes four times as long to find nothing */
#endif
#include "exceptions.h"
#include "simd.h"

#if defined(__AVX512F__) || defined(__aarch64__)
enum { M = 8, N = 3 }; /* of a tile: rows, vectors, of which 32 registers hold the sums, a row of y and a number of x */
#else
enum { M = 6, N = 2 }; /* 16 registers */
#endif
enum { PANEL = N * LANES, FEW = 2 * M };

typedef struct {
    const T *a, *b, *bias; /* bias, unless it is NULL, is added to each row */
    T *d;
    int64_t a_pitch, b_pitch, d_pitch, depth, columns; /* the last tile of a row has fewer columns than vectors hold */
    int more; /* whether the sums are added to what d holds */
} Tile;

/* The first `count` of the elements of a vector, at most all of them, without a loop */
INLINE void copy_part(T *to, const T *from, int64_t count) {
#pragma GCC unroll 8
    for (int part = LANES; part > 0; part /= 2)
        if (count & part) {
            memcpy(to, from, part * sizeof(T));
            to += part, from += part;
        }
}

INLINE Vector part_of(const T *from, int64_t count) {
    T all[LANES] = {0};
    copy_part(all, from, count);
    return *(const Vector *)all;
}

/* The sums go to d. */
INLINE void finish(const int m, const int n, Vector (*sum)[N], const Tile *p) {
#pragma GCC unroll 8
    for (int i = 0; i < m; i++)
#pragma GCC unroll 8
        for (int j = 0; j < n; j++) {
            T *to = p->d + i * p->d_pitch + j * LANES;
            const T *bias = p->bias + j * LANES;
            const int64_t count = p->columns - j * LANES;
            Vector v = sum[i][j];
            if (j < n - 1 || count == LANES) {
                if (p->more) v = *(const Vector *)to + v;
                if (p->bias) v = v + *(const Vector *)bias;
                *(Vector *)to = v;
            } else {
                if (p->more) v = part_of(to, count) + v;
                if (p->bias) v = v + part_of(bias, count);
                copy_part(to, (const T *)&v, count);
            }
        }
}

/* d[i][j] = sum over k of a[i][k] b[k][j]; `packed` says that a lies as [k][i]. */
INLINE void tile(const int m, const int n, const int packed, const Tile *p) {
    Vector sum[M][N] = {{{0}}};
    const T *a = p->a, *b = p->b;
    const int64_t pitch = p->a_pitch, b_pitch = p->b_pitch;
    for (int64_t k = 0; k < p->depth; k++, b += b_pitch) {
        Vector row[N];
#pragma GCC unroll 8
        for (int j = 0; j < n; j++) row[j] = *(const Vector *)(b + j * LANES);
#pragma GCC unroll 8
        for (int i = 0; i < m; i++) {
            const T x = packed ? a[k * m + i] : a[i * pitch + k];
#pragma GCC unroll 8
            for (int j = 0; j < n; j++) sum[i][j] += x * row[j];
        }
    }
    finish(m, n, sum, p);
}

#define ALL(name, m, packed)                                                    \
    static void name##_1(const Tile *p) { tile(m, 1, packed, p); }              \
    static void name##_2(const Tile *p) { tile(m, 2, packed, p); }              \
    static void name##_3(const Tile *p) { tile(m, N, packed, p); }
ALL(high, M, 0) ALL(half, M / 2, 0) ALL(row, 1, 0)
ALL(packed_high, M, 1) ALL(packed_half, M / 2, 1) ALL(packed_row, 1, 1)
#define TABLE(name) {name##_1, name##_2, name##_3}

typedef void Tiled(const Tile *);

static Tiled *const tiles[2][3][3] = {{TABLE(high), TABLE(half), TABLE(row)},
    {TABLE(packed_high), TABLE(packed_half), TABLE(packed_row)}};

/* Of the next tile, when so many rows are left: which of the three, and its rows */
static int shape_of(int64_t left) { return left >= M ? 0 : left >= M / 2 ? 1 : 2; }

static const int rows_of[] = {M, M / 2, 1};

/* Packing. Panels are filled up with zeros. */

static void pack_rows(T *to, const T *y, int64_t pitch, int64_t depth, int64_t columns) {
    for (int64_t c = 0; c < columns; c += PANEL)
        for (int64_t k = 0; k < depth; k++, to += PANEL) {
            const T *from = y + k * pitch + c;
            if (columns - c >= PANEL)
#pragma GCC unroll 8
                for (int j = 0; j < N; j++) ((Vector *)to)[j] = ((const Vector *)from)[j];
            else {
                memset(to, 0, PANEL * sizeof(T));
                for (int j = 0; j < columns - c; j++) to[j] = from[j];
            }
        }
}

#ifndef __clang__
/* LANES vectors to those across them: each step brings together elements of vectors that are half of all apart. */
INLINE void transpose(Vector *v) {
#pragma GCC unroll 8
    for (int step = 1; step < LANES; step *= 2) {
        Vector w[LANES];
#pragma GCC unroll 16
        for (int i = 0; i < LANES / 2; i++) {
            w[2 * i] = in_turn(v[i], v[i + LANES / 2], 0);
            w[2 * i + 1] = in_turn(v[i], v[i + LANES / 2], 1);
        }
#pragma GCC unroll 16
        for (int i = 0; i < LANES; i++) v[i] = w[i];
    }
}
#endif

/* The same of the transpose of y, the rows of which are the columns. */
static void pack_columns(T *to, const T *y, int64_t pitch, int64_t depth, int64_t columns) {
    for (int64_t c = 0; c < columns; c += PANEL, to += depth * PANEL)
        for (int64_t j = 0; j < PANEL; j += LANES) {
            const T *from = y + (c + j) * pitch;
            const int64_t count = least(LANES, columns - c - j);
            int64_t k = 0;
#ifndef __clang__
            for (; k + LANES <= depth; k += LANES) {
                Vector v[LANES];
#pragma GCC unroll 16
                for (int l = 0; l < LANES; l++)
                    if (l < count) v[l] = *(const Vector *)(from + l * pitch + k);
                    else v[l] = (Vector){0};
                transpose(v);
#pragma GCC unroll 16
                for (int l = 0; l < LANES; l++) *(Vector *)(to + (k + l) * PANEL + j) = v[l];
            }
#endif
            for (; k < depth; k++)
                for (int l = 0; l < LANES; l++) to[k * PANEL + j + l] = l < count ? from[l * pitch + k] : 0;
        }
}

/* x, which lies as [k][row], to [tile][k][rows of the tile]: a few k at a time, so that whole lines of the cache are written. */
static void pack_tiles(T *to, const T *x, int64_t pitch, int64_t depth, int64_t rows) {
    enum { STEPS = 4 };
    for (int64_t k = 0; k < depth; k += STEPS)
        for (int64_t i = 0, m; i < rows; i += m) {
            m = rows_of[shape_of(rows - i)];
            T *at = to + i * depth + k * m;
            for (const T *from = x + k * pitch + i, *end = from + least(STEPS, depth - k) * pitch; from < end; from += pitch, at += m)
                if (m == M) memcpy(at, from, M * sizeof(T)); /* of a size that is known, a few instructions */
                else memcpy(at, from, (size_t)m * sizeof(T));
        }
}

enum { ROWS, COLUMNS, DEPTH, X_PITCH, Y_PITCH, X_NEXT, Y_NEXT, X_ACROSS, Y_ACROSS, BIAS, ROW_BLOCK, COLUMN_BLOCK, DEPTH_BLOCK };

/* p: result (stack, M, N), where exceptions are noted, x, y and, with n[BIAS], bias. x lies as (M, K) or, with n[X_ACROSS], as
   (K, M), y as (K, N) or (N, K), their rows at a pitch, and the next matrix of a stack at n[X_NEXT] and n[Y_NEXT]. An item is a block
   of the result. */
void product(char *const *p, const int64_t *n, const double *s, char *scratch, int64_t begin, int64_t end) {
    feclearexcept(FE_ALL_EXCEPT);
    T *panels = (T *)scratch, *packed = panels + n[DEPTH_BLOCK] * ((n[COLUMN_BLOCK] + PANEL - 1) / PANEL * PANEL);
    const int64_t along = (n[COLUMNS] - 1) / n[COLUMN_BLOCK] + 1, down = (n[ROWS] - 1) / n[ROW_BLOCK] + 1;
    for (int64_t item = begin; item < end; item++) {
        const int64_t column = item % along * n[COLUMN_BLOCK], row = item / along % down * n[ROW_BLOCK], matrix = item / along / down;
        const int64_t columns = least(n[COLUMN_BLOCK], n[COLUMNS] - column), rows = least(n[ROW_BLOCK], n[ROWS] - row);
        const T *x = (const T *)p[2] + matrix * n[X_NEXT] + row * (n[X_ACROSS] ? 1 : n[X_PITCH]);
        const T *y = (const T *)p[3] + matrix * n[Y_NEXT] + column * (n[Y_ACROSS] ? n[Y_PITCH] : 1);
        T *out = (T *)p[0] + (matrix * n[ROWS] + row) * n[COLUMNS] + column;
        for (int64_t k = 0, depth; k < n[DEPTH]; k += depth) {
            depth = least(n[DEPTH_BLOCK], n[DEPTH] - k);
            const int64_t direct = !n[Y_ACROSS] && rows <= FEW ? columns / PANEL * PANEL : 0;
            if (n[Y_ACROSS]) pack_columns(panels, y + k, n[Y_PITCH], depth, columns);
            else pack_rows(panels, y + k * n[Y_PITCH] + direct, n[Y_PITCH], depth, columns - direct);
            if (n[X_ACROSS]) pack_tiles(packed, x + k * n[X_PITCH], n[X_PITCH], depth, rows);
            const T *bias = n[BIAS] && k + depth == n[DEPTH] ? (const T *)p[4] + column : NULL;
            for (int64_t i = 0; i < rows;) {
                const int shape = shape_of(rows - i);
                Tile t = {n[X_ACROSS] ? packed + i * depth : x + i * n[X_PITCH] + k, NULL, bias, out + i * n[COLUMNS],
                          n[X_PITCH], 0, n[COLUMNS], depth, PANEL, k > 0};
                for (int64_t c = 0; c < columns; c += PANEL) {
                    t.columns = least(PANEL, columns - c);
                    if (c < direct) t.b = y + k * n[Y_PITCH] + c, t.b_pitch = n[Y_PITCH];
                    else t.b = panels + (c - direct) * depth, t.b_pitch = PANEL;
                    tiles[n[X_ACROSS]][shape][(t.columns - 1) / LANES](&t);
                    t.d += PANEL;
                    if (bias) t.bias += PANEL;
                }
                i += rows_of[shape];
            }
        }
    }
    note_exceptions((int64_t *)p[1]);
}

enum { SIZE, WIDE, RIGHT_STEP, RIGHT_NEXT, STEP, ACROSS, NEXT, FIRST, RIGHT_FIRST, UNIT, WIDE_BLOCK };

/* p: right sides (stack, K, N), which the solutions replace, and triangles (K, K) whose element (i, k) is at n[FIRST] + i n[STEP] +
   k n[ACROSS], as row i of the right side is at n[RIGHT_FIRST] + i n[RIGHT_STEP]: a triangle is a lower one, or is read from its
   last element. Some rows at a time, what was solved for is taken off by a product and the rest by substitution. An item is a block
   of the right side's columns. */
void substitute(char *const *p, const int64_t *n, const double *s, char *scratch, int64_t begin, int64_t end) {
    const int64_t size = n[SIZE], along = (n[WIDE] - 1) / n[WIDE_BLOCK] + 1, step = n[STEP], across = n[ACROSS];
    T *panels = (T *)scratch, *packed = panels + size * ((n[WIDE_BLOCK] + PANEL - 1) / PANEL * PANEL);
    for (int64_t item = begin; item < end; item++) {
        const int64_t column = item % along * n[WIDE_BLOCK], columns = least(n[WIDE_BLOCK], n[WIDE] - column);
        T *right = (T *)p[0] + item / along * n[RIGHT_NEXT] + n[RIGHT_FIRST] + column;
        const T *triangle = (const T *)p[1] + item / along * n[NEXT] + n[FIRST];
        pack_rows(panels, right, n[RIGHT_STEP], size, columns);
        for (int64_t i = 0, rows; i < size; i += rows, triangle += rows * step) {
            const int shape = shape_of(size - i);
            rows = rows_of[shape];
            for (int64_t k = 0; k < i; k++)
                for (int64_t r = 0; r < rows; r++) packed[k * rows + r] = triangle[r * step + k * across];
            for (int64_t c = 0; c < columns; c += PANEL) {
                const int64_t vectors = (least(PANEL, columns - c) - 1) / LANES + 1;
                T known[M * PANEL], *panel = panels + c * size, *found = panel + i * PANEL;
                const Tile t = {packed, panel, NULL, known, 0, PANEL, PANEL, i, vectors * LANES, 0};
                tiles[1][shape][vectors - 1](&t);
                for (int64_t r = 0; r < rows; r++)
                    for (int64_t v = 0; v < vectors * LANES; v += LANES) {
                        Vector x = *(Vector *)(found + r * PANEL + v) - *(Vector *)(known + r * PANEL + v);
                        for (int64_t q = 0; q < r; q++)
                            x -= triangle[r * step + (i + q) * across] * *(Vector *)(found + q * PANEL + v);
                        if (!n[UNIT]) x /= triangle[r * step + (i + r) * across];
                        *(Vector *)(found + r * PANEL + v) = x;
                    }
            }
        }
        for (int64_t c = 0; c < columns; c += PANEL)
            for (int64_t i = 0; i < size; i++)
                memcpy(right + i * n[RIGHT_STEP] + c, panels + c * size + i * PANEL, (size_t)least(PANEL, columns - c) * sizeof(T));
    }
}

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
