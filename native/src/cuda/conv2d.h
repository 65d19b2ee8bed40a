// What other files of the backend may ask of the convolutions.
#pragma once

#include "cuda/context.h"

#include <cstdint>
#include <string>

namespace velu::cuda {

/// Name of the implementation of one pass (VELU_PASS_*) on memory aligned to 16 bytes, e.g. "cudnn:engine 34",
/// "depthwise", "reference". Chooses it if that has not happened yet.
std::string conv2d_impl(Context& context, const velu_conv2d_desc& desc, int32_t pass);

}  // namespace velu::cuda
