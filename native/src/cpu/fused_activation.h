// The activation that follows a convolution or a linear layer: inside oneDNN's primitive where its result is as good as
// that of this library's kernels, else by these right after the primitive.
//
// oneDNN 3.11 gives SiLU and the sigmoid to 3e-7 and lets a NaN through in its vectorized kernels (AVX2, AVX-512), not
// in all others. Its ReLU and ReLU6 turn a NaN into 0, and its GELU is off by 1e-6 around -3.5 and NaN at infinity.
#pragma once

#include <cstring>
#include <utility>

#include "cpu/dnnl_state.h"

namespace velu::cpu {

/// A primitive descriptor, and the activation that is left to be applied to its result.
template <class Desc>
struct FusedDesc {
    Desc desc;
    int32_t left;
};

/// make(attributes) gives the primitive descriptor.
template <class Make>
auto fuse_activation(const DnnlState& state, int32_t activation, const Make& make)
    -> FusedDesc<decltype(make(state.attributes))> {
    if (activation == VELU_ACTIVATION_SILU || activation == VELU_ACTIVATION_SIGMOID) {
        dnnl::post_ops post_ops;
        post_ops.append_eltwise(
            activation == VELU_ACTIVATION_SILU ? dnnl::algorithm::eltwise_swish : dnnl::algorithm::eltwise_logistic, 1,
            0);
        dnnl::primitive_attr attributes = DnnlState::make_attributes();
        attributes.set_post_ops(post_ops);
        auto fused = make(attributes);
        const char* name = fused.impl_info_str();
        const bool vectorized = std::strstr(name, ":avx2") != nullptr || std::strstr(name, ":avx512") != nullptr;
        if (vectorized && std::strstr(name, "gemm") == nullptr) {
            return {std::move(fused), VELU_ACTIVATION_IDENTITY};
        }
    }
    return {make(state.attributes), activation};
}

/// y[row][channel] = f(x[row][channel]) with x dense and y's rows y_pitch apart; y may be x if it is dense. f may be
/// IDENTITY.
void activate_rows(const Context& context, int32_t activation, const float* x, float* y, int64_t rows, int64_t channels,
                   int64_t y_pitch);

}  // namespace velu::cpu
