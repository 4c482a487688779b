/* Images of elements of type T as lines: what convolution.c and pooling.c share.

   A line holds the elements of a channel with the padding between them, cut into the phases of the stride, so that the element
   which tap t meets in window q is at offset[t] + q of its line: every tap of every window is a contiguous, shifted read. */

#include "simd.h"

/* From images to lines and back */

enum { PITCH, SIZE, ROW, COLUMN, STEP0, STEP1, STEP2, FLAT0, FLAT1, PHASES, PHASE };
enum { BASE, FIRST0, START0, COUNT0, FIRST1, START1, COUNT1, FIRST2, START2, COUNT2, PHASE_LENGTH };

INLINE void move(const int64_t *n, T *lines, T *images, int64_t channels, const T *bias, int back) {
    for (int64_t c = 0; c < channels; c++, lines += n[PITCH], images += n[SIZE]) {
        const T extra = back && bias ? bias[c] : 0;
        for (int64_t i = 0; i < n[PHASES]; i++) {
            const int64_t *p = n + PHASE + i * PHASE_LENGTH, count = p[COUNT2], step = n[STEP2];
            for (int64_t y = 0; y < p[COUNT0]; y++)
                for (int64_t x = 0; x < p[COUNT1]; x++) {
                    T *restrict line = lines + p[BASE] + (p[START0] + y) * n[FLAT0] + (p[START1] + x) * n[FLAT1] + p[START2];
                    T *restrict image =
                        images + ((p[FIRST0] + y * n[STEP0]) * n[ROW] + p[FIRST1] + x * n[STEP1]) * n[COLUMN] + p[FIRST2];
                    if (!back && step == 1)
                        for (int64_t k = 0; k < count; k++) line[k] = image[k];
                    else if (!back && step == 2)
                        for (int64_t k = 0; k < count; k++) line[k] = image[k * 2];
                    else if (!back)
                        for (int64_t k = 0; k < count; k++) line[k] = image[k * step];
                    else if (step == 1)
                        for (int64_t k = 0; k < count; k++) image[k] = line[k] + extra;
                    else
                        for (int64_t k = 0; k < count; k++) image[k * step] = line[k];
                }
        }
    }
}

static void spread(const int64_t *n, T *lines, const T *images, int64_t channels) { move(n, lines, (T *)images, channels, NULL, 0); }

static void collect(const int64_t *n, T *lines, T *images, int64_t channels, const T *bias) {
    move(n, lines, images, channels, bias, 1);
}
