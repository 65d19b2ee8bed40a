// Per element the kernel reads the value and 4 bytes and writes 4; limited by memory.
#include "cpu/isa/lerp_kernels.h"

namespace velu::cpu::VELU_ISA_NAMESPACE {
namespace {

template <class T>
void lerp(float weight, int64_t count, const T* values, float* average) {
    if (weight == 1.0f) {
#pragma omp simd
        for (int64_t i = 0; i < count; ++i) average[i] = value_of(values[i]);
        return;
    }
#pragma omp simd
    for (int64_t i = 0; i < count; ++i) average[i] += weight * (value_of(values[i]) - average[i]);
}

}  // namespace

extern const ByElement<LerpKernels> lerp_kernels = {
    {lerp<float>},
    {lerp<BFloat16>},
};

}  // namespace velu::cpu::VELU_ISA_NAMESPACE
