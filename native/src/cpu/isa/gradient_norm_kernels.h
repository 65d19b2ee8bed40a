// Vector kernels of velu_gradient_norm.
#pragma once

#include <cstdint>

#include "cpu/element.h"
#include "cpu/isa/select.h"

namespace velu::cpu {

template <class T>
struct GradientNormKernels {
    /// Sum of squares in float64, in one order on every instruction set.
    double (*sum_of_squares)(const T* values, int64_t count);
};
VELU_ISA_SELECT(ByElement<GradientNormKernels>, gradient_norm_kernels)

}  // namespace velu::cpu
