// What other files of the backend may ask of the convolutions.
#pragma once

#include "cuda/context.h"

#include <cstdint>
#include <string>

namespace velu::cuda {

/// Name of the implementation of one pass (VELU_PASS_*) on memory aligned to 16 bytes, e.g. "cudnn:engine 34",
/// "depthwise", "reference". Chooses it if that has not happened yet.
std::string conv2d_impl(Context& context, const velu_conv2d_desc& desc, int32_t pass);

/// y = f(conv(x, weight) + bias + residual); residual may be NULL. It is dense, and may be y if that is dense.
void run_conv2d_forward(Context& context, const velu_conv2d_desc& desc, const void* x, const void* weight,
                        const float* bias, const void* residual, void* y);

/// Chooses the implementation of run_conv2d_forward and grows the scratch memory to its need.
void prepare_conv2d_forward(Context& context, const velu_conv2d_desc& desc, bool has_residual);

}  // namespace velu::cuda
