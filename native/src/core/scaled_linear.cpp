#include "core/call.h"

using velu::BackendTable;
using velu::Call;
using velu::input;
using velu::kFloat;
using velu::output;

namespace {

struct Bytes {
    int64_t x = 0;
    int64_t scale = 0;
    int64_t weight = 0;
    int64_t dweight = 0;
    int64_t y = 0;
};

Bytes check(Call& call, const velu_scaled_linear_desc& desc) {
    call.at_least("batch", desc.batch, 0);
    call.at_least("pixels", desc.pixels, 1);
    call.at_least("in_features", desc.in_features, 1);
    call.at_least("out_features", desc.out_features, 1);
    const int64_t element = velu::dtype_size(desc.dtype);
    Bytes bytes;
    bytes.x = call.bytes("x", {desc.batch, desc.pixels, desc.in_features}, element);
    bytes.scale = call.bytes("scale", {desc.batch, desc.in_features}, element);
    bytes.weight = call.bytes("weight", {desc.out_features, desc.in_features}, element);
    bytes.dweight = call.bytes("dweight", {desc.out_features, desc.in_features}, kFloat);
    bytes.y = call.bytes("y", {desc.batch, desc.pixels, desc.out_features}, element);
    return bytes;
}

}  // namespace

void velu::check_scaled_linear(Call& call, const velu_scaled_linear_desc& desc) {
    check(call, desc);
}

velu_status velu_scaled_linear_prepare(velu_context* context, const velu_scaled_linear_desc* desc, int32_t pass) {
    Call call(context, "velu_scaled_linear_prepare");
    if (!call.begin(desc)) return call.status();
    check(call, *desc);
    call.range("pass", pass, VELU_PASS_FORWARD, VELU_PASS_BACKWARD_WEIGHTS);
    if (call.failed() || desc->batch == 0) return call.status();
    return call.run(&BackendTable::scaled_linear_prepare, desc, pass);
}

velu_status velu_scaled_linear_forward(velu_context* context, const velu_scaled_linear_desc* desc, const void* x,
                                       const void* scale, const void* weight, void* y) {
    Call call(context, "velu_scaled_linear_forward");
    if (!call.begin(desc)) return call.status();
    const Bytes bytes = check(call, *desc);
    const int64_t align = velu::dtype_size(desc->dtype);
    if (call.failed() || desc->batch == 0) return call.status();
    call.buffers({input("x", x, bytes.x, align), input("scale", scale, bytes.scale, align),
                  input("weight", weight, bytes.weight, align), output("y", y, bytes.y, align)});
    return call.run(&BackendTable::scaled_linear_forward, desc, x, scale, weight, y);
}

velu_status velu_scaled_linear_backward_data(velu_context* context, const velu_scaled_linear_desc* desc, const void* x,
                                             const void* scale, const void* dy, const void* weight, void* dx,
                                             void* dscale) {
    Call call(context, "velu_scaled_linear_backward_data");
    if (!call.begin(desc)) return call.status();
    const Bytes bytes = check(call, *desc);
    const int64_t align = velu::dtype_size(desc->dtype);
    if (call.failed() || desc->batch == 0) return call.status();
    call.buffers({input("x", x, bytes.x, align), input("scale", scale, bytes.scale, align),
                  input("dy", dy, bytes.y, align), input("weight", weight, bytes.weight, align),
                  output("dx", dx, bytes.x, align), output("dscale", dscale, bytes.scale, align)});
    return call.run(&BackendTable::scaled_linear_backward_data, desc, x, scale, dy, weight, dx, dscale);
}

velu_status velu_scaled_linear_backward_weights(velu_context* context, const velu_scaled_linear_desc* desc,
                                                const void* x, const void* scale, const void* dy, float* dweight) {
    Call call(context, "velu_scaled_linear_backward_weights");
    if (!call.begin(desc)) return call.status();
    const Bytes bytes = check(call, *desc);
    const int64_t align = velu::dtype_size(desc->dtype);
    if (call.failed()) return call.status();
    const velu::Buffer weights = output("dweight", dweight, bytes.dweight, kFloat);
    if (desc->batch == 0) {
        call.buffers({weights});
        return call.run(&BackendTable::memory_set, dweight, 0, bytes.dweight);
    }
    call.buffers({input("x", x, bytes.x, align), input("scale", scale, bytes.scale, align),
                  input("dy", dy, bytes.y, align), weights});
    return call.run(&BackendTable::scaled_linear_backward_weights, desc, x, scale, dy, dweight);
}
