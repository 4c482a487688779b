/* Products of matrices on the CPU: out (M, N) = x (M, K) y (K, N) + bias (N), or stacks of them; triangular systems. product.py says why.

   The result is cut into blocks, and these into tiles of sums that stay in registers. For each step along K a tile takes a few
   numbers of x and a few vectors of y. y is packed into panels of as many columns as a tile has, [panel][k][PANEL], which are read
   one after the other from the second level of the cache; x is read as it lies, but packed, too, where its columns are contiguous and
   so many that the lines of the cache with rows of a tile would not stay in it. Where a panel would be read but once or twice, for
   few rows of x, y is read as it lies as well.
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
enum { PANEL = N * LANES, FEW = 2 * M, NEAR = WIDTH == 64 ? 512 : 0 }; /* steps along K, up to which x is read as it lies */

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

/* d[i][j] = sum over k of a[i][k] b[k][j]; `across` says that a lies as [k][i]. */
INLINE void tile(const int m, const int n, const int across, const Tile *p) {
    Vector sum[M][N] = {{{0}}};
    const T *a = p->a, *b = p->b;
    const int64_t pitch = p->a_pitch, b_pitch = p->b_pitch;
#pragma GCC unroll 8
    for (int i = 0; i < m; i++) /* the lines that the sums go to */
#pragma GCC unroll 8
        for (int j = 0; j < n; j++) __builtin_prefetch(p->d + i * p->d_pitch + j * LANES, 1);
    for (int64_t k = 0; k < p->depth; k++, b += b_pitch) {
        Vector row[N];
#pragma GCC unroll 8
        for (int j = 0; j < n; j++) row[j] = *(const Vector *)(b + j * LANES);
#pragma GCC unroll 8
        for (int i = 0; i < m; i++) {
            const T x = across ? a[k * pitch + i] : a[i * pitch + k];
#pragma GCC unroll 8
            for (int j = 0; j < n; j++) sum[i][j] += x * row[j];
        }
    }
    finish(m, n, sum, p);
}

#define ALL(name, m, across)                                                    \
    static void name##_1(const Tile *p) { tile(m, 1, across, p); }              \
    static void name##_2(const Tile *p) { tile(m, 2, across, p); }              \
    static void name##_3(const Tile *p) { tile(m, N, across, p); }
ALL(high, M, 0) ALL(half, M / 2, 0) ALL(row, 1, 0)
ALL(high_across, M, 1) ALL(half_across, M / 2, 1) ALL(row_across, 1, 1)
#define TABLE(name) {name##_1, name##_2, name##_3}

typedef void Tiled(const Tile *);

static Tiled *const tiles[2][3][3] = {{TABLE(high), TABLE(half), TABLE(row)},
    {TABLE(high_across), TABLE(half_across), TABLE(row_across)}};

/* Of the next tile, when so many rows are left: which of the three, and its rows */
static int shape_of(int64_t left) { return left >= M ? 0 : left >= M / 2 ? 1 : 2; }

static const int rows_of[] = {M, M / 2, 1};

/* Packing. The last vector of a row is filled up with zeros. */

static void pack_rows(T *to, const T *y, int64_t pitch, int64_t depth, int64_t columns) {
    for (int64_t c = 0; c < columns; c += PANEL)
        for (int64_t k = 0; k < depth; k++, to += PANEL) {
            const T *from = y + k * pitch + c;
#pragma GCC unroll 8
            for (int64_t j = 0; j < PANEL && c + j < columns; j += LANES) {
                const int64_t count = columns - c - j;
                *(Vector *)(to + j) = count >= LANES ? *(const Vector *)(from + j) : part_of(from + j, count);
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
        for (int64_t j = 0; j < PANEL && c + j < columns; j += LANES) {
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

enum {
    ROWS, COLUMNS, DEPTH, X_PITCH, Y_PITCH, X_NEXT, Y_NEXT, X_ACROSS, Y_ACROSS, BIAS, /* the operands */
    ROW_BLOCK, ROW_BLOCKS, WIDE, WIDE_BLOCKS, NARROW, DEPTH_BLOCK /* the blocks */
};

typedef struct {
    int64_t matrix, row, column, rows, columns;
} Block;

/* Of n[ROW_BLOCKS] rows of blocks, first come n[WIDE_BLOCKS] of n[WIDE] columns each, and then, so that all threads end at about the
   same time, what is left of the columns in blocks of n[NARROW]. */
static Block block(const int64_t *n, int64_t item) {
    const int64_t wide = n[ROW_BLOCKS] * n[WIDE_BLOCKS], left = item < wide ? 0 : n[WIDE_BLOCKS] * n[WIDE];
    const int64_t width = item < wide ? n[WIDE] : n[NARROW], down = (n[ROWS] - 1) / n[ROW_BLOCK] + 1;
    const int64_t along = item < wide ? n[WIDE_BLOCKS] : (n[COLUMNS] - left - 1) / width + 1;
    if (item >= wide) item -= wide;
    const int64_t column = left + item % along * width, row = item / along % down * n[ROW_BLOCK];
    return (Block){item / along / down, row, column, least(n[ROW_BLOCK], n[ROWS] - row), least(width, n[COLUMNS] - column)};
}

/* p: result (stack, M, N), where exceptions are noted, x, y and, with n[BIAS], bias. x lies as (M, K) or, with n[X_ACROSS], as
   (K, M), y as (K, N) or (N, K), their rows at a pitch, and the next matrix of a stack at n[X_NEXT] and n[Y_NEXT]. An item is a block
   of the result. */
void product(char *const *p, const int64_t *n, const double *s, char *scratch, int64_t begin, int64_t end) {
    feclearexcept(FE_ALL_EXCEPT);
    for (int64_t item = begin; item < end; item++) {
        const Block at = block(n, item);
        const int64_t rows = at.rows, columns = at.columns;
        const T *x = (const T *)p[2] + at.matrix * n[X_NEXT] + at.row * (n[X_ACROSS] ? 1 : n[X_PITCH]);
        const T *y = (const T *)p[3] + at.matrix * n[Y_NEXT] + at.column * (n[Y_ACROSS] ? n[Y_PITCH] : 1);
        T *out = (T *)p[0] + (at.matrix * n[ROWS] + at.row) * n[COLUMNS] + at.column, *panels = (T *)scratch;
        const int packs_x = n[X_ACROSS] && n[DEPTH] > NEAR && columns > PANEL;
        for (int64_t k = 0, depth; k < n[DEPTH]; k += depth) {
            depth = least(n[DEPTH_BLOCK], n[DEPTH] - k);
            const int64_t direct = !n[Y_ACROSS] && rows <= FEW ? columns / PANEL * PANEL : 0;
            if (n[Y_ACROSS]) pack_columns(panels, y + k, n[Y_PITCH], depth, columns);
            else pack_rows(panels, y + k * n[Y_PITCH] + direct, n[Y_PITCH], depth, columns - direct);
            T *packed = panels + depth * ((columns + PANEL - 1) / PANEL * PANEL);
            if (packs_x) pack_tiles(packed, x + k * n[X_PITCH], n[X_PITCH], depth, rows);
            const T *bias = n[BIAS] && k + depth == n[DEPTH] ? (const T *)p[4] + at.column : NULL;
            for (int64_t i = 0; i < rows;) {
                const int shape = shape_of(rows - i);
                const T *a = packs_x ? packed + i * depth : n[X_ACROSS] ? x + k * n[X_PITCH] + i : x + i * n[X_PITCH] + k;
                Tile t = {a, NULL, bias, out + i * n[COLUMNS], packs_x ? rows_of[shape] : n[X_PITCH], 0, n[COLUMNS], depth, PANEL, k > 0};
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

enum { SIZE, WIDTH_OF_RIGHT, RIGHT_STEP, RIGHT_NEXT, STEP, ACROSS, NEXT, FIRST, RIGHT_FIRST, UNIT, BLOCK };

/* p: right sides (stack, K, N), which the solutions replace, and triangles (K, K) whose element (i, k) is at n[FIRST] + i n[STEP] +
   k n[ACROSS], as row i of the right side is at n[RIGHT_FIRST] + i n[RIGHT_STEP]: a triangle is a lower one, or is read from its
   last element. Some rows at a time, what was solved for is taken off by a product and the rest by substitution. An item is a block
   of the right side's columns. */
void substitute(char *const *p, const int64_t *n, const double *s, char *scratch, int64_t begin, int64_t end) {
    const int64_t size = n[SIZE], along = (n[WIDTH_OF_RIGHT] - 1) / n[BLOCK] + 1, step = n[STEP], across = n[ACROSS];
    T *panels = (T *)scratch, *packed = panels + size * ((n[BLOCK] + PANEL - 1) / PANEL * PANEL);
    for (int64_t item = begin; item < end; item++) {
        const int64_t column = item % along * n[BLOCK], columns = least(n[BLOCK], n[WIDTH_OF_RIGHT] - column);
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
                const Tile t = {packed, panel, NULL, known, rows, PANEL, PANEL, i, vectors * LANES, 0};
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
