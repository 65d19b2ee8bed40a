// From the arguments of VeLU's entries to the constants of its kernels; for velu.cpp and batch_norm.cpp.
#pragma once

#include <velu/velu.h>

#include "cpu/isa/velu_kernels.h"

namespace velu::cpu {

inline VeluConstants forward_constants(const velu_velu_params& params, const float* lambda) {
    VeluConstants constants{};
    constants.params = params;
    constants.lambda = lambda == nullptr ? 1.0f : *lambda;
    return constants;
}

/// With the gradient of w W2^2, dA += w (2 mean / n + 2 (std - 1) (A - mean) / (n std)); for std = 0 the second term is
/// 0.
inline VeluConstants backward_constants(const velu_velu_params& params, const float* lambda, float w,
                                        const float* moments, double n) {
    VeluConstants constants = forward_constants(params, lambda);
    if (w == 0.0f) return constants;
    const auto mean = static_cast<double>(moments[0]);
    const auto std = static_cast<double>(moments[1]);
    const double weight = 2.0 * static_cast<double>(w) / n;
    constants.w2 = true;
    constants.w2_offset = static_cast<float>(weight * mean);
    constants.w2_slope = std == 0.0 ? 0.0f : static_cast<float>(weight * (std - 1.0) / std);
    constants.w2_mean = moments[0];
    return constants;
}

}  // namespace velu::cpu
