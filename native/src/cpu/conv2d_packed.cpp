// Convolution for inference: the weight lies in the layout of oneDNN's implementation, and bias, residual sum and
// activation are applied to each tile of y before it leaves the registers.
//
// One layout serves all plans of a shape: that of the plain convolution. A plan that needs another one reorders the
// weight with every call; no implementation of oneDNN 3.11 on AVX2 and AVX-512 does.
#include <cstring>

#include "cpu/context.h"
#include "cpu/conv2d_choice.h"
#include "cpu/conv2d_geometry.h"
#include "cpu/conv2d_winograd.h"
#include "cpu/dnnl_state.h"
#include "cpu/fused_activation.h"
#include "cpu/operations.h"

namespace velu::cpu {
namespace {

using Layout = dnnl::memory::desc;
using Forward = dnnl::convolution_forward::primitive_desc;

/// Where the residual is: nowhere, in y, or in memory of its own.
enum class Residual { kNone, kInPlace, kApart };

DnnlKey make_key(char operation, Residual residual, int32_t activation, const velu_conv2d_desc& d) {
    return {operation,
            static_cast<int64_t>(residual),
            activation,
            d.batch,
            d.in_height,
            d.in_width,
            d.in_channels,
            d.out_channels,
            d.kernel_height,
            d.kernel_width,
            d.stride_height,
            d.stride_width,
            d.padding_height,
            d.padding_width,
            d.dilation_height,
            d.dilation_width,
            d.groups,
            d.dtype,
            0};
}

Forward make_forward(const DnnlState& state, const velu_conv2d_desc& d, const Conv2dLayouts& layouts,
                     const dnnl::primitive_attr& attributes) {
    Forward desc(state.engine, dnnl::prop_kind::forward_inference, dnnl::algorithm::convolution_direct, layouts.x,
                 layouts.any_weight, layouts.bias, layouts.y, layouts.strides, layouts.dilates, layouts.padding,
                 layouts.padding, attributes);
    avoid_empty_windows(d, desc);
    return desc;
}

DnnlPlan refused(const char* message) {
    DnnlPlan plan;
    plan.status = VELU_STATUS_UNSUPPORTED;
    plan.message = message;
    return plan;
}

/// The reorder of a plain float32 weight to the packed one.
const DnnlPlan& pack_plan(Context& context, const velu_conv2d_desc& d) {
    const DnnlKey key = make_key('p', Residual::kNone, VELU_ACTIVATION_IDENTITY, d);
    return find_plan(context, key, [&] {
        if (const char* refusal = conv2d_refusal(d)) return refused(refusal);
        const DnnlState& state = *context.dnnl;
        const Conv2dLayouts layouts(d);
        const Layout packed = make_forward(state, d, layouts, state.attributes).weights_desc();
        const Layout plain = layouts.weight_f32();
        const dnnl::reorder::primitive_desc reorder(state.engine, plain, state.engine, packed, state.attributes);
        return make_plan(state, reorder, {{DNNL_ARG_FROM, plain}, {DNNL_ARG_TO, packed, true}});
    });
}

size_t packed_bytes(const DnnlPlan& pack) {
    return pack.arguments[1].get_desc().get_size();
}

/// The activation inside the primitive. Where y's pixels lie apart it is part of the copy to them instead.
int32_t activation_in_primitive(const velu_conv2d_desc& d) {
    return y_is_dense(d) ? d.activation : VELU_ACTIVATION_IDENTITY;
}

const DnnlPlan& forward_plan(Context& context, const velu_conv2d_desc& d, Residual residual) {
    const int32_t activation = activation_in_primitive(d);
    return find_plan(context, make_key('f', residual, activation, d), [&] {
        if (const char* refusal = conv2d_refusal(d)) return refused(refusal);
        const DnnlState& state = *context.dnnl;
        const Conv2dLayouts layouts(d);
        const auto add_residual = [&](dnnl::post_ops& post_ops) {
            if (residual == Residual::kInPlace) post_ops.append_sum();
            if (residual == Residual::kApart) post_ops.append_binary(dnnl::algorithm::binary_add, layouts.y);
        };
        const auto [forward, left] = fuse_activation(
            activation, add_residual,
            [&](const dnnl::primitive_attr& attributes) { return make_forward(state, d, layouts, attributes); });
        const Layout packed = make_forward(state, d, layouts, state.attributes).weights_desc();
        std::vector<DnnlArgument> arguments = {{DNNL_ARG_SRC, layouts.x},
                                               {DNNL_ARG_WEIGHTS, packed},
                                               {DNNL_ARG_BIAS, layouts.bias},
                                               {DNNL_ARG_DST, layouts.y, true}};
        if (residual == Residual::kApart) {
            arguments.push_back({DNNL_ARG_ATTR_MULTIPLE_POST_OP(0) | DNNL_ARG_SRC_1, layouts.y});
        }
        DnnlPlan plan = make_plan(state, forward, arguments);
        plan.activation = left;
        return plan;
    });
}

/// Scratch memory of a forward call: the plan's, then a dense y where that of the caller is not.
size_t scratch_bytes(const velu_conv2d_desc& d, const DnnlPlan& plan) {
    return y_is_dense(d) ? plan.workspace : plan.workspace + conv2d_y_bytes(d);
}

int64_t weights_per_channel(const velu_conv2d_desc& d) {
    return int64_t{d.kernel_height} * d.kernel_width * (d.in_channels / d.groups);
}

/// Bytes of the scaled weight before it is packed.
size_t scaled_bytes(const velu_conv2d_desc& d) {
    return static_cast<size_t>((d.out_channels * weights_per_channel(d) + 15) / 16 * 16) * sizeof(float);
}

velu_status fail(DeviceContext* context, const DnnlPlan& plan) {
    return context->fail(plan.status, "%s", plan.message.c_str());
}

}  // namespace

const DnnlPlan& conv2d_packed_plan(Context& context, const velu_conv2d_desc& desc) {
    return forward_plan(context, desc, Residual::kNone);
}

velu_status conv2d_packed_bytes(DeviceContext* context, const velu_conv2d_desc* desc, int64_t* bytes) {
    return guarded(context, [&] {
        if (packs_winograd(cpu(context), *desc)) {
            cpu(context).workspace.reserve(scaled_bytes(*desc));
            *bytes = static_cast<int64_t>(winograd_packed_bytes(*desc));
            return velu_status{VELU_STATUS_SUCCESS};
        }
        const DnnlPlan& plan = pack_plan(cpu(context), *desc);
        if (plan.status != VELU_STATUS_SUCCESS) return fail(context, plan);
        cpu(context).workspace.reserve(scaled_bytes(*desc) + plan.workspace);
        *bytes = static_cast<int64_t>(packed_bytes(plan));
        return velu_status{VELU_STATUS_SUCCESS};
    });
}

velu_status conv2d_packed_prepare(DeviceContext* context, const velu_conv2d_desc* desc, int32_t has_residual) {
    return guarded(context, [&] {
        if (packs_winograd(cpu(context), *desc)) {
            cpu(context).workspace.reserve(winograd_packed_scratch_bytes(cpu(context), *desc));
            return velu_status{VELU_STATUS_SUCCESS};
        }
        const auto prepare = [&](Residual residual) {
            const DnnlPlan& plan = forward_plan(cpu(context), *desc, residual);
            if (plan.status != VELU_STATUS_SUCCESS) return fail(context, plan);
            cpu(context).workspace.reserve(scratch_bytes(*desc, plan));
            return velu_status{VELU_STATUS_SUCCESS};
        };
        if (has_residual == 0) return prepare(Residual::kNone);
        // Whether the residual will be y is not known yet.
        const velu_status status = prepare(Residual::kApart);
        return status == VELU_STATUS_SUCCESS && y_is_dense(*desc) ? prepare(Residual::kInPlace) : status;
    });
}

velu_status conv2d_pack(DeviceContext* context, const velu_conv2d_desc* desc, const float* weight, const float* bias,
                        const float* scale, const float* shift, void* packed, float* packed_bias) {
    return guarded(context, [&] {
        Context& ctx = cpu(context);
        const DnnlPlan* plan = packs_winograd(ctx, *desc) ? nullptr : &pack_plan(ctx, *desc);
        if (plan != nullptr && plan->status != VELU_STATUS_SUCCESS) return fail(context, *plan);
        const size_t bytes = scaled_bytes(*desc) + (plan == nullptr ? 0 : plan->workspace);
        auto* workspace = static_cast<char*>(ctx.workspace.reserve(bytes));
        auto* scaled = reinterpret_cast<float*>(workspace);
        const int64_t count = weights_per_channel(*desc);
        parallel_for(ctx, desc->out_channels, [&](int64_t o) {
            const float factor = scale == nullptr ? 1.0f : scale[o];
            const float* from = weight + o * count;
            float* to = scaled + o * count;
            for (int64_t i = 0; i < count; ++i) to[i] = factor * from[i];
            packed_bias[o] = factor * (bias == nullptr ? 0.0f : bias[o]) + (shift == nullptr ? 0.0f : shift[o]);
        });
        if (plan != nullptr) return run_plan(ctx, *plan, workspace + scaled_bytes(*desc), {scaled, packed});
        winograd_pack(ctx, *desc, scaled, packed);
        return velu_status{VELU_STATUS_SUCCESS};
    });
}

velu_status conv2d_packed_forward(DeviceContext* context, const velu_conv2d_desc* desc, const void* x,
                                  const void* packed, const float* packed_bias, const void* residual, void* y) {
    return guarded(context, [&] {
        Context& ctx = cpu(context);
        if (packs_winograd(ctx, *desc)) {
            void* scratch = ctx.workspace.reserve(winograd_packed_scratch_bytes(ctx, *desc));
            winograd_packed_forward(ctx, *desc, static_cast<const float*>(x), packed, packed_bias,
                                    static_cast<const float*>(residual), scratch, static_cast<float*>(y));
            return velu_status{VELU_STATUS_SUCCESS};
        }
        const bool dense = y_is_dense(*desc);
        const Residual where = residual == nullptr      ? Residual::kNone
                               : residual == y && dense ? Residual::kInPlace
                                                        : Residual::kApart;
        const DnnlPlan& plan = forward_plan(ctx, *desc, where);
        if (plan.status != VELU_STATUS_SUCCESS) return fail(context, plan);
        auto* workspace = static_cast<char*>(ctx.workspace.reserve(scratch_bytes(*desc, plan)));
        void* result = dense ? y : workspace + plan.workspace;
        const velu_status status = where == Residual::kApart
                                       ? run_plan(ctx, plan, workspace, {x, packed, packed_bias, result, residual})
                                       : run_plan(ctx, plan, workspace, {x, packed, packed_bias, result});
        if (status != VELU_STATUS_SUCCESS) return status;
        const int32_t left = dense ? plan.activation : desc->activation;
        activate_rows(ctx, left, desc->dtype, result, y, conv2d_out_pixels(*desc), desc->out_channels,
                      dense ? desc->out_channels : desc->y_pitch);
        return status;
    });
}

}  // namespace velu::cpu
