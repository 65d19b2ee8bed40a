// The gate of VeLU, g = sigmoid(alpha m) with m = atan(beta1 x) + asin(clip(beta2 x)), as kernels compute it: a short
// way for elements near 0, and the formulas of math/velu_math.h for all others. A warp takes the short way only if all
// of its elements may.
//
// Short way. Let sigma = max(|beta1|, |beta2|), t = sigma x, b1 = beta1 / sigma and b2 = beta2 / sigma, so that |b1|,
// |b2| <= 1. Where |t| <= 3/4, atan(r) = r P(r^2) and asin(r) = r Q(r^2) for minimax polynomials P and Q (Remez,
// relative error) of as many terms, and
//     alpha m = t sum_k alpha (p_k b1^(2k+1) + q_k b2^(2k+1)) t^(2k)
// is ONE odd polynomial in t, whose coefficients the host computes in float64. So is x alpha m', with the polynomials
// of 1 / (1 + r^2) and 1 / sqrt(1 - r^2) in place of P and Q: no division, no root. Relative errors of the polynomials:
//                 P        Q        of m'
//     float       2.9e-9   5.6e-8   5.2e-9  2.3e-7     8 and 9 terms
//     BFloat16    3.3e-6   1.3e-5   3.8e-6  3.3e-5     5 and 6 terms; half a unit in the last place is 2e-3
// The terms of P + Q do not cancel unless beta1 and beta2 differ in sign, and then the error of the gate, a quarter of
// that of alpha m, is small against g. |alpha m| <= 1.4916 |alpha| there (atan 3/4 + asin 3/4). If that is <= 1/2
// (|alpha| <= 0.335), sigmoid(z) = 1/2 + z S(z^2) with S of three terms, error below 5e-8 (BFloat16 two, 8e-6): no MUFU
// at all. If it is <= 3.2 (|alpha| <= 2.14), the sigmoid is an ex2 and an rcp, error below 6e-7 relative to g, of which
// 3e-7 are the rounding of z. For larger |alpha| the short way is not taken.
//
// With the released constants (0.1) the bound is |x| <= 7.5. What is compared is the sum of squares of a thread's part
// of a row, 4 to 16 elements; of standard normal numbers less than 1 in 10^4 warps then goes the long way. Instructions
// per element, MUFU counted 8: short 16 with the product x g (t, t^2, 8 for z, 4 for h, g), 26 with the slope; BFloat16
// 12 and 19. Long: about 110 and 140.
#pragma once

#include <cmath>

#include "cuda/element.cuh"
#include "cuda/lane.cuh"
#include "math/velu_math.h"

namespace velu::cuda {

/// g, and x dg/dx.
struct GateSlope {
    float value;
    float of_x;
};

template <class T>
struct GateTerms {  // the coefficients of 1, r^2, r^4, ...
    static constexpr int kAngle = 8;
    static constexpr int kSlope = 9;
    static constexpr double kAtan[kAngle] = {0.99999999706979619,  -0.33333264251857711, 0.19997307302984238,
                                             -0.14245201333342471, 0.10804988256018903,  -0.07782736113784486,
                                             0.04334183256219987,  -0.012661931978568875};
    static constexpr double kAsin[kAngle] = {0.99999994399932335,  0.1666786531693921,     0.074581344457912119,
                                             0.050153209382398026, -0.0045559453458495178, 0.13856182322680847,
                                             -0.18222115069562076, 0.16240919801113773};
    static constexpr double kAtanSlope[kSlope] = {0.99999999483765042,  -0.99999850808097039, 0.99992802480132467,
                                                  -0.99864157442319844, 0.98687974239461571,  -0.92647329642065997,
                                                  0.74423701496387766,  -0.42382157503986482, 0.12002026903783782};
    static constexpr double kAsinSlope[kSlope] = {1.0000002288465936,  0.49993645218064598, 0.37788066417491106,
                                                  0.26279399142161629, 0.69612808045932577, -1.7232856519735798,
                                                  5.3943767746829046,  -7.0778746451625801, 4.6793725823242829};
};

template <>
struct GateTerms<BFloat16> {
    static constexpr int kAngle = 5;
    static constexpr int kSlope = 6;
    static constexpr double kAtan[kAngle] = {0.99999672001604103, -0.33302596672579495, 0.19528829391837236,
                                             -0.11632413344703356, 0.042426481561849739};
    static constexpr double kAsin[kAngle] = {1.0000130103323468, 0.16560975870863873, 0.088497417736480635,
                                             -0.012950875409154975, 0.11856681134568665};
    static constexpr double kAtanSlope[kSlope] = {0.9999962366471537,  -0.99951452748282672, 0.98952352259308199,
                                                  -0.9137399003182775, 0.65391033823323357,  -0.24331547469143575};
    static constexpr double kAsinSlope[kSlope] = {0.99996714738006147, 0.50398366601187432, 0.29832630262174724,
                                                  0.83403726802292039, -1.2271936038838023, 1.924496667737701};
};

/// The gate of one VeLU for elements of type T; a kernel's parameter, whose numbers are instruction operands there.
template <class T>
struct VeluGate {
    using Terms = GateTerms<T>;

    float alpha, beta1, beta2;
    float sigma;
    float most_square;  // the short way is for x^2 <= most_square, and no x at all if it is negative
    int32_t small;      // whether |alpha m| <= 1/2 on it
    float angle[Terms::kAngle];
    float slope[Terms::kSlope];

    explicit VeluGate(const velu_velu_params& params) : alpha(params.alpha), beta1(params.beta1), beta2(params.beta2) {
        constexpr double kMost = 0.75;
        const double largest = std::fmax(std::fabs(double{beta1}), std::fabs(double{beta2}));
        sigma = largest > 0 ? static_cast<float>(largest) : 1.0f;
        const double b1 = double{beta1} / double{sigma}, b2 = double{beta2} / double{sigma};
        double power1 = double{alpha} * b1, power2 = double{alpha} * b2;
        for (int k = 0; k < Terms::kSlope; ++k, power1 *= b1 * b1, power2 *= b2 * b2) {
            if (k < Terms::kAngle) {
                angle[k] = static_cast<float>(Terms::kAtan[k] * power1 + Terms::kAsin[k] * power2);
            }
            slope[k] = static_cast<float>(Terms::kAtanSlope[k] * power1 + Terms::kAsinSlope[k] * power2);
        }
        const double largest_angle = std::fabs(double{alpha}) * (std::atan(kMost) + std::asin(kMost));
        small = largest_angle <= 0.5;
        // The margin keeps t^2 inside when the products that lead to it are rounded.
        const double most = kMost / double{sigma} * (1 - 1e-6);
        most_square = largest_angle <= 3.2 ? static_cast<float>(std::fmin(most * most, 0x1p100)) : -1.0f;
    }

    /// alpha m on the short way.
    __device__ __forceinline__ float short_angle(float t, float square) const {
        float p = angle[Terms::kAngle - 1];
#pragma unroll
        for (int k = Terms::kAngle - 2; k >= 0; --k) p = fmaf(p, square, angle[k]);
        return p * t;
    }

    /// g on the short way.
    template <bool kSmall>
    __device__ __forceinline__ float short_value(float x) const {
        const float t = sigma * x;
        const float z = short_angle(t, t * t);
        return kSmall ? 0.5f + small_sigmoid(z) : approximate_reciprocal(1.0f + power(z));
    }

    template <bool kSmall>
    __device__ __forceinline__ GateSlope short_slope(float x) const {
        const float t = sigma * x;
        const float square = t * t;
        const float z = short_angle(t, square);
        float p = slope[Terms::kSlope - 1];
#pragma unroll
        for (int k = Terms::kSlope - 2; k >= 0; --k) p = fmaf(p, square, slope[k]);
        const float x_slope = p * t;  // x alpha m'
        if constexpr (kSmall) {
            const float h = small_sigmoid(z);
            return {0.5f + h, x_slope * fmaf(-h, h, 0.25f)};
        } else {
            const float e = power(z);
            const float g = approximate_reciprocal(1.0f + e);
            return {g, x_slope * (e * g * g)};
        }
    }

    /// g of any x.
    __device__ __forceinline__ float value(float x) const {
        const math::GateConstants<Lane> k{alpha, beta1, beta2};
        return math::gate(k, math::angle(math::element(k, Lane(x)))).value.v;
    }

    __device__ __forceinline__ GateSlope value_and_slope(float x) const {
        const math::GateConstants<Lane> k{alpha, beta1, beta2};
        const math::Element<Lane> e = math::element(k, Lane(x));
        const math::Gate<Lane> g = math::gate(k, math::angle(e));
        // x m' is at most of order 1 near 0 and 2896 at the clip: nothing overflows before the gate's slope is in.
        return {g.value.v, x * math::angle_slope(k, e).v * g.slope.v * alpha};
    }

private:
    /// sigmoid(z) - 1/2 for |z| <= 1/2; minimax polynomial (Remez), relative error 4e-7 (BFloat16 6.4e-5).
    __device__ __forceinline__ static float small_sigmoid(float z) {
        const float square = z * z;
        if constexpr (sizeof(T) == 2) return z * fmaf(square, -2.03240627e-02f, 2.49984162e-01f);
        return z * fmaf(fmaf(2.00650210e-03f, square, -2.08261926e-02f), square, 2.49999901e-01f);
    }

    /// exp(-z) for |z| <= 3.2.
    __device__ __forceinline__ static float power(float z) {
        return approximate_exp2_or_zero(z * -1.44269502e+00f);
    }
};

}  // namespace velu::cuda
