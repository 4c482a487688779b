/* Exceptions of floating-point arithmetic, which kernels note where those who launch them have to tell of them. */

#include <fenv.h>
#include <stdint.h>

/* Add those that this thread has met since it cleared them to bits: division by zero, overflow, underflow, invalid. */
static void note_exceptions(int64_t *bits) {
    const int met = fetestexcept(FE_DIVBYZERO | FE_OVERFLOW | FE_UNDERFLOW | FE_INVALID);
    const int64_t found = (met & FE_DIVBYZERO ? 1 : 0) | (met & FE_OVERFLOW ? 2 : 0) | (met & FE_UNDERFLOW ? 4 : 0) | (met & FE_INVALID ? 8 : 0);
    if (found) __atomic_fetch_or(bits, found, __ATOMIC_RELAXED);
}
