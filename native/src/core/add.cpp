#include "core/call.h"

using velu::BackendTable;
using velu::Call;
using velu::in_place;
using velu::input;

velu_status velu_add_forward(velu_context* context, const velu_add_desc* desc, const void* a, const void* b, void* y) {
    Call call(context, "velu_add_forward");
    if (!call.begin(desc)) return call.status();
    call.at_least("count", desc->count, 0);
    const int64_t align = velu::dtype_size(desc->dtype);
    const int64_t bytes = call.bytes("y", {desc->count}, align);
    if (call.failed() || desc->count == 0) return call.status();
    call.buffers({input("a", a, bytes, align), input("b", b, bytes, align), in_place("y", y, bytes, align, "a", "b")});
    return call.run(&BackendTable::add_forward, desc, a, b, y);
}
