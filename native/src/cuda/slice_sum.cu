#include "cuda/slice_sum.h"

#include "cuda/launch.cuh"

namespace velu::cuda {
namespace {

constexpr int kThreads = 256;

/// A thread per sum. Reads 4 B per element of partial: limited by memory, and small beside what wrote partial.
__global__ void __launch_bounds__(kThreads)
    add_slices_kernel(int64_t count, int64_t slices, const float* __restrict__ partial, float* __restrict__ sum) {
    for (int64_t i = thread_index(); i < count; i += thread_count()) {
        double total = 0;
        for (int64_t slice = 0; slice < slices; ++slice) total += static_cast<double>(partial[slice * count + i]);
        sum[i] = static_cast<float>(total);
    }
}

}  // namespace

void add_slices(Context& context, int64_t count, int64_t slices, const float* partial, float* sum) {
    launch(context, add_slices_kernel, grid_for(context, count, kThreads), kThreads, count, slices, partial, sum);
}

}  // namespace velu::cuda
