// VeLU in float64 over blocks of rows, for the few inputs that float32 cannot resolve: math/velu_float64.h says which.
#pragma once

#include <velu/velu.h>

#include <cstdint>

#include "math/velu_float64.h"

namespace velu::cpu {

/// Moments of A for a block x[rows][channels], rows >= 1. T here and below: float or BFloat16.
template <class T>
math::Moments velu_float64_moments(const velu_velu_params& params, const T* x, int64_t rows, int64_t channels);

/// dx of a block of x and dy [rows][channels], rows >= 1; dx may be dy. Stores sum(dy * A) if dlambda is not NULL.
/// row: scratch for [channels] floats; not read where T is float.
template <class T>
void velu_float64_backward(const velu_velu_params& params, float lambda, const math::W2Gradient& w2, const T* x,
                           const T* dy, T* dx, int64_t rows, int64_t channels, double* dlambda, float* row);

}  // namespace velu::cpu
