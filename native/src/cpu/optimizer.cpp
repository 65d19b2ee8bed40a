// Optimizers: one pass over the flat buffers. What all parameters share (bias corrections, NAdam's products) is
// computed once, in float64.
#include <algorithm>
#include <cmath>
#include <limits>

#include "cpu/context.h"
#include "cpu/isa/optimizer_kernels.h"
#include "cpu/operations.h"

namespace velu::cpu {
namespace {

/// Factor that brings the gradients' norm to max_norm at most; NaN, and so NaN parameters, for a norm that is not
/// finite.
double clip_scale(double max_norm, double norm) {
    if (!std::isfinite(norm)) return std::numeric_limits<double>::quiet_NaN();
    return std::min(1.0, max_norm / (norm + 1e-6));
}

/// The part of the step that Adam, AdamW and NAdam share; t counts from 1.
void set_moments(const velu_optimizer_desc& desc, double t, OptimizerStep* step) {
    const double beta1 = desc.beta1;
    const double beta2 = desc.beta2;
    step->one_minus_beta1 = static_cast<float>(1 - beta1);
    step->beta2 = desc.beta2;
    step->one_minus_beta2 = static_cast<float>(1 - beta2);
    step->eps = desc.eps;
    step->inverse_sqrt_correction2 = static_cast<float>(1 / std::sqrt(1 - std::pow(beta2, t)));
}

template <class T>
typename OptimizerKernels<T>::Kernel kernel_of(const velu_optimizer_desc& desc, const OptimizerKernels<T>& kernels) {
    switch (desc.algorithm) {
        case VELU_OPTIMIZER_SGD:
            return desc.momentum == 0 ? kernels.sgd : desc.nesterov != 0 ? kernels.sgd_nesterov : kernels.sgd_momentum;
        case VELU_OPTIMIZER_NADAM:
            return kernels.nadam;
        default:
            return kernels.adam;
    }
}

}  // namespace

velu_status optimizer_step(DeviceContext* context, const velu_optimizer_desc* desc, const float* learning_rate,
                           const float* gradient_norm, double* counters, float* parameters, const void* gradients,
                           float* state0, float* state1) {
    return guarded(context, [&]() -> velu_status {
        const double rate = *learning_rate;
        if (!(std::isfinite(rate) && rate >= 0)) {
            return context->fail(VELU_STATUS_INVALID_ARGUMENT,
                                 "the learning rate is %g; it must be finite and at least 0", rate);
        }
        const double t = counters[0] + 1;
        double mu_product = counters[1];

        OptimizerStep step{};
        step.gradient_scale =
            desc->max_norm > 0 ? static_cast<float>(clip_scale(desc->max_norm, *gradient_norm)) : 1.0f;
        step.clip_value = desc->clip_value > 0 ? desc->clip_value : std::numeric_limits<float>::infinity();
        step.weight_decay = desc->weight_decay;
        step.learning_rate = *learning_rate;
        step.momentum = desc->momentum;
        step.decay = 1;

        switch (desc->algorithm) {
            case VELU_OPTIMIZER_SGD:
                break;
            case VELU_OPTIMIZER_ADAM:
            case VELU_OPTIMIZER_ADAMW:
                set_moments(*desc, t, &step);
                step.moment_step = static_cast<float>(rate / (1 - std::pow(static_cast<double>(desc->beta1), t)));
                if (desc->algorithm == VELU_OPTIMIZER_ADAMW) {
                    step.weight_decay = 0;
                    step.decay = static_cast<float>(1 - rate * static_cast<double>(desc->weight_decay));
                }
                break;
            case VELU_OPTIMIZER_NADAM: {
                const double beta1 = desc->beta1;
                const double momentum_decay = desc->momentum_decay;
                const double mu = beta1 * (1 - 0.5 * std::pow(0.96, t * momentum_decay));
                const double mu_next = beta1 * (1 - 0.5 * std::pow(0.96, (t + 1) * momentum_decay));
                mu_product *= mu;
                set_moments(*desc, t, &step);
                step.gradient_step = static_cast<float>(rate * (1 - mu) / (1 - mu_product));
                step.moment_step = static_cast<float>(rate * mu_next / (1 - mu_product * mu_next));
                break;
            }
            default:
                return context->fail(VELU_STATUS_INVALID_ARGUMENT, "algorithm %d is not a VELU_OPTIMIZER",
                                     desc->algorithm);
        }

        with_element(desc->dtype, [&]<class T>(T) {
            constexpr int64_t kBlock = 16384;
            const auto kernel = kernel_of(*desc, optimizer_kernels(cpu(context).isa).of<T>());
            const auto* gradient = static_cast<const T*>(gradients);
            parallel_for(cpu(context), (desc->count + kBlock - 1) / kBlock, [&](int64_t block) {
                const int64_t start = block * kBlock;
                kernel(step, std::min(kBlock, desc->count - start), gradient + start, parameters + start,
                       state0 == nullptr ? nullptr : state0 + start, state1 == nullptr ? nullptr : state1 + start);
            });
        });
        counters[0] = t;
        counters[1] = mu_product;
        return VELU_STATUS_SUCCESS;
    });
}

}  // namespace velu::cpu
