// Average pooling to a given size.
#include "cuda/operations.h"
#include "cuda/pool2d.cuh"

namespace velu::cuda {
namespace {

// Reads an input element from memory once, and from the cache for every other window that covers it; writes an output
// element. Where the sizes are the same (VGG at 224) that is 8 bytes per float32 element, so a budget of 55
// instructions (27 for bfloat16): 10 for the division and a share of the 180 of the pack's place and window. Limited by
// instructions, and small beside the layers around it. A window is summed row by row, as in avg_pool2d.
template <int N, class T>
__global__ void __launch_bounds__(kPoolThreads, 3)
    adaptive_avg_pool2d_forward_kernel(velu_adaptive_avg_pool2d_desc desc, const T* __restrict__ x, T* __restrict__ y) {
    const int64_t channels = desc.channels;
    const int64_t count = desc.batch * desc.out_height * desc.out_width * (channels / N);
    for (int64_t i = thread_index(); i < count; i += thread_count()) {
        const PoolSite out = pool_site<N>(i, desc.out_height, desc.out_width, channels);
        const PoolRange rows = adaptive_pool2d_window(out.row, desc.in_height, desc.out_height);
        const PoolRange columns = adaptive_pool2d_window(out.column, desc.in_width, desc.out_width);
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
        const auto divide_by = static_cast<float>((rows.end - rows.begin) * (columns.end - columns.begin));
#pragma unroll
        for (int j = 0; j < N; ++j) sum[j] /= divide_by;
        store(sum, y + i * N);
    }
}

// A gather, as in the other poolings: each input pixel adds its share of the windows that cover it, in the order of the
// windows. Traffic as in forward; per window a pack of channels shares about 100 instructions for its size and
// division.
template <int N, class T>
__global__ void __launch_bounds__(kPoolThreads, 2)
    adaptive_avg_pool2d_backward_kernel(velu_adaptive_avg_pool2d_desc desc, const T* __restrict__ dy,
                                        T* __restrict__ dx) {
    const int64_t channels = desc.channels;
    const int64_t count = desc.batch * desc.in_height * desc.in_width * (channels / N);
    for (int64_t i = thread_index(); i < count; i += thread_count()) {
        const PoolSite in = pool_site<N>(i, desc.in_height, desc.in_width, channels);
        const PoolRange rows = adaptive_pool2d_covering(in.row, desc.in_height, desc.out_height);
        const PoolRange columns = adaptive_pool2d_covering(in.column, desc.in_width, desc.out_width);
        float sum[N] = {};
        for (int64_t row = rows.begin; row < rows.end; ++row) {
            const PoolRange window_rows = adaptive_pool2d_window(row, desc.in_height, desc.out_height);
            for (int64_t column = columns.begin; column < columns.end; ++column) {
                const PoolRange window_columns = adaptive_pool2d_window(column, desc.in_width, desc.out_width);
                const auto divide_by = static_cast<float>((window_rows.end - window_rows.begin) *
                                                          (window_columns.end - window_columns.begin));
                const float share = 1.0f / divide_by;
                float gradient[N];
                load(dy + ((desc.out_height * in.image + row) * desc.out_width + column) * channels + in.channel,
                     gradient);
#pragma unroll
                for (int j = 0; j < N; ++j) sum[j] += gradient[j] * share;
            }
        }
        store(sum, dx + i * N);
    }
}

}  // namespace

velu_status adaptive_avg_pool2d_forward(DeviceContext* context, const velu_adaptive_avg_pool2d_desc* desc,
                                        const void* x, void* y) {
    return guarded(context, [&](Context& device) {
        with_element_type(desc->dtype, [&](auto element) {
            using T = decltype(element);
            with_pool_width<T>(desc->channels, desc->channels, aligned_to_16(x, y), [&](auto width) {
                constexpr int kWidth = decltype(width)::value;
                const int64_t packs = desc->batch * desc->out_height * desc->out_width * (desc->channels / kWidth);
                launch(device, adaptive_avg_pool2d_forward_kernel<kWidth, T>, grid_for(device, packs, kPoolThreads),
                       kPoolThreads, *desc, static_cast<const T*>(x), static_cast<T*>(y));
            });
        });
    });
}

velu_status adaptive_avg_pool2d_backward(DeviceContext* context, const velu_adaptive_avg_pool2d_desc* desc,
                                         const void* dy, void* dx) {
    return guarded(context, [&](Context& device) {
        with_element_type(desc->dtype, [&](auto element) {
            using T = decltype(element);
            with_pool_width<T>(desc->channels, desc->channels, aligned_to_16(dy, dx), [&](auto width) {
                constexpr int kWidth = decltype(width)::value;
                const int64_t packs = desc->batch * desc->in_height * desc->in_width * (desc->channels / kWidth);
                launch(device, adaptive_avg_pool2d_backward_kernel<kWidth, T>, grid_for(device, packs, kPoolThreads),
                       kPoolThreads, *desc, static_cast<const T*>(dy), static_cast<T*>(dx));
            });
        });
    });
}

}  // namespace velu::cuda
