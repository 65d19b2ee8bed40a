// What an activation does at a site: a warp per row, then one block that joins the parts. No float is added atomically;
// the order of every sum depends on the shape and the device only.
#include "cuda/element.cuh"
#include "cuda/moments.cuh"
#include "cuda/operations.h"
#include "cuda/velu_float64_rows.cuh"
#include "math/saturation.h"

namespace velu::cuda {
namespace {

constexpr int kThreads = 256;
constexpr int kWarps = kThreads / kWarp;

/// What the rows of one block add up, beside the moments.
struct Part {
    double scale_sum, scale_min, scale_max;
    double saturated;  // exact below 2^53
};

/// The smaller (larger) of two, a NaN if one is.
__device__ __forceinline__ double least(double a, double b) {
    return b < a || b != b ? b : a;
}
__device__ __forceinline__ double most(double a, double b) {
    return b > a || b != b ? b : a;
}

/// Reads x twice for VeLU (the second time from the cache) and a once; bound by about 10 float64 instructions per
/// element. alive[channel]: 1 is stored by whoever finds an output; nothing else is.
template <class T>
__global__ void __launch_bounds__(kThreads)
    activation_statistics_kernel(velu_activation_statistics_desc desc, const T* __restrict__ x, const T* __restrict__ a,
                                 const float* __restrict__ lambda, math::Moments* moments, Part* parts,
                                 uint32_t* alive) {
    __shared__ double scales[kWarps][3];
    const float factor = lambda == nullptr ? 1.0f : *lambda;
    const auto lane = static_cast<int64_t>(threadIdx.x % kWarp);
    const unsigned warp = threadIdx.x / kWarp;
    ThreadMoments mine;
    double scale_sum = 0, scale_min = INFINITY, scale_max = -INFINITY, saturated = 0;
    for (int64_t row = int64_t{blockIdx.x} * kWarps + warp; row < desc.rows; row += int64_t{gridDim.x} * kWarps) {
        const T* const from = x + row * desc.channels;
        const T* const to = a + row * desc.channels;
        const double scale =
            desc.activation == VELU_ACTIVATION_VELU
                ? math::adaptive_scale(desc.params, float64_statistic(desc.params, from, desc.channels).s).a
                : 1.0;
        scale_sum += scale;
        scale_min = least(scale_min, scale);
        scale_max = most(scale_max, scale);
        for (int64_t c = lane; c < desc.channels; c += kWarp) {
            const float value = to_float(to[c]);
            if (math::is_saturated(desc.activation, desc.params.beta2, to_float(from[c]))) saturated += 1.0;
            if (!(fabsf(factor * value) <= math::kDeadOutput)) alive[c] = 1;
            mine.add(static_cast<double>(value));
        }
    }
    if (lane == 0) {
        scales[warp][0] = scale_sum;
        scales[warp][1] = scale_min;
        scales[warp][2] = scale_max;
    }
    const math::Moments all = block_moments(mine.moments());
    saturated = block_total(saturated);
    if (threadIdx.x != 0) return;
    for (unsigned other = 1; other < kWarps; ++other) {
        scale_sum += scales[other][0];
        scale_min = least(scale_min, scales[other][1]);
        scale_max = most(scale_max, scales[other][2]);
    }
    moments[blockIdx.x] = all;
    parts[blockIdx.x] = {scale_sum, scale_min, scale_max, saturated};
}

/// One block.
__global__ void __launch_bounds__(kThreads)
    finish_activation_statistics_kernel(int64_t rows, int64_t channels, const math::Moments* moments, const Part* parts,
                                        const uint32_t* alive, int blocks, float* values, int64_t* counts) {
    const math::Moments all = merged_moments(moments, blocks);
    double dead = 0;
    for (int64_t c = threadIdx.x; c < channels; c += kThreads) dead += alive[c] == 0 ? 1.0 : 0.0;
    dead = block_total(dead);
    if (threadIdx.x != 0) return;
    Part sum = parts[0];
    for (int block = 1; block < blocks; ++block) {
        sum.scale_sum += parts[block].scale_sum;
        sum.scale_min = least(sum.scale_min, parts[block].scale_min);
        sum.scale_max = most(sum.scale_max, parts[block].scale_max);
        sum.saturated += parts[block].saturated;
    }
    math::store_moments(all, values);
    values[3] = static_cast<float>(sum.scale_min);
    values[4] = static_cast<float>(sum.scale_sum / static_cast<double>(rows));
    values[5] = static_cast<float>(sum.scale_max);
    counts[0] = static_cast<int64_t>(dead);
    counts[1] = static_cast<int64_t>(sum.saturated);
}

template <class T>
void statistics(Context& context, const velu_activation_statistics_desc& desc, const T* x, const T* a,
                const float* lambda, float* values, int64_t* counts) {
    const unsigned blocks = grid_for(context, desc.rows * kWarp, kThreads);
    const size_t bytes_of_flags = static_cast<size_t>(desc.channels) * sizeof(uint32_t);
    auto* const moments =
        context.scratch<math::Moments>(blocks * (sizeof(math::Moments) + sizeof(Part)) + bytes_of_flags);
    auto* const parts = reinterpret_cast<Part*>(moments + blocks);
    auto* const alive = reinterpret_cast<uint32_t*>(parts + blocks);
    check(cudaMemsetAsync(alive, 0, bytes_of_flags, context.compute()), "cudaMemsetAsync");
    launch(context, activation_statistics_kernel<T>, blocks, kThreads, desc, x, a, lambda, moments, parts, alive);
    launch(context, finish_activation_statistics_kernel, 1, kThreads, desc.rows, desc.channels, moments, parts, alive,
           static_cast<int>(blocks), values, counts);
}

}  // namespace

velu_status activation_statistics(DeviceContext* context, const velu_activation_statistics_desc* desc, const void* x,
                                  const void* a, const float* lambda, float* values, int64_t* counts) {
    return guarded(context, [&](Context& device) {
        with_element_type(desc->dtype, [&](auto element) {
            using T = decltype(element);
            statistics(device, *desc, static_cast<const T*>(x), static_cast<const T*>(a), lambda, values, counts);
        });
    });
}

}  // namespace velu::cuda
