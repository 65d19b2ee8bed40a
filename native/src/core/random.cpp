#include "core/call.h"

using velu::BackendTable;
using velu::Call;
using velu::kFloat;
using velu::output;

namespace {

/// Probability that a standard normal number is below z.
double normal_cdf(double z) {
    return 0.5 * std::erfc(-z / std::sqrt(2.0));
}

void check_truncation(Call& call, const velu_random_desc& desc) {
    const double mean = static_cast<double>(desc.a);
    const double std = static_cast<double>(desc.b);
    const double low = static_cast<double>(desc.low);
    const double high = static_cast<double>(desc.high);
    if (!(low < high)) {
        return call.fail(VELU_STATUS_INVALID_ARGUMENT, "low is %g and high is %g; low must be below high", low, high);
    }
    const double mass = std > 0 ? normal_cdf((high - mean) / std) - normal_cdf((low - mean) / std)
                                : static_cast<double>(low <= mean && mean <= high);
    if (!(mass >= 0.01)) {
        call.fail(VELU_STATUS_INVALID_ARGUMENT,
                  "[%g, %g] holds %.3g %% of a normal distribution with mean %g and "
                  "standard deviation %g; it must hold at least 1 %%",
                  low, high, mass * 100, mean, std);
    }
}

void check(Call& call, const velu_random_desc& desc) {
    if (desc.dtype != VELU_DTYPE_F32) {
        call.fail(VELU_STATUS_INVALID_ARGUMENT, "dtype must be VELU_DTYPE_F32: random numbers are float32");
    }
    call.at_least("count", desc.count, 0);
    call.range("distribution", desc.distribution, VELU_DISTRIBUTION_UNIFORM, VELU_DISTRIBUTION_TRUNCATED_NORMAL);
    call.finite("a", desc.a);
    call.finite("b", desc.b);
    if (call.failed()) return;
    if (desc.distribution == VELU_DISTRIBUTION_UNIFORM) {
        if (desc.b < desc.a) {
            call.fail(VELU_STATUS_INVALID_ARGUMENT,
                      "b is %g; the upper end of a uniform distribution must not be "
                      "below its lower end a, %g",
                      static_cast<double>(desc.b), static_cast<double>(desc.a));
        }
        return;
    }
    call.not_negative("b, the standard deviation,", desc.b);
    if (desc.distribution == VELU_DISTRIBUTION_TRUNCATED_NORMAL) check_truncation(call, desc);
}

}  // namespace

velu_status velu_random_fill(velu_context* context, const velu_random_desc* desc, float* out) {
    Call call(context, "velu_random_fill");
    if (!call.begin(desc)) return call.status();
    check(call, *desc);
    const int64_t bytes = call.bytes("out", {desc->count}, kFloat);
    if (call.failed() || desc->count == 0) return call.status();
    call.buffers({output("out", out, bytes, kFloat)});
    return call.run(&BackendTable::random_fill, desc, out);
}
