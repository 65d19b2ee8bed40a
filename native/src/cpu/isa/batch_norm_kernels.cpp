// Batch normalization over a block of rows that fits the first cache level. The sums walk down each vector of channels,
// with float64 accumulators in registers, so the accumulators are read and written once per block; the others walk
// along rows. Bytes per element: 4 read (sums), 4 to 8 read and 4 written (normalize), 8 read (gradient_sums), 8 to 12
// read and 4 written (input_gradient). All are limited by memory.
#include "cpu/isa/batch_norm_kernels.h"

#include "math/simd.h"

namespace velu::cpu::VELU_ISA_NAMESPACE {
namespace {

using simd::for_each_vector;
using V = simd::Vector;
using Wide = V::Wide;

#define VELU_SWEEP __attribute__((always_inline))

/// to[0 .. count) += the first lanes of value.
void add_to(double* to, Wide value, int64_t count) {
    double lanes[V::kLanes];
    store(value, lanes);
    for (int64_t i = 0; i < count; ++i) to[i] += lanes[i];
}

VELU_SHARED_INLINE int64_t lane_count(int64_t channels, int64_t c) {
    return channels - c < V::kLanes ? channels - c : V::kLanes;
}

void sums(const float* x, int64_t x_pitch, const float* shift, int64_t rows, int64_t channels, double* deviations,
          double* squares) {
    for_each_vector<V>(channels, [&](int64_t c, auto lanes) VELU_SWEEP {
        const Wide center = widen(lanes.load(shift + c, V(0.0f)));
        Wide deviation_sum, square_sum;
        for (int64_t row = 0; row < rows; ++row) {
            const Wide deviation = widen(lanes.load(x + row * x_pitch + c, V(0.0f))) - center;
            deviation_sum = deviation_sum + deviation;
            square_sum = mul_add(deviation, deviation, square_sum);
        }
        add_to(deviations + c, deviation_sum, lane_count(channels, c));
        add_to(squares + c, square_sum, lane_count(channels, c));
    });
}

template <bool kMeanLow, bool kResidual>
void normalize_rows(const float* x, int64_t x_pitch, const float* residual, const float* mean, const float* mean_low,
                    const float* scale, const float* bias, float* z, int64_t rows, int64_t channels) {
    for (int64_t row = 0; row < rows; ++row) {
        const int64_t start = row * channels;
        const float* from = x + row * x_pitch;
        for_each_vector<V>(channels, [&](int64_t c, auto lanes) VELU_SWEEP {
            const V zero(0.0f);
            // First the difference, which is exact where it cancels; a folded bias - scale * mean would lose it.
            V deviation = lanes.load(from + c, zero) - lanes.load(mean + c, zero);
            if constexpr (kMeanLow) deviation = deviation - lanes.load(mean_low + c, zero);
            V value = mul_add(deviation, lanes.load(scale + c, zero), lanes.load(bias + c, zero));
            if constexpr (kResidual) value = value + lanes.load(residual + start + c, zero);
            lanes.store(value, z + start + c);
        });
    }
}

void normalize(const float* x, int64_t x_pitch, const float* residual, const float* mean, const float* mean_low,
               const float* scale, const float* bias, float* z, int64_t rows, int64_t channels) {
    const auto kernel = mean_low != nullptr
                            ? residual != nullptr ? normalize_rows<true, true> : normalize_rows<true, false>
                        : residual != nullptr ? normalize_rows<false, true>
                                              : normalize_rows<false, false>;
    kernel(x, x_pitch, residual, mean, mean_low, scale, bias, z, rows, channels);
}

void gradient_sums(const float* x, int64_t x_pitch, const float* dz, const float* mean, int64_t rows, int64_t channels,
                   double* dz_sums, double* products, double* deviations) {
    for_each_vector<V>(channels, [&](int64_t c, auto lanes) VELU_SWEEP {
        const V zero(0.0f);
        const V center = lanes.load(mean + c, zero);
        Wide sum_of_dz, sum_of_products, sum_of_deviations;
        for (int64_t row = 0; row < rows; ++row) {
            const Wide gradient = widen(lanes.load(dz + row * channels + c, zero));
            const Wide deviation = widen(lanes.load(x + row * x_pitch + c, zero) - center);
            sum_of_dz = sum_of_dz + gradient;
            sum_of_products = mul_add(gradient, deviation, sum_of_products);
            sum_of_deviations = sum_of_deviations + deviation;
        }
        add_to(dz_sums + c, sum_of_dz, lane_count(channels, c));
        add_to(products + c, sum_of_products, lane_count(channels, c));
        add_to(deviations + c, sum_of_deviations, lane_count(channels, c));
    });
}

template <bool kAddend>
void input_gradient_rows(const float* x, int64_t x_pitch, const float* dz, const float* mean, const float* mean_low,
                         const float* scale, const float* dz_mean, const float* slope, const float* addend,
                         int64_t addend_pitch, float* dx, int64_t dx_pitch, int64_t rows, int64_t channels) {
    for (int64_t row = 0; row < rows; ++row) {
        const float* from = x + row * x_pitch;
        const float* upstream = dz + row * channels;
        float* to = dx + row * dx_pitch;
        for_each_vector<V>(channels, [&](int64_t c, auto lanes) VELU_SWEEP {
            const V zero(0.0f);
            const V deviation =
                (lanes.load(from + c, zero) - lanes.load(mean + c, zero)) - lanes.load(mean_low + c, zero);
            const V centered = lanes.load(upstream + c, zero) - lanes.load(dz_mean + c, zero);
            const V rest = mul_add(-deviation, lanes.load(slope + c, zero), centered);
            V gradient = rest * lanes.load(scale + c, zero);
            if constexpr (kAddend) gradient = gradient + lanes.load(addend + row * addend_pitch + c, zero);
            lanes.store(gradient, to + c);
        });
    }
}

void input_gradient(const float* x, int64_t x_pitch, const float* dz, const float* mean, const float* mean_low,
                    const float* scale, const float* dz_mean, const float* slope, const float* addend,
                    int64_t addend_pitch, float* dx, int64_t dx_pitch, int64_t rows, int64_t channels) {
    const auto kernel = addend == nullptr ? input_gradient_rows<false> : input_gradient_rows<true>;
    kernel(x, x_pitch, dz, mean, mean_low, scale, dz_mean, slope, addend, addend_pitch, dx, dx_pitch, rows, channels);
}

}  // namespace

extern const BatchNormKernels batch_norm_kernels = {sums, normalize, gradient_sums, input_gradient};

}  // namespace velu::cpu::VELU_ISA_NAMESPACE
