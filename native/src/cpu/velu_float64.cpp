// VeLU in float64, one element after the other: about 20 ns per element for the moments and 40 for the gradient, bound
// by the calls of libm.
#include "cpu/velu_float64.h"

#include <type_traits>

#include "cpu/element.h"

namespace velu::cpu {

namespace {

template <class T>
double wide(T element) {
    return static_cast<double>(value_of(element));
}

template <class T>
math::RowStatistic statistic(const velu_velu_params& params, const T* x, int64_t channels) {
    // Deviations from an element, as their sums cancel less than those of x.
    const double shift = params.statistic == VELU_STATISTIC_STD ? wide(x[0]) : 0.0;
    double deviations = 0, squares = 0;
    for (int64_t c = 0; c < channels; ++c) {
        const double deviation = wide(x[c]) - shift;
        deviations += deviation;
        squares += deviation * deviation;
    }
    return math::row_statistic(params, shift, deviations, squares, static_cast<double>(channels));
}

}  // namespace

template <class T>
math::Moments velu_float64_moments(const velu_velu_params& params, const T* x, int64_t rows, int64_t channels) {
    double shift = 0, deviations = 0, squares = 0;
    for (int64_t row = 0; row < rows; ++row, x += channels) {
        const double a = math::adaptive_scale(params, statistic(params, x, channels).s).a;
        for (int64_t c = 0; c < channels; ++c) {
            const auto value = wide(x[c]);
            const double activation = value * math::float64_gate(params, value).value * a;
            if (row == 0 && c == 0) shift = activation;
            const double deviation = activation - shift;
            deviations += deviation;
            squares += deviation * deviation;
        }
    }
    const double count = static_cast<double>(rows) * static_cast<double>(channels);
    return math::moments_of_sums(count, shift, deviations, squares);
}

template <class T>
void velu_float64_backward(const velu_velu_params& params, float lambda, const math::W2Gradient& w2, const T* x,
                           const T* dy, T* dx, int64_t rows, int64_t channels, double* dlambda, float* row) {
    double lambda_gradient = 0;
    for (int64_t i = 0; i < rows; ++i, x += channels, dy += channels, dx += channels) {
        float* direct = row;
        if constexpr (std::is_same_v<T, float>) direct = dx;
        const math::RowStatistic stat = statistic(params, x, channels);
        const math::AdaptiveScale scale = math::adaptive_scale(params, stat.s);
        double through_scale = 0;  // sum of dA x g = dL/da of this row
        for (int64_t c = 0; c < channels; ++c) {
            const auto value = wide(x[c]), upstream = wide(dy[c]);
            const math::Gate<double> g = math::float64_gate(params, value);
            const double x_g = value * g.value;
            const double activation = x_g * scale.a;
            const double d_activation =
                static_cast<double>(lambda) * upstream + w2.offset + w2.slope * (activation - w2.mean);
            const double of_gate =
                value * math::float64_angle_slope(params, value) * g.slope * static_cast<double>(params.alpha);
            direct[c] = static_cast<float>(d_activation * scale.a * (g.value + of_gate));
            through_scale += d_activation * x_g;
            lambda_gradient += upstream * activation;
        }
        const double slope = through_scale * scale.slope * stat.s_slope;
        for (int64_t c = 0; c < channels; ++c) {
            const double deviation = (wide(x[c]) - stat.center) * stat.inverse;
            put(static_cast<float>(static_cast<double>(direct[c]) + deviation * slope), dx + c);
        }
    }
    if (dlambda != nullptr) *dlambda = lambda_gradient;
}

template math::Moments velu_float64_moments(const velu_velu_params&, const float*, int64_t, int64_t);
template math::Moments velu_float64_moments(const velu_velu_params&, const BFloat16*, int64_t, int64_t);
template void velu_float64_backward(const velu_velu_params&, float, const math::W2Gradient&, const float*, const float*,
                                    float*, int64_t, int64_t, double*, float*);
template void velu_float64_backward(const velu_velu_params&, float, const math::W2Gradient&, const BFloat16*,
                                    const BFloat16*, BFloat16*, int64_t, int64_t, double*, float*);

}  // namespace velu::cpu
