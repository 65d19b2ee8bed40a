#include "cpu/isa/token_embedding_kernels.h"

#include <cstring>

#include "math/simd.h"

namespace velu::cpu::VELU_ISA_NAMESPACE {
namespace {

using V = simd::Vector;

#define VELU_SWEEP __attribute__((always_inline))

// Reads one element (and a position, which stays in the cache) and writes one; limited by memory.
template <class T, class From>
void add(const From* x, const float* position, T* y, int64_t n) {
    simd::for_each_vector<V>(n, [&](int64_t i, auto lanes) VELU_SWEEP {
        lanes.store(lanes.load(x + i, V(0.0f)) + lanes.load(position + i, V(0.0f)), y + i);
    });
}

// Reads and writes each element once; limited by memory. Sums of 16 images in float32 are added up in float64, so the
// error does not grow with the batch.
template <class T>
void backward(const T* dy, int64_t batch, int64_t dy_step, int64_t n, float* sum, T* dx, int64_t dx_step) {
    constexpr int64_t kImages = 16;
    double total[kTokenEmbeddingElements];
    float part[kTokenEmbeddingElements];
    for (int64_t i = 0; i < n; ++i) total[i] = 0;
    for (int64_t image = 0; image < batch;) {
        const int64_t end = batch - image < kImages ? batch : image + kImages;
        for (int64_t i = 0; i < n; ++i) part[i] = 0;
        for (; image < end; ++image) {
            const T* from = dy + image * dy_step;
            simd::for_each_vector<V>(n, [&](int64_t i, auto lanes) VELU_SWEEP {
                lanes.store(lanes.load(part + i, V(0.0f)) + lanes.load(from + i, V(0.0f)), part + i);
            });
            if (dx != nullptr) std::memcpy(dx + image * dx_step, from, static_cast<size_t>(n) * sizeof(T));
        }
#pragma omp simd
        for (int64_t i = 0; i < n; ++i) total[i] += static_cast<double>(part[i]);
    }
#pragma omp simd
    for (int64_t i = 0; i < n; ++i) sum[i] = static_cast<float>(total[i]);
}

}  // namespace

extern const ByElement<TokenEmbeddingKernels> token_embedding_kernels = {
    {add<float, float>, add<float, float>, backward<float>},
    {add<BFloat16, float>, add<BFloat16, BFloat16>, backward<BFloat16>},
};

}  // namespace velu::cpu::VELU_ISA_NAMESPACE
