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
    int64_t x = 0;
    int64_t y = 0;  // and every other dense tensor
    int64_t dx = 0;
    int64_t dx_addend = 0;
    int64_t channels = 0;  // of one float32 per channel
};

Bytes check(Call& call, const velu_batch_norm_desc& desc, int64_t min_rows) {
    if (desc.rows < min_rows) {
        call.fail(VELU_STATUS_INVALID_ARGUMENT, "rows is %lld; %s", static_cast<long long>(desc.rows),
                  min_rows == 2 ? "training needs at least 2 rows (batch * height * width) for a variance"
                                : "it must be at least 1");
    }
    call.at_least("channels", desc.channels, 1);
    call.positive("eps", desc.eps);
    if (!(desc.momentum >= 0 && desc.momentum <= 1)) {
        call.fail(VELU_STATUS_INVALID_ARGUMENT, "momentum is %g; it must be 0 to 1",
                  static_cast<double>(desc.momentum));
    }
    call.range("activation", desc.activation, VELU_ACTIVATION_IDENTITY, VELU_ACTIVATION_VELU);
    if (desc.activation == VELU_ACTIVATION_VELU) {
        check_velu_params(call, desc.params);
        call.finite("w2_weight", desc.w2_weight);
    }
    const int64_t x_pitch = velu::check_pitch(call, "x_pitch", desc.x_pitch, desc.channels);
    const int64_t dx_pitch = velu::check_pitch(call, "dx_pitch", desc.dx_pitch, desc.channels);
    const int64_t addend_pitch = velu::check_pitch(call, "dx_addend_pitch", desc.dx_addend_pitch, desc.channels);
    const int64_t element = velu::dtype_size(desc.dtype);
    Bytes bytes;
    bytes.y = call.bytes("x", {desc.rows, desc.channels}, element);
    bytes.channels = call.bytes("weight", {desc.channels}, kFloat);
    if (call.failed()) return bytes;
    bytes.x = call.pitched_bytes("x", desc.rows, desc.channels, x_pitch, element);
    bytes.dx = call.pitched_bytes("dx", desc.rows, desc.channels, dx_pitch, element);
    bytes.dx_addend = call.pitched_bytes("dx_addend", desc.rows, desc.channels, addend_pitch, element);
    return bytes;
}

/// Checks that an argument that belongs to VeLU is given with VeLU only.
void check_velu_only(Call& call, const velu_batch_norm_desc& desc, const char* name, const void* pointer) {
    if (pointer != nullptr && desc.activation != VELU_ACTIVATION_VELU) {
        call.fail(VELU_STATUS_INVALID_ARGUMENT, "%s is given but the activation is not VELU; pass NULL", name);
    }
}

}  // namespace

velu_status velu_batch_norm_forward_training(velu_context* context, const velu_batch_norm_desc* desc, const void* x,
                                             const float* weight, const float* bias, const void* residual,
                                             const float* lambda, float* running_mean, float* running_var,
                                             int64_t* num_batches_tracked, void* y, float* saved_mean,
                                             float* saved_inv_std, float* moments) {
    Call call(context, "velu_batch_norm_forward_training");
    if (!call.begin(desc)) return call.status();
    const Bytes bytes = check(call, *desc, 2);
    const int64_t align = velu::dtype_size(desc->dtype);
    if (call.failed()) return call.status();
    check_velu_only(call, *desc, "lambda", lambda);
    check_velu_only(call, *desc, "moments", moments);
    velu::check_both_or_neither(call, "running_mean", running_mean, "running_var", running_var);
    call.buffers({input("x", x, bytes.x, align), input("weight", weight, bytes.channels, kFloat),
                  input("bias", bias, bytes.channels, kFloat), optional(input("residual", residual, bytes.y, align)),
                  optional(input("lambda", lambda, kFloat, kFloat)),
                  optional(output("running_mean", running_mean, bytes.channels, kFloat)),
                  optional(output("running_var", running_var, bytes.channels, kFloat)),
                  optional(output("num_batches_tracked", num_batches_tracked, sizeof(int64_t), alignof(int64_t))),
                  in_place("y", y, bytes.y, align, "residual"),
                  output("saved_mean", saved_mean, bytes.channels, kFloat),
                  output("saved_inv_std", saved_inv_std, bytes.channels, kFloat),
                  optional(output("moments", moments, 3 * kFloat, kFloat))});
    return call.run(&BackendTable::batch_norm_forward_training, desc, x, weight, bias, residual, lambda, running_mean,
                    running_var, num_batches_tracked, y, saved_mean, saved_inv_std, moments);
}

velu_status velu_batch_norm_forward_inference(velu_context* context, const velu_batch_norm_desc* desc, const void* x,
                                              const float* weight, const float* bias, const void* residual,
                                              const float* lambda, const float* running_mean, const float* running_var,
                                              void* y, float* moments) {
    Call call(context, "velu_batch_norm_forward_inference");
    if (!call.begin(desc)) return call.status();
    const Bytes bytes = check(call, *desc, 1);
    const int64_t align = velu::dtype_size(desc->dtype);
    if (call.failed()) return call.status();
    check_velu_only(call, *desc, "lambda", lambda);
    check_velu_only(call, *desc, "moments", moments);
    call.buffers(
        {input("x", x, bytes.x, align), input("weight", weight, bytes.channels, kFloat),
         input("bias", bias, bytes.channels, kFloat), optional(input("residual", residual, bytes.y, align)),
         optional(input("lambda", lambda, kFloat, kFloat)), input("running_mean", running_mean, bytes.channels, kFloat),
         input("running_var", running_var, bytes.channels, kFloat), in_place("y", y, bytes.y, align, "x", "residual"),
         optional(output("moments", moments, 3 * kFloat, kFloat))});
    return call.run(&BackendTable::batch_norm_forward_inference, desc, x, weight, bias, residual, lambda, running_mean,
                    running_var, y, moments);
}

velu_status velu_batch_norm_fold(velu_context* context, const velu_batch_norm_desc* desc, const float* weight,
                                 const float* bias, const float* running_mean, const float* running_var, float* scale,
                                 float* shift) {
    Call call(context, "velu_batch_norm_fold");
    if (!call.begin(desc)) return call.status();
    const Bytes bytes = check(call, *desc, 0);
    if (call.failed()) return call.status();
    call.buffers({input("weight", weight, bytes.channels, kFloat), input("bias", bias, bytes.channels, kFloat),
                  input("running_mean", running_mean, bytes.channels, kFloat),
                  input("running_var", running_var, bytes.channels, kFloat),
                  output("scale", scale, bytes.channels, kFloat), output("shift", shift, bytes.channels, kFloat)});
    return call.run(&BackendTable::batch_norm_fold, desc, weight, bias, running_mean, running_var, scale, shift);
}

velu_status velu_batch_norm_backward(velu_context* context, const velu_batch_norm_desc* desc, const void* x,
                                     const void* dy, const float* weight, const float* bias, const void* residual,
                                     const float* lambda, const float* saved_mean, const float* saved_inv_std,
                                     const float* moments, const void* dx_addend, void* dx, void* dresidual,
                                     float* dweight, float* dbias, float* dlambda) {
    Call call(context, "velu_batch_norm_backward");
    if (!call.begin(desc)) return call.status();
    const Bytes bytes = check(call, *desc, 2);
    const int64_t align = velu::dtype_size(desc->dtype);
    if (call.failed()) return call.status();
    check_velu_only(call, *desc, "lambda", lambda);
    check_velu_only(call, *desc, "moments", moments);
    check_velu_only(call, *desc, "dlambda", dlambda);
    if (desc->activation == VELU_ACTIVATION_VELU && desc->w2_weight != 0 && moments == nullptr) {
        call.fail(VELU_STATUS_INVALID_ARGUMENT,
                  "w2_weight is %g and moments is NULL; pass the moments that the "
                  "forward pass stored, or w2_weight = 0",
                  static_cast<double>(desc->w2_weight));
    }
    velu::check_both_or_neither(call, "residual", residual, "dresidual", dresidual);
    call.buffers({input("x", x, bytes.x, align), input("dy", dy, bytes.y, align),
                  input("weight", weight, bytes.channels, kFloat), input("bias", bias, bytes.channels, kFloat),
                  optional(input("residual", residual, bytes.y, align)),
                  optional(input("lambda", lambda, kFloat, kFloat)),
                  input("saved_mean", saved_mean, bytes.channels, kFloat),
                  input("saved_inv_std", saved_inv_std, bytes.channels, kFloat),
                  optional(input("moments", moments, 3 * kFloat, kFloat)),
                  optional(input("dx_addend", dx_addend, bytes.dx_addend, align)),
                  in_place("dx", dx, bytes.dx, align, "dy", "dx_addend"),
                  optional(in_place("dresidual", dresidual, bytes.y, align, "dy")),
                  output("dweight", dweight, bytes.channels, kFloat), output("dbias", dbias, bytes.channels, kFloat),
                  optional(output("dlambda", dlambda, kFloat, kFloat))});
    return call.run(&BackendTable::batch_norm_backward, desc, x, dy, weight, bias, residual, lambda, saved_mean,
                    saved_inv_std, moments, dx_addend, dx, dresidual, dweight, dbias, dlambda);
}
