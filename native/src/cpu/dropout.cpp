// Dropout. The mask is computed from counters wherever it is needed and never stored, so forward and backward are the
// same function.
#include <algorithm>
#include <cmath>

#include "cpu/context.h"
#include "cpu/isa/dropout_kernels.h"
#include "cpu/operations.h"

namespace velu::cpu {
namespace {

template <class T>
void dropout(const Context& context, const velu_dropout_desc& desc, int64_t step, const T* x, T* y) {
    constexpr int64_t kBlock = 16384;  // a multiple of 4: a block of words belongs to one thread
    const double probability = desc.probability;
    const DropoutMask mask = {
        .seed = desc.seed,
        .step = static_cast<uint64_t>(step),
        .stream = desc.stream,
        // The largest float32 below 1 is 1 - 2^-24, so this is below 2^32.
        .threshold = static_cast<uint32_t>(std::nearbyint(probability * 0x1p32)),
        .scale = static_cast<float>(1.0 / (1.0 - probability)),
    };
    const DropoutKernels<T>& kernels = dropout_kernels(context.isa).of<T>();
    parallel_for(context, (desc.count + kBlock - 1) / kBlock, [&](int64_t block) {
        const int64_t start = block * kBlock;
        const int64_t count = std::min(kBlock, desc.count - start);
        if (desc.group == 1) {
            kernels.apply(mask, start, count, x + start, y + start);
        } else {
            kernels.apply_to_groups(mask, desc.group, start, count, x + start, y + start);
        }
    });
}

velu_status dropout(DeviceContext* context, const velu_dropout_desc& desc, int64_t step, const void* x, void* y) {
    return guarded(context, [&] {
        with_element(desc.dtype, [&]<class T>(T) {
            dropout(cpu(context), desc, step, static_cast<const T*>(x), static_cast<T*>(y));
        });
        return VELU_STATUS_SUCCESS;
    });
}

}  // namespace

velu_status dropout_forward(DeviceContext* context, const velu_dropout_desc* desc, const int64_t* step, const void* x,
                            void* y) {
    return dropout(context, *desc, *step, x, y);
}

velu_status dropout_backward(DeviceContext* context, const velu_dropout_desc* desc, const int64_t* step, const void* dy,
                             void* dx) {
    return dropout(context, *desc, *step, dy, dx);
}

}  // namespace velu::cpu
