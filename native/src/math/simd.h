// Vectors of float32 under one set of names, so that a formula written once serves every instruction set.
//
// velu::simd::Vector is the widest type that the flags of the including file allow: F32x16 (AVX-512), F32x8 (AVX2 and
// FMA), F32x4 (SSE2) or F32x1 (anything else, and CUDA threads). All have the same operations:
//
//     V::kLanes, V(float), load, load(pointer, count, fill), store, store(pointer, count)      first count lanes only
//         of float or BFloat16 in memory; a BFloat16 is stored rounded to nearest, ties to even
//     + - * /, mul_add(a, b, c) = a b + c, rounded once where there is an instruction for it, else twice
//     fused_mul_add(a, b, c) = a b + c, rounded once (F32x4: exact product in float64, see there)
//     min(a, b) = a < b ? a : b and max(a, b) = a > b ? a : b, so that a NaN in b comes through
//     abs, sqrt, with_sign_flipped_by(a, b) = b's sign bit set ? -a : a, round (half to even, |a| < 2^22)
//     scaled_by_power_of_two(a, k) = a 2^k for an integer k in [-200, 100], right for subnormal results
//     < <= > >= (false for NaN), is_nan, & | of masks, all(mask), select(mask, a, b)
//     first(a), first_lanes(a, count, fill), sum(a) of the lanes in float32
//     larger_size(a, b) = max(|a|, |b|) where neither is NaN
//     widen(a): the lanes as float64 with + - *, mul_add, sum and store
//     V::Table (F32x16 only): 32 floats, looked up by the low five bits of each lane
//     V::sums_of_rows(rows) (F32x16 only): sum() of each of kLanes aligned rows of kLanes floats
//
// Everything has internal linkage or is inlined always: files compiled for different processors share no symbol.
#pragma once

#if defined(__CUDACC__)
#define VELU_SIMD_SCALAR
#include "math/simd_scalar.h"
#elif defined(__AVX512F__) && defined(__AVX512DQ__) && defined(__FMA__)
#include "math/simd_avx512.h"
#elif defined(__AVX2__) && defined(__FMA__)
#include "math/simd_avx2.h"
#elif defined(__SSE2__)
#include "math/simd_sse2.h"
#else
#define VELU_SIMD_SCALAR
#include "math/simd_scalar.h"
#endif

#include <cstdint>

namespace velu::simd {

/// Lanes to load and store, of float or BFloat16: all of a vector, or the first `count`, of which the others read as
/// `fill`.
struct AllLanes {
    template <class V, class T>
    __attribute__((always_inline)) V load(const T* from, V) const {
        return V::load(from);
    }
    template <class V, class T>
    __attribute__((always_inline)) void store(V value, T* to) const {
        value.store(to);
    }
    template <class V>
    __attribute__((always_inline)) V keep(V value, V) const {
        return value;
    }
};

struct FirstLanes {
    int count;

    template <class V, class T>
    __attribute__((always_inline)) V load(const T* from, V fill) const {
        return V::load(from, count, fill);
    }
    template <class V, class T>
    __attribute__((always_inline)) void store(V value, T* to) const {
        value.store(to, count);
    }
    template <class V>
    __attribute__((always_inline)) V keep(V value, V fill) const {
        return first_lanes(value, count, fill);
    }
};

/// body(index, lanes) for whole vectors from index 0 on, then once for the rest, if any.
template <class V, class Body>
__attribute__((always_inline)) static inline void for_each_vector(int64_t count, const Body& body) {
    int64_t i = 0;
    for (; i + V::kLanes <= count; i += V::kLanes) body(i, AllLanes{});
    if (V::kLanes > 1 && i < count) body(i, FirstLanes{static_cast<int>(count - i)});
}

}  // namespace velu::simd
