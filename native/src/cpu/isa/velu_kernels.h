// Vector kernels of VeLU over a block of rows.
#pragma once

#include <velu/velu.h>

#include <cstdint>

#include "cpu/element.h"
#include "cpu/isa/select.h"
#include "cpu/moments.h"
#include "cpu/velu_fit.h"

namespace velu::cpu {

/// What the kernels need to know of one VeLU.
struct VeluConstants {
    velu_velu_params params;
    const VeluFit* fit;
    float lambda;
    // The gradient of the Wasserstein-2 term, dA += w2_offset + w2_slope * (A - w2_mean); not read with w2 = false.
    bool w2;
    float w2_offset, w2_slope, w2_mean;
};

template <class T>
struct VeluKernels {
    /// y = VeLU(x) for x[rows][channels], rows >= 1; y may be x. Stores the moments of A if moments is not NULL.
    void (*forward)(const VeluConstants&, const T* x, T* y, int64_t rows, int64_t channels, Moments* moments);

    /// dx of x and dy; dx may be dy. Stores sum(dy * A) if dlambda is not NULL. row: scratch for [channels] floats; not
    /// read where T is float.
    void (*backward)(const VeluConstants&, const T* x, const T* dy, T* dx, int64_t rows, int64_t channels,
                     double* dlambda, float* row);
};
VELU_ISA_SELECT(ByElement<VeluKernels>, velu_kernels)

}  // namespace velu::cpu
