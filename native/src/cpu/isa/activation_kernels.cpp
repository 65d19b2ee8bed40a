// Pointwise activations: 4 bytes read and 4 written per element forward, 8 and 4 backward. ReLU and ReLU6 are limited
// by memory; SiLU and the sigmoid (about 25 vector instructions per vector) and GELU (40) by instructions on one core.
// A NaN in x makes y and dx NaN.
#include "cpu/isa/activation_kernels.h"

#include <velu/velu.h>

#include "math/exponential.h"
#include "math/gelu.h"
#include "math/simd.h"

namespace velu::cpu::VELU_ISA_NAMESPACE {
namespace {

using V = simd::Vector;

struct Relu {
    static V value(V x) { return max(V(0.0f), x); }
    static V slope(V x) { return select(is_nan(x), x, select(x > V(0.0f), V(1.0f), V(0.0f))); }
};

struct Relu6 {
    static V value(V x) { return min(V(6.0f), max(V(0.0f), x)); }
    static V slope(V x) { return select(is_nan(x), x, select((x > V(0.0f)) & (x < V(6.0f)), V(1.0f), V(0.0f))); }
};

struct Silu {
    static V value(V x) { return x * math::sigmoid(x, V(0.0f)).value; }
    static V slope(V x) {
        const math::Sigmoid<V> s = math::sigmoid(x, V(0.0f));
        return mul_add(x, s.slope, s.value);
    }
};

struct Gelu {
    static V value(V x) { return x * math::normal(x).distribution; }
    static V slope(V x) {
        const math::Normal<V> n = math::normal(x);
        return mul_add(x, n.density, n.distribution);
    }
};

struct Logistic {
    static V value(V x) { return math::sigmoid(x, V(0.0f)).value; }
    static V slope(V x) { return math::sigmoid(x, V(0.0f)).slope; }
};

template <class Function>
void apply(const float* x, float* y, int64_t count) {
    simd::for_each_vector<V>(
        count, [&](int64_t i, auto lanes)
                   __attribute__((always_inline)) { lanes.store(Function::value(lanes.load(x + i, V(0.0f))), y + i); });
}

template <class Function>
void differentiate(const float* x, const float* dy, float* dx, int64_t count) {
    simd::for_each_vector<V>(
        count, [&](int64_t i, auto lanes) __attribute__((always_inline)) {
            const V slope = Function::slope(lanes.load(x + i, V(0.0f)));
            lanes.store(lanes.load(dy + i, V(0.0f)) * slope, dx + i);
        });
}

void forward(int32_t activation, const float* x, float* y, int64_t count) {
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

void backward(int32_t activation, const float* x, const float* dy, float* dx, int64_t count) {
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

extern const ActivationKernels activation_kernels = {forward, backward};

}  // namespace velu::cpu::VELU_ISA_NAMESPACE
