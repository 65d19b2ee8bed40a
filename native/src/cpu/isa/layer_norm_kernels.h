// Vector kernels of layer normalization; a row is read from memory once and then from the first cache level.
#pragma once

#include <cstdint>

#include "cpu/element.h"
#include "cpu/isa/select.h"

namespace velu::cpu {

template <class T>
struct LayerNormKernels {
    /// z = x + residual as it is stored in sum; y = weight (z - mean(z)) / sqrt(var(z) + eps) + bias. residual and sum
    /// may be NULL, and then z = x; mean and inv_std may be NULL. sum may be x or residual; y may be x or residual if
    /// sum is not.
    void (*forward)(const T* x, const T* residual, const float* weight, const float* bias, float eps, int64_t rows,
                    int64_t channels, T* sum, T* y, float* mean, float* inv_std);

    /// dx = dz_addend (or 0 if NULL) + gradient with respect to z. Adds the rows' sums of dy (z - mean(z)) inv_std and
    /// of dy to dweight and dbias. dx may be dy or dz_addend.
    void (*backward)(const T* z, const T* dy, const T* dz_addend, const float* weight, const float* mean,
                     const float* inv_std, int64_t rows, int64_t channels, T* dx, float* dweight, float* dbias);
};
VELU_ISA_SELECT(ByElement<LayerNormKernels>, layer_norm_kernels)

}  // namespace velu::cpu
