// Elements of tensors as kernels see them: stored as float or BFloat16, computed in float, moved 16 bytes at a time.
#pragma once

#include <velu/velu.h>

#include <cuda_runtime.h>

#include <cstdint>
#include <type_traits>

namespace velu::cuda {

/// The upper half of a float. Rounds to nearest, ties to even; a NaN stays a NaN.
struct BFloat16 {
    uint16_t bits;
};

__device__ __forceinline__ float to_float(float value) {
    return value;
}
__device__ __forceinline__ float to_float(BFloat16 value) {
    return __uint_as_float(static_cast<uint32_t>(value.bits) << 16);
}

template <class T>
__device__ __forceinline__ T from_float(float value);

template <>
__device__ __forceinline__ float from_float<float>(float value) {
    return value;
}
template <>
__device__ __forceinline__ BFloat16 from_float<BFloat16>(float value) {
#ifdef __CUDA_ARCH__
    uint16_t bits;
    asm("cvt.rn.bf16.f32 %0, %1;" : "=h"(bits) : "f"(value));  // one instruction
    return {bits};
#else
    const uint32_t all = __float_as_uint(value);
    if (value != value) return {static_cast<uint16_t>((all >> 16) | 0x40u)};
    return {static_cast<uint16_t>((all + 0x7FFFu + ((all >> 16) & 1u)) >> 16)};
#endif
}

/// Two numbers rounded to BFloat16, the first in the lower half.
__device__ __forceinline__ uint32_t two_bfloat16(float first, float second) {
#ifdef __CUDA_ARCH__
    uint32_t bits;
    asm("cvt.rn.bf16x2.f32 %0, %1, %2;" : "=r"(bits) : "f"(second), "f"(first));  // one instruction
    return bits;
#else
    return static_cast<uint32_t>(from_float<BFloat16>(first).bits) |
           static_cast<uint32_t>(from_float<BFloat16>(second).bits) << 16;
#endif
}

/// Elements of T in one access of 16 bytes: 4 floats or 8 BFloat16.
template <class T>
inline constexpr int kPackSize = 16 / static_cast<int>(sizeof(T));

/// N consecutive elements that are loaded and stored by as few accesses as their alignment (that of all of them, at
/// most 16 bytes) allows.
template <class T, int N>
struct alignas(sizeof(T) * N < 16 ? sizeof(T) * N : 16) Pack {
    T element[N];
};

/// Loads N elements as floats. from is aligned to min(16, N sizeof(T)) bytes; N is a power of two.
template <int N, class T>
__device__ __forceinline__ void load(const T* from, float (&to)[N]) {
    if constexpr (std::is_same_v<T, BFloat16> && N > 1) {
        // Two at a time: a shift for the lower, a mask for the upper.
        const Pack<uint32_t, N / 2> pack = *reinterpret_cast<const Pack<uint32_t, N / 2>*>(from);
#pragma unroll
        for (int i = 0; i < N / 2; ++i) {
            to[2 * i] = __uint_as_float(pack.element[i] << 16);
            to[2 * i + 1] = __uint_as_float(pack.element[i] & 0xFFFF0000u);
        }
    } else {
        const Pack<T, N> pack = *reinterpret_cast<const Pack<T, N>*>(from);
#pragma unroll
        for (int i = 0; i < N; ++i) to[i] = to_float(pack.element[i]);
    }
}

/// Stores N floats as elements, rounded. to is aligned as in load.
template <int N, class T>
__device__ __forceinline__ void store(const float (&from)[N], T* to) {
    if constexpr (std::is_same_v<T, BFloat16> && N > 1) {
        Pack<uint32_t, N / 2> pack;
#pragma unroll
        for (int i = 0; i < N / 2; ++i) pack.element[i] = two_bfloat16(from[2 * i], from[2 * i + 1]);
        *reinterpret_cast<Pack<uint32_t, N / 2>*>(to) = pack;
    } else {
        Pack<T, N> pack;
#pragma unroll
        for (int i = 0; i < N; ++i) pack.element[i] = from_float<T>(from[i]);
        *reinterpret_cast<Pack<T, N>*>(to) = pack;
    }
}

/// Calls body(T{}) with the element type of a dtype.
template <class Body>
void with_element_type(int32_t dtype, const Body& body) {
    if (dtype == VELU_DTYPE_BF16) {
        body(BFloat16{});
    } else {
        body(float{});
    }
}

/// Whether all pointers (NULL counts as aligned) allow accesses of 16 bytes.
template <class... Pointers>
bool aligned_to_16(Pointers... pointers) {
    return ((reinterpret_cast<uintptr_t>(pointers) | ...) & 15u) == 0;
}

}  // namespace velu::cuda
