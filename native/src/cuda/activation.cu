// Pointwise activations: an element read and one written forward, two and one backward. A NaN in x makes y and dx NaN.
//
// Instructions per element, besides about 2 of the loop, against a budget of 55 forward and 82 backward for float32 and
// half of that for bfloat16: ReLU 2, ReLU6 4; SiLU and the sigmoid about 45 and GELU 50 (pointwise.cuh). So all are
// limited by memory but these three in bfloat16, which are limited by instructions.
#include "cuda/elementwise.cuh"
#include "cuda/operations.h"
#include "cuda/pointwise.cuh"

namespace velu::cuda {
namespace {

template <class Activation>
struct Backward {
    static __device__ __forceinline__ float value(float x, float dy) { return dy * Activation::slope(x); }
};

}  // namespace

velu_status activation_forward(DeviceContext* context, const velu_activation_desc* desc, const void* x, void* y) {
    return guarded(context, [&](Context& device) {
        with_activation(desc->activation, [&](auto activation) {
            with_element_type(desc->dtype, [&](auto element) {
                using T = decltype(element);
                unary<decltype(activation)>(device, static_cast<const T*>(x), static_cast<T*>(y), desc->count);
            });
        });
    });
}

velu_status activation_backward(DeviceContext* context, const velu_activation_desc* desc, const void* x, const void* dy,
                                void* dx) {
    return guarded(context, [&](Context& device) {
        with_activation(desc->activation, [&](auto activation) {
            with_element_type(desc->dtype, [&](auto element) {
                using T = decltype(element);
                binary<Backward<decltype(activation)>>(device, static_cast<const T*>(x), static_cast<const T*>(dy),
                                                       static_cast<T*>(dx), desc->count);
            });
        });
    });
}

}  // namespace velu::cuda
