/* The steps of a recurrent layer on the CPU, forward and backward. recurrent.py says what the arrays are, and why it is done so.

   T is the type of the elements, S the suffix of its functions. A kernel's items are blocks of ROWS sequences, each of which runs
   through all steps on one thread: between steps nothing waits, and the weight stays in the cache. */

#include "prelude.h"

#include "maths.h"

#include "simd.h"

enum { M = WIDTH == 64 ? 8 : 4, N = 2 }; /* of a tile of sums that fits the registers: rows, vectors */
enum { ROWS = 8, PANEL = 128 / sizeof(T) };

#define sigmoid JOIN(gg_sigmoid_, S)
#define tanh_ JOIN(gg_tanh_, S)
#define EACH _Pragma("omp simd") for (int64_t j = 0; j < hidden; j++)

/* y[rows, columns] = (add ? y : bias or 0) + x[rows, depth] @ w, where w is cut into panels of PANEL columns, [panel][depth][PANEL] */

INLINE void tile(int rows, T *y, int64_t stride, const T *x, int64_t pitch, const T *w, int64_t depth, int add, const T *bias,
                 int64_t columns) {
    Vector sum[M][N];
    T edge[M][N * LANES]; /* of a panel that is wider than what is left */
    const int whole = columns >= N * LANES;
    for (int i = 0; i < rows; i++) {
        const T *from = add ? y + i * stride : bias;
        if (from && !whole) {
            memset(edge[i], 0, sizeof edge[i]);
            memcpy(edge[i], from, columns * sizeof(T));
            from = edge[i];
        }
        for (int v = 0; v < N; v++) sum[i][v] = from ? *(const Vector *)(from + v * LANES) : (Vector){0};
    }
    for (int64_t k = 0; k < depth; k++, w += PANEL) {
        Vector b[N];
        for (int v = 0; v < N; v++) b[v] = *(const Vector *)(w + v * LANES);
        for (int i = 0; i < rows; i++) {
            const T a = x[i * pitch + k];
            for (int v = 0; v < N; v++) sum[i][v] += a * b[v];
        }
    }
    for (int i = 0; i < rows; i++) {
        T *to = whole ? y + i * stride : edge[i];
        for (int v = 0; v < N; v++) *(Vector *)(to + v * LANES) = sum[i][v];
        if (!whole) memcpy(y + i * stride, edge[i], columns * sizeof(T));
    }
}

static void product(int64_t rows, T *y, int64_t stride, const T *x, int64_t pitch, const T *w, int64_t depth, int add,
                    const T *bias, int64_t columns) {
    for (int64_t c = 0; c < columns; c += N * LANES) {
        const T *panel = w + c / PANEL * PANEL * depth + c % PANEL, *extra = bias ? bias + c : NULL;
        int64_t i = 0;
#define TILES(R)                                                                                                       \
    for (; i + R <= rows; i += R) tile(R, y + i * stride + c, stride, x + i * pitch, pitch, panel, depth, add, extra, columns - c);
        TILES(M)
#if defined(__AVX512F__)
        TILES(4)
#endif
        TILES(2)
        TILES(1)
    }
}

/* Step t has size(t) rows, which begin at row start[t] of the arrays of all steps: the first size(t) sequences. */

enum { STEPS, HIDDEN, WIDTH_OF_H, REVERSE, FEATURES, START };

#define SETTING(GATES)                                                                                                 \
    const int64_t steps = n[STEPS], hidden = n[HIDDEN], gates = GATES * hidden, width = n[WIDTH_OF_H],                   \
                  reverse = n[REVERSE], *start = n + START

/* For the sequences from `first` on, all steps in order or backwards: t, and how many of them step t has, `rows`, if any. */
#define STEP_BY_STEP(backwards)                                                                                        \
    for (int64_t first = begin * ROWS; first < end * ROWS; first += ROWS)                                              \
        for (int64_t s_ = 0, t, at, rows; s_ < steps; s_++)                                                            \
            if (t = (backwards) ? steps - 1 - s_ : s_, at = start[t] + first, rows = start[t + 1] - at,                \
                rows = rows < ROWS ? rows : ROWS, rows > 0)

/* The state before step t of sequence i, from those of all steps and the initial one */
INLINE const T *before(const int64_t *n, const T *states, const T *initial, int64_t t, int64_t i) {
    const int64_t *start = n + START, u = n[REVERSE] ? t + 1 : t - 1;
    const int there = u >= 0 && u < n[STEPS] && i < start[u + 1] - start[u];
    return (there ? states + start[u] * n[HIDDEN] : initial) + i * n[HIDDEN];
}

#define KERNEL(name) void name(char *const *p, const int64_t *n, const double *s, char *scratch, int64_t begin, int64_t end)
#define FORWARD(GATES)                                                                                                 \
    SETTING(GATES);                                                                                                    \
    T *sums = (T *)p[0], *out = (T *)p[1], *kept = (T *)p[2], *h = (T *)p[3], *c = (T *)p[4], *after = (T *)p[5];      \
    const T *w = (const T *)p[6], *b_ih = (const T *)p[7], *b_hh = (const T *)p[8], *w_hr = (const T *)p[9],             \
            *x = (const T *)p[10], *w_ih = (const T *)p[11];                                                           \
    const int64_t features = n[FEATURES]

/* The products of a step's inputs with their weight; where `features` is 0, `sums` holds them already. */
#define INPUTS                                                                                                         \
    if (features) product(rows, sums + at * gates, gates, x + at * features, features, w_ih, features, 0, NULL, gates)
#define BACKWARD(GATES)                                                                                                \
    SETTING(GATES);                                                                                                    \
    T *dx = (T *)p[0], *dr = (T *)p[1], *dh = (T *)p[2], *dc = (T *)p[3], *projected = (T *)p[4], *of_b_ih = (T *)p[5],  \
      *of_b_hh = (T *)p[6];                                                                                            \
    const T *w = (const T *)p[7], *dout = (const T *)p[8], *sums = (const T *)p[9], *out = (const T *)p[10],           \
            *kept = (const T *)p[11], *h0 = (const T *)p[12], *c0 = (const T *)p[13], *w_hr = (const T *)p[14]

/* The gradient of a bias, a row of it for each block of sequences, and what these rows of one step add to it */
INLINE void add_up(T *of_bias, int64_t first, const T *d, int64_t rows, int64_t gates) {
    T *restrict total = of_bias + first / ROWS * gates;
    for (int64_t i = 0; i < rows; i++)
        for (int64_t j = 0; j < gates; j++) total[j] += d[i * gates + j];
}

/* Number j of a gate before its nonlinearity, where the sum of the products with input and state is in a */
#define SUM(gate) (a[gate * hidden + j] + (b_ih[gate * hidden + j] + b_hh[gate * hidden + j]))

/* LSTM: the sums become the gates, `kept` holds c, `after` what is projected: the results themselves where nothing is. */

KERNEL(lstm) {
    FORWARD(4);
    STEP_BY_STEP(reverse) {
        INPUTS;
        product(rows, sums + at * gates, gates, h + first * width, width, w, width, 1, NULL, gates);
        for (int64_t i = 0; i < rows; i++) {
            T *restrict a = sums + (at + i) * gates, *restrict ci = c + (first + i) * hidden, *restrict o = after + (at + i) * hidden,
              *restrict k = kept + (at + i) * hidden;
            EACH {
                const T in = sigmoid(SUM(0)), forget = sigmoid(SUM(1)), g = tanh_(SUM(2)), open = sigmoid(SUM(3));
                a[j] = in, a[hidden + j] = forget, a[2 * hidden + j] = g, a[3 * hidden + j] = open;
                ci[j] = k[j] = forget * ci[j] + in * g;
                o[j] = open * tanh_(k[j]);
            }
        }
        if (width != hidden) product(rows, out + at * width, width, after + at * hidden, hidden, w_hr, hidden, 0, NULL, width);
        memcpy(h + first * width, out + at * width, rows * width * sizeof(T));
    }
}

KERNEL(lstm_gradient) {
    BACKWARD(4);
    T *of_after = width == hidden ? dh : (T *)scratch;
    STEP_BY_STEP(!reverse) {
        for (int64_t k = 0; k < rows * width; k++) dh[first * width + k] += dout[at * width + k];
        if (width != hidden) {
            memcpy(projected + at * width, dh + first * width, rows * width * sizeof(T));
            product(rows, of_after, hidden, dh + first * width, width, w_hr, width, 0, NULL, hidden);
        }
        for (int64_t i = 0; i < rows; i++) {
            const T *restrict a = sums + (at + i) * gates, *restrict k = kept + (at + i) * hidden,
                    *restrict c = before(n, kept, c0, t, first + i),
                    *restrict g_after = of_after + (width == hidden ? first + i : i) * hidden;
            T *restrict d = dx + (at + i) * gates, *restrict ci = dc + (first + i) * hidden;
            EACH {
                const T in = a[j], forget = a[hidden + j], g = a[2 * hidden + j], open = a[3 * hidden + j], squashed = tanh_(k[j]);
                const T of_h = g_after[j], of_c = ci[j] + of_h * open * (1 - squashed * squashed);
                d[j] = of_c * g * in * (1 - in);
                d[hidden + j] = of_c * c[j] * forget * (1 - forget);
                d[2 * hidden + j] = of_c * in * (1 - g * g);
                d[3 * hidden + j] = of_h * squashed * open * (1 - open);
                ci[j] = of_c * forget;
            }
        }
        add_up(of_b_ih, first, dx + at * gates, rows, gates);
        product(rows, dh + first * width, width, dx + at * gates, gates, w, gates, 0, NULL, width);
    }
}

/* GRU: the sums become the gates r, z, n, `kept` holds what the state adds to n before r multiplies it. */

KERNEL(gru) {
    FORWARD(3);
    T *sum = (T *)scratch;
    STEP_BY_STEP(reverse) {
        INPUTS;
        product(rows, sum, gates, h + first * hidden, hidden, w, hidden, 0, b_hh, gates);
        for (int64_t i = 0; i < rows; i++) {
            T *restrict a = sums + (at + i) * gates, *restrict hi = h + (first + i) * hidden, *restrict o = out + (at + i) * hidden,
              *restrict k = kept + (at + i) * hidden;
            const T *restrict b = sum + i * gates;
            EACH {
                const T r = sigmoid(a[j] + b_ih[j] + b[j]), z = sigmoid(a[hidden + j] + b_ih[hidden + j] + b[hidden + j]),
                        of_h = b[2 * hidden + j], new = tanh_(a[2 * hidden + j] + b_ih[2 * hidden + j] + r * of_h);
                a[j] = r, a[hidden + j] = z, a[2 * hidden + j] = new, k[j] = of_h;
                hi[j] = o[j] = (1 - z) * new + z * hi[j];
            }
        }
    }
}

KERNEL(gru_gradient) {
    BACKWARD(3);
    STEP_BY_STEP(!reverse) {
        for (int64_t i = 0; i < rows; i++) {
            const T *restrict a = sums + (at + i) * gates, *restrict k = kept + (at + i) * hidden,
                    *restrict h = before(n, out, h0, t, first + i), *restrict g_out = dout + (at + i) * hidden;
            T *restrict x = dx + (at + i) * gates, *restrict y = dr + (at + i) * gates, *restrict hi = dh + (first + i) * hidden;
            EACH {
                const T r = a[j], z = a[hidden + j], new = a[2 * hidden + j], of_h = hi[j] + g_out[j];
                const T of_n = of_h * (1 - z) * (1 - new * new), of_z = of_h * (h[j] - new) * z * (1 - z),
                        of_r = of_n * k[j] * r * (1 - r);
                x[j] = y[j] = of_r;
                x[hidden + j] = y[hidden + j] = of_z;
                x[2 * hidden + j] = of_n;
                y[2 * hidden + j] = of_n * r;
                hi[j] = of_h * z;
            }
        }
        add_up(of_b_ih, first, dx + at * gates, rows, gates);
        add_up(of_b_hh, first, dr + at * gates, rows, gates);
        product(rows, dh + first * hidden, hidden, dr + at * gates, gates, w, gates, 1, NULL, hidden);
    }
}

/* RNN: the results are all that is kept. */

#define SIMPLE(name, VALUE, DERIVATIVE)                                                                                \
    KERNEL(name) {                                                                                                     \
        FORWARD(1);                                                                                                    \
        STEP_BY_STEP(reverse) {                                                                                        \
            INPUTS;                                                                                                    \
            product(rows, sums + at * gates, gates, h + first * hidden, hidden, w, hidden, 1, NULL, gates);            \
            for (int64_t i = 0; i < rows; i++) {                                                                       \
                T *restrict a = sums + (at + i) * hidden, *restrict hi = h + (first + i) * hidden,                     \
                  *restrict o = out + (at + i) * hidden;                                                               \
                EACH {                                                                                                 \
                    const T y = SUM(0);                                                                                \
                    hi[j] = o[j] = VALUE;                                                                              \
                }                                                                                                      \
            }                                                                                                          \
        }                                                                                                              \
    }                                                                                                                  \
    KERNEL(name##_gradient) {                                                                                          \
        BACKWARD(1);                                                                                                   \
        STEP_BY_STEP(!reverse) {                                                                                       \
            for (int64_t i = 0; i < rows; i++) {                                                                       \
                const T *restrict o = out + (at + i) * hidden, *restrict g_out = dout + (at + i) * hidden,             \
                        *restrict hi = dh + (first + i) * hidden;                                                      \
                T *restrict d = dx + (at + i) * hidden;                                                                \
                EACH {                                                                                                 \
                    const T y = o[j], g = hi[j] + g_out[j];                                                            \
                    d[j] = DERIVATIVE;                                                                                 \
                }                                                                                                      \
            }                                                                                                          \
            add_up(of_b_ih, first, dx + at * gates, rows, gates);                                                      \
            product(rows, dh + first * hidden, hidden, dx + at * gates, gates, w, gates, 0, NULL, hidden);             \
        }                                                                                                              \
    }

SIMPLE(rnn_tanh, tanh_(y), g * (1 - y * y))
SIMPLE(rnn_relu, y > 0 || y != y ? y : 0, y > 0 ? g : 0)
