// The formulas of VeLU (velu.h, velu_velu_params) for one vector of elements, and for the statistic of one row.
//
// V is a type of simd.h. Element formulas are float32 with this library's own polynomials, free of branches but for
// one shortcut that changes no bit. Row formulas are float64: there is one per row, and with gamma near -1 the adaptive
// scale cancels.
//
// Everything is right for all finite parameters and all x: huge alpha saturates the gate, beta1 = 0 or beta2 = 0 drops
// its term, infinities follow IEEE 754, and a NaN comes through.
#pragma once

#include <velu/velu.h>

#include "math/exponential.h"
#include "math/host_device.h"

namespace velu::math {

/// The constants of one VeLU as vectors.
template <class V>
struct GateConstants {
    V alpha, beta1, beta2;
};

/// m = atan(beta1 x) + asin(clip(beta2 x)) as the sum of two floats: alpha may be large, and the gate's relative error
/// is the absolute error of alpha m.
template <class V>
struct Angle {
    V high, low;
};

/// g = sigmoid(alpha m) and dg/d(alpha m) = g (1 - g).
template <class V>
struct Gate {
    V value, slope;
};

// pi/2 = kHalfPi + kHalfPiLow, the first rounded to float32.
inline constexpr float kHalfPi = 1.57079637e+00f;
inline constexpr float kHalfPiLow = -4.37113883e-08f;

/// atan(r) for 0 <= r <= 1; minimax polynomial in r^2 (Remez), relative error 2.6e-9 before rounding.
template <class V>
VELU_SHARED_INLINE V atan_to_one(V r) {
    const V square = r * r;
    V p = -1.793620293e-03f;
    p = mul_add(p, square, V(1.091459859e-02f));
    p = mul_add(p, square, V(-3.117783181e-02f));
    p = mul_add(p, square, V(5.795757845e-02f));
    p = mul_add(p, square, V(-8.403449506e-02f));
    p = mul_add(p, square, V(1.095218509e-01f));
    p = mul_add(p, square, V(-1.426424086e-01f));
    p = mul_add(p, square, V(1.999854892e-01f));
    p = mul_add(p, square, V(-3.333329856e-01f));
    return mul_add(r * square, p, r);
}

/// asin(r) for 0 <= r <= 1/2, given square = r^2; minimax polynomial (Remez), relative error 4.9e-9 before rounding.
template <class V>
VELU_SHARED_INLINE V asin_to_half(V r, V square) {
    V p = 4.217824340e-02f;
    p = mul_add(p, square, V(2.417294309e-02f));
    p = mul_add(p, square, V(4.547160864e-02f));
    p = mul_add(p, square, V(7.495288551e-02f));
    p = mul_add(p, square, V(1.666675210e-01f));
    return mul_add(r * square, p, r);
}

/// The part of an element's formulas that forward and backward share.
template <class V>
struct Element {
    V t, u;                      // beta1 x, beta2 x, rounded
    V below, above;              // 1 - beta2 x, 1 + beta2 x, each rounded once; inside the clip both are > 0
    typename V::Mask far;        // |t| > 1: atan from its reciprocal
    typename V::Mask near_clip;  // |u| > 1/2: asin from its complement
    bool plain;                  // no lane is far or near the clip (or NaN)
};

template <class V>
VELU_SHARED_INLINE Element<V> element(const GateConstants<V>& k, V x) {
    const V t = k.beta1 * x;
    const V u = k.beta2 * x;
    const V below = fused_mul_add(-k.beta2, x, V(1.0f));
    const V above = fused_mul_add(k.beta2, x, V(1.0f));
    const bool plain = all((abs(t) <= V(1.0f)) & (abs(u) <= V(0.5f)));
    return {t, u, below, above, abs(t) > V(1.0f), abs(u) > V(0.5f), plain};
}

/// m of one element. The shortcut skips a division and a root where no lane needs them.
template <class V>
VELU_SHARED_INLINE Angle<V> angle(const Element<V>& e) {
    const V abs_t = abs(e.t);
    const V abs_u = abs(e.u);
    if (e.plain) {
        const V m =
            with_sign_flipped_by(atan_to_one(abs_t), e.t) + with_sign_flipped_by(asin_to_half(abs_u, e.u * e.u), e.u);
        return {m, V(0.0f)};
    }
    const V one(1.0f), zero(0.0f);
    const V atan_small = atan_to_one(select(e.far, one, abs_t) / select(e.far, abs_t, one));

    // 1 - |u|, 0 outside the clip; the order of the operands lets a NaN through.
    const V complement = max(zero, min(e.below, e.above));
    const V asin_square = select(e.near_clip, complement * V(0.5f), e.u * e.u);
    const V asin_small = asin_to_half(select(e.near_clip, sqrt(asin_square), abs_u), asin_square);

    // Both are a multiple of pi/2, and a rest: the multiples add up exactly.
    const V atan_base = with_sign_flipped_by(select(e.far, V(kHalfPi), zero), e.t);
    const V asin_base = with_sign_flipped_by(select(e.near_clip, V(kHalfPi), zero), e.u);
    const V atan_rest = with_sign_flipped_by(select(e.far, V(kHalfPiLow) - atan_small, atan_small), e.t);
    const V asin_rest =
        with_sign_flipped_by(select(e.near_clip, V(kHalfPiLow) - (asin_small + asin_small), asin_small), e.u);
    const V base = atan_base + asin_base;
    const V rest = atan_rest + asin_rest;
    const V high = base + rest;
    return {high, rest - (high - base)};
}

/// dm/dx of one element. Outside the clip asin contributes nothing; inside, (1 - u)(1 + u) is floored at 2^-23.
template <class V>
VELU_SHARED_INLINE V angle_slope(const GateConstants<V>& k, const Element<V>& e) {
    const V zero(0.0f);
    const V of_atan = k.beta1 / mul_add(e.t, e.t, V(1.0f));
    const V of_asin = k.beta2 / sqrt(max(e.below * e.above, V(0x1p-23f)));
    return of_atan + select((e.below > zero) & (e.above > zero), of_asin, zero);
}

/// sigmoid(alpha m).
template <class V>
VELU_SHARED_INLINE Gate<V> gate(const GateConstants<V>& k, Angle<V> m) {
    const V z = k.alpha * m.high;
    // What the product lost, and the angle's low part; meaningless, and possibly NaN, where the gate is saturated.
    const V rest = mul_add(k.alpha, m.low, fused_mul_add(k.alpha, m.high, -z));
    const Sigmoid<V> s = sigmoid(z, select(abs(z) < V(128.0f), rest, V(0.0f)));
    return {s.value, s.slope};
}

/// The adaptive scale a(s) of a row, and da/ds.
struct AdaptiveScale {
    double a, slope;
};

VELU_SHARED_INLINE AdaptiveScale adaptive_scale(const velu_velu_params& k, double s) {
    const double gain = static_cast<double>(k.mu) * s;
    // tanh(v) = (1 - e) / (1 + e) and 1 - tanh(v)^2 = 4 e / (1 + e)^2 with e = exp(-2 v), for v >= 0: no overflow.
    const double e = exponential(-2.0 * (gain < 0 ? -gain : gain));
    const double tanh_of_size = (1.0 - e) / (1.0 + e);
    const double gamma = static_cast<double>(k.gamma);
    const double a = 1.0 + gamma * (gain < 0 ? -tanh_of_size : tanh_of_size);
    if (k.clamp != 0) {
        const double low = static_cast<double>(k.scale_min);
        const double high = static_cast<double>(k.scale_max);
        if (a < low) return {low, 0.0};
        if (a > high) return {high, 0.0};
    }
    return {a, gamma * static_cast<double>(k.mu) * 4.0 * e / ((1.0 + e) * (1.0 + e))};
}

/// What a row's sums give. ds/dx = s_slope * (x - center) * inverse, where (x - center) * inverse is of order 1.
struct RowStatistic {
    double s, center, inverse, s_slope;
};

/// From deviation = x - shift summed over a row: shift = 0 for INVERSE_RMS, an element of the row for STD. As (mean -
/// shift)^2 <= channels * variance for any element, the subtraction below loses at most that factor in float64.
VELU_SHARED_INLINE RowStatistic row_statistic(const velu_velu_params& k, double shift, double deviations,
                                              double squares, double channels) {
    const double eps = static_cast<double>(k.eps);
    if (k.statistic == VELU_STATISTIC_STD) {
        const double offset = deviations / channels;
        const double variance = squares / channels - offset * offset;
        const double s = square_root((variance < 0 ? 0.0 : variance) + eps);
        return {s, shift + offset, 1.0 / s, 1.0 / channels};
    }
    const double s = 1.0 / square_root(squares / channels + eps);
    return {s, 0.0, s, -s * s / channels};
}

}  // namespace velu::math
