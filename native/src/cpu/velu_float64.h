// VeLU in float64, for the few inputs whose moments, or whose gradient of the Wasserstein-2 term, float32 cannot give.
//
// Both hang on A - mean(A). The vector kernels compute A in float32, with a relative error of about 2^-24 in the root
// mean square and below 2^-20; where the mean is large against the deviations, or large terms cancel, that error is a
// visible part of the result. The two functions named ..._suffices bound it, so that only such inputs come here.
#pragma once

#include <velu/velu.h>

#include <algorithm>
#include <cmath>
#include <cstdint>

#include "cpu/moments.h"
#include "cpu/velu_constants.h"

namespace velu::cpu {

/// Whether the moments of A that a vector kernel found for a part of the tensor are right to a quarter of 1e-5 relative
/// to max(1, |value|); the rest is for W2^2, whose derivatives by mean and std magnify their errors.
///
/// With e the relative errors of A, the triangle inequality gives |error of std| <= rms(e A). The error of the mean is
/// an average of count errors, of which all but a bias, an eighth at most, cancel as 1 / sqrt(count). With 2^-22 for e
/// in the root mean square (four times what is measured), rms(A) <= 10 max(1, std) keeps the first below 2.4e-6
/// max(1, std), and rms(A) <= 10 sqrt(min(count, 64)) max(1, |mean|) the second below 2.4e-6 max(1, |mean|). When parts
/// are joined the squares of the first add up like the variances. NaN and infinity count as sufficient.
inline bool float32_moments_suffice(const Moments& part) {
    const double variance = part.m2 / part.count;
    const double square = part.mean * part.mean;
    const double most = (square + variance) / 100.0;
    const bool std_is_off = most > std::max(1.0, variance);
    const bool mean_is_off = most > std::min(part.count, 64.0) * std::max(1.0, square);
    return !(std_is_off || mean_is_off);
}

/// Whether the vector kernels give the gradient of w W2^2 over n elements of these stored moments: whether their error
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
inline bool float32_gradient_suffices(const velu_velu_params& params, float w, const float* moments, double n) {
    const double mean = std::fabs(static_cast<double>(moments[0]));
    const double std = static_cast<double>(moments[1]);
    if (mean == 0 && std == 0) return true;  // A = 0 everywhere
    const double deviations = std::min(std::sqrt(n), 16.0);
    const double terms = mean + 2.0 * (1.0 + std) * (mean / std + 1.0) * (deviations + 1.0);
    const double gain = 8.0 + std::fabs(static_cast<double>(params.alpha)) +
                        std::fabs(static_cast<double>(params.gamma) * static_cast<double>(params.mu)) * (mean + std);
    return !(0x1p-20 * 2.0 * std::fabs(static_cast<double>(w)) / n * terms * gain > 1e-7);
}

/// Moments of A for a block x[rows][channels], rows >= 1.
Moments velu_float64_moments(const velu_velu_params& params, const float* x, int64_t rows, int64_t channels);

/// The gradient of w W2^2 for the moments of A over the whole tensor.
W2Gradient velu_float64_w2_gradient(float w, const Moments& all);

/// dx of a block of x and dy [rows][channels], rows >= 1; dx may be dy. Stores sum(dy * A) if dlambda is not NULL.
void velu_float64_backward(const velu_velu_params& params, float lambda, const W2Gradient& w2, const float* x,
                           const float* dy, float* dx, int64_t rows, int64_t channels, double* dlambda);

}  // namespace velu::cpu
