// Random bits of neighbouring elements, from whole blocks of Philox: after philox.h, in CUDA C++.

// The integers first to first + N - 1 of 32 bits from a state on. `first` and N are multiples of the 8 in a block.
template <int N> GG_FN gg_vector<uint32_t, N> gg_philox_vector_u32(const uint64_t *state, uint64_t first)
{
    gg_vector<uint32_t, N> out;
#pragma unroll
    for (int b = 0; b < N / 8; ++b) {
        uint64_t x[4];
        gg_philox_block(state, first / 8 + b, x);
#pragma unroll
        for (int l = 0; l < 8; ++l) out[8 * b + l] = (uint32_t)(x[l / 2] >> 32 * (l % 2));
    }
    return out;
}

// Those of 64 bits: multiples of 4.
template <int N> GG_FN gg_vector<uint64_t, N> gg_philox_vector_u64(const uint64_t *state, uint64_t first)
{
    gg_vector<uint64_t, N> out;
#pragma unroll
    for (int b = 0; b < N / 4; ++b) gg_philox_block(state, first / 4 + b, out.at + 4 * b);
    return out;
}
