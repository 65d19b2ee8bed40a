// Pointwise activations: one element read and one written forward, two and one backward. ReLU and ReLU6 are limited
// by memory; SiLU and the sigmoid (about 25 vector instructions per vector) and GELU (40) by instructions on one core.
// A NaN in x makes y and dx NaN.
#include "cpu/isa/activation_kernels.h"

#include <velu/velu.h>

#include "cpu/isa/rectifier.h"
#include "cpu/isa/smooth_activation.h"
#include "math/simd.h"

namespace velu::cpu::VELU_ISA_NAMESPACE {
namespace {

using V = simd::Vector;

template <class Function, class T>
void apply(const T* x, T* y, int64_t count) {
    simd::for_each_vector<V>(
        count, [&](int64_t i, auto lanes)
                   __attribute__((always_inline)) { lanes.store(Function::value(lanes.load(x + i, V(0.0f))), y + i); });
}

template <class Function, class T>
void differentiate(const T* x, const T* dy, T* dx, int64_t count) {
    simd::for_each_vector<V>(
        count, [&](int64_t i, auto lanes) __attribute__((always_inline)) {
            const V slope = Function::slope(lanes.load(x + i, V(0.0f)));
            lanes.store(lanes.load(dy + i, V(0.0f)) * slope, dx + i);
        });
}

template <class T>
void forward(int32_t activation, const T* x, T* y, int64_t count) {
    switch (activation) {
        case VELU_ACTIVATION_RELU:
            return apply<Relu>(x, y, count);
        case VELU_ACTIVATION_RELU6:
            return apply<Relu6>(x, y, count);
        case VELU_ACTIVATION_SILU:
            return apply<Silu>(x, y, count);
        case VELU_ACTIVATION_SIGMOID:
            return apply<Logistic>(x, y, count);
        default:
            return apply<Gelu>(x, y, count);
    }
}

template <class T>
void backward(int32_t activation, const T* x, const T* dy, T* dx, int64_t count) {
    switch (activation) {
        case VELU_ACTIVATION_RELU:
            return differentiate<Relu>(x, dy, dx, count);
        case VELU_ACTIVATION_RELU6:
            return differentiate<Relu6>(x, dy, dx, count);
        case VELU_ACTIVATION_SILU:
            return differentiate<Silu>(x, dy, dx, count);
        case VELU_ACTIVATION_SIGMOID:
            return differentiate<Logistic>(x, dy, dx, count);
        default:
            return differentiate<Gelu>(x, dy, dx, count);
    }
}

}  // namespace

extern const ByElement<ActivationKernels> activation_kernels = {
    {forward<float>, backward<float>},
    {forward<BFloat16>, backward<BFloat16>},
};

}  // namespace velu::cpu::VELU_ISA_NAMESPACE
