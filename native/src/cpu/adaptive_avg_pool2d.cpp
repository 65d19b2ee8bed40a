// Average pooling to a given size, one image row per task.
#include "cpu/context.h"
#include "cpu/isa/adaptive_avg_pool2d_kernels.h"
#include "cpu/operations.h"

namespace velu::cpu {

velu_status adaptive_avg_pool2d_forward(DeviceContext* context, const velu_adaptive_avg_pool2d_desc* desc,
                                        const void* x, void* y) {
    return guarded(context, [&] {
        with_element(desc->dtype, [&]<class T>(T) {
            const AdaptiveAvgPool2dKernels<T>& kernels = adaptive_avg_pool2d_kernels(cpu(context).isa).of<T>();
            const int64_t image_size = desc->in_height * desc->in_width * desc->channels;
            const int64_t out_row_size = desc->out_width * desc->channels;
            const auto* input = static_cast<const T*>(x);
            auto* output = static_cast<T*>(y);
            parallel_for(cpu(context), desc->batch * desc->out_height, [&](int64_t row) {
                kernels.forward_row(*desc, input + row / desc->out_height * image_size, row % desc->out_height,
                                    output + row * out_row_size);
            });
        });
        return VELU_STATUS_SUCCESS;
    });
}

velu_status adaptive_avg_pool2d_backward(DeviceContext* context, const velu_adaptive_avg_pool2d_desc* desc,
                                         const void* dy, void* dx) {
    return guarded(context, [&] {
        with_element(desc->dtype, [&]<class T>(T) {
            const AdaptiveAvgPool2dKernels<T>& kernels = adaptive_avg_pool2d_kernels(cpu(context).isa).of<T>();
            const int64_t in_row_size = desc->in_width * desc->channels;
            const int64_t out_size = desc->out_height * desc->out_width * desc->channels;
            const auto* gradient = static_cast<const T*>(dy);
            auto* result = static_cast<T*>(dx);
            parallel_for(cpu(context), desc->batch * desc->in_height, [&](int64_t row) {
                kernels.backward_row(*desc, gradient + row / desc->in_height * out_size, row % desc->in_height,
                                     result + row * in_row_size);
            });
        });
        return VELU_STATUS_SUCCESS;
    });
}

}  // namespace velu::cpu
