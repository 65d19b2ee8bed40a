// Batch normalization over a block of rows. The sums walk down some vectors of channels at a time through a stretch of
// rows that stays in the second cache level, with float32 accumulators in registers; what a stretch gives goes on in
// float64. The others walk along rows. Read and
// written per element: one and none (sums), one or two and one (forward, normalize), two or three and none or one
// (gradient_sums), two or three and one (input_gradient). All are limited by memory.
#include "cpu/isa/batch_norm_kernels.h"

#include <type_traits>
#include <utility>

#include "cpu/isa/rectifier.h"
#include "math/simd.h"

namespace velu::cpu::VELU_ISA_NAMESPACE {
namespace {

using simd::for_each_vector;
using V = simd::Vector;
using Wide = V::Wide;

#define VELU_SWEEP __attribute__((always_inline))

/// Vectors of channels side by side: enough sums to hide the latency of an addition, few enough for the registers.
constexpr int kGroup = 4;

/// n vectors of neighbouring channels.
template <int n>
struct Group {
    V v[n];

    VELU_SWEEP static Group zeros() { return zeros(std::make_integer_sequence<int, n>{}); }

    template <class T, class Lanes>
    VELU_SWEEP static Group load(const T* from, Lanes lanes) {
        Group loaded = zeros();
        for (int i = 0; i < n; ++i) loaded.v[i] = lanes.load(from + i * V::kLanes, V(0.0f));
        return loaded;
    }

private:
    template <int... i>
    VELU_SWEEP static Group zeros(std::integer_sequence<int, i...>) {
        return {{(static_cast<void>(i), V(0.0f))...}};
    }
};

/// Channels that are worked on at once, so that a stretch of several tensors stays in the second cache level.
constexpr int64_t kChannels = 1024;

/// body(first row, rows, first channel, end of channels) for stretches of rows and, of those, blocks of channels.
template <class Body>
VELU_SHARED_INLINE void for_each_stretch(int64_t rows, int64_t channels, const Body& body) {
    for (int64_t row = 0; row < rows; row += kBatchNormStretch) {
        const int64_t count = rows - row < kBatchNormStretch ? rows - row : kBatchNormStretch;
        for (int64_t c = 0; c < channels; c += kChannels) {
            body(row, count, c, channels - c < kChannels ? channels : c + kChannels);
        }
    }
}

/// body(first channel, lanes, number of vectors as a constant) for groups of vectors of channels, then for single ones.
template <class Body>
VELU_SHARED_INLINE void for_each_group(int64_t begin, int64_t end, const Body& body) {
    int64_t c = begin;
    for (; c + kGroup * V::kLanes <= end; c += kGroup * V::kLanes) {
        body(c, simd::AllLanes{}, std::integral_constant<int, kGroup>{});
    }
    for_each_vector<V>(end - c,
                       [&](int64_t i, auto lanes) VELU_SWEEP { body(c + i, lanes, std::integral_constant<int, 1>{}); });
}

/// Brings a stretch of rows into the cache. Reads it in order, which the processor's prefetchers follow: walking down
/// groups of channels straight from memory has half the speed.
template <class T>
void fetch(const T* x, int64_t pitch, int64_t rows, int64_t channels) {
    if (channels <= kGroup * V::kLanes) return;  // one group: the walk itself is in order
    constexpr int64_t kLine = 64 / sizeof(T);
    for (int64_t row = 0; row < rows; ++row) {
        for (int64_t c = 0; c < channels; c += kLine) {
            static_cast<void>(*reinterpret_cast<const volatile char*>(x + row * pitch + c));
        }
    }
}

/// to[0 .. lanes) += value.
VELU_SHARED_INLINE void add_to(double* to, Wide value, simd::AllLanes) {
    double lanes[V::kLanes];
    store(value, lanes);
    for (int i = 0; i < V::kLanes; ++i) to[i] += lanes[i];
}
VELU_SHARED_INLINE void add_to(double* to, Wide value, simd::FirstLanes first) {
    double lanes[V::kLanes];
    store(value, lanes);
    for (int i = 0; i < first.count; ++i) to[i] += lanes[i];
}

/// The sums of one vector of channels in float64 alone, for deviations whose squares overflow float32.
template <class T, class Lanes>
__attribute__((noinline, cold)) void wide_sums(const T* x, int64_t x_pitch, const T* shift, int64_t rows, Lanes lanes,
                                               double* deviations, double* squares) {
    const Wide center = widen(lanes.load(shift, V(0.0f)));
    Wide deviation_sum, square_sum;
    for (int64_t row = 0; row < rows; ++row) {
        const Wide deviation = widen(lanes.load(x + row * x_pitch, V(0.0f))) - center;
        deviation_sum = deviation_sum + deviation;
        square_sum = mul_add(deviation, deviation, square_sum);
    }
    add_to(deviations, deviation_sum, lanes);
    add_to(squares, square_sum, lanes);
}

// Within a stretch the shift is its first row: (mean - first)^2 <= rows * variance, so that the square of the sum takes
// no more than the stretch's length from the digits of the sum of squares. From there to the given shift in float64.
template <class T>
void sums(const T* x, int64_t x_pitch, const T* shift, int64_t rows, int64_t channels, double* deviations,
          double* squares) {
    for_each_stretch(rows, channels, [&](int64_t first, int64_t count, int64_t begin, int64_t end) VELU_SWEEP {
        const T* stretch = x + first * x_pitch;
        fetch(stretch + begin, x_pitch, count, end - begin);
        for_each_group(begin, end, [&](int64_t c, auto lanes, auto vectors) VELU_SWEEP {
            constexpr int n = decltype(vectors)::value;
            const auto center = Group<n>::load(stretch + c, lanes);
            auto deviation_sum = Group<n>::zeros();
            auto square_sum = Group<n>::zeros();
            for (int64_t row = 1; row < count; ++row) {
                const T* from = stretch + row * x_pitch + c;
                for (int i = 0; i < n; ++i) {
                    const V deviation = lanes.load(from + i * V::kLanes, V(0.0f)) - center.v[i];
                    deviation_sum.v[i] = deviation_sum.v[i] + deviation;
                    square_sum.v[i] = mul_add(deviation, deviation, square_sum.v[i]);
                }
            }
            const Wide rows_of_stretch(static_cast<double>(count));
            for (int i = 0; i < n; ++i) {
                const int64_t at = c + i * V::kLanes;
                if (!all(square_sum.v[i] <= V(3.0e38f))) {
                    wide_sums(stretch + at, x_pitch, shift + at, count, lanes, deviations + at, squares + at);
                    continue;
                }
                const Wide moved = widen(center.v[i]) - widen(lanes.load(shift + at, V(0.0f)));
                const Wide sum = widen(deviation_sum.v[i]);
                const Wide moved_sum = mul_add(rows_of_stretch, moved, sum);
                add_to(deviations + at, moved_sum, lanes);
                add_to(squares + at, mul_add(moved, moved_sum + sum, widen(square_sum.v[i])), lanes);
            }
        });
    });
}

template <class Function, bool kMeanLow, bool kResidual, class T, class To>
void forward_rows(const BatchNormAffine& affine, const T* x, int64_t x_pitch, const T* residual, To* y, int64_t rows,
                  int64_t channels) {
    const float* const mean = affine.mean;
    const float* const mean_low = affine.mean_low;
    const float* const scale = affine.scale;
    const float* const bias = affine.bias;
    for (int64_t row = 0; row < rows; ++row) {
        const int64_t start = row * channels;
        const T* from = x + row * x_pitch;
        for_each_vector<V>(channels, [&](int64_t c, auto lanes) VELU_SWEEP {
            const V zero(0.0f);
            // First the difference, which is exact where it cancels; a folded bias - scale * mean would lose it.
            V deviation = lanes.load(from + c, zero) - lanes.load(mean + c, zero);
            if constexpr (kMeanLow) deviation = deviation - lanes.load(mean_low + c, zero);
            V value = mul_add(deviation, lanes.load(scale + c, zero), lanes.load(bias + c, zero));
            if constexpr (kResidual) value = value + lanes.load(residual + start + c, zero);
            lanes.store(Function::value(value), y + start + c);
        });
    }
}

template <class Function, class T, class To>
void forward_of(const BatchNormAffine& affine, const T* x, int64_t x_pitch, const T* residual, To* y, int64_t rows,
                int64_t channels) {
    const auto kernel = affine.mean_low != nullptr ? residual != nullptr ? forward_rows<Function, true, true, T, To>
                                                                         : forward_rows<Function, true, false, T, To>
                        : residual != nullptr ? forward_rows<Function, false, true, T, To>
                                                   : forward_rows<Function, false, false, T, To>;
    kernel(affine, x, x_pitch, residual, y, rows, channels);
}

template <class T>
void forward(int32_t activation, const BatchNormAffine& affine, const T* x, int64_t x_pitch, const T* residual, T* y,
             int64_t rows, int64_t channels) {
    const auto kernel = activation == VELU_ACTIVATION_RELU    ? forward_of<Relu, T, T>
                        : activation == VELU_ACTIVATION_RELU6 ? forward_of<Relu6, T, T>
                                                              : forward_of<Identity, T, T>;
    kernel(affine, x, x_pitch, residual, y, rows, channels);
}

/// dy f'(z) for a deviation x - mean.
template <class Function>
VELU_SHARED_INLINE V through(V deviation, V scale, V bias, V residual, V dy) {
    if constexpr (std::is_same_v<Function, Identity>) {
        return dy;
    } else {
        return dy * Function::slope(mul_add(deviation, scale, bias) + residual);
    }
}

template <class Function, bool kResidual, bool kStore, class T>
void gradient_sums_of(const BatchNormAffine& affine, const T* x, int64_t x_pitch, const T* residual, const T* dy, T* dz,
                      int64_t rows, int64_t channels, double* dz_sums, double* products, double* deviations) {
    for_each_stretch(rows, channels, [&](int64_t first, int64_t count, int64_t begin, int64_t end) VELU_SWEEP {
        fetch(x + first * x_pitch + begin, x_pitch, count, end - begin);
        fetch(dy + first * channels + begin, channels, count, end - begin);
        if constexpr (kResidual) fetch(residual + first * channels + begin, channels, count, end - begin);
        for_each_group(begin, end, [&](int64_t c, auto lanes, auto vectors) VELU_SWEEP {
            constexpr int n = decltype(vectors)::value;
            const auto mean = Group<n>::load(affine.mean + c, lanes);
            const auto scale = Group<n>::load(affine.scale + c, lanes);
            const auto bias = Group<n>::load(affine.bias + c, lanes);
            auto dz_sum = Group<n>::zeros();
            auto product_sum = Group<n>::zeros();
            auto deviation_sum = Group<n>::zeros();
            for (int64_t row = first; row < first + count; ++row) {
                for (int i = 0; i < n; ++i) {
                    const V zero(0.0f);
                    const int64_t at = row * channels + c + i * V::kLanes;
                    const V deviation = lanes.load(x + row * x_pitch + c + i * V::kLanes, zero) - mean.v[i];
                    V added = zero;
                    if constexpr (kResidual) added = lanes.load(residual + at, zero);
                    const V gradient =
                        through<Function>(deviation, scale.v[i], bias.v[i], added, lanes.load(dy + at, zero));
                    if constexpr (kStore) lanes.store(gradient, dz + at);
                    dz_sum.v[i] = dz_sum.v[i] + gradient;
                    product_sum.v[i] = mul_add(gradient, deviation, product_sum.v[i]);
                    deviation_sum.v[i] = deviation_sum.v[i] + deviation;
                }
            }
            for (int i = 0; i < n; ++i) {
                const int64_t at = c + i * V::kLanes;
                add_to(dz_sums + at, widen(dz_sum.v[i]), lanes);
                add_to(products + at, widen(product_sum.v[i]), lanes);
                add_to(deviations + at, widen(deviation_sum.v[i]), lanes);
            }
        });
    });
}

template <class Function, class T>
void choose_gradient_sums(const BatchNormAffine& affine, const T* x, int64_t x_pitch, const T* residual, const T* dy,
                          T* dz, int64_t rows, int64_t channels, double* dz_sums, double* products,
                          double* deviations) {
    const auto kernel = residual != nullptr ? dz != nullptr ? gradient_sums_of<Function, true, true, T>
                                                            : gradient_sums_of<Function, true, false, T>
                        : dz != nullptr ? gradient_sums_of<Function, false, true, T>
                                            : gradient_sums_of<Function, false, false, T>;
    kernel(affine, x, x_pitch, residual, dy, dz, rows, channels, dz_sums, products, deviations);
}

template <class T>
void gradient_sums(int32_t activation, const BatchNormAffine& affine, const T* x, int64_t x_pitch, const T* residual,
                   const T* dy, T* dz, int64_t rows, int64_t channels, double* dz_sums, double* products,
                   double* deviations) {
    const auto kernel = activation == VELU_ACTIVATION_RELU    ? choose_gradient_sums<Relu, T>
                        : activation == VELU_ACTIVATION_RELU6 ? choose_gradient_sums<Relu6, T>
                                                              : gradient_sums_of<Identity, false, false, T>;
    kernel(affine, x, x_pitch, residual, dy, dz, rows, channels, dz_sums, products, deviations);
}

template <class Function, bool kAddend, class T>
void input_gradient_rows(const BatchNormAffine& affine, const float* offset, const float* slope, const T* x,
                         int64_t x_pitch, const T* dy, const T* addend, int64_t addend_pitch, T* dx, int64_t dx_pitch,
                         int64_t rows, int64_t channels) {
    const float* const mean = affine.mean;
    const float* const scales = affine.scale;
    const float* const biases = affine.bias;
    for (int64_t row = 0; row < rows; ++row) {
        const T* from = x + row * x_pitch;
        const T* upstream = dy + row * channels;
        T* to = dx + row * dx_pitch;
        for_each_vector<V>(channels, [&](int64_t c, auto lanes) VELU_SWEEP {
            const V zero(0.0f);
            const V deviation = lanes.load(from + c, zero) - lanes.load(mean + c, zero);
            const V scale = lanes.load(scales + c, zero);
            const V dz =
                through<Function>(deviation, scale, lanes.load(biases + c, zero), zero, lanes.load(upstream + c, zero));
            const V centered = dz - lanes.load(offset + c, zero);
            V gradient = mul_add(-deviation, lanes.load(slope + c, zero), centered) * scale;
            if constexpr (kAddend) gradient = gradient + lanes.load(addend + row * addend_pitch + c, zero);
            lanes.store(gradient, to + c);
        });
    }
}

template <class Function, class T>
void choose_input_gradient(const BatchNormAffine& affine, const float* offset, const float* slope, const T* x,
                           int64_t x_pitch, const T* dy, const T* addend, int64_t addend_pitch, T* dx, int64_t dx_pitch,
                           int64_t rows, int64_t channels) {
    const auto kernel =
        addend == nullptr ? input_gradient_rows<Function, false, T> : input_gradient_rows<Function, true, T>;
    kernel(affine, offset, slope, x, x_pitch, dy, addend, addend_pitch, dx, dx_pitch, rows, channels);
}

template <class T>
void input_gradient(int32_t activation, const BatchNormAffine& affine, const float* offset, const float* slope,
                    const T* x, int64_t x_pitch, const T* dy, const T* addend, int64_t addend_pitch, T* dx,
                    int64_t dx_pitch, int64_t rows, int64_t channels) {
    const auto kernel = activation == VELU_ACTIVATION_RELU    ? choose_input_gradient<Relu, T>
                        : activation == VELU_ACTIVATION_RELU6 ? choose_input_gradient<Relu6, T>
                                                              : choose_input_gradient<Identity, T>;
    kernel(affine, offset, slope, x, x_pitch, dy, addend, addend_pitch, dx, dx_pitch, rows, channels);
}

template <class T>
constexpr BatchNormKernels<T> kernels_of() {
    return {sums<T>, forward<T>, forward_of<Identity, T, float>, gradient_sums<T>, input_gradient<T>};
}

}  // namespace

extern const ByElement<BatchNormKernels> batch_norm_kernels = {kernels_of<float>(), kernels_of<BFloat16>()};

}  // namespace velu::cpu::VELU_ISA_NAMESPACE
