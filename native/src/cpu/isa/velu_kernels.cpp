// VeLU by rows. A row is read from memory once and found in the cache by the sweeps that follow: one for its statistic
// and one to apply in forward (4 bytes read, 4 written per element); one more in backward (8 read, 4 written), as the
// statistic's gradient needs a sum over the row first. About 70 (forward) and 110 (backward) vector instructions per
// vector limit both, not memory, until several cores share it.
//
// All sums are kept in float64 lanes: a row of 1e19 overflows no square, and no length of row loses accuracy.
#include "cpu/isa/velu_kernels.h"

#include "math/simd.h"
#include "math/velu_math.h"

namespace velu::cpu::VELU_ISA_NAMESPACE {
namespace {

using simd::for_each_vector;
using V = simd::Vector;
using Wide = V::Wide;
using Constants = math::GateConstants<V>;

#define VELU_SWEEP __attribute__((always_inline))

math::RowStatistic statistic(const velu_velu_params& params, const float* x, int64_t channels) {
    const auto count = static_cast<double>(channels);
    Wide squares;
    if (params.statistic == VELU_STATISTIC_INVERSE_RMS) {
        for_each_vector<V>(channels, [&](int64_t c, auto lanes) VELU_SWEEP {
            const Wide value = widen(lanes.load(x + c, V(0.0f)));
            squares = mul_add(value, value, squares);
        });
        return math::row_statistic(params, 0.0, 0.0, sum(squares), count);
    }
    const V shift(x[0]);
    const Wide wide_shift = widen(shift);
    Wide deviations;
    for_each_vector<V>(channels, [&](int64_t c, auto lanes) VELU_SWEEP {
        const Wide deviation = widen(lanes.load(x + c, shift)) - wide_shift;
        deviations = deviations + deviation;
        squares = mul_add(deviation, deviation, squares);
    });
    return math::row_statistic(params, static_cast<double>(x[0]), sum(deviations), sum(squares), count);
}

VELU_SHARED_INLINE V gated(const Constants& k, V x) {
    return x * gate(k, angle(element(k, x))).value;
}

/// Sums of A - shift and its square over a block; shift is the block's first A, so that neither sum is much larger
/// than the deviations themselves.
class MomentSums {
public:
    void start(float first) { shift_ = first - first == 0.0f ? first : 0.0f; }  // infinities and NaN reach the sums

    template <class Lanes>
    VELU_SWEEP void add(V a, Lanes lanes) {
        const V shift(shift_);
        const Wide deviation = widen(lanes.keep(a, shift)) - widen(shift);
        deviations_ = deviations_ + deviation;
        squares_ = mul_add(deviation, deviation, squares_);
    }

    Moments moments(double count) const {
        const double deviations = sum(deviations_);
        const double m2 = sum(squares_) - deviations * deviations / count;
        Moments result;
        result.count = count;
        result.mean = static_cast<double>(shift_) + deviations / count;
        result.m2 = m2 < 0 ? 0 : m2;
        return result;
    }

private:
    float shift_ = 0;
    Wide deviations_, squares_;
};

template <bool kMoments>
void forward_rows(const VeluConstants& constants, const float* x, float* y, int64_t rows, int64_t channels,
                  Moments* moments) {
    const Constants k{constants.params.alpha, constants.params.beta1, constants.params.beta2};
    const V lambda(constants.lambda);
    MomentSums sums;
    for (int64_t row = 0; row < rows; ++row, x += channels, y += channels) {
        const math::RowStatistic stat = statistic(constants.params, x, channels);
        const V a(static_cast<float>(math::adaptive_scale(constants.params, stat.s).a));
        if (kMoments && row == 0) sums.start(first(gated(k, V(x[0])) * a));
        for_each_vector<V>(channels, [&](int64_t c, auto lanes) VELU_SWEEP {
            const V activation = gated(k, lanes.load(x + c, V(0.0f))) * a;
            if constexpr (kMoments) sums.add(activation, lanes);
            lanes.store(activation * lambda, y + c);
        });
    }
    if constexpr (kMoments) *moments = sums.moments(static_cast<double>(rows) * static_cast<double>(channels));
}

void forward(const VeluConstants& constants, const float* x, float* y, int64_t rows, int64_t channels,
             Moments* moments) {
    if (moments != nullptr) {
        forward_rows<true>(constants, x, y, rows, channels, moments);
    } else {
        forward_rows<false>(constants, x, y, rows, channels, moments);
    }
}

template <bool kW2>
void backward_rows(const VeluConstants& constants, const float* x, const float* dy, float* dx, int64_t rows,
                   int64_t channels, double* dlambda) {
    const velu_velu_params& params = constants.params;
    const Constants k{params.alpha, params.beta1, params.beta2};
    const V lambda(constants.lambda);
    const V w2_offset(constants.w2_offset), w2_slope(constants.w2_slope), w2_mean(constants.w2_mean);
    Wide lambda_gradient;
    for (int64_t row = 0; row < rows; ++row, x += channels, dy += channels, dx += channels) {
        const math::RowStatistic stat = statistic(params, x, channels);
        const math::AdaptiveScale scale = math::adaptive_scale(params, stat.s);
        const V a(static_cast<float>(scale.a));
        Wide through_scale;  // sum of dA x g = dL/da of this row

        for_each_vector<V>(channels, [&](int64_t c, auto lanes) VELU_SWEEP {
            const V value = lanes.load(x + c, V(0.0f));
            const V upstream = lanes.load(dy + c, V(0.0f));
            const math::Element<V> e = element(k, value);
            const math::Gate<V> g = gate(k, angle(e));
            const V x_g = value * g.value;
            const V activation = x_g * a;
            V d_activation = upstream * lambda;
            if constexpr (kW2) {
                d_activation = d_activation + mul_add(activation - w2_mean, w2_slope, w2_offset);
            }
            // x m' is at most of order 1 near 0 and 2896 at the clip: nothing overflows before the gate's slope is in.
            const V of_gate = value * angle_slope(k, e) * g.slope * k.alpha;
            lanes.store(d_activation * a * (g.value + of_gate), dx + c);
            through_scale = through_scale + widen(d_activation * x_g);
            lambda_gradient = lambda_gradient + widen(upstream * activation);
        });

        const double of_statistic = sum(through_scale) * scale.slope * stat.s_slope;
        const V slope(static_cast<float>(of_statistic)), inverse(static_cast<float>(stat.inverse));
        // The center in two floats: in a row of 1000 +- 0.01 its rounding would be a visible part of the deviations.
        const auto center_high = static_cast<float>(stat.center);
        const V high(center_high), low(static_cast<float>(stat.center - static_cast<double>(center_high)));
        for_each_vector<V>(channels, [&](int64_t c, auto lanes) VELU_SWEEP {
            const V deviation = (lanes.load(x + c, V(0.0f)) - high) - low;
            lanes.store(mul_add(deviation * inverse, slope, lanes.load(dx + c, V(0.0f))), dx + c);
        });
    }
    if (dlambda != nullptr) *dlambda = sum(lambda_gradient);
}

void backward(const VeluConstants& constants, const float* x, const float* dy, float* dx, int64_t rows,
              int64_t channels, double* dlambda) {
    if (constants.w2) {
        backward_rows<true>(constants, x, dy, dx, rows, channels, dlambda);
    } else {
        backward_rows<false>(constants, x, dy, dx, rows, channels, dlambda);
    }
}

}  // namespace

extern const VeluKernels velu_kernels = {forward, backward};

}  // namespace velu::cpu::VELU_ISA_NAMESPACE
