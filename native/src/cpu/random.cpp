// Random numbers from counters: element i depends on the seed, the stream and i only.
#include <algorithm>
#include <cmath>

#include "cpu/context.h"
#include "cpu/isa/random_kernels.h"
#include "cpu/operations.h"

namespace velu::cpu {

velu_status random_fill(DeviceContext* context, const velu_random_desc* desc, float* out) {
    return guarded(context, [&]() -> velu_status {
        constexpr int64_t kBlock = 16384;  // a multiple of 4: a block of words belongs to one thread
        const RandomKernels& kernels = random_kernels(cpu(context).isa);
        RandomSource source = {desc->seed, desc->stream, desc->a, desc->b, desc->low, desc->high};
        auto fill = kernels.uniform;
        switch (desc->distribution) {
            case VELU_DISTRIBUTION_UNIFORM:
                source.high = desc->a < desc->b ? std::nextafter(desc->b, desc->a) : desc->a;
                break;
            case VELU_DISTRIBUTION_NORMAL:
                fill = kernels.normal;
                break;
            case VELU_DISTRIBUTION_TRUNCATED_NORMAL:
                fill = kernels.truncated_normal;
                break;
            default:
                return context->fail(VELU_STATUS_INVALID_ARGUMENT, "distribution %d is not a VELU_DISTRIBUTION",
                                     desc->distribution);
        }
        parallel_for(cpu(context), (desc->count + kBlock - 1) / kBlock, [&](int64_t block) {
            const int64_t start = block * kBlock;
            fill(source, start, std::min(kBlock, desc->count - start), out + start);
        });
        return VELU_STATUS_SUCCESS;
    });
}

}  // namespace velu::cpu
