// Windows that slide over the spatial axes of images: im2col and col2im of convolution, and pooling with indices.
//
// Arrays are (images, channels, spatial axes), with AXES of the latter. In each kernel one array has strides of its own; the others
// are contiguous. Sums are formed in A, by one thread each, tap after tap: the results depend neither on the grid nor on timing.

// All counts are in elements. Tap k of window o lies on element o * stride - padding + k * dilation of each axis.
struct Window {
    I channels;
    I size[AXES], count[AXES];  // of elements and of windows along each axis
    I kernel[AXES], stride[AXES], padding[AXES], dilation[AXES];
    I image, channel, step[AXES];  // the strides of the array that may have any
};

// A place in an array whose last axes have the given sizes: the index of each of these axes. Returns what is left of the place.
__device__ __forceinline__ I split(I place, const I (&sizes)[AXES], I (&index)[AXES])
{
#pragma unroll
    for (int d = AXES - 1; d >= 0; --d) {
        const I rest = place / sizes[d];
        index[d] = place - rest * sizes[d];
        place = rest;
    }
    return place;
}

// The next index in row-major order; false after the last, when it is all zeros again.
__device__ __forceinline__ bool next(I (&index)[AXES], const I (&sizes)[AXES])
{
#pragma unroll
    for (int d = AXES - 1; d >= 0; --d) {
        if (++index[d] < sizes[d]) return true;
        index[d] = 0;
    }
    return false;
}

// Whether the tap of the window lies on an element; if so, *offset is where, by the strides.
__device__ __forceinline__ bool element_of(const Window& w, const I (&window)[AXES], const I (&tap)[AXES], I* offset)
{
    I at = 0;
    bool inside = true;
#pragma unroll
    for (int d = 0; d < AXES; ++d) {
        const I place = window[d] * w.stride[d] - w.padding[d] + tap[d] * w.dilation[d];
        inside = inside && 0 <= place && place < w.size[d];
        at += place * w.step[d];
    }
    *offset = at;
    return inside;
}

// Whether some window has the tap on the element; if so, that window.
__device__ __forceinline__ bool window_of(const Window& w, const I (&element)[AXES], const I (&tap)[AXES], I (&window)[AXES])
{
    bool found = true;
#pragma unroll
    for (int d = 0; d < AXES; ++d) {
        const I distance = element[d] + w.padding[d] - tap[d] * w.dilation[d];
        const I rest = w.stride[d] == 1 ? distance : distance / w.stride[d];  // no division in the usual case
        found = found && distance >= 0 && rest * w.stride[d] == distance && rest < w.count[d];
        window[d] = rest;
    }
    return found;
}

// Where an image's channel begins in the array that may have any strides.
__device__ __forceinline__ const T* begin_of(const T* array, const Window& w, I plane)
{
    return array + (plane / w.channels * w.image + plane % w.channels * w.channel);
}

#define EACH(i, end) for (I i = (I)blockIdx.x * blockDim.x + threadIdx.x; i < (end); i += (I)gridDim.x * blockDim.x)

// columns[n, c, tap, window] = the element of x that the tap lies on, or 0. A thread writes 16 bytes.
//
//   x         any strides             columns   `total` elements, contiguous
extern "C" __global__ void im2col(const T* __restrict__ x, T* __restrict__ columns, I total, Window w)
{
    EACH(pack_index, (total + LANES - 1) / LANES)
    {
        const I first = pack_index * LANES;
        I window[AXES], tap[AXES];
        I plane = split(split(first, w.count, window), w.kernel, tap);
        const T* from = begin_of(x, w, plane);
        Pack pack;
#pragma unroll
        for (int lane = 0; lane < LANES; ++lane) {
            I offset;
            const bool inside = element_of(w, window, tap, &offset) && first + lane < total;
            pack.lane[lane] = inside ? from[offset] : from_sum(A(0));
            if (!next(window, w.count) && !next(tap, w.kernel)) from = begin_of(x, w, ++plane);
        }
        if (total - first >= LANES) {
            store(columns + first, pack);
        } else {
#pragma unroll
            for (int lane = 0; lane < LANES; ++lane)
                if (first + lane < total) columns[first + lane] = pack.lane[lane];
        }
    }
}

// out[n, c, element] = the sum of columns[n, (c, tap), window] over the taps of windows that lie on the element.
//
//   columns   any strides: image, channel for its rows, step[0] for its last axis        out   `total` elements, contiguous
extern "C" __global__ void col2im(const T* __restrict__ columns, T* __restrict__ out, I total, Window w)
{
    I taps = 1;
    for (int d = 0; d < AXES; ++d) taps *= w.kernel[d];

    EACH(i, total)
    {
        I element[AXES], tap[AXES] = {}, window[AXES];
        const I plane = split(i, w.size, element);
        I row = plane / w.channels * w.image + plane % w.channels * taps * w.channel;
        A sum = A(0);
        do {
            if (window_of(w, element, tap, window)) {
                I column = 0;
#pragma unroll
                for (int d = 0; d < AXES; ++d) column = column * w.count[d] + window[d];
                sum += to_sum(columns[row + column * w.step[0]]);
            }
            row += w.channel;
        } while (next(tap, w.kernel));
        out[i] = from_sum(sum);
    }
}

// indices[n, c, window] = where in the spatial axes, flattened, the window has its first maximum, or its last nan.
//
//   x         any strides             indices   `total` numbers, contiguous
extern "C" __global__ void max_pool_indices(const T* __restrict__ x, i64* __restrict__ indices, I total, Window w)
{
    EACH(i, total)
    {
        I window[AXES], tap[AXES] = {};
        const I plane = split(i, w.count, window);
        const T* const from = begin_of(x, w, plane);
        A best = A(0);
        i64 found = -1;
        do {
            I offset;
            if (element_of(w, window, tap, &offset)) {
                const A value = to_sum(from[offset]);
                if (found < 0 || value > best || value != value) {
                    best = value;
                    found = 0;
#pragma unroll
                    for (int d = 0; d < AXES; ++d)
                        found = found * w.size[d] + (window[d] * w.stride[d] - w.padding[d] + tap[d] * w.dilation[d]);
                }
            }
        } while (next(tap, w.kernel));
        indices[i] = found;
    }
}

// out[n, c, window] = x[n, c] at the flat spatial index that `indices` has for the window.
//
//   x         any strides             indices, out   `total` elements, contiguous
extern "C" __global__ void pool_take(
    const T* __restrict__ x, const i64* __restrict__ indices, T* __restrict__ out, I total, Window w)
{
    I windows = 1;
    for (int d = 0; d < AXES; ++d) windows *= w.count[d];

    EACH(i, total)
    {
        I element[AXES], offset = 0;
        split((I)indices[i], w.size, element);
#pragma unroll
        for (int d = 0; d < AXES; ++d) offset += element[d] * w.step[d];
        out[i] = begin_of(x, w, i / windows)[offset];
    }
}

// out[n, c, element] = the sum of g[n, c, window] over the windows whose index is the element: each element looks for them, so
// that nothing needs an atomic operation.
//
//   g         any strides             indices   contiguous             out   `total` elements, contiguous
extern "C" __global__ void pool_put(
    const T* __restrict__ g, const i64* __restrict__ indices, T* __restrict__ out, I total, Window w)
{
    I windows = 1, elements = 1;
    for (int d = 0; d < AXES; ++d) {
        windows *= w.count[d];
        elements *= w.size[d];
    }

    EACH(i, total)
    {
        I element[AXES], tap[AXES] = {}, window[AXES];
        const I plane = split(i, w.size, element);
        const I self = i - plane * elements;
        const T* const from = begin_of(g, w, plane);
        A sum = A(0);
        do {
            if (window_of(w, element, tap, window)) {
                I at = 0, offset = 0;
#pragma unroll
                for (int d = 0; d < AXES; ++d) {
                    at = at * w.count[d] + window[d];
                    offset += window[d] * w.step[d];
                }
                if (indices[plane * windows + at] == self) sum += to_sum(from[offset]);
            }
        } while (next(tap, w.kernel));
        out[i] = from_sum(sum);
    }
}
