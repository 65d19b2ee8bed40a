// Class token and position embedding. In an image's tokens, as in the position embedding, the class token comes first
// and the patches lie behind it without a gap.
#include <algorithm>
#include <cstring>

#include "cpu/context.h"
#include "cpu/isa/token_embedding_kernels.h"
#include "cpu/operations.h"

namespace velu::cpu {
namespace {

constexpr int64_t divide_up(int64_t a, int64_t b) {
    return (a + b - 1) / b;
}

template <class T>
void forward(const Context& context, const velu_token_embedding_desc& desc, const T* x, const float* class_token,
             const float* position, T* y) {
    constexpr int64_t kBlock = 16384;
    const TokenEmbeddingKernels<T>& kernels = token_embedding_kernels(context.isa).of<T>();
    const int64_t channels = desc.channels;
    const int64_t size = desc.patches * channels;  // of an image's patches
    const int64_t blocks = divide_up(size, kBlock);
    parallel_for(context, desc.batch * blocks, [&](int64_t task) {
        const int64_t image = task / blocks;
        const int64_t start = task % blocks * kBlock;
        T* of_image = y + image * (size + channels);
        if (start == 0) kernels.first_token(class_token, position, of_image, channels);
        kernels.forward(x + image * size + start, position + channels + start, of_image + channels + start,
                        std::min(kBlock, size - start));
    });
}

template <class T>
void backward(const Context& context, const velu_token_embedding_desc& desc, const T* dy, T* dx, float* dclass_token,
              float* dposition) {
    const TokenEmbeddingKernels<T>& kernels = token_embedding_kernels(context.isa).of<T>();
    const int64_t channels = desc.channels;
    const int64_t size = desc.patches * channels;
    const int64_t step = size + channels;
    const int64_t token_tasks = divide_up(channels, kTokenEmbeddingElements);
    const int64_t patch_tasks = divide_up(size, kTokenEmbeddingElements);
    parallel_for(context, token_tasks + patch_tasks, [&](int64_t task) {
        if (task < token_tasks) {
            const int64_t start = task * kTokenEmbeddingElements;
            kernels.backward(dy + start, desc.batch, step, std::min(kTokenEmbeddingElements, channels - start),
                             dposition + start, nullptr, 0);
            return;
        }
        const int64_t start = (task - token_tasks) * kTokenEmbeddingElements;
        kernels.backward(dy + channels + start, desc.batch, step, std::min(kTokenEmbeddingElements, size - start),
                         dposition + channels + start, dx + start, size);
    });
    std::memcpy(dclass_token, dposition, static_cast<size_t>(channels) * sizeof(float));
}

}  // namespace

velu_status token_embedding_forward(DeviceContext* context, const velu_token_embedding_desc* desc, const void* x,
                                    const float* class_token, const float* position, void* y) {
    return guarded(context, [&]() -> velu_status {
        with_element(desc->dtype, [&]<class T>(T) {
            forward(cpu(context), *desc, static_cast<const T*>(x), class_token, position, static_cast<T*>(y));
        });
        return VELU_STATUS_SUCCESS;
    });
}

velu_status token_embedding_backward(DeviceContext* context, const velu_token_embedding_desc* desc, const void* dy,
                                     void* dx, float* dclass_token, float* dposition) {
    return guarded(context, [&]() -> velu_status {
        with_element(desc->dtype, [&]<class T>(T) {
            backward(cpu(context), *desc, static_cast<const T*>(dy), static_cast<T*>(dx), dclass_token, dposition);
        });
        return VELU_STATUS_SUCCESS;
    });
}

}  // namespace velu::cpu
