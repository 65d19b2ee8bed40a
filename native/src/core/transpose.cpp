#include "core/call.h"

using velu::BackendTable;
using velu::Call;
using velu::input;
using velu::output;

velu_status velu_transpose_forward(velu_context* context, const velu_transpose_desc* desc, const void* x, void* y) {
    Call call(context, "velu_transpose_forward");
    if (!call.begin_conversion(desc)) return call.status();
    call.at_least("batch", desc->batch, 0);
    call.at_least("rows", desc->rows, 0);
    call.at_least("columns", desc->columns, 0);
    const int64_t element = velu::dtype_size(desc->dtype);
    const int64_t bytes = call.bytes("x", {desc->batch, desc->rows, desc->columns}, element);
    if (call.failed() || bytes == 0) return call.status();
    call.buffers({input("x", x, bytes, element), output("y", y, bytes, element)});
    return call.run(&BackendTable::transpose_forward, desc, x, y);
}
