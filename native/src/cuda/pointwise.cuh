// The pointwise activations and their slopes, for one element of one thread. A NaN in x makes both NaN.
#pragma once

#include <string>

#include "cuda/context.h"
#include "cuda/lane.cuh"
#include "math/exponential.h"
#include "math/gelu.h"

namespace velu::cuda {

struct Identity {
    static __device__ __forceinline__ float value(float x) { return x; }
    static __device__ __forceinline__ float slope(float) { return 1.0f; }
};

struct Relu {
    static __device__ __forceinline__ float value(float x) { return max(Lane(0.0f), Lane(x)).v; }
    static __device__ __forceinline__ float slope(float x) { return x != x ? x : x > 0.0f ? 1.0f : 0.0f; }
};

struct Relu6 {
    static __device__ __forceinline__ float value(float x) { return min(Lane(6.0f), max(Lane(0.0f), Lane(x))).v; }
    static __device__ __forceinline__ float slope(float x) { return x != x ? x : x > 0.0f && x < 6.0f ? 1.0f : 0.0f; }
};

/// About 45 instructions, MUFU counted 8.
struct Silu {
    static __device__ __forceinline__ float value(float x) { return x * math::sigmoid(Lane(x), Lane(0.0f)).value.v; }
    static __device__ __forceinline__ float slope(float x) {
        const math::Sigmoid<Lane> s = math::sigmoid(Lane(x), Lane(0.0f));
        return fmaf(x, s.slope.v, s.value.v);
    }
};

/// About 50.
struct Gelu {
    static __device__ __forceinline__ float value(float x) { return x * math::normal(Lane(x)).distribution.v; }
    static __device__ __forceinline__ float slope(float x) {
        const math::Normal<Lane> n = math::normal(Lane(x));
        return fmaf(x, n.density.v, n.distribution.v);
    }
};

/// About 42.
struct Sigmoid {
    static __device__ __forceinline__ float value(float x) { return math::sigmoid(Lane(x), Lane(0.0f)).value.v; }
    static __device__ __forceinline__ float slope(float x) { return math::sigmoid(Lane(x), Lane(0.0f)).slope.v; }
};

/// Calls body(Activation{}) with the functions of RELU, RELU6, SILU or GELU.
template <class Body>
void with_layer_activation(int32_t activation, const Body& body) {
    switch (activation) {
        case VELU_ACTIVATION_RELU:
            return body(Relu{});
        case VELU_ACTIVATION_RELU6:
            return body(Relu6{});
        case VELU_ACTIVATION_SILU:
            return body(Silu{});
        case VELU_ACTIVATION_GELU:
            return body(Gelu{});
        default:
            throw Failure(VELU_STATUS_INVALID_ARGUMENT,
                          "activation " + std::to_string(activation) + " is not RELU, RELU6, SILU or GELU");
    }
}

/// The same with SIGMOID besides.
template <class Body>
void with_activation(int32_t activation, const Body& body) {
    if (activation == VELU_ACTIVATION_SIGMOID) return body(Sigmoid{});
    with_layer_activation(activation, body);
}

}  // namespace velu::cuda
