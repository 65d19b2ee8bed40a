// Vector kernels of velu_add.
#pragma once

#include <cstdint>

#include "cpu/element.h"
#include "cpu/isa/select.h"

namespace velu::cpu {

template <class T>
struct AddKernels {
    /// y = a + b; y may be a or b.
    void (*add)(const T* a, const T* b, T* y, int64_t count);
};
VELU_ISA_SELECT(ByElement<AddKernels>, add_kernels)

}  // namespace velu::cpu
