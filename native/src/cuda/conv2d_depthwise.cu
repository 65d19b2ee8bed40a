// One multiply-add per loaded element and tap: nothing for tensor cores, so what counts is to move each element from
// memory once. Threads hold a vector of neighbouring channels (16 bytes where the pointers allow it) and compute
// several pixels beside each other; what neighbouring pixels and taps share comes from the caches.
#include "cuda/conv2d_depthwise.h"

#include "cuda/channel_lanes.cuh"
#include "cuda/conv2d_geometry.h"
#include "cuda/element.cuh"
#include "cuda/slice_sum.h"

#include <type_traits>

namespace velu::cuda {
namespace {

constexpr int kThreads = ChannelLanes::kThreads;
constexpr int kMostTaps = 25;
constexpr int kMostColumns = 7;  // of a filter, in the gradient of the weights
constexpr int kPixels = 4;       // beside each other, per thread

/// The place of a thread: a vector of channels, and one strip of pixels of its block.
struct Place {
    int lane;
    int strip;
    int chunk;
    int64_t vector;
    bool active;
};

__device__ __forceinline__ Place place_of(const ChannelLanes& lanes) {
    Place place;
    place.lane = static_cast<int>(threadIdx.x) % lanes.lanes;
    place.strip = static_cast<int>(threadIdx.x) / lanes.lanes;
    place.chunk = static_cast<int>(blockIdx.x % static_cast<unsigned>(lanes.chunks));
    place.vector = int64_t{place.chunk} * lanes.lanes + place.lane;
    place.active = place.strip < lanes.strips && place.vector < lanes.vectors;
    return place;
}

/// Copies the filters of a block's channels to shared memory, as [tap][lane][kWidth]. All threads call it.
template <class T, int kWidth>
__device__ __forceinline__ void load_filters(const Conv2dGeometry& g, const ChannelLanes& lanes, int chunk,
                                             const T* __restrict__ weight, float* filters) {
    const int taps = static_cast<int>(g.taps());
    const int64_t first = int64_t{chunk} * lanes.lanes * kWidth;
    const int64_t left = g.in_channels - first;
    const int channels = left < lanes.lanes * kWidth ? static_cast<int>(left) : lanes.lanes * kWidth;
    for (int i = static_cast<int>(threadIdx.x); i < channels * taps; i += kThreads) {
        const int channel = i / taps;
        filters[(i - channel * taps) * (ChannelLanes::kMostLanes * kWidth) + channel] =
            to_float(weight[first * taps + i]);
    }
    __syncthreads();
}

/// Forward. Reads x and writes y once from and to memory (8 B per element FP32, 4 B BF16, at stride 1). Per output
/// element and tap: 1 multiply-add, 1 conversion (BF16), and per vector the load, 4 comparisons and addresses: 3x3 BF16
/// about 30 instructions per element, so near the instruction limit (27); FP32 near the memory limit (55).
template <class T, int kWidth>
__global__ void __launch_bounds__(kThreads, 2)
    forward_kernel(Conv2dGeometry g, ChannelLanes lanes, const T* __restrict__ x, const T* __restrict__ weight,
                   const float* __restrict__ bias, T* __restrict__ y) {
    __shared__ float filters[kMostTaps * ChannelLanes::kMostLanes * kWidth];
    const Place place = place_of(lanes);
    load_filters<T, kWidth>(g, lanes, place.chunk, weight, filters);
    if (!place.active) return;
    const int64_t channel = place.vector * kWidth;
    const int64_t strips_per_row = (g.out_width + kPixels - 1) / kPixels;
    const int64_t strips = g.batch * g.out_height * strips_per_row;
    const int64_t step = int64_t{gridDim.x / static_cast<unsigned>(lanes.chunks)} * lanes.strips;
    int64_t strip = int64_t{blockIdx.x / static_cast<unsigned>(lanes.chunks)} * lanes.strips + place.strip;
    float start[kWidth];
#pragma unroll
    for (int i = 0; i < kWidth; ++i) start[i] = bias == nullptr ? 0.0f : bias[channel + i];

    for (; strip < strips; strip += step) {
        const int64_t line = quotient(strip, strips_per_row);
        const int64_t image = quotient(line, g.out_height);
        const int64_t first = (strip - line * strips_per_row) * kPixels;
        const int64_t top = (line - image * g.out_height) * g.stride_height - g.padding_height;
        const int64_t left = first * g.stride_width - g.padding_width;
        float sums[kPixels][kWidth];
#pragma unroll
        for (int pixel = 0; pixel < kPixels; ++pixel) {
#pragma unroll
            for (int i = 0; i < kWidth; ++i) sums[pixel][i] = start[i];
        }
        for (int kh = 0; kh < g.kernel_height; ++kh) {
            const int64_t row = top + kh * g.dilation_height;
            if (row < 0 || row >= g.in_height) continue;
            const T* pixels = x + (image * g.in_height + row) * g.in_width * g.in_channels + channel;
            for (int kw = 0; kw < g.kernel_width; ++kw) {
                const float* filter =
                    filters + (kh * static_cast<int>(g.kernel_width) + kw) * (ChannelLanes::kMostLanes * kWidth) +
                    place.lane * kWidth;
                float factor[kWidth];
#pragma unroll
                for (int i = 0; i < kWidth; ++i) factor[i] = filter[i];
#pragma unroll
                for (int pixel = 0; pixel < kPixels; ++pixel) {
                    const int64_t column = left + pixel * g.stride_width + kw * g.dilation_width;
                    if (column < 0 || column >= g.in_width) continue;
                    float values[kWidth];
                    load(pixels + column * g.in_channels, values);
#pragma unroll
                    for (int i = 0; i < kWidth; ++i) sums[pixel][i] = fmaf(values[i], factor[i], sums[pixel][i]);
                }
            }
        }
        T* out = y + (line * g.out_width + first) * g.y_pitch + channel;
#pragma unroll
        for (int pixel = 0; pixel < kPixels; ++pixel) {
            if (first + pixel < g.out_width) store(sums[pixel], out + pixel * g.y_pitch);
        }
    }
}

/// offset / stride where that is exact and >= 0, else -1. kStride is the stride, or 0 if it is known at run time only.
template <int kStride>
__device__ __forceinline__ int64_t divided(int64_t offset, int64_t stride) {
    if (offset < 0) return -1;
    if constexpr (kStride == 1) return offset;
    if constexpr (kStride == 2) return (offset & 1) == 0 ? offset >> 1 : -1;
    const int64_t whole = quotient(offset, stride);
    return whole * stride == offset ? whole : -1;
}

/// Backward data: as forward with the roles of x and y exchanged; a tap counts where its output pixel exists.
template <class T, int kWidth, int kStride>
__global__ void __launch_bounds__(kThreads, 2)
    backward_data_kernel(Conv2dGeometry g, ChannelLanes lanes, const T* __restrict__ dy, const T* __restrict__ weight,
                         T* __restrict__ dx) {
    __shared__ float filters[kMostTaps * ChannelLanes::kMostLanes * kWidth];
    const Place place = place_of(lanes);
    load_filters<T, kWidth>(g, lanes, place.chunk, weight, filters);
    if (!place.active) return;
    const int64_t channel = place.vector * kWidth;
    const int64_t strips_per_row = (g.in_width + kPixels - 1) / kPixels;
    const int64_t strips = g.batch * g.in_height * strips_per_row;
    const int64_t step = int64_t{gridDim.x / static_cast<unsigned>(lanes.chunks)} * lanes.strips;
    int64_t strip = int64_t{blockIdx.x / static_cast<unsigned>(lanes.chunks)} * lanes.strips + place.strip;

    for (; strip < strips; strip += step) {
        const int64_t line = quotient(strip, strips_per_row);
        const int64_t image = quotient(line, g.in_height);
        const int64_t first = (strip - line * strips_per_row) * kPixels;
        const int64_t bottom = line - image * g.in_height + g.padding_height;
        const int64_t right = first + g.padding_width;
        float sums[kPixels][kWidth] = {};
        for (int kh = 0; kh < g.kernel_height; ++kh) {
            const int64_t row = divided<kStride>(bottom - kh * g.dilation_height, g.stride_height);
            if (row < 0 || row >= g.out_height) continue;
            const T* pixels = dy + (image * g.out_height + row) * g.out_width * g.y_pitch + channel;
            for (int kw = 0; kw < g.kernel_width; ++kw) {
                const float* filter =
                    filters + (kh * static_cast<int>(g.kernel_width) + kw) * (ChannelLanes::kMostLanes * kWidth) +
                    place.lane * kWidth;
                float factor[kWidth];
#pragma unroll
                for (int i = 0; i < kWidth; ++i) factor[i] = filter[i];
#pragma unroll
                for (int pixel = 0; pixel < kPixels; ++pixel) {
                    const int64_t column = divided<kStride>(right + pixel - kw * g.dilation_width, g.stride_width);
                    if (column < 0 || column >= g.out_width) continue;
                    float values[kWidth];
                    load(pixels + column * g.y_pitch, values);
#pragma unroll
                    for (int i = 0; i < kWidth; ++i) sums[pixel][i] = fmaf(values[i], factor[i], sums[pixel][i]);
                }
            }
        }
        T* out = dx + (line * g.in_width + first) * g.in_channels + channel;
#pragma unroll
        for (int pixel = 0; pixel < kPixels; ++pixel) {
            if (first + pixel < g.in_width) store(sums[pixel], out + pixel * g.in_channels);
        }
    }
}

/// Backward weights, first stage: partial[slice][channel][tap]. A block sums over a slice of the image rows for one row
/// of the filter; its threads walk along a row of y and keep the sums of the row's taps in registers, the strips of the
/// block are then added in order. Reads dy and x once per row of the filter, mostly from the L2 cache.
template <class T, int kWidth, int kColumns>
__global__ void __launch_bounds__(kThreads, 2)
    backward_weights_kernel(Conv2dGeometry g, ChannelLanes lanes, const T* __restrict__ x, const T* __restrict__ dy,
                            float* __restrict__ partial) {
    __shared__ float shared[kThreads * kWidth];
    const Place place = place_of(lanes);
    const int64_t channel = place.vector * kWidth;
    const auto kernel_height = static_cast<unsigned>(g.kernel_height);
    const unsigned above = blockIdx.x / static_cast<unsigned>(lanes.chunks);
    const auto kh = static_cast<int64_t>(above % kernel_height);
    const int64_t slice = above / kernel_height;
    const int64_t slices = gridDim.x / (static_cast<unsigned>(lanes.chunks) * kernel_height);
    float sums[kColumns][kWidth] = {};
    if (place.active) {
        const int64_t rows = g.batch * g.out_height;
        for (int64_t line = slice * lanes.strips + place.strip; line < rows; line += slices * lanes.strips) {
            const int64_t image = quotient(line, g.out_height);
            const int64_t row =
                (line - image * g.out_height) * g.stride_height - g.padding_height + kh * g.dilation_height;
            if (row < 0 || row >= g.in_height) continue;
            const T* from = x + (image * g.in_height + row) * g.in_width * g.in_channels + channel;
            const T* gradient = dy + line * g.out_width * g.y_pitch + channel;
            for (int64_t pixel = 0; pixel < g.out_width; ++pixel) {
                float factor[kWidth];
                load(gradient + pixel * g.y_pitch, factor);
#pragma unroll
                for (int kw = 0; kw < kColumns; ++kw) {
                    const int64_t column = pixel * g.stride_width - g.padding_width + kw * g.dilation_width;
                    if (kw >= g.kernel_width || column < 0 || column >= g.in_width) continue;
                    float values[kWidth];
                    load(from + column * g.in_channels, values);
#pragma unroll
                    for (int i = 0; i < kWidth; ++i) sums[kw][i] = fmaf(values[i], factor[i], sums[kw][i]);
                }
            }
        }
    }
#pragma unroll
    for (int kw = 0; kw < kColumns; ++kw) {
        if (kw >= g.kernel_width) break;  // for all threads alike
        __syncthreads();
#pragma unroll
        for (int i = 0; i < kWidth; ++i) shared[threadIdx.x * kWidth + i] = sums[kw][i];
        __syncthreads();
        if (!place.active || place.strip != 0) continue;
        for (int strip = 1; strip < lanes.strips; ++strip) {
#pragma unroll
            for (int i = 0; i < kWidth; ++i) sums[kw][i] += shared[(strip * lanes.lanes + place.lane) * kWidth + i];
        }
#pragma unroll
        for (int i = 0; i < kWidth; ++i) {
            partial[slice * g.weights() + (channel + i) * g.taps() + kh * g.kernel_width + kw] = sums[kw][i];
        }
    }
}

/// Calls body(T{}, vector width) for the widest vectors that pointers and channels allow.
template <int kWidest, class Body, class... Pointers>
void with_vectors(const Conv2dGeometry& g, int32_t dtype, const Body& body, Pointers... pointers) {
    const bool aligned = aligned_to_16(pointers...);
    with_element_type(dtype, [&](auto type) {
        using T = decltype(type);
        constexpr int kWidth = std::min(kPackSize<T>, kWidest);
        const auto divides = [&](int64_t width) { return g.in_channels % width == 0 && g.y_pitch % width == 0; };
        if (aligned && divides(kWidth)) {
            body(type, std::integral_constant<int, kWidth>{});
        } else if (aligned && divides(4)) {
            body(type, std::integral_constant<int, 4>{});
        } else {
            body(type, std::integral_constant<int, 1>{});
        }
    });
}

/// Blocks for `strips` strips of pixels: enough to fill the device.
unsigned blocks_for(const Context& context, const ChannelLanes& lanes, int64_t strips) {
    const int64_t needed = (strips + lanes.strips - 1) / lanes.strips;
    const int64_t most = std::max<int64_t>(1, int64_t{context.multiprocessors} * 8 / lanes.chunks);
    return static_cast<unsigned>(std::min(needed, most) * lanes.chunks);
}

void forward(Context& context, const Conv2dGeometry& g, int32_t dtype, const Operands& operands) {
    with_vectors<8>(
        g, dtype,
        [&](auto type, auto width) {
            using T = decltype(type);
            const ChannelLanes lanes = channel_lanes(g.in_channels, width);
            const int64_t strips = g.batch * g.out_height * ((g.out_width + kPixels - 1) / kPixels);
            launch(context, forward_kernel<T, width>, blocks_for(context, lanes, strips), kThreads, g, lanes,
                   static_cast<const T*>(operands.first), static_cast<const T*>(operands.second), operands.bias,
                   static_cast<T*>(operands.out));
        },
        operands.first, operands.out);
}

void backward_data(Context& context, const Conv2dGeometry& g, int32_t dtype, const Operands& operands) {
    with_vectors<8>(
        g, dtype,
        [&](auto type, auto width) {
            using T = decltype(type);
            const ChannelLanes lanes = channel_lanes(g.in_channels, width);
            const int64_t strips = g.batch * g.in_height * ((g.in_width + kPixels - 1) / kPixels);
            const auto run = [&](auto stride) {
                launch(context, backward_data_kernel<T, width, stride>, blocks_for(context, lanes, strips), kThreads, g,
                       lanes, static_cast<const T*>(operands.first), static_cast<const T*>(operands.second),
                       static_cast<T*>(operands.out));
            };
            if (g.stride_height == 1 && g.stride_width == 1) {
                run(std::integral_constant<int, 1>{});
            } else if (g.stride_height == 2 && g.stride_width == 2) {
                run(std::integral_constant<int, 2>{});
            } else {
                run(std::integral_constant<int, 0>{});
            }
        },
        operands.first, operands.out);
}

/// Slices of image rows whose sums are made apart: enough blocks to fill the device, whatever the width of a vector.
int64_t weight_slices(const Context& context, const Conv2dGeometry& g) {
    const int64_t blocks_per_slice = (g.in_channels + 127) / 128 * g.kernel_height;
    const int64_t wanted = std::max<int64_t>(1, int64_t{context.multiprocessors} * 8 / blocks_per_slice);
    return std::clamp<int64_t>(g.batch * g.out_height / 16, 1, std::min<int64_t>(wanted, 512));
}

void backward_weights(Context& context, const Conv2dGeometry& g, int32_t dtype, int64_t slices,
                      const Operands& operands, void* workspace) {
    auto* partial = static_cast<float*>(workspace);
    with_vectors<4>(
        g, dtype,
        [&](auto type, auto width) {
            using T = decltype(type);
            const ChannelLanes lanes = channel_lanes(g.in_channels, width);
            const auto blocks = static_cast<unsigned>(slices * g.kernel_height * lanes.chunks);
            const auto run = [&](auto columns) {
                launch(context, backward_weights_kernel<T, width, columns>, blocks, kThreads, g, lanes,
                       static_cast<const T*>(operands.first), static_cast<const T*>(operands.second), partial);
            };
            if (g.kernel_width <= 3) {
                run(std::integral_constant<int, 3>{});
            } else {
                run(std::integral_constant<int, kMostColumns>{});
            }
        },
        operands.first, operands.second);
    add_slices(context, g.weights(), slices, partial, static_cast<float*>(operands.out));
}

}  // namespace

bool is_depthwise(const velu_conv2d_desc& desc) {
    return desc.groups == desc.in_channels && desc.groups == desc.out_channels && desc.kernel_width <= kMostColumns &&
           int64_t{desc.kernel_height} * desc.kernel_width <= kMostTaps;
}

Plan conv2d_depthwise(const Context& context, const velu_conv2d_desc& desc, int32_t pass) {
    const Conv2dGeometry g(desc);
    const int32_t dtype = desc.dtype;
    Plan plan;
    plan.name = "depthwise";
    plan.adds_bias = true;
    if (pass == VELU_PASS_FORWARD) {
        plan.run = [=](Context& ctx, const Operands& operands, void*) { forward(ctx, g, dtype, operands); };
    } else if (pass == VELU_PASS_BACKWARD_DATA) {
        plan.run = [=](Context& ctx, const Operands& operands, void*) { backward_data(ctx, g, dtype, operands); };
    } else {
        const int64_t slices = weight_slices(context, g);
        plan.workspace = padded(static_cast<size_t>(slices * g.weights()) * sizeof(float));
        plan.run = [=](Context& ctx, const Operands& operands, void* workspace) {
            backward_weights(ctx, g, dtype, slices, operands, workspace);
        };
    }
    return plan;
}

}  // namespace velu::cuda
