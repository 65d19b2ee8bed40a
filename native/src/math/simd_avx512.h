// Sixteen float32 under the names of simd.h: AVX-512 F and DQ.
#pragma once

// GCC 12 warns of the deliberately undefined operands inside its own intrinsics (GCC bug 105593).
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wuninitialized"
#pragma GCC diagnostic ignored "-Wmaybe-uninitialized"
#include <immintrin.h>
#pragma GCC diagnostic pop

#include "math/bfloat16.h"
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

VELU_SHARED_INLINE __m512 from_bfloat16(__m256i a) {
    return _mm512_castsi512_ps(_mm512_slli_epi32(_mm512_cvtepu16_epi32(a), 16));
}
/// Rounded to nearest, ties to even; a NaN is cut and made quiet.
VELU_SHARED_INLINE __m256i to_bfloat16(__m512 a) {
    const __m512i bits = _mm512_castps_si512(a);
    const __m512i odd = _mm512_and_si512(_mm512_srli_epi32(bits, 16), _mm512_set1_epi32(1));
    const __m512i rounded = _mm512_add_epi32(bits, _mm512_add_epi32(odd, _mm512_set1_epi32(0x7FFF)));
    const __m512i all =
        _mm512_mask_or_epi32(rounded, _mm512_cmp_ps_mask(a, a, _CMP_UNORD_Q), bits, _mm512_set1_epi32(0x400000));
    return _mm512_cvtepi32_epi16(_mm512_srli_epi32(all, 16));
}

struct Table32;

/// The sums of 16 rows of 16 floats each, aligned to 64, in the order of sum(): in four steps, each of which halves the
/// vectors and what is left to add.
VELU_SHARED_INLINE __m512 sums_of_sixteen(const float* rows) {
    __m512 eight[8], four[4], two[2];
    for (int i = 0; i < 8; ++i) {
        const __m512 a = _mm512_load_ps(rows + 16 * i), b = _mm512_load_ps(rows + 16 * (i + 8));
        // Quarters: row i twice, row i + 8 twice.
        eight[i] = _mm512_add_ps(_mm512_shuffle_f32x4(a, b, _MM_SHUFFLE(1, 0, 1, 0)),
                                 _mm512_shuffle_f32x4(a, b, _MM_SHUFFLE(3, 2, 3, 2)));
    }
    for (int i = 0; i < 4; ++i) {
        const __m512 a = eight[i], b = eight[i + 4];
        // Quarters: rows i, i + 8, i + 4, i + 12.
        four[i] = _mm512_add_ps(_mm512_shuffle_f32x4(a, b, _MM_SHUFFLE(2, 0, 2, 0)),
                                _mm512_shuffle_f32x4(a, b, _MM_SHUFFLE(3, 1, 3, 1)));
    }
    for (int i = 0; i < 2; ++i) {
        const __m512 a = four[i], b = four[i + 2];
        // In each quarter two lanes of these rows, and two of these rows + 2.
        two[i] = _mm512_add_ps(_mm512_shuffle_ps(a, b, _MM_SHUFFLE(1, 0, 1, 0)),
                               _mm512_shuffle_ps(a, b, _MM_SHUFFLE(3, 2, 3, 2)));
    }
    const __m512 one = _mm512_add_ps(_mm512_shuffle_ps(two[0], two[1], _MM_SHUFFLE(2, 0, 2, 0)),
                                     _mm512_shuffle_ps(two[0], two[1], _MM_SHUFFLE(3, 1, 3, 1)));
    // Lanes are now of rows 0, 2, 1, 3, 8, 10, 9, 11, 4, 6, 5, 7, 12, 14, 13, 15.
    return _mm512_permutexvar_ps(_mm512_setr_epi32(0, 2, 1, 3, 8, 10, 9, 11, 4, 6, 5, 7, 12, 14, 13, 15), one);
}

struct F32x16 {
    using Table = Table32;
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
    __attribute__((always_inline)) static F32x16 sums_of_rows(const float* rows) { return sums_of_sixteen(rows); }
    __attribute__((always_inline)) static F32x16 load(const BFloat16* from) {
        return from_bfloat16(_mm256_loadu_si256(reinterpret_cast<const __m256i*>(from)));
    }
    __attribute__((always_inline)) static F32x16 load(const BFloat16* from, int count, F32x16 fill) {
        const __mmask16 mask = lane_mask(count);
        return _mm512_mask_mov_ps(fill.v, mask, from_bfloat16(_mm256_maskz_loadu_epi16(mask, from)));
    }
    __attribute__((always_inline)) void store(BFloat16* to) const {
        _mm256_storeu_si256(reinterpret_cast<__m256i*>(to), to_bfloat16(v));
    }
    __attribute__((always_inline)) void store(BFloat16* to, int count) const {
        _mm256_mask_storeu_epi16(to, lane_mask(count), to_bfloat16(v));
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
VELU_SHARED_INLINE F32x16 larger_size(F32x16 a, F32x16 b) {
    constexpr int kLargerMagnitude = 3, kSignCleared = 2;
    return _mm512_range_ps(a.v, b.v, kSignCleared << 2 | kLargerMagnitude);
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
VELU_SHARED_INLINE float sum(F32x16 a) {
    const __m256 eight = _mm256_add_ps(_mm512_castps512_ps256(a.v), _mm512_extractf32x8_ps(a.v, 1));
    const __m128 four = _mm_add_ps(_mm256_castps256_ps128(eight), _mm256_extractf128_ps(eight, 1));
    const __m128 two = _mm_add_ps(four, _mm_movehl_ps(four, four));
    return _mm_cvtss_f32(_mm_add_ss(two, _mm_movehdup_ps(two)));
}
VELU_SHARED_INLINE F64x16 widen(F32x16 a) {
    return {_mm512_cvtps_pd(_mm512_castps512_ps256(a.v)), _mm512_cvtps_pd(_mm512_extractf32x8_ps(a.v, 1))};
}

struct Table32 {
    __m512 low, high;

    __attribute__((always_inline)) explicit Table32(const float* entries)
        : low(_mm512_load_ps(entries)), high(_mm512_load_ps(entries + 16)) {}
    __attribute__((always_inline)) F32x16 operator[](F32x16 place) const {
        return _mm512_permutex2var_ps(low, _mm512_castps_si512(place.v), high);
    }
};

using Vector = F32x16;

}  // namespace velu::simd
