#include "cpu/isa/global_avg_pool_kernels.h"

namespace velu::cpu::VELU_ISA_NAMESPACE {
namespace {

// Reads each element once; limited by memory. Sums of 16 pixels in float32 are added up in float64, so the error does
// not grow with the image.
template <class T>
void forward(const T* x, int64_t pixels, int64_t channels, int64_t n, T* y) {
    constexpr int64_t kPixels = 16;
    double sum[kGlobalAvgPoolChannels] = {};
    for (int64_t pixel = 0; pixel < pixels;) {
        const int64_t end = pixels - pixel < kPixels ? pixels : pixel + kPixels;
        float part[kGlobalAvgPoolChannels];
        for (int64_t c = 0; c < n; ++c) part[c] = 0;
        for (; pixel < end; ++pixel) {
            const T* row = x + pixel * channels;
#pragma omp simd
            for (int64_t c = 0; c < n; ++c) part[c] += value_of(row[c]);
        }
#pragma omp simd
        for (int64_t c = 0; c < n; ++c) sum[c] += static_cast<double>(part[c]);
    }
    const auto divide_by = static_cast<double>(pixels);
#pragma omp simd
    for (int64_t c = 0; c < n; ++c) put(static_cast<float>(sum[c] / divide_by), y + c);
}

// Writes each element once; limited by memory.
template <class T>
void backward(const T* dy, int64_t pixels, int64_t channels, int64_t n, T* dx) {
    T share[kGlobalAvgPoolChannels];
    const auto divide_by = static_cast<float>(pixels);
    for (int64_t c = 0; c < n; ++c) put(value_of(dy[c]) / divide_by, share + c);
    for (int64_t pixel = 0; pixel < pixels; ++pixel) {
        T* row = dx + pixel * channels;
#pragma omp simd
        for (int64_t c = 0; c < n; ++c) row[c] = share[c];
    }
}

}  // namespace

extern const ByElement<GlobalAvgPoolKernels> global_avg_pool_kernels = {
    {forward<float>, backward<float>},
    {forward<BFloat16>, backward<BFloat16>},
};

}  // namespace velu::cpu::VELU_ISA_NAMESPACE
