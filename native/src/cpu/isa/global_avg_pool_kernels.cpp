#include "cpu/isa/global_avg_pool_kernels.h"

namespace velu::cpu::VELU_ISA_NAMESPACE {
namespace {

// Reads 4 bytes per element; limited by memory. Sums of 16 pixels in float32 are added up in float64, so the error does
// not grow with the image.
void forward(const float* x, int64_t pixels, int64_t channels, int64_t n, float* y) {
    constexpr int64_t kPixels = 16;
    double sum[kGlobalAvgPoolChannels] = {};
    for (int64_t pixel = 0; pixel < pixels;) {
        const int64_t end = pixels - pixel < kPixels ? pixels : pixel + kPixels;
        float part[kGlobalAvgPoolChannels];
        for (int64_t c = 0; c < n; ++c) part[c] = 0;
        for (; pixel < end; ++pixel) {
            const float* row = x + pixel * channels;
#pragma omp simd
            for (int64_t c = 0; c < n; ++c) part[c] += row[c];
        }
#pragma omp simd
        for (int64_t c = 0; c < n; ++c) sum[c] += static_cast<double>(part[c]);
    }
    const auto divide_by = static_cast<double>(pixels);
#pragma omp simd
    for (int64_t c = 0; c < n; ++c) y[c] = static_cast<float>(sum[c] / divide_by);
}

// Writes 4 bytes per element; limited by memory.
void backward(const float* dy, int64_t pixels, int64_t channels, int64_t n, float* dx) {
    float share[kGlobalAvgPoolChannels];
    const auto divide_by = static_cast<float>(pixels);
    for (int64_t c = 0; c < n; ++c) share[c] = dy[c] / divide_by;
    for (int64_t pixel = 0; pixel < pixels; ++pixel) {
        float* row = dx + pixel * channels;
#pragma omp simd
        for (int64_t c = 0; c < n; ++c) row[c] = share[c];
    }
}

}  // namespace

extern const GlobalAvgPoolKernels global_avg_pool_kernels = {forward, backward};

}  // namespace velu::cpu::VELU_ISA_NAMESPACE
