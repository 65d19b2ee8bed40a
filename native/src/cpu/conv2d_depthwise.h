// The gradient of a depthwise convolution's weights, for which oneDNN (3.11) has fast kernels only up to 3 x 3: at
// 5 x 5 it computes 7 GFLOP/s, twenty times below these.
#pragma once

#include "cpu/context.h"

namespace velu::cpu {

/// Whether there is one filter for each channel.
bool is_depthwise(const velu_conv2d_desc& desc);

/// Bytes of scratch memory of depthwise_backward_weights.
size_t depthwise_scratch_bytes(const velu_conv2d_desc& desc);

/// dweight of velu_conv2d_backward_weights, batch >= 1, of either dtype, with pitched dy or not.
void depthwise_backward_weights(const Context& context, const velu_conv2d_desc& desc, const void* x, const void* dy,
                                void* scratch, float* dweight);

}  // namespace velu::cpu
