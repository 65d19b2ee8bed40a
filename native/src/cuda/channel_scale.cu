// Multiplication of the channels of every image by factors of its own. A thread keeps one pack of an image's channels
// and walks down the pixels, so that the factors and the sums are in registers.
#include "cuda/channel_scale.h"

#include "cuda/channel_lanes.cuh"
#include "cuda/elementwise.cuh"
#include "cuda/operations.h"

namespace velu::cuda {
namespace {

constexpr int kThreads = ChannelLanes::kThreads;

/// How x[batch][pixels][channels] is shared out: a task is a part of one image's pixels in one chunk of channels.
struct Tasks {
    int64_t batch, pixels, channels;
    ChannelLanes lanes;
    int32_t parts;  // of an image's pixels

    __host__ __device__ int64_t count() const { return batch * parts * lanes.chunks; }
};

/// Parts only as far as the images and chunks leave the device idle, of at least 8 pixels per thread.
Tasks tasks_of(const Context& context, const velu_channel_scale_desc& desc, int width) {
    Tasks tasks{desc.batch, desc.pixels, desc.channels, channel_lanes(desc.channels, width), 1};
    const int64_t wanted = int64_t{context.multiprocessors} * 8 / (desc.batch * tasks.lanes.chunks);
    const int64_t most = desc.pixels / (int64_t{tasks.lanes.strips} * 8);
    tasks.parts = static_cast<int32_t>(std::max<int64_t>(1, std::min(wanted, most)));
    return tasks;
}

/// Bytes of the parts' sums.
size_t partial_bytes(const Tasks& tasks) {
    return tasks.parts == 1 ? 0 : static_cast<size_t>(tasks.parts * tasks.batch * tasks.channels) * sizeof(double);
}

/// A thread's place in a task; `inside` is false for threads that have no channels there.
struct Place {
    bool inside;
    int lane;
    int32_t part;
    int64_t image, channel;
    int64_t pixel, step;  // the first pixel, and to the next

    template <int N>
    static __device__ __forceinline__ Place of(const Tasks& tasks, int64_t task) {
        const ChannelLanes& lanes = tasks.lanes;
        const int64_t above = quotient(task, lanes.chunks);
        Place place;
        place.image = quotient(above, tasks.parts);
        place.part = static_cast<int32_t>(above - place.image * tasks.parts);
        place.lane = static_cast<int>(threadIdx.x) % lanes.lanes;
        const int strip = static_cast<int>(threadIdx.x) / lanes.lanes;
        const int64_t vector = (task - above * lanes.chunks) * lanes.lanes + place.lane;
        place.channel = vector * N;
        place.inside = strip < lanes.strips && vector < lanes.vectors;
        place.pixel = int64_t{place.part} * lanes.strips + strip;
        place.step = int64_t{tasks.parts} * lanes.strips;
        return place;
    }
};

/// y = x scale. Reads and writes an element each, 3 instructions: limited by memory.
template <int N, class T>
__global__ void __launch_bounds__(kThreads)
    channel_scale_forward_kernel(Tasks tasks, const T* x, const T* __restrict__ scale, T* y) {
    for (int64_t task = blockIdx.x; task < tasks.count(); task += gridDim.x) {
        const Place at = Place::of<N>(tasks, task);
        if (!at.inside) continue;
        float factor[N];
        load(scale + at.image * tasks.channels + at.channel, factor);
        const int64_t first = at.image * tasks.pixels * tasks.channels + at.channel;
        for (int64_t pixel = at.pixel; pixel < tasks.pixels; pixel += at.step) {
            const int64_t offset = first + pixel * tasks.channels;
            float value[N];
            load(x + offset, value);
#pragma unroll
            for (int i = 0; i < N; ++i) value[i] *= factor[i];
            store(value, y + offset);
        }
    }
}

/// dx = dy scale, and the task's part of dscale: to partial[part][batch][channels] in float64, or where there is one
/// part only, to dscale. Reads two elements and writes one, 5 instructions: limited by memory. A thread adds 16 pixels
/// in float32 at a time, the rest in float64; the strips of a block are added in order.
template <int N, class T>
__global__ void __launch_bounds__(kThreads, 3)
    channel_scale_backward_kernel(Tasks tasks, const T* __restrict__ x, const T* __restrict__ scale, const T* dy, T* dx,
                                  double* __restrict__ partial, T* __restrict__ dscale) {
    __shared__ double sums[N][kThreads];
    for (int64_t task = blockIdx.x; task < tasks.count(); task += gridDim.x) {
        const Place at = Place::of<N>(tasks, task);
        double total[N] = {};
        if (at.inside) {
            float factor[N];
            load(scale + at.image * tasks.channels + at.channel, factor);
            const int64_t first = at.image * tasks.pixels * tasks.channels + at.channel;
            constexpr int kRun = 16;
            for (int64_t start = at.pixel; start < tasks.pixels; start += kRun * at.step) {
                float sum[N] = {};
#pragma unroll 2
                for (int of_run = 0; of_run < kRun; ++of_run) {
                    const int64_t pixel = start + of_run * at.step;
                    if (pixel >= tasks.pixels) break;
                    const int64_t offset = first + pixel * tasks.channels;
                    float value[N], gradient[N];
                    load(x + offset, value);
                    load(dy + offset, gradient);
#pragma unroll
                    for (int i = 0; i < N; ++i) {
                        sum[i] = fmaf(gradient[i], value[i], sum[i]);
                        gradient[i] *= factor[i];
                    }
                    store(gradient, dx + offset);
                }
#pragma unroll
                for (int i = 0; i < N; ++i) total[i] += static_cast<double>(sum[i]);
            }
        }
        __syncthreads();  // the sums of the task before have been read
#pragma unroll
        for (int i = 0; i < N; ++i) sums[i][threadIdx.x] = total[i];
        __syncthreads();
        if (!at.inside || static_cast<int>(threadIdx.x) >= tasks.lanes.lanes) continue;
        const int64_t to = at.image * tasks.channels + at.channel;
#pragma unroll
        for (int i = 0; i < N; ++i) {
            double sum = 0;
            for (int strip = 0; strip < tasks.lanes.strips; ++strip) {
                sum += sums[i][strip * tasks.lanes.lanes + at.lane];
            }
            if (tasks.parts == 1) {
                dscale[to + i] = from_float<T>(static_cast<float>(sum));
            } else {
                partial[at.part * tasks.batch * tasks.channels + to + i] = sum;
            }
        }
    }
}

/// dscale[i] = sum over parts of partial[parts][count]: a thread per sum.
template <class T>
__global__ void __launch_bounds__(kThreads)
    join_parts_kernel(int64_t count, int32_t parts, const double* __restrict__ partial, T* __restrict__ dscale) {
    for (int64_t i = thread_index(); i < count; i += thread_count()) {
        double sum = 0;
        for (int32_t part = 0; part < parts; ++part) sum += partial[part * count + i];
        dscale[i] = from_float<T>(static_cast<float>(sum));
    }
}

/// Calls body(T{}, Width<N>{}, tasks, blocks) with as wide packs as channels and pointers allow.
template <class Body, class... Pointers>
void with_tasks(const Context& context, const velu_channel_scale_desc& desc, const Body& body, Pointers... pointers) {
    with_element_type(desc.dtype, [&](auto element) {
        using T = decltype(element);
        const auto run = [&](auto width) {
            const Tasks tasks = tasks_of(context, desc, decltype(width)::value);
            body(element, width, tasks, grid_for(context, tasks.count(), 1));
        };
        if (aligned_to_16(pointers...) && desc.channels % kPackSize<T> == 0) {
            run(Width<kPackSize<T>>{});
        } else {
            run(Width<1>{});
        }
    });
}

}  // namespace

size_t channel_scale_workspace(const Context& context, const velu_channel_scale_desc& desc) {
    size_t bytes = partial_bytes(tasks_of(context, desc, 1));
    for (const int width : {4, 8}) {
        if (desc.channels % width == 0) bytes = std::max(bytes, partial_bytes(tasks_of(context, desc, width)));
    }
    return bytes;
}

velu_status channel_scale_forward(DeviceContext* context, const velu_channel_scale_desc* desc, const void* x,
                                  const void* scale, void* y) {
    return guarded(context, [&](Context& device) {
        with_tasks(
            device, *desc,
            [&](auto element, auto width, const Tasks& tasks, unsigned blocks) {
                using T = decltype(element);
                launch(device, channel_scale_forward_kernel<decltype(width)::value, T>, blocks, kThreads, tasks,
                       static_cast<const T*>(x), static_cast<const T*>(scale), static_cast<T*>(y));
            },
            x, scale, y);
    });
}

velu_status channel_scale_backward(DeviceContext* context, const velu_channel_scale_desc* desc, const void* x,
                                   const void* scale, const void* dy, void* dx, void* dscale) {
    return guarded(context, [&](Context& device) {
        with_tasks(
            device, *desc,
            [&](auto element, auto width, const Tasks& tasks, unsigned blocks) {
                using T = decltype(element);
                const int64_t count = desc->batch * desc->channels;
                double* partial = nullptr;
                if (tasks.parts > 1) partial = device.scratch<double>(partial_bytes(tasks));
                launch(device, channel_scale_backward_kernel<decltype(width)::value, T>, blocks, kThreads, tasks,
                       static_cast<const T*>(x), static_cast<const T*>(scale), static_cast<const T*>(dy),
                       static_cast<T*>(dx), partial, static_cast<T*>(dscale));
                if (tasks.parts > 1) {
                    launch(device, join_parts_kernel<T>, grid_for(device, count, kThreads), kThreads, count,
                           tasks.parts, partial, static_cast<T*>(dscale));
                }
            },
            x, scale, dy, dx);
    });
}

}  // namespace velu::cuda
