#include "core/call.h"

#include <cinttypes>

using velu::BackendTable;
using velu::Call;
using velu::input;
using velu::kFloat;
using velu::optional;
using velu::output;

void velu::check_linear(Call& call, const velu_linear_desc& desc) {
    call.at_least("rows", desc.rows, 0);
    call.at_least("in_features", desc.in_features, 1);
    call.at_least("out_features", desc.out_features, 1);
    check_fused_activation(call, desc.activation);
}

void velu::check_fused_activation(Call& call, int32_t activation) {
    if ((activation < VELU_ACTIVATION_IDENTITY || activation > VELU_ACTIVATION_GELU) &&
        activation != VELU_ACTIVATION_SIGMOID) {
        call.fail(VELU_STATUS_INVALID_ARGUMENT,
                  "activation is %" PRId32
                  "; it must be VELU_ACTIVATION_IDENTITY, _RELU, _RELU6, _SILU, _GELU or _SIGMOID",
                  activation);
    }
}

namespace {

struct Bytes {
    int64_t x = 0;
    int64_t weight = 0;
    int64_t dweight = 0;
    int64_t bias = 0;
    int64_t y = 0;
};

Bytes check(Call& call, const velu_linear_desc& desc) {
    check_linear(call, desc);
    const int64_t element = velu::dtype_size(desc.dtype);
    Bytes bytes;
    bytes.x = call.bytes("x", {desc.rows, desc.in_features}, element);
    bytes.weight = call.bytes("weight", {desc.out_features, desc.in_features}, element);
    bytes.dweight = call.bytes("dweight", {desc.out_features, desc.in_features}, kFloat);
    bytes.bias = call.bytes("bias", {desc.out_features}, kFloat);
    bytes.y = call.bytes("y", {desc.rows, desc.out_features}, element);
    return bytes;
}

}  // namespace

velu_status velu_linear_prepare(velu_context* context, const velu_linear_desc* desc, int32_t pass) {
    Call call(context, "velu_linear_prepare");
    if (!call.begin(desc)) return call.status();
    check(call, *desc);
    call.range("pass", pass, VELU_PASS_FORWARD, VELU_PASS_BACKWARD_WEIGHTS);
    if (call.failed() || desc->rows == 0) return call.status();
    return call.run(&BackendTable::linear_prepare, desc, pass);
}

velu_status velu_linear_forward(velu_context* context, const velu_linear_desc* desc, const void* x, const void* weight,
                                const float* bias, void* y) {
    Call call(context, "velu_linear_forward");
    if (!call.begin(desc)) return call.status();
    const Bytes bytes = check(call, *desc);
    const int64_t align = velu::dtype_size(desc->dtype);
    if (call.failed() || desc->rows == 0) return call.status();
    call.buffers({input("x", x, bytes.x, align), input("weight", weight, bytes.weight, align),
                  optional(input("bias", bias, bytes.bias, kFloat)), output("y", y, bytes.y, align)});
    return call.run(&BackendTable::linear_forward, desc, x, weight, bias, y);
}

velu_status velu_linear_backward_data(velu_context* context, const velu_linear_desc* desc, const void* dy,
                                      const void* weight, void* dx) {
    Call call(context, "velu_linear_backward_data");
    if (!call.begin(desc)) return call.status();
    const Bytes bytes = check(call, *desc);
    const int64_t align = velu::dtype_size(desc->dtype);
    if (call.failed() || desc->rows == 0) return call.status();
    call.buffers({input("dy", dy, bytes.y, align), input("weight", weight, bytes.weight, align),
                  output("dx", dx, bytes.x, align)});
    return call.run(&BackendTable::linear_backward_data, desc, dy, weight, dx);
}

velu_status velu_linear_backward_weights(velu_context* context, const velu_linear_desc* desc, const void* x,
                                         const void* dy, float* dweight, float* dbias) {
    Call call(context, "velu_linear_backward_weights");
    if (!call.begin(desc)) return call.status();
    const Bytes bytes = check(call, *desc);
    const int64_t align = velu::dtype_size(desc->dtype);
    if (call.failed()) return call.status();
    const velu::Buffer weights = output("dweight", dweight, bytes.dweight, kFloat);
    const velu::Buffer biases = optional(output("dbias", dbias, bytes.bias, kFloat));
    if (desc->rows == 0) {
        call.buffers({weights, biases});
        call.run(&BackendTable::memory_set, dweight, 0, bytes.dweight);
        return dbias == nullptr ? call.status() : call.run(&BackendTable::memory_set, dbias, 0, bytes.bias);
    }
    call.buffers({input("x", x, bytes.x, align), input("dy", dy, bytes.y, align), weights, biases});
    return call.run(&BackendTable::linear_backward_weights, desc, x, dy, dweight, dbias);
}
