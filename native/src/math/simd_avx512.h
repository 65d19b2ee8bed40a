// Sixteen float32 under the names of simd.h: AVX-512 F and DQ.
#pragma once

// GCC 12 warns of the deliberately undefined operands inside its own intrinsics (GCC bug 105593).
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wuninitialized"
#pragma GCC diagnostic ignored "-Wmaybe-uninitialized"
#include <immintrin.h>
#pragma GCC diagnostic pop

#include "math/host_device.h"

namespace velu::simd {

struct F64x16 {
    __m512d low, high;

    __attribute__((always_inline)) F64x16() : low(_mm512_setzero_pd()), high(_mm512_setzero_pd()) {}
    __attribute__((always_inline)) explicit F64x16(double value) : low(_mm512_set1_pd(value)), high(low) {}
    __attribute__((always_inline)) F64x16(__m512d l, __m512d h) : low(l), high(h) {}
};
VELU_SHARED_INLINE F64x16 operator+(F64x16 a, F64x16 b) {
    return {_mm512_add_pd(a.low, b.low), _mm512_add_pd(a.high, b.high)};
}
VELU_SHARED_INLINE F64x16 operator-(F64x16 a, F64x16 b) {
    return {_mm512_sub_pd(a.low, b.low), _mm512_sub_pd(a.high, b.high)};
}
VELU_SHARED_INLINE F64x16 operator*(F64x16 a, F64x16 b) {
    return {_mm512_mul_pd(a.low, b.low), _mm512_mul_pd(a.high, b.high)};
}
VELU_SHARED_INLINE F64x16 mul_add(F64x16 a, F64x16 b, F64x16 c) {
    return {_mm512_fmadd_pd(a.low, b.low, c.low), _mm512_fmadd_pd(a.high, b.high, c.high)};
}
VELU_SHARED_INLINE void store(F64x16 a, double* to) {
    _mm512_storeu_pd(to, a.low);
    _mm512_storeu_pd(to + 8, a.high);
}
VELU_SHARED_INLINE double sum(F64x16 a) {
    const __m512d eight = _mm512_add_pd(a.low, a.high);
    const __m256d four = _mm256_add_pd(_mm512_castpd512_pd256(eight), _mm512_extractf64x4_pd(eight, 1));
    const __m128d two = _mm_add_pd(_mm256_castpd256_pd128(four), _mm256_extractf128_pd(four, 1));
    return _mm_cvtsd_f64(two) + _mm_cvtsd_f64(_mm_unpackhi_pd(two, two));
}

struct M32x16 {
    __mmask16 v;
};
VELU_SHARED_INLINE M32x16 operator&(M32x16 a, M32x16 b) {
    return {_kand_mask16(a.v, b.v)};
}
VELU_SHARED_INLINE M32x16 operator|(M32x16 a, M32x16 b) {
    return {_kor_mask16(a.v, b.v)};
}
VELU_SHARED_INLINE bool all(M32x16 mask) {
    return _kortestc_mask16_u8(mask.v, mask.v) != 0;
}

/// A bit set for each of the first count lanes.
VELU_SHARED_INLINE __mmask16 lane_mask(int count) {
    return static_cast<__mmask16>((1u << count) - 1u);
}

struct F32x16 {
    using Mask = M32x16;
    using Wide = F64x16;
    static constexpr int kLanes = 16;

    __m512 v;

    __attribute__((always_inline)) F32x16(float value) : v(_mm512_set1_ps(value)) {}
    __attribute__((always_inline)) F32x16(__m512 value) : v(value) {}
    __attribute__((always_inline)) static F32x16 load(const float* from) { return _mm512_loadu_ps(from); }
    __attribute__((always_inline)) static F32x16 load(const float* from, int count, F32x16 fill) {
        return _mm512_mask_loadu_ps(fill.v, lane_mask(count), from);
    }
    __attribute__((always_inline)) void store(float* to) const { _mm512_storeu_ps(to, v); }
    __attribute__((always_inline)) void store(float* to, int count) const {
        _mm512_mask_storeu_ps(to, lane_mask(count), v);
    }
};

VELU_SHARED_INLINE F32x16 operator+(F32x16 a, F32x16 b) {
    return _mm512_add_ps(a.v, b.v);
}
VELU_SHARED_INLINE F32x16 operator-(F32x16 a, F32x16 b) {
    return _mm512_sub_ps(a.v, b.v);
}
VELU_SHARED_INLINE F32x16 operator*(F32x16 a, F32x16 b) {
    return _mm512_mul_ps(a.v, b.v);
}
VELU_SHARED_INLINE F32x16 operator/(F32x16 a, F32x16 b) {
    return _mm512_div_ps(a.v, b.v);
}
VELU_SHARED_INLINE F32x16 operator-(F32x16 a) {
    return _mm512_xor_ps(a.v, _mm512_set1_ps(-0.0f));
}
VELU_SHARED_INLINE F32x16 fused_mul_add(F32x16 a, F32x16 b, F32x16 c) {
    return _mm512_fmadd_ps(a.v, b.v, c.v);
}
VELU_SHARED_INLINE F32x16 mul_add(F32x16 a, F32x16 b, F32x16 c) {
    return _mm512_fmadd_ps(a.v, b.v, c.v);
}

VELU_SHARED_INLINE M32x16 operator<(F32x16 a, F32x16 b) {
    return {_mm512_cmp_ps_mask(a.v, b.v, _CMP_LT_OQ)};
}
VELU_SHARED_INLINE M32x16 operator<=(F32x16 a, F32x16 b) {
    return {_mm512_cmp_ps_mask(a.v, b.v, _CMP_LE_OQ)};
}
VELU_SHARED_INLINE M32x16 operator>(F32x16 a, F32x16 b) {
    return {_mm512_cmp_ps_mask(a.v, b.v, _CMP_GT_OQ)};
}
VELU_SHARED_INLINE M32x16 operator>=(F32x16 a, F32x16 b) {
    return {_mm512_cmp_ps_mask(a.v, b.v, _CMP_GE_OQ)};
}
VELU_SHARED_INLINE M32x16 is_nan(F32x16 a) {
    return {_mm512_cmp_ps_mask(a.v, a.v, _CMP_UNORD_Q)};
}
VELU_SHARED_INLINE F32x16 select(M32x16 mask, F32x16 a, F32x16 b) {
    return _mm512_mask_blend_ps(mask.v, b.v, a.v);
}

VELU_SHARED_INLINE F32x16 min(F32x16 a, F32x16 b) {
    return _mm512_min_ps(a.v, b.v);
}
VELU_SHARED_INLINE F32x16 max(F32x16 a, F32x16 b) {
    return _mm512_max_ps(a.v, b.v);
}
VELU_SHARED_INLINE F32x16 abs(F32x16 a) {
    return _mm512_andnot_ps(_mm512_set1_ps(-0.0f), a.v);
}
VELU_SHARED_INLINE F32x16 with_sign_flipped_by(F32x16 a, F32x16 b) {
    return _mm512_xor_ps(a.v, _mm512_and_ps(b.v, _mm512_set1_ps(-0.0f)));
}
VELU_SHARED_INLINE F32x16 sqrt(F32x16 a) {
    return _mm512_sqrt_ps(a.v);
}
VELU_SHARED_INLINE F32x16 round(F32x16 a) {
    return _mm512_roundscale_ps(a.v, _MM_FROUND_TO_NEAREST_INT | _MM_FROUND_NO_EXC);
}
VELU_SHARED_INLINE F32x16 scaled_by_power_of_two(F32x16 a, F32x16 k) {
    return _mm512_scalef_ps(a.v, k.v);
}

VELU_SHARED_INLINE float first(F32x16 a) {
    return _mm512_cvtss_f32(a.v);
}
VELU_SHARED_INLINE F32x16 first_lanes(F32x16 a, int count, F32x16 fill) {
    return _mm512_mask_blend_ps(lane_mask(count), fill.v, a.v);
}
VELU_SHARED_INLINE F64x16 widen(F32x16 a) {
    return {_mm512_cvtps_pd(_mm512_castps512_ps256(a.v)), _mm512_cvtps_pd(_mm512_extractf32x8_ps(a.v, 1))};
}

using Vector = F32x16;

}  // namespace velu::simd
