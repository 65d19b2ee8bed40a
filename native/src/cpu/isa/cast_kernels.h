// Vector kernels of velu_cast.
#pragma once

#include <cstdint>

#include "cpu/isa/select.h"
#include "math/bfloat16.h"

namespace velu::cpu {

struct CastKernels {
    /// To nearest, ties to even; a NaN stays one.
    void (*to_bfloat16)(const float* x, BFloat16* y, int64_t count);
    void (*to_float)(const BFloat16* x, float* y, int64_t count);
};
VELU_ISA_SELECT(CastKernels, cast_kernels)

}  // namespace velu::cpu
