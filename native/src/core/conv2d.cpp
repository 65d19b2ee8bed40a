#include "core/call.h"
#include "core/shape.h"

#include <cinttypes>

using velu::BackendTable;
using velu::Call;
using velu::in_place;
using velu::input;
using velu::kFloat;
using velu::optional;
using velu::output;
using velu::window_count;

void velu::check_conv2d(Call& call, const velu_conv2d_desc& desc) {
    call.at_least("batch", desc.batch, 0);
    call.at_least("in_height", desc.in_height, 1);
    call.at_least("in_width", desc.in_width, 1);
    call.at_least("in_channels", desc.in_channels, 1);
    call.at_least("out_channels", desc.out_channels, 1);
    call.at_least("kernel_height", desc.kernel_height, 1);
    call.at_least("kernel_width", desc.kernel_width, 1);
    call.at_least("stride_height", desc.stride_height, 1);
    call.at_least("stride_width", desc.stride_width, 1);
    call.at_least("padding_height", desc.padding_height, 0);
    call.at_least("padding_width", desc.padding_width, 0);
    call.at_least("dilation_height", desc.dilation_height, 1);
    call.at_least("dilation_width", desc.dilation_width, 1);
    call.at_least("groups", desc.groups, 1);
    check_fused_activation(call, desc.activation);
    check_pitch(call, "y_pitch", desc.y_pitch, desc.out_channels);
    if (call.failed()) return;
    const auto divides = [&](const char* name, int64_t channels) {
        if (channels % desc.groups != 0) {
            call.fail(VELU_STATUS_INVALID_ARGUMENT, "groups %" PRId32 " does not divide %s %" PRId64, desc.groups, name,
                      channels);
        }
    };
    divides("in_channels", desc.in_channels);
    divides("out_channels", desc.out_channels);
    check_window(call, "height", desc.in_height, desc.kernel_height, desc.stride_height, desc.padding_height,
                 desc.dilation_height);
    check_window(call, "width", desc.in_width, desc.kernel_width, desc.stride_width, desc.padding_width,
                 desc.dilation_width);
}

namespace {

constexpr int64_t kPackedAlignment = 64;

/// Of a packed weight only the size that it has at least is known here: that of the plain one.
struct Bytes {
    int64_t x = 0;
    int64_t weight = 0;
    int64_t dweight = 0;
    int64_t bias = 0;
    int64_t y = 0;
    int64_t dense_y = 0;
};

Bytes check(Call& call, const velu_conv2d_desc& desc) {
    check_conv2d(call, desc);
    if (call.failed()) return {};
    const int64_t element = velu::dtype_size(desc.dtype);
    const int64_t out_height =
        window_count(desc.in_height, desc.kernel_height, desc.stride_height, desc.padding_height, desc.dilation_height);
    const int64_t out_width =
        window_count(desc.in_width, desc.kernel_width, desc.stride_width, desc.padding_width, desc.dilation_width);
    const std::initializer_list<int64_t> weight = {desc.out_channels, desc.kernel_height, desc.kernel_width,
                                                   desc.in_channels / desc.groups};
    Bytes bytes;
    bytes.x = call.bytes("x", {desc.batch, desc.in_height, desc.in_width, desc.in_channels}, element);
    bytes.weight = call.bytes("weight", weight, element);
    bytes.dweight = call.bytes("dweight", weight, kFloat);
    bytes.bias = call.bytes("bias", {desc.out_channels}, kFloat);
    bytes.dense_y = call.bytes("y", {desc.batch, out_height, out_width, desc.out_channels}, element);
    if (call.failed()) return {};
    bytes.y = call.pitched_bytes("y", desc.batch * out_height * out_width, desc.out_channels,
                                 desc.y_pitch == 0 ? desc.out_channels : desc.y_pitch, element);
    return bytes;
}

}  // namespace

velu_status velu_conv2d_prepare(velu_context* context, const velu_conv2d_desc* desc, int32_t pass) {
    Call call(context, "velu_conv2d_prepare");
    if (!call.begin(desc)) return call.status();
    check(call, *desc);
    call.range("pass", pass, VELU_PASS_FORWARD, VELU_PASS_BACKWARD_WEIGHTS);
    if (call.failed() || desc->batch == 0) return call.status();
    return call.run(&BackendTable::conv2d_prepare, desc, pass);
}

velu_status velu_conv2d_forward(velu_context* context, const velu_conv2d_desc* desc, const void* x, const void* weight,
                                const float* bias, void* y) {
    Call call(context, "velu_conv2d_forward");
    if (!call.begin(desc)) return call.status();
    const Bytes bytes = check(call, *desc);
    const int64_t align = velu::dtype_size(desc->dtype);
    if (call.failed() || desc->batch == 0) return call.status();
    call.buffers({input("x", x, bytes.x, align), input("weight", weight, bytes.weight, align),
                  optional(input("bias", bias, bytes.bias, kFloat)), output("y", y, bytes.y, align)});
    return call.run(&BackendTable::conv2d_forward, desc, x, weight, bias, y);
}

velu_status velu_conv2d_backward_data(velu_context* context, const velu_conv2d_desc* desc, const void* dy,
                                      const void* weight, void* dx) {
    Call call(context, "velu_conv2d_backward_data");
    if (!call.begin(desc)) return call.status();
    const Bytes bytes = check(call, *desc);
    const int64_t align = velu::dtype_size(desc->dtype);
    if (call.failed() || desc->batch == 0) return call.status();
    call.buffers({input("dy", dy, bytes.y, align), input("weight", weight, bytes.weight, align),
                  output("dx", dx, bytes.x, align)});
    return call.run(&BackendTable::conv2d_backward_data, desc, dy, weight, dx);
}

velu_status velu_conv2d_backward_weights(velu_context* context, const velu_conv2d_desc* desc, const void* x,
                                         const void* dy, float* dweight, float* dbias) {
    Call call(context, "velu_conv2d_backward_weights");
    if (!call.begin(desc)) return call.status();
    const Bytes bytes = check(call, *desc);
    const int64_t align = velu::dtype_size(desc->dtype);
    if (call.failed()) return call.status();
    const velu::Buffer weights = output("dweight", dweight, bytes.dweight, kFloat);
    const velu::Buffer biases = optional(output("dbias", dbias, bytes.bias, kFloat));
    if (desc->batch == 0) {
        call.buffers({weights, biases});
        call.run(&BackendTable::memory_set, dweight, 0, bytes.dweight);
        return dbias == nullptr ? call.status() : call.run(&BackendTable::memory_set, dbias, 0, bytes.bias);
    }
    call.buffers({input("x", x, bytes.x, align), input("dy", dy, bytes.y, align), weights, biases});
    return call.run(&BackendTable::conv2d_backward_weights, desc, x, dy, dweight, dbias);
}

velu_status velu_conv2d_packed_bytes(velu_context* context, const velu_conv2d_desc* desc, int64_t* bytes) {
    Call call(context, "velu_conv2d_packed_bytes");
    if (!call.begin(desc)) return call.status();
    check(call, *desc);
    call.buffers({output("bytes", bytes, sizeof(int64_t), alignof(int64_t))});
    if (call.failed()) return call.status();
    *bytes = 0;
    if (desc->batch == 0) return call.status();
    return call.run(&BackendTable::conv2d_packed_bytes, desc, bytes);
}

velu_status velu_conv2d_packed_prepare(velu_context* context, const velu_conv2d_desc* desc, int32_t has_residual) {
    Call call(context, "velu_conv2d_packed_prepare");
    if (!call.begin(desc)) return call.status();
    check(call, *desc);
    call.range("has_residual", has_residual, 0, 1);
    if (call.failed() || desc->batch == 0) return call.status();
    return call.run(&BackendTable::conv2d_packed_prepare, desc, has_residual);
}

velu_status velu_conv2d_pack(velu_context* context, const velu_conv2d_desc* desc, const float* weight,
                             const float* bias, const float* scale, const float* shift, void* packed,
                             float* packed_bias) {
    Call call(context, "velu_conv2d_pack");
    if (!call.begin(desc)) return call.status();
    const Bytes bytes = check(call, *desc);
    if (call.failed() || desc->batch == 0) return call.status();
    call.buffers({input("weight", weight, bytes.dweight, kFloat), optional(input("bias", bias, bytes.bias, kFloat)),
                  optional(input("scale", scale, bytes.bias, kFloat)),
                  optional(input("shift", shift, bytes.bias, kFloat)),
                  output("packed", packed, bytes.weight, kPackedAlignment),
                  output("packed_bias", packed_bias, bytes.bias, kFloat)});
    return call.run(&BackendTable::conv2d_pack, desc, weight, bias, scale, shift, packed, packed_bias);
}

velu_status velu_conv2d_packed_forward(velu_context* context, const velu_conv2d_desc* desc, const void* x,
                                       const void* packed, const float* packed_bias, const void* residual, void* y) {
    Call call(context, "velu_conv2d_packed_forward");
    if (!call.begin(desc)) return call.status();
    const Bytes bytes = check(call, *desc);
    const int64_t align = velu::dtype_size(desc->dtype);
    if (call.failed() || desc->batch == 0) return call.status();
    call.buffers({input("x", x, bytes.x, align), input("packed", packed, bytes.weight, kPackedAlignment),
                  input("packed_bias", packed_bias, bytes.bias, kFloat),
                  optional(input("residual", residual, bytes.dense_y, align)),
                  in_place("y", y, bytes.y, align, "residual")});
    return call.run(&BackendTable::conv2d_packed_forward, desc, x, packed, packed_bias, residual, y);
}
