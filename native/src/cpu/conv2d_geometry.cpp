#include "cpu/conv2d_geometry.h"

#include <cstring>

namespace velu::cpu {
namespace {

using dnnl::memory;
using Layout = dnnl::memory::desc;

int64_t window_count(int64_t in, int64_t kernel, int64_t stride, int64_t padding, int64_t dilation) {
    return (in + 2 * padding - dilation * (kernel - 1) - 1) / stride + 1;
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

/// Shapes of which brg_conv_fwd (oneDNN 3.11) takes the wrong pixels of the image.
bool is_misread(const velu_conv2d_desc& d) {
    return d.in_channels == d.groups && d.kernel_width > 1 && d.stride_width > 1 && conv2d_out_width(d) == 1;
}

memory::dims weight_dims(const velu_conv2d_desc& d) {
    const int64_t in = d.in_channels / d.groups;
    const int64_t out = d.out_channels / d.groups;
    return d.groups == 1 ? memory::dims{out, in, d.kernel_height, d.kernel_width}
                         : memory::dims{d.groups, out, in, d.kernel_height, d.kernel_width};
}

memory::dims weight_strides(const velu_conv2d_desc& d) {
    const int64_t in = d.in_channels / d.groups;
    const int64_t row = d.kernel_width * in;
    const int64_t kernel = d.kernel_height * row;
    return d.groups == 1 ? memory::dims{kernel, 1, row, in}
                         : memory::dims{d.out_channels / d.groups * kernel, kernel, 1, row, in};
}

}  // namespace

int64_t conv2d_out_height(const velu_conv2d_desc& d) {
    return window_count(d.in_height, d.kernel_height, d.stride_height, d.padding_height, d.dilation_height);
}

int64_t conv2d_out_width(const velu_conv2d_desc& d) {
    return window_count(d.in_width, d.kernel_width, d.stride_width, d.padding_width, d.dilation_width);
}

int64_t conv2d_out_pixels(const velu_conv2d_desc& d) {
    return d.batch * conv2d_out_height(d) * conv2d_out_width(d);
}

size_t conv2d_y_bytes(const velu_conv2d_desc& d) {
    return static_cast<size_t>(conv2d_out_pixels(d) * d.out_channels) * (d.dtype == VELU_DTYPE_BF16 ? 2 : 4);
}

Conv2dLayouts::Conv2dLayouts(const velu_conv2d_desc& d)
    : strides{d.stride_height, d.stride_width},
      dilates{d.dilation_height - 1, d.dilation_width - 1},
      padding{d.padding_height, d.padding_width} {
    const auto type = d.dtype == VELU_DTYPE_BF16 ? memory::data_type::bf16 : memory::data_type::f32;
    x = Layout({d.batch, d.in_channels, d.in_height, d.in_width}, type, memory::format_tag::nhwc);
    y = Layout({d.batch, d.out_channels, conv2d_out_height(d), conv2d_out_width(d)}, type, memory::format_tag::nhwc);
    weight = Layout(weight_dims(d), type, weight_strides(d));
    any_weight = Layout(weight_dims(d), type, memory::format_tag::any);
    bias = Layout({d.out_channels}, memory::data_type::f32, memory::format_tag::x);
}

memory::desc Conv2dLayouts::weight_f32() const {
    return {weight.get_dims(), memory::data_type::f32, weight.get_strides()};
}

const char* conv2d_refusal(const velu_conv2d_desc& d) {
    const auto axis_fits = [](int64_t in, int64_t kernel, int64_t padding, int64_t dilation) {
        return in + 2 * padding <= INT32_MAX && dilation * (kernel - 1) < INT32_MAX;
    };
    const bool fits = d.batch <= INT32_MAX && d.in_channels <= INT32_MAX && d.out_channels <= INT32_MAX &&
                      axis_fits(d.in_height, d.kernel_height, d.padding_height, d.dilation_height) &&
                      axis_fits(d.in_width, d.kernel_width, d.padding_width, d.dilation_width);
    return fits ? nullptr
                : "a size along one axis is above 2147483647, more than oneDNN's convolutions count; divide it";
}

bool has_empty_windows(const velu_conv2d_desc& d) {
    return has_empty_window(d.in_height, d.kernel_height, d.stride_height, d.padding_height, d.dilation_height) ||
           has_empty_window(d.in_width, d.kernel_width, d.stride_width, d.padding_width, d.dilation_width);
}

void avoid_empty_windows(const velu_conv2d_desc& d, dnnl::primitive_desc& desc) {
    const auto skip_while = [&desc](const auto& unwanted) {
        while (unwanted(desc.impl_info_str())) {
            if (!desc.next_impl()) throw dnnl::error(dnnl_unimplemented, "no other implementation");
        }
    };
    if (has_empty_windows(d)) {
        skip_while([](const char* name) { return std::strncmp(name, "ref", 3) != 0; });
    } else if (is_misread(d)) {
        skip_while([](const char* name) { return std::strncmp(name, "brg_conv_fwd", 12) == 0; });
    }
}

}  // namespace velu::cpu
