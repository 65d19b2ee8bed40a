// Vector kernels of velu_adaptive_avg_pool2d.
#pragma once

#include <cstdint>

#include "cpu/element.h"
#include "cpu/isa/select.h"

namespace velu::cpu {

template <class T>
struct AdaptiveAvgPool2dKernels {
    /// Row out_row of one image. image: [in_height][in_width][channels]; y: [out_width][channels].
    void (*forward_row)(const velu_adaptive_avg_pool2d_desc& desc, const T* image, int64_t out_row, T* y);
    /// Row in_row of one image. dy: [out_height][out_width][channels]; dx: [in_width][channels].
    void (*backward_row)(const velu_adaptive_avg_pool2d_desc& desc, const T* dy, int64_t in_row, T* dx);
};
VELU_ISA_SELECT(ByElement<AdaptiveAvgPool2dKernels>, adaptive_avg_pool2d_kernels)

}  // namespace velu::cpu
