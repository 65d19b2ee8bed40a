// Vector kernels of velu_channel_scale.
#pragma once

#include <cstdint>

#include "cpu/element.h"
#include "cpu/isa/select.h"

namespace velu::cpu {

/// Channels of one image that one call of the backward kernel handles at most.
inline constexpr int64_t kChannelScaleChannels = 256;

template <class T>
struct ChannelScaleKernels {
    /// y = x * scale over pixels of one image, dense; y may be x.
    void (*forward)(const T* x, const T* scale, T* y, int64_t pixels, int64_t channels);
    /// n <= kChannelScaleChannels channels of some pixels, each `channels` from the next: dx = dy * scale,
    /// dscale[c] = sum of dy * x over these pixels. dx may be dy.
    void (*backward)(const T* x, const T* scale, const T* dy, int64_t pixels, int64_t channels, int64_t n, T* dx,
                     double* dscale);
};
VELU_ISA_SELECT(ByElement<ChannelScaleKernels>, channel_scale_kernels)

}  // namespace velu::cpu
