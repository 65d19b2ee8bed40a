#include "core/call.h"

#include <cinttypes>

using velu::BackendTable;
using velu::Call;
using velu::in_place;
using velu::input;

namespace {

int64_t check(Call& call, const velu_dropout_desc& desc) {
    call.at_least("count", desc.count, 0);
    call.half_open("probability", desc.probability, 0, 1);
    call.at_least("group", desc.group, 1);
    if (!call.failed() && desc.count % desc.group != 0) {
        call.fail(VELU_STATUS_INVALID_ARGUMENT, "group %" PRId64 " does not divide count %" PRId64, desc.group,
                  desc.count);
    }
    return call.bytes("x", {desc.count}, velu::dtype_size(desc.dtype));
}

}  // namespace

velu_status velu_dropout_forward(velu_context* context, const velu_dropout_desc* desc, const int64_t* step,
                                 const void* x, void* y) {
    Call call(context, "velu_dropout_forward");
    if (!call.begin(desc)) return call.status();
    const int64_t bytes = check(call, *desc);
    const int64_t align = velu::dtype_size(desc->dtype);
    if (call.failed() || desc->count == 0) return call.status();
    call.buffers({input("step", step, sizeof *step, alignof(int64_t)), input("x", x, bytes, align),
                  in_place("y", y, bytes, align, "x")});
    return call.run(&BackendTable::dropout_forward, desc, step, x, y);
}

velu_status velu_dropout_backward(velu_context* context, const velu_dropout_desc* desc, const int64_t* step,
                                  const void* dy, void* dx) {
    Call call(context, "velu_dropout_backward");
    if (!call.begin(desc)) return call.status();
    const int64_t bytes = check(call, *desc);
    const int64_t align = velu::dtype_size(desc->dtype);
    if (call.failed() || desc->count == 0) return call.status();
    call.buffers({input("step", step, sizeof *step, alignof(int64_t)), input("dy", dy, bytes, align),
                  in_place("dx", dx, bytes, align, "dy")});
    return call.run(&BackendTable::dropout_backward, desc, step, dy, dx);
}
