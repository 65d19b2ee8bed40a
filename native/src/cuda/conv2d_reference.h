// Convolution by a plain tiled matrix product: right for every shape, for when no library computes it.
#pragma once

#include "cuda/plan.h"

#include <cstdint>

namespace velu::cuda {

/// The plan of one pass (VELU_PASS_*). It exists for every shape.
Plan conv2d_reference(const Context& context, const velu_conv2d_desc& desc, int32_t pass);

}  // namespace velu::cuda
