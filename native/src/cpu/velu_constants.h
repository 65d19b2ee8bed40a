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

/// The gradient of w W2^2: dA += offset + slope (A - mean).
struct W2Gradient {
    double offset, slope, mean;
};

/// dA += w (2 mean / n + 2 (std - 1) (A - mean) / (n std)); for std = 0 the second term is 0.
inline W2Gradient w2_gradient(float w, double mean, double std, double n) {
    const double weight = 2.0 * static_cast<double>(w) / n;
    return {weight * mean, std == 0.0 ? 0.0 : weight * (std - 1.0) / std, mean};
}

/// With the gradient of w W2^2 for the stored moments.
inline VeluConstants backward_constants(const velu_velu_params& params, const float* lambda, float w,
                                        const float* moments, double n) {
    VeluConstants constants = forward_constants(params, lambda);
    if (w == 0.0f) return constants;
    const W2Gradient w2 = w2_gradient(w, static_cast<double>(moments[0]), static_cast<double>(moments[1]), n);
    constants.w2 = true;
    constants.w2_offset = static_cast<float>(w2.offset);
    constants.w2_slope = static_cast<float>(w2.slope);
    constants.w2_mean = static_cast<float>(w2.mean);
    return constants;
}

}  // namespace velu::cpu
