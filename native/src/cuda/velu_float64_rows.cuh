// VeLU in float64 on the device, a warp per row, for inputs that float32 cannot resolve (math/velu_float64.h). Reads x
// again for every sum; bound by about 500 (moments) and 1500 (gradient) float64 instructions per element. Ordinary
// tensors never come here.
#pragma once

#include "cuda/moments.cuh"
#include "cuda/row.cuh"

namespace velu::cuda {

/// The statistic of one row, by one warp.
template <class T>
__device__ math::RowStatistic float64_statistic(const velu_velu_params& params, const T* x, int64_t channels) {
    // Deviations from an element, as their sums cancel less than those of x.
    const double shift = params.statistic == VELU_STATISTIC_STD ? static_cast<double>(to_float(x[0])) : 0.0;
    double deviations = 0, squares = 0;
    for (int64_t c = threadIdx.x % kWarp; c < channels; c += kWarp) {
        const double deviation = static_cast<double>(to_float(x[c])) - shift;
        deviations += deviation;
        squares = fma(deviation, deviation, squares);
    }
    return math::row_statistic(params, shift, warp_sum(deviations), warp_sum(squares), static_cast<double>(channels));
}

/// Moments of A over the rows of this block's tiles, for all of its threads.
template <int kRows, class T, bool kIsBlock>
__device__ math::Moments float64_moments(const Team<kIsBlock>& team, const RowShape& shape,
                                         const velu_velu_params& params, const T* x) {
    ThreadMoments moments;
    team.template for_rows_by_warps<kRows>(shape, [&](int64_t row) {
        const T* const from = x + row * shape.channels;
        const double a = math::adaptive_scale(params, float64_statistic(params, from, shape.channels).s).a;
#pragma unroll 1
        for (int64_t c = threadIdx.x % kWarp; c < shape.channels; c += kWarp) {
            const auto value = static_cast<double>(to_float(from[c]));
            moments.add(value * math::float64_gate(params, value).value * a);
        }
    });
    return block_moments(moments.moments());
}

/// dx of the rows of this block's tiles; dx may be dy. This thread's part of sum(dy * A).
template <int kRows, class T, bool kIsBlock>
__device__ double float64_backward(const Team<kIsBlock>& team, const RowShape& shape, const velu_velu_params& params,
                                   float lambda, const math::W2Gradient& w2, const T* x, const T* dy, T* dx) {
    double dlambda = 0;
    team.template for_rows_by_warps<kRows>(shape, [&](int64_t row) {
        const int64_t start = row * shape.channels;
        const math::RowStatistic stat = float64_statistic(params, x + start, shape.channels);
        const math::AdaptiveScale scale = math::adaptive_scale(params, stat.s);
        double slope = 0;
        // First the sum of dA x g = dL/da of the row, then dx.
#pragma unroll 1
        for (int pass = 0; pass < 2; ++pass) {
            const bool store = pass == 1;
            double through_scale = 0;
#pragma unroll 1
            for (int64_t c = threadIdx.x % kWarp; c < shape.channels; c += kWarp) {
                const auto value = static_cast<double>(to_float(x[start + c]));
                const auto upstream = static_cast<double>(to_float(dy[start + c]));
                const math::Gate<double> g = math::float64_gate(params, value);
                const double x_g = value * g.value;
                const double activation = x_g * scale.a;
                const double d_activation =
                    static_cast<double>(lambda) * upstream + w2.offset + w2.slope * (activation - w2.mean);
                if (!store) {
                    through_scale += d_activation * x_g;
                    dlambda += upstream * activation;
                    continue;
                }
                const double of_gate =
                    value * math::float64_angle_slope(params, value) * g.slope * static_cast<double>(params.alpha);
                const double deviation = (value - stat.center) * stat.inverse;
                dx[start + c] =
                    from_float<T>(static_cast<float>(d_activation * scale.a * (g.value + of_gate) + deviation * slope));
            }
            if (!store) slope = warp_sum(through_scale) * scale.slope * stat.s_slope;
        }
    });
    return dlambda;
}

}  // namespace velu::cuda
