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

Bytes check(Call& call, const velu_global_avg_pool_desc& desc) {
    call.at_least("batch", desc.batch, 0);
    call.at_least("pixels", desc.pixels, 1);
    call.at_least("channels", desc.channels, 1);
    const int64_t element = velu::dtype_size(desc.dtype);
    return {call.bytes("x", {desc.batch, desc.pixels, desc.channels}, element),
            call.bytes("y", {desc.batch, desc.channels}, element)};
}

}  // namespace

velu_status velu_global_avg_pool_forward(velu_context* context, const velu_global_avg_pool_desc* desc, const void* x,
                                         void* y) {
    Call call(context, "velu_global_avg_pool_forward");
    if (!call.begin(desc)) return call.status();
    const Bytes bytes = check(call, *desc);
    const int64_t align = velu::dtype_size(desc->dtype);
    if (call.failed() || desc->batch == 0) return call.status();
    call.buffers({input("x", x, bytes.x, align), output("y", y, bytes.y, align)});
    return call.run(&BackendTable::global_avg_pool_forward, desc, x, y);
}

velu_status velu_global_avg_pool_backward(velu_context* context, const velu_global_avg_pool_desc* desc, const void* dy,
                                          void* dx) {
    Call call(context, "velu_global_avg_pool_backward");
    if (!call.begin(desc)) return call.status();
    const Bytes bytes = check(call, *desc);
    const int64_t align = velu::dtype_size(desc->dtype);
    if (call.failed() || desc->batch == 0) return call.status();
    call.buffers({input("dy", dy, bytes.y, align), output("dx", dx, bytes.x, align)});
    return call.run(&BackendTable::global_avg_pool_backward, desc, dy, dx);
}
