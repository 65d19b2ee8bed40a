// Pointwise activations of one or two instructions, which other kernels apply on the way. A NaN makes value and slope
// NaN.
#pragma once

#include "math/simd.h"

namespace velu::cpu::VELU_ISA_NAMESPACE {

struct Identity {
    using V = simd::Vector;
    static V value(V x) { return x; }
};

struct Relu {
    using V = simd::Vector;
    static V value(V x) { return max(V(0.0f), x); }
    static V slope(V x) { return select(is_nan(x), x, select(x > V(0.0f), V(1.0f), V(0.0f))); }
};

struct Relu6 {
    using V = simd::Vector;
    static V value(V x) { return min(V(6.0f), max(V(0.0f), x)); }
    static V slope(V x) { return select(is_nan(x), x, select((x > V(0.0f)) & (x < V(6.0f)), V(1.0f), V(0.0f))); }
};

}  // namespace velu::cpu::VELU_ISA_NAMESPACE
