// A batch of matrices, transposed: out[b, m, n] = x[b, n, m], where m is the axis along which x is contiguous and n that of out.
// Elements are moved, never computed with, so that their size says enough.
//
//   BYTES   of an element: 1, 2, 4, 8 or 16
//   GROUP   elements per access to tiles: 4 / BYTES where all places are multiples of it, else 1
//
// The batch has up to two axes: matrix b is number b / batch of one and b % batch of the other.

#if BYTES == 1
typedef unsigned char Element;
#elif BYTES == 2
typedef unsigned short Element;
#elif BYTES == 4
typedef unsigned int Element;
#elif BYTES == 8
typedef uint2 Element;
#else
typedef uint4 Element;
#endif

struct Layout {
    I m, n;                        // the size of a matrix
    I x_step, out_step;            // from one n to the next in x, from one m to the next in out
    I batch;                       // size of the inner axis of the batch
    I x_outer, x_inner, out_outer, out_inner;

    __device__ __forceinline__ I in_x(I b) const { return b / batch * x_outer + b % batch * x_inner; }
    __device__ __forceinline__ I in_out(I b) const { return b / batch * out_outer + b % batch * out_inner; }
};

#define LAYOUT I m, I n, I x_step, I out_step, I batch, I x_outer, I x_inner, I out_outer, I out_inner
#define GIVEN {m, n, x_step, out_step, batch, x_outer, x_inner, out_outer, out_inner}

// Large matrices: a block moves tiles of SIDE by SIDE elements through shared memory. A warp reads and writes lines of 128 bytes, small
// elements in groups of 4 bytes. The rows of a tile are one group longer than it, so that a column lies in different banks.
#define SIDE (32 * GROUP)
#define ROWS 8  // warps of a block

struct alignas(GROUP * BYTES) Group {
    Element at[GROUP];
};

extern "C" __global__ void __launch_bounds__(32 * ROWS) transpose_tiles(const Element* x, Element* out, I count, LAYOUT)
{
    __shared__ Group tile[SIDE][32 + 1];  // [m][n / GROUP]
    const Layout of = GIVEN;
    const I across = (of.m + SIDE - 1) / SIDE, down = (of.n + SIDE - 1) / SIDE, tiles = across * down;
    for (I t = blockIdx.x; t < count * tiles; t += gridDim.x) {
        const I b = t / tiles, rest = t - b * tiles, m0 = rest % across * SIDE, n0 = rest / across * SIDE;
        const Element* const from = x + of.in_x(b);
        Element* const to = out + of.in_out(b);
        const int lane = threadIdx.x * GROUP;
#pragma unroll
        for (int n = threadIdx.y; n < SIDE; n += ROWS)
            if (n0 + n < of.n && m0 + lane < of.m) {
                const Group group = *reinterpret_cast<const Group*>(from + (n0 + n) * of.x_step + m0 + lane);
#pragma unroll
                for (int j = 0; j < GROUP; ++j) tile[lane + j][n / GROUP].at[n % GROUP] = group.at[j];
            }
        __syncthreads();
#pragma unroll
        for (int m = threadIdx.y; m < SIDE; m += ROWS)
            if (m0 + m < of.m && n0 + lane < of.n)
                *reinterpret_cast<Group*>(to + (m0 + m) * of.out_step + n0 + lane) = tile[m][threadIdx.x];
        __syncthreads();
    }
}

// Small matrices, and narrow ones: a block moves panels of `deep` matrices by `high` values of m by `wide` of n, together at most PANEL
// elements, with its threads along m as they read and along n as they write: what lies side by side in memory is moved side by side,
// whatever the sizes. Every 32 elements one place is left out, against bank conflicts.
#define PANEL (BYTES == 16 ? 1024 : 2048)  // _panel in transpose.py

extern "C" __global__ void __launch_bounds__(256) transpose_panels(
    const Element* x, Element* out, I count, LAYOUT, int high, int wide, int deep)
{
    __shared__ Element panel[PANEL + PANEL / 32];
    const Layout of = GIVEN;
    const I across = (of.m + high - 1) / high, along = (of.n + wide - 1) / wide, tiles = across * along;
    const I stacks = (count + deep - 1) / deep;
    const int area = high * wide, size = area * deep;
    for (I t = blockIdx.x; t < stacks * tiles; t += gridDim.x) {
        const I b0 = t / tiles * deep, rest = t % tiles, m0 = rest % across * high, n0 = rest / across * wide;
        for (int e = threadIdx.x; e < size; e += 256) {
            const int k = e / area, n = (e - k * area) / high, m = e - k * area - n * high;
            if (b0 + k < count && n0 + n < of.n && m0 + m < of.m)
                panel[e + e / 32] = x[of.in_x(b0 + k) + (n0 + n) * of.x_step + m0 + m];
        }
        __syncthreads();
        for (int e = threadIdx.x; e < size; e += 256) {
            const int k = e / area, m = (e - k * area) / wide, n = e - k * area - m * wide, at = k * area + n * high + m;
            if (b0 + k < count && n0 + n < of.n && m0 + m < of.m)
                out[of.in_out(b0 + k) + (m0 + m) * of.out_step + n0 + n] = panel[at + at / 32];
        }
        __syncthreads();
    }
}
