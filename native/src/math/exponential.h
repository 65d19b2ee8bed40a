// exp and the sigmoid for one vector of elements (V is a type of simd.h), and exp and sqrt of one float64.
#pragma once

#include "math/host_device.h"
#include "math/simd.h"

namespace velu::math {

/// exp(x + rest) for x <= 0, |rest| <= 1e-3: relative error below 1e-7, subnormal results included; 0 below -104; NaN
/// for NaN.
template <class V>
VELU_SHARED_INLINE V exp_of_nonpositive(V x, V rest) {
    const V bounded = max(V(-110.0f), x);
    const V k = round(bounded * V(1.44269504f));
    // ln 2 in two parts, the first short enough that k ln2_high is exact without a fused operation.
    V r = mul_add(k, V(-6.93359375e-01f), bounded);
    r = mul_add(k, V(2.12194440e-04f), r) + rest;
    // Minimax polynomial (Remez) of exp(r) for |r| <= ln(2) / 2, relative error 3.1e-9 before rounding.
    V p = 1.381446724e-03f;
    p = mul_add(p, r, V(8.368780836e-03f));
    p = mul_add(p, r, V(4.166839272e-02f));
    p = mul_add(p, r, V(1.666651964e-01f));
    p = mul_add(p, r, V(4.999999404e-01f));
    p = mul_add(r * r, p, r) + V(1.0f);
    return scaled_by_power_of_two(p, k);
}

/// sigmoid(z) and its derivative; both keep their relative accuracy where they are tiny.
template <class V>
struct Sigmoid {
    V value, slope;
};

/// sigmoid(z + rest) with |rest| <= 1e-3.
template <class V>
VELU_SHARED_INLINE Sigmoid<V> sigmoid(V z, V rest) {
    // e = exp(-|z + rest|): rest changes its sign with z.
    const V e = exp_of_nonpositive(-abs(z), -with_sign_flipped_by(rest, z));
    const V inverse = V(1.0f) / (V(1.0f) + e);
    const V other = e * inverse;
    return {select(z >= V(0.0f), inverse, other), other * inverse};
}

VELU_SHARED_INLINE double exponential(double x) {
#ifdef __CUDA_ARCH__
    return ::exp(x);
#else
    return __builtin_exp(x);
#endif
}

VELU_SHARED_INLINE double square_root(double x) {
#ifdef __CUDA_ARCH__
    return __dsqrt_rn(x);
#else
    return __builtin_sqrt(x);
#endif
}

}  // namespace velu::math
