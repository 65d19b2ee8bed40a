// Vector kernels of batch normalization over a block of rows, vectorized over channels. Rows lie `channels` apart where
// no pitch is given. T is what tensors are stored in; what belongs to channels is float32.
#pragma once

#include <cstdint>

#include "cpu/element.h"
#include "cpu/isa/select.h"

namespace velu::cpu {

/// z = scale (x - mean - mean_low) + bias, one of each per channel; mean_low, what float32 lost of mean, may be NULL.
struct BatchNormAffine {
    const float* mean;
    const float* mean_low;
    const float* scale;
    const float* bias;
};

/// Rows whose sums the kernels add up in float32 before they go on in float64. Blocks of rows that start at a multiple
/// of it have the same sums however they are put together.
inline constexpr int64_t kBatchNormStretch = 32;

/// In all of them `activation` f is IDENTITY, RELU or RELU6.
template <class T>
struct BatchNormKernels {
    /// deviations[c] += sum over rows of x - shift[c]; squares[c] += sum of its square.
    void (*sums)(const T* x, int64_t x_pitch, const T* shift, int64_t rows, int64_t channels, double* deviations,
                 double* squares);

    /// y = f(z + residual), residual or NULL; y may be x or residual.
    void (*forward)(int32_t activation, const BatchNormAffine& affine, const T* x, int64_t x_pitch, const T* residual,
                    T* y, int64_t rows, int64_t channels);

    /// z + residual in float32; z may be x or residual.
    void (*normalize)(const BatchNormAffine& affine, const T* x, int64_t x_pitch, const T* residual, float* z,
                      int64_t rows, int64_t channels);

    /// dz = dy f'(z + residual), stored where dz is not NULL, and its sums added per channel: dz_sums of dz, products
    /// of dz (x - mean), deviations of x - mean. residual may be NULL; dz may be dy. With IDENTITY nothing is stored.
    void (*gradient_sums)(int32_t activation, const BatchNormAffine& affine, const T* x, int64_t x_pitch,
                          const T* residual, const T* dy, T* dz, int64_t rows, int64_t channels, double* dz_sums,
                          double* products, double* deviations);

    /// dx = scale (dz - offset - (x - mean) slope) + addend with dz = dy f'(z), all but x, dy and addend (or NULL) per
    /// channel; dx may be dy, or addend of the same pitch.
    void (*input_gradient)(int32_t activation, const BatchNormAffine& affine, const float* offset, const float* slope,
                           const T* x, int64_t x_pitch, const T* dy, const T* addend, int64_t addend_pitch, T* dx,
                           int64_t dx_pitch, int64_t rows, int64_t channels);
};
VELU_ISA_SELECT(ByElement<BatchNormKernels>, batch_norm_kernels)

}  // namespace velu::cpu
