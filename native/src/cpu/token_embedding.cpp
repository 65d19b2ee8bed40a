// Class token and position embedding. In an image's tokens, as in the position embedding, the class token comes first
// and the patches lie behind it without a gap.
#include <algorithm>
#include <cstring>

#include "cpu/context.h"
#include "cpu/isa/add_kernels.h"
#include "cpu/isa/token_embedding_kernels.h"
#include "cpu/operations.h"

namespace velu::cpu {
namespace {

constexpr int64_t divide_up(int64_t a, int64_t b) {
    return (a + b - 1) / b;
}

}  // namespace

velu_status token_embedding_forward(DeviceContext* context, const velu_token_embedding_desc* desc, const void* x,
                                    const float* class_token, const float* position, void* y) {
    return guarded(context, [&]() -> velu_status {
        constexpr int64_t kBlock = 16384;
        const AddKernels& kernels = add_kernels(cpu(context).isa);
        const auto* patches = static_cast<const float*>(x);
        auto* tokens = static_cast<float*>(y);
        const int64_t channels = desc->channels;
        const int64_t size = desc->patches * channels;  // of an image's patches
        const int64_t blocks = divide_up(size, kBlock);
        parallel_for(cpu(context), desc->batch * blocks, [&](int64_t task) {
            const int64_t image = task / blocks;
            const int64_t start = task % blocks * kBlock;
            float* of_image = tokens + image * (size + channels);
            if (start == 0) kernels.add(class_token, position, of_image, channels);
            kernels.add(patches + image * size + start, position + channels + start, of_image + channels + start,
                        std::min(kBlock, size - start));
        });
        return VELU_STATUS_SUCCESS;
    });
}

velu_status token_embedding_backward(DeviceContext* context, const velu_token_embedding_desc* desc, const void* dy,
                                     void* dx, float* dclass_token, float* dposition) {
    return guarded(context, [&]() -> velu_status {
        const TokenEmbeddingKernels& kernels = token_embedding_kernels(cpu(context).isa);
        const auto* upstream = static_cast<const float*>(dy);
        auto* gradient = static_cast<float*>(dx);
        const int64_t channels = desc->channels;
        const int64_t size = desc->patches * channels;
        const int64_t step = size + channels;
        const int64_t token_tasks = divide_up(channels, kTokenEmbeddingElements);
        const int64_t patch_tasks = divide_up(size, kTokenEmbeddingElements);
        parallel_for(cpu(context), token_tasks + patch_tasks, [&](int64_t task) {
            if (task < token_tasks) {
                const int64_t start = task * kTokenEmbeddingElements;
                kernels.backward(upstream + start, desc->batch, step,
                                 std::min(kTokenEmbeddingElements, channels - start), dposition + start, nullptr, 0);
                return;
            }
            const int64_t start = (task - token_tasks) * kTokenEmbeddingElements;
            kernels.backward(upstream + channels + start, desc->batch, step,
                             std::min(kTokenEmbeddingElements, size - start), dposition + channels + start,
                             gradient + start, size);
        });
        std::memcpy(dclass_token, dposition, static_cast<size_t>(channels) * sizeof(float));
        return VELU_STATUS_SUCCESS;
    });
}

}  // namespace velu::cpu
