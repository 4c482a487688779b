/* A loop of a ufunc of NumPy on part of the elements. n holds its address, its data, the number of operands, and the bytes from
   element to element, of the result and of each operand. p holds the result, where exceptions of floating-point arithmetic are
   noted (as bits: division by zero, overflow, underflow, invalid), and the operands. */

#include "exceptions.h"

typedef void Loop(char **arrays, const intptr_t *counts, const intptr_t *strides, void *data);

enum { ADDRESS, DATA, OPERANDS, STRIDES, MOST = 8 };

void loop(char *const *p, const int64_t *n, const double *s, char *scratch, int64_t begin, int64_t end) {
    char *arrays[MOST];
    intptr_t strides[MOST], count = (intptr_t)(end - begin);
    const int64_t operands = n[OPERANDS];
    (void)s, (void)scratch;
    for (int64_t i = 0; i < operands; i++) {
        strides[i] = (intptr_t)n[STRIDES + 1 + i];
        arrays[i] = p[2 + i] + begin * strides[i];
    }
    strides[operands] = (intptr_t)n[STRIDES];
    arrays[operands] = p[0] + begin * strides[operands]; /* last, as a ufunc has it */
    feclearexcept(FE_ALL_EXCEPT);
    ((Loop *)(intptr_t)n[ADDRESS])(arrays, &count, strides, (void *)(intptr_t)n[DATA]);
    note_exceptions((int64_t *)p[1]);
}
