// A step of an average towards new values. The weight is in device memory, so that a recorded step can be run again
// with another.
#include "cuda/elementwise.cuh"
#include "cuda/operations.h"

namespace velu::cuda {
namespace {

// Per element reads 8 bytes (6 with bfloat16 values) and writes 4, for two instructions; limited by memory. The weight
// is read once per thread.
template <int N, class T>
__global__ void __launch_bounds__(kElementwiseThreads)
    lerp_kernel(const float* __restrict__ weight, int64_t count, const T* __restrict__ values,
                float* __restrict__ average) {
    const float given = *weight;
    const float w = given >= 0 && given <= 1 ? given : __uint_as_float(0x7FC00000u);  // NaN
    for_each_pack<N>(count, [&](int64_t i, auto width) {
        float value[width.value];
        float mean[width.value];
        load(values + i, value);
        load(average + i, mean);
#pragma unroll
        for (int j = 0; j < width.value; ++j) mean[j] = w == 1.0f ? value[j] : mean[j] + w * (value[j] - mean[j]);
        store(mean, average + i);
    });
}

}  // namespace

velu_status lerp(DeviceContext* context, const velu_lerp_desc* desc, const float* weight, const void* values,
                 float* average) {
    return guarded(context, [&](Context& device) {
        with_element_type(desc->dtype, [&](auto element) {
            using T = decltype(element);
            constexpr int kPack = kPackSize<float>;
            const bool aligned = aligned_to_16(values, average);
            launch(device, aligned ? lerp_kernel<kPack, T> : lerp_kernel<1, T>,
                   elementwise_blocks(device, desc->count, aligned ? kPack : 1), kElementwiseThreads, weight,
                   desc->count, static_cast<const T*>(values), average);
        });
    });
}

}  // namespace velu::cuda
