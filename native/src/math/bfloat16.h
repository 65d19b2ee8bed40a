// bfloat16 in memory: the upper half of a float32. Kernels compute in float32; the vectors of simd.h load and store it.
#pragma once

#include <cstdint>

#include "math/host_device.h"

namespace velu {

struct BFloat16 {
    uint16_t bits;
};
static_assert(sizeof(BFloat16) == 2);

/// The bits of a float32 rounded to nearest, ties to even: the addition carries into the upper half, and from the
/// largest number into infinity. A NaN is cut instead, and made quiet, as its remaining bits may all be 0.
VELU_SHARED_INLINE BFloat16 bfloat16_from_float_bits(uint32_t bits) {
    const uint32_t rounded = (bits + 0x7FFFu + ((bits >> 16) & 1u)) >> 16;
    const uint32_t quiet = (bits >> 16) | 0x40u;
    const bool is_nan = (bits & 0x7FFFFFFFu) > 0x7F800000u;
    return {static_cast<uint16_t>(is_nan ? quiet : rounded)};
}

}  // namespace velu
