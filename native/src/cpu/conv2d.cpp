// 2-D convolution on oneDNN: images nhwc, weights in oneDNN's own layout, reordered from and to [O][kh][kw][I/G].
//
// oneDNN (3.11) has only its reference implementation, hundreds of times slower, for images whose pixels lie further
// apart than their channels: such a y or dy is copied from or to a dense one in scratch memory.
#include "cpu/column_sum.h"
#include "cpu/context.h"
#include "cpu/conv2d_choice.h"
#include "cpu/conv2d_depthwise.h"
#include "cpu/conv2d_geometry.h"
#include "cpu/conv2d_windows.h"
#include "cpu/conv2d_winograd.h"
#include "cpu/dnnl_state.h"
#include "cpu/fused_activation.h"
#include "cpu/operations.h"

namespace velu::cpu {
namespace {

using Layout = dnnl::memory::desc;

/// The matrix product that a convolution is where conv2d_method says so.
velu_linear_desc product_of(const velu_conv2d_desc& d) {
    return {d.device, d.dtype, conv2d_out_pixels(d), conv2d_window_size(d), d.out_channels, d.activation, 0};
}

DnnlPlan make_conv2d(const Context& context, const velu_conv2d_desc& d, int32_t pass, bool has_bias) {
    const DnnlState& state = *context.dnnl;
    if (const char* refusal = conv2d_refusal(d)) {
        DnnlPlan plan;
        plan.status = VELU_STATUS_UNSUPPORTED;
        plan.message = refusal;
        return plan;
    }
    if (conv2d_method(context, d, pass) != Conv2dMethod::kConvolution) {
        return make_product(state, product_of(d), pass, has_bias && pass == VELU_PASS_FORWARD);
    }
    const Conv2dLayouts g(d);
    const Layout bias = has_bias ? g.bias : Layout();
    constexpr auto kDirect = dnnl::algorithm::convolution_direct;

    using Forward = dnnl::convolution_forward::primitive_desc;
    if (pass == VELU_PASS_FORWARD) {
        const auto [forward, left] = fuse_activation(d.activation, [&](const dnnl::primitive_attr& attributes) {
            return choose_implementation(d, pass, [&] {
                return Forward(state.engine, dnnl::prop_kind::forward_training, kDirect, g.x, g.any_weight, bias, g.y,
                               g.strides, g.dilates, g.padding, g.padding, attributes);
            });
        });
        std::vector<DnnlArgument> arguments = {
            {DNNL_ARG_SRC, g.x}, {DNNL_ARG_WEIGHTS, g.weight}, {DNNL_ARG_DST, g.y, true}};
        if (has_bias) arguments.push_back({DNNL_ARG_BIAS, g.bias});
        DnnlPlan plan = make_plan(state, forward, arguments);
        plan.activation = left;
        return plan;
    }
    const Forward forward(state.engine, dnnl::prop_kind::forward_training, kDirect, g.x, g.any_weight, Layout(), g.y,
                          g.strides, g.dilates, g.padding, g.padding, state.attributes);
    if (pass == VELU_PASS_BACKWARD_DATA) {
        const auto backward = choose_implementation(d, pass, [&] {
            return dnnl::convolution_backward_data::primitive_desc(state.engine, kDirect, g.x, g.any_weight, g.y,
                                                                   g.strides, g.dilates, g.padding, g.padding, forward,
                                                                   state.attributes);
        });
        return make_plan(state, backward,
                         {{DNNL_ARG_DIFF_DST, g.y}, {DNNL_ARG_WEIGHTS, g.weight}, {DNNL_ARG_DIFF_SRC, g.x, true}});
    }
    const Layout dweight = g.weight_f32();
    const Layout any_dweight(dweight.get_dims(), dnnl::memory::data_type::f32, dnnl::memory::format_tag::any);
    const auto backward = choose_implementation(d, pass, [&] {
        return dnnl::convolution_backward_weights::primitive_desc(state.engine, kDirect, g.x, any_dweight, bias, g.y,
                                                                  g.strides, g.dilates, g.padding, g.padding, forward,
                                                                  state.attributes);
    });
    std::vector<DnnlArgument> arguments = {
        {DNNL_ARG_SRC, g.x}, {DNNL_ARG_DIFF_DST, g.y}, {DNNL_ARG_DIFF_WEIGHTS, dweight, true}};
    if (has_bias) arguments.push_back({DNNL_ARG_DIFF_BIAS, g.bias, true});
    return make_plan(state, backward, arguments);
}

constexpr size_t line_up(size_t bytes) {
    return (bytes + 63) / 64 * 64;
}

/// Bytes of parts of the bias' gradient.
size_t sums_bytes(const velu_conv2d_desc& d) {
    return column_sum_bytes(conv2d_out_pixels(d), d.out_channels);
}

/// Scratch memory of this library's own kernels, behind which parts of the bias' gradient lie.
size_t own_scratch_bytes(const Context& context, const velu_conv2d_desc& d, int32_t pass, Conv2dMethod method) {
    return line_up(method == Conv2dMethod::kDepthwise ? depthwise_scratch_bytes(d)
                                                      : winograd_scratch_bytes(context, d, pass));
}

bool is_own(Conv2dMethod method) {
    return method == Conv2dMethod::kDepthwise || method == Conv2dMethod::kWinograd;
}

/// The gradient of the bias.
void sum_pixels(const Context& context, const velu_conv2d_desc& d, const void* dy, void* scratch, float* dbias) {
    column_sum(context, d.dtype, conv2d_out_pixels(d), d.out_channels, y_is_dense(d) ? d.out_channels : d.y_pitch, dy,
               scratch, dbias);
}

/// Scratch memory of a call: the plan's, then a dense y or dy where that of the caller is not, the windows, and parts
/// of the bias' gradient where the plan does not give that.
struct Scratch {
    size_t dense;
    size_t windows;
    size_t sums;
    size_t bytes;

    Scratch(const Context& context, const velu_conv2d_desc& d, int32_t pass, const DnnlPlan& plan)
        : dense(plan.workspace) {
        const Conv2dMethod method = conv2d_method(context, d, pass);
        windows = dense + (y_is_dense(d) ? 0 : line_up(conv2d_y_bytes(d)));
        sums = windows + (method == Conv2dMethod::kProductOfWindows ? line_up(conv2d_windows_bytes(d)) : 0);
        bytes = sums;
        if (pass == VELU_PASS_BACKWARD_WEIGHTS && method != Conv2dMethod::kConvolution) {
            bytes += sums_bytes(d);
        }
    }
};

velu_status check(DeviceContext* context, const DnnlPlan& plan) {
    if (plan.status == VELU_STATUS_SUCCESS) return plan.status;
    return context->fail(plan.status, "%s", plan.message.c_str());
}

/// Replaces dy by a dense copy of it, if it is none.
velu_status make_dense(DeviceContext* context, const velu_conv2d_desc& desc, void* dense, const void** dy) {
    if (y_is_dense(desc)) return VELU_STATUS_SUCCESS;
    const velu_copy_rows_desc copy = {
        desc.device, desc.dtype, conv2d_out_pixels(desc), desc.out_channels, desc.y_pitch, desc.out_channels, 0, 0};
    const velu_status status = copy_rows_forward(context, &copy, *dy, dense);
    *dy = dense;
    return status;
}

}  // namespace

const DnnlPlan& conv2d_plan(Context& context, const velu_conv2d_desc& d, int32_t pass, bool has_bias) {
    const DnnlKey key = {'c',
                         pass,
                         has_bias,
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
                         pass == VELU_PASS_FORWARD ? d.activation : VELU_ACTIVATION_IDENTITY,
                         d.dtype};
    return find_plan(context, key, [&] { return make_conv2d(context, d, pass, has_bias); });
}

velu_status conv2d_prepare(DeviceContext* context, const velu_conv2d_desc* desc, int32_t pass) {
    return guarded(context, [&] {
        if (const Conv2dMethod method = conv2d_method(cpu(context), *desc, pass); is_own(method)) {
            const size_t sums = pass == VELU_PASS_BACKWARD_WEIGHTS ? sums_bytes(*desc) : 0;
            cpu(context).workspace.reserve(own_scratch_bytes(cpu(context), *desc, pass, method) + sums);
            return velu_status{VELU_STATUS_SUCCESS};
        }
        // Whether there will be a bias is not known yet, so both are made ready.
        for (const bool has_bias : {false, true}) {
            if (has_bias && pass == VELU_PASS_BACKWARD_DATA) continue;
            const DnnlPlan& plan = conv2d_plan(cpu(context), *desc, pass, has_bias);
            if (const velu_status status = check(context, plan); status != VELU_STATUS_SUCCESS) return status;
            cpu(context).workspace.reserve(Scratch(cpu(context), *desc, pass, plan).bytes);
        }
        return velu_status{VELU_STATUS_SUCCESS};
    });
}

velu_status conv2d_forward(DeviceContext* context, const velu_conv2d_desc* desc, const void* x, const void* weight,
                           const float* bias, void* y) {
    return guarded(context, [&] {
        if (conv2d_method(cpu(context), *desc, VELU_PASS_FORWARD) == Conv2dMethod::kWinograd) {
            void* scratch =
                cpu(context).workspace.reserve(winograd_scratch_bytes(cpu(context), *desc, VELU_PASS_FORWARD));
            winograd_forward(cpu(context), *desc, static_cast<const float*>(x), static_cast<const float*>(weight), bias,
                             scratch, static_cast<float*>(y));
            return velu_status{VELU_STATUS_SUCCESS};
        }
        const DnnlPlan& plan = conv2d_plan(cpu(context), *desc, VELU_PASS_FORWARD, bias != nullptr);
        if (const velu_status status = check(context, plan); status != VELU_STATUS_SUCCESS) return status;
        const Scratch scratch(cpu(context), *desc, VELU_PASS_FORWARD, plan);
        auto* workspace = static_cast<char*>(cpu(context).workspace.reserve(scratch.bytes));
        void* dense = y_is_dense(*desc) ? y : workspace + scratch.dense;
        const velu_status status = bias != nullptr ? run_plan(cpu(context), plan, workspace, {x, weight, dense, bias})
                                                   : run_plan(cpu(context), plan, workspace, {x, weight, dense});
        if (status != VELU_STATUS_SUCCESS) return status;
        activate_rows(cpu(context), plan.activation, desc->dtype, dense, y, conv2d_out_pixels(*desc),
                      desc->out_channels, y_is_dense(*desc) ? desc->out_channels : desc->y_pitch);
        return status;
    });
}

velu_status conv2d_backward_data(DeviceContext* context, const velu_conv2d_desc* desc, const void* dy,
                                 const void* weight, void* dx) {
    return guarded(context, [&] {
        if (conv2d_method(cpu(context), *desc, VELU_PASS_BACKWARD_DATA) == Conv2dMethod::kWinograd) {
            void* scratch =
                cpu(context).workspace.reserve(winograd_scratch_bytes(cpu(context), *desc, VELU_PASS_BACKWARD_DATA));
            winograd_backward_data(cpu(context), *desc, static_cast<const float*>(dy),
                                   static_cast<const float*>(weight), scratch, static_cast<float*>(dx));
            return velu_status{VELU_STATUS_SUCCESS};
        }
        const DnnlPlan& plan = conv2d_plan(cpu(context), *desc, VELU_PASS_BACKWARD_DATA, false);
        if (const velu_status status = check(context, plan); status != VELU_STATUS_SUCCESS) return status;
        const Scratch scratch(cpu(context), *desc, VELU_PASS_BACKWARD_DATA, plan);
        auto* workspace = static_cast<char*>(cpu(context).workspace.reserve(scratch.bytes));
        const velu_status status = make_dense(context, *desc, workspace + scratch.dense, &dy);
        if (status != VELU_STATUS_SUCCESS) return status;
        return run_plan(cpu(context), plan, workspace, {dy, weight, dx});
    });
}

velu_status conv2d_backward_weights(DeviceContext* context, const velu_conv2d_desc* desc, const void* x, const void* dy,
                                    float* dweight, float* dbias) {
    return guarded(context, [&] {
        Context& ctx = cpu(context);
        const Conv2dMethod method = conv2d_method(ctx, *desc, VELU_PASS_BACKWARD_WEIGHTS);
        if (is_own(method)) {
            const size_t sums = own_scratch_bytes(ctx, *desc, VELU_PASS_BACKWARD_WEIGHTS, method);
            auto* scratch = static_cast<char*>(ctx.workspace.reserve(sums + sums_bytes(*desc)));
            if (method == Conv2dMethod::kDepthwise) {
                depthwise_backward_weights(ctx, *desc, x, dy, scratch, dweight);
            } else {
                winograd_backward_weights(ctx, *desc, static_cast<const float*>(x), static_cast<const float*>(dy),
                                          scratch, dweight);
            }
            if (dbias != nullptr) sum_pixels(ctx, *desc, dy, scratch + sums, dbias);
            return velu_status{VELU_STATUS_SUCCESS};
        }
        const DnnlPlan& plan = conv2d_plan(ctx, *desc, VELU_PASS_BACKWARD_WEIGHTS, dbias != nullptr);
        if (const velu_status status = check(context, plan); status != VELU_STATUS_SUCCESS) return status;
        const Scratch scratch(ctx, *desc, VELU_PASS_BACKWARD_WEIGHTS, plan);
        auto* workspace = static_cast<char*>(ctx.workspace.reserve(scratch.bytes));
        const void* const pitched_dy = dy;
        velu_status status = make_dense(context, *desc, workspace + scratch.dense, &dy);
        if (status != VELU_STATUS_SUCCESS) return status;
        if (method == Conv2dMethod::kConvolution) {
            return dbias != nullptr ? run_plan(ctx, plan, workspace, {x, dy, dweight, dbias})
                                    : run_plan(ctx, plan, workspace, {x, dy, dweight});
        }
        if (method == Conv2dMethod::kProductOfWindows) {
            gather_windows(ctx, *desc, x, workspace + scratch.windows);
            x = workspace + scratch.windows;
        }
        status = run_plan(ctx, plan, workspace, {x, dy, dweight});
        if (status == VELU_STATUS_SUCCESS && dbias != nullptr) {
            sum_pixels(ctx, *desc, pitched_dy, workspace + scratch.sums, dbias);
        }
        return status;
    });
}

}  // namespace velu::cpu
