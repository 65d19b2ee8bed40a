// Depthwise convolution: every channel has a filter of its own (groups == in_channels == out_channels).
#pragma once

#include "cuda/plan.h"

#include <cstdint>

namespace velu::cuda {

/// Whether these kernels can compute it: depthwise, with a filter of at most 25 taps and 7 columns.
bool is_depthwise(const velu_conv2d_desc& desc);

/// The plan of one pass (VELU_PASS_*) of a convolution with is_depthwise().
Plan conv2d_depthwise(const Context& context, const velu_conv2d_desc& desc, int32_t pass);

}  // namespace velu::cuda
