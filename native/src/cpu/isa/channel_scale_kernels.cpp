#include "cpu/isa/channel_scale_kernels.h"

namespace velu::cpu::VELU_ISA_NAMESPACE {
namespace {

// Reads and writes 4 bytes per element; limited by memory.
void forward(const float* x, const float* scale, float* y, int64_t pixels, int64_t channels) {
    for (int64_t pixel = 0; pixel < pixels; ++pixel) {
        const float* from = x + pixel * channels;
        float* to = y + pixel * channels;
#pragma omp simd
        for (int64_t c = 0; c < channels; ++c) to[c] = from[c] * scale[c];
    }
}

// Reads 8 bytes and writes 4 per element; limited by memory. Sums of 16 pixels in float32 are added up in float64, so
// the error does not grow with the image.
void backward(const float* x, const float* scale, const float* dy, int64_t pixels, int64_t channels, int64_t n,
              float* dx, double* dscale) {
    constexpr int64_t kPixels = 16;
    double sum[kChannelScaleChannels] = {};
    for (int64_t pixel = 0; pixel < pixels;) {
        const int64_t end = pixels - pixel < kPixels ? pixels : pixel + kPixels;
        float part[kChannelScaleChannels];
        for (int64_t c = 0; c < n; ++c) part[c] = 0;
        for (; pixel < end; ++pixel) {
            const float* input = x + pixel * channels;
            const float* upstream = dy + pixel * channels;
            float* gradient = dx + pixel * channels;
#pragma omp simd
            for (int64_t c = 0; c < n; ++c) {
                const float value = upstream[c];
                part[c] += value * input[c];
                gradient[c] = value * scale[c];
            }
        }
#pragma omp simd
        for (int64_t c = 0; c < n; ++c) sum[c] += static_cast<double>(part[c]);
    }
    for (int64_t c = 0; c < n; ++c) dscale[c] = sum[c];
}

}  // namespace

extern const ChannelScaleKernels channel_scale_kernels = {forward, backward};

}  // namespace velu::cpu::VELU_ISA_NAMESPACE
