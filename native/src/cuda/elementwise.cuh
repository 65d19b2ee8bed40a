// Kernels that treat every element alike: packs of 16 bytes in a grid-stride loop, and what is left one by one.
#pragma once

#include "cuda/element.cuh"
#include "cuda/launch.cuh"

namespace velu::cuda {

/// Threads per block; eight blocks of up to 32 registers per thread fill a multiprocessor.
inline constexpr int kElementwiseThreads = 256;

template <int N>
struct Width {
    static constexpr int value = N;
};

/// Shares [0, count) among the grid: body(i, Width<N>{}) for the elements i .. i + N - 1, N at a time, then
/// body(i, Width<1>{}) for the last count % N. i is a multiple of N there.
template <int N, class Body>
__device__ __forceinline__ void for_each_pack(int64_t count, const Body& body) {
    const int64_t packed = count - count % N;
    for (int64_t i = thread_index() * N; i < packed; i += thread_count() * N) body(i, Width<N>{});
    if constexpr (N > 1) {
        for (int64_t i = packed + thread_index(); i < count; i += thread_count()) body(i, Width<1>{});
    }
}

/// y[i] = Function::value(x[i]) for floats. y may be x.
/// Reads and writes an element each; what that leaves for instructions is for the function to say.
template <int N, class Function, class In, class Out>
__global__ void __launch_bounds__(kElementwiseThreads) unary_kernel(const In* x, Out* y, int64_t count) {
    for_each_pack<N>(count, [&](int64_t i, auto width) {
        float value[width.value];
        load(x + i, value);
#pragma unroll
        for (int j = 0; j < width.value; ++j) value[j] = Function::value(value[j]);
        store(value, y + i);
    });
}

/// y[i] = Function::value(a[i], b[i]) for floats. y may be a or b. Reads two elements and writes one.
template <int N, class Function, class In, class Out>
__global__ void __launch_bounds__(kElementwiseThreads) binary_kernel(const In* a, const In* b, Out* y, int64_t count) {
    for_each_pack<N>(count, [&](int64_t i, auto width) {
        float first[width.value];
        float second[width.value];
        load(a + i, first);
        load(b + i, second);
#pragma unroll
        for (int j = 0; j < width.value; ++j) first[j] = Function::value(first[j], second[j]);
        store(first, y + i);
    });
}

/// Blocks for count elements in packs of `pack`.
inline unsigned elementwise_blocks(const Context& context, int64_t count, int pack) {
    return grid_for(context, count / pack, kElementwiseThreads);
}

template <class Function, class In, class Out>
void unary(Context& context, const In* x, Out* y, int64_t count) {
    // So many that the narrower type fills 16 bytes.
    constexpr int kPack = kPackSize < In >> kPackSize<Out> ? kPackSize<In> : kPackSize<Out>;
    if (aligned_to_16(x, y)) {
        launch(context, unary_kernel<kPack, Function, In, Out>, elementwise_blocks(context, count, kPack),
               kElementwiseThreads, x, y, count);
    } else {
        launch(context, unary_kernel<1, Function, In, Out>, elementwise_blocks(context, count, 1), kElementwiseThreads,
               x, y, count);
    }
}

template <class Function, class T>
void binary(Context& context, const T* a, const T* b, T* y, int64_t count) {
    constexpr int kPack = kPackSize<T>;
    if (aligned_to_16(a, b, y)) {
        launch(context, binary_kernel<kPack, Function, T, T>, elementwise_blocks(context, count, kPack),
               kElementwiseThreads, a, b, y, count);
    } else {
        launch(context, binary_kernel<1, Function, T, T>, elementwise_blocks(context, count, 1), kElementwiseThreads, a,
               b, y, count);
    }
}

}  // namespace velu::cuda
