// Vector kernels of the pointwise activations.
#pragma once

#include <cstdint>

#include "cpu/element.h"
#include "cpu/isa/select.h"

namespace velu::cpu {

template <class T>
struct ActivationKernels {
    /// y = f(x); y may be x. activation is one of velu_activation_desc's.
    void (*forward)(int32_t activation, const T* x, T* y, int64_t count);

    /// dx = dy f'(x); dx may be dy.
    void (*backward)(int32_t activation, const T* x, const T* dy, T* dx, int64_t count);
};
VELU_ISA_SELECT(ByElement<ActivationKernels>, activation_kernels)

}  // namespace velu::cpu
