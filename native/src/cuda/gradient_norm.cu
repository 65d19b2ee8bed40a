// Norm of all gradients: each block's squares are summed in float64, then the blocks' sums in order.
#include "cuda/elementwise.cuh"
#include "cuda/operations.h"
#include "math/exponential.h"

namespace velu::cuda {
namespace {

constexpr int kThreads = 256;

// Reads an element once for a conversion to float64 (16 per cycle and multiprocessor: 15 TB/s of float32, 7 of
// bfloat16) and a fused multiply-add; limited by memory. The square of a float32 is exact in float64 and cannot
// overflow.
template <int N, class T>
__global__ void __launch_bounds__(kThreads)
    sum_of_squares_kernel(const T* __restrict__ gradients, int64_t count, double* __restrict__ sums) {
    __shared__ double slots[kThreads / kWarp];
    double sum = 0;
    for_each_pack<N>(count, [&](int64_t i, auto width) {
        float value[width.value];
        load(gradients + i, value);
#pragma unroll
        for (int j = 0; j < width.value; ++j) sum += static_cast<double>(value[j]) * static_cast<double>(value[j]);
    });
    sum = block_sum<kThreads>(sum, slots);
    if (threadIdx.x == 0) sums[blockIdx.x] = sum;
}

// One block.
__global__ void __launch_bounds__(kThreads)
    root_of_sum_kernel(const double* __restrict__ sums, int blocks, float* __restrict__ norm) {
    __shared__ double slots[kThreads / kWarp];
    double sum = 0;
    for (int block = static_cast<int>(threadIdx.x); block < blocks; block += kThreads) sum += sums[block];
    sum = block_sum<kThreads>(sum, slots);
    if (threadIdx.x == 0) *norm = static_cast<float>(math::square_root(sum));
}

}  // namespace

velu_status gradient_norm(DeviceContext* context, const velu_gradient_norm_desc* desc, const void* gradients,
                          float* norm) {
    return guarded(context, [&](Context& device) {
        with_element_type(desc->dtype, [&](auto element) {
            using T = decltype(element);
            constexpr int kPack = kPackSize<T>;
            const bool aligned = aligned_to_16(gradients);
            const unsigned blocks = elementwise_blocks(device, desc->count, aligned ? kPack : 1);
            auto* sums = device.scratch<double>(blocks * sizeof(double));
            launch(device, aligned ? sum_of_squares_kernel<kPack, T> : sum_of_squares_kernel<1, T>, blocks, kThreads,
                   static_cast<const T*>(gradients), desc->count, sums);
            launch(device, root_of_sum_kernel, 1, kThreads, sums, static_cast<int>(blocks), norm);
        });
    });
}

}  // namespace velu::cuda
