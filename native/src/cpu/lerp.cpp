// A step of an average towards new values: one pass over both.
#include <algorithm>

#include "cpu/context.h"
#include "cpu/isa/lerp_kernels.h"
#include "cpu/operations.h"

namespace velu::cpu {

velu_status lerp(DeviceContext* context, const velu_lerp_desc* desc, const float* weight, const void* values,
                 float* average) {
    return guarded(context, [&]() -> velu_status {
        const float w = *weight;
        if (!(w >= 0 && w <= 1)) {
            return context->fail(VELU_STATUS_INVALID_ARGUMENT, "the weight is %g; it must be 0 to 1",
                                 static_cast<double>(w));
        }
        with_element(desc->dtype, [&]<class T>(T) {
            constexpr int64_t kBlock = 16384;
            const LerpKernels<T>& kernels = lerp_kernels(cpu(context).isa).of<T>();
            const auto* from = static_cast<const T*>(values);
            parallel_for(cpu(context), (desc->count + kBlock - 1) / kBlock, [&](int64_t block) {
                const int64_t start = block * kBlock;
                kernels.lerp(w, std::min(kBlock, desc->count - start), from + start, average + start);
            });
        });
        return VELU_STATUS_SUCCESS;
    });
}

}  // namespace velu::cpu
