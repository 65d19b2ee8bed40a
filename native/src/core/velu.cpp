#include "core/call.h"

#include <cinttypes>

using velu::BackendTable;
using velu::Call;
using velu::in_place;
using velu::input;
using velu::kFloat;
using velu::optional;
using velu::output;

void velu::check_velu_params(Call& call, const velu_velu_params& params) {
    call.finite("alpha", params.alpha);
    call.finite("beta1", params.beta1);
    call.finite("beta2", params.beta2);
    call.finite("mu", params.mu);
    call.positive("eps", params.eps);
    if (!(std::fabs(params.gamma) < 1)) {
        call.fail(VELU_STATUS_INVALID_ARGUMENT, "gamma is %g; it must be above -1 and below 1",
                  static_cast<double>(params.gamma));
    }
    call.range("statistic", params.statistic, VELU_STATISTIC_INVERSE_RMS, VELU_STATISTIC_STD);
    call.range("clamp", params.clamp, 0, 1);
    if (params.clamp == 1) {
        call.finite("scale_min", params.scale_min);
        call.finite("scale_max", params.scale_max);
        if (params.scale_min > params.scale_max) {
            call.fail(VELU_STATUS_INVALID_ARGUMENT, "scale_min %g is above scale_max %g; swap them",
                      static_cast<double>(params.scale_min), static_cast<double>(params.scale_max));
        }
    }
}

namespace {

/// Checks the descriptor; bytes of x.
int64_t check(Call& call, const velu_velu_desc& desc) {
    call.at_least("rows", desc.rows, 0);
    call.at_least("channels", desc.channels, 1);
    check_velu_params(call, desc.params);
    call.finite("w2_weight", desc.w2_weight);
    return call.bytes("x", {desc.rows, desc.channels}, velu::dtype_size(desc.dtype));
}

}  // namespace

velu_status velu_velu_forward(velu_context* context, const velu_velu_desc* desc, const void* x, const float* lambda,
                              void* y, float* moments) {
    Call call(context, "velu_velu_forward");
    if (!call.begin(desc)) return call.status();
    const int64_t bytes = check(call, *desc);
    const int64_t align = velu::dtype_size(desc->dtype);
    if (!call.failed() && desc->rows == 0 && moments != nullptr) {
        call.fail(VELU_STATUS_INVALID_ARGUMENT,
                  "rows is 0 and moments are asked for, but no rows have no moments; "
                  "pass moments = NULL");
    }
    if (call.failed() || desc->rows == 0) return call.status();
    call.buffers({input("x", x, bytes, align), optional(input("lambda", lambda, kFloat, kFloat)),
                  in_place("y", y, bytes, align, "x"), optional(output("moments", moments, 3 * kFloat, kFloat))});
    return call.run(&BackendTable::velu_forward, desc, x, lambda, y, moments);
}

velu_status velu_velu_backward(velu_context* context, const velu_velu_desc* desc, const void* x, const void* dy,
                               const float* lambda, const float* moments, void* dx, float* dlambda) {
    Call call(context, "velu_velu_backward");
    if (!call.begin(desc)) return call.status();
    const int64_t bytes = check(call, *desc);
    const int64_t align = velu::dtype_size(desc->dtype);
    if (call.failed()) return call.status();
    if (desc->rows == 0) {
        if (dlambda == nullptr) return call.status();
        call.buffers({output("dlambda", dlambda, kFloat, kFloat)});
        return call.run(&BackendTable::memory_set, dlambda, 0, kFloat);  // the sum over no elements
    }
    if (desc->w2_weight != 0 && moments == nullptr) {
        call.fail(VELU_STATUS_INVALID_ARGUMENT,
                  "w2_weight is %g and moments is NULL; pass the moments that "
                  "velu_velu_forward stored, or w2_weight = 0",
                  static_cast<double>(desc->w2_weight));
    }
    call.buffers({input("x", x, bytes, align), input("dy", dy, bytes, align),
                  optional(input("lambda", lambda, kFloat, kFloat)),
                  optional(input("moments", moments, 3 * kFloat, kFloat)), in_place("dx", dx, bytes, align, "dy"),
                  optional(output("dlambda", dlambda, kFloat, kFloat))});
    return call.run(&BackendTable::velu_backward, desc, x, dy, lambda, moments, dx, dlambda);
}
