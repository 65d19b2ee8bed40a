#include "core/call.h"

using velu::BackendTable;
using velu::Call;
using velu::input;
using velu::kFloat;
using velu::optional;
using velu::output;

namespace {

struct Bytes {
    int64_t logits = 0;
    int64_t rows = 0;  // of one int32 or float32 per row
};

Bytes check(Call& call, const velu_softmax_cross_entropy_desc& desc) {
    call.at_least("rows", desc.rows, 1);
    call.at_least("classes", desc.classes, 1);
    if (!(desc.label_smoothing >= 0 && desc.label_smoothing <= 1)) {
        call.fail(VELU_STATUS_INVALID_ARGUMENT, "label_smoothing is %g; it must be 0 to 1",
                  static_cast<double>(desc.label_smoothing));
    }
    return {call.bytes("logits", {desc.rows, desc.classes}, velu::dtype_size(desc.dtype)),
            call.bytes("labels", {desc.rows}, sizeof(int32_t))};
}

}  // namespace

velu_status velu_softmax_cross_entropy_forward(velu_context* context, const velu_softmax_cross_entropy_desc* desc,
                                               const void* logits, const int32_t* labels, const int32_t* other_labels,
                                               const float* label_shares, float* loss, float* log_sum_exp) {
    Call call(context, "velu_softmax_cross_entropy_forward");
    if (!call.begin(desc)) return call.status();
    const Bytes bytes = check(call, *desc);
    velu::check_both_or_neither(call, "other_labels", other_labels, "label_shares", label_shares);
    const int64_t align = velu::dtype_size(desc->dtype);
    call.buffers({input("logits", logits, bytes.logits, align), input("labels", labels, bytes.rows, alignof(int32_t)),
                  optional(input("other_labels", other_labels, bytes.rows, alignof(int32_t))),
                  optional(input("label_shares", label_shares, bytes.rows, kFloat)),
                  output("loss", loss, kFloat, kFloat),
                  optional(output("log_sum_exp", log_sum_exp, bytes.rows, kFloat))});
    return call.run(&BackendTable::softmax_cross_entropy_forward, desc, logits, labels, other_labels, label_shares,
                    loss, log_sum_exp);
}

velu_status velu_softmax_cross_entropy_backward(velu_context* context, const velu_softmax_cross_entropy_desc* desc,
                                                const void* logits, const int32_t* labels, const int32_t* other_labels,
                                                const float* label_shares, const float* log_sum_exp, const float* dloss,
                                                void* dlogits) {
    Call call(context, "velu_softmax_cross_entropy_backward");
    if (!call.begin(desc)) return call.status();
    const Bytes bytes = check(call, *desc);
    velu::check_both_or_neither(call, "other_labels", other_labels, "label_shares", label_shares);
    const int64_t align = velu::dtype_size(desc->dtype);
    call.buffers({input("logits", logits, bytes.logits, align), input("labels", labels, bytes.rows, alignof(int32_t)),
                  optional(input("other_labels", other_labels, bytes.rows, alignof(int32_t))),
                  optional(input("label_shares", label_shares, bytes.rows, kFloat)),
                  input("log_sum_exp", log_sum_exp, bytes.rows, kFloat),
                  optional(input("dloss", dloss, kFloat, kFloat)), output("dlogits", dlogits, bytes.logits, align)});
    return call.run(&BackendTable::softmax_cross_entropy_backward, desc, logits, labels, other_labels, label_shares,
                    log_sum_exp, dloss, dlogits);
}
