// Vector kernels of VeLU over a block of rows.
#pragma once

#include <velu/velu.h>

#include <cstdint>

#include "cpu/isa/select.h"
#include "cpu/moments.h"

namespace velu::cpu {

/// What the kernels need to know of one VeLU.
struct VeluConstants {
    velu_velu_params params;
    float lambda;
    // The gradient of the Wasserstein-2 term, dA += w2_offset + w2_slope * (A - w2_mean); not read with w2 = false.
    bool w2;
    float w2_offset, w2_slope, w2_mean;
};

struct VeluKernels {
    /// y = VeLU(x) for x[rows][channels], rows >= 1; y may be x. Stores the moments of A if moments is not NULL.
    void (*forward)(const VeluConstants&, const float* x, float* y, int64_t rows, int64_t channels, Moments* moments);

    /// dx of x and dy; dx may be dy. Stores sum(dy * A) if dlambda is not NULL.
    void (*backward)(const VeluConstants&, const float* x, const float* dy, float* dx, int64_t rows, int64_t channels,
                     double* dlambda);
};
VELU_ISA_SELECT(VeluKernels, velu_kernels)

}  // namespace velu::cpu
