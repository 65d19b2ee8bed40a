// Sum of two tensors, in blocks that stay whole whatever the thread count.
#include <algorithm>

#include "cpu/context.h"
#include "cpu/isa/add_kernels.h"
#include "cpu/operations.h"

namespace velu::cpu {

velu_status add_forward(DeviceContext* context, const velu_add_desc* desc, const void* a, const void* b, void* y) {
    return guarded(context, [&] {
        with_element(desc->dtype, [&]<class T>(T) {
            constexpr int64_t kBlock = 16384;
            const AddKernels<T>& kernels = add_kernels(cpu(context).isa).of<T>();
            const auto* first = static_cast<const T*>(a);
            const auto* second = static_cast<const T*>(b);
            auto* sum = static_cast<T*>(y);
            parallel_for(cpu(context), (desc->count + kBlock - 1) / kBlock, [&](int64_t block) {
                const int64_t start = block * kBlock;
                kernels.add(first + start, second + start, sum + start, std::min(kBlock, desc->count - start));
            });
        });
        return VELU_STATUS_SUCCESS;
    });
}

}  // namespace velu::cpu
