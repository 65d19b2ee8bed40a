// The exact GELU x Phi(x), Phi(x) = (1 + erf(x / sqrt 2)) / 2, for one vector of elements (V is a type of simd.h).
#pragma once

#include "math/exponential.h"
#include "math/host_device.h"

namespace velu::math {

/// Phi(x) and phi(x), the normal distribution and its density; both keep their relative accuracy in the tail.
template <class V>
struct Normal {
    V distribution, density;
};

template <class V>
VELU_SHARED_INLINE Normal<V> normal(V x) {
    const V size = min(V(16.0f), abs(x));
    // exp(-size^2 / 2) with the product's rounding error, which the tail would amplify.
    const V half = size * V(0.5f);
    const V exponent = half * size;
    const V e = exp_of_nonpositive(-exponent, -fused_mul_add(half, size, -exponent));
    // Phi(-size) = exp(-size^2 / 2) Q(t), t = 1 / (1 + 0.3 size); minimax polynomial (Remez) for 0 <= size <= 14,
    // relative error 2.9e-9 before rounding.
    const V t = V(1.0f) / mul_add(size, V(0.3f), V(1.0f));
    V q = -1.984181441e-02f;
    q = mul_add(q, t, V(1.078352630e-01f));
    q = mul_add(q, t, V(-2.163424790e-01f));
    q = mul_add(q, t, V(1.741319895e-01f));
    q = mul_add(q, t, V(-6.270631403e-02f));
    q = mul_add(q, t, V(8.564373106e-02f));
    q = mul_add(q, t, V(8.282696456e-02f));
    q = mul_add(q, t, V(1.089965925e-01f));
    q = mul_add(q, t, V(1.197903976e-01f));
    q = mul_add(q, t, V(1.196647063e-01f));
    q = mul_add(q, t, V(9.562620562e-07f));
    const V tail = e * q;
    return {select(x < V(0.0f), tail, V(1.0f) - tail), e * V(3.98942280e-01f)};
}

}  // namespace velu::math
