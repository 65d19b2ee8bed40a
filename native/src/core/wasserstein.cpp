#include "core/call.h"

using velu::BackendTable;
using velu::Call;
using velu::in_place;
using velu::input;
using velu::kFloat;
using velu::optional;
using velu::output;

namespace {

struct Bytes {
    int64_t a = 0;
    int64_t saved = 0;
};

Bytes check(Call& call, const velu_wasserstein_desc& desc) {
    call.at_least("rows", desc.rows, 1);
    call.at_least("channels", desc.channels, 1);
    call.range("kind", desc.kind, VELU_W2_GAUSSIAN, VELU_W2_PER_CHANNEL);
    call.finite("w2_weight", desc.w2_weight);
    const Bytes bytes = {call.bytes("a", {desc.rows, desc.channels}, velu::dtype_size(desc.dtype)),
                         desc.kind == VELU_W2_EMPIRICAL  ? call.bytes("saved", {desc.rows, desc.channels}, kFloat)
                         : desc.kind == VELU_W2_GAUSSIAN ? 2 * kFloat
                                                         : call.bytes("saved", {2, desc.channels}, kFloat)};
    // Elements are numbered by 32 bits while they are sorted.
    if (!call.failed() && desc.kind == VELU_W2_EMPIRICAL && bytes.saved / kFloat > int64_t{UINT32_MAX}) {
        call.fail(VELU_STATUS_INVALID_ARGUMENT,
                  "%lld x %lld elements are more than the %lld that kind EMPIRICAL sorts; use kind PER_CHANNEL or "
                  "GAUSSIAN",
                  static_cast<long long>(desc.rows), static_cast<long long>(desc.channels),
                  static_cast<long long>(UINT32_MAX));
    }
    return bytes;
}

}  // namespace

velu_status velu_wasserstein_forward(velu_context* context, const velu_wasserstein_desc* desc, const void* a,
                                     const float* lambda, void* y, float* saved, float* moments) {
    Call call(context, "velu_wasserstein_forward");
    if (!call.begin(desc)) return call.status();
    const Bytes bytes = check(call, *desc);
    const int64_t align = velu::dtype_size(desc->dtype);
    if (call.failed()) return call.status();
    call.buffers({input("a", a, bytes.a, align), optional(input("lambda", lambda, kFloat, kFloat)),
                  optional(in_place("y", y, bytes.a, align, "a")),
                  optional(output("saved", saved, bytes.saved, kFloat)),
                  output("moments", moments, 3 * kFloat, kFloat)});
    return call.run(&BackendTable::wasserstein_forward, desc, a, lambda, y, saved, moments);
}

velu_status velu_wasserstein_backward(velu_context* context, const velu_wasserstein_desc* desc, const void* a,
                                      const void* dy, const float* lambda, const float* saved, void* da,
                                      float* dlambda) {
    Call call(context, "velu_wasserstein_backward");
    if (!call.begin(desc)) return call.status();
    const Bytes bytes = check(call, *desc);
    const int64_t align = velu::dtype_size(desc->dtype);
    if (call.failed()) return call.status();
    if (desc->w2_weight != 0 && saved == nullptr) {
        call.fail(VELU_STATUS_INVALID_ARGUMENT,
                  "w2_weight is %g and saved is NULL; pass what velu_wasserstein_forward saved, or w2_weight = 0",
                  static_cast<double>(desc->w2_weight));
    }
    call.buffers({input("a", a, bytes.a, align), optional(input("dy", dy, bytes.a, align)),
                  optional(input("lambda", lambda, kFloat, kFloat)),
                  optional(input("saved", saved, bytes.saved, kFloat)), in_place("da", da, bytes.a, align, "dy"),
                  optional(output("dlambda", dlambda, kFloat, kFloat))});
    return call.run(&BackendTable::wasserstein_backward, desc, a, dy, lambda, saved, da, dlambda);
}
