#include "core/call.h"

using velu::BackendTable;
using velu::Call;
using velu::in_place;
using velu::input;
using velu::output;

namespace {

struct Bytes {
    int64_t x = 0;
    int64_t scale = 0;
};

Bytes check(Call& call, const velu_channel_scale_desc& desc) {
    call.at_least("batch", desc.batch, 0);
    call.at_least("pixels", desc.pixels, 1);
    call.at_least("channels", desc.channels, 1);
    const int64_t element = velu::dtype_size(desc.dtype);
    return {call.bytes("x", {desc.batch, desc.pixels, desc.channels}, element),
            call.bytes("scale", {desc.batch, desc.channels}, element)};
}

}  // namespace

velu_status velu_channel_scale_forward(velu_context* context, const velu_channel_scale_desc* desc, const void* x,
                                       const void* scale, void* y) {
    Call call(context, "velu_channel_scale_forward");
    if (!call.begin(desc)) return call.status();
    const Bytes bytes = check(call, *desc);
    const int64_t align = velu::dtype_size(desc->dtype);
    if (call.failed() || desc->batch == 0) return call.status();
    call.buffers({input("x", x, bytes.x, align), input("scale", scale, bytes.scale, align),
                  in_place("y", y, bytes.x, align, "x")});
    return call.run(&BackendTable::channel_scale_forward, desc, x, scale, y);
}

velu_status velu_channel_scale_backward(velu_context* context, const velu_channel_scale_desc* desc, const void* x,
                                        const void* scale, const void* dy, void* dx, void* dscale) {
    Call call(context, "velu_channel_scale_backward");
    if (!call.begin(desc)) return call.status();
    const Bytes bytes = check(call, *desc);
    const int64_t align = velu::dtype_size(desc->dtype);
    if (call.failed() || desc->batch == 0) return call.status();
    call.buffers({input("x", x, bytes.x, align), input("scale", scale, bytes.scale, align),
                  input("dy", dy, bytes.x, align), in_place("dx", dx, bytes.x, align, "dy"),
                  output("dscale", dscale, bytes.scale, align)});
    return call.run(&BackendTable::channel_scale_backward, desc, x, scale, dy, dx, dscale);
}
