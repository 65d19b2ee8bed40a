// One float32 under the names of simd.h: a CUDA thread, the host where no vector type fits, and tests.
#pragma once

#include <cstdint>

#include "math/bfloat16.h"
#include "math/host_device.h"

#ifdef __CUDACC__
#define VELU_SCALAR VELU_HOST_DEVICE __forceinline__
#else
#define VELU_SCALAR __attribute__((always_inline)) inline
#endif

namespace velu::simd {

struct F64x1 {
    double v;

    VELU_SCALAR F64x1() : v(0) {}
    VELU_SCALAR explicit F64x1(double value) : v(value) {}
};
VELU_SHARED_INLINE F64x1 operator+(F64x1 a, F64x1 b) {
    return F64x1(a.v + b.v);
}
VELU_SHARED_INLINE F64x1 operator-(F64x1 a, F64x1 b) {
    return F64x1(a.v - b.v);
}
VELU_SHARED_INLINE F64x1 operator*(F64x1 a, F64x1 b) {
    return F64x1(a.v * b.v);
}
VELU_SHARED_INLINE F64x1 mul_add(F64x1 a, F64x1 b, F64x1 c) {
    return F64x1(a.v * b.v + c.v);
}
VELU_SHARED_INLINE double sum(F64x1 a) {
    return a.v;
}
VELU_SHARED_INLINE void store(F64x1 a, double* to) {
    *to = a.v;
}

struct M32x1 {
    bool v;
};
VELU_SHARED_INLINE M32x1 operator&(M32x1 a, M32x1 b) {
    return {a.v && b.v};
}
VELU_SHARED_INLINE M32x1 operator|(M32x1 a, M32x1 b) {
    return {a.v || b.v};
}
VELU_SHARED_INLINE bool all(M32x1 mask) {
    return mask.v;
}

VELU_SHARED_INLINE uint32_t float_bits(float a) {
#ifdef __CUDA_ARCH__
    return __float_as_uint(a);
#else
    return __builtin_bit_cast(uint32_t, a);
#endif
}
VELU_SHARED_INLINE float float_from_bits(uint32_t a) {
#ifdef __CUDA_ARCH__
    return __uint_as_float(a);
#else
    return __builtin_bit_cast(float, a);
#endif
}
VELU_SHARED_INLINE float from_bfloat16(BFloat16 a) {
    return float_from_bits(static_cast<uint32_t>(a.bits) << 16);
}
VELU_SHARED_INLINE BFloat16 to_bfloat16(float a) {
    return bfloat16_from_float_bits(float_bits(a));
}

struct F32x1 {
    using Mask = M32x1;
    using Wide = F64x1;
    static constexpr int kLanes = 1;

    float v;

    VELU_SCALAR F32x1(float value) : v(value) {}
    VELU_SCALAR static F32x1 load(const float* from) { return *from; }
    VELU_SCALAR static F32x1 load(const float* from, int count, F32x1 fill) { return count > 0 ? F32x1(*from) : fill; }
    VELU_SCALAR void store(float* to) const { *to = v; }
    VELU_SCALAR void store(float* to, int count) const {
        if (count > 0) *to = v;
    }
    VELU_SCALAR static F32x1 load(const BFloat16* from) { return from_bfloat16(*from); }
    VELU_SCALAR static F32x1 load(const BFloat16* from, int count, F32x1 fill) { return count > 0 ? load(from) : fill; }
    VELU_SCALAR void store(BFloat16* to) const { *to = to_bfloat16(v); }
    VELU_SCALAR void store(BFloat16* to, int count) const {
        if (count > 0) store(to);
    }
};

VELU_SHARED_INLINE F32x1 operator+(F32x1 a, F32x1 b) {
    return a.v + b.v;
}
VELU_SHARED_INLINE F32x1 operator-(F32x1 a, F32x1 b) {
    return a.v - b.v;
}
VELU_SHARED_INLINE F32x1 operator*(F32x1 a, F32x1 b) {
    return a.v * b.v;
}
VELU_SHARED_INLINE F32x1 operator/(F32x1 a, F32x1 b) {
    return a.v / b.v;
}
VELU_SHARED_INLINE F32x1 operator-(F32x1 a) {
    return -a.v;
}

VELU_SHARED_INLINE F32x1 fused_mul_add(F32x1 a, F32x1 b, F32x1 c) {
#if defined(__CUDA_ARCH__)
    return __fmaf_rn(a.v, b.v, c.v);
#elif defined(__FMA__)
    return __builtin_fmaf(a.v, b.v, c.v);
#else
    // The product is exact in float64; the sum is too wherever it cancels, so its sign is always right.
    return static_cast<float>(static_cast<double>(a.v) * static_cast<double>(b.v) + static_cast<double>(c.v));
#endif
}
VELU_SHARED_INLINE F32x1 mul_add(F32x1 a, F32x1 b, F32x1 c) {
#if defined(__CUDA_ARCH__) || defined(__FMA__)
    return fused_mul_add(a, b, c);
#else
    return a.v * b.v + c.v;
#endif
}

VELU_SHARED_INLINE M32x1 operator<(F32x1 a, F32x1 b) {
    return {a.v < b.v};
}
VELU_SHARED_INLINE M32x1 operator<=(F32x1 a, F32x1 b) {
    return {a.v <= b.v};
}
VELU_SHARED_INLINE M32x1 operator>(F32x1 a, F32x1 b) {
    return {a.v > b.v};
}
VELU_SHARED_INLINE M32x1 operator>=(F32x1 a, F32x1 b) {
    return {a.v >= b.v};
}
VELU_SHARED_INLINE M32x1 is_nan(F32x1 a) {
    return {a.v != a.v};
}
VELU_SHARED_INLINE F32x1 select(M32x1 mask, F32x1 a, F32x1 b) {
    return mask.v ? a : b;
}

VELU_SHARED_INLINE F32x1 min(F32x1 a, F32x1 b) {
    return a.v < b.v ? a : b;
}
VELU_SHARED_INLINE F32x1 max(F32x1 a, F32x1 b) {
    return a.v > b.v ? a : b;
}
VELU_SHARED_INLINE F32x1 abs(F32x1 a) {
    return float_from_bits(float_bits(a.v) & 0x7FFFFFFFu);
}
VELU_SHARED_INLINE F32x1 larger_size(F32x1 a, F32x1 b) {
    return max(abs(a), abs(b));
}
VELU_SHARED_INLINE F32x1 with_sign_flipped_by(F32x1 a, F32x1 b) {
    return float_from_bits(float_bits(a.v) ^ (float_bits(b.v) & 0x80000000u));
}
VELU_SHARED_INLINE F32x1 sqrt(F32x1 a) {
#ifdef __CUDA_ARCH__
    return __fsqrt_rn(a.v);
#else
    return __builtin_sqrtf(a.v);
#endif
}
VELU_SHARED_INLINE F32x1 round(F32x1 a) {
    constexpr float kUnitsInTheLastPlaceAreOne = 12582912.0f;  // 1.5 * 2^23
    return (a.v + kUnitsInTheLastPlaceAreOne) - kUnitsInTheLastPlaceAreOne;
}
VELU_SHARED_INLINE F32x1 scaled_by_power_of_two(F32x1 a, F32x1 k) {
    const int32_t whole = static_cast<int32_t>(k.v);
    const int32_t half = whole >> 1;
    const float first = float_from_bits(static_cast<uint32_t>(half + 127) << 23);
    const float second = float_from_bits(static_cast<uint32_t>(whole - half + 127) << 23);
    return a.v * first * second;
}

VELU_SHARED_INLINE float first(F32x1 a) {
    return a.v;
}
VELU_SHARED_INLINE F32x1 first_lanes(F32x1 a, int count, F32x1 fill) {
    return count > 0 ? a : fill;
}
VELU_SHARED_INLINE float sum(F32x1 a) {
    return a.v;
}
VELU_SHARED_INLINE F64x1 widen(F32x1 a) {
    return F64x1(static_cast<double>(a.v));
}

// The vector of files that include simd.h where no wider type fits; others may use F32x1 beside a wider one.
#ifdef VELU_SIMD_SCALAR
using Vector = F32x1;
#endif

}  // namespace velu::simd
