// What other files of the backend may ask of scaled_linear.
#pragma once

#include "cuda/context.h"

#include <cstdint>
#include <string>

namespace velu::cuda {

/// Name of the implementation of the product in one pass (VELU_PASS_*), as linear_impl's; "cuda" for an empty batch.
std::string scaled_linear_impl(Context& context, const velu_scaled_linear_desc& desc, int32_t pass);

}  // namespace velu::cuda
