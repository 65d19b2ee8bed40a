// Vector kernels of velu_dropout.
#pragma once

#include <cstdint>

#include "cpu/element.h"
#include "cpu/isa/select.h"

namespace velu::cpu {

struct DropoutMask {
    uint64_t seed;
    uint64_t step;
    uint32_t stream;
    uint32_t threshold;  // an element is kept if its word is not below
    float scale;         // of what is kept
};

template <class T>
struct DropoutKernels {
    /// Elements start .. start + count - 1 of y = dropout(x); start is a multiple of 4, x and y point at element start.
    void (*apply)(const DropoutMask& mask, int64_t start, int64_t count, const T* x, T* y);

    /// The same where `group` neighbours share one decision; start is any.
    void (*apply_to_groups)(const DropoutMask& mask, int64_t group, int64_t start, int64_t count, const T* x, T* y);
};
VELU_ISA_SELECT(ByElement<DropoutKernels>, dropout_kernels)

}  // namespace velu::cpu
