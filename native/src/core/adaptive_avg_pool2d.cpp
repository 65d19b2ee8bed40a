#include "core/call.h"

using velu::BackendTable;
using velu::Call;
using velu::input;
using velu::output;

namespace {

struct Bytes {
    int64_t x = 0;
    int64_t y = 0;
};

Bytes check(Call& call, const velu_adaptive_avg_pool2d_desc& desc) {
    call.at_least("batch", desc.batch, 0);
    call.at_least("in_height", desc.in_height, 1);
    call.at_least("in_width", desc.in_width, 1);
    call.at_least("channels", desc.channels, 1);
    call.at_least("out_height", desc.out_height, 1);
    call.at_least("out_width", desc.out_width, 1);
    const int64_t element = velu::dtype_size(desc.dtype);
    // A side above 2^31 would overflow the windows' bounds, which are products of an input and an output size.
    for (const int64_t size : {desc.in_height, desc.in_width, desc.out_height, desc.out_width}) {
        call.range("a side of the images", size, 1, INT32_MAX);
    }
    return {call.bytes("x", {desc.batch, desc.in_height, desc.in_width, desc.channels}, element),
            call.bytes("y", {desc.batch, desc.out_height, desc.out_width, desc.channels}, element)};
}

}  // namespace

velu_status velu_adaptive_avg_pool2d_forward(velu_context* context, const velu_adaptive_avg_pool2d_desc* desc,
                                             const void* x, void* y) {
    Call call(context, "velu_adaptive_avg_pool2d_forward");
    if (!call.begin(desc)) return call.status();
    const Bytes bytes = check(call, *desc);
    const int64_t align = velu::dtype_size(desc->dtype);
    if (call.failed() || desc->batch == 0) return call.status();
    call.buffers({input("x", x, bytes.x, align), output("y", y, bytes.y, align)});
    return call.run(&BackendTable::adaptive_avg_pool2d_forward, desc, x, y);
}

velu_status velu_adaptive_avg_pool2d_backward(velu_context* context, const velu_adaptive_avg_pool2d_desc* desc,
                                              const void* dy, void* dx) {
    Call call(context, "velu_adaptive_avg_pool2d_backward");
    if (!call.begin(desc)) return call.status();
    const Bytes bytes = check(call, *desc);
    const int64_t align = velu::dtype_size(desc->dtype);
    if (call.failed() || desc->batch == 0) return call.status();
    call.buffers({input("dy", dy, bytes.y, align), output("dx", dx, bytes.x, align)});
    return call.run(&BackendTable::adaptive_avg_pool2d_backward, desc, dy, dx);
}
