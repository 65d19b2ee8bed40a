// Max pooling, one image row per task.
#include "cpu/context.h"
#include "cpu/isa/max_pool2d_kernels.h"
#include "cpu/operations.h"
#include "math/pool2d.h"

namespace velu::cpu {

velu_status max_pool2d_forward(DeviceContext* context, const velu_pool2d_desc* desc, const void* x, void* y,
                               uint8_t* argmax) {
    return guarded(context, [&] {
        with_element(desc->dtype, [&]<class T>(T) {
            const MaxPool2dKernels<T>& kernels = max_pool2d_kernels(cpu(context).isa).of<T>();
            const int64_t out_height = pool2d_out_height(*desc);
            const int64_t out_width = pool2d_out_width(*desc);
            const int64_t y_row_size = out_width * pool2d_y_pitch(*desc);
            const int64_t image_size = desc->in_height * desc->in_width * desc->channels;
            const auto* input = static_cast<const T*>(x);
            auto* output = static_cast<T*>(y);
            parallel_for(cpu(context), desc->batch * out_height, [&](int64_t row) {
                kernels.forward_row(*desc, input + row / out_height * image_size, row % out_height,
                                    output + row * y_row_size,
                                    argmax == nullptr ? nullptr : argmax + row * out_width * desc->channels);
            });
        });
        return VELU_STATUS_SUCCESS;
    });
}

velu_status max_pool2d_backward(DeviceContext* context, const velu_pool2d_desc* desc, const void* dy,
                                const uint8_t* argmax, void* dx) {
    return guarded(context, [&] {
        with_element(desc->dtype, [&]<class T>(T) {
            const MaxPool2dKernels<T>& kernels = max_pool2d_kernels(cpu(context).isa).of<T>();
            const int64_t in_row_size = desc->in_width * desc->channels;
            const int64_t out_pixels = pool2d_out_height(*desc) * pool2d_out_width(*desc);
            const int64_t dy_image_size = out_pixels * pool2d_y_pitch(*desc);
            const auto* gradient = static_cast<const T*>(dy);
            auto* result = static_cast<T*>(dx);
            parallel_for(cpu(context), desc->batch * desc->in_height, [&](int64_t row) {
                const int64_t image = row / desc->in_height;
                kernels.backward_row(*desc, gradient + image * dy_image_size,
                                     argmax + image * out_pixels * desc->channels, row % desc->in_height,
                                     result + row * in_row_size);
            });
        });
        return VELU_STATUS_SUCCESS;
    });
}

}  // namespace velu::cpu
