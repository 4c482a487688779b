// What threads say to each other: barriers, warp functions, atomics. The waiting itself is in threads.cpp.
#pragma once

// Kinds of exchange between the lanes of a warp, as in threads.cpp
enum { STANDIN_SYNC, STANDIN_SHFL, STANDIN_UP, STANDIN_DOWN, STANDIN_XOR, STANDIN_BALLOT, STANDIN_MATCH,
       STANDIN_ADD, STANDIN_MIN, STANDIN_MAX, STANDIN_MIN_SIGNED, STANDIN_MAX_SIGNED, STANDIN_AND, STANDIN_OR, STANDIN_BITXOR };
#define STANDIN_LINE int line = __builtin_LINE()

inline void __syncthreads(STANDIN_LINE) { standin_barrier(line, 0); }
inline int __syncthreads_count(int predicate, STANDIN_LINE) { return standin_barrier(line, predicate != 0); }
inline int __syncthreads_or(int predicate, STANDIN_LINE) { return standin_barrier(line, predicate != 0) != 0; }
inline int __syncthreads_and(int predicate, STANDIN_LINE) { return standin_barrier(line, predicate == 0) == 0; }
inline void __syncwarp(unsigned mask = 0xffffffffu, STANDIN_LINE) { standin_exchange(STANDIN_SYNC, mask, 0, 0, 32, line); }
inline void __threadfence() {}
inline void __threadfence_block() {}
inline void __threadfence_system() {}
inline void __nanosleep(unsigned) {}
inline long long clock64() { return 0; }
inline void __trap(STANDIN_LINE) { standin_trap("__trap()", line); }
#define assert(condition) ((condition) ? (void)0 : standin_trap("assertion failed: " #condition, __LINE__))

template <class T> inline T standin_shuffle(int kind, unsigned mask, T value, int operand, int width, int line) {
    static_assert(sizeof(T) == 2 || sizeof(T) == 4 || sizeof(T) == 8, "shuffles move 2, 4 or 8 bytes");
    unsigned long long word = 0;
    __builtin_memcpy(&word, &value, sizeof value);
    word = standin_exchange(kind, mask, word, operand, width, line);
    __builtin_memcpy(&value, &word, sizeof value);
    return value;
}
// The types that CUDA has overloads for: others, such as bool or a struct, convert or do not compile, as there.
#define STANDIN_SHUFFLES(T) \
    inline T __shfl_sync(unsigned mask, T x, int lane, int width = 32, STANDIN_LINE) { \
        return standin_shuffle(STANDIN_SHFL, mask, x, lane, width, line); } \
    inline T __shfl_up_sync(unsigned mask, T x, unsigned delta, int width = 32, STANDIN_LINE) { \
        return standin_shuffle(STANDIN_UP, mask, x, (int)delta, width, line); } \
    inline T __shfl_down_sync(unsigned mask, T x, unsigned delta, int width = 32, STANDIN_LINE) { \
        return standin_shuffle(STANDIN_DOWN, mask, x, (int)delta, width, line); } \
    inline T __shfl_xor_sync(unsigned mask, T x, int lanes, int width = 32, STANDIN_LINE) { \
        return standin_shuffle(STANDIN_XOR, mask, x, lanes, width, line); }
STANDIN_SHUFFLES(int) STANDIN_SHUFFLES(unsigned) STANDIN_SHUFFLES(long) STANDIN_SHUFFLES(unsigned long)
STANDIN_SHUFFLES(long long) STANDIN_SHUFFLES(unsigned long long) STANDIN_SHUFFLES(float) STANDIN_SHUFFLES(double)

inline unsigned __ballot_sync(unsigned mask, int predicate, STANDIN_LINE) {
    return (unsigned)standin_exchange(STANDIN_BALLOT, mask, predicate != 0, 0, 32, line);
}
inline int __any_sync(unsigned mask, int predicate, STANDIN_LINE) { return __ballot_sync(mask, predicate, line) != 0; }
inline int __all_sync(unsigned mask, int predicate, STANDIN_LINE) { return __ballot_sync(mask, predicate, line) == mask; }
inline unsigned __activemask() { return standin_active_lanes(); }
template <class T> inline unsigned __match_any_sync(unsigned mask, T value, STANDIN_LINE) {
    unsigned long long word = 0;
    __builtin_memcpy(&word, &value, sizeof value);
    return (unsigned)standin_exchange(STANDIN_MATCH, mask, word, 0, 32, line);
}
#define STANDIN_REDUCE(name, kind, T) \
    inline T name(unsigned mask, T x, STANDIN_LINE) { return (T)standin_exchange(kind, mask, (unsigned)x, 0, 32, line); }
STANDIN_REDUCE(__reduce_add_sync, STANDIN_ADD, unsigned) STANDIN_REDUCE(__reduce_add_sync, STANDIN_ADD, int)
STANDIN_REDUCE(__reduce_min_sync, STANDIN_MIN, unsigned) STANDIN_REDUCE(__reduce_min_sync, STANDIN_MIN_SIGNED, int)
STANDIN_REDUCE(__reduce_max_sync, STANDIN_MAX, unsigned) STANDIN_REDUCE(__reduce_max_sync, STANDIN_MAX_SIGNED, int)
STANDIN_REDUCE(__reduce_and_sync, STANDIN_AND, unsigned) STANDIN_REDUCE(__reduce_or_sync, STANDIN_OR, unsigned)
STANDIN_REDUCE(__reduce_xor_sync, STANDIN_BITXOR, unsigned)

// Atomics: one thread runs at a time and none is interrupted
#define STANDIN_ATOMIC(name, T, expression) \
    inline T name(T* p, T x) { T old = *p; *p = expression; return old; } \
    inline T name##_block(T* p, T x) { return name(p, x); } \
    inline T name##_system(T* p, T x) { return name(p, x); }
#define STANDIN_ATOMICS(name, expression) \
    STANDIN_ATOMIC(name, int, expression) STANDIN_ATOMIC(name, unsigned, expression) \
    STANDIN_ATOMIC(name, unsigned long long, expression)
STANDIN_ATOMICS(atomicAdd, old + x) STANDIN_ATOMIC(atomicAdd, float, old + x) STANDIN_ATOMIC(atomicAdd, double, old + x)
STANDIN_ATOMIC(atomicSub, int, old - x) STANDIN_ATOMIC(atomicSub, unsigned, old - x)
STANDIN_ATOMICS(atomicExch, x) STANDIN_ATOMIC(atomicExch, float, x)
STANDIN_ATOMICS(atomicMax, old < x ? x : old) STANDIN_ATOMIC(atomicMax, long long, old < x ? x : old)
STANDIN_ATOMICS(atomicMin, x < old ? x : old) STANDIN_ATOMIC(atomicMin, long long, x < old ? x : old)
STANDIN_ATOMICS(atomicAnd, old & x) STANDIN_ATOMICS(atomicOr, old | x) STANDIN_ATOMICS(atomicXor, old ^ x)
STANDIN_ATOMIC(atomicInc, unsigned, old >= x ? 0 : old + 1)
STANDIN_ATOMIC(atomicDec, unsigned, old == 0 || old > x ? x : old - 1)
#define STANDIN_CAS(T) \
    inline T atomicCAS(T* p, T expected, T x) { T old = *p; if (old == expected) *p = x; return old; }
STANDIN_CAS(int) STANDIN_CAS(unsigned) STANDIN_CAS(unsigned long long) STANDIN_CAS(unsigned short)

// Loads and stores with a hint for the caches
template <class T> inline T __ldg(const T* x) { return *x; }
template <class T> inline T __ldca(const T* x) { return *x; }
template <class T> inline T __ldcg(const T* x) { return *x; }
template <class T> inline T __ldcs(const T* x) { return *x; }
template <class T> inline T __ldlu(const T* x) { return *x; }
template <class T> inline T __ldcv(const T* x) { return *x; }
template <class T> inline void __stwb(T* p, T x) { *p = x; }
template <class T> inline void __stcg(T* p, T x) { *p = x; }
template <class T> inline void __stcs(T* p, T x) { *p = x; }
template <class T> inline void __stwt(T* p, T x) { *p = x; }
