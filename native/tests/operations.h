// Every operation of velu.h that takes a descriptor and pointers, with a small valid descriptor: for tests that try the
// same thing on all of them.
#pragma once

#include <velu/velu.h>

#include <string>
#include <utility>
#include <vector>

#include "device.h"

namespace operations {

inline constexpr velu_velu_params kParams = {0.1f, 0.1f, 0.1f, 0.1f, 0.9f, 1e-6f, VELU_STATISTIC_INVERSE_RMS, 0, 0, 0};

inline const velu_velu_desc kVelu = {check::device(), VELU_DTYPE_F32, 4, 8, kParams, 0, 0};
inline const velu_wasserstein_desc kWasserstein = {check::device(), VELU_DTYPE_F32, 4, 8, VELU_W2_EMPIRICAL, 0.1f};
inline const velu_activation_statistics_desc kActivationStatistics = {
    check::device(), VELU_DTYPE_F32, 4, 8, VELU_ACTIVATION_VELU, 0, kParams};
inline const velu_activation_desc kActivation = {check::device(), VELU_DTYPE_F32, 32, VELU_ACTIVATION_GELU, 0};
inline const velu_add_desc kAdd = {check::device(), VELU_DTYPE_F32, 32};
inline const velu_cast_desc kCast = {check::device(), VELU_DTYPE_F32, 32, VELU_DTYPE_BF16, 0};
inline const velu_transpose_desc kTranspose = {check::device(), VELU_DTYPE_F32, 2, 3, 5};
inline const velu_copy_rows_desc kCopyRows = {check::device(), VELU_DTYPE_F32, 4, 3, 5, 6, 1, 0};
inline const velu_channel_scale_desc kChannelScale = {check::device(), VELU_DTYPE_F32, 2, 9, 4};
inline const velu_dropout_desc kDropout = {check::device(), VELU_DTYPE_F32, 32, 1, 2, 0.5f, 1};
inline const velu_conv2d_desc kConv2d = {
    check::device(), VELU_DTYPE_F32, 2, 5, 5, 4, 8, 3, 3, 1, 1, 1, 1, 1, 1, 2, VELU_ACTIVATION_SILU, 9};
inline const velu_linear_desc kLinear = {check::device(), VELU_DTYPE_F32, 4, 8, 5, VELU_ACTIVATION_GELU, 0};
inline const velu_scaled_linear_desc kScaledLinear = {check::device(), VELU_DTYPE_F32, 2, 9, 4, 5};
inline const velu_attention_desc kAttention = {check::device(), VELU_DTYPE_F32, 2, 5, 2, 4, 0.5f, 0};
inline const velu_token_embedding_desc kTokenEmbedding = {check::device(), VELU_DTYPE_F32, 2, 4, 8};
inline const velu_layer_norm_desc kLayerNorm = {check::device(), VELU_DTYPE_F32, 4, 8, 1e-6f, 0};
inline const velu_batch_norm_desc kBatchNorm = {
    check::device(), VELU_DTYPE_F32, 4, 8, 1e-5f, 0.1f, VELU_ACTIVATION_VELU, 0, kParams, 9, 10, 11};
inline const velu_pool2d_desc kPool2d = {check::device(), VELU_DTYPE_F32, 2, 5, 5, 4, 3, 3, 2, 2, 1, 1, 1, 0, 6};
inline const velu_global_avg_pool_desc kGlobalAvgPool = {check::device(), VELU_DTYPE_F32, 2, 9, 4};
inline const velu_adaptive_avg_pool2d_desc kAdaptiveAvgPool2d = {check::device(), VELU_DTYPE_F32, 2, 5, 4, 3, 3, 6};
inline const velu_softmax_cross_entropy_desc kCrossEntropy = {check::device(), VELU_DTYPE_F32, 4, 8, 0.1f, 0};
inline const velu_top_k_desc kTopK = {check::device(), VELU_DTYPE_F32, 4, 8, 5, 0};
inline const velu_optimizer_desc kOptimizer = {
    check::device(), VELU_DTYPE_F32, 32, VELU_OPTIMIZER_ADAM, 0, 0.9f, 0.9f, 0.999f, 1e-8f, 0, 0.004f, 0, 0};
inline const velu_gradient_norm_desc kGradientNorm = {check::device(), VELU_DTYPE_F32, 32};
inline const velu_lerp_desc kLerp = {check::device(), VELU_DTYPE_F32, 32};
inline const velu_random_desc kRandom = {
    check::device(), VELU_DTYPE_F32, 32, 1, 2, VELU_DISTRIBUTION_TRUNCATED_NORMAL, 0, 1, -2, 2, 0};
inline const velu_normalize_image_desc kNormalizeImage = {check::device(),       VELU_DTYPE_F32,       2, 3, 4, 3, 5, 2,
                                                          {0.5f, 0.5f, 0.5f, 0}, {0.2f, 0.2f, 0.2f, 0}};

/// visit(name, descriptor type's name, function, valid descriptor, needs): one letter of needs per pointer,
/// 'r' if NULL there (alone) is an invalid argument, 'o' if NULL is fine.
template <class Visit>
void for_each(const Visit& visit) {
    visit("velu_velu_forward", "velu_velu_desc", velu_velu_forward, kVelu, "roro");
    visit("velu_velu_backward", "velu_velu_desc", velu_velu_backward, kVelu, "rrooro");
    visit("velu_wasserstein_forward", "velu_wasserstein_desc", velu_wasserstein_forward, kWasserstein, "rooor");
    visit("velu_wasserstein_backward", "velu_wasserstein_desc", velu_wasserstein_backward, kWasserstein, "roorro");
    visit("velu_activation_statistics", "velu_activation_statistics_desc", velu_activation_statistics,
          kActivationStatistics, "rrorr");
    visit("velu_activation_forward", "velu_activation_desc", velu_activation_forward, kActivation, "rr");
    visit("velu_activation_backward", "velu_activation_desc", velu_activation_backward, kActivation, "rrr");
    visit("velu_add_forward", "velu_add_desc", velu_add_forward, kAdd, "rrr");
    visit("velu_cast_forward", "velu_cast_desc", velu_cast_forward, kCast, "rr");
    visit("velu_transpose_forward", "velu_transpose_desc", velu_transpose_forward, kTranspose, "rr");
    visit("velu_copy_rows_forward", "velu_copy_rows_desc", velu_copy_rows_forward, kCopyRows, "rr");
    visit("velu_channel_scale_forward", "velu_channel_scale_desc", velu_channel_scale_forward, kChannelScale, "rrr");
    visit("velu_channel_scale_backward", "velu_channel_scale_desc", velu_channel_scale_backward, kChannelScale,
          "rrrrr");
    visit("velu_dropout_forward", "velu_dropout_desc", velu_dropout_forward, kDropout, "rrr");
    visit("velu_dropout_backward", "velu_dropout_desc", velu_dropout_backward, kDropout, "rrr");
    visit("velu_conv2d_forward", "velu_conv2d_desc", velu_conv2d_forward, kConv2d, "rror");
    visit("velu_conv2d_backward_data", "velu_conv2d_desc", velu_conv2d_backward_data, kConv2d, "rrr");
    visit("velu_conv2d_backward_weights", "velu_conv2d_desc", velu_conv2d_backward_weights, kConv2d, "rrro");
    visit("velu_conv2d_pack", "velu_conv2d_desc", velu_conv2d_pack, kConv2d, "rooorr");
    visit("velu_conv2d_packed_forward", "velu_conv2d_desc", velu_conv2d_packed_forward, kConv2d, "rrror");
    visit("velu_linear_forward", "velu_linear_desc", velu_linear_forward, kLinear, "rror");
    visit("velu_linear_backward_data", "velu_linear_desc", velu_linear_backward_data, kLinear, "rrr");
    visit("velu_linear_backward_weights", "velu_linear_desc", velu_linear_backward_weights, kLinear, "rrro");
    visit("velu_scaled_linear_forward", "velu_scaled_linear_desc", velu_scaled_linear_forward, kScaledLinear, "rrrr");
    visit("velu_scaled_linear_backward_data", "velu_scaled_linear_desc", velu_scaled_linear_backward_data,
          kScaledLinear, "rrrrrr");
    visit("velu_scaled_linear_backward_weights", "velu_scaled_linear_desc", velu_scaled_linear_backward_weights,
          kScaledLinear, "rrrr");
    visit("velu_attention_forward", "velu_attention_desc", velu_attention_forward, kAttention, "rro");
    visit("velu_attention_backward", "velu_attention_desc", velu_attention_backward, kAttention, "rrrrr");
    visit("velu_token_embedding_forward", "velu_token_embedding_desc", velu_token_embedding_forward, kTokenEmbedding,
          "rrrr");
    visit("velu_token_embedding_backward", "velu_token_embedding_desc", velu_token_embedding_backward, kTokenEmbedding,
          "rrrr");
    visit("velu_layer_norm_forward", "velu_layer_norm_desc", velu_layer_norm_forward, kLayerNorm, "rrrrrrrr");
    visit("velu_layer_norm_backward", "velu_layer_norm_desc", velu_layer_norm_backward, kLayerNorm, "rrorrrrrr");
    visit("velu_batch_norm_forward_training", "velu_batch_norm_desc", velu_batch_norm_forward_training, kBatchNorm,
          "rrroorrorrro");
    visit("velu_batch_norm_forward_inference", "velu_batch_norm_desc", velu_batch_norm_forward_inference, kBatchNorm,
          "rrroorrro");
    visit("velu_batch_norm_fold", "velu_batch_norm_desc", velu_batch_norm_fold, kBatchNorm, "rrrrrr");
    visit("velu_batch_norm_backward", "velu_batch_norm_desc", velu_batch_norm_backward, kBatchNorm, "rrrrrorroorrrro");
    visit("velu_max_pool2d_forward", "velu_pool2d_desc", velu_max_pool2d_forward, kPool2d, "rro");
    visit("velu_max_pool2d_backward", "velu_pool2d_desc", velu_max_pool2d_backward, kPool2d, "rrr");
    visit("velu_avg_pool2d_forward", "velu_pool2d_desc", velu_avg_pool2d_forward, kPool2d, "rr");
    visit("velu_avg_pool2d_backward", "velu_pool2d_desc", velu_avg_pool2d_backward, kPool2d, "rr");
    visit("velu_global_avg_pool_forward", "velu_global_avg_pool_desc", velu_global_avg_pool_forward, kGlobalAvgPool,
          "rr");
    visit("velu_global_avg_pool_backward", "velu_global_avg_pool_desc", velu_global_avg_pool_backward, kGlobalAvgPool,
          "rr");
    visit("velu_adaptive_avg_pool2d_forward", "velu_adaptive_avg_pool2d_desc", velu_adaptive_avg_pool2d_forward,
          kAdaptiveAvgPool2d, "rr");
    visit("velu_adaptive_avg_pool2d_backward", "velu_adaptive_avg_pool2d_desc", velu_adaptive_avg_pool2d_backward,
          kAdaptiveAvgPool2d, "rr");
    visit("velu_softmax_cross_entropy_forward", "velu_softmax_cross_entropy_desc", velu_softmax_cross_entropy_forward,
          kCrossEntropy, "rrrrro");
    visit("velu_softmax_cross_entropy_backward", "velu_softmax_cross_entropy_desc", velu_softmax_cross_entropy_backward,
          kCrossEntropy, "rrrrror");
    visit("velu_top_k_count", "velu_top_k_desc", velu_top_k_count, kTopK, "rrr");
    visit("velu_optimizer_step", "velu_optimizer_desc", velu_optimizer_step, kOptimizer, "rorrrrr");
    visit("velu_gradient_norm", "velu_gradient_norm_desc", velu_gradient_norm, kGradientNorm, "rr");
    visit("velu_lerp", "velu_lerp_desc", velu_lerp, kLerp, "rrr");
    visit("velu_random_fill", "velu_random_desc", velu_random_fill, kRandom, "r");
    visit("velu_normalize_image_forward", "velu_normalize_image_desc", velu_normalize_image_forward, kNormalizeImage,
          "ror");
}

/// Operations that for_each visits.
inline int count() {
    int visited = 0;
    for_each([&](const auto&...) { ++visited; });
    return visited;
}

/// Calls an operation with its pointers taken from an array of as many.
template <class Desc, class... Pointers>
velu_status call(velu_status (*function)(velu_context*, const Desc*, Pointers...), velu_context* context,
                 const Desc* desc, const std::vector<void*>& pointers) {
    return [&]<size_t... I>(std::index_sequence<I...>) {
        return function(context, desc, static_cast<Pointers>(pointers[I])...);
    }
    (std::index_sequence_for<Pointers...>());
}

/// Calls change(field, address, bytes) for every number of a descriptor after device and dtype.
template <class Desc, class Change>
void change_fields(const char* type, Desc& desc, const Change& change) {
    const auto change_struct = [&](const auto& self, const std::string& name, char* base) -> void {
        for (int64_t i = 0; const velu_layout_entry* entry = velu_layout(i); ++i) {
            const std::string field = entry->field;
            if (name != entry->type || field.empty() || field == "device" || field == "dtype") continue;
            if (field == "params") {
                self(self, "velu_velu_params", base + entry->offset);
            } else if (entry->size <= 8) {
                change(field, base + entry->offset, entry->size);
            }
        }
    };
    change_struct(change_struct, type, reinterpret_cast<char*>(&desc));
}

/// Whether a 4-byte field is a float, by its name in velu.h.
inline bool is_float(const std::string& field) {
    for (const char* name : {"alpha",
                             "beta1",
                             "beta2",
                             "gamma",
                             "mu",
                             "eps",
                             "scale",
                             "scale_min",
                             "scale_max",
                             "w2_weight",
                             "probability",
                             "momentum",
                             "label_smoothing",
                             "weight_decay",
                             "momentum_decay",
                             "clip_value",
                             "max_norm",
                             "a",
                             "b",
                             "low",
                             "high"}) {
        if (field == name) return true;
    }
    return false;
}

}  // namespace operations
