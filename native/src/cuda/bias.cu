#include "cuda/bias.h"

#include "cuda/channel_lanes.cuh"
#include "cuda/element.cuh"
#include "cuda/plan.h"
#include "cuda/pointwise.cuh"
#include "cuda/slice_sum.h"

#include <type_traits>

namespace velu::cuda {
namespace {

constexpr int kThreads = ChannelLanes::kThreads;

/// Reads and writes each element of y once: 8 B (FP32) or 4 B (BF16) per element, about 3 instructions each and those
/// of the activation (pointwise.cuh): limited by memory, but for SiLU, GELU and the sigmoid in BF16. A thread keeps the
/// biases of its vector of kWidth columns in registers and walks down the rows.
template <class T, int kWidth, class Activation>
__global__ void __launch_bounds__(kThreads, 4) add_bias_kernel(ChannelLanes lanes, int64_t rows, int64_t pitch,
                                                               const float* __restrict__ bias, T* __restrict__ y) {
    const int lane = static_cast<int>(threadIdx.x) % lanes.lanes;
    const int strip = static_cast<int>(threadIdx.x) / lanes.lanes;
    const int chunk = static_cast<int>(blockIdx.x) % lanes.chunks;
    const int64_t vector = int64_t{chunk} * lanes.lanes + lane;
    if (strip >= lanes.strips || vector >= lanes.vectors) return;
    float addend[kWidth];
    for (int i = 0; i < kWidth; ++i) addend[i] = bias == nullptr ? 0.0f : bias[vector * kWidth + i];
    const int64_t step = int64_t{gridDim.x / static_cast<unsigned>(lanes.chunks)} * lanes.strips;
    int64_t row = int64_t{blockIdx.x / static_cast<unsigned>(lanes.chunks)} * lanes.strips + strip;
    for (; row < rows; row += step) {
        T* at = y + row * pitch + vector * kWidth;
        float values[kWidth];
        load(at, values);
#pragma unroll
        for (int i = 0; i < kWidth; ++i) values[i] = Activation::value(values[i] + addend[i]);
        store(values, at);
    }
}

/// Reads x and the residual and writes y: 12 B (FP32) or 6 B (BF16) per element, about 4 instructions and those of the
/// activation: limited by memory. Threads as in add_bias_kernel. x or residual may be y, so neither is __restrict__.
template <class T, int kWidth, class Activation>
__global__ void __launch_bounds__(kThreads, 4)
    add_bias_and_residual_kernel(ChannelLanes lanes, int64_t rows, int64_t pitch, const T* x,
                                 const float* __restrict__ bias, const T* residual, T* y) {
    const int lane = static_cast<int>(threadIdx.x) % lanes.lanes;
    const int strip = static_cast<int>(threadIdx.x) / lanes.lanes;
    const int chunk = static_cast<int>(blockIdx.x) % lanes.chunks;
    const int64_t vector = int64_t{chunk} * lanes.lanes + lane;
    if (strip >= lanes.strips || vector >= lanes.vectors) return;
    float addend[kWidth];
    for (int i = 0; i < kWidth; ++i) addend[i] = bias[vector * kWidth + i];
    const int64_t columns = lanes.vectors * kWidth;
    const int64_t step = int64_t{gridDim.x / static_cast<unsigned>(lanes.chunks)} * lanes.strips;
    int64_t row = int64_t{blockIdx.x / static_cast<unsigned>(lanes.chunks)} * lanes.strips + strip;
    for (; row < rows; row += step) {
        float values[kWidth];
        float residuals[kWidth];
        load(x + row * pitch + vector * kWidth, values);
        load(residual + row * columns + vector * kWidth, residuals);
#pragma unroll
        for (int i = 0; i < kWidth; ++i) values[i] = Activation::value(values[i] + addend[i] + residuals[i]);
        store(values, y + row * pitch + vector * kWidth);
    }
}

/// partial[slice][column] = sum over the slice's rows. Reads dy once: limited by memory at 4 B (FP32) or 2 B (BF16) per
/// element, about 3 instructions each. Threads as in add_bias; the strips of a block are then added in order.
template <class T, int kWidth>
__global__ void __launch_bounds__(kThreads, 4)
    column_sum_kernel(ChannelLanes lanes, int64_t rows, int64_t pitch, const T* __restrict__ dy,
                      float* __restrict__ partial) {
    __shared__ float sums[kThreads * kWidth];
    const int lane = static_cast<int>(threadIdx.x) % lanes.lanes;
    const int strip = static_cast<int>(threadIdx.x) / lanes.lanes;
    const int chunk = static_cast<int>(blockIdx.x) % lanes.chunks;
    const int64_t vector = int64_t{chunk} * lanes.lanes + lane;
    const bool active = strip < lanes.strips && vector < lanes.vectors;
    const int64_t columns = lanes.vectors * kWidth;
    const int64_t slice = blockIdx.x / static_cast<unsigned>(lanes.chunks);
    const int64_t step = int64_t{gridDim.x / static_cast<unsigned>(lanes.chunks)} * lanes.strips;
    float sum[kWidth] = {};
    if (active) {
        for (int64_t row = slice * lanes.strips + strip; row < rows; row += step) {
            float values[kWidth];
            load(dy + row * pitch + vector * kWidth, values);
#pragma unroll
            for (int i = 0; i < kWidth; ++i) sum[i] += values[i];
        }
    }
#pragma unroll
    for (int i = 0; i < kWidth; ++i) sums[threadIdx.x * kWidth + i] = sum[i];
    __syncthreads();
    if (!active || strip != 0) return;
    for (int other = 1; other < lanes.strips; ++other) {
#pragma unroll
        for (int i = 0; i < kWidth; ++i) sum[i] += sums[(other * lanes.lanes + lane) * kWidth + i];
    }
#pragma unroll
    for (int i = 0; i < kWidth; ++i) partial[slice * columns + vector * kWidth + i] = sum[i];
}

/// Slices of rows that are summed apart: few enough rows for float32 sums in each, whatever the width of a vector.
int64_t column_sum_slices(int64_t rows) {
    return std::clamp<int64_t>(rows / 1024, 1, 1024);
}

template <class Body>
void with_width(bool packed, int64_t columns, int64_t pitch, int32_t dtype, const Body& body) {
    with_element_type(dtype, [&](auto type) {
        using T = decltype(type);
        if (packed && columns % kPackSize<T> == 0 && pitch % kPackSize<T> == 0) {
            body(type, std::integral_constant<int, kPackSize<T>>{});
        } else {
            body(type, std::integral_constant<int, 1>{});
        }
    });
}

/// Blocks whose threads walk down the rows: enough to fill the device, no more than there is work for.
unsigned row_blocks(const Context& context, const ChannelLanes& lanes, int64_t rows) {
    const int64_t needed = (rows + lanes.strips - 1) / lanes.strips;
    const int64_t most = std::max<int64_t>(1, int64_t{context.multiprocessors} * 8 / lanes.chunks);
    return static_cast<unsigned>(std::min(needed, most) * lanes.chunks);
}

template <class Run>
void with_identity_or(int32_t activation, const Run& run) {
    if (activation == VELU_ACTIVATION_IDENTITY) {
        run(Identity{});
    } else {
        with_activation(activation, run);
    }
}

}  // namespace

void add_bias(Context& context, int32_t dtype, int64_t rows, int64_t columns, int64_t pitch, const float* bias,
              int32_t activation, void* y) {
    with_width(aligned_to_16(y), columns, pitch, dtype, [&](auto type, auto width) {
        using T = decltype(type);
        const ChannelLanes lanes = channel_lanes(columns, width);
        with_identity_or(activation, [&](auto function) {
            launch(context, add_bias_kernel<T, width, decltype(function)>, row_blocks(context, lanes, rows), kThreads,
                   lanes, rows, pitch, bias, static_cast<T*>(y));
        });
    });
}

void add_bias_and_residual(Context& context, int32_t dtype, int64_t rows, int64_t columns, int64_t pitch, const void* x,
                           const float* bias, const void* residual, int32_t activation, void* y) {
    with_width(aligned_to_16(x, residual, y), columns, pitch, dtype, [&](auto type, auto width) {
        using T = decltype(type);
        const ChannelLanes lanes = channel_lanes(columns, width);
        with_identity_or(activation, [&](auto function) {
            launch(context, add_bias_and_residual_kernel<T, width, decltype(function)>,
                   row_blocks(context, lanes, rows), kThreads, lanes, rows, pitch, static_cast<const T*>(x), bias,
                   static_cast<const T*>(residual), static_cast<T*>(y));
        });
    });
}

size_t column_sum_workspace(int64_t rows, int64_t columns) {
    return padded(static_cast<size_t>(column_sum_slices(rows) * columns) * sizeof(float));
}

void column_sum(Context& context, int32_t dtype, int64_t rows, int64_t columns, int64_t pitch, const void* dy,
                void* workspace, float* sum) {
    const int64_t slices = column_sum_slices(rows);
    auto* partial = static_cast<float*>(workspace);
    with_width(aligned_to_16(dy), columns, pitch, dtype, [&](auto type, auto width) {
        using T = decltype(type);
        const ChannelLanes lanes = channel_lanes(columns, width);
        const auto blocks = static_cast<unsigned>(slices * lanes.chunks);
        launch(context, column_sum_kernel<T, width>, blocks, kThreads, lanes, rows, pitch, static_cast<const T*>(dy),
               partial);
    });
    add_slices(context, columns, slices, partial, sum);
}

}  // namespace velu::cuda
