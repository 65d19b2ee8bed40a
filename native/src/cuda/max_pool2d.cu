// Max pooling.
#include "cuda/operations.h"
#include "cuda/pool2d.cuh"

namespace velu::cuda {
namespace {

// Reads an input element from memory once, and from the cache for every other window that covers it; writes an output
// element and, in training, a byte. For 3 x 3 windows with stride 2 that is 21 bytes per float32 output, so a budget of
// 145 instructions (77 for bfloat16); each of the 9 candidates takes about 5, and a pack of channels shares the 100 of
// its place. Limited by memory; bfloat16 just so.
template <int N, class T>
__global__ void __launch_bounds__(kPoolThreads, 3)
    max_pool2d_forward_kernel(velu_pool2d_desc desc, int64_t y_pitch, const T* __restrict__ x, T* __restrict__ y,
                              uint8_t* __restrict__ argmax) {
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
        const int64_t top = out.row * desc.stride_height - desc.padding_height;
        const int64_t left = out.column * desc.stride_width - desc.padding_width;
        // A window of -inf chooses its first pixel inside the image.
        const int first = static_cast<int>((rows.begin - top) * desc.kernel_width + (columns.begin - left));
        float best[N];
        int position[N];
#pragma unroll
        for (int j = 0; j < N; ++j) {
            best[j] = __uint_as_float(0xFF800000u);  // -inf
            position[j] = first;
        }
        for (int64_t row = rows.begin; row < rows.end; ++row) {
            const T* pixel = x + ((out.image * desc.in_height + row) * desc.in_width + columns.begin) * channels;
            int here = static_cast<int>((row - top) * desc.kernel_width + (columns.begin - left));
            for (int64_t column = columns.begin; column < columns.end; ++column, ++here, pixel += channels) {
                float value[N];
                load(pixel + out.channel, value);
#pragma unroll
                for (int j = 0; j < N; ++j) {
                    // Greater or unordered: a NaN replaces every number, and nothing replaces a NaN.
                    const bool better = !(value[j] <= best[j]) && best[j] == best[j];
                    best[j] = better ? value[j] : best[j];
                    position[j] = better ? here : position[j];
                }
            }
        }
        store(best, y + out.pixel * y_pitch + out.channel);
        if (argmax != nullptr) {
            Pack<uint8_t, N> positions;
#pragma unroll
            for (int j = 0; j < N; ++j) positions.element[j] = static_cast<uint8_t>(position[j]);
            *reinterpret_cast<Pack<uint8_t, N>*>(argmax + i * N) = positions;
        }
    }
}

// A gather: each input pixel adds the windows that chose it, in the order of the windows, so that the sum has one order
// and nothing is added atomically. Reads dy and argmax from memory once, and from the cache for every other pixel of
// the window; writes dx. For 3 x 3 windows with stride 2 that is 5 1/4 bytes per input element, so a budget of 36
// instructions (19 for bfloat16): 2 1/4 windows of 4 instructions, and a share of the 200 of the pack's place. float32
// is limited by instructions and memory alike, bfloat16 by instructions.
template <int N, class T>
__global__ void __launch_bounds__(kPoolThreads, 3)
    max_pool2d_backward_kernel(velu_pool2d_desc desc, int64_t y_pitch, const T* __restrict__ dy,
                               const uint8_t* __restrict__ argmax, T* __restrict__ dx) {
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
            const int window_row = static_cast<int>(in.row + desc.padding_height - row * desc.stride_height);
            for (int64_t column = columns.begin; column < columns.end; ++column) {
                const int window_column = static_cast<int>(in.column + desc.padding_width - column * desc.stride_width);
                const int here = window_row * desc.kernel_width + window_column;
                const int64_t pixel = (out_height * in.image + row) * out_width + column;
                const Pack<uint8_t, N> chosen =
                    *reinterpret_cast<const Pack<uint8_t, N>*>(argmax + pixel * channels + in.channel);
                float gradient[N];
                load(dy + pixel * y_pitch + in.channel, gradient);
#pragma unroll
                for (int j = 0; j < N; ++j) sum[j] += chosen.element[j] == here ? gradient[j] : 0.0f;
            }
        }
        store(sum, dx + i * N);
    }
}

/// Whether packs of the positions can be moved at once: a pack of 16 bytes has at most 8 of them.
bool positions_aligned(const uint8_t* argmax) {
    return reinterpret_cast<uintptr_t>(argmax) % 8 == 0;
}

}  // namespace

velu_status max_pool2d_forward(DeviceContext* context, const velu_pool2d_desc* desc, const void* x, void* y,
                               uint8_t* argmax) {
    return guarded(context, [&](Context& device) {
        with_element_type(desc->dtype, [&](auto element) {
            using T = decltype(element);
            const bool aligned = aligned_to_16(x, y) && positions_aligned(argmax);
            with_pool_width<T>(desc->channels, pool2d_y_pitch(*desc), aligned, [&](auto width) {
                constexpr int kWidth = decltype(width)::value;
                const int64_t packs =
                    desc->batch * pool2d_out_height(*desc) * pool2d_out_width(*desc) * (desc->channels / kWidth);
                launch(device, max_pool2d_forward_kernel<kWidth, T>, grid_for(device, packs, kPoolThreads),
                       kPoolThreads, *desc, pool2d_y_pitch(*desc), static_cast<const T*>(x), static_cast<T*>(y),
                       argmax);
            });
        });
    });
}

velu_status max_pool2d_backward(DeviceContext* context, const velu_pool2d_desc* desc, const void* dy,
                                const uint8_t* argmax, void* dx) {
    return guarded(context, [&](Context& device) {
        with_element_type(desc->dtype, [&](auto element) {
            using T = decltype(element);
            const bool aligned = aligned_to_16(dy, dx) && positions_aligned(argmax);
            with_pool_width<T>(desc->channels, pool2d_y_pitch(*desc), aligned, [&](auto width) {
                constexpr int kWidth = decltype(width)::value;
                const int64_t packs = desc->batch * desc->in_height * desc->in_width * (desc->channels / kWidth);
                launch(device, max_pool2d_backward_kernel<kWidth, T>, grid_for(device, packs, kPoolThreads),
                       kPoolThreads, *desc, pool2d_y_pitch(*desc), static_cast<const T*>(dy), argmax,
                       static_cast<T*>(dx));
            });
        });
    });
}

}  // namespace velu::cuda
