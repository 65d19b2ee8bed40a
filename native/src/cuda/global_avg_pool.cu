// Global average pooling. A block has one image and up to 32 packs of its channels; the threads of a pack share its
// pixels.
#include "cuda/elementwise.cuh"
#include "cuda/operations.h"

namespace velu::cuda {
namespace {

constexpr int kThreads = 256;
constexpr int kMaxPacks = 32;  // packs side by side in a block: a warp reads 512 bytes in a row

/// The block's and the thread's part of [image][pixel][channel].
struct Slice {
    int64_t image;
    int64_t channel;  // first of the thread's pack; may lie past the last channel
    int pixel;        // first of the thread's pixels, `pixels` apart
    int pixels;
};

/// packs: packs side by side, a power of two up to kMaxPacks. task: index of image and channels.
template <int N>
__device__ __forceinline__ Slice slice_of(int64_t task, int64_t channels, int packs) {
    const int64_t tiles = (channels + packs * N - 1) / (packs * N);
    const int64_t image = task / tiles;
    const int thread = static_cast<int>(threadIdx.x);
    return {image, (task - image * tiles) * packs * N + thread % packs * N, thread / packs, kThreads / packs};
}

// Reads every element once; limited by memory. Per element one addition in float32 and a sixteenth of one in float64:
// sums of 16 pixels are added up in float64, so the error does not grow with the image. The threads' sums are added in
// the order of the threads.
template <int N, class T>
__global__ void __launch_bounds__(kThreads, 3)
    global_avg_pool_forward_kernel(int64_t batch, int64_t pixels, int64_t channels, int packs, const T* __restrict__ x,
                                   T* __restrict__ y) {
    __shared__ double sums[N * kThreads];  // [channel of the pack][thread]
    const int64_t tasks = batch * ((channels + packs * N - 1) / (packs * N));
    for (int64_t task = blockIdx.x; task < tasks; task += gridDim.x) {
        const Slice slice = slice_of<N>(task, channels, packs);
        double sum[N] = {};
        if (slice.channel < channels) {
            constexpr int kChunk = 16;
            const T* from = x + slice.image * pixels * channels + slice.channel;
            for (int64_t pixel = slice.pixel; pixel < pixels; pixel += int64_t{kChunk} * slice.pixels) {
                float part[N] = {};
#pragma unroll 4
                for (int step = 0; step < kChunk; ++step) {
                    const int64_t at = pixel + int64_t{step} * slice.pixels;
                    if (at < pixels) {
                        float value[N];
                        load(from + at * channels, value);
#pragma unroll
                        for (int j = 0; j < N; ++j) part[j] += value[j];
                    }
                }
#pragma unroll
                for (int j = 0; j < N; ++j) sum[j] += static_cast<double>(part[j]);
            }
        }
        __syncthreads();  // the sums of the task before have been read
#pragma unroll
        for (int j = 0; j < N; ++j) sums[j * kThreads + static_cast<int>(threadIdx.x)] = sum[j];
        __syncthreads();
        const int64_t first = slice.channel - static_cast<int>(threadIdx.x) % packs * N;  // of the block
        for (int c = static_cast<int>(threadIdx.x); c < packs * N; c += kThreads) {
            if (first + c >= channels) continue;
            double total = 0;
            for (int group = 0; group < slice.pixels; ++group) total += sums[c % N * kThreads + group * packs + c / N];
            y[slice.image * channels + first + c] =
                from_float<T>(static_cast<float>(total / static_cast<double>(pixels)));
        }
    }
}

// Writes every element once; limited by memory. A thread divides its pack once and then only stores.
template <int N, class T>
__global__ void __launch_bounds__(kThreads)
    global_avg_pool_backward_kernel(int64_t batch, int64_t pixels, int64_t channels, int packs,
                                    const T* __restrict__ dy, T* __restrict__ dx) {
    const int64_t tasks = batch * ((channels + packs * N - 1) / (packs * N));
    for (int64_t task = blockIdx.x; task < tasks; task += gridDim.x) {
        const Slice slice = slice_of<N>(task, channels, packs);
        if (slice.channel >= channels) continue;
        float share[N];
        load(dy + slice.image * channels + slice.channel, share);
#pragma unroll
        for (int j = 0; j < N; ++j) share[j] /= static_cast<float>(pixels);
        T* to = dx + slice.image * pixels * channels + slice.channel;
        for (int64_t pixel = slice.pixel; pixel < pixels; pixel += slice.pixels) store(share, to + pixel * channels);
    }
}

/// Calls body(Width<N>{}, packs, blocks) with the channels per thread, the packs side by side and the grid.
template <class T, class Body>
void with_slices(const Context& context, const velu_global_avg_pool_desc& desc, bool aligned, const Body& body) {
    const auto run = [&](auto width) {
        constexpr int kWidth = decltype(width)::value;
        const int64_t needed = desc.channels / kWidth;
        int packs = 1;
        while (packs < kMaxPacks && packs < needed) packs *= 2;
        const int64_t tasks = desc.batch * ((desc.channels + packs * kWidth - 1) / (packs * kWidth));
        body(width, packs, grid_for(context, tasks, 1));
    };
    if (aligned && desc.channels % kPackSize<T> == 0) {
        run(Width<kPackSize<T>>{});
    } else {
        run(Width<1>{});
    }
}

}  // namespace

velu_status global_avg_pool_forward(DeviceContext* context, const velu_global_avg_pool_desc* desc, const void* x,
                                    void* y) {
    return guarded(context, [&](Context& device) {
        with_element_type(desc->dtype, [&](auto element) {
            using T = decltype(element);
            with_slices<T>(device, *desc, aligned_to_16(x), [&](auto width, int packs, unsigned blocks) {
                launch(device, global_avg_pool_forward_kernel<decltype(width)::value, T>, blocks, kThreads, desc->batch,
                       desc->pixels, desc->channels, packs, static_cast<const T*>(x), static_cast<T*>(y));
            });
        });
    });
}

velu_status global_avg_pool_backward(DeviceContext* context, const velu_global_avg_pool_desc* desc, const void* dy,
                                     void* dx) {
    return guarded(context, [&](Context& device) {
        with_element_type(desc->dtype, [&](auto element) {
            using T = decltype(element);
            with_slices<T>(device, *desc, aligned_to_16(dy, dx), [&](auto width, int packs, unsigned blocks) {
                launch(device, global_avg_pool_backward_kernel<decltype(width)::value, T>, blocks, kThreads,
                       desc->batch, desc->pixels, desc->channels, packs, static_cast<const T*>(dy),
                       static_cast<T*>(dx));
            });
        });
    });
}

}  // namespace velu::cuda
