#include "cpu/isa/avg_pool2d_kernels.h"

#include "math/pool2d.h"

namespace velu::cpu::VELU_ISA_NAMESPACE {
namespace {

constexpr int64_t kChannels = 64;  // channels whose running sums stay in the first-level cache

/// What a window's sum is divided by.
float divisor(const velu_pool2d_desc& desc, PoolRange rows, PoolRange columns) {
    return static_cast<float>(desc.count_include_pad != 0 ? int64_t{desc.kernel_height} * desc.kernel_width
                                                          : (rows.end - rows.begin) * (columns.end - columns.begin));
}

// Reads every input element once per window that covers it, from the cache after the first time, and writes each
// output element once; vectorized over channels. A window is summed row by row, which keeps the rounding error of a
// large window to that of its height plus its width.
template <class T>
void forward_row(const velu_pool2d_desc& desc, const T* image, int64_t out_row, T* y) {
    const int64_t channels = desc.channels;
    const int64_t y_pitch = pool2d_y_pitch(desc);
    const int64_t out_width = pool2d_out_width(desc);
    const PoolRange rows =
        pool2d_window(out_row, desc.in_height, desc.kernel_height, desc.stride_height, desc.padding_height);
    for (int64_t out_column = 0; out_column < out_width; ++out_column) {
        const PoolRange columns =
            pool2d_window(out_column, desc.in_width, desc.kernel_width, desc.stride_width, desc.padding_width);
        const float divide_by = divisor(desc, rows, columns);
        for (int64_t first = 0; first < channels; first += kChannels) {
            const int64_t n = channels - first < kChannels ? channels - first : kChannels;
            float sum[kChannels] = {};
            for (int64_t row = rows.begin; row < rows.end; ++row) {
                float row_sum[kChannels] = {};
                for (int64_t column = columns.begin; column < columns.end; ++column) {
                    const T* pixel = image + (row * desc.in_width + column) * channels + first;
#pragma omp simd
                    for (int64_t c = 0; c < n; ++c) row_sum[c] += value_of(pixel[c]);
                }
#pragma omp simd
                for (int64_t c = 0; c < n; ++c) sum[c] += row_sum[c];
            }
            T* destination = y + out_column * y_pitch + first;
#pragma omp simd
            for (int64_t c = 0; c < n; ++c) put(sum[c] / divide_by, destination + c);
        }
    }
}

// A gather, as in max pooling: each input pixel adds its share of the windows that cover it, in the order of the
// windows.
template <class T>
void backward_row(const velu_pool2d_desc& desc, const T* dy, int64_t in_row, T* dx) {
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
                const PoolRange window_rows =
                    pool2d_window(row, desc.in_height, desc.kernel_height, desc.stride_height, desc.padding_height);
                for (int64_t column = columns.begin; column < columns.end; ++column) {
                    const PoolRange window_columns =
                        pool2d_window(column, desc.in_width, desc.kernel_width, desc.stride_width, desc.padding_width);
                    const float share = 1.0f / divisor(desc, window_rows, window_columns);
                    const T* gradient = dy + (row * out_width + column) * y_pitch + first;
#pragma omp simd
                    for (int64_t c = 0; c < n; ++c) sum[c] += value_of(gradient[c]) * share;
                }
            }
            T* destination = dx + in_column * channels + first;
#pragma omp simd
            for (int64_t c = 0; c < n; ++c) put(sum[c], destination + c);
        }
    }
}

}  // namespace

extern const ByElement<AvgPool2dKernels> avg_pool2d_kernels = {
    {forward_row<float>, backward_row<float>},
    {forward_row<BFloat16>, backward_row<BFloat16>},
};

}  // namespace velu::cpu::VELU_ISA_NAMESPACE
