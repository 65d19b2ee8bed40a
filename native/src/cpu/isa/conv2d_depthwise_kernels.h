// Vector kernel of the gradient of a depthwise convolution's weights.
#pragma once

#include <velu/velu.h>

#include <cstdint>

#include "cpu/element.h"
#include "cpu/isa/select.h"

namespace velu::cpu {

/// Channels that one call of the kernel handles at most.
inline constexpr int64_t kDepthwiseChannels = 64;

/// A depthwise convolution (one filter for each channel) and the sizes that follow from its descriptor.
struct DepthwiseShape {
    const velu_conv2d_desc& desc;
    int64_t out_height;
    int64_t out_width;
    int64_t y_pitch;
};

template <class T>
struct Conv2dDepthwiseKernels {
    /// Of some neighbouring channels and images: sums[kernel_height * kernel_width][channels] of dy times the x under
    /// each tap. x and dy point to the first channel of the first image; 1 <= channels <= kDepthwiseChannels.
    void (*backward_weights)(const DepthwiseShape& shape, const T* x, const T* dy, int64_t images, int64_t channels,
                             double* sums);
};
VELU_ISA_SELECT(ByElement<Conv2dDepthwiseKernels>, conv2d_depthwise_kernels)

}  // namespace velu::cpu
