// Conversion between element types, in blocks that stay whole whatever the thread count. Limited by memory.
#include <algorithm>
#include <cstring>

#include "cpu/context.h"
#include "cpu/isa/cast_kernels.h"
#include "cpu/operations.h"

namespace velu::cpu {
velu_status cast_forward(DeviceContext* context, const velu_cast_desc* desc, const void* x, void* y) {
    return guarded(context, [&]() -> velu_status {
        constexpr int64_t kBlock = 16384;
        const CastKernels& kernels = cast_kernels(cpu(context).isa);
        const bool from_bfloat16 = desc->source_dtype == VELU_DTYPE_BF16;
        const bool into_bfloat16 = desc->dtype == VELU_DTYPE_BF16;
        const int64_t size = into_bfloat16 ? 2 : 4;
        parallel_for(cpu(context), (desc->count + kBlock - 1) / kBlock, [&](int64_t block) {
            const int64_t start = block * kBlock;
            const int64_t count = std::min(kBlock, desc->count - start);
            if (from_bfloat16 == into_bfloat16) {  // every bit stays
                std::memcpy(static_cast<char*>(y) + start * size, static_cast<const char*>(x) + start * size,
                            static_cast<size_t>(count * size));
            } else if (into_bfloat16) {
                kernels.to_bfloat16(static_cast<const float*>(x) + start, static_cast<BFloat16*>(y) + start, count);
            } else {
                kernels.to_float(static_cast<const BFloat16*>(x) + start, static_cast<float*>(y) + start, count);
            }
        });
        return VELU_STATUS_SUCCESS;
    });
}

}  // namespace velu::cpu
