// The squared Wasserstein-2 distance to the standard normal and its gradient. No float is added atomically; the order
// of every sum depends on the shape and the device only.
//
// EMPIRICAL sorts numbered keys (radix_sort.cu) and gives each its quantile; the closed forms read a once. The gradient
// is one pass over what forward saved.
#include <bit>
#include <cmath>

#include "cuda/elementwise.cuh"
#include "cuda/moments.cuh"
#include "cuda/operations.h"
#include "cuda/radix_sort.h"
#include "math/normal_quantile.h"

namespace velu::cuda {
namespace {

constexpr int kThreads = 256;
constexpr int kMostParts = 256;

/// Bytes of a key that an element of the type has; a bfloat16 fills 16 bits, which halves the sort.
template <class T>
constexpr int kKeyBytes = static_cast<int>(sizeof(T));

template <class T>
__device__ __forceinline__ uint32_t key_of(T element) {
    return math::ordered_key(__float_as_uint(to_float(element))) >> (32 - 8 * kKeyBytes<T>);
}

template <class T>
__device__ __forceinline__ float value_of(uint32_t key) {
    constexpr int kShift = 32 - 8 * kKeyBytes<T>;
    return __uint_as_float(math::bits_of_key(key << kShift) >> kShift << kShift);
}

__device__ __forceinline__ void store_distance(const math::Moments& all, double w2, float* moments) {
    moments[0] = static_cast<float>(all.mean);
    moments[1] = static_cast<float>(math::square_root(all.m2 / all.count));
    moments[2] = static_cast<float>(w2);
}

template <class T>
__global__ void __launch_bounds__(kThreads)
    make_keys_kernel(const T* __restrict__ a, int64_t count, NumberedKey* __restrict__ keys) {
    for (int64_t i = thread_index(); i < count; i += thread_count()) {
        keys[i] = {key_of(a[i]), static_cast<uint32_t>(i)};
    }
}

/// Reads 8 bytes per key and writes 4, scattered; about 40 float64 instructions for the quantile.
template <class T>
__global__ void __launch_bounds__(kThreads)
    quantiles_kernel(const NumberedKey* __restrict__ sorted, int64_t count, float* __restrict__ saved,
                     math::Moments* __restrict__ parts, double* __restrict__ sums) {
    // A NaN is first or last.
    const float first = value_of<T>(sorted[0].key), last = value_of<T>(sorted[count - 1].key);
    const bool has_nan = first != first || last != last;
    const float nan = first != first ? first : last;
    ThreadMoments moments;
    double sum = 0;
    for (int64_t i = thread_index(); i < count; i += thread_count()) {
        const double quantile = math::normal_quantile(i, count);
        const auto value = static_cast<double>(value_of<T>(sorted[i].key));
        const double distance = value - quantile;
        sum += distance * distance;
        moments.add(value);
        if (saved != nullptr) saved[sorted[i].number] = has_nan ? nan : static_cast<float>(quantile);
    }
    const math::Moments all = block_moments(moments.moments());
    sum = block_total(sum);
    if (threadIdx.x == 0) {
        parts[blockIdx.x] = all;
        sums[blockIdx.x] = sum;
    }
}

/// One block.
__global__ void __launch_bounds__(kThreads)
    finish_empirical_kernel(const math::Moments* __restrict__ parts, const double* __restrict__ sums, int blocks,
                            float* __restrict__ moments) {
    const math::Moments all = merged_moments(parts, blocks);
    double sum = 0;
    for (int i = static_cast<int>(threadIdx.x); i < blocks; i += kThreads) sum += sums[i];
    sum = block_total(sum);
    if (threadIdx.x == 0) store_distance(all, sum / all.count, moments);
}

template <class T>
void empirical(Context& context, int64_t count, const T* a, float* saved, float* moments) {
    const unsigned blocks = grid_for(context, count, kThreads);
    const int64_t counters = radix_sort_counters(context, count);
    const size_t bytes_of_keys = static_cast<size_t>(count) * sizeof(NumberedKey);
    auto* const parts =
        context.scratch<math::Moments>(blocks * (sizeof(math::Moments) + sizeof(double)) + 2 * bytes_of_keys +
                                       static_cast<size_t>(counters) * sizeof(uint32_t));
    auto* const sums = reinterpret_cast<double*>(parts + blocks);
    auto* const keys = reinterpret_cast<NumberedKey*>(sums + blocks);
    auto* const other = keys + count;
    auto* const counts = reinterpret_cast<uint32_t*>(other + count);
    launch(context, make_keys_kernel<T>, blocks, kThreads, a, count, keys);
    radix_sort(context, kKeyBytes<T>, keys, other, count, counts);
    launch(context, quantiles_kernel<T>, blocks, kThreads, keys, count, saved, parts, sums);
    launch(context, finish_empirical_kernel, 1, kThreads, parts, sums, static_cast<int>(blocks), moments);
}

/// How x[rows][channels] is divided: a block has `lanes` neighbouring channels of one part of the rows, which its other
/// threads share.
struct ChannelTasks {
    int64_t rows, channels;
    int32_t lanes;
    int32_t parts;
};

/// parts[part][channel]: moments of a channel over the rows of a part. Reads an element once; four float64
/// instructions.
template <class T>
__global__ void __launch_bounds__(kThreads)
    channel_moments_kernel(ChannelTasks tasks, const T* __restrict__ a, math::Moments* __restrict__ parts) {
    __shared__ double shared[kThreads][3];
    const int lane = static_cast<int>(threadIdx.x) % tasks.lanes;
    const int64_t channel = int64_t{blockIdx.x} * tasks.lanes + lane;
    const int64_t part = blockIdx.y;
    const int strips = kThreads / tasks.lanes;
    ThreadMoments moments;
    if (channel < tasks.channels) {
        const int64_t end = (part + 1) * tasks.rows / tasks.parts;
        for (int64_t row = part * tasks.rows / tasks.parts + static_cast<int>(threadIdx.x) / tasks.lanes; row < end;
             row += strips) {
            moments.add(static_cast<double>(to_float(a[row * tasks.channels + channel])));
        }
    }
    const math::Moments mine = moments.moments();
    shared[threadIdx.x][0] = mine.count;
    shared[threadIdx.x][1] = mine.mean;
    shared[threadIdx.x][2] = mine.m2;
    __syncthreads();
    if (static_cast<int>(threadIdx.x) >= tasks.lanes || channel >= tasks.channels) return;
    math::Moments all = mine;
    for (int strip = 1; strip < strips; ++strip) {
        const double* const other = shared[strip * tasks.lanes + lane];
        all = math::merge(all, {other[0], other[1], other[2]});
    }
    parts[part * tasks.channels + channel] = all;
}

/// One block: a thread per channel joins its parts.
__global__ void __launch_bounds__(kThreads)
    finish_channels_kernel(ChannelTasks tasks, const math::Moments* __restrict__ parts, float* __restrict__ saved,
                           float* __restrict__ moments) {
    math::Moments all{0, 0, 0};
    double w2 = 0;
    for (int64_t c = threadIdx.x; c < tasks.channels; c += kThreads) {
        math::Moments of_channel{0, 0, 0};
        for (int32_t part = 0; part < tasks.parts; ++part) {
            of_channel = math::merge(of_channel, parts[part * tasks.channels + c]);
        }
        const double std = math::square_root(of_channel.m2 / of_channel.count);
        w2 += of_channel.mean * of_channel.mean + (std - 1.0) * (std - 1.0);
        if (saved != nullptr) {
            saved[c] = static_cast<float>(of_channel.mean);
            saved[tasks.channels + c] = static_cast<float>(std);
        }
        all = math::merge(all, of_channel);
    }
    all = block_moments(all);
    w2 = block_total(w2);
    if (threadIdx.x == 0) store_distance(all, w2 / static_cast<double>(tasks.channels), moments);
}

/// saved may be NULL.
template <class T>
void closed_form(Context& context, int64_t rows, int64_t channels, const T* a, float* saved, float* moments) {
    const auto lanes = static_cast<int32_t>(std::bit_ceil(static_cast<uint64_t>(std::min<int64_t>(channels, kWarp))));
    const int64_t groups = (channels + lanes - 1) / lanes;
    const int64_t most = std::clamp<int64_t>(int64_t{context.multiprocessors} * 8 / groups, 1, kMostParts);
    const auto parts = static_cast<int32_t>(std::clamp<int64_t>(rows * lanes / (kThreads * 8), 1, most));
    const ChannelTasks tasks{rows, channels, lanes, parts};
    auto* const of_parts =
        context.scratch<math::Moments>(static_cast<size_t>(parts * channels) * sizeof(math::Moments));
    launch(context, channel_moments_kernel<T>, dim3(static_cast<unsigned>(groups), static_cast<unsigned>(parts)),
           kThreads, tasks, a, of_parts);
    launch(context, finish_channels_kernel, 1, kThreads, tasks, of_parts, saved, moments);
}

/// y may be a.
template <int N, class T>
__global__ void __launch_bounds__(kThreads) scale_kernel(const T* a, const float* lambda, int64_t count, T* y) {
    const float factor = lambda == nullptr ? 1.0f : *lambda;
    for_each_pack<N>(count, [&](int64_t i, auto width) {
        float value[width.value];
        load(a + i, value);
#pragma unroll
        for (int j = 0; j < width.value; ++j) value[j] *= factor;
        store(value, y + i);
    });
}

/// The term's gradient by the saved means and deviations of `channels` channels (1: of the whole tensor).
struct ClosedGradient {
    const float* saved;
    int64_t channels;
    float weight;  // 2 w / n

    template <int N>
    __device__ __forceinline__ void add(int64_t i, const float (&value)[N], float (&gradient)[N]) const {
        int64_t c = i % channels;
#pragma unroll
        for (int j = 0; j < N; ++j) {
            const float mean = saved[c], std = saved[channels + c];
            const float slope = std == 0.0f ? 0.0f : (std - 1.0f) / std;
            gradient[j] += weight * (mean + slope * (value[j] - mean));
            c = c + 1 == channels ? 0 : c + 1;
        }
    }
};

/// The term's gradient by the saved quantiles.
struct EmpiricalGradient {
    const float* saved;
    float weight;

    template <int N>
    __device__ __forceinline__ void add(int64_t i, const float (&value)[N], float (&gradient)[N]) const {
#pragma unroll
        for (int j = 0; j < N; ++j) gradient[j] += weight * (value[j] - saved[i + j]);
    }
};

struct NoGradient {
    template <int N>
    __device__ __forceinline__ void add(int64_t, const float (&)[N], float (&)[N]) const {}
};

/// Reads a, dy and what was saved, writes da; limited by memory. da may be dy, which may be NULL.
template <int N, class T, class Gradient>
__global__ void __launch_bounds__(kThreads)
    wasserstein_backward_kernel(const T* __restrict__ a, const T* dy, const float* lambda, Gradient w2, int64_t count,
                                T* da, double* sums) {
    const float factor = lambda == nullptr ? 1.0f : *lambda;
    double sum = 0;
    for_each_pack<N>(count, [&](int64_t i, auto width) {
        float value[width.value];
        float gradient[width.value] = {};
        load(a + i, value);
        if (dy != nullptr) {
            load(dy + i, gradient);
#pragma unroll
            for (int j = 0; j < width.value; ++j) {
                sum += static_cast<double>(gradient[j]) * static_cast<double>(value[j]);
                gradient[j] *= factor;
            }
        }
        w2.add(i, value, gradient);
        store(gradient, da + i);
    });
    sum = block_total(sum);
    if (threadIdx.x == 0) sums[blockIdx.x] = sum;
}

/// One block.
__global__ void __launch_bounds__(kThreads)
    finish_dlambda_kernel(const double* __restrict__ sums, int blocks, float* __restrict__ dlambda) {
    double sum = 0;
    for (int i = static_cast<int>(threadIdx.x); i < blocks; i += kThreads) sum += sums[i];
    sum = block_total(sum);
    if (threadIdx.x == 0) *dlambda = static_cast<float>(sum);
}

template <class T>
void forward(Context& context, const velu_wasserstein_desc& desc, const T* a, const float* lambda, T* y, float* saved,
             float* moments) {
    const int64_t count = desc.rows * desc.channels;
    if (desc.kind == VELU_W2_EMPIRICAL) {
        empirical(context, count, a, saved, moments);
    } else if (desc.kind == VELU_W2_PER_CHANNEL) {
        closed_form(context, desc.rows, desc.channels, a, saved, moments);
    } else {
        closed_form(context, count, 1, a, saved, moments);
    }
    if (y == nullptr) return;
    const bool aligned = aligned_to_16(a, y);  // last, as y may be a
    launch(context, aligned ? scale_kernel<kPackSize<T>, T> : scale_kernel<1, T>,
           elementwise_blocks(context, count, aligned ? kPackSize<T> : 1), kThreads, a, lambda, count, y);
}

template <class T, class Gradient>
void backward(Context& context, int64_t count, const T* a, const T* dy, const float* lambda, const Gradient& w2, T* da,
              float* dlambda) {
    const bool aligned = aligned_to_16(a, dy, da);
    const unsigned blocks = elementwise_blocks(context, count, aligned ? kPackSize<T> : 1);
    auto* const sums = context.scratch<double>(blocks * sizeof(double));
    launch(
        context,
        aligned ? wasserstein_backward_kernel<kPackSize<T>, T, Gradient> : wasserstein_backward_kernel<1, T, Gradient>,
        blocks, kThreads, a, dy, lambda, w2, count, da, sums);
    if (dlambda != nullptr) {
        launch(context, finish_dlambda_kernel, 1, kThreads, sums, static_cast<int>(blocks), dlambda);
    }
}

}  // namespace

velu_status wasserstein_forward(DeviceContext* context, const velu_wasserstein_desc* desc, const void* a,
                                const float* lambda, void* y, float* saved, float* moments) {
    return guarded(context, [&](Context& device) {
        with_element_type(desc->dtype, [&](auto element) {
            using T = decltype(element);
            forward(device, *desc, static_cast<const T*>(a), lambda, static_cast<T*>(y), saved, moments);
        });
    });
}

velu_status wasserstein_backward(DeviceContext* context, const velu_wasserstein_desc* desc, const void* a,
                                 const void* dy, const float* lambda, const float* saved, void* da, float* dlambda) {
    return guarded(context, [&](Context& device) {
        with_element_type(desc->dtype, [&](auto element) {
            using T = decltype(element);
            const int64_t count = desc->rows * desc->channels;
            const auto weight =
                static_cast<float>(2.0 * static_cast<double>(desc->w2_weight) / static_cast<double>(count));
            const auto run = [&](const auto& w2) {
                backward(device, count, static_cast<const T*>(a), static_cast<const T*>(dy), lambda, w2,
                         static_cast<T*>(da), dlambda);
            };
            if (desc->w2_weight == 0.0f) {
                run(NoGradient{});
            } else if (desc->kind == VELU_W2_EMPIRICAL) {
                run(EmpiricalGradient{saved, weight});
            } else {
                run(ClosedGradient{saved, desc->kind == VELU_W2_PER_CHANNEL ? desc->channels : 1, weight});
            }
        });
    });
}

}  // namespace velu::cuda
