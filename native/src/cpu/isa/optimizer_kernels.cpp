// Per parameter the kernels read 4 bytes and the gradient and write 4, and both 4 more per state; all are limited by
// memory.
#include "cpu/isa/optimizer_kernels.h"

namespace velu::cpu::VELU_ISA_NAMESPACE {
namespace {

/// The gradient after scaling, clamping (a NaN stays a NaN) and weight decay.
inline __attribute__((always_inline)) float prepared(float gradient, float parameter, const OptimizerStep& s) {
    const float scaled = gradient * s.gradient_scale;
    const float below = scaled > s.clip_value ? s.clip_value : scaled;
    const float clipped = below < -s.clip_value ? -s.clip_value : below;
    return clipped + s.weight_decay * parameter;
}

template <class T>
void sgd(const OptimizerStep& step, int64_t count, const T* gradients, float* parameters, float*, float*) {
    const OptimizerStep s = step;
#pragma omp simd
    for (int64_t i = 0; i < count; ++i) {
        parameters[i] -= s.learning_rate * prepared(value_of(gradients[i]), parameters[i], s);
    }
}

template <class T>
void sgd_momentum(const OptimizerStep& step, int64_t count, const T* gradients, float* parameters, float* state0,
                  float*) {
    const OptimizerStep s = step;
#pragma omp simd
    for (int64_t i = 0; i < count; ++i) {
        const float velocity = s.momentum * state0[i] + prepared(value_of(gradients[i]), parameters[i], s);
        state0[i] = velocity;
        parameters[i] -= s.learning_rate * velocity;
    }
}

template <class T>
void sgd_nesterov(const OptimizerStep& step, int64_t count, const T* gradients, float* parameters, float* state0,
                  float*) {
    const OptimizerStep s = step;
#pragma omp simd
    for (int64_t i = 0; i < count; ++i) {
        const float gradient = prepared(value_of(gradients[i]), parameters[i], s);
        const float velocity = s.momentum * state0[i] + gradient;
        state0[i] = velocity;
        parameters[i] -= s.learning_rate * (gradient + s.momentum * velocity);
    }
}

template <class T>
void adam(const OptimizerStep& step, int64_t count, const T* gradients, float* parameters, float* state0,
          float* state1) {
    const OptimizerStep s = step;
#pragma omp simd
    for (int64_t i = 0; i < count; ++i) {
        const float parameter = parameters[i] * s.decay;
        const float gradient = prepared(value_of(gradients[i]), parameters[i], s);
        const float moment = state0[i] + s.one_minus_beta1 * (gradient - state0[i]);
        const float second = s.beta2 * state1[i] + s.one_minus_beta2 * (gradient * gradient);
        state0[i] = moment;
        state1[i] = second;
        const float denominator = __builtin_sqrtf(second) * s.inverse_sqrt_correction2 + s.eps;
        parameters[i] = parameter - s.moment_step * moment / denominator;
    }
}

template <class T>
void nadam(const OptimizerStep& step, int64_t count, const T* gradients, float* parameters, float* state0,
           float* state1) {
    const OptimizerStep s = step;
#pragma omp simd
    for (int64_t i = 0; i < count; ++i) {
        const float gradient = prepared(value_of(gradients[i]), parameters[i], s);
        const float moment = state0[i] + s.one_minus_beta1 * (gradient - state0[i]);
        const float second = s.beta2 * state1[i] + s.one_minus_beta2 * (gradient * gradient);
        state0[i] = moment;
        state1[i] = second;
        const float denominator = __builtin_sqrtf(second) * s.inverse_sqrt_correction2 + s.eps;
        parameters[i] -= (s.gradient_step * gradient + s.moment_step * moment) / denominator;
    }
}

}  // namespace

extern const ByElement<OptimizerKernels> optimizer_kernels = {
    {sgd<float>, sgd_momentum<float>, sgd_nesterov<float>, adam<float>, nadam<float>},
    {sgd<BFloat16>, sgd_momentum<BFloat16>, sgd_nesterov<BFloat16>, adam<BFloat16>, nadam<BFloat16>},
};

}  // namespace velu::cpu::VELU_ISA_NAMESPACE
