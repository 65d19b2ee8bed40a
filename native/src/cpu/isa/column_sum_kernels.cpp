#include "cpu/isa/column_sum_kernels.h"

#include "math/simd.h"

namespace velu::cpu::VELU_ISA_NAMESPACE {
namespace {

using V = simd::Vector;

// Reads every element once and adds it to a row that stays in the first cache level; limited by memory.
template <class T>
void sum(const T* x, int64_t rows, int64_t columns, int64_t pitch, float* to) {
    for (int64_t row = 0; row < rows; ++row) {
        const T* from = x + row * pitch;
        simd::for_each_vector<V>(
            columns, [&](int64_t c, auto lanes) __attribute__((always_inline)) {
                const V value = lanes.load(from + c, V(0.0f));
                lanes.store(row == 0 ? value : lanes.load(to + c, V(0.0f)) + value, to + c);
            });
    }
}

}  // namespace

extern const ByElement<ColumnSumKernels> column_sum_kernels = {{sum<float>}, {sum<BFloat16>}};

}  // namespace velu::cpu::VELU_ISA_NAMESPACE
