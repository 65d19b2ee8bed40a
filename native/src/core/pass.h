// The passes of convolution and linear, by the names of their functions.
#pragma once

#include <velu/velu.h>

#include <cstring>

namespace velu {

/// The VELU_PASS_* that a name such as "conv2d_backward_data" ends with.
inline int32_t pass_of(const char* operation) {
    if (std::strstr(operation, "backward_data") != nullptr) return VELU_PASS_BACKWARD_DATA;
    if (std::strstr(operation, "backward_weights") != nullptr) return VELU_PASS_BACKWARD_WEIGHTS;
    return VELU_PASS_FORWARD;
}

}  // namespace velu
