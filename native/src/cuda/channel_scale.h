// What other files of the backend may ask of channel_scale.
#pragma once

#include "cuda/context.h"

#include <cstddef>

namespace velu::cuda {

/// Bytes of scratch memory that the gradient needs, however its memory is aligned.
size_t channel_scale_workspace(const Context& context, const velu_channel_scale_desc& desc);

}  // namespace velu::cuda
