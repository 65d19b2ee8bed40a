#include "cpu/isa/adaptive_avg_pool2d_kernels.h"

#include "math/pool2d.h"

namespace velu::cpu::VELU_ISA_NAMESPACE {
namespace {

constexpr int64_t kChannels = 64;  // channels whose running sums stay in the first-level cache

int64_t size(PoolRange range) {
    return range.end - range.begin;
}

// Reads every input element once per window that covers it, from the cache after the first time, and writes each
// output element once; vectorized over channels. A window is summed row by row, which keeps the rounding error of a
// large window to that of its height plus its width.
template <class T>
void forward_row(const velu_adaptive_avg_pool2d_desc& desc, const T* image, int64_t out_row, T* y) {
    const int64_t channels = desc.channels;
    const PoolRange rows = adaptive_pool2d_window(out_row, desc.in_height, desc.out_height);
    for (int64_t out_column = 0; out_column < desc.out_width; ++out_column) {
        const PoolRange columns = adaptive_pool2d_window(out_column, desc.in_width, desc.out_width);
        const auto divide_by = static_cast<float>(size(rows) * size(columns));
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
            T* destination = y + out_column * channels + first;
#pragma omp simd
            for (int64_t c = 0; c < n; ++c) put(sum[c] / divide_by, destination + c);
        }
    }
}

// A gather: each input pixel adds its share of the windows that cover it, in the order of the windows.
template <class T>
void backward_row(const velu_adaptive_avg_pool2d_desc& desc, const T* dy, int64_t in_row, T* dx) {
    const int64_t channels = desc.channels;
    const PoolRange rows = adaptive_pool2d_covering(in_row, desc.in_height, desc.out_height);
    for (int64_t in_column = 0; in_column < desc.in_width; ++in_column) {
        const PoolRange columns = adaptive_pool2d_covering(in_column, desc.in_width, desc.out_width);
        for (int64_t first = 0; first < channels; first += kChannels) {
            const int64_t n = channels - first < kChannels ? channels - first : kChannels;
            float sum[kChannels] = {};
            for (int64_t row = rows.begin; row < rows.end; ++row) {
                const int64_t height = size(adaptive_pool2d_window(row, desc.in_height, desc.out_height));
                for (int64_t column = columns.begin; column < columns.end; ++column) {
                    const int64_t width = size(adaptive_pool2d_window(column, desc.in_width, desc.out_width));
                    const float share = 1.0f / static_cast<float>(height * width);
                    const T* gradient = dy + (row * desc.out_width + column) * channels + first;
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

extern const ByElement<AdaptiveAvgPool2dKernels> adaptive_avg_pool2d_kernels = {
    {forward_row<float>, backward_row<float>},
    {forward_row<BFloat16>, backward_row<BFloat16>},
};

}  // namespace velu::cpu::VELU_ISA_NAMESPACE
