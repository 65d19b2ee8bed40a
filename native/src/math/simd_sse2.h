// Four float32 under the names of simd.h: what every x86-64 processor has, without fused multiply-add.
#pragma once

#include <emmintrin.h>

#include "math/bfloat16.h"
#include "math/host_device.h"

namespace velu::simd {

struct F64x4 {
    __m128d low, high;

    __attribute__((always_inline)) F64x4() : low(_mm_setzero_pd()), high(_mm_setzero_pd()) {}
    __attribute__((always_inline)) explicit F64x4(double value) : low(_mm_set1_pd(value)), high(low) {}
    __attribute__((always_inline)) F64x4(__m128d l, __m128d h) : low(l), high(h) {}
};
VELU_SHARED_INLINE F64x4 operator+(F64x4 a, F64x4 b) {
    return {_mm_add_pd(a.low, b.low), _mm_add_pd(a.high, b.high)};
}
VELU_SHARED_INLINE F64x4 operator-(F64x4 a, F64x4 b) {
    return {_mm_sub_pd(a.low, b.low), _mm_sub_pd(a.high, b.high)};
}
VELU_SHARED_INLINE F64x4 operator*(F64x4 a, F64x4 b) {
    return {_mm_mul_pd(a.low, b.low), _mm_mul_pd(a.high, b.high)};
}
VELU_SHARED_INLINE F64x4 mul_add(F64x4 a, F64x4 b, F64x4 c) {
    return a * b + c;
}
VELU_SHARED_INLINE void store(F64x4 a, double* to) {
    _mm_storeu_pd(to, a.low);
    _mm_storeu_pd(to + 2, a.high);
}
VELU_SHARED_INLINE double sum(F64x4 a) {
    const __m128d pair = _mm_add_pd(a.low, a.high);
    return _mm_cvtsd_f64(pair) + _mm_cvtsd_f64(_mm_unpackhi_pd(pair, pair));
}

struct M32x4 {
    __m128 v;
};
VELU_SHARED_INLINE M32x4 operator&(M32x4 a, M32x4 b) {
    return {_mm_and_ps(a.v, b.v)};
}
VELU_SHARED_INLINE M32x4 operator|(M32x4 a, M32x4 b) {
    return {_mm_or_ps(a.v, b.v)};
}
VELU_SHARED_INLINE bool all(M32x4 mask) {
    return _mm_movemask_ps(mask.v) == 15;
}

VELU_SHARED_INLINE __m128 from_bfloat16(__m128i lower_four) {
    return _mm_castsi128_ps(_mm_unpacklo_epi16(_mm_setzero_si128(), lower_four));
}
/// Rounded to nearest, ties to even; a NaN is cut and made quiet. In the lower four of eight.
VELU_SHARED_INLINE __m128i to_bfloat16(__m128 a) {
    const __m128i bits = _mm_castps_si128(a);
    const __m128i odd = _mm_and_si128(_mm_srli_epi32(bits, 16), _mm_set1_epi32(1));
    const __m128i rounded = _mm_add_epi32(bits, _mm_add_epi32(odd, _mm_set1_epi32(0x7FFF)));
    const __m128i quiet = _mm_or_si128(bits, _mm_set1_epi32(0x400000));
    const __m128i is_nan = _mm_castps_si128(_mm_cmpunord_ps(a, a));
    const __m128i all = _mm_or_si128(_mm_and_si128(is_nan, quiet), _mm_andnot_si128(is_nan, rounded));
    // Shifted with the sign, so that the saturation of packs never applies.
    const __m128i upper = _mm_srai_epi32(all, 16);
    return _mm_packs_epi32(upper, upper);
}

struct F32x4 {
    using Mask = M32x4;
    using Wide = F64x4;
    static constexpr int kLanes = 4;

    __m128 v;

    __attribute__((always_inline)) F32x4(float value) : v(_mm_set1_ps(value)) {}
    __attribute__((always_inline)) F32x4(__m128 value) : v(value) {}
    __attribute__((always_inline)) static F32x4 load(const float* from) { return _mm_loadu_ps(from); }
    __attribute__((always_inline)) static F32x4 load(const float* from, int count, F32x4 fill) {
        float lanes[4];
        _mm_storeu_ps(lanes, fill.v);
        for (int i = 0; i < count; ++i) lanes[i] = from[i];
        return _mm_loadu_ps(lanes);
    }
    __attribute__((always_inline)) void store(float* to) const { _mm_storeu_ps(to, v); }
    __attribute__((always_inline)) void store(float* to, int count) const {
        float lanes[4];
        _mm_storeu_ps(lanes, v);
        for (int i = 0; i < count; ++i) to[i] = lanes[i];
    }
    __attribute__((always_inline)) static F32x4 load(const BFloat16* from) {
        return from_bfloat16(_mm_loadl_epi64(reinterpret_cast<const __m128i*>(from)));
    }
    __attribute__((always_inline)) static F32x4 load(const BFloat16* from, int count, F32x4 fill) {
        float lanes[4];
        _mm_storeu_ps(lanes, fill.v);
        for (int i = 0; i < count; ++i) {
            lanes[i] = __builtin_bit_cast(float, static_cast<uint32_t>(from[i].bits) << 16);
        }
        return _mm_loadu_ps(lanes);
    }
    __attribute__((always_inline)) void store(BFloat16* to) const {
        _mm_storel_epi64(reinterpret_cast<__m128i*>(to), to_bfloat16(v));
    }
    __attribute__((always_inline)) void store(BFloat16* to, int count) const {
        BFloat16 lanes[4];
        store(lanes);
        for (int i = 0; i < count; ++i) to[i] = lanes[i];
    }
};

VELU_SHARED_INLINE F32x4 operator+(F32x4 a, F32x4 b) {
    return _mm_add_ps(a.v, b.v);
}
VELU_SHARED_INLINE F32x4 operator-(F32x4 a, F32x4 b) {
    return _mm_sub_ps(a.v, b.v);
}
VELU_SHARED_INLINE F32x4 operator*(F32x4 a, F32x4 b) {
    return _mm_mul_ps(a.v, b.v);
}
VELU_SHARED_INLINE F32x4 operator/(F32x4 a, F32x4 b) {
    return _mm_div_ps(a.v, b.v);
}
VELU_SHARED_INLINE F32x4 operator-(F32x4 a) {
    return _mm_xor_ps(a.v, _mm_set1_ps(-0.0f));
}
VELU_SHARED_INLINE F32x4 mul_add(F32x4 a, F32x4 b, F32x4 c) {
    return a * b + c;
}

VELU_SHARED_INLINE F64x4 widen(F32x4 a) {
    return {_mm_cvtps_pd(a.v), _mm_cvtps_pd(_mm_movehl_ps(a.v, a.v))};
}
/// The product is exact in float64; the sum is too wherever it cancels, so its sign is always right.
VELU_SHARED_INLINE F32x4 fused_mul_add(F32x4 a, F32x4 b, F32x4 c) {
    const F64x4 exact = widen(a) * widen(b) + widen(c);
    return _mm_movelh_ps(_mm_cvtpd_ps(exact.low), _mm_cvtpd_ps(exact.high));
}

VELU_SHARED_INLINE M32x4 operator<(F32x4 a, F32x4 b) {
    return {_mm_cmplt_ps(a.v, b.v)};
}
VELU_SHARED_INLINE M32x4 operator<=(F32x4 a, F32x4 b) {
    return {_mm_cmple_ps(a.v, b.v)};
}
VELU_SHARED_INLINE M32x4 operator>(F32x4 a, F32x4 b) {
    return {_mm_cmplt_ps(b.v, a.v)};
}
VELU_SHARED_INLINE M32x4 operator>=(F32x4 a, F32x4 b) {
    return {_mm_cmple_ps(b.v, a.v)};
}
VELU_SHARED_INLINE M32x4 is_nan(F32x4 a) {
    return {_mm_cmpunord_ps(a.v, a.v)};
}
VELU_SHARED_INLINE F32x4 select(M32x4 mask, F32x4 a, F32x4 b) {
    return _mm_or_ps(_mm_and_ps(mask.v, a.v), _mm_andnot_ps(mask.v, b.v));
}

VELU_SHARED_INLINE F32x4 min(F32x4 a, F32x4 b) {
    return _mm_min_ps(a.v, b.v);
}
VELU_SHARED_INLINE F32x4 max(F32x4 a, F32x4 b) {
    return _mm_max_ps(a.v, b.v);
}
VELU_SHARED_INLINE F32x4 abs(F32x4 a) {
    return _mm_andnot_ps(_mm_set1_ps(-0.0f), a.v);
}
VELU_SHARED_INLINE F32x4 larger_size(F32x4 a, F32x4 b) {
    return max(abs(a), abs(b));
}
VELU_SHARED_INLINE F32x4 with_sign_flipped_by(F32x4 a, F32x4 b) {
    return _mm_xor_ps(a.v, _mm_and_ps(b.v, _mm_set1_ps(-0.0f)));
}
VELU_SHARED_INLINE F32x4 sqrt(F32x4 a) {
    return _mm_sqrt_ps(a.v);
}
VELU_SHARED_INLINE F32x4 round(F32x4 a) {
    return _mm_cvtepi32_ps(_mm_cvtps_epi32(a.v));
}
VELU_SHARED_INLINE F32x4 scaled_by_power_of_two(F32x4 a, F32x4 k) {
    const __m128i whole = _mm_cvtps_epi32(k.v);
    const __m128i half = _mm_srai_epi32(whole, 1);
    const __m128i bias = _mm_set1_epi32(127);
    const __m128 first = _mm_castsi128_ps(_mm_slli_epi32(_mm_add_epi32(half, bias), 23));
    const __m128 second = _mm_castsi128_ps(_mm_slli_epi32(_mm_add_epi32(_mm_sub_epi32(whole, half), bias), 23));
    return _mm_mul_ps(_mm_mul_ps(a.v, first), second);
}

VELU_SHARED_INLINE float first(F32x4 a) {
    return _mm_cvtss_f32(a.v);
}
VELU_SHARED_INLINE F32x4 first_lanes(F32x4 a, int count, F32x4 fill) {
    const __m128i index = _mm_set_epi32(3, 2, 1, 0);
    return select({_mm_castsi128_ps(_mm_cmplt_epi32(index, _mm_set1_epi32(count)))}, a, fill);
}

VELU_SHARED_INLINE float sum(F32x4 a) {
    const __m128 two = _mm_add_ps(a.v, _mm_movehl_ps(a.v, a.v));
    return _mm_cvtss_f32(_mm_add_ss(two, _mm_shuffle_ps(two, two, 1)));
}

using Vector = F32x4;

}  // namespace velu::simd
