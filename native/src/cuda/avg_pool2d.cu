// Average pooling.
#include "cuda/operations.h"
#include "cuda/pool2d.cuh"

namespace velu::cuda {
namespace {

/// What a window's sum is divided by.
__device__ __forceinline__ float divisor(const velu_pool2d_desc& desc, PoolRange rows, PoolRange columns) {
    return static_cast<float>(desc.count_include_pad != 0 ? int64_t{desc.kernel_height} * desc.kernel_width
                                                          : (rows.end - rows.begin) * (columns.end - columns.begin));
}

// Reads an input element from memory once, and from the cache for every other window that covers it; writes an output
// element. For 2 x 2 windows with stride 2 (DenseNet's) that is 20 bytes per float32 output, so a budget of 137
// instructions (68 for bfloat16): one per summand, 10 for the division and a share of the 100 of the pack's place.
// Limited by memory. A window is summed row by row, as on the CPU, which keeps the rounding error of a large window to
// that of its height plus its width.
template <int N, class T>
__global__ void __launch_bounds__(kPoolThreads, 3)
    avg_pool2d_forward_kernel(velu_pool2d_desc desc, int64_t y_pitch, const T* __restrict__ x, T* __restrict__ y) {
    const int64_t channels = desc.channels;
    const int64_t out_height = pool2d_out_height(desc);
    const int64_t out_width = pool2d_out_width(desc);
    const int64_t count = desc.batch * out_height * out_width * (channels / N);
    for (int64_t i = thread_index(); i < count; i += thread_count()) {
        const PoolSite out = pool_site<N>(i, out_height, out_width, channels);
        const PoolRange rows =
            pool2d_window(out.row, desc.in_height, desc.kernel_height, desc.stride_height, desc.padding_height);
        const PoolRange columns =
            pool2d_window(out.column, desc.in_width, desc.kernel_width, desc.stride_width, desc.padding_width);
        float sum[N] = {};
        for (int64_t row = rows.begin; row < rows.end; ++row) {
            const T* pixel = x + ((out.image * desc.in_height + row) * desc.in_width + columns.begin) * channels;
            float row_sum[N] = {};
            for (int64_t column = columns.begin; column < columns.end; ++column, pixel += channels) {
                float value[N];
                load(pixel + out.channel, value);
#pragma unroll
                for (int j = 0; j < N; ++j) row_sum[j] += value[j];
            }
#pragma unroll
            for (int j = 0; j < N; ++j) sum[j] += row_sum[j];
        }
        const float divide_by = divisor(desc, rows, columns);
#pragma unroll
        for (int j = 0; j < N; ++j) sum[j] /= divide_by;
        store(sum, y + out.pixel * y_pitch + out.channel);
    }
}

// A gather, as in max pooling: each input pixel adds its share of the windows that cover it, in the order of the
// windows. For 2 x 2 windows with stride 2 it moves 5 bytes per float32 input element, so a budget of 34 instructions
// (17 for bfloat16): a window of 2, and a share of the 230 of the pack's place. bfloat16 is limited by instructions.
template <int N, class T>
__global__ void __launch_bounds__(kPoolThreads, 2)
    avg_pool2d_backward_kernel(velu_pool2d_desc desc, int64_t y_pitch, const T* __restrict__ dy, T* __restrict__ dx) {
    const int64_t channels = desc.channels;
    const int64_t out_height = pool2d_out_height(desc);
    const int64_t out_width = pool2d_out_width(desc);
    const int64_t count = desc.batch * desc.in_height * desc.in_width * (channels / N);
    for (int64_t i = thread_index(); i < count; i += thread_count()) {
        const PoolSite in = pool_site<N>(i, desc.in_height, desc.in_width, channels);
        const PoolRange rows =
            pool2d_covering(in.row, out_height, desc.kernel_height, desc.stride_height, desc.padding_height);
        const PoolRange columns =
            pool2d_covering(in.column, out_width, desc.kernel_width, desc.stride_width, desc.padding_width);
        float sum[N] = {};
        for (int64_t row = rows.begin; row < rows.end; ++row) {
            const PoolRange window_rows =
                pool2d_window(row, desc.in_height, desc.kernel_height, desc.stride_height, desc.padding_height);
            for (int64_t column = columns.begin; column < columns.end; ++column) {
                const PoolRange window_columns =
                    pool2d_window(column, desc.in_width, desc.kernel_width, desc.stride_width, desc.padding_width);
                const float share = 1.0f / divisor(desc, window_rows, window_columns);
                float gradient[N];
                load(dy + ((out_height * in.image + row) * out_width + column) * y_pitch + in.channel, gradient);
#pragma unroll
                for (int j = 0; j < N; ++j) sum[j] += gradient[j] * share;
            }
        }
        store(sum, dx + i * N);
    }
}

}  // namespace

velu_status avg_pool2d_forward(DeviceContext* context, const velu_pool2d_desc* desc, const void* x, void* y) {
    return guarded(context, [&](Context& device) {
        with_element_type(desc->dtype, [&](auto element) {
            using T = decltype(element);
            with_pool_width<T>(desc->channels, pool2d_y_pitch(*desc), aligned_to_16(x, y), [&](auto width) {
                constexpr int kWidth = decltype(width)::value;
                const int64_t packs =
                    desc->batch * pool2d_out_height(*desc) * pool2d_out_width(*desc) * (desc->channels / kWidth);
                launch(device, avg_pool2d_forward_kernel<kWidth, T>, grid_for(device, packs, kPoolThreads),
                       kPoolThreads, *desc, pool2d_y_pitch(*desc), static_cast<const T*>(x), static_cast<T*>(y));
            });
        });
    });
}

velu_status avg_pool2d_backward(DeviceContext* context, const velu_pool2d_desc* desc, const void* dy, void* dx) {
    return guarded(context, [&](Context& device) {
        with_element_type(desc->dtype, [&](auto element) {
            using T = decltype(element);
            with_pool_width<T>(desc->channels, pool2d_y_pitch(*desc), aligned_to_16(dy, dx), [&](auto width) {
                constexpr int kWidth = decltype(width)::value;
                const int64_t packs = desc->batch * desc->in_height * desc->in_width * (desc->channels / kWidth);
                launch(device, avg_pool2d_backward_kernel<kWidth, T>, grid_for(device, packs, kPoolThreads),
                       kPoolThreads, *desc, pool2d_y_pitch(*desc), static_cast<const T*>(dy), static_cast<T*>(dx));
            });
        });
    });
}

}  // namespace velu::cuda
