// The activations that convolutions and linear layers apply to their results, in float64.
#pragma once

#include <velu/velu.h>

#include <algorithm>
#include <cmath>

/// What velu_conv2d_desc's and velu_linear_desc's activation may be.
inline constexpr int32_t kFusedActivations[] = {VELU_ACTIVATION_IDENTITY, VELU_ACTIVATION_RELU,
                                                VELU_ACTIVATION_RELU6,    VELU_ACTIVATION_SILU,
                                                VELU_ACTIVATION_GELU,     VELU_ACTIVATION_SIGMOID};

inline double activation_value(int32_t activation, double x) {
    switch (activation) {
        case VELU_ACTIVATION_RELU:
            return x > 0 ? x : 0;
        case VELU_ACTIVATION_RELU6:
            return x > 6 ? 6 : x > 0 ? x : 0;
        case VELU_ACTIVATION_SILU:
            return x / (1 + std::exp(-x));
        case VELU_ACTIVATION_GELU:
            return x * std::erfc(-x / std::sqrt(2.0)) / 2;
        case VELU_ACTIVATION_SIGMOID:
            return 1 / (1 + std::exp(-x));
        default:
            return x;
    }
}

/// How far a float32 result may be from the exact one whose argument is known to `tolerance`. No activation is steeper
/// than 1.13.
inline double activation_tolerance(int32_t activation, double x, double tolerance) {
    if (activation == VELU_ACTIVATION_IDENTITY) return tolerance;
    return 1.2 * tolerance + 2e-6 * std::fabs(activation_value(activation, x)) + 1e-7;
}
