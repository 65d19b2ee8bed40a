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
    int64_t rows = 0;      // of one float32 per row
    int64_t channels = 0;  // of one float32 per channel
};

Bytes check(Call& call, const velu_layer_norm_desc& desc) {
    call.at_least("rows", desc.rows, 0);
    call.at_least("channels", desc.channels, 1);
    call.positive("eps", desc.eps);
    return {call.bytes("x", {desc.rows, desc.channels}, velu::dtype_size(desc.dtype)),
            call.bytes("saved_mean", {desc.rows}, kFloat), call.bytes("weight", {desc.channels}, kFloat)};
}

}  // namespace

velu_status velu_layer_norm_forward(velu_context* context, const velu_layer_norm_desc* desc, const void* x,
                                    const void* residual, const float* weight, const float* bias, void* sum, void* y,
                                    float* saved_mean, float* saved_inv_std) {
    Call call(context, "velu_layer_norm_forward");
    if (!call.begin(desc)) return call.status();
    const Bytes bytes = check(call, *desc);
    const int64_t align = velu::dtype_size(desc->dtype);
    if (call.failed() || desc->rows == 0) return call.status();
    velu::check_both_or_neither(call, "residual", residual, "sum", sum);
    velu::check_both_or_neither(call, "saved_mean", saved_mean, "saved_inv_std", saved_inv_std);
    call.buffers({input("x", x, bytes.x, align), optional(input("residual", residual, bytes.x, align)),
                  input("weight", weight, bytes.channels, kFloat), input("bias", bias, bytes.channels, kFloat),
                  optional(in_place("sum", sum, bytes.x, align, "x", "residual")),
                  in_place("y", y, bytes.x, align, "x", "residual"),
                  optional(output("saved_mean", saved_mean, bytes.rows, kFloat)),
                  optional(output("saved_inv_std", saved_inv_std, bytes.rows, kFloat))});
    return call.run(&BackendTable::layer_norm_forward, desc, x, residual, weight, bias, sum, y, saved_mean,
                    saved_inv_std);
}

velu_status velu_layer_norm_backward(velu_context* context, const velu_layer_norm_desc* desc, const void* z,
                                     const void* dy, const void* dz_addend, const float* weight,
                                     const float* saved_mean, const float* saved_inv_std, void* dx, float* dweight,
                                     float* dbias) {
    Call call(context, "velu_layer_norm_backward");
    if (!call.begin(desc)) return call.status();
    const Bytes bytes = check(call, *desc);
    const int64_t align = velu::dtype_size(desc->dtype);
    if (call.failed()) return call.status();
    const velu::Buffer weights = output("dweight", dweight, bytes.channels, kFloat);
    const velu::Buffer biases = output("dbias", dbias, bytes.channels, kFloat);
    if (desc->rows == 0) {
        call.buffers({weights, biases});
        call.run(&BackendTable::memory_set, dweight, 0, bytes.channels);
        return call.run(&BackendTable::memory_set, dbias, 0, bytes.channels);
    }
    call.buffers({input("z", z, bytes.x, align), input("dy", dy, bytes.x, align),
                  optional(input("dz_addend", dz_addend, bytes.x, align)),
                  input("weight", weight, bytes.channels, kFloat), input("saved_mean", saved_mean, bytes.rows, kFloat),
                  input("saved_inv_std", saved_inv_std, bytes.rows, kFloat),
                  in_place("dx", dx, bytes.x, align, "dy", "dz_addend"), weights, biases});
    return call.run(&BackendTable::layer_norm_backward, desc, z, dy, dz_addend, weight, saved_mean, saved_inv_std, dx,
                    dweight, dbias);
}
