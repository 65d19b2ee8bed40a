// Pointwise activations in blocks that stay whole whatever the thread count.
#include <algorithm>

#include "cpu/context.h"
#include "cpu/isa/activation_kernels.h"
#include "cpu/operations.h"

namespace velu::cpu {

namespace {

constexpr int64_t kBlock = 16384;

template <class T>
void forward(const Context& context, const velu_activation_desc& desc, const T* x, T* y) {
    const ActivationKernels<T>& kernels = activation_kernels(context.isa).of<T>();
    parallel_for(context, (desc.count + kBlock - 1) / kBlock, [&](int64_t block) {
        const int64_t start = block * kBlock;
        kernels.forward(desc.activation, x + start, y + start, std::min(kBlock, desc.count - start));
    });
}

template <class T>
void backward(const Context& context, const velu_activation_desc& desc, const T* x, const T* dy, T* dx) {
    const ActivationKernels<T>& kernels = activation_kernels(context.isa).of<T>();
    parallel_for(context, (desc.count + kBlock - 1) / kBlock, [&](int64_t block) {
        const int64_t start = block * kBlock;
        kernels.backward(desc.activation, x + start, dy + start, dx + start, std::min(kBlock, desc.count - start));
    });
}

}  // namespace

velu_status activation_forward(DeviceContext* context, const velu_activation_desc* desc, const void* x, void* y) {
    return guarded(context, [&] {
        with_element(desc->dtype,
                     [&]<class T>(T) { forward(cpu(context), *desc, static_cast<const T*>(x), static_cast<T*>(y)); });
        return VELU_STATUS_SUCCESS;
    });
}

velu_status activation_backward(DeviceContext* context, const velu_activation_desc* desc, const void* x, const void* dy,
                                void* dx) {
    return guarded(context, [&] {
        with_element(desc->dtype, [&]<class T>(T) {
            backward(cpu(context), *desc, static_cast<const T*>(x), static_cast<const T*>(dy), static_cast<T*>(dx));
        });
        return VELU_STATUS_SUCCESS;
    });
}

}  // namespace velu::cpu
