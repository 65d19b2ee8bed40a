#include "core/call.h"

using velu::BackendTable;
using velu::Call;
using velu::input;
using velu::output;

velu_status velu_cast_forward(velu_context* context, const velu_cast_desc* desc, const void* x, void* y) {
    Call call(context, "velu_cast_forward");
    if (!call.begin_conversion(desc)) return call.status();
    call.dtype("source_dtype", desc->source_dtype);
    const int64_t from = velu::dtype_size(desc->source_dtype);
    const int64_t to = velu::dtype_size(desc->dtype);
    call.at_least("count", desc->count, 0);
    const int64_t x_bytes = call.bytes("x", {desc->count}, from);
    const int64_t y_bytes = call.bytes("y", {desc->count}, to);
    if (call.failed() || desc->count == 0) return call.status();
    call.buffers({input("x", x, x_bytes, from), output("y", y, y_bytes, to)});
    return call.run(&BackendTable::cast_forward, desc, x, y);
}
