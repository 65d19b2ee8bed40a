// Eight float32 under the names of simd.h: AVX2 with FMA.
#pragma once

#include <immintrin.h>

#include "math/bfloat16.h"
#include "math/host_device.h"

namespace velu::simd {

struct F64x8 {
    __m256d low, high;

    __attribute__((always_inline)) F64x8() : low(_mm256_setzero_pd()), high(_mm256_setzero_pd()) {}
    __attribute__((always_inline)) explicit F64x8(double value) : low(_mm256_set1_pd(value)), high(low) {}
    __attribute__((always_inline)) F64x8(__m256d l, __m256d h) : low(l), high(h) {}
};
VELU_SHARED_INLINE F64x8 operator+(F64x8 a, F64x8 b) {
    return {_mm256_add_pd(a.low, b.low), _mm256_add_pd(a.high, b.high)};
}
VELU_SHARED_INLINE F64x8 operator-(F64x8 a, F64x8 b) {
    return {_mm256_sub_pd(a.low, b.low), _mm256_sub_pd(a.high, b.high)};
}
VELU_SHARED_INLINE F64x8 operator*(F64x8 a, F64x8 b) {
    return {_mm256_mul_pd(a.low, b.low), _mm256_mul_pd(a.high, b.high)};
}
VELU_SHARED_INLINE F64x8 mul_add(F64x8 a, F64x8 b, F64x8 c) {
    return {_mm256_fmadd_pd(a.low, b.low, c.low), _mm256_fmadd_pd(a.high, b.high, c.high)};
}
VELU_SHARED_INLINE void store(F64x8 a, double* to) {
    _mm256_storeu_pd(to, a.low);
    _mm256_storeu_pd(to + 4, a.high);
}
VELU_SHARED_INLINE double sum(F64x8 a) {
    const __m256d four = _mm256_add_pd(a.low, a.high);
    const __m128d two = _mm_add_pd(_mm256_castpd256_pd128(four), _mm256_extractf128_pd(four, 1));
    return _mm_cvtsd_f64(two) + _mm_cvtsd_f64(_mm_unpackhi_pd(two, two));
}

struct M32x8 {
    __m256 v;
};
VELU_SHARED_INLINE M32x8 operator&(M32x8 a, M32x8 b) {
    return {_mm256_and_ps(a.v, b.v)};
}
VELU_SHARED_INLINE M32x8 operator|(M32x8 a, M32x8 b) {
    return {_mm256_or_ps(a.v, b.v)};
}
VELU_SHARED_INLINE bool all(M32x8 mask) {
    return _mm256_movemask_ps(mask.v) == 255;
}

/// All bits set in the first count lanes.
VELU_SHARED_INLINE __m256i lane_mask(int count) {
    return _mm256_cmpgt_epi32(_mm256_set1_epi32(count), _mm256_set_epi32(7, 6, 5, 4, 3, 2, 1, 0));
}

VELU_SHARED_INLINE __m256 from_bfloat16(__m128i a) {
    return _mm256_castsi256_ps(_mm256_slli_epi32(_mm256_cvtepu16_epi32(a), 16));
}
/// Rounded to nearest, ties to even; a NaN is cut and made quiet.
VELU_SHARED_INLINE __m128i to_bfloat16(__m256 a) {
    const __m256i bits = _mm256_castps_si256(a);
    const __m256i odd = _mm256_and_si256(_mm256_srli_epi32(bits, 16), _mm256_set1_epi32(1));
    const __m256i rounded = _mm256_add_epi32(bits, _mm256_add_epi32(odd, _mm256_set1_epi32(0x7FFF)));
    const __m256i quiet = _mm256_or_si256(bits, _mm256_set1_epi32(0x400000));
    const __m256i is_nan = _mm256_castps_si256(_mm256_cmp_ps(a, a, _CMP_UNORD_Q));
    // Shifted with the sign, so that the saturation of packs never applies.
    const __m256i all = _mm256_srai_epi32(_mm256_blendv_epi8(rounded, quiet, is_nan), 16);
    return _mm_packs_epi32(_mm256_castsi256_si128(all), _mm256_extracti128_si256(all, 1));
}

struct F32x8 {
    using Mask = M32x8;
    using Wide = F64x8;
    static constexpr int kLanes = 8;

    __m256 v;

    __attribute__((always_inline)) F32x8(float value) : v(_mm256_set1_ps(value)) {}
    __attribute__((always_inline)) F32x8(__m256 value) : v(value) {}
    __attribute__((always_inline)) static F32x8 load(const float* from) { return _mm256_loadu_ps(from); }
    __attribute__((always_inline)) static F32x8 load(const float* from, int count, F32x8 fill) {
        const __m256i mask = lane_mask(count);
        return _mm256_blendv_ps(fill.v, _mm256_maskload_ps(from, mask), _mm256_castsi256_ps(mask));
    }
    __attribute__((always_inline)) void store(float* to) const { _mm256_storeu_ps(to, v); }
    __attribute__((always_inline)) void store(float* to, int count) const {
        _mm256_maskstore_ps(to, lane_mask(count), v);
    }
    __attribute__((always_inline)) static F32x8 load(const BFloat16* from) {
        return from_bfloat16(_mm_loadu_si128(reinterpret_cast<const __m128i*>(from)));
    }
    __attribute__((always_inline)) static F32x8 load(const BFloat16* from, int count, F32x8 fill) {
        BFloat16 lanes[8] = {};
        for (int i = 0; i < count; ++i) lanes[i] = from[i];
        return _mm256_blendv_ps(fill.v, load(lanes).v, _mm256_castsi256_ps(lane_mask(count)));
    }
    __attribute__((always_inline)) void store(BFloat16* to) const {
        _mm_storeu_si128(reinterpret_cast<__m128i*>(to), to_bfloat16(v));
    }
    __attribute__((always_inline)) void store(BFloat16* to, int count) const {
        BFloat16 lanes[8];
        store(lanes);
        for (int i = 0; i < count; ++i) to[i] = lanes[i];
    }
};

VELU_SHARED_INLINE F32x8 operator+(F32x8 a, F32x8 b) {
    return _mm256_add_ps(a.v, b.v);
}
VELU_SHARED_INLINE F32x8 operator-(F32x8 a, F32x8 b) {
    return _mm256_sub_ps(a.v, b.v);
}
VELU_SHARED_INLINE F32x8 operator*(F32x8 a, F32x8 b) {
    return _mm256_mul_ps(a.v, b.v);
}
VELU_SHARED_INLINE F32x8 operator/(F32x8 a, F32x8 b) {
    return _mm256_div_ps(a.v, b.v);
}
VELU_SHARED_INLINE F32x8 operator-(F32x8 a) {
    return _mm256_xor_ps(a.v, _mm256_set1_ps(-0.0f));
}
VELU_SHARED_INLINE F32x8 fused_mul_add(F32x8 a, F32x8 b, F32x8 c) {
    return _mm256_fmadd_ps(a.v, b.v, c.v);
}
VELU_SHARED_INLINE F32x8 mul_add(F32x8 a, F32x8 b, F32x8 c) {
    return _mm256_fmadd_ps(a.v, b.v, c.v);
}

VELU_SHARED_INLINE M32x8 operator<(F32x8 a, F32x8 b) {
    return {_mm256_cmp_ps(a.v, b.v, _CMP_LT_OQ)};
}
VELU_SHARED_INLINE M32x8 operator<=(F32x8 a, F32x8 b) {
    return {_mm256_cmp_ps(a.v, b.v, _CMP_LE_OQ)};
}
VELU_SHARED_INLINE M32x8 operator>(F32x8 a, F32x8 b) {
    return {_mm256_cmp_ps(a.v, b.v, _CMP_GT_OQ)};
}
VELU_SHARED_INLINE M32x8 operator>=(F32x8 a, F32x8 b) {
    return {_mm256_cmp_ps(a.v, b.v, _CMP_GE_OQ)};
}
VELU_SHARED_INLINE M32x8 is_nan(F32x8 a) {
    return {_mm256_cmp_ps(a.v, a.v, _CMP_UNORD_Q)};
}
VELU_SHARED_INLINE F32x8 select(M32x8 mask, F32x8 a, F32x8 b) {
    return _mm256_blendv_ps(b.v, a.v, mask.v);
}

VELU_SHARED_INLINE F32x8 min(F32x8 a, F32x8 b) {
    return _mm256_min_ps(a.v, b.v);
}
VELU_SHARED_INLINE F32x8 max(F32x8 a, F32x8 b) {
    return _mm256_max_ps(a.v, b.v);
}
VELU_SHARED_INLINE F32x8 abs(F32x8 a) {
    return _mm256_andnot_ps(_mm256_set1_ps(-0.0f), a.v);
}
VELU_SHARED_INLINE F32x8 larger_size(F32x8 a, F32x8 b) {
    return max(abs(a), abs(b));
}
VELU_SHARED_INLINE F32x8 with_sign_flipped_by(F32x8 a, F32x8 b) {
    return _mm256_xor_ps(a.v, _mm256_and_ps(b.v, _mm256_set1_ps(-0.0f)));
}
VELU_SHARED_INLINE F32x8 sqrt(F32x8 a) {
    return _mm256_sqrt_ps(a.v);
}
VELU_SHARED_INLINE F32x8 round(F32x8 a) {
    return _mm256_round_ps(a.v, _MM_FROUND_TO_NEAREST_INT | _MM_FROUND_NO_EXC);
}
VELU_SHARED_INLINE F32x8 scaled_by_power_of_two(F32x8 a, F32x8 k) {
    const __m256i whole = _mm256_cvtps_epi32(k.v);
    const __m256i half = _mm256_srai_epi32(whole, 1);
    const __m256i bias = _mm256_set1_epi32(127);
    const __m256 first = _mm256_castsi256_ps(_mm256_slli_epi32(_mm256_add_epi32(half, bias), 23));
    const __m256 second =
        _mm256_castsi256_ps(_mm256_slli_epi32(_mm256_add_epi32(_mm256_sub_epi32(whole, half), bias), 23));
    return _mm256_mul_ps(_mm256_mul_ps(a.v, first), second);
}

VELU_SHARED_INLINE float first(F32x8 a) {
    return _mm256_cvtss_f32(a.v);
}
VELU_SHARED_INLINE F32x8 first_lanes(F32x8 a, int count, F32x8 fill) {
    return _mm256_blendv_ps(fill.v, a.v, _mm256_castsi256_ps(lane_mask(count)));
}
VELU_SHARED_INLINE float sum(F32x8 a) {
    const __m128 four = _mm_add_ps(_mm256_castps256_ps128(a.v), _mm256_extractf128_ps(a.v, 1));
    const __m128 two = _mm_add_ps(four, _mm_movehl_ps(four, four));
    return _mm_cvtss_f32(_mm_add_ss(two, _mm_movehdup_ps(two)));
}
VELU_SHARED_INLINE F64x8 widen(F32x8 a) {
    return {_mm256_cvtps_pd(_mm256_castps256_ps128(a.v)), _mm256_cvtps_pd(_mm256_extractf128_ps(a.v, 1))};
}

using Vector = F32x8;

}  // namespace velu::simd
