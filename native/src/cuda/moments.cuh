// Moments of A over all elements: sums of a thread's elements about one of them, then Chan's merge of threads, warps
// and blocks, in an order that only the launch fixes.
//
// A thread adds up a tile's at most 32 elements in float32, as deviations from the first of them: by (a_0 - mean)^2 <=
// m2 the sums are at most 33 times m2, whatever the data, and lose at most 1e-5 of it, a typical tile 1e-7. Tiles are
// added in float64, shifted to the thread's first element. Per element: 3 instructions, and 1.2 for the tile's way to
// float64.
#pragma once

#include <cstdint>

#include "cuda/launch.cuh"
#include "math/velu_float64.h"

namespace velu::cuda {

class ThreadMoments {
public:
    /// count elements whose sums of a - shift and its square are these.
    __device__ __forceinline__ void add(int count, float shift, float deviations, float squares) {
        if (count_ == 0) shift_ = shift;
        const auto n = static_cast<double>(count);
        const double offset = static_cast<double>(shift) - static_cast<double>(shift_);
        const auto of_tile = static_cast<double>(deviations);
        squares_ += static_cast<double>(squares) + offset * (2.0 * of_tile + n * offset);
        deviations_ += of_tile + n * offset;
        count_ += static_cast<uint32_t>(count);
    }

    /// One element.
    __device__ __forceinline__ void add(double a) {
        if (count_ == 0) shift_ = a - a == 0 ? static_cast<float>(a) : 0.0f;
        const double deviation = a - static_cast<double>(shift_);
        deviations_ += deviation;
        squares_ = fma(deviation, deviation, squares_);
        ++count_;
    }

    __device__ __forceinline__ math::Moments moments() const {
        if (count_ == 0) return {0, 0, 0};
        return math::moments_of_sums(static_cast<double>(count_), static_cast<double>(shift_), deviations_, squares_);
    }

private:
    float shift_ = 0;
    uint32_t count_ = 0;  // a thread has less than 2^32: the grid fills a device whose memory holds fewer
    double deviations_ = 0, squares_ = 0;
};

/// Joins the parts of all threads of a block, for all of them.
__device__ __forceinline__ math::Moments block_moments(math::Moments mine) {
    __shared__ double warps[kWarp][3];
#pragma unroll 1
    for (int offset = kWarp / 2; offset > 0; offset /= 2) {
        const math::Moments other{__shfl_down_sync(kAllLanes, mine.count, offset),
                                  __shfl_down_sync(kAllLanes, mine.mean, offset),
                                  __shfl_down_sync(kAllLanes, mine.m2, offset)};
        mine = math::merge(mine, other);
    }
    __syncthreads();  // the last call's result may still be read
    if (threadIdx.x % kWarp == 0) {
        double* const of_warp = warps[threadIdx.x / kWarp];
        of_warp[0] = mine.count;
        of_warp[1] = mine.mean;
        of_warp[2] = mine.m2;
    }
    __syncthreads();
    if (threadIdx.x == 0) {
        for (unsigned warp = 1; warp < blockDim.x / kWarp; ++warp) {
            mine = math::merge(mine, {warps[warp][0], warps[warp][1], warps[warp][2]});
        }
        warps[0][0] = mine.count;
        warps[0][1] = mine.mean;
        warps[0][2] = mine.m2;
    }
    __syncthreads();
    return {warps[0][0], warps[0][1], warps[0][2]};
}

/// Joins the parts that blocks have left, for all threads of this block.
__device__ __forceinline__ math::Moments merged_moments(const math::Moments* parts, int count) {
    math::Moments mine{0, 0, 0};
    for (int i = static_cast<int>(threadIdx.x); i < count; i += static_cast<int>(blockDim.x)) {
        mine = math::merge(mine, parts[i]);
    }
    return block_moments(mine);
}

/// Sum over the threads of a block; thread 0 has it.
__device__ __forceinline__ double block_total(double value) {
    __shared__ double warps[kWarp];
    value = warp_sum(value);
    __syncthreads();
    if (threadIdx.x % kWarp == 0) warps[threadIdx.x / kWarp] = value;
    __syncthreads();
    for (unsigned warp = 1; warp < blockDim.x / kWarp; ++warp) value += threadIdx.x == 0 ? warps[warp] : 0.0;
    return value;
}

}  // namespace velu::cuda
