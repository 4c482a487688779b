// Plays cuBLAS on the CPU, for tests only: the functions that gpugrad calls, with the signatures of cublas_api.h.
//
// Refuses what the real one refuses (https://docs.nvidia.com/cuda/cublas/: cublasGemmEx, cublasGemmStridedBatchedEx,
// cublasSetWorkspace), computes plainly in the type that the compute type names, and records each product.

#include <complex>
#include <cstdint>
#include <cstring>
#include <mutex>
#include <vector>

namespace {

enum Status { SUCCESS = 0, NOT_INITIALIZED = 1, INVALID_VALUE = 7, EXECUTION_FAILED = 13, NOT_SUPPORTED = 15 };
enum Type { R_32F = 0, R_64F = 1, R_16F = 2, C_32F = 4, C_64F = 5, R_16BF = 14 };
enum Compute { COMPUTE_32F = 68, COMPUTE_64F = 70, COMPUTE_32F_FAST_TF32 = 77 };

struct Handle {
    int64_t magic, stream, workspace, workspace_size, math;
};
constexpr int64_t MAGIC = 0x62616c5375434743;

struct Call {
    int64_t batched, transa, transb, m, n, k, lda, stride_a, ldb, stride_b, ldc, stride_c, count, type, compute, math, stream,
        workspace_size;
};

std::mutex lock;
std::vector<Call> calls;
char failing[64];
int failure;

int fails(const char* function) {
    std::lock_guard<std::mutex> held(lock);
    if (std::strcmp(failing, function)) return 0;
    failing[0] = 0;
    return failure;
}

// 16-bit numbers

struct Half { uint16_t bits; };
struct BFloat { uint16_t bits; };

float bits_to_float(uint32_t bits) { float x; std::memcpy(&x, &bits, 4); return x; }
uint32_t float_to_bits(float x) { uint32_t bits; std::memcpy(&bits, &x, 4); return bits; }

float widen(Half x) {
    int exponent = x.bits >> 10 & 31, mantissa = x.bits & 1023;
    float sign = x.bits >> 15 ? -1.0f : 1.0f;
    if (exponent == 31) return bits_to_float((uint32_t)(x.bits >> 15) << 31 | 0x7f800000u | (uint32_t)mantissa << 13);
    if (exponent == 0) return sign * (float)mantissa * bits_to_float((127 - 24) << 23);
    return sign * (float)(mantissa + 1024) * bits_to_float((uint32_t)(127 + exponent - 25) << 23);
}
float widen(BFloat x) { return bits_to_float((uint32_t)x.bits << 16); }

// Round to the nearest, ties to even.
void narrow(float x, Half& out) {
    uint32_t bits = float_to_bits(x), sign = bits >> 16 & 0x8000u, size = bits & 0x7fffffffu;
    if (size > 0x7f800000u) { out.bits = (uint16_t)(sign | 0x7e00u); return; }
    if (size >= 0x477ff000u) { out.bits = (uint16_t)(sign | 0x7c00u); return; }
    if (size < 0x38800000u) {  // subnormal: a multiple of 2^-24, rounded by adding a number whose last bit is worth that
        float rounded = bits_to_float(size) + 0.5f;
        out.bits = (uint16_t)(sign | (float_to_bits(rounded) - 0x3f000000u));
        return;
    }
    size += 0xfffu + (size >> 13 & 1u);
    out.bits = (uint16_t)(sign | ((size - (112u << 23)) >> 13));
}
void narrow(float x, BFloat& out) {
    uint32_t bits = float_to_bits(x);
    out.bits = (uint16_t)(x != x ? 0x7fc0u : (bits + 0x7fffu + (bits >> 16 & 1u)) >> 16);
}
template <class T> T widen(T x) { return x; }
template <class T> void narrow(T x, T& out) { out = x; }

// TF32 keeps 10 bits of the mantissa.
float tensor_float(float x) {
    uint32_t bits = float_to_bits(x);
    return (bits & 0x7f800000u) == 0x7f800000u ? x : bits_to_float((bits + 0xfffu + (bits >> 13 & 1u)) & ~0x1fffu);
}
std::complex<float> tensor_float(std::complex<float> x) { return {tensor_float(x.real()), tensor_float(x.imag())}; }
template <class T> T tensor_float(T x) { return x; }
template <class T> T conjugate(T x) { return x; }
template <class T> std::complex<T> conjugate(std::complex<T> x) { return std::conj(x); }

// op(A) as (rows, columns), column-major without gaps.
template <class Stored, class Sum>
std::vector<Sum> unpack(const Stored* a, int op, int64_t rows, int64_t columns, int64_t lda, bool fast) {
    std::vector<Sum> out((size_t)(rows * columns));
    for (int64_t j = 0; j < columns; j++)
        for (int64_t i = 0; i < rows; i++) {
            Sum x = widen(op ? a[j + i * lda] : a[i + j * lda]);
            x = op == 2 ? conjugate(x) : x;
            out[(size_t)(i + j * rows)] = fast ? tensor_float(x) : x;
        }
    return out;
}

template <class Stored, class Sum>
void products(const Call& call, const void* alpha, const void* a, const void* b, const void* beta, void* c) {
    bool fast = call.compute == COMPUTE_32F_FAST_TF32;
    Sum one = *(const Sum*)alpha, zero = *(const Sum*)beta;
    int64_t m = call.m, n = call.n, k = call.k;
    for (int64_t i = 0; i < call.count; i++) {
        auto left = unpack<Stored, Sum>((const Stored*)a + i * call.stride_a, (int)call.transa, m, k, call.lda, fast);
        auto right = unpack<Stored, Sum>((const Stored*)b + i * call.stride_b, (int)call.transb, k, n, call.ldb, fast);
        std::vector<Sum> column((size_t)m);
        for (int64_t j = 0; j < n; j++) {
            for (Sum& x : column) x = Sum(0);
            for (int64_t l = 0; l < k; l++) {
                Sum factor = right[(size_t)(l + j * k)];
                const Sum* from = left.data() + l * m;
                for (int64_t r = 0; r < m; r++) column[(size_t)r] += from[r] * factor;
            }
            Stored* out = (Stored*)c + i * call.stride_c + j * call.ldc;
            for (int64_t r = 0; r < m; r++)  // C is not read where beta is zero, be it nan
                narrow(zero == Sum(0) ? one * column[(size_t)r] : one * column[(size_t)r] + zero * Sum(widen(out[r])), out[r]);
        }
    }
}

int multiply(Handle* handle, Call call, const void* alpha, const void* a, int a_type, const void* b, int b_type, const void* beta,
             void* c, int c_type) {
    if (!handle || handle->magic != MAGIC) return NOT_INITIALIZED;
    int64_t a_rows = call.transa ? call.k : call.m, b_rows = call.transb ? call.n : call.k;
    if (call.transa < 0 || call.transa > 2 || call.transb < 0 || call.transb > 2 || call.m < 0 || call.n < 0 || call.k < 0 ||
        call.count < 0 || call.lda < (a_rows > 1 ? a_rows : 1) || call.ldb < (b_rows > 1 ? b_rows : 1) ||
        call.ldc < (call.m > 1 ? call.m : 1) || !alpha || !beta)
        return INVALID_VALUE;
    if (a_type != b_type || a_type != c_type) return NOT_SUPPORTED;
    int compute = (int)call.compute, width;
    switch (a_type) {
        case R_16F: case R_16BF: width = 2; break;
        case R_32F: width = 4; break;
        case R_64F: case C_32F: width = 8; break;
        case C_64F: width = 16; break;
        default: return NOT_SUPPORTED;
    }
    bool wide = a_type == R_64F || a_type == C_64F, single = a_type == R_32F || a_type == C_32F;
    if (compute != (wide ? COMPUTE_64F : COMPUTE_32F) && !(single && compute == COMPUTE_32F_FAST_TF32)) return NOT_SUPPORTED;
    if (((uintptr_t)a | (uintptr_t)b | (uintptr_t)c) % (uintptr_t)width) return EXECUTION_FAILED;  // a GPU's "misaligned address"
    call.math = handle->math;
    call.stream = handle->stream;
    call.workspace_size = handle->workspace_size;
    {
        std::lock_guard<std::mutex> held(lock);
        calls.push_back(call);
    }
    if (a_type == R_16F) products<Half, float>(call, alpha, a, b, beta, c);
    if (a_type == R_16BF) products<BFloat, float>(call, alpha, a, b, beta, c);
    if (a_type == R_32F) products<float, float>(call, alpha, a, b, beta, c);
    if (a_type == R_64F) products<double, double>(call, alpha, a, b, beta, c);
    if (a_type == C_32F) products<std::complex<float>, std::complex<float>>(call, alpha, a, b, beta, c);
    if (a_type == C_64F) products<std::complex<double>, std::complex<double>>(call, alpha, a, b, beta, c);
    return SUCCESS;
}

}  // namespace

extern "C" {

int cublasCreate_v2(Handle** handle) {
    if (int status = fails("cublasCreate_v2")) return status;
    *handle = new Handle{MAGIC, 0, 0, 0, 0};
    return SUCCESS;
}

int cublasGetProperty(int part, int* value) {
    const int version[] = {12, 0, 0};
    if (part < 0 || part > 2 || !value) return INVALID_VALUE;
    *value = version[part];
    return SUCCESS;
}

const char* cublasGetStatusName(int status) {
    switch (status) {
        case 3: return "CUBLAS_STATUS_ALLOC_FAILED";
        case INVALID_VALUE: return "CUBLAS_STATUS_INVALID_VALUE";
        case EXECUTION_FAILED: return "CUBLAS_STATUS_EXECUTION_FAILED";
        case NOT_INITIALIZED: return "CUBLAS_STATUS_NOT_INITIALIZED";
        default: return "CUBLAS_STATUS_NOT_SUPPORTED";
    }
}

int cublasSetStream_v2(Handle* handle, void* stream) {
    if (!handle || handle->magic != MAGIC) return NOT_INITIALIZED;
    handle->stream = (int64_t)(intptr_t)stream;
    handle->workspace = handle->workspace_size = 0;  // "unconditionally resets the workspace"
    return SUCCESS;
}

int cublasSetWorkspace_v2(Handle* handle, void* workspace, size_t size) {
    if (!handle || handle->magic != MAGIC) return NOT_INITIALIZED;
    if ((uintptr_t)workspace % 256) return INVALID_VALUE;
    handle->workspace = (int64_t)(intptr_t)workspace;
    handle->workspace_size = (int64_t)size;
    return SUCCESS;
}

int cublasSetMathMode(Handle* handle, int mode) {
    if (!handle || handle->magic != MAGIC) return NOT_INITIALIZED;
    handle->math = mode;
    return SUCCESS;
}

int cublasGemmEx_64(Handle* handle, int transa, int transb, int64_t m, int64_t n, int64_t k, const void* alpha, const void* a,
                    int a_type, int64_t lda, const void* b, int b_type, int64_t ldb, const void* beta, void* c, int c_type,
                    int64_t ldc, int compute, int) {
    if (int status = fails("cublasGemmEx_64")) return status;
    Call call{0, transa, transb, m, n, k, lda, 0, ldb, 0, ldc, 0, 1, a_type, compute, 0, 0, 0};
    return multiply(handle, call, alpha, a, a_type, b, b_type, beta, c, c_type);
}

int cublasGemmStridedBatchedEx_64(Handle* handle, int transa, int transb, int64_t m, int64_t n, int64_t k, const void* alpha,
                                  const void* a, int a_type, int64_t lda, long long stride_a, const void* b, int b_type,
                                  int64_t ldb, long long stride_b, const void* beta, void* c, int c_type, int64_t ldc,
                                  long long stride_c, int64_t count, int compute, int) {
    if (int status = fails("cublasGemmStridedBatchedEx_64")) return status;
    Call call{1, transa, transb, m, n, k, lda, stride_a, ldb, stride_b, ldc, stride_c, count, a_type, compute, 0, 0, 0};
    return multiply(handle, call, alpha, a, a_type, b, b_type, beta, c, c_type);
}

// Not of cuBLAS: what tests ask.

void standin_fail(const char* function, int status) {
    std::lock_guard<std::mutex> held(lock);
    std::strncpy(failing, function, sizeof failing - 1);
    failure = status;
}

int standin_calls() { std::lock_guard<std::mutex> held(lock); return (int)calls.size(); }

void standin_call(int i, int64_t* numbers) {
    std::lock_guard<std::mutex> held(lock);
    std::memcpy(numbers, &calls[(size_t)i], sizeof(Call));
}

}
