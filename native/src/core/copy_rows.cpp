#include "core/call.h"

using velu::BackendTable;
using velu::Call;
using velu::input;
using velu::output;

velu_status velu_copy_rows_forward(velu_context* context, const velu_copy_rows_desc* desc, const void* x, void* y) {
    Call call(context, "velu_copy_rows_forward");
    if (!call.begin_conversion(desc)) return call.status();
    call.at_least("rows", desc->rows, 0);
    call.at_least("channels", desc->channels, 1);
    call.at_least("x_pitch", desc->x_pitch, desc->channels);
    call.at_least("y_pitch", desc->y_pitch, desc->channels);
    call.range("zero_rest", desc->zero_rest, 0, 1);
    if (call.failed()) return call.status();
    const int64_t element = velu::dtype_size(desc->dtype);
    const int64_t x_bytes = call.pitched_bytes("x", desc->rows, desc->channels, desc->x_pitch, element);
    const int64_t y_row = desc->zero_rest == 1 ? desc->y_pitch : desc->channels;
    const int64_t y_bytes = call.pitched_bytes("y", desc->rows, y_row, desc->y_pitch, element);
    if (call.failed() || desc->rows == 0) return call.status();
    call.buffers({input("x", x, x_bytes, element), output("y", y, y_bytes, element)});
    return call.run(&BackendTable::copy_rows_forward, desc, x, y);
}
