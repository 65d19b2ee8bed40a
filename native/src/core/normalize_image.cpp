#include "core/call.h"

using velu::BackendTable;
using velu::Call;
using velu::input;
using velu::output;

velu_status velu_normalize_image_forward(velu_context* context, const velu_normalize_image_desc* desc, const uint8_t* x,
                                         void* y) {
    Call call(context, "velu_normalize_image_forward");
    if (!call.begin(desc)) return call.status();
    call.at_least("batch", desc->batch, 0);
    call.at_least("height", desc->height, 0);
    call.at_least("width", desc->width, 0);
    call.range("channels", desc->channels, 1, 4);
    if (call.failed()) return call.status();
    for (int64_t c = 0; c < desc->channels; ++c) {
        call.finite("mean", desc->mean[c]);
        call.positive("std", desc->std[c]);
    }
    const int64_t align = velu::dtype_size(desc->dtype);
    const int64_t x_bytes = call.bytes("x", {desc->batch, desc->height, desc->width, desc->channels}, 1);
    const int64_t y_bytes = call.bytes("y", {desc->batch, desc->height, desc->width, desc->channels}, align);
    if (call.failed() || y_bytes == 0) return call.status();
    call.buffers({input("x", x, x_bytes, 1), output("y", y, y_bytes, align)});
    return call.run(&BackendTable::normalize_image_forward, desc, x, y);
}
