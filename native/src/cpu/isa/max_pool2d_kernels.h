// Vector kernels of velu_max_pool2d.
#pragma once

#include <cstdint>

#include "cpu/isa/select.h"

namespace velu::cpu {

struct MaxPool2dKernels {
    /// Row out_row of one image. image: [in_height][in_width][channels]; y: [out_width], desc.y_pitch apart;
    /// argmax (or NULL): [out_width][channels].
    void (*forward_row)(const velu_pool2d_desc& desc, const float* image, int64_t out_row, float* y, uint8_t* argmax);
    /// Row in_row of one image. dy: [out_height][out_width], desc.y_pitch apart; argmax: dense; dx: [in_width]
    /// [channels].
    void (*backward_row)(const velu_pool2d_desc& desc, const float* dy, const uint8_t* argmax, int64_t in_row,
                         float* dx);
};
VELU_ISA_SELECT(MaxPool2dKernels, max_pool2d_kernels)

}  // namespace velu::cpu
