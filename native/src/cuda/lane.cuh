// One element of one CUDA thread as a vector type of math/simd.h, for the formulas of src/math, with the device's fast
// division, root and power.
//
// Division, sqrt and exp are MUFU instructions of at most 2 units in the last place (2^-22); as IEEE operations they
// would be about 10 instructions each and a branch. A quotient by more than 2^126 is 0; the formulas only divide by
// that where it makes no difference. Everything else is one instruction. Where math/velu_math.h would skip work for a
// whole vector, a lane does not: lanes of a warp would part.
#pragma once

#include <cuda_runtime.h>

#include <cstdint>

#include "math/host_device.h"

namespace velu::cuda {

/// 1 / a for |a| in [2^-126, 2^126]; 0 above.
__device__ __forceinline__ float approximate_reciprocal(float a) {
#ifdef __CUDA_ARCH__
    float r;
    asm("rcp.approx.ftz.f32 %0, %1;" : "=f"(r) : "f"(a));
    return r;
#else
    return 1.0f / a;
#endif
}

/// 2^a, subnormal results included.
__device__ __forceinline__ float approximate_exp2(float a) {
#ifdef __CUDA_ARCH__
    float r;
    asm("ex2.approx.f32 %0, %1;" : "=f"(r) : "f"(a));
    return r;
#else
    return exp2f(a);
#endif
}

/// The same, 0 for subnormal results: one instruction.
__device__ __forceinline__ float approximate_exp2_or_zero(float a) {
#ifdef __CUDA_ARCH__
    float r;
    asm("ex2.approx.ftz.f32 %0, %1;" : "=f"(r) : "f"(a));
    return r;
#else
    return exp2f(a);
#endif
}

__device__ __forceinline__ float approximate_square_root(float a) {
#ifdef __CUDA_ARCH__
    float r;
    asm("sqrt.approx.ftz.f32 %0, %1;" : "=f"(r) : "f"(a));
    return r;
#else
    return sqrtf(a);
#endif
}

struct LaneMask {
    bool v;
};
__device__ __forceinline__ LaneMask operator&(LaneMask a, LaneMask b) {
    return {a.v && b.v};
}
__device__ __forceinline__ LaneMask operator|(LaneMask a, LaneMask b) {
    return {a.v || b.v};
}
__device__ __forceinline__ bool all(LaneMask) {
    return false;
}

struct Lane {
    using Mask = LaneMask;

    float v;

    __device__ __forceinline__ Lane(float value) : v(value) {}
};

__device__ __forceinline__ Lane operator+(Lane a, Lane b) {
    return a.v + b.v;
}
__device__ __forceinline__ Lane operator-(Lane a, Lane b) {
    return a.v - b.v;
}
__device__ __forceinline__ Lane operator*(Lane a, Lane b) {
    return a.v * b.v;
}
__device__ __forceinline__ Lane operator/(Lane a, Lane b) {
    return a.v * approximate_reciprocal(b.v);
}
__device__ __forceinline__ Lane operator-(Lane a) {
    return -a.v;
}
__device__ __forceinline__ Lane fused_mul_add(Lane a, Lane b, Lane c) {
    return fmaf(a.v, b.v, c.v);
}
__device__ __forceinline__ Lane mul_add(Lane a, Lane b, Lane c) {
    return fmaf(a.v, b.v, c.v);
}
__device__ __forceinline__ LaneMask operator<(Lane a, Lane b) {
    return {a.v < b.v};
}
__device__ __forceinline__ LaneMask operator<=(Lane a, Lane b) {
    return {a.v <= b.v};
}
__device__ __forceinline__ LaneMask operator>(Lane a, Lane b) {
    return {a.v > b.v};
}
__device__ __forceinline__ LaneMask operator>=(Lane a, Lane b) {
    return {a.v >= b.v};
}
__device__ __forceinline__ LaneMask is_nan(Lane a) {
    return {a.v != a.v};
}
__device__ __forceinline__ Lane select(LaneMask mask, Lane a, Lane b) {
    return mask.v ? a : b;
}
__device__ __forceinline__ Lane min(Lane a, Lane b) {
    return a.v < b.v ? a : b;
}
__device__ __forceinline__ Lane max(Lane a, Lane b) {
    return a.v > b.v ? a : b;
}
__device__ __forceinline__ Lane abs(Lane a) {
    return fabsf(a.v);
}
__device__ __forceinline__ Lane with_sign_flipped_by(Lane a, Lane b) {
    return __uint_as_float(__float_as_uint(a.v) ^ (__float_as_uint(b.v) & 0x80000000u));
}
__device__ __forceinline__ Lane sqrt(Lane a) {
    return approximate_square_root(a.v);
}

/// exp(x + rest) as math/exponential.h's, which argument-dependent lookup passes over for this one: 2^t with
/// t = x log2(e), and what t lost to rounding put back by the first term of its series.
__device__ __forceinline__ Lane exp_of_nonpositive(Lane x, Lane rest) {
    constexpr float kLog2E = 1.44269502e+00f, kLog2ELow = 1.92596299e-08f, kLn2 = 6.93147181e-01f;
    const float bounded = max(Lane(-110.0f), x).v;
    const float t = bounded * kLog2E;
    const float lost = fmaf(bounded, kLog2ELow, fmaf(bounded, kLog2E, -t));
    const float power = approximate_exp2(t);
    return fmaf(power, fmaf(lost, kLn2, rest.v), power);
}

}  // namespace velu::cuda
