// 2-D convolution on oneDNN: images nhwc, weights in oneDNN's own layout, reordered from and to [O][kh][kw][I/G].
#include <cstring>

#include "cpu/context.h"
#include "cpu/dnnl_state.h"
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

    dnnl::convolution_forward::primitive_desc forward(state.engine, dnnl::prop_kind::forward_training, kDirect, x,
                                                      any_weight, pass == VELU_PASS_FORWARD ? bias : Layout(), y,
                                                      strides, dilates, padding, padding, state.attributes);
    if (pass == VELU_PASS_FORWARD) {
        avoid_empty_windows(d, forward);
        if (!has_bias) {
            return make_plan(state, forward, {{DNNL_ARG_SRC, x}, {DNNL_ARG_WEIGHTS, weight}, {DNNL_ARG_DST, y, true}});
        }
        return make_plan(
            state, forward,
            {{DNNL_ARG_SRC, x}, {DNNL_ARG_WEIGHTS, weight}, {DNNL_ARG_DST, y, true}, {DNNL_ARG_BIAS, bias}});
    }
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

/// Runs one pass; `last` is the bias or its gradient, or nullptr.
velu_status run(DeviceContext* context, const velu_conv2d_desc& desc, int32_t pass, const void* first,
                const void* second, const void* third, const void* last) {
    return guarded(context, [&] {
        const DnnlPlan& plan = conv2d_plan(cpu(context), desc, pass, last != nullptr);
        if (plan.status != VELU_STATUS_SUCCESS) return context->fail(plan.status, "%s", plan.message.c_str());
        void* workspace = cpu(context).workspace.reserve(plan.workspace);
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
            cpu(context).workspace.reserve(plan.workspace);
        }
        return velu_status{VELU_STATUS_SUCCESS};
    });
}

velu_status conv2d_forward(DeviceContext* context, const velu_conv2d_desc* desc, const void* x, const void* weight,
                           const float* bias, void* y) {
    return run(context, *desc, VELU_PASS_FORWARD, x, weight, y, bias);
}

velu_status conv2d_backward_data(DeviceContext* context, const velu_conv2d_desc* desc, const void* dy,
                                 const void* weight, void* dx) {
    return run(context, *desc, VELU_PASS_BACKWARD_DATA, dy, weight, dx, nullptr);
}

velu_status conv2d_backward_weights(DeviceContext* context, const velu_conv2d_desc* desc, const void* x, const void* dy,
                                    float* dweight, float* dbias) {
    return run(context, *desc, VELU_PASS_BACKWARD_WEIGHTS, x, dy, dweight, dbias);
}

}  // namespace velu::cpu
