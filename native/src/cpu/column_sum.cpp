#include "cpu/column_sum.h"

#include <algorithm>

#include "cpu/isa/column_sum_kernels.h"

namespace velu::cpu {
namespace {

constexpr int64_t kRowsPerBlock = 256;  // rows summed in float32 before blocks are merged in float64

int64_t row_blocks(int64_t rows) {
    return (rows + kRowsPerBlock - 1) / kRowsPerBlock;
}

template <class T>
void sum_blocks(const Context& context, int64_t rows, int64_t columns, int64_t pitch, const T* x, float* partial) {
    const ColumnSumKernels<T>& kernels = column_sum_kernels(context.isa).of<T>();
    parallel_for(context, row_blocks(rows), [&](int64_t block) {
        const int64_t first = block * kRowsPerBlock;
        kernels.sum(x + first * pitch, std::min(kRowsPerBlock, rows - first), columns, pitch,
                    partial + block * columns);
    });
}

}  // namespace

size_t column_sum_bytes(int64_t rows, int64_t columns) {
    return static_cast<size_t>(row_blocks(rows) * columns) * sizeof(float);
}

void column_sum(const Context& context, int32_t dtype, int64_t rows, int64_t columns, int64_t pitch, const void* x,
                void* scratch, float* sum) {
    auto* partial = static_cast<float*>(scratch);
    with_element(dtype,
                 [&]<class T>(T) { sum_blocks(context, rows, columns, pitch, static_cast<const T*>(x), partial); });
    for (int64_t column = 0; column < columns; ++column) {
        double total = 0;
        for (int64_t block = 0; block < row_blocks(rows); ++block) {
            total += static_cast<double>(partial[block * columns + column]);
        }
        sum[column] = static_cast<float>(total);
    }
}

}  // namespace velu::cpu
