// In front of every .cu file of this folder: the types that the launch chose, and 16-byte accesses.
//
//   T   the dtype of the arrays          A   what sums are formed in: float for 16-bit numbers, else T
//   I   places in arrays: 32 bits, which take GPUs fewer instructions than 64, unless an array is too long for them (WIDE)

typedef unsigned char u8;
typedef unsigned int u32;
typedef unsigned long long u64;
typedef long long i64;

#ifdef WIDE
typedef i64 I;
#else
typedef int I;
#endif

#ifdef T
#define LANES (16 / (int)sizeof(T))  // elements in 16 bytes

struct alignas(16) Pack {
    T lane[LANES];
};

__device__ __forceinline__ A to_sum(T x) { return A(x); }
__device__ __forceinline__ T from_sum(A x) { return T(x); }

// 16 bytes from an address that is a multiple of 16.
__device__ __forceinline__ Pack load(const T* at) { return *reinterpret_cast<const Pack*>(at); }
__device__ __forceinline__ void store(T* at, const Pack& pack) { *reinterpret_cast<Pack*>(at) = pack; }
#endif
