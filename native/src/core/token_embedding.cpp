#include "core/call.h"

using velu::BackendTable;
using velu::Call;
using velu::input;
using velu::kFloat;
using velu::output;

namespace {

struct Bytes {
    int64_t x = 0;
    int64_t y = 0;
    int64_t class_token = 0;
    int64_t position = 0;
};

Bytes check(Call& call, const velu_token_embedding_desc& desc) {
    call.at_least("batch", desc.batch, 0);
    call.range("patches", desc.patches, 1, velu::kMaxBytes);
    call.at_least("channels", desc.channels, 1);
    if (call.failed()) return {};
    const int64_t element = velu::dtype_size(desc.dtype);
    return {call.bytes("x", {desc.batch, desc.patches, desc.channels}, element),
            call.bytes("y", {desc.batch, desc.patches + 1, desc.channels}, element),
            call.bytes("class_token", {desc.channels}, kFloat),
            call.bytes("position", {desc.patches + 1, desc.channels}, kFloat)};
}

}  // namespace

velu_status velu_token_embedding_forward(velu_context* context, const velu_token_embedding_desc* desc, const void* x,
                                         const float* class_token, const float* position, void* y) {
    Call call(context, "velu_token_embedding_forward");
    if (!call.begin(desc)) return call.status();
    const Bytes bytes = check(call, *desc);
    const int64_t align = velu::dtype_size(desc->dtype);
    if (call.failed() || desc->batch == 0) return call.status();
    call.buffers({input("x", x, bytes.x, align), input("class_token", class_token, bytes.class_token, kFloat),
                  input("position", position, bytes.position, kFloat), output("y", y, bytes.y, align)});
    return call.run(&BackendTable::token_embedding_forward, desc, x, class_token, position, y);
}

velu_status velu_token_embedding_backward(velu_context* context, const velu_token_embedding_desc* desc, const void* dy,
                                          void* dx, float* dclass_token, float* dposition) {
    Call call(context, "velu_token_embedding_backward");
    if (!call.begin(desc)) return call.status();
    const Bytes bytes = check(call, *desc);
    const int64_t align = velu::dtype_size(desc->dtype);
    if (call.failed()) return call.status();
    const velu::Buffer token = output("dclass_token", dclass_token, bytes.class_token, kFloat);
    const velu::Buffer position = output("dposition", dposition, bytes.position, kFloat);
    if (desc->batch == 0) {
        call.buffers({token, position});
        call.run(&BackendTable::memory_set, dclass_token, 0, bytes.class_token);
        return call.run(&BackendTable::memory_set, dposition, 0, bytes.position);
    }
    call.buffers({input("dy", dy, bytes.y, align), output("dx", dx, bytes.x, align), token, position});
    return call.run(&BackendTable::token_embedding_backward, desc, dy, dx, dclass_token, dposition);
}
