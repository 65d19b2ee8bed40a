// Vector kernels of batch normalization over a block of rows, vectorized over channels. Rows lie `channels` apart where
// no pitch is given.
#pragma once

#include <cstdint>

#include "cpu/isa/select.h"

namespace velu::cpu {

struct BatchNormKernels {
    /// deviations[c] += sum over rows of x - shift[c]; squares[c] += sum of its square.
    void (*sums)(const float* x, int64_t x_pitch, const float* shift, int64_t rows, int64_t channels,
                 double* deviations, double* squares);

    /// z = scale (x - mean) + bias + residual. mean_low (or NULL) is what float32 lost of mean, residual may be NULL;
    /// z may be x or residual.
    void (*normalize)(const float* x, int64_t x_pitch, const float* residual, const float* mean, const float* mean_low,
                      const float* scale, const float* bias, float* z, int64_t rows, int64_t channels);

    /// Adds sums over rows, per channel: dz_sums of dz, products of dz (x - mean), deviations of x - mean.
    void (*gradient_sums)(const float* x, int64_t x_pitch, const float* dz, const float* mean, int64_t rows,
                          int64_t channels, double* dz_sums, double* products, double* deviations);

    /// dx = scale (dz - dz_mean - (x - mean - mean_low) slope) + addend, all but x, dz and addend (or NULL) per
    /// channel; dx may be dz, or addend of the same pitch.
    void (*input_gradient)(const float* x, int64_t x_pitch, const float* dz, const float* mean, const float* mean_low,
                           const float* scale, const float* dz_mean, const float* slope, const float* addend,
                           int64_t addend_pitch, float* dx, int64_t dx_pitch, int64_t rows, int64_t channels);
};
VELU_ISA_SELECT(BatchNormKernels, batch_norm_kernels)

}  // namespace velu::cpu
