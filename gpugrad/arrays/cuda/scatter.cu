// Rows of values added into rows of zeros: out[index[i]] += values[i] for i from 0 to count - 1, a row being `length` elements.
//
// Two ways. By atomic additions (add_rows), in any order, so that the last bits of a result may differ between two runs. Or by the
// sorted order of the indices (row_keys, then sum_values, then sum_sums until one part is left), which adds in the same order in
// every run and without atomics. Every kernel takes any one-dimensional grid. Names end in the bits of an index, or in `_packed`, which
// is for rows that begin at multiples of 16 bytes.

// An index in [0, rows): others wrap round, as CuPy indexes. The division is for those alone.
template <typename Index> __device__ __forceinline__ I wrapped(Index index, I rows)
{
    if (index >= 0 && index < rows) return (I)index;
    const i64 rest = (i64)index % rows;
    return (I)(rest < 0 ? rest + rows : rest);
}

// Atomic --------------------------------------------------------------------------------------------------------------

// Adds values[at .. at + LANES) into the rows that they belong to.
template <typename Index> __device__ __forceinline__ void add_pack(const T* values, const Index* index, A* out, I at, I length, I rows)
{
    const Pack pack = load(values + at);
    I row = at / length, column = at - row * length;
    A* to = out + wrapped(index[row], rows) * length;
#if defined(__CUDA_ARCH__) && __CUDA_ARCH__ >= 900 && __CUDACC_VER_MAJOR__ * 100 + __CUDACC_VER_MINOR__ >= 1201
    if constexpr (sizeof(A) == 4) {  // GPUs from Hopper on add four floats in one request, compilers from CUDA 12.1 on
        if (length % LANES == 0 && column % LANES == 0) {  // within one row, and aligned there
#pragma unroll
            for (int lane = 0; lane < LANES; lane += 4) {
                const float4 four = make_float4(to_sum(pack.lane[lane]), to_sum(pack.lane[lane + 1]),
                                                to_sum(pack.lane[lane + 2]), to_sum(pack.lane[lane + 3]));
                atomicAdd(reinterpret_cast<float4*>(to + column + lane), four);
            }
            return;
        }
    }
#endif
#pragma unroll
    for (int lane = 0; lane < LANES; ++lane) {
        if (column == length) {
            column = 0;
            to = out + wrapped(index[++row], rows) * length;
        }
        atomicAdd(to + column++, to_sum(pack.lane[lane]));
    }
}

//   values   size = count * length elements, of which those from `head` on begin at a multiple of 16 bytes
//   out      rows * length zeros, of the type of sums: 16-bit numbers are added in float32 and rounded once
template <typename Index>
__device__ __forceinline__ void add_rows(const T* values, const Index* index, A* out, I size, I length, I head, I rows)
{
    const I packs = (size - head) / LANES, tail = head + packs * LANES, edges = head + (size - tail);
    const I stride = (I)gridDim.x * blockDim.x, thread = (I)blockIdx.x * blockDim.x + threadIdx.x;
    for (I pack = thread; pack < packs; pack += stride) add_pack(values, index, out, head + pack * LANES, length, rows);
    for (I edge = thread; edge < edges; edge += stride) {
        const I at = edge < head ? edge : tail + (edge - head), row = at / length;
        atomicAdd(out + wrapped(index[row], rows) * length + (at - row * length), to_sum(values[at]));
    }
}

extern "C" __global__ void add_rows_32(const T* values, const int* index, A* out, I size, I length, I head, I rows)
{
    add_rows(values, index, out, size, length, head, rows);
}

extern "C" __global__ void add_rows_64(const T* values, const i64* index, A* out, I size, I length, I head, I rows)
{
    add_rows(values, index, out, size, length, head, rows);
}

// Sorted --------------------------------------------------------------------------------------------------------------

// The indices wrapped round, as keys to be sorted.
template <typename Index> __device__ __forceinline__ void row_keys(const Index* index, I* keys, I count, I rows)
{
    const I stride = (I)gridDim.x * blockDim.x;
    for (I i = (I)blockIdx.x * blockDim.x + threadIdx.x; i < count; i += stride) keys[i] = wrapped(index[i], rows);
}

extern "C" __global__ void row_keys_32(const int* index, I* keys, I count, I rows) { row_keys(index, keys, count, rows); }

extern "C" __global__ void row_keys_64(const i64* index, I* keys, I count, I rows) { row_keys(index, keys, count, rows); }

#define PART 64  // sorted rows that a thread sums; PART in scatter.py
#define AHEAD 4  // rows whose loads are under way at once

// WIDTH neighbours of a row: as many as LANES, aligned to 16 bytes, or 1.
template <typename V, int WIDTH> struct alignas(WIDTH == 1 ? sizeof(V) : 16) Piece {
    V lane[WIDTH];
};

__device__ __forceinline__ A sum_of(T x, const T*) { return to_sum(x); }
__device__ __forceinline__ A sum_of(A x, const void*) { return x; }

// Stores sums, rounded to the type of `to`.
template <typename To, int WIDTH> __device__ __forceinline__ void put(To* to, const A (&sum)[WIDTH])
{
    Piece<To, WIDTH> piece;
#pragma unroll
    for (int lane = 0; lane < WIDTH; ++lane) piece.lane[lane] = To(sum[lane]);
    *reinterpret_cast<Piece<To, WIDTH>*>(to) = piece;
}

// One level of the sum. `keys` are sorted, and row i of the values is values[order[i]], or values[i] without an order. A part is PART
// neighbours among the rows. A run of equal keys that neither begins nor ends a part is all that there is of its key, and its sum goes
// into `out`. The first and the last run of each part may go on in its neighbours: their sums are the rows 2 part and 2 part + 1 of
// `sums`, with keys that are sorted again, for the next level to sum; where the two are the same run, the second sum is 0. So every
// thread sums at most PART rows, however often an index repeats. With a single part all sums go into `out`.
template <int WIDTH, typename V>
__device__ __forceinline__ void sum_parts(
    const V* values, const i64* order, const I* keys, T* out, A* sums, I* sum_keys, I count, I length, I parts)
{
    const I columns = length / WIDTH, stride = (I)gridDim.x * blockDim.x;
    for (I at = (I)blockIdx.x * blockDim.x + threadIdx.x; at < parts * columns; at += stride) {
        const I part = at / columns, column = (at - part * columns) * WIDTH;
        const I first = part * PART, last = first + PART < count ? first + PART : count;
        A sum[WIDTH] = {};
        I key = keys[first];
        bool begins = parts > 1;  // whether this is the run that the part begins with
        for (I i = first; i < last; i += AHEAD) {
            Piece<V, WIDTH> ahead[AHEAD];
#pragma unroll
            for (int j = 0; j < AHEAD; ++j)
                if (i + j < last) {
                    const I row = order ? (I)order[i + j] : i + j;
                    ahead[j] = *reinterpret_cast<const Piece<V, WIDTH>*>(values + row * length + column);
                }
#pragma unroll
            for (int j = 0; j < AHEAD; ++j)
                if (i + j < last) {
                    const I next = keys[i + j];
                    if (next != key) {
                        if (begins) put(sums + 2 * part * length + column, sum);
                        else put(out + key * length + column, sum);
#pragma unroll
                        for (int lane = 0; lane < WIDTH; ++lane) sum[lane] = A(0);
                        key = next;
                        begins = false;
                    }
#pragma unroll
                    for (int lane = 0; lane < WIDTH; ++lane) sum[lane] += sum_of(ahead[j].lane[lane], values);
                }
        }
        if (parts == 1) {
            put(out + key * length + column, sum);
            continue;
        }
        A* const edge = sums + 2 * part * length + column;
        if (begins) {
            put(edge, sum);
#pragma unroll
            for (int lane = 0; lane < WIDTH; ++lane) sum[lane] = A(0);
        }
        put(edge + length, sum);
        if (column == 0) {
            sum_keys[2 * part] = keys[first];
            sum_keys[2 * part + 1] = key;
        }
    }
}

#define LEVEL const I* keys, T* out, A* sums, I* sum_keys, I count, I length, I parts
#define GIVEN keys, out, sums, sum_keys, count, length, parts

extern "C" __global__ void sum_values(const T* values, const i64* order, LEVEL) { sum_parts<1>(values, order, GIVEN); }

extern "C" __global__ void sum_values_packed(const T* values, const i64* order, LEVEL) { sum_parts<LANES>(values, order, GIVEN); }

extern "C" __global__ void sum_sums(const A* values, LEVEL) { sum_parts<1>(values, nullptr, GIVEN); }

extern "C" __global__ void sum_sums_packed(const A* values, LEVEL) { sum_parts<LANES>(values, nullptr, GIVEN); }
