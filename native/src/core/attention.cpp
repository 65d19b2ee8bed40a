#include "core/call.h"

using velu::BackendTable;
using velu::Call;
using velu::input;
using velu::kFloat;
using velu::optional;
using velu::output;

namespace {

struct Bytes {
    int64_t qkv = 0;
    int64_t y = 0;
    int64_t log_sum_exp = 0;
};

Bytes check(Call& call, const velu_attention_desc& desc) {
    call.at_least("batch", desc.batch, 0);
    call.at_least("tokens", desc.tokens, 1);
    call.at_least("heads", desc.heads, 1);
    call.at_least("head_size", desc.head_size, 1);
    call.finite("scale", desc.scale);
    const int64_t element = velu::dtype_size(desc.dtype);
    return {call.bytes("qkv", {desc.batch, desc.tokens, 3, desc.heads, desc.head_size}, element),
            call.bytes("y", {desc.batch, desc.tokens, desc.heads, desc.head_size}, element),
            call.bytes("log_sum_exp", {desc.batch, desc.heads, desc.tokens}, kFloat)};
}

}  // namespace

velu_status velu_attention_prepare(velu_context* context, const velu_attention_desc* desc, int32_t pass) {
    Call call(context, "velu_attention_prepare");
    if (!call.begin(desc)) return call.status();
    check(call, *desc);
    call.range("pass", pass, VELU_PASS_FORWARD, VELU_PASS_BACKWARD_DATA);
    if (call.failed() || desc->batch == 0) return call.status();
    return call.run(&BackendTable::attention_prepare, desc, pass);
}

velu_status velu_attention_forward(velu_context* context, const velu_attention_desc* desc, const void* qkv, void* y,
                                   float* log_sum_exp) {
    Call call(context, "velu_attention_forward");
    if (!call.begin(desc)) return call.status();
    const Bytes bytes = check(call, *desc);
    const int64_t align = velu::dtype_size(desc->dtype);
    if (call.failed() || desc->batch == 0) return call.status();
    call.buffers({input("qkv", qkv, bytes.qkv, align), output("y", y, bytes.y, align),
                  optional(output("log_sum_exp", log_sum_exp, bytes.log_sum_exp, kFloat))});
    return call.run(&BackendTable::attention_forward, desc, qkv, y, log_sum_exp);
}

velu_status velu_attention_backward(velu_context* context, const velu_attention_desc* desc, const void* qkv,
                                    const void* y, const void* dy, const float* log_sum_exp, void* dqkv) {
    Call call(context, "velu_attention_backward");
    if (!call.begin(desc)) return call.status();
    const Bytes bytes = check(call, *desc);
    const int64_t align = velu::dtype_size(desc->dtype);
    if (call.failed() || desc->batch == 0) return call.status();
    call.buffers({input("qkv", qkv, bytes.qkv, align), input("y", y, bytes.y, align), input("dy", dy, bytes.y, align),
                  input("log_sum_exp", log_sum_exp, bytes.log_sum_exp, kFloat),
                  output("dqkv", dqkv, bytes.qkv, align)});
    return call.run(&BackendTable::attention_backward, desc, qkv, y, dy, log_sum_exp, dqkv);
}
