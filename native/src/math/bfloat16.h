// bfloat16 in memory: the upper half of a float32. Kernels compute in float32; the vectors of simd.h load and store it.
#pragma once

#include <cstdint>

namespace velu {

struct BFloat16 {
    uint16_t bits;
};
static_assert(sizeof(BFloat16) == 2);

}  // namespace velu
