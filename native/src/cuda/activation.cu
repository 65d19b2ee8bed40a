// Pointwise activations: an element read and one written forward, two and one backward. A NaN in x makes y and dx NaN.
//
// Instructions per element, besides about 2 of the loop, against a budget of 55 forward and 82 backward for float32 and
// half of that for bfloat16: ReLU 2, ReLU6 4; SiLU about 30 and GELU 45, most of them the polynomials and the division.
// So all are limited by memory but SiLU and GELU forward, and GELU backward, in bfloat16, which are limited by
// instructions at roughly the same time.
#include "cuda/elementwise.cuh"
#include "cuda/operations.h"
#include "math/exponential.h"
#include "math/gelu.h"
#include "math/simd_scalar.h"

namespace velu::cuda {
namespace {

using V = simd::F32x1;

struct Relu {
    static __device__ __forceinline__ V value(V x) { return max(V(0.0f), x); }
    static __device__ __forceinline__ V slope(V x) {
        return select(is_nan(x), x, select(x > V(0.0f), V(1.0f), V(0.0f)));
    }
};

struct Relu6 {
    static __device__ __forceinline__ V value(V x) { return min(V(6.0f), max(V(0.0f), x)); }
    static __device__ __forceinline__ V slope(V x) {
        return select(is_nan(x), x, select((x > V(0.0f)) & (x < V(6.0f)), V(1.0f), V(0.0f)));
    }
};

struct Silu {
    static __device__ __forceinline__ V value(V x) { return x * math::sigmoid(x, V(0.0f)).value; }
    static __device__ __forceinline__ V slope(V x) {
        const math::Sigmoid<V> s = math::sigmoid(x, V(0.0f));
        return mul_add(x, s.slope, s.value);
    }
};

struct Gelu {
    static __device__ __forceinline__ V value(V x) { return x * math::normal(x).distribution; }
    static __device__ __forceinline__ V slope(V x) {
        const math::Normal<V> n = math::normal(x);
        return mul_add(x, n.density, n.distribution);
    }
};

template <class Activation>
struct Forward {
    static __device__ __forceinline__ float value(float x) { return Activation::value(V(x)).v; }
};

template <class Activation>
struct Backward {
    static __device__ __forceinline__ float value(float x, float dy) { return dy * Activation::slope(V(x)).v; }
};

/// Calls body(Activation{}) with the functions of a VELU_ACTIVATION.
template <class Body>
void with_activation(int32_t activation, const Body& body) {
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

}  // namespace

velu_status activation_forward(DeviceContext* context, const velu_activation_desc* desc, const void* x, void* y) {
    return guarded(context, [&](Context& device) {
        with_activation(desc->activation, [&](auto activation) {
            with_element_type(desc->dtype, [&](auto element) {
                using T = decltype(element);
                unary<Forward<decltype(activation)>>(device, static_cast<const T*>(x), static_cast<T*>(y), desc->count);
            });
        });
    });
}

velu_status activation_backward(DeviceContext* context, const velu_activation_desc* desc, const void* x, const void* dy,
                                void* dx) {
    return guarded(context, [&](Context& device) {
        with_activation(desc->activation, [&](auto activation) {
            with_element_type(desc->dtype, [&](auto element) {
                using T = decltype(element);
                binary<Backward<decltype(activation)>>(device, static_cast<const T*>(x), static_cast<const T*>(dy),
                                                       static_cast<T*>(dx), desc->count);
            });
        });
    });
}

}  // namespace velu::cuda
