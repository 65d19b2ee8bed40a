// Vector kernels of velu_adaptive_avg_pool2d.
#pragma once

#include <cstdint>

#include "cpu/isa/select.h"

namespace velu::cpu {

struct AdaptiveAvgPool2dKernels {
    /// Row out_row of one image. image: [in_height][in_width][channels]; y: [out_width][channels].
    void (*forward_row)(const velu_adaptive_avg_pool2d_desc& desc, const float* image, int64_t out_row, float* y);
    /// Row in_row of one image. dy: [out_height][out_width][channels]; dx: [in_width][channels].
    void (*backward_row)(const velu_adaptive_avg_pool2d_desc& desc, const float* dy, int64_t in_row, float* dx);
};
VELU_ISA_SELECT(AdaptiveAvgPool2dKernels, adaptive_avg_pool2d_kernels)

}  // namespace velu::cpu
