// Vector kernels of velu_token_embedding.
#pragma once

#include <cstdint>

#include "cpu/element.h"
#include "cpu/isa/select.h"

namespace velu::cpu {

/// Elements of every image that one call of a kernel handles at most.
inline constexpr int64_t kTokenEmbeddingElements = 1024;

template <class T>
struct TokenEmbeddingKernels {
    /// y = class_token + position, the first token of an image.
    void (*first_token)(const float* class_token, const float* position, T* y, int64_t n);

    /// y = x + position, of the others.
    void (*forward)(const T* x, const float* position, T* y, int64_t n);

    /// n <= kTokenEmbeddingElements elements of every image: sum[i] = sum of dy over the images, dy_step apart. With
    /// dx not NULL also dx = dy, its images dx_step apart.
    void (*backward)(const T* dy, int64_t batch, int64_t dy_step, int64_t n, float* sum, T* dx, int64_t dx_step);
};
VELU_ISA_SELECT(ByElement<TokenEmbeddingKernels>, token_embedding_kernels)

}  // namespace velu::cpu
