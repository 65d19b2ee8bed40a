// Launching kernels, and the sums that warps and blocks make. All reductions have a fixed order.
#pragma once

#include "cuda/context.h"

#include <algorithm>
#include <cstdint>

namespace velu::cuda {

inline constexpr int kWarp = 32;
inline constexpr unsigned kAllLanes = 0xFFFFFFFFu;

/// Puts a kernel on the compute stream; arguments are converted to the kernel's parameters.
template <class... Parameters, class... Arguments>
void launch(Context& context, void (*kernel)(Parameters...), dim3 blocks, unsigned threads, Arguments... arguments) {
    cudaLaunchConfig_t config = {};
    config.gridDim = blocks;
    config.blockDim = dim3(threads);
    config.stream = context.compute();
    check(cudaLaunchKernelEx(&config, kernel, static_cast<Parameters>(arguments)...), "cudaLaunchKernelEx");
}

/// Blocks of a grid-stride loop over `work` threads' worth of work: enough to fill the device, no more than there is.
inline unsigned grid_for(const Context& context, int64_t work, int threads, int blocks_per_multiprocessor = 8) {
    const int64_t needed = (work + threads - 1) / threads;
    const int64_t most = int64_t{context.multiprocessors} * blocks_per_multiprocessor;
    return static_cast<unsigned>(std::clamp<int64_t>(needed, 1, most));
}

/// Index of this thread among all of the grid, and the number of all, for grid-stride loops over int64_t counts.
__device__ __forceinline__ int64_t thread_index() {
    return int64_t{blockIdx.x} * blockDim.x + threadIdx.x;
}
__device__ __forceinline__ int64_t thread_count() {
    return int64_t{gridDim.x} * blockDim.x;
}

/// Sum over the kLanes (a power of two up to 32) neighbouring lanes of a warp that start at a multiple of kLanes; every
/// one of them gets it.
template <int kLanes = kWarp, class Number>
__device__ __forceinline__ Number warp_sum(Number value) {
#pragma unroll
    for (int offset = kLanes / 2; offset > 0; offset /= 2) value += __shfl_xor_sync(kAllLanes, value, offset);
    return value;
}

/// Sum over a block of kThreads threads (a multiple of 32), for all of them. `slots` is shared memory of kThreads / 32
/// numbers that nothing else uses until the next __syncthreads().
template <int kThreads, class Number>
__device__ __forceinline__ Number block_sum(Number value, Number* slots) {
    value = warp_sum(value);
    __syncthreads();  // slots may still be read from a sum before
    if (threadIdx.x % kWarp == 0) slots[threadIdx.x / kWarp] = value;
    __syncthreads();
    Number sum = slots[0];
#pragma unroll
    for (int warp = 1; warp < kThreads / kWarp; ++warp) sum += slots[warp];
    return sum;
}

}  // namespace velu::cuda
