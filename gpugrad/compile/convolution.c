/* Direct convolution on the CPU: forward, gradient of the input, gradient of the weight. convolution.py says how and why.

   T is the type of the elements. A convolution is products of weights with shifted lines, which stay in the cache. */

#include "lines.h"

/* v is read once, and not for each of its uses, as compilers would have it. */
#if defined(__x86_64__)
#define IN_REGISTER(v) __asm__("" : "+v"(v))
#elif defined(__aarch64__)
#define IN_REGISTER(v) __asm__("" : "+w"(v))
#else
#define IN_REGISTER(v)
#endif

#if defined(__AVX512F__) || defined(__aarch64__)
enum { M = 8, N = 3 }; /* of a tile of sums that fits the registers: rows, columns */
#else
enum { M = 4, N = 3 };
#endif
enum { RUN = 1024 }; /* windows of which all scalar products are computed before those of the next */

/* Tiles: m rows by n vectors, or columns, of sums that stay in registers */

typedef struct {
    const T *a, *b;
    T *d;
    int64_t a_pitch, b_pitch, d_pitch; /* between rows of a and d, between lines of b */
    int64_t lines, taps;               /* of b */
    const int64_t *offset;             /* of each tap in a line */
} Product;

/* d[row][q] = sum over lines and taps of a[row][line, tap] * b[line][offset[tap] + q] */
INLINE void product(const int m, const int n, const Product *p) {
    Vector sum[M][N] = {{{0}}};
    const T *a = p->a, *line = p->b;
    const int64_t pitch = p->a_pitch, taps = p->taps, *offset = p->offset;
    for (int64_t c = 0; c < p->lines; c++, line += p->b_pitch)
        for (int64_t t = 0; t < taps; t++, a++) {
            const T *b = line + offset[t];
            Vector column[N];
#pragma GCC unroll 8
            for (int j = 0; j < n; j++) column[j] = *(const Vector *)(b + j * LANES);
#pragma GCC unroll 8
            for (int i = 0; i < m; i++) {
                const T weight = a[i * pitch];
#pragma GCC unroll 8
                for (int j = 0; j < n; j++) sum[i][j] += weight * column[j];
            }
        }
#pragma GCC unroll 8
    for (int i = 0; i < m; i++)
#pragma GCC unroll 8
        for (int j = 0; j < n; j++) *(Vector *)(p->d + i * p->d_pitch + j * LANES) = sum[i][j];
}

#ifdef __clang__
INLINE void totals(Vector *v) {
    for (int i = 0; i < LANES; i++) {
        T sum = 0;
        for (int l = 0; l < LANES; l++) sum += v[i][l];
        v[0][i] = sum; /* v[0] was the first to be summed */
    }
}
#else
/* v[0] = the sums of the elements of v[0], v[1], ...: those of two vectors are added, and lie in turn in one, until one is left. */
INLINE void totals(Vector *v) {
#pragma GCC unroll 4
    for (int half = LANES / 2; half > 0; half /= 2)
#pragma GCC unroll 8
        for (int i = 0; i < half; i++) v[i] = in_turn(v[i], v[i + half], 0) + in_turn(v[i], v[i + half], 1);
}
#endif

typedef struct {
    const T *a, *b;
    T *d;
    int64_t a_pitch, a_image, b_image, d_pitch; /* between rows of a and d, between images */
    int64_t images, length;                     /* elements of a row that are multiplied, a multiple of LANES */
    const int64_t *offset;                      /* of each column in b */
} Dots;

/* d[row][column] += sum over images and q of a[image][row][q] * b[image][offset[column] + q] */
INLINE void dots(const int m, const int n, const Dots *p) {
    Vector sum[M][N] = {{{0}}};
    for (int64_t image = 0; image < p->images; image++) {
        const T *a = p->a + image * p->a_image, *b = p->b + image * p->b_image, *columns[N];
        const int64_t pitch = p->a_pitch;
#pragma GCC unroll 8
        for (int j = 0; j < n; j++) columns[j] = b + p->offset[j];
        for (int64_t q = 0; q < p->length; q += LANES) {
            Vector column[N];
#pragma GCC unroll 8
            for (int j = 0; j < n; j++) {
                column[j] = *(const Vector *)(columns[j] + q);
                IN_REGISTER(column[j]);
            }
#pragma GCC unroll 8
            for (int i = 0; i < m; i++) {
                Vector row = *(const Vector *)(a + i * pitch + q);
                IN_REGISTER(row);
#pragma GCC unroll 8
                for (int j = 0; j < n; j++) sum[i][j] += row * column[j];
            }
        }
    }
#pragma GCC unroll 24
    for (int first = 0; first < m * n; first += LANES) {
        Vector some[LANES];
#pragma GCC unroll 16
        for (int k = 0; k < LANES; k++) some[k] = first + k < m * n ? sum[(first + k) / n][(first + k) % n] : (Vector){0};
        totals(some);
#pragma GCC unroll 16
        for (int k = 0; k < LANES; k++)
            if (first + k < m * n) p->d[(first + k) / n * p->d_pitch + (first + k) % n] += some[0][k];
    }
}

#define TILE(m, n)                                                                        \
    static void product_##m##n(const Product *p) { product(m < M ? m : M, n, p); } \
    static void dots_##m##n(const Dots *p) { dots(m < M ? m : M, n, p); }
#define TILES(m) TILE(m, 1) TILE(m, 2) TILE(m, 3)
TILES(1) TILES(2) TILES(4) TILES(8)

static void (*const products[4][3])(const Product *) = {{product_11, product_12, product_13}, {product_21, product_22, product_23},
    {product_41, product_42, product_43}, {product_81, product_82, product_83}};
static void (*const all_dots[4][3])(const Dots *) = {{dots_11, dots_12, dots_13}, {dots_21, dots_22, dots_23},
    {dots_41, dots_42, dots_43}, {dots_81, dots_82, dots_83}};

/* The power of two of the rows of the next tile. */
static int rows_of(int64_t left) { return left >= 8 && M == 8 ? 3 : left >= 4 ? 2 : left >= 2; }

/* All rows of a product, at `length` elements of the lines, or a few more to fill a vector: for each few elements all rows. */
static void multiply(Product p, int64_t rows, int64_t length) {
    length = (length + LANES - 1) / LANES * LANES;
    for (int64_t q = 0, n; q < length; q += n * LANES) {
        const int64_t left = (length - q) / LANES, tiles = (left + N - 1) / N;
        n = (left + tiles - 1) / tiles; /* 4 vectors are 2 and 2, not 3 and 1 */
        Product tile = p;
        tile.b += q, tile.d += q;
        for (int64_t row = 0, m; row < rows; row += 1 << m) {
            m = rows_of(rows - row);
            products[m][n - 1](&tile);
            tile.a += p.a_pitch << m, tile.d += p.d_pitch << m;
        }
    }
}

/* The passes. An item is an image (or a few) of a group, and a part of what it has as results. */

enum { CHANNELS, OUTPUTS, GROUPS, PARTS, PART, TAPS, LENGTH, BATCH, SHARE, TOGETHER, MARGIN, LINES, MAPS, OFFSETS, BY_PHASE };

typedef struct {
    int64_t group, image, first, count;
} Item;

/* What an item is: part `first` to `first + count` of `all` results. */
static Item item_of(const int64_t *n, int64_t number, int64_t all) {
    const int64_t part = number % n[PARTS], rest = number / n[PARTS], first = part * n[PART];
    return (Item){rest % n[GROUPS], rest / n[GROUPS], first, least(n[PART], all - first)};
}

/* p: result (N, O, ...), input (N, C, ...), weight (O, C / groups, taps), bias (O) unless it is NULL */
static void forward(char *const *p, const int64_t *n, const T *bias, char *scratch, int64_t begin, int64_t end) {
    const int64_t *x = n + n[LINES], *g = n + n[MAPS], channels = n[CHANNELS], outputs = n[OUTPUTS];
    T *lines = (T *)scratch, *maps = lines + channels * x[PITCH];
    const T *weight = (const T *)p[2];
    memset(lines, 0, (size_t)(channels * x[PITCH]) * sizeof(T)); /* the padding */
    for (int64_t i = begin; i < end; i++) {
        const Item item = item_of(n, i, outputs);
        const int64_t at = item.image * n[GROUPS] + item.group, output = item.group * outputs + item.first;
        if (i == begin || item.first == 0) spread(x, lines, (const T *)p[1] + at * channels * x[SIZE], channels);
        const int64_t inner = channels * n[TAPS];
        multiply((Product){weight + output * inner, lines, maps + n[MARGIN], inner, x[PITCH], g[PITCH], channels, n[TAPS],
                           n + n[OFFSETS]}, item.count, n[LENGTH]);
        collect(g, maps, (T *)p[0] + (at * outputs + item.first) * g[SIZE], item.count, bias ? bias + output : NULL);
    }
}

void convolve(char *const *p, const int64_t *n, const double *s, char *scratch, int64_t begin, int64_t end) {
    forward(p, n, NULL, scratch, begin, end);
}

void convolve_with_bias(char *const *p, const int64_t *n, const double *s, char *scratch, int64_t begin, int64_t end) {
    forward(p, n, (const T *)p[3], scratch, begin, end);
}

/* p: result (N, C, ...), gradient (N, O, ...), weight (phases of the taps; groups, C / groups, O / groups, taps of the phase) */
void input_gradient(char *const *p, const int64_t *n, const double *s, char *scratch, int64_t begin, int64_t end) {
    const int64_t *x = n + n[LINES], *g = n + n[MAPS], channels = n[CHANNELS], outputs = n[OUTPUTS];
    T *maps = (T *)scratch, *lines = maps + outputs * g[PITCH];
    memset(maps, 0, (size_t)(outputs * g[PITCH]) * sizeof(T)); /* before, between and behind the rows of the result */
    for (int64_t i = begin; i < end; i++) {
        const Item item = item_of(n, i, channels);
        const int64_t at = item.image * n[GROUPS] + item.group;
        if (i == begin || item.first == 0) spread(g, maps, (const T *)p[1] + at * outputs * g[SIZE], outputs);
        const T *weight = (const T *)p[2];
        const int64_t *taps = n + n[BY_PHASE]; /* of each phase: how many, and their distances */
        for (int64_t phase = 0; phase < x[PHASES]; phase++, taps += 1 + *taps) {
            const int64_t *a = x + PHASE + phase * PHASE_LENGTH, inner = outputs * *taps;
            if (a[COUNT0] * a[COUNT1] * a[COUNT2] > 0) {
                const int64_t q = a[START0] * x[FLAT0] + a[START1] * x[FLAT1] + a[START2];
                const int64_t length = (a[COUNT0] - 1) * x[FLAT0] + (a[COUNT1] - 1) * x[FLAT1] + a[COUNT2];
                multiply((Product){weight + (item.group * channels + item.first) * inner, maps + n[MARGIN] + q, lines + a[BASE] + q,
                                   inner, g[PITCH], x[PITCH], outputs, *taps, taps + 1}, item.count, length);
            }
            weight += n[GROUPS] * channels * inner;
        }
        collect(x, lines, (T *)p[0] + (at * channels + item.first) * x[SIZE], item.count, NULL);
    }
}

/* p: result (shares, O, C / groups, taps), gradient (N, O, ...), input (N, C, ...); each share of the images has sums of its own */
void weight_gradient(char *const *p, const int64_t *n, const double *s, char *scratch, int64_t begin, int64_t end) {
    const int64_t *x = n + n[LINES], *g = n + n[MAPS], *offset = n + n[OFFSETS], channels = n[CHANNELS], outputs = n[OUTPUTS];
    const int64_t together = n[TOGETHER], taps = n[TAPS], inner = channels * taps;
    T *maps = (T *)scratch, *lines = maps + together * outputs * g[PITCH];
    memset(scratch, 0, (size_t)(together * (outputs * g[PITCH] + n[PART] * x[PITCH])) * sizeof(T));
    for (int64_t i = begin; i < end; i++) {
        const Item item = item_of(n, i, channels);
        T *result = (T *)p[0] + ((item.image * n[GROUPS] + item.group) * outputs * channels + item.first) * taps;
        for (int64_t o = 0; o < outputs; o++) memset(result + o * inner, 0, (size_t)(item.count * taps) * sizeof(T));
        const int64_t last = least(n[BATCH], (item.image + 1) * n[SHARE]);
        for (int64_t image = item.image * n[SHARE], count; image < last; image += count) {
            count = least(together, last - image);
            for (int64_t k = 0; k < count; k++) {
                const int64_t at = (image + k) * n[GROUPS] + item.group;
                spread(g, maps + k * outputs * g[PITCH], (const T *)p[1] + at * outputs * g[SIZE], outputs);
                spread(x, lines + k * n[PART] * x[PITCH], (const T *)p[2] + (at * channels + item.first) * x[SIZE], item.count);
            }
            for (int64_t q = 0; q < n[LENGTH]; q += RUN)
                for (int64_t o = 0, m; o < outputs; o += 1 << m) {
                    m = rows_of(outputs - o);
                    for (int64_t r = 0, k, c = 0, t = 0; r < item.count * taps; r += k) {
                        k = least(N, item.count * taps - r);
                        int64_t columns[N];
                        for (int j = 0; j < k; j++) {
                            columns[j] = c * x[PITCH] + offset[t];
                            if (++t == taps) t = 0, c++;
                        }
                        const Dots tile = {maps + n[MARGIN] + o * g[PITCH] + q, lines + q, result + o * inner + r, g[PITCH], outputs * g[PITCH],
                                           n[PART] * x[PITCH], inner, count, least(RUN, n[LENGTH] - q), columns};
                        all_dots[m][k - 1](&tile);
                    }
                }
        }
    }
}
