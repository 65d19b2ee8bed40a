// Maximum and average pooling.
#include "core/call.h"
#include "core/shape.h"

#include <cinttypes>

using velu::BackendTable;
using velu::Call;
using velu::input;
using velu::optional;
using velu::output;
using velu::window_count;

namespace {

struct Bytes {
    int64_t x = 0;
    int64_t y = 0;
    int64_t argmax = 0;
};

void check_padding(Call& call, const char* axis, int32_t kernel, int32_t padding) {
    if (padding < 0 || padding > kernel / 2) {
        call.fail(VELU_STATUS_INVALID_ARGUMENT,
                  "padding_%s is %" PRId32 "; it must be 0 to %" PRId32 ", half of kernel_%s %" PRId32, axis, padding,
                  kernel / 2, axis, kernel);
    }
}

Bytes check(Call& call, const velu_pool2d_desc& desc, bool max) {
    call.at_least("batch", desc.batch, 0);
    call.at_least("in_height", desc.in_height, 1);
    call.at_least("in_width", desc.in_width, 1);
    call.at_least("channels", desc.channels, 1);
    call.at_least("kernel_height", desc.kernel_height, 1);
    call.at_least("kernel_width", desc.kernel_width, 1);
    call.at_least("stride_height", desc.stride_height, 1);
    call.at_least("stride_width", desc.stride_width, 1);
    check_padding(call, "height", desc.kernel_height, desc.padding_height);
    check_padding(call, "width", desc.kernel_width, desc.padding_width);
    if (max && !call.failed() && int64_t{desc.kernel_height} * desc.kernel_width > 255) {
        call.fail(VELU_STATUS_INVALID_ARGUMENT,
                  "a window of %" PRId32 " x %" PRId32 " has %" PRId64 " positions; maximum pooling takes at most 255",
                  desc.kernel_height, desc.kernel_width, int64_t{desc.kernel_height} * desc.kernel_width);
    }
    if (!max) call.range("count_include_pad", desc.count_include_pad, 0, 1);
    check_window(call, "height", desc.in_height, desc.kernel_height, desc.stride_height, desc.padding_height, 1);
    check_window(call, "width", desc.in_width, desc.kernel_width, desc.stride_width, desc.padding_width, 1);
    if (call.failed()) return {};
    const int64_t out_height =
        window_count(desc.in_height, desc.kernel_height, desc.stride_height, desc.padding_height, 1);
    const int64_t out_width = window_count(desc.in_width, desc.kernel_width, desc.stride_width, desc.padding_width, 1);
    const int64_t element = velu::dtype_size(desc.dtype);
    const int64_t y_pitch = velu::check_pitch(call, "y_pitch", desc.y_pitch, desc.channels);
    call.bytes("y", {desc.batch, out_height, out_width, desc.channels}, element);
    if (call.failed()) return {};
    return {call.bytes("x", {desc.batch, desc.in_height, desc.in_width, desc.channels}, element),
            call.pitched_bytes("y", desc.batch * out_height * out_width, desc.channels, y_pitch, element),
            call.bytes("argmax", {desc.batch, out_height, out_width, desc.channels}, 1)};
}

}  // namespace

velu_status velu_max_pool2d_forward(velu_context* context, const velu_pool2d_desc* desc, const void* x, void* y,
                                    uint8_t* argmax) {
    Call call(context, "velu_max_pool2d_forward");
    if (!call.begin(desc)) return call.status();
    const Bytes bytes = check(call, *desc, true);
    const int64_t align = velu::dtype_size(desc->dtype);
    if (call.failed() || desc->batch == 0) return call.status();
    call.buffers({input("x", x, bytes.x, align), output("y", y, bytes.y, align),
                  optional(output("argmax", argmax, bytes.argmax, 1))});
    return call.run(&BackendTable::max_pool2d_forward, desc, x, y, argmax);
}

velu_status velu_max_pool2d_backward(velu_context* context, const velu_pool2d_desc* desc, const void* dy,
                                     const uint8_t* argmax, void* dx) {
    Call call(context, "velu_max_pool2d_backward");
    if (!call.begin(desc)) return call.status();
    const Bytes bytes = check(call, *desc, true);
    const int64_t align = velu::dtype_size(desc->dtype);
    if (call.failed() || desc->batch == 0) return call.status();
    call.buffers(
        {input("dy", dy, bytes.y, align), input("argmax", argmax, bytes.argmax, 1), output("dx", dx, bytes.x, align)});
    return call.run(&BackendTable::max_pool2d_backward, desc, dy, argmax, dx);
}

velu_status velu_avg_pool2d_forward(velu_context* context, const velu_pool2d_desc* desc, const void* x, void* y) {
    Call call(context, "velu_avg_pool2d_forward");
    if (!call.begin(desc)) return call.status();
    const Bytes bytes = check(call, *desc, false);
    const int64_t align = velu::dtype_size(desc->dtype);
    if (call.failed() || desc->batch == 0) return call.status();
    call.buffers({input("x", x, bytes.x, align), output("y", y, bytes.y, align)});
    return call.run(&BackendTable::avg_pool2d_forward, desc, x, y);
}

velu_status velu_avg_pool2d_backward(velu_context* context, const velu_pool2d_desc* desc, const void* dy, void* dx) {
    Call call(context, "velu_avg_pool2d_backward");
    if (!call.begin(desc)) return call.status();
    const Bytes bytes = check(call, *desc, false);
    const int64_t align = velu::dtype_size(desc->dtype);
    if (call.failed() || desc->batch == 0) return call.status();
    call.buffers({input("dy", dy, bytes.y, align), output("dx", dx, bytes.x, align)});
    return call.run(&BackendTable::avg_pool2d_backward, desc, dy, dx);
}
