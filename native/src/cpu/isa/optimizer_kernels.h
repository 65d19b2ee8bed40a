// Vector kernels of velu_optimizer_step. Formulas and names are torch.optim's.
#pragma once

#include <cstdint>

#include "cpu/element.h"
#include "cpu/isa/select.h"

namespace velu::cpu {

/// What all parameters share in one step; the fields an algorithm does not name are not read.
struct OptimizerStep {
    float gradient_scale;  // of the gradients, first; 1 for none
    float clip_value;      // then they are clamped to [-clip_value, clip_value]; +inf for none
    float weight_decay;    // added to the gradient, times the parameter (0 in AdamW)
    float learning_rate;   // SGD
    float momentum;        // SGD
    float decay;           // AdamW: 1 - learning_rate * weight_decay; 1 in Adam
    float one_minus_beta1;
    float beta2;
    float one_minus_beta2;
    float eps;
    float moment_step;               // weight of the first moment in the update
    float gradient_step;             // NAdam: weight of the gradient in the update
    float inverse_sqrt_correction2;  // 1 / sqrt(1 - beta2^t)
};

/// T: what the gradients are stored in.
template <class T>
struct OptimizerKernels {
    /// One step over count parameters. state0, state1 as in velu_optimizer_step.
    using Kernel = void (*)(const OptimizerStep& step, int64_t count, const T* gradients, float* parameters,
                            float* state0, float* state1);
    Kernel sgd;
    Kernel sgd_momentum;
    Kernel sgd_nesterov;
    Kernel adam;  // and AdamW
    Kernel nadam;
};
VELU_ISA_SELECT(ByElement<OptimizerKernels>, optimizer_kernels)

}  // namespace velu::cpu
