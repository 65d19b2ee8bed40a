#include "core/call.h"

using velu::BackendTable;
using velu::Call;
using velu::input;
using velu::optional;
using velu::output;

velu_status velu_normalize_image_forward(velu_context* context, const velu_normalize_image_desc* desc, const uint8_t* x,
                                         const int32_t* placement, void* y) {
    Call call(context, "velu_normalize_image_forward");
    if (!call.begin(desc)) return call.status();
    call.at_least("batch", desc->batch, 0);
    call.at_least("height", desc->height, 0);
    call.at_least("width", desc->width, 0);
    call.at_least("out_height", desc->out_height, 0);
    call.at_least("out_width", desc->out_width, 0);
    call.range("channels", desc->channels, 1, 4);
    if (call.failed()) return call.status();
    for (int64_t c = 0; c < desc->channels; ++c) {
        call.finite("mean", desc->mean[c]);
        call.positive("std", desc->std[c]);
    }
    const int64_t align = velu::dtype_size(desc->dtype);
    const int64_t x_bytes = call.bytes("x", {desc->batch, desc->height, desc->width, desc->channels}, 1);
    const int64_t y_bytes = call.bytes("y", {desc->batch, desc->out_height, desc->out_width, desc->channels}, align);
    const int64_t placement_bytes = call.bytes("placement", {desc->batch, 3}, sizeof(int32_t));
    if (call.failed() || y_bytes == 0) return call.status();
    const velu::Buffer images = input("x", x, x_bytes, 1);
    call.buffers({x_bytes == 0 ? optional(images) : images,
                  optional(input("placement", placement, placement_bytes, alignof(int32_t))),
                  output("y", y, y_bytes, align)});
    return call.run(&BackendTable::normalize_image_forward, desc, x, placement, y);
}
