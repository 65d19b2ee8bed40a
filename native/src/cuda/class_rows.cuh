// Rows of logits as the loss and the metrics walk them: a warp has a short row, a block a long one.
#pragma once

#include "cuda/elementwise.cuh"

namespace velu::cuda {

inline constexpr int kClassThreads = 256;      // threads of a block
inline constexpr int64_t kWarpClasses = 1024;  // a row of up to this many classes is a warp's

/// How a kernel walks rows: kThreads threads (32 or kClassThreads) per row, kPack classes per access.
template <int kThreads, int kPack>
struct RowWalk {
    static constexpr int threads = kThreads;
    static constexpr int pack = kPack;
    static constexpr int rows_per_block = kClassThreads / kThreads;

    /// Index of this thread among those of its row.
    static __device__ __forceinline__ int lane() { return static_cast<int>(threadIdx.x) % kThreads; }
    /// The first row of this thread, and the rows between two of its rows.
    static __device__ __forceinline__ int64_t first_row() {
        return int64_t{blockIdx.x} * rows_per_block + static_cast<int>(threadIdx.x) / kThreads;
    }
    static __device__ __forceinline__ int64_t row_step() { return int64_t{gridDim.x} * rows_per_block; }

    /// body(c, logit) for this thread's classes of a row.
    template <class T, class Body>
    static __device__ __forceinline__ void for_each_class(const T* row, int64_t classes, const Body& body) {
        for (int64_t c = int64_t{lane()} * kPack; c < classes; c += kThreads * kPack) {
            float logit[kPack];
            load(row + c, logit);
#pragma unroll
            for (int j = 0; j < kPack; ++j) body(c + j, logit[j]);
        }
    }

    /// Sum over the threads of a row, for all of them; slots as in block_sum.
    template <class Number>
    static __device__ __forceinline__ Number sum(Number value, Number* slots) {
        if constexpr (kThreads == kWarp) {
            return warp_sum(value);
        } else {
            return block_sum<kThreads>(value, slots);
        }
    }

    /// Largest value of the threads of a row, none of them NaN, for all of them; slots as in block_sum.
    static __device__ __forceinline__ float maximum(float value, float* slots) {
#pragma unroll
        for (int offset = kWarp / 2; offset > 0; offset /= 2) {
            const float other = __shfl_xor_sync(kAllLanes, value, offset);
            value = other > value ? other : value;
        }
        if constexpr (kThreads > kWarp) {
            __syncthreads();  // slots may still be read from a row before
            if (threadIdx.x % kWarp == 0) slots[threadIdx.x / kWarp] = value;
            __syncthreads();
#pragma unroll
            for (int warp = 0; warp < kThreads / kWarp; ++warp) value = slots[warp] > value ? slots[warp] : value;
        }
        return value;
    }
};

/// Calls body(RowWalk<...>{}) with the walk for rows of that many classes.
template <class T, class Body>
void with_row_walk(int64_t classes, bool aligned, const Body& body) {
    constexpr int kPack = kPackSize<T>;
    const bool packed = aligned && classes % kPack == 0;
    if (classes <= kWarpClasses) {
        packed ? body(RowWalk<kWarp, kPack>{}) : body(RowWalk<kWarp, 1>{});
    } else {
        packed ? body(RowWalk<kClassThreads, kPack>{}) : body(RowWalk<kClassThreads, 1>{});
    }
}

/// Blocks for that many rows.
template <class Walk>
unsigned row_blocks(const Context& context, int64_t rows) {
    return grid_for(context, rows, Walk::rows_per_block);
}

}  // namespace velu::cuda
