#include "core/call.h"

#include <cinttypes>

using velu::BackendTable;
using velu::Call;
using velu::in_place;
using velu::input;

namespace {

int64_t check(Call& call, const velu_activation_desc& desc) {
    call.at_least("count", desc.count, 0);
    if ((desc.activation < VELU_ACTIVATION_RELU || desc.activation > VELU_ACTIVATION_GELU) &&
        desc.activation != VELU_ACTIVATION_SIGMOID) {
        call.fail(VELU_STATUS_INVALID_ARGUMENT,
                  "activation is %" PRId32
                  "; it must be VELU_ACTIVATION_RELU, _RELU6, "
                  "_SILU, _GELU or _SIGMOID (VeLU has functions of its own)",
                  desc.activation);
    }
    return call.bytes("x", {desc.count}, velu::dtype_size(desc.dtype));
}

}  // namespace

velu_status velu_activation_forward(velu_context* context, const velu_activation_desc* desc, const void* x, void* y) {
    Call call(context, "velu_activation_forward");
    if (!call.begin(desc)) return call.status();
    const int64_t bytes = check(call, *desc);
    const int64_t align = velu::dtype_size(desc->dtype);
    if (call.failed() || desc->count == 0) return call.status();
    call.buffers({input("x", x, bytes, align), in_place("y", y, bytes, align, "x")});
    return call.run(&BackendTable::activation_forward, desc, x, y);
}

velu_status velu_activation_backward(velu_context* context, const velu_activation_desc* desc, const void* x,
                                     const void* dy, void* dx) {
    Call call(context, "velu_activation_backward");
    if (!call.begin(desc)) return call.status();
    const int64_t bytes = check(call, *desc);
    const int64_t align = velu::dtype_size(desc->dtype);
    if (call.failed() || desc->count == 0) return call.status();
    call.buffers({input("x", x, bytes, align), input("dy", dy, bytes, align), in_place("dx", dx, bytes, align, "dy")});
    return call.run(&BackendTable::activation_backward, desc, x, dy, dx);
}
