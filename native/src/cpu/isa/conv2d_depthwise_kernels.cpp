// A few neighbouring vectors of channels, with one accumulator for each tap of a row of the filter, walk along the rows
// of dy: per vector and tap one multiply-add whose x comes from the first cache level. Accumulators are float32 within
// an image and float64 across images.
#include "cpu/isa/conv2d_depthwise_kernels.h"

#include <algorithm>

#include "math/simd.h"

namespace velu::cpu::VELU_ISA_NAMESPACE {
namespace {

using V = simd::Vector;
using Wide = V::Wide;
using Register = decltype(V::v);

/// Taps of a filter row that are summed together, and vectors of channels: their accumulators fit the registers.
constexpr int kMostTaps = 5;
constexpr int kMostVectors = V::kLanes >= 16 ? 4 : V::kLanes >= 8 ? 2 : 1;

/// Taps `first_tap` to `first_tap + kTaps - 1` of one row of the filter.
struct TapRow {
    int64_t row;
    int64_t first_tap;
};

/// The sums of kTaps taps for kVectors vectors.
template <class T, int kTaps, int kVectors, class Lanes>
void sum_taps(const DepthwiseShape& shape, const T* x, const T* dy, int64_t images, TapRow taps, Lanes lanes,
              Wide (&sums)[kTaps][kVectors]) {
    const velu_conv2d_desc& d = shape.desc;
    const int64_t x_step = d.stride_width * d.in_channels;
    const int64_t tap_step = d.dilation_width * d.in_channels;
    // The column of x that tap 0 of these sees from column 0 of dy.
    const int64_t offset = taps.first_tap * d.dilation_width - d.padding_width;
    // Columns of dy from which all taps are inside the image: [first, last).
    const int64_t room = d.in_width - 1 - (kTaps - 1) * d.dilation_width - offset;
    const int64_t first = std::clamp<int64_t>((d.stride_width - 1 - offset) / d.stride_width, 0, shape.out_width);
    const int64_t last = std::clamp<int64_t>(room < 0 ? 0 : room / d.stride_width + 1, first, shape.out_width);

    for (int64_t image = 0; image < images; ++image) {
        Register of_image[kTaps][kVectors];
        for (int tap = 0; tap < kTaps; ++tap) {
            for (int v = 0; v < kVectors; ++v) of_image[tap][v] = V(0.0f).v;
        }
        const auto multiply = [&](const T* from, const T* upstream, int tap, int v) __attribute__((always_inline)) {
            of_image[tap][v] = mul_add(lanes.load(upstream + v * V::kLanes, V(0.0f)),
                                       lanes.load(from + tap * tap_step + v * V::kLanes, V(0.0f)), V(of_image[tap][v]))
                                   .v;
        };
        for (int64_t out_row = 0; out_row < shape.out_height; ++out_row) {
            const int64_t in_row = out_row * d.stride_height - d.padding_height + taps.row * d.dilation_height;
            if (in_row < 0 || in_row >= d.in_height) continue;
            const T* dy_row = dy + (image * shape.out_height + out_row) * shape.out_width * shape.y_pitch;
            const T* x_row = x + ((image * d.in_height + in_row) * d.in_width + offset) * d.in_channels;
            const auto border = [&](int64_t column) {
                for (int tap = 0; tap < kTaps; ++tap) {
                    const int64_t in_column = column * d.stride_width + offset + tap * d.dilation_width;
                    if (in_column < 0 || in_column >= d.in_width) continue;
                    for (int v = 0; v < kVectors; ++v) {
                        multiply(x_row + column * x_step, dy_row + column * shape.y_pitch, tap, v);
                    }
                }
            };
            for (int64_t column = 0; column < first; ++column) border(column);
            const T* from = x_row + first * x_step;
            const T* upstream = dy_row + first * shape.y_pitch;
            for (int64_t column = first; column < last; ++column) {
#pragma GCC unroll 4
                for (int v = 0; v < kVectors; ++v) {
#pragma GCC unroll 5
                    for (int tap = 0; tap < kTaps; ++tap) multiply(from, upstream, tap, v);
                }
                from += x_step;
                upstream += shape.y_pitch;
            }
            for (int64_t column = last; column < shape.out_width; ++column) border(column);
        }
        for (int tap = 0; tap < kTaps; ++tap) {
            for (int v = 0; v < kVectors; ++v) sums[tap][v] = sums[tap][v] + widen(V(of_image[tap][v]));
        }
    }
}

/// All taps for kVectors vectors, of which `channels` lanes are wanted.
template <class T, int kVectors, int kTaps = kMostTaps, class Lanes>
void filter_row(const DepthwiseShape& shape, const T* x, const T* dy, int64_t images, int64_t row, int64_t first_tap,
                Lanes lanes, int64_t channels, double* sums, int64_t sums_step) {
    const int64_t width = shape.desc.kernel_width;
    for (; width - first_tap >= kTaps; first_tap += kTaps) {
        Wide of_taps[kTaps][kVectors];
        sum_taps(shape, x, dy, images, {row, first_tap}, lanes, of_taps);
        for (int tap = 0; tap < kTaps; ++tap) {
            double values[kVectors * V::kLanes];
            for (int v = 0; v < kVectors; ++v) store(of_taps[tap][v], values + v * V::kLanes);
            std::copy_n(values, channels, sums + (row * width + first_tap + tap) * sums_step);
        }
    }
    if constexpr (kTaps > 1) {
        if (first_tap < width) {
            filter_row<T, kVectors, kTaps - 1>(shape, x, dy, images, row, first_tap, lanes, channels, sums, sums_step);
        }
    }
}

template <class T, int kVectors, class Lanes>
void filter(const DepthwiseShape& shape, const T* x, const T* dy, int64_t images, Lanes lanes, int64_t channels,
            double* sums, int64_t sums_step) {
    for (int64_t row = 0; row < shape.desc.kernel_height; ++row) {
        filter_row<T, kVectors>(shape, x, dy, images, row, 0, lanes, channels, sums, sums_step);
    }
}

template <class T>
void backward_weights(const DepthwiseShape& shape, const T* x, const T* dy, int64_t images, int64_t channels,
                      double* sums) {
    constexpr int64_t kLanes = V::kLanes;
    int64_t c = 0;
    for (; channels - c >= kMostVectors * kLanes; c += kMostVectors * kLanes) {
        filter<T, kMostVectors>(shape, x + c, dy + c, images, simd::AllLanes{}, kMostVectors * kLanes, sums + c,
                                channels);
    }
    for (; channels - c >= kLanes; c += kLanes) {
        filter<T, 1>(shape, x + c, dy + c, images, simd::AllLanes{}, kLanes, sums + c, channels);
    }
    if (kLanes > 1 && c < channels) {
        const simd::FirstLanes rest{static_cast<int>(channels - c)};
        filter<T, 1>(shape, x + c, dy + c, images, rest, channels - c, sums + c, channels);
    }
}

}  // namespace

extern const ByElement<Conv2dDepthwiseKernels> conv2d_depthwise_kernels = {{backward_weights<float>},
                                                                           {backward_weights<BFloat16>}};

}  // namespace velu::cpu::VELU_ISA_NAMESPACE
