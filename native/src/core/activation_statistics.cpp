#include "core/call.h"

#include <cinttypes>

using velu::BackendTable;
using velu::Call;
using velu::input;
using velu::kFloat;
using velu::optional;
using velu::output;

velu_status velu_activation_statistics(velu_context* context, const velu_activation_statistics_desc* desc,
                                       const void* x, const void* a, const float* lambda, float* values,
                                       int64_t* counts) {
    Call call(context, "velu_activation_statistics");
    if (!call.begin(desc)) return call.status();
    call.at_least("rows", desc->rows, 1);
    call.at_least("channels", desc->channels, 1);
    if (desc->activation < VELU_ACTIVATION_RELU || desc->activation > VELU_ACTIVATION_SIGMOID) {
        call.fail(VELU_STATUS_INVALID_ARGUMENT,
                  "activation is %" PRId32 "; it must be VELU_ACTIVATION_RELU, _RELU6, _SILU, _GELU, _VELU or _SIGMOID",
                  desc->activation);
    }
    if (desc->activation == VELU_ACTIVATION_VELU) check_velu_params(call, desc->params);
    const int64_t align = velu::dtype_size(desc->dtype);
    const int64_t bytes = call.bytes("x", {desc->rows, desc->channels}, align);
    constexpr int64_t kCount = sizeof(int64_t);
    call.buffers({input("x", x, bytes, align), input("a", a, bytes, align),
                  optional(input("lambda", lambda, kFloat, kFloat)), output("values", values, 6 * kFloat, kFloat),
                  output("counts", counts, 2 * kCount, kCount)});
    return call.run(&BackendTable::activation_statistics, desc, x, a, lambda, values, counts);
}
