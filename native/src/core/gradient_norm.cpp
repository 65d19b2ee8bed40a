#include "core/call.h"

using velu::BackendTable;
using velu::Call;
using velu::input;
using velu::kFloat;
using velu::output;

velu_status velu_gradient_norm(velu_context* context, const velu_gradient_norm_desc* desc, const void* gradients,
                               float* norm) {
    Call call(context, "velu_gradient_norm");
    if (!call.begin(desc)) return call.status();
    call.at_least("count", desc->count, 0);
    const int64_t align = velu::dtype_size(desc->dtype);
    const int64_t bytes = call.bytes("gradients", {desc->count}, align);
    if (call.failed()) return call.status();
    if (desc->count == 0) {  // the sum over no elements
        call.buffers({output("norm", norm, kFloat, kFloat)});
        return call.run(&BackendTable::memory_set, norm, 0, kFloat);
    }
    call.buffers({input("gradients", gradients, bytes, align), output("norm", norm, kFloat, kFloat)});
    return call.run(&BackendTable::gradient_norm, desc, gradients, norm);
}
