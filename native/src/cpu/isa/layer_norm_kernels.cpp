// Layer normalization over a block of rows. Each row is swept two or three times while it is in the first cache level;
// sums over a row are float64. Bytes per element: 4 to 8 read and 4 to 8 written (forward), 8 to 12 read and 4 written
// (backward). Both are limited by memory.
#include "cpu/isa/layer_norm_kernels.h"

#include "math/simd.h"

namespace velu::cpu::VELU_ISA_NAMESPACE {
namespace {

using simd::for_each_vector;
using V = simd::Vector;
using Wide = V::Wide;

#define VELU_SWEEP __attribute__((always_inline))

/// What is left of an element after its row's mean, which float32 holds in two parts: first the difference that is
/// exact where it cancels.
struct Center {
    V mean, rest;

    explicit Center(double value)
        : mean(static_cast<float>(value)),
          rest(static_cast<float>(value - static_cast<double>(static_cast<float>(value)))) {}
    VELU_SWEEP V deviation(V z) const { return (z - mean) - rest; }
};

void forward(const float* x, const float* residual, const float* weight, const float* bias, float eps, int64_t rows,
             int64_t channels, float* sum, float* y, float* mean, float* inv_std) {
    const V zero(0.0f);
    const auto count = static_cast<double>(channels);
    for (int64_t row = 0; row < rows; ++row) {
        const int64_t start = row * channels;
        const float* z = x + start;
        Wide total;
        if (residual == nullptr) {
            for_each_vector<V>(
                channels, [&](int64_t c, auto lanes) VELU_SWEEP { total = total + widen(lanes.load(z + c, zero)); });
        } else {
            for_each_vector<V>(channels, [&](int64_t c, auto lanes) VELU_SWEEP {
                const V value = lanes.load(x + start + c, zero) + lanes.load(residual + start + c, zero);
                lanes.store(value, sum + start + c);
                total = total + widen(value);
            });
            z = sum + start;
        }
        const double row_mean = simd::sum(total) / count;
        const Center center(row_mean);
        Wide squares;
        for_each_vector<V>(channels, [&](int64_t c, auto lanes) VELU_SWEEP {
            const Wide deviation = widen(lanes.keep(center.deviation(lanes.load(z + c, zero)), zero));
            squares = mul_add(deviation, deviation, squares);
        });
        const double variance = simd::sum(squares) / count;
        const auto row_inv_std = static_cast<float>(1.0 / __builtin_sqrt(variance + static_cast<double>(eps)));
        const V scale(row_inv_std);
        for_each_vector<V>(channels, [&](int64_t c, auto lanes) VELU_SWEEP {
            const V normalized = center.deviation(lanes.load(z + c, zero)) * scale;
            lanes.store(mul_add(normalized, lanes.load(weight + c, zero), lanes.load(bias + c, zero)), y + start + c);
        });
        if (mean != nullptr) mean[row] = static_cast<float>(row_mean);
        if (inv_std != nullptr) inv_std[row] = row_inv_std;
    }
}

/// With n = (z - mean) inv_std and g = dy weight: dz = inv_std (g - mean(g) - n mean(g n)).
template <bool kAddend>
void backward_rows(const float* z, const float* dy, const float* dz_addend, const float* weight, const float* mean,
                   const float* inv_std, int64_t rows, int64_t channels, float* dx, float* dweight, float* dbias) {
    const V zero(0.0f);
    const auto count = static_cast<double>(channels);
    for (int64_t row = 0; row < rows; ++row) {
        const int64_t start = row * channels;
        const V rounded_mean(mean[row]);
        Wide deviations, gradients, products;
        for_each_vector<V>(channels, [&](int64_t c, auto lanes) VELU_SWEEP {
            const V g = lanes.load(dy + start + c, zero) * lanes.load(weight + c, zero);
            const V deviation = lanes.load(z + start + c, rounded_mean) - rounded_mean;
            deviations = deviations + widen(deviation);
            gradients = gradients + widen(g);
            products = mul_add(widen(g), widen(deviation), products);
        });
        // What float32 lost of the mean, visible where the mean is much larger than the deviations.
        const double mean_rest = simd::sum(deviations) / count;
        const double gradient_sum = simd::sum(gradients);
        const auto row_inv_std = static_cast<double>(inv_std[row]);
        const double product_mean = (simd::sum(products) - mean_rest * gradient_sum) * row_inv_std / count;
        const V rest(static_cast<float>(mean_rest)), scale(inv_std[row]);
        const V gradient_mean(static_cast<float>(gradient_sum / count)), slope(static_cast<float>(product_mean));
        for_each_vector<V>(channels, [&](int64_t c, auto lanes) VELU_SWEEP {
            const V upstream = lanes.load(dy + start + c, zero);
            const V normalized = ((lanes.load(z + start + c, zero) - rounded_mean) - rest) * scale;
            lanes.store(mul_add(upstream, normalized, lanes.load(dweight + c, zero)), dweight + c);
            lanes.store(lanes.load(dbias + c, zero) + upstream, dbias + c);
            const V centered = upstream * lanes.load(weight + c, zero) - gradient_mean;
            V gradient = mul_add(-normalized, slope, centered) * scale;
            if constexpr (kAddend) gradient = gradient + lanes.load(dz_addend + start + c, zero);
            lanes.store(gradient, dx + start + c);
        });
    }
}

void backward(const float* z, const float* dy, const float* dz_addend, const float* weight, const float* mean,
              const float* inv_std, int64_t rows, int64_t channels, float* dx, float* dweight, float* dbias) {
    const auto kernel = dz_addend != nullptr ? backward_rows<true> : backward_rows<false>;
    kernel(z, dy, dz_addend, weight, mean, inv_std, rows, channels, dx, dweight, dbias);
}

}  // namespace

extern const LayerNormKernels layer_norm_kernels = {forward, backward};

}  // namespace velu::cpu::VELU_ISA_NAMESPACE
