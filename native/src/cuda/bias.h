// What ends a convolution or a linear layer: a bias for the rows of a matrix, a residual and an activation; and the
// bias' gradient, the sum of the rows. pitch: elements from one row to the next.
#pragma once

#include "cuda/context.h"

#include <cstddef>
#include <cstdint>

namespace velu::cuda {

/// y[row][column] = f(y[row][column] + bias[column]), in place; y: [rows][columns] of a dtype, bias: [columns] or NULL,
/// activation: any VELU_ACTIVATION but VELU.
void add_bias(Context& context, int32_t dtype, int64_t rows, int64_t columns, int64_t pitch, const float* bias,
              int32_t activation, void* y);

/// y[row][column] = f(x[row][column] + bias[column] + residual[row][column]). x may be y and has its pitch, residual
/// may be y if that is dense, and is dense.
void add_bias_and_residual(Context& context, int32_t dtype, int64_t rows, int64_t columns, int64_t pitch, const void* x,
                           const float* bias, const void* residual, int32_t activation, void* y);

/// Bytes of scratch memory that column_sum needs.
size_t column_sum_workspace(int64_t rows, int64_t columns);

/// sum[column] = sum over rows of dy[rows][columns] of a dtype, in an order that depends on the shape only.
void column_sum(Context& context, int32_t dtype, int64_t rows, int64_t columns, int64_t pitch, const void* dy,
                void* workspace, float* sum);

}  // namespace velu::cuda
