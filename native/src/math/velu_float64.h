// VeLU in float64, for the few inputs whose moments, or whose gradient of the Wasserstein-2 term, float32 cannot give;
// and the moments themselves, which are float64 on every backend.
//
// Both hang on A - mean(A). The kernels compute A in float32, with a relative error of about 2^-24 in the root mean
// square and below 2^-20; where the mean is large against the deviations, or large terms cancel, that error is a
// visible part of the result. The two functions named ..._suffices bound it, so that only such inputs are done in
// float64.
//
// A product of two float32 is exact in float64, and so is 1 - beta2 x near the clip: nothing here needs the care that
// the float32 formulas take.
#pragma once

#include <velu/velu.h>

#include <cmath>
#include <cstdint>

#include "math/velu_math.h"

namespace velu::math {

// The names that host and device have in common.
VELU_SHARED_INLINE double larger(double a, double b) {
    return a > b ? a : b;
}
VELU_SHARED_INLINE double smaller(double a, double b) {
    return a < b ? a : b;
}
VELU_SHARED_INLINE double magnitude(double a) {
    return a < 0 ? -a : a;
}

/// Count, mean and m2 = sum (number - mean)^2 of a part of a tensor.
struct Moments {
    double count = 0;
    double mean = 0;
    double m2 = 0;
};

/// Joins two parts by Chan's rule, which subtracts means, not squares.
VELU_SHARED_INLINE Moments merge(const Moments& a, const Moments& b) {
    if (a.count == 0) return b;
    if (b.count == 0) return a;
    const double count = a.count + b.count;
    const double delta = b.mean - a.mean;
    const double share = b.count / count;
    // A difference of infinities would make an infinite mean NaN.
    const bool finite = delta - delta == 0;
    const double mean = finite ? a.mean + delta * share : a.mean * (1.0 - share) + b.mean * share;
    return {count, mean, a.m2 + b.m2 + delta * delta * a.count * share};
}

/// Moments from sums of number - shift and its square.
VELU_SHARED_INLINE Moments moments_of_sums(double count, double shift, double deviations, double squares) {
    const double m2 = squares - deviations * deviations / count;
    return {count, shift + deviations / count, m2 < 0 ? 0.0 : m2};
}

/// Stores {mean, std, W2^2} with W2^2 = mean^2 + (std - 1)^2 and the population's std, as velu_velu_forward documents.
VELU_SHARED_INLINE void store_moments(const Moments& all, float* moments) {
    const double std = square_root(all.m2 / all.count);
    moments[0] = static_cast<float>(all.mean);
    moments[1] = static_cast<float>(std);
    moments[2] = static_cast<float>(all.mean * all.mean + (std - 1.0) * (std - 1.0));
}

/// Whether the moments of A that a float32 kernel found for a part of the tensor are right to a quarter of 1e-5
/// relative to max(1, |value|); the rest is for W2^2, whose derivatives by mean and std magnify their errors.
///
/// With e the relative errors of A, the triangle inequality gives |error of std| <= rms(e A). The error of the mean is
/// an average of count errors, of which all but a bias, an eighth at most, cancel as 1 / sqrt(count). With 2^-22 for e
/// in the root mean square (four times what is measured), rms(A) <= 10 max(1, std) keeps the first below 2.4e-6
/// max(1, std), and rms(A) <= 10 sqrt(min(count, 64)) max(1, |mean|) the second below 2.4e-6 max(1, |mean|). When parts
/// are joined the squares of the first add up like the variances. NaN and infinity count as sufficient.
VELU_SHARED_INLINE bool float32_moments_suffice(const Moments& part) {
    const double variance = part.m2 / part.count;
    const double square = part.mean * part.mean;
    const double most = (square + variance) / 100.0;
    const bool std_is_off = most > larger(1.0, variance);
    const bool mean_is_off = most > smaller(part.count, 64.0) * larger(1.0, square);
    return !(std_is_off || mean_is_off);
}

/// Whether the float32 kernels give the gradient of w W2^2 over n elements of these stored moments: whether their error
/// of dA stays so far below 1e-7 that dx is right to 1e-7 even where dA is a difference of much larger terms.
///
/// With u = 2 |w| / n and deviations of up to D std, the terms of dA (those of lambda dy that they cancel included) are
/// bounded by u (|mean| + (1 + std) D). They carry the relative error e of A; A - mean carries e (|A| + |mean|), which
/// its factor u (std - 1) / std magnifies, and so it does D std times the relative error e (|mean| + std) / std of the
/// stored std. In sum
///     |error of dA| <= e u (|mean| + 2 (1 + std) (|mean| / std + 1) (D + 1)).
/// D is at most sqrt(n); more than 16 std from the mean lie at most 1 in 256 elements, and the terms of those cancel
/// only by a coincidence with dy. From dA to dx the factor is a (g + x g' alpha m') < 2.5 off the clip's edge, and
/// |gamma mu mean| (x - center) / s for the way through the statistic; gain is a bound of the sum with a margin.
VELU_SHARED_INLINE bool float32_gradient_suffices(const velu_velu_params& params, float w, const float* moments,
                                                  double n) {
    const double mean = magnitude(static_cast<double>(moments[0]));
    const double std = static_cast<double>(moments[1]);
    if (mean == 0 && std == 0) return true;  // A = 0 everywhere
    const double deviations = smaller(square_root(n), 16.0);
    const double terms = mean + 2.0 * (1.0 + std) * (mean / std + 1.0) * (deviations + 1.0);
    const double gain = 8.0 + magnitude(static_cast<double>(params.alpha)) +
                        magnitude(static_cast<double>(params.gamma) * static_cast<double>(params.mu)) * (mean + std);
    return !(0x1p-20 * 2.0 * magnitude(static_cast<double>(w)) / n * terms * gain > 1e-7);
}

/// The gradient of w W2^2: dA += offset + slope (A - mean).
struct W2Gradient {
    double offset, slope, mean;
};

/// dA += w (2 mean / n + 2 (std - 1) (A - mean) / (n std)); for std = 0 the second term is 0.
VELU_SHARED_INLINE W2Gradient w2_gradient(float w, double mean, double std, double n) {
    const double weight = 2.0 * static_cast<double>(w) / n;
    return {weight * mean, std == 0.0 ? 0.0 : weight * (std - 1.0) / std, mean};
}

/// The same for the moments of A over the whole tensor, for A in float64.
VELU_SHARED_INLINE W2Gradient float64_w2_gradient(float w, const Moments& all) {
    const double std = square_root(all.m2 / all.count);
    W2Gradient w2 = w2_gradient(w, all.mean, std, all.count);
    if (std > 2.0) {
        // The same line through A = 0: of mean - (mean - mean / std), a large std would leave no digit.
        w2.offset /= std;
        w2.mean = 0;
    }
    return w2;
}

/// g = sigmoid(alpha m) and dg/d(alpha m) = g (1 - g) of one element.
VELU_SHARED_INLINE Gate<double> float64_gate(const velu_velu_params& params, double x) {
    const double u = static_cast<double>(params.beta2) * x;
    // A NaN passes both comparisons.
    const double clipped = u < -1.0 ? -1.0 : u > 1.0 ? 1.0 : u;
    const double m = ::atan(static_cast<double>(params.beta1) * x) + ::asin(clipped);
    const double z = static_cast<double>(params.alpha) * m;
    const double e = exponential(-magnitude(z));
    const double inverse = 1.0 / (1.0 + e);
    return {z >= 0 ? inverse : e * inverse, e * inverse * inverse};
}

/// dm/dx of one element. Outside the clip asin contributes nothing; inside, (1 - u)(1 + u) is floored at 2^-23.
VELU_SHARED_INLINE double float64_angle_slope(const velu_velu_params& params, double x) {
    const double beta1 = static_cast<double>(params.beta1), beta2 = static_cast<double>(params.beta2);
    const double t = beta1 * x, u = beta2 * x;
    const double of_atan = beta1 / (1.0 + t * t);
    return magnitude(u) < 1.0 ? of_atan + beta2 / square_root(larger((1.0 - u) * (1.0 + u), 0x1p-23)) : of_atan;
}

}  // namespace velu::math
