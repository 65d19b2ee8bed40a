// The activation that follows a convolution or a linear layer: inside oneDNN's primitive where its result is as good as
// that of this library's kernels, else by these right after the primitive.
//
// oneDNN 3.11 gives SiLU and the sigmoid to 3e-7 and lets a NaN through in its vectorized kernels (AVX2, AVX-512), not
// in all others. Its ReLU and ReLU6 turn a NaN into 0, and its GELU is off by 1e-6 around -3.5 and NaN at infinity. A
// ReLU that keeps NaN is its hard swish x * clip(alpha x, 0, 1) with the largest alpha: exact but for minus infinity,
// which becomes NaN, and below 3e-39, where a number may come out smaller.
#pragma once

#include <cstring>
#include <limits>
#include <utility>

#include "cpu/dnnl_state.h"

namespace velu::cpu {

/// A primitive descriptor, and the activation that is left to be applied to its result.
template <class Desc>
struct FusedDesc {
    Desc desc;
    int32_t left;
};

/// Appends what applies the activation inside a vectorized kernel; false, and nothing, where there is no such post-op.
inline bool append_activation(dnnl::post_ops& post_ops, int32_t activation) {
    switch (activation) {
        case VELU_ACTIVATION_RELU:
            post_ops.append_eltwise(dnnl::algorithm::eltwise_hardswish, std::numeric_limits<float>::max(), 0);
            return true;
        case VELU_ACTIVATION_SILU:
            post_ops.append_eltwise(dnnl::algorithm::eltwise_swish, 1, 0);
            return true;
        case VELU_ACTIVATION_SIGMOID:
            post_ops.append_eltwise(dnnl::algorithm::eltwise_logistic, 0, 0);
            return true;
        default:
            return false;
    }
}

inline bool is_vectorized(const char* implementation) {
    const bool has_isa =
        std::strstr(implementation, ":avx2") != nullptr || std::strstr(implementation, ":avx512") != nullptr;
    return has_isa && std::strstr(implementation, "gemm") == nullptr;
}

/// make(attributes) gives the primitive descriptor. append(post_ops) adds what the primitive does to its sums before
/// the activation.
template <class Append, class Make>
auto fuse_activation(int32_t activation, const Append& append, const Make& make)
    -> FusedDesc<decltype(make(dnnl::primitive_attr()))> {
    dnnl::post_ops with_activation;
    append(with_activation);
    if (append_activation(with_activation, activation)) {
        dnnl::primitive_attr attributes = DnnlState::make_attributes();
        attributes.set_post_ops(with_activation);
        auto fused = make(attributes);
        if (is_vectorized(fused.impl_info_str())) return {std::move(fused), VELU_ACTIVATION_IDENTITY};
    }
    dnnl::post_ops without_activation;
    append(without_activation);
    dnnl::primitive_attr attributes = DnnlState::make_attributes();
    attributes.set_post_ops(without_activation);
    return {make(attributes), activation};
}

template <class Make>
auto fuse_activation(int32_t activation, const Make& make) {
    return fuse_activation(
        activation, [](dnnl::post_ops&) {}, make);
}

/// y[row][channel] = f(x[row][channel]), both of the given dtype, with x dense and y's rows y_pitch apart; y may be x
/// if it is dense. f may be IDENTITY.
void activate_rows(const Context& context, int32_t activation, int32_t dtype, const void* x, void* y, int64_t rows,
                   int64_t channels, int64_t y_pitch);

}  // namespace velu::cpu
