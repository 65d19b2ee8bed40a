// Layer normalization over a block of rows. Each row is swept two or three times while it is in the first cache level;
// sums over a row are float64. Per element, forward reads one or two and writes as many, backward reads two or three
// and writes one. Both are limited by memory.
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

template <class T>
void forward(const T* x, const T* residual, const float* weight, const float* bias, float eps, int64_t rows,
             int64_t channels, T* sum, T* y, float* mean, float* inv_std) {
    const V zero(0.0f);
    const auto count = static_cast<double>(channels);
    for (int64_t row = 0; row < rows; ++row) {
        const int64_t start = row * channels;
        const T* z = x + start;
        Wide total;
        if (residual == nullptr) {
            for_each_vector<V>(
                channels, [&](int64_t c, auto lanes) VELU_SWEEP { total = total + widen(lanes.load(z + c, zero)); });
        } else {
            for_each_vector<V>(channels, [&](int64_t c, auto lanes) VELU_SWEEP {
                const V value = lanes.load(x + start + c, zero) + lanes.load(residual + start + c, zero);
                lanes.store(value, sum + start + c);
                total = total + widen(lanes.load(sum + start + c, zero));
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
template <class T, bool kAddend>
void backward_rows(const T* z, const T* dy, const T* dz_addend, const float* weight, const float* mean,
                   const float* inv_std, int64_t rows, int64_t channels, T* dx, float* dweight, float* dbias) {
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

template <class T>
void backward(const T* z, const T* dy, const T* dz_addend, const float* weight, const float* mean, const float* inv_std,
              int64_t rows, int64_t channels, T* dx, float* dweight, float* dbias) {
    const auto kernel = dz_addend != nullptr ? backward_rows<T, true> : backward_rows<T, false>;
    kernel(z, dy, dz_addend, weight, mean, inv_std, rows, channels, dx, dweight, dbias);
}

}  // namespace

extern const ByElement<LayerNormKernels> layer_norm_kernels = {
    {forward<float>, backward<float>},
    {forward<BFloat16>, backward<BFloat16>},
};

}  // namespace velu::cpu::VELU_ISA_NAMESPACE
