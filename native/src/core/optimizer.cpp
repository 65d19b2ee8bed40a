#include "core/call.h"

using velu::BackendTable;
using velu::Call;
using velu::input;
using velu::kFloat;
using velu::output;

namespace {

void check(Call& call, const velu_optimizer_desc& desc) {
    call.at_least("count", desc.count, 0);
    call.range("algorithm", desc.algorithm, VELU_OPTIMIZER_SGD, VELU_OPTIMIZER_NADAM);
    call.not_negative("weight_decay", desc.weight_decay);
    call.not_negative("clip_value", desc.clip_value);
    call.not_negative("max_norm", desc.max_norm);
    if (desc.algorithm == VELU_OPTIMIZER_SGD) {
        call.half_open("momentum", desc.momentum, 0, 1);
        call.range("nesterov", desc.nesterov, 0, 1);
        if (desc.nesterov == 1 && desc.momentum == 0) {
            call.fail(VELU_STATUS_INVALID_ARGUMENT,
                      "nesterov is 1 and momentum is 0; Nesterov needs a momentum above "
                      "0, or set nesterov to 0");
        }
    } else {
        call.half_open("beta1", desc.beta1, 0, 1);
        call.half_open("beta2", desc.beta2, 0, 1);
        call.positive("eps", desc.eps);
        if (desc.algorithm == VELU_OPTIMIZER_NADAM) call.not_negative("momentum_decay", desc.momentum_decay);
    }
}

}  // namespace

velu_status velu_optimizer_step(velu_context* context, const velu_optimizer_desc* desc, const float* learning_rate,
                                const float* gradient_norm, double* counters, float* parameters, const void* gradients,
                                float* state0, float* state1) {
    Call call(context, "velu_optimizer_step");
    if (!call.begin(desc)) return call.status();
    check(call, *desc);
    const int64_t align = velu::dtype_size(desc->dtype);
    const int64_t gradient_bytes = call.bytes("gradients", {desc->count}, align);
    const int64_t bytes = call.bytes("parameters", {desc->count}, kFloat);
    if (call.failed() || desc->count == 0) return call.status();
    // States that the algorithm does not have are neither read nor written, whatever the caller passes.
    const bool sgd = desc->algorithm == VELU_OPTIMIZER_SGD;
    const bool has_state0 = !sgd || desc->momentum > 0;
    if (!has_state0) state0 = nullptr;
    if (sgd) state1 = nullptr;
    velu::Buffer norm = input("gradient_norm", gradient_norm, kFloat, kFloat);
    norm.optional = desc->max_norm == 0;
    velu::Buffer first = output("state0", state0, bytes, kFloat);
    first.optional = !has_state0;
    velu::Buffer second = output("state1", state1, bytes, kFloat);
    second.optional = sgd;
    call.buffers({input("learning_rate", learning_rate, kFloat, kFloat), norm,
                  output("counters", counters, 2 * sizeof(double), alignof(double)),
                  output("parameters", parameters, bytes, kFloat), input("gradients", gradients, gradient_bytes, align),
                  first, second});
    return call.run(&BackendTable::optimizer_step, desc, learning_rate, gradient_norm, counters, parameters, gradients,
                    state0, state1);
}
