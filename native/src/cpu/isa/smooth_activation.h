// Pointwise activations made of exponentials and error functions, which other kernels apply on the way. A NaN makes
// value and slope NaN. To be included by files of isa/ only, after VELU_ISA_NAMESPACE is known.
#pragma once

#include "math/exponential.h"
#include "math/gelu.h"
#include "math/simd.h"

namespace velu::cpu::VELU_ISA_NAMESPACE {
namespace {

struct Silu {
    using V = simd::Vector;
    static V value(V x) { return x * math::sigmoid(x, V(0.0f)).value; }
    static V slope(V x) {
        const math::Sigmoid<V> s = math::sigmoid(x, V(0.0f));
        return mul_add(x, s.slope, s.value);
    }
};

struct Gelu {
    using V = simd::Vector;
    static V value(V x) { return x * math::normal(x).distribution; }
    static V slope(V x) {
        const math::Normal<V> n = math::normal(x);
        return mul_add(x, n.density, n.distribution);
    }
};

struct Logistic {
    using V = simd::Vector;
    static V value(V x) { return math::sigmoid(x, V(0.0f)).value; }
    static V slope(V x) { return math::sigmoid(x, V(0.0f)).slope; }
};

}  // namespace
}  // namespace velu::cpu::VELU_ISA_NAMESPACE
