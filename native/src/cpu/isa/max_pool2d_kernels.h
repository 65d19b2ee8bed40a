// Vector kernels of velu_max_pool2d.
#pragma once

#include <cstdint>

#include "cpu/element.h"
#include "cpu/isa/select.h"

namespace velu::cpu {

template <class T>
struct MaxPool2dKernels {
    /// Row out_row of one image. image: [in_height][in_width][channels]; y: [out_width], desc.y_pitch apart;
    /// argmax (or NULL): [out_width][channels].
    void (*forward_row)(const velu_pool2d_desc& desc, const T* image, int64_t out_row, T* y, uint8_t* argmax);
    /// Row in_row of one image. dy: [out_height][out_width], desc.y_pitch apart; argmax: dense; dx: [in_width]
    /// [channels].
    void (*backward_row)(const velu_pool2d_desc& desc, const T* dy, const uint8_t* argmax, int64_t in_row, T* dx);
};
VELU_ISA_SELECT(ByElement<MaxPool2dKernels>, max_pool2d_kernels)

}  // namespace velu::cpu
