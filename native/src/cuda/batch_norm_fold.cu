// The scale and shift that inference makes of a batch norm's statistics: a few numbers per channel, in float64.
#include "cuda/launch.cuh"
#include "cuda/operations.h"

namespace velu::cuda {
namespace {

constexpr int kThreads = 256;

__global__ void fold_kernel(int64_t channels, double eps, const float* weight, const float* bias,
                            const float* running_mean, const float* running_var, float* scale, float* shift) {
    for (int64_t c = thread_index(); c < channels; c += thread_count()) {
        const double factor = static_cast<double>(weight[c]) / sqrt(static_cast<double>(running_var[c]) + eps);
        scale[c] = static_cast<float>(factor);
        shift[c] = static_cast<float>(static_cast<double>(bias[c]) - factor * static_cast<double>(running_mean[c]));
    }
}

}  // namespace

velu_status batch_norm_fold(DeviceContext* context, const velu_batch_norm_desc* desc, const float* weight,
                            const float* bias, const float* running_mean, const float* running_var, float* scale,
                            float* shift) {
    return guarded(context, [&](Context& ctx) {
        launch(ctx, fold_kernel, grid_for(ctx, desc->channels, kThreads), kThreads, desc->channels,
               static_cast<double>(desc->eps), weight, bias, running_mean, running_var, scale, shift);
    });
}

}  // namespace velu::cuda
