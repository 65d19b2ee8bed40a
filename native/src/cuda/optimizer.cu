// Optimizers. The learning rate, the gradients' norm and the counters are in device memory, so that a recorded step can
// be run again with others: one thread first computes in float64 what all parameters share, then one pass updates the
// flat buffers. Formulas and names are torch.optim's; NaN rules are those of the CPU.
#include "cuda/elementwise.cuh"
#include "cuda/operations.h"
#include "math/exponential.h"

#include <cmath>

namespace velu::cuda {
namespace {

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

__device__ __forceinline__ bool is_finite(double value) {
    return value - value == 0;
}

/// Factor that brings the gradients' norm to max_norm at most; NaN, and so NaN parameters, for a norm that is not
/// finite.
__device__ __forceinline__ double clip_scale(double max_norm, double norm) {
    if (!is_finite(norm)) return norm - norm;
    const double scale = max_norm / (norm + 1e-6);
    return scale < 1.0 ? scale : 1.0;
}

// One thread. A learning rate that is no rate becomes NaN, and the parameters with it.
__global__ void __launch_bounds__(kWarp)
    optimizer_step_kernel(velu_optimizer_desc desc, const float* __restrict__ learning_rate,
                          const float* __restrict__ gradient_norm, double* __restrict__ counters,
                          OptimizerStep* __restrict__ result) {
    const float given = *learning_rate;
    const float rate32 = given >= 0 && is_finite(static_cast<double>(given)) ? given : __uint_as_float(0x7FC00000u);
    const double rate = static_cast<double>(rate32);
    const double t = counters[0] + 1;
    const double beta1 = static_cast<double>(desc.beta1);
    const double beta2 = static_cast<double>(desc.beta2);

    OptimizerStep step{};
    step.gradient_scale =
        desc.max_norm > 0
            ? static_cast<float>(clip_scale(static_cast<double>(desc.max_norm), static_cast<double>(*gradient_norm)))
            : 1.0f;
    step.clip_value = desc.clip_value > 0 ? desc.clip_value : __uint_as_float(0x7F800000u);  // +inf
    step.weight_decay = desc.weight_decay;
    step.learning_rate = rate32;
    step.momentum = desc.momentum;
    step.decay = 1;
    if (desc.algorithm != VELU_OPTIMIZER_SGD) {
        step.one_minus_beta1 = static_cast<float>(1 - beta1);
        step.beta2 = desc.beta2;
        step.one_minus_beta2 = static_cast<float>(1 - beta2);
        step.eps = desc.eps;
        step.inverse_sqrt_correction2 = static_cast<float>(1 / math::square_root(1 - pow(beta2, t)));
    }
    if (desc.algorithm == VELU_OPTIMIZER_NADAM) {
        const double momentum_decay = static_cast<double>(desc.momentum_decay);
        const double mu = beta1 * (1 - 0.5 * pow(0.96, t * momentum_decay));
        const double mu_next = beta1 * (1 - 0.5 * pow(0.96, (t + 1) * momentum_decay));
        const double mu_product = counters[1] * mu;
        step.gradient_step = static_cast<float>(rate * (1 - mu) / (1 - mu_product));
        step.moment_step = static_cast<float>(rate * mu_next / (1 - mu_product * mu_next));
        counters[1] = mu_product;
    } else if (desc.algorithm != VELU_OPTIMIZER_SGD) {
        step.moment_step = static_cast<float>(rate / (1 - pow(beta1, t)));
    }
    if (desc.algorithm == VELU_OPTIMIZER_ADAMW) {
        step.weight_decay = 0;
        step.decay = static_cast<float>(1 - rate * static_cast<double>(desc.weight_decay));
    }
    counters[0] = t;
    *result = step;
}

/// The gradient after scaling, clamping (a NaN stays a NaN) and weight decay.
__device__ __forceinline__ float prepared(float gradient, float parameter, const OptimizerStep& s) {
    const float scaled = gradient * s.gradient_scale;
    const float below = scaled > s.clip_value ? s.clip_value : scaled;
    const float clipped = below < -s.clip_value ? -s.clip_value : below;
    return clipped + s.weight_decay * parameter;
}

// Each algorithm updates one parameter and the states that it has.

struct Sgd {
    static constexpr int kStates = 0;
    static __device__ __forceinline__ void update(const OptimizerStep& s, float given, float& parameter, float&,
                                                  float&) {
        parameter -= s.learning_rate * prepared(given, parameter, s);
    }
};

struct SgdMomentum {
    static constexpr int kStates = 1;
    static __device__ __forceinline__ void update(const OptimizerStep& s, float given, float& parameter,
                                                  float& velocity, float&) {
        velocity = s.momentum * velocity + prepared(given, parameter, s);
        parameter -= s.learning_rate * velocity;
    }
};

struct SgdNesterov {
    static constexpr int kStates = 1;
    static __device__ __forceinline__ void update(const OptimizerStep& s, float given, float& parameter,
                                                  float& velocity, float&) {
        const float gradient = prepared(given, parameter, s);
        velocity = s.momentum * velocity + gradient;
        parameter -= s.learning_rate * (gradient + s.momentum * velocity);
    }
};

/// Updates the moments; the denominator of Adam's and NAdam's step.
__device__ __forceinline__ float updated_moments(const OptimizerStep& s, float gradient, float& moment, float& second) {
    moment = moment + s.one_minus_beta1 * (gradient - moment);
    second = s.beta2 * second + s.one_minus_beta2 * (gradient * gradient);
    return sqrtf(second) * s.inverse_sqrt_correction2 + s.eps;
}

struct Adam {  // and AdamW
    static constexpr int kStates = 2;
    static __device__ __forceinline__ void update(const OptimizerStep& s, float given, float& parameter, float& moment,
                                                  float& second) {
        const float gradient = prepared(given, parameter, s);
        const float denominator = updated_moments(s, gradient, moment, second);
        parameter = parameter * s.decay - s.moment_step * moment / denominator;
    }
};

struct Nadam {
    static constexpr int kStates = 2;
    static __device__ __forceinline__ void update(const OptimizerStep& s, float given, float& parameter, float& moment,
                                                  float& second) {
        const float gradient = prepared(given, parameter, s);
        const float denominator = updated_moments(s, gradient, moment, second);
        parameter -= (s.gradient_step * gradient + s.moment_step * moment) / denominator;
    }
};

// Per parameter reads 8 bytes (6 with bfloat16 gradients) and writes 4, and both 4 more per state: 12 bytes for SGD, 20
// with momentum, 28 for Adam. Instructions per element 8, 9 and about 40 (the root and the division 12 each) of budgets
// of 82, 137 and 192; limited by memory. The shared numbers are read once per thread.
template <int N, class Algorithm, class T>
__global__ void __launch_bounds__(kElementwiseThreads, 4)
    update_kernel(const OptimizerStep* __restrict__ shared, int64_t count, const T* __restrict__ gradients,
                  float* __restrict__ parameters, float* __restrict__ state0, float* __restrict__ state1) {
    const OptimizerStep step = *shared;
    for_each_pack<N>(count, [&](int64_t i, auto width) {
        float gradient[width.value];
        float parameter[width.value];
        float first[width.value] = {};
        float second[width.value] = {};
        load(gradients + i, gradient);
        load(parameters + i, parameter);
        if constexpr (Algorithm::kStates > 0) load(state0 + i, first);
        if constexpr (Algorithm::kStates > 1) load(state1 + i, second);
#pragma unroll
        for (int j = 0; j < width.value; ++j) {
            Algorithm::update(step, gradient[j], parameter[j], first[j], second[j]);
        }
        store(parameter, parameters + i);
        if constexpr (Algorithm::kStates > 0) store(first, state0 + i);
        if constexpr (Algorithm::kStates > 1) store(second, state1 + i);
    });
}

/// Calls body(Algorithm{}) with the update rule of a descriptor.
template <class Body>
void with_algorithm(const velu_optimizer_desc& desc, const Body& body) {
    switch (desc.algorithm) {
        case VELU_OPTIMIZER_SGD:
            if (desc.momentum == 0) return body(Sgd{});
            if (desc.nesterov == 0) return body(SgdMomentum{});
            return body(SgdNesterov{});
        case VELU_OPTIMIZER_ADAM:
        case VELU_OPTIMIZER_ADAMW:
            return body(Adam{});
        case VELU_OPTIMIZER_NADAM:
            return body(Nadam{});
        default:
            throw Failure(VELU_STATUS_INVALID_ARGUMENT,
                          "algorithm " + std::to_string(desc.algorithm) + " is not a VELU_OPTIMIZER");
    }
}

}  // namespace

velu_status optimizer_step(DeviceContext* context, const velu_optimizer_desc* desc, const float* learning_rate,
                           const float* gradient_norm, double* counters, float* parameters, const void* gradients,
                           float* state0, float* state1) {
    return guarded(context, [&](Context& device) {
        with_algorithm(*desc, [&](auto algorithm) {
            auto* step = device.scratch<OptimizerStep>(sizeof(OptimizerStep));
            launch(device, optimizer_step_kernel, 1, 1, *desc, learning_rate, gradient_norm, counters, step);
            with_element_type(desc->dtype, [&](auto element) {
                using T = decltype(element);
                using Algorithm = decltype(algorithm);
                constexpr int kPack = kPackSize<float>;
                const bool aligned = aligned_to_16(gradients, parameters, state0, state1);
                launch(device, aligned ? update_kernel<kPack, Algorithm, T> : update_kernel<1, Algorithm, T>,
                       elementwise_blocks(device, desc->count, aligned ? kPack : 1), kElementwiseThreads, step,
                       desc->count, static_cast<const T*>(gradients), parameters, state0, state1);
            });
        });
    });
}

}  // namespace velu::cuda
