// Vector kernels of velu_token_embedding.
#pragma once

#include <cstdint>

#include "cpu/isa/select.h"

namespace velu::cpu {

/// Elements of every image that one call of a kernel handles at most.
inline constexpr int64_t kTokenEmbeddingElements = 1024;

struct TokenEmbeddingKernels {
    /// n <= kTokenEmbeddingElements elements of every image: sum[i] = sum of dy over the images, dy_step apart. With
    /// dx not NULL also dx = dy, its images dx_step apart.
    void (*backward)(const float* dy, int64_t batch, int64_t dy_step, int64_t n, float* sum, float* dx,
                     int64_t dx_step);
};
VELU_ISA_SELECT(TokenEmbeddingKernels, token_embedding_kernels)

}  // namespace velu::cpu
