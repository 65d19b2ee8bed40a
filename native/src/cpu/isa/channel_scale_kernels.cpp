#include "cpu/isa/channel_scale_kernels.h"

namespace velu::cpu::VELU_ISA_NAMESPACE {
namespace {

// Reads and writes each element once; limited by memory.
template <class T>
void forward(const T* x, const T* scale, T* y, int64_t pixels, int64_t channels) {
    for (int64_t pixel = 0; pixel < pixels; ++pixel) {
        const T* from = x + pixel * channels;
        T* to = y + pixel * channels;
#pragma omp simd
        for (int64_t c = 0; c < channels; ++c) put(value_of(from[c]) * value_of(scale[c]), to + c);
    }
}

// Reads two elements for each that it writes; limited by memory. Sums of 16 pixels in float32 are added up in float64,
// so the error does not grow with the image.
template <class T>
void backward(const T* x, const T* scale, const T* dy, int64_t pixels, int64_t channels, int64_t n, T* dx,
              double* dscale) {
    constexpr int64_t kPixels = 16;
    double sum[kChannelScaleChannels] = {};
    for (int64_t pixel = 0; pixel < pixels;) {
        const int64_t end = pixels - pixel < kPixels ? pixels : pixel + kPixels;
        float part[kChannelScaleChannels];
        for (int64_t c = 0; c < n; ++c) part[c] = 0;
        for (; pixel < end; ++pixel) {
            const T* input = x + pixel * channels;
            const T* upstream = dy + pixel * channels;
            T* gradient = dx + pixel * channels;
#pragma omp simd
            for (int64_t c = 0; c < n; ++c) {
                const float value = value_of(upstream[c]);
                part[c] += value * value_of(input[c]);
                put(value * value_of(scale[c]), gradient + c);
            }
        }
#pragma omp simd
        for (int64_t c = 0; c < n; ++c) sum[c] += static_cast<double>(part[c]);
    }
    for (int64_t c = 0; c < n; ++c) dscale[c] = sum[c];
}

}  // namespace

extern const ByElement<ChannelScaleKernels> channel_scale_kernels = {
    {forward<float>, backward<float>},
    {forward<BFloat16>, backward<BFloat16>},
};

}  // namespace velu::cpu::VELU_ISA_NAMESPACE
