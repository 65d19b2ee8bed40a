// 2-D convolution on oneDNN: images nhwc, weights in oneDNN's own layout, reordered from and to [O][kh][kw][I/G].
//
// oneDNN (3.11) has only its reference implementation, hundreds of times slower, for images whose pixels lie further
// apart than their channels: such a y or dy is copied from or to a dense one in scratch memory.
#include <cstring>

#include "cpu/context.h"
#include "cpu/dnnl_state.h"
#include "cpu/fused_activation.h"
#include "cpu/operations.h"

namespace velu::cpu {
namespace {

using dnnl::memory;
using Layout = dnnl::memory::desc;

int64_t window_count(int64_t in, int64_t kernel, int64_t stride, int64_t padding, int64_t dilation) {
    return (in + 2 * padding - dilation * (kernel - 1) - 1) / stride + 1;
}

/// oneDNN's kernels count along one axis in int.
bool fits_int(const velu_conv2d_desc& d) {
    const auto axis_fits = [](int64_t in, int64_t kernel, int64_t padding, int64_t dilation) {
        return in + 2 * padding <= INT32_MAX && dilation * (kernel - 1) < INT32_MAX;
    };
    return d.batch <= INT32_MAX && d.in_channels <= INT32_MAX && d.out_channels <= INT32_MAX &&
           axis_fits(d.in_height, d.kernel_height, d.padding_height, d.dilation_height) &&
           axis_fits(d.in_width, d.kernel_width, d.padding_width, d.dilation_width);
}

/// Whether some output's window has all its taps in the padding along one axis.
bool has_empty_window(int64_t in, int64_t kernel, int64_t stride, int64_t padding, int64_t dilation) {
    const int64_t last = (window_count(in, kernel, stride, padding, dilation) - 1) * stride - padding;
    if (last >= in) return true;
    for (int64_t start = -padding; start < 0 && start <= last; start += stride) {
        const int64_t tap = (-start + dilation - 1) / dilation;  // the first one that is not left of the image
        if (tap >= kernel || start + tap * dilation >= in) return true;
    }
    return false;
}

/// oneDNN's vectorized convolutions (3.11: brgconv) read through a null pointer where a window holds nothing but
/// padding. No network has such shapes, so they get oneDNN's reference implementation.
void avoid_empty_windows(const velu_conv2d_desc& d, dnnl::primitive_desc& desc) {
    if (!has_empty_window(d.in_height, d.kernel_height, d.stride_height, d.padding_height, d.dilation_height) &&
        !has_empty_window(d.in_width, d.kernel_width, d.stride_width, d.padding_width, d.dilation_width)) {
        return;
    }
    while (std::strncmp(desc.impl_info_str(), "ref", 3) != 0) {
        if (!desc.next_impl()) throw dnnl::error(dnnl_unimplemented, "no reference implementation");
    }
}

DnnlPlan make_conv2d(const DnnlState& state, const velu_conv2d_desc& d, int32_t pass, bool has_bias) {
    if (!fits_int(d)) {
        DnnlPlan plan;
        plan.status = VELU_STATUS_UNSUPPORTED;
        plan.message = "a size along one axis is above 2147483647, more than oneDNN's convolutions count; divide it";
        return plan;
    }
    constexpr auto kF32 = memory::data_type::f32;
    const int64_t groups = d.groups;
    const int64_t kh = d.kernel_height;
    const int64_t kw = d.kernel_width;
    const int64_t in = d.in_channels / groups;
    const int64_t out = d.out_channels / groups;
    const int64_t out_height = window_count(d.in_height, kh, d.stride_height, d.padding_height, d.dilation_height);
    const int64_t out_width = window_count(d.in_width, kw, d.stride_width, d.padding_width, d.dilation_width);

    const Layout x({d.batch, d.in_channels, d.in_height, d.in_width}, kF32, memory::format_tag::nhwc);
    const Layout y({d.batch, d.out_channels, out_height, out_width}, kF32, memory::format_tag::nhwc);
    const Layout bias = has_bias ? Layout({d.out_channels}, kF32, memory::format_tag::x) : Layout();
    const memory::dims weight_dims =
        groups == 1 ? memory::dims{out, in, kh, kw} : memory::dims{groups, out, in, kh, kw};
    const memory::dims weight_strides = groups == 1 ? memory::dims{kh * kw * in, 1, kw * in, in}
                                                    : memory::dims{out * kh * kw * in, kh * kw * in, 1, kw * in, in};
    const Layout weight(weight_dims, kF32, weight_strides);
    const Layout any_weight(weight_dims, kF32, memory::format_tag::any);
    const memory::dims strides = {d.stride_height, d.stride_width};
    const memory::dims dilates = {d.dilation_height - 1, d.dilation_width - 1};
    const memory::dims padding = {d.padding_height, d.padding_width};
    constexpr auto kDirect = dnnl::algorithm::convolution_direct;

    using Forward = dnnl::convolution_forward::primitive_desc;
    if (pass == VELU_PASS_FORWARD) {
        const auto [forward, left] = fuse_activation(state, d.activation, [&](const dnnl::primitive_attr& attributes) {
            Forward desc(state.engine, dnnl::prop_kind::forward_training, kDirect, x, any_weight, bias, y, strides,
                         dilates, padding, padding, attributes);
            avoid_empty_windows(d, desc);
            return desc;
        });
        std::vector<DnnlArgument> arguments = {{DNNL_ARG_SRC, x}, {DNNL_ARG_WEIGHTS, weight}, {DNNL_ARG_DST, y, true}};
        if (has_bias) arguments.push_back({DNNL_ARG_BIAS, bias});
        DnnlPlan plan = make_plan(state, forward, arguments);
        plan.activation = left;
        return plan;
    }
    const Forward forward(state.engine, dnnl::prop_kind::forward_training, kDirect, x, any_weight, Layout(), y, strides,
                          dilates, padding, padding, state.attributes);
    if (pass == VELU_PASS_BACKWARD_DATA) {
        dnnl::convolution_backward_data::primitive_desc backward(state.engine, kDirect, x, any_weight, y, strides,
                                                                 dilates, padding, padding, forward, state.attributes);
        avoid_empty_windows(d, backward);
        return make_plan(state, backward,
                         {{DNNL_ARG_DIFF_DST, y}, {DNNL_ARG_WEIGHTS, weight}, {DNNL_ARG_DIFF_SRC, x, true}});
    }
    dnnl::convolution_backward_weights::primitive_desc backward(state.engine, kDirect, x, any_weight, bias, y, strides,
                                                                dilates, padding, padding, forward, state.attributes);
    avoid_empty_windows(d, backward);
    if (!has_bias) {
        return make_plan(state, backward,
                         {{DNNL_ARG_SRC, x}, {DNNL_ARG_DIFF_DST, y}, {DNNL_ARG_DIFF_WEIGHTS, weight, true}});
    }
    return make_plan(state, backward,
                     {{DNNL_ARG_SRC, x},
                      {DNNL_ARG_DIFF_DST, y},
                      {DNNL_ARG_DIFF_WEIGHTS, weight, true},
                      {DNNL_ARG_DIFF_BIAS, bias, true}});
}

bool is_pitched(const velu_conv2d_desc& d) {
    return d.y_pitch != 0 && d.y_pitch != d.out_channels;
}

/// Pixels of y.
int64_t out_pixels(const velu_conv2d_desc& d) {
    return d.batch * window_count(d.in_height, d.kernel_height, d.stride_height, d.padding_height, d.dilation_height) *
           window_count(d.in_width, d.kernel_width, d.stride_width, d.padding_width, d.dilation_width);
}

/// Scratch memory of a call: the plan's, then a dense y or dy where that of the caller is not.
size_t scratch_bytes(const velu_conv2d_desc& d, const DnnlPlan& plan) {
    if (!is_pitched(d)) return plan.workspace;
    return plan.workspace + static_cast<size_t>(out_pixels(d) * d.out_channels) * sizeof(float);
}

/// Runs one backward pass on its arguments in the order of its plan; `last` is the bias' gradient, or nullptr.
velu_status run_backward(DeviceContext* context, const velu_conv2d_desc& desc, int32_t pass, const void* first,
                         const void* second, const void* third, const void* last) {
    return guarded(context, [&] {
        const DnnlPlan& plan = conv2d_plan(cpu(context), desc, pass, last != nullptr);
        if (plan.status != VELU_STATUS_SUCCESS) return context->fail(plan.status, "%s", plan.message.c_str());
        auto* workspace = static_cast<char*>(cpu(context).workspace.reserve(scratch_bytes(desc, plan)));
        if (is_pitched(desc)) {
            const void*& dy = pass == VELU_PASS_BACKWARD_DATA ? first : second;
            const velu_copy_rows_desc copy = {
                desc.device, desc.dtype, out_pixels(desc), desc.out_channels, desc.y_pitch, desc.out_channels, 0, 0};
            void* dense = workspace + plan.workspace;
            const velu_status copied = copy_rows_forward(context, &copy, dy, dense);
            if (copied != VELU_STATUS_SUCCESS) return copied;
            dy = dense;
        }
        return last != nullptr ? run_plan(cpu(context), plan, workspace, {first, second, third, last})
                               : run_plan(cpu(context), plan, workspace, {first, second, third});
    });
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
    return find_plan(context, key, [&] { return make_conv2d(*context.dnnl, d, pass, has_bias); });
}

velu_status conv2d_prepare(DeviceContext* context, const velu_conv2d_desc* desc, int32_t pass) {
    return guarded(context, [&] {
        // Whether there will be a bias is not known yet, so both are made ready.
        for (const bool has_bias : {false, true}) {
            if (has_bias && pass == VELU_PASS_BACKWARD_DATA) continue;
            const DnnlPlan& plan = conv2d_plan(cpu(context), *desc, pass, has_bias);
            if (plan.status != VELU_STATUS_SUCCESS) return context->fail(plan.status, "%s", plan.message.c_str());
            cpu(context).workspace.reserve(scratch_bytes(*desc, plan));
        }
        return velu_status{VELU_STATUS_SUCCESS};
    });
}

velu_status conv2d_forward(DeviceContext* context, const velu_conv2d_desc* desc, const void* x, const void* weight,
                           const float* bias, void* y) {
    return guarded(context, [&] {
        const DnnlPlan& plan = conv2d_plan(cpu(context), *desc, VELU_PASS_FORWARD, bias != nullptr);
        if (plan.status != VELU_STATUS_SUCCESS) return context->fail(plan.status, "%s", plan.message.c_str());
        auto* workspace = static_cast<char*>(cpu(context).workspace.reserve(scratch_bytes(*desc, plan)));
        auto* result = static_cast<float*>(y);
        float* dense = is_pitched(*desc) ? reinterpret_cast<float*>(workspace + plan.workspace) : result;
        const velu_status status = bias != nullptr ? run_plan(cpu(context), plan, workspace, {x, weight, dense, bias})
                                                   : run_plan(cpu(context), plan, workspace, {x, weight, dense});
        if (status != VELU_STATUS_SUCCESS) return status;
        activate_rows(cpu(context), plan.activation, dense, result, out_pixels(*desc), desc->out_channels,
                      is_pitched(*desc) ? desc->y_pitch : desc->out_channels);
        return status;
    });
}

velu_status conv2d_backward_data(DeviceContext* context, const velu_conv2d_desc* desc, const void* dy,
                                 const void* weight, void* dx) {
    return run_backward(context, *desc, VELU_PASS_BACKWARD_DATA, dy, weight, dx, nullptr);
}

velu_status conv2d_backward_weights(DeviceContext* context, const velu_conv2d_desc* desc, const void* x, const void* dy,
                                    float* dweight, float* dbias) {
    return run_backward(context, *desc, VELU_PASS_BACKWARD_WEIGHTS, x, dy, dweight, dbias);
}

}  // namespace velu::cpu
