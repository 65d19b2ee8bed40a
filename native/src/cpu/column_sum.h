// Sums down the columns of a matrix: the gradient of a bias.
#pragma once

#include <cstddef>
#include <cstdint>

#include "cpu/context.h"

namespace velu::cpu {

/// Bytes of scratch memory that column_sum needs.
size_t column_sum_bytes(int64_t rows, int64_t columns);

/// sum[column] over the rows of x[rows][columns], of the given dtype, rows pitch elements apart; the same bits for any
/// number of threads. Reads x once.
void column_sum(const Context& context, int32_t dtype, int64_t rows, int64_t columns, int64_t pitch, const void* x,
                void* scratch, float* sum);

}  // namespace velu::cpu
