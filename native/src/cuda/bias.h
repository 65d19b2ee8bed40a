// Adding a bias to the rows of a matrix, and its gradient: the sum of the rows.
#pragma once

#include "cuda/context.h"

#include <cstddef>
#include <cstdint>

namespace velu::cuda {

/// y[row][column] += bias[column]; y: [rows][columns] of a dtype.
void add_bias(Context& context, int32_t dtype, int64_t rows, int64_t columns, const float* bias, void* y);

/// Bytes of scratch memory that column_sum needs.
size_t column_sum_workspace(int64_t rows, int64_t columns);

/// sum[column] = sum over rows of dy[rows][columns] of a dtype, in an order that depends on the shape only.
void column_sum(Context& context, int32_t dtype, int64_t rows, int64_t columns, const void* dy, void* workspace,
                float* sum);

}  // namespace velu::cuda
