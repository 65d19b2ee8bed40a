// Global average pooling; a task is a group of channels of one image.
#include <algorithm>

#include "cpu/context.h"
#include "cpu/isa/global_avg_pool_kernels.h"
#include "cpu/operations.h"

namespace velu::cpu {
namespace {

/// body(image, first channel, number of channels) for all channel groups of all images.
template <class Body>
void for_channel_groups(const Context& context, const velu_global_avg_pool_desc& desc, const Body& body) {
    const int64_t groups = (desc.channels + kGlobalAvgPoolChannels - 1) / kGlobalAvgPoolChannels;
    parallel_for(context, desc.batch * groups, [&](int64_t task) {
        const int64_t first = task % groups * kGlobalAvgPoolChannels;
        body(task / groups, first, std::min(kGlobalAvgPoolChannels, desc.channels - first));
    });
}

}  // namespace

velu_status global_avg_pool_forward(DeviceContext* context, const velu_global_avg_pool_desc* desc, const void* x,
                                    void* y) {
    return guarded(context, [&] {
        with_element(desc->dtype, [&]<class T>(T) {
            const GlobalAvgPoolKernels<T>& kernels = global_avg_pool_kernels(cpu(context).isa).of<T>();
            const auto* input = static_cast<const T*>(x);
            auto* output = static_cast<T*>(y);
            for_channel_groups(cpu(context), *desc, [&](int64_t image, int64_t first, int64_t n) {
                kernels.forward(input + image * desc->pixels * desc->channels + first, desc->pixels, desc->channels, n,
                                output + image * desc->channels + first);
            });
        });
        return VELU_STATUS_SUCCESS;
    });
}

velu_status global_avg_pool_backward(DeviceContext* context, const velu_global_avg_pool_desc* desc, const void* dy,
                                     void* dx) {
    return guarded(context, [&] {
        with_element(desc->dtype, [&]<class T>(T) {
            const GlobalAvgPoolKernels<T>& kernels = global_avg_pool_kernels(cpu(context).isa).of<T>();
            const auto* gradient = static_cast<const T*>(dy);
            auto* result = static_cast<T*>(dx);
            for_channel_groups(cpu(context), *desc, [&](int64_t image, int64_t first, int64_t n) {
                kernels.backward(gradient + image * desc->channels + first, desc->pixels, desc->channels, n,
                                 result + image * desc->pixels * desc->channels + first);
            });
        });
        return VELU_STATUS_SUCCESS;
    });
}

}  // namespace velu::cpu
