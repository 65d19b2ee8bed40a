#include "cpu/isa/add_kernels.h"

namespace velu::cpu::VELU_ISA_NAMESPACE {
namespace {

// Reads 8 bytes and writes 4 per element; limited by memory.
void add(const float* a, const float* b, float* y, int64_t count) {
#pragma omp simd
    for (int64_t i = 0; i < count; ++i) y[i] = a[i] + b[i];
}

}  // namespace

extern const AddKernels add_kernels = {add};

}  // namespace velu::cpu::VELU_ISA_NAMESPACE
