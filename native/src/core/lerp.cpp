#include "core/call.h"

using velu::BackendTable;
using velu::Call;
using velu::input;
using velu::kFloat;
using velu::output;

velu_status velu_lerp(velu_context* context, const velu_lerp_desc* desc, const float* weight, const void* values,
                      float* average) {
    Call call(context, "velu_lerp");
    if (!call.begin(desc)) return call.status();
    call.at_least("count", desc->count, 0);
    const int64_t align = velu::dtype_size(desc->dtype);
    const int64_t value_bytes = call.bytes("values", {desc->count}, align);
    const int64_t bytes = call.bytes("average", {desc->count}, kFloat);
    if (call.failed() || desc->count == 0) return call.status();
    call.buffers({input("weight", weight, kFloat, kFloat), input("values", values, value_bytes, align),
                  output("average", average, bytes, kFloat)});
    return call.run(&BackendTable::lerp, desc, weight, values, average);
}
