#include "cpu/isa/max_pool2d_kernels.h"

#include "math/pool2d.h"

namespace velu::cpu::VELU_ISA_NAMESPACE {
namespace {

constexpr int64_t kChannels = 64;  // channels whose running maxima stay in the first-level cache

// Reads every input element once per window that covers it, from the cache after the first time, and writes each
// output element and a byte; vectorized over channels.
template <class T>
void forward_row(const velu_pool2d_desc& desc, const T* image, int64_t out_row, T* y, uint8_t* argmax) {
    const int64_t channels = desc.channels;
    const int64_t y_pitch = pool2d_y_pitch(desc);
    const int64_t out_width = pool2d_out_width(desc);
    const int64_t top = out_row * desc.stride_height - desc.padding_height;
    const PoolRange rows =
        pool2d_window(out_row, desc.in_height, desc.kernel_height, desc.stride_height, desc.padding_height);
    for (int64_t out_column = 0; out_column < out_width; ++out_column) {
        const int64_t left = out_column * desc.stride_width - desc.padding_width;
        const PoolRange columns =
            pool2d_window(out_column, desc.in_width, desc.kernel_width, desc.stride_width, desc.padding_width);
        for (int64_t first = 0; first < channels; first += kChannels) {
            const int64_t n = channels - first < kChannels ? channels - first : kChannels;
            float best[kChannels];
            uint32_t position[kChannels];
            // The first pixel inside the image is the first candidate, so that a window of -inf has a position in it.
            bool started = false;
            for (int64_t row = rows.begin; row < rows.end; ++row) {
                for (int64_t column = columns.begin; column < columns.end; ++column) {
                    const T* pixel = image + (row * desc.in_width + column) * channels + first;
                    const auto here = static_cast<uint32_t>((row - top) * desc.kernel_width + (column - left));
                    if (!started) {
                        started = true;
                        for (int64_t c = 0; c < n; ++c) {
                            best[c] = value_of(pixel[c]);
                            position[c] = here;
                        }
                        continue;
                    }
#pragma omp simd
                    for (int64_t c = 0; c < n; ++c) {
                        const float value = value_of(pixel[c]);
                        const float old = best[c];
                        // A NaN replaces every number and nothing replaces a NaN.
                        const bool better = (value > old) | ((value != value) & (old == old));
                        best[c] = better ? value : old;
                        position[c] = better ? here : position[c];
                    }
                }
            }
            T* destination = y + out_column * y_pitch + first;
#pragma omp simd
            for (int64_t c = 0; c < n; ++c) put(best[c], destination + c);
            if (argmax != nullptr) {
                uint8_t* positions = argmax + out_column * channels + first;
                for (int64_t c = 0; c < n; ++c) positions[c] = static_cast<uint8_t>(position[c]);
            }
        }
    }
}

// A gather: each input pixel adds the windows that chose it, in the order of the windows, so rows are independent and
// the sum has one order. Reads dy and argmax once per covered pixel, writes dx once.
template <class T>
void backward_row(const velu_pool2d_desc& desc, const T* dy, const uint8_t* argmax, int64_t in_row, T* dx) {
    const int64_t channels = desc.channels;
    const int64_t y_pitch = pool2d_y_pitch(desc);
    const int64_t out_width = pool2d_out_width(desc);
    const PoolRange rows =
        pool2d_covering(in_row, pool2d_out_height(desc), desc.kernel_height, desc.stride_height, desc.padding_height);
    for (int64_t in_column = 0; in_column < desc.in_width; ++in_column) {
        const PoolRange columns =
            pool2d_covering(in_column, out_width, desc.kernel_width, desc.stride_width, desc.padding_width);
        for (int64_t first = 0; first < channels; first += kChannels) {
            const int64_t n = channels - first < kChannels ? channels - first : kChannels;
            float sum[kChannels] = {};
            for (int64_t row = rows.begin; row < rows.end; ++row) {
                const int64_t window_row = in_row + desc.padding_height - row * desc.stride_height;
                for (int64_t column = columns.begin; column < columns.end; ++column) {
                    const int64_t window_column = in_column + desc.padding_width - column * desc.stride_width;
                    const auto here = static_cast<uint32_t>(window_row * desc.kernel_width + window_column);
                    const int64_t pixel = row * out_width + column;
                    const T* gradient = dy + pixel * y_pitch + first;
                    const uint8_t* position = argmax + pixel * channels + first;
#pragma omp simd
                    for (int64_t c = 0; c < n; ++c) {
                        const uint32_t chosen = position[c] == here ? 0xFFFFFFFFu : 0u;
                        sum[c] +=
                            __builtin_bit_cast(float, __builtin_bit_cast(uint32_t, value_of(gradient[c])) & chosen);
                    }
                }
            }
            T* destination = dx + in_column * channels + first;
#pragma omp simd
            for (int64_t c = 0; c < n; ++c) put(sum[c], destination + c);
        }
    }
}

}  // namespace

extern const ByElement<MaxPool2dKernels> max_pool2d_kernels = {
    {forward_row<float>, backward_row<float>},
    {forward_row<BFloat16>, backward_row<BFloat16>},
};

}  // namespace velu::cpu::VELU_ISA_NAMESPACE
