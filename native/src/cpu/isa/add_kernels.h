// Vector kernels of velu_add.
#pragma once

#include <cstdint>

#include "cpu/isa/select.h"

namespace velu::cpu {

struct AddKernels {
    /// y = a + b; y may be a or b.
    void (*add)(const float* a, const float* b, float* y, int64_t count);
};
VELU_ISA_SELECT(AddKernels, add_kernels)

}  // namespace velu::cpu
