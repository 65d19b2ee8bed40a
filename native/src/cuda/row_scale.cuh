// The adaptive scale a of the rows that a team holds, and what the gradient needs of it.
#pragma once

#include "cuda/lane.cuh"
#include "cuda/row.cuh"
#include "math/velu_math.h"

namespace velu::cuda {

/// a of one row; and the way through the statistic, dx += R inverse pull * (x - center) inverse for R = dL/da, where
/// both factors are of order dA. center is the sum of two floats.
struct RowScale {
    float a;
    float center, center_low;
    float inverse;
    float pull;
};

/// A kernel's parameter: what rows share.
///
/// One lane does the formulas of a row, in float32 where that is known to be enough: s and tanh(mu s) then have
/// relative errors below 4e-7 and absolute ones below 2e-7, so a has less than 5e-7 as long as |gamma| <= 1/2 keeps it
/// from cancelling, and the slope less than 1e-6. About 60 instructions (MUFU counted 8), per row or 8 rows of a warp.
/// Else, and for rows whose squares leave float32's range (or are not numbers), in float64 from the row's registers:
/// about 300 instructions on a device with half as many float64 as float32 units, and 4 per element for the sums.
struct RowScaleConstants {
    velu_velu_params params;
    float inverse_channels;
    double channels;
    int32_t exact;  // every row in float64

    RowScaleConstants(const velu_velu_params& p, int64_t count)
        : params(p),
          inverse_channels(static_cast<float>(1.0 / static_cast<double>(count))),
          channels(static_cast<double>(count)),
          // Squares of s and its gain stay inside float32's range for these eps.
          exact(p.gamma < -0.5f || p.gamma > 0.5f || p.clamp != 0 || p.eps < 0x1p-80f || p.eps > 0x1p80f) {}

    __device__ __forceinline__ RowScale in_float32(float mean_square, float center, float center_low,
                                                   float variance) const {
        const bool is_std = params.statistic == VELU_STATISTIC_STD;
        const float inverse_root = rsqrtf((is_std ? variance : mean_square) + params.eps);
        const float s = is_std ? approximate_reciprocal(inverse_root) : inverse_root;
        const float gain = params.mu * s;
        // tanh(v) = (1 - e) / (1 + e) and 1 - tanh(v)^2 = 4 e / (1 + e)^2 with e = exp(-2 v), for v >= 0.
        const float e = approximate_exp2_or_zero(fabsf(gain) * -2.88539008e+00f);
        const float inverse = approximate_reciprocal(1.0f + e);
        const float tanh = copysignf((1.0f - e) * inverse, gain);
        const float slope = params.gamma * params.mu * (4.0f * e * inverse * inverse);  // da/ds
        const float s_slope = (is_std ? s : -s) * inverse_channels;
        return {fmaf(params.gamma, tanh, 1.0f), center, center_low, inverse_root, slope * s_slope};
    }

    __device__ __forceinline__ RowScale in_float64(double shift, double deviations, double squares) const {
        const math::RowStatistic row = math::row_statistic(params, shift, deviations, squares, channels);
        const math::AdaptiveScale scale = math::adaptive_scale(params, row.s);
        const auto center = static_cast<float>(row.center);
        // s_slope / inverse, which is s / channels or - s / channels.
        const double s_slope = params.statistic == VELU_STATISTIC_STD ? row.s / channels : -row.s / channels;
        return {static_cast<float>(scale.a), center, static_cast<float>(row.center - static_cast<double>(center)),
                static_cast<float>(row.inverse), static_cast<float>(scale.slope * s_slope)};
    }
};

/// The scale of row lane % kRows of the team's tile x[row * kPacks + pack], which is 0 in packs outside it. square_sum
/// is that row's sum of x^2. Called by all threads of a warp (or block) together.
template <int kRows, int kPacks, int kSize, bool kIsBlock>
__device__ __forceinline__ RowScale row_scale(const RowScaleConstants& k, Team<kIsBlock>& team,
                                              const float (&x)[kRows * kPacks][kSize], const bool (&inside)[kPacks],
                                              float square_sum) {
    float mean = 0, rest = 0, variance = 0;
    if (k.params.statistic == VELU_STATISTIC_STD) {
        // The mean first, then sums of deviations from it: they are small where they should be.
        float part[kRows];
#pragma unroll
        for (int r = 0; r < kRows; ++r) {
            part[r] = 0;
#pragma unroll
            for (int p = 0; p < kPacks; ++p) {
#pragma unroll
                for (int i = 0; i < kSize; ++i) part[r] = fmaf(x[r * kPacks + p][i], k.inverse_channels, part[r]);
            }
        }
        mean = team.sum(part);
        float deviations[kRows], squares[kRows];
#pragma unroll
        for (int r = 0; r < kRows; ++r) {
            const float center = team.of_row(mean, r);
            deviations[r] = squares[r] = 0;
#pragma unroll
            for (int p = 0; p < kPacks; ++p) {
                if (!inside[p]) continue;
#pragma unroll
                for (int i = 0; i < kSize; ++i) {
                    const float deviation = x[r * kPacks + p][i] - center;
                    deviations[r] += deviation;
                    squares[r] = fmaf(deviation, deviation, squares[r]);
                }
            }
        }
        rest = team.sum(deviations) * k.inverse_channels;
        variance = fmaxf(0.0f, fmaf(team.sum(squares), k.inverse_channels, -rest * rest));
    }
    // Equal elements, but for the mean's rounding: the variance is what cancels.
    const bool cancels = rest * rest > variance + k.params.eps;
    // The same for all warps of a block, which have the same sums.
    if (!__any_sync(kAllLanes, k.exact != 0 || cancels || !(square_sum < 0x1p100f))) {
        return k.in_float32(square_sum * k.inverse_channels, mean, rest, variance);
    }
    const float shift = mean - mean == 0.0f ? mean : 0.0f;
    // One sum after the other: for all of them at once the registers are not there.
    double sums[2] = {0, 0};
#pragma unroll
    for (int r = 0; r < kRows; ++r) {
        const auto center = static_cast<double>(team.of_row(shift, r));
#pragma unroll
        for (int power = 0; power < 2; ++power) {
            double part[1] = {0};
#pragma unroll
            for (int p = 0; p < kPacks; ++p) {
                if (!inside[p]) continue;
#pragma unroll
                for (int i = 0; i < kSize; ++i) {
                    const double deviation = static_cast<double>(x[r * kPacks + p][i]) - center;
                    part[0] = power == 0 ? part[0] + deviation : fma(deviation, deviation, part[0]);
                }
            }
            const double sum = team.sum(part);
            if (team.place % kRows == r) sums[power] = sum;
        }
    }
    return k.in_float64(static_cast<double>(shift), sums[0], sums[1]);
}

}  // namespace velu::cuda
