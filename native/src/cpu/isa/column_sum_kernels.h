// Vector kernel of sums down the columns of a matrix.
#pragma once

#include <cstdint>

#include "cpu/element.h"
#include "cpu/isa/select.h"

namespace velu::cpu {

template <class T>
struct ColumnSumKernels {
    /// sum[columns], in float32, of rows >= 1 rows of x[rows][columns], pitch elements apart.
    void (*sum)(const T* x, int64_t rows, int64_t columns, int64_t pitch, float* sum);
};
VELU_ISA_SELECT(ByElement<ColumnSumKernels>, column_sum_kernels)

}  // namespace velu::cpu
