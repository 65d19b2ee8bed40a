#include "cpu/isa/add_kernels.h"

namespace velu::cpu::VELU_ISA_NAMESPACE {
namespace {

// Reads two elements for each that it writes; limited by memory.
template <class T>
void add(const T* a, const T* b, T* y, int64_t count) {
#pragma omp simd
    for (int64_t i = 0; i < count; ++i) put(value_of(a[i]) + value_of(b[i]), y + i);
}

}  // namespace

extern const ByElement<AddKernels> add_kernels = {{add<float>}, {add<BFloat16>}};

}  // namespace velu::cpu::VELU_ISA_NAMESPACE
