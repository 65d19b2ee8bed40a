// Limited by memory: 4 bytes read and 2 written per element, or 2 and 4.
#include "cpu/isa/cast_kernels.h"

#include "math/simd.h"

namespace velu::cpu::VELU_ISA_NAMESPACE {
namespace {

using V = simd::Vector;

template <class From, class To>
void convert(const From* x, To* y, int64_t count) {
    simd::for_each_vector<V>(
        count, [&](int64_t i, auto lanes)
                   __attribute__((always_inline)) { lanes.store(lanes.load(x + i, V(0.0f)), y + i); });
}

}  // namespace

extern const CastKernels cast_kernels = {convert<float, BFloat16>, convert<BFloat16, float>};

}  // namespace velu::cpu::VELU_ISA_NAMESPACE
