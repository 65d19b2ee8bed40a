#include "core/call.h"

using velu::BackendTable;
using velu::Call;
using velu::input;
using velu::output;

velu_status velu_top_k_count(velu_context* context, const velu_top_k_desc* desc, const void* logits,
                             const int32_t* labels, int64_t* count) {
    Call call(context, "velu_top_k_count");
    if (!call.begin(desc)) return call.status();
    call.at_least("rows", desc->rows, 1);
    call.at_least("classes", desc->classes, 1);
    call.at_least("k", desc->k, 1);
    const int64_t align = velu::dtype_size(desc->dtype);
    const int64_t logits_bytes = call.bytes("logits", {desc->rows, desc->classes}, align);
    const int64_t labels_bytes = call.bytes("labels", {desc->rows}, sizeof(int32_t));
    call.buffers({input("logits", logits, logits_bytes, align), input("labels", labels, labels_bytes, alignof(int32_t)),
                  output("count", count, sizeof *count, alignof(int64_t))});
    return call.run(&BackendTable::top_k_count, desc, logits, labels, count);
}
