// From the arguments of VeLU's entries to the constants of its kernels; for velu.cpp and batch_norm.cpp.
#pragma once

#include <velu/velu.h>

#include "cpu/context.h"
#include "cpu/isa/velu_kernels.h"
#include "math/velu_float64.h"

namespace velu::cpu {

inline VeluConstants forward_constants(Context& context, const velu_velu_params& params, const float* lambda) {
    VeluConstants constants{};
    constants.params = params;
    constants.fit = &context.velu_fits.of(params);
    constants.lambda = lambda == nullptr ? 1.0f : *lambda;
    return constants;
}

/// With the gradient of w W2^2 for the stored moments.
inline VeluConstants backward_constants(Context& context, const velu_velu_params& params, const float* lambda, float w,
                                        const float* moments, double n) {
    VeluConstants constants = forward_constants(context, params, lambda);
    if (w == 0.0f) return constants;
    const math::W2Gradient w2 =
        math::w2_gradient(w, static_cast<double>(moments[0]), static_cast<double>(moments[1]), n);
    constants.w2 = true;
    constants.w2_offset = static_cast<float>(w2.offset);
    constants.w2_slope = static_cast<float>(w2.slope);
    constants.w2_mean = static_cast<float>(w2.mean);
    return constants;
}

}  // namespace velu::cpu
