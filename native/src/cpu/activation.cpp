// Pointwise activations in blocks that stay whole whatever the thread count.
#include <algorithm>

#include "cpu/context.h"
#include "cpu/isa/activation_kernels.h"
#include "cpu/operations.h"

namespace velu::cpu {

namespace {
constexpr int64_t kBlock = 16384;
}

velu_status activation_forward(DeviceContext* context, const velu_activation_desc* desc, const void* x, void* y) {
    return guarded(context, [&]() -> velu_status {
        const ActivationKernels& kernels = activation_kernels(cpu(context).isa);
        const auto* from = static_cast<const float*>(x);
        auto* to = static_cast<float*>(y);
        parallel_for(cpu(context), (desc->count + kBlock - 1) / kBlock, [&](int64_t block) {
            const int64_t start = block * kBlock;
            kernels.forward(desc->activation, from + start, to + start, std::min(kBlock, desc->count - start));
        });
        return VELU_STATUS_SUCCESS;
    });
}

velu_status activation_backward(DeviceContext* context, const velu_activation_desc* desc, const void* x, const void* dy,
                                void* dx) {
    return guarded(context, [&]() -> velu_status {
        const ActivationKernels& kernels = activation_kernels(cpu(context).isa);
        const auto* from = static_cast<const float*>(x);
        const auto* upstream = static_cast<const float*>(dy);
        auto* gradient = static_cast<float*>(dx);
        parallel_for(cpu(context), (desc->count + kBlock - 1) / kBlock, [&](int64_t block) {
            const int64_t start = block * kBlock;
            kernels.backward(desc->activation, from + start, upstream + start, gradient + start,
                             std::min(kBlock, desc->count - start));
        });
        return VELU_STATUS_SUCCESS;
    });
}

}  // namespace velu::cpu
