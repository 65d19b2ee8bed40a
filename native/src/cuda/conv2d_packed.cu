// Convolution for inference: the weight is scaled and converted to the dtype once; its layout is the plain one.
// Residual, bias and activation are one pass over y.
#include "cuda/channel_lanes.cuh"
#include "cuda/conv2d.h"
#include "cuda/conv2d_geometry.h"
#include "cuda/element.cuh"
#include "cuda/launch.cuh"
#include "cuda/operations.h"

namespace velu::cuda {
namespace {

constexpr int kThreads = 256;

/// Reads 4 B and writes 4 (BF16: 2) per weight, and runs once per refresh of the parameters.
template <class T>
__global__ void pack_kernel(int64_t weights, int64_t weights_per_channel, const float* weight, const float* scale,
                            T* packed) {
    for (int64_t i = thread_index(); i < weights; i += thread_count()) {
        const float factor = scale == nullptr ? 1.0f : scale[quotient(i, weights_per_channel)];
        packed[i] = from_float<T>(factor * weight[i]);
    }
}

__global__ void pack_bias_kernel(int64_t channels, const float* bias, const float* scale, const float* shift,
                                 float* packed_bias) {
    for (int64_t o = thread_index(); o < channels; o += thread_count()) {
        const float factor = scale == nullptr ? 1.0f : scale[o];
        packed_bias[o] = factor * (bias == nullptr ? 0.0f : bias[o]) + (shift == nullptr ? 0.0f : shift[o]);
    }
}

}  // namespace

velu_status conv2d_packed_bytes(DeviceContext*, const velu_conv2d_desc* desc, int64_t* bytes) {
    *bytes = Conv2dGeometry(*desc).weights() * (desc->dtype == VELU_DTYPE_BF16 ? 2 : 4);
    return VELU_STATUS_SUCCESS;
}

velu_status conv2d_packed_prepare(DeviceContext* context, const velu_conv2d_desc* desc, int32_t has_residual) {
    return guarded(context, [&](Context& ctx) { prepare_conv2d_forward(ctx, *desc, has_residual != 0); });
}

velu_status conv2d_pack(DeviceContext* context, const velu_conv2d_desc* desc, const float* weight, const float* bias,
                        const float* scale, const float* shift, void* packed, float* packed_bias) {
    return guarded(context, [&](Context& ctx) {
        const int64_t weights = Conv2dGeometry(*desc).weights();
        with_element_type(desc->dtype, [&](auto element) {
            using T = decltype(element);
            launch(ctx, pack_kernel<T>, grid_for(ctx, weights, kThreads), kThreads, weights,
                   weights / desc->out_channels, weight, scale, static_cast<T*>(packed));
        });
        launch(ctx, pack_bias_kernel, grid_for(ctx, desc->out_channels, kThreads), kThreads, desc->out_channels, bias,
               scale, shift, packed_bias);
    });
}

velu_status conv2d_packed_forward(DeviceContext* context, const velu_conv2d_desc* desc, const void* x,
                                  const void* packed, const float* packed_bias, const void* residual, void* y) {
    return guarded(context, [&](Context& ctx) { run_conv2d_forward(ctx, *desc, x, packed, packed_bias, residual, y); });
}

}  // namespace velu::cuda
