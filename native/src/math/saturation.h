// Where an activation has no gradient, or nearly none: the definition of velu_activation_statistics.
#pragma once

#include <velu/velu.h>

#include <cstdint>

#include "math/host_device.h"

namespace velu::math {

/// Largest size of the outputs of a dead unit.
inline constexpr float kDeadOutput = 1e-6f;

/// Whether an element is saturated; beta2 is VeLU's. A product of two floats is exact in float64, so VeLU's clip is met
/// exactly. A NaN is not saturated.
VELU_SHARED_INLINE bool is_saturated(int32_t activation, float beta2, float x) {
    switch (activation) {
        case VELU_ACTIVATION_RELU:
            return x <= 0.0f;
        case VELU_ACTIVATION_RELU6:
            return x <= 0.0f || x >= 6.0f;
        case VELU_ACTIVATION_SILU:  // sigmoid(x) <= 0.001
            return x <= -6.9067548f;
        case VELU_ACTIVATION_GELU:  // Phi(x) <= 0.001
            return x <= -3.0902323f;
        case VELU_ACTIVATION_SIGMOID:
            return x <= -6.9067548f || x >= 6.9067548f;
        default: {
            const double u = static_cast<double>(beta2) * static_cast<double>(x);
            return u <= -1.0 || u >= 1.0;
        }
    }
}

}  // namespace velu::math
