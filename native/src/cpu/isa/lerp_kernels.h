// Vector kernels of velu_lerp.
#pragma once

#include <cstdint>

#include "cpu/element.h"
#include "cpu/isa/select.h"

namespace velu::cpu {

template <class T>
struct LerpKernels {
    /// average += weight (values - average), or = values where the weight is 1.
    void (*lerp)(float weight, int64_t count, const T* values, float* average);
};
VELU_ISA_SELECT(ByElement<LerpKernels>, lerp_kernels)

}  // namespace velu::cpu
