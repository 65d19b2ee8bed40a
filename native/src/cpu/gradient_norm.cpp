// Norm of all gradients: blocks of a fixed size are summed apart and merged in order, whatever the thread count.
#include <algorithm>
#include <cmath>

#include "cpu/context.h"
#include "cpu/isa/gradient_norm_kernels.h"
#include "cpu/operations.h"

namespace velu::cpu {

velu_status gradient_norm(DeviceContext* context, const velu_gradient_norm_desc* desc, const void* gradients,
                          float* norm) {
    return guarded(context, [&]() -> velu_status {
        constexpr int64_t kBlock = 16384;
        const int64_t blocks = (desc->count + kBlock - 1) / kBlock;
        auto* sums = static_cast<double*>(
            cpu(context).workspace.reserve(static_cast<size_t>(std::max<int64_t>(1, blocks)) * sizeof(double)));
        with_element(desc->dtype, [&]<class T>(T) {
            const GradientNormKernels<T>& kernels = gradient_norm_kernels(cpu(context).isa).of<T>();
            const auto* values = static_cast<const T*>(gradients);
            parallel_for(cpu(context), blocks, [&](int64_t block) {
                const int64_t start = block * kBlock;
                sums[block] = kernels.sum_of_squares(values + start, std::min(kBlock, desc->count - start));
            });
        });
        double sum = 0;
        for (int64_t block = 0; block < blocks; ++block) sum += sums[block];
        *norm = static_cast<float>(std::sqrt(sum));
        return VELU_STATUS_SUCCESS;
    });
}

}  // namespace velu::cpu
