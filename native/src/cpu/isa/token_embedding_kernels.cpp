#include "cpu/isa/token_embedding_kernels.h"

#include <cstring>

namespace velu::cpu::VELU_ISA_NAMESPACE {
namespace {

// Reads and writes 4 bytes per element; limited by memory. Sums of 16 images in float32 are added up in float64, so the
// error does not grow with the batch.
void backward(const float* dy, int64_t batch, int64_t dy_step, int64_t n, float* sum, float* dx, int64_t dx_step) {
    constexpr int64_t kImages = 16;
    double total[kTokenEmbeddingElements];
    float part[kTokenEmbeddingElements];
    for (int64_t i = 0; i < n; ++i) total[i] = 0;
    for (int64_t image = 0; image < batch;) {
        const int64_t end = batch - image < kImages ? batch : image + kImages;
        for (int64_t i = 0; i < n; ++i) part[i] = 0;
        for (; image < end; ++image) {
            const float* from = dy + image * dy_step;
#pragma omp simd
            for (int64_t i = 0; i < n; ++i) part[i] += from[i];
            if (dx != nullptr) std::memcpy(dx + image * dx_step, from, static_cast<size_t>(n) * sizeof(float));
        }
#pragma omp simd
        for (int64_t i = 0; i < n; ++i) total[i] += static_cast<double>(part[i]);
    }
#pragma omp simd
    for (int64_t i = 0; i < n; ++i) sum[i] = static_cast<float>(total[i]);
}

}  // namespace

extern const TokenEmbeddingKernels token_embedding_kernels = {backward};

}  // namespace velu::cpu::VELU_ISA_NAMESPACE
