// velu_optimizer_step against torch.optim's formulas in float64, five steps long.
#include <algorithm>
#include <initializer_list>
#include <vector>

#include "check.h"

using check::Context;
using check::Guarded;

namespace {

constexpr int kSteps = 5;

velu_optimizer_desc optimizer(int32_t algorithm, int64_t count) {
    velu_optimizer_desc desc{};
    desc.device = check::device();
    desc.dtype = VELU_DTYPE_F32;
    desc.count = count;
    desc.algorithm = algorithm;
    desc.beta1 = 0.9f;
    desc.beta2 = 0.999f;
    desc.eps = 1e-8f;
    desc.momentum_decay = 0.004f;
    return desc;
}

/// One parameter as torch/optim/{sgd,adam,adamw,nadam}.py update it (dampening 0, no amsgrad, no foreach).
struct Reference {
    double parameter = 0;
    double state0 = 0;
    double state1 = 0;
    double mu_product = 1;

    void step(const velu_optimizer_desc& d, int t, double lr, double gradient) {
        const double beta1 = d.beta1, beta2 = d.beta2, weight_decay = d.weight_decay;
        if (d.algorithm == VELU_OPTIMIZER_ADAMW) {
            parameter *= 1 - lr * weight_decay;
        } else {
            gradient += weight_decay * parameter;
        }
        if (d.algorithm == VELU_OPTIMIZER_SGD) {
            if (d.momentum != 0) {
                state0 = t == 1 ? gradient : d.momentum * state0 + gradient;
                gradient = d.nesterov != 0 ? gradient + d.momentum * state0 : state0;
            }
            parameter -= lr * gradient;
            return;
        }
        const double correction1 = 1 - std::pow(beta1, t), correction2 = 1 - std::pow(beta2, t);
        state0 = state0 + (1 - beta1) * (gradient - state0);
        state1 = beta2 * state1 + (1 - beta2) * gradient * gradient;
        if (d.algorithm == VELU_OPTIMIZER_NADAM) {
            const double mu = beta1 * (1 - 0.5 * std::pow(0.96, t * double{d.momentum_decay}));
            const double mu_next = beta1 * (1 - 0.5 * std::pow(0.96, (t + 1) * double{d.momentum_decay}));
            mu_product *= mu;
            const double denominator = std::sqrt(state1 / correction2) + d.eps;
            parameter -= lr * (1 - mu) / (1 - mu_product) * gradient / denominator;
            parameter -= lr * mu_next / (1 - mu_product * mu_next) * state0 / denominator;
        } else {
            const double denominator = std::sqrt(state1) / std::sqrt(correction2) + d.eps;
            parameter -= lr / correction1 * state0 / denominator;
        }
    }
};

/// The flat buffers of one run.
struct Run {
    explicit Run(const velu_optimizer_desc& d)
        : desc(d), parameters(d.count, 4), gradients(d.count, 8), state0(d.count, 4), state1(d.count, 12) {
        parameters.fill_uniform(1);
        std::memset(state0.data, 0, state0.bytes);
        std::memset(state1.data, 0, state1.bytes);
    }

    void step(velu_context* context, float lr, uint64_t seed, const float* norm = nullptr) {
        gradients.fill_uniform(seed, -2, 2);
        const bool sgd = desc.algorithm == VELU_OPTIMIZER_SGD;
        CHECK_SUCCESS(context, velu_optimizer_step(context, &desc, &lr, norm, counters, parameters, gradients,
                                                   sgd && desc.momentum == 0 ? nullptr : state0.data,
                                                   sgd ? nullptr : state1.data));
    }

    velu_optimizer_desc desc;
    Guarded<float> parameters, gradients, state0, state1;
    double counters[2] = {0, 1};
};

std::vector<velu_optimizer_desc> algorithms(int64_t count) {
    std::vector<velu_optimizer_desc> all;
    for (const float weight_decay : {0.0f, 0.1f}) {
        velu_optimizer_desc sgd = optimizer(VELU_OPTIMIZER_SGD, count);
        sgd.weight_decay = weight_decay;
        all.push_back(sgd);
        sgd.momentum = 0.9f;
        all.push_back(sgd);
        sgd.nesterov = 1;
        all.push_back(sgd);
        for (const int32_t algorithm : {VELU_OPTIMIZER_ADAM, VELU_OPTIMIZER_ADAMW, VELU_OPTIMIZER_NADAM}) {
            velu_optimizer_desc adam = optimizer(algorithm, count);
            adam.weight_decay = weight_decay;
            all.push_back(adam);
        }
    }
    return all;
}

}  // namespace

int main() {
    check::test("fiveStepsMatchTorchsFormulasInFloat64", [] {
        for (int32_t isa = VELU_ISA_BASELINE; isa <= VELU_ISA_AVX512; ++isa) {
            if (!Context::supported(isa)) continue;
            Context context(2, isa);
            for (const int64_t count : {1, 31, 33, 257}) {
                for (const velu_optimizer_desc& desc : algorithms(count)) {
                    Run run(desc);
                    std::vector<Reference> expected(static_cast<size_t>(count));
                    for (int64_t i = 0; i < count; ++i) expected[static_cast<size_t>(i)].parameter = run.parameters[i];
                    for (int t = 1; t <= kSteps; ++t) {
                        const float lr = 0.05f / static_cast<float>(t);
                        run.step(context, lr, static_cast<uint64_t>(t) * 100);
                        for (int64_t i = 0; i < count; ++i) {
                            Reference& one = expected[static_cast<size_t>(i)];
                            one.step(desc, t, lr, run.gradients[i]);
                            CHECK_NEAR(run.parameters[i], one.parameter, 1e-6);
                        }
                    }
                    CHECK_EQUAL(run.counters[0], 5.0);
                    CHECK_NEAR(run.counters[1], expected[0].mu_product, 1e-15);
                }
            }
        }
    });

    check::test("bitsDoNotDependOnInstructionSetOrThreads", [] {
        for (const velu_optimizer_desc& desc : algorithms(16384 * 2 + 33)) {
            std::vector<float> expected;
            for (int32_t isa = VELU_ISA_BASELINE; isa <= VELU_ISA_AVX512; ++isa) {
                if (!Context::supported(isa)) continue;
                for (int32_t threads = 1; threads <= check::most_threads(); ++threads) {
                    Context context(threads, isa);
                    Run run(desc);
                    for (uint64_t t = 1; t <= 3; ++t) run.step(context, 0.01f, t);
                    const std::vector<float> actual(run.parameters.data, run.parameters.data + desc.count);
                    if (expected.empty()) expected = actual;
                    CHECK(actual == expected);
                }
            }
        }
    });

    check::test("gradientsAreScaledToTheNormAndThenClamped", [] {
        Context context;
        velu_optimizer_desc desc = optimizer(VELU_OPTIMIZER_SGD, 257);
        desc.max_norm = 5;
        desc.clip_value = 0.3f;
        for (const float norm : {20.0f, 4.0f}) {
            Run run(desc);
            std::vector<double> expected(run.parameters.data, run.parameters.data + 257);
            run.step(context, 0.5f, 9, &norm);
            for (int64_t i = 0; i < 257; ++i) {
                const double scaled = run.gradients[i] * std::min(1.0, 5 / (norm + 1e-6));
                const double clipped = std::clamp(scaled, -double{0.3f}, double{0.3f});
                CHECK_NEAR(run.parameters[i], expected[static_cast<size_t>(i)] - 0.5 * clipped, 1e-7);
            }
        }
    });

    check::test("aNormThatIsNotFiniteMakesEveryParameterNan", [] {
        Context context;
        velu_optimizer_desc desc = optimizer(VELU_OPTIMIZER_ADAM, 33);
        desc.max_norm = 1;
        for (const float norm : {NAN, INFINITY}) {
            Run run(desc);
            run.step(context, 0.1f, 3, &norm);
            for (int64_t i = 0; i < 33; ++i) CHECK(std::isnan(run.parameters[i]));
        }
    });

    check::test("clampingLetsANanGradientThrough", [] {
        Context context;
        velu_optimizer_desc desc = optimizer(VELU_OPTIMIZER_SGD, 33);
        desc.clip_value = 1;
        const std::vector<float> gradients(33, NAN);
        std::vector<float> parameters(33, 1.0f);
        const float lr = 0.1f;
        double counters[2] = {0, 1};
        CHECK_SUCCESS(context, velu_optimizer_step(context, &desc, &lr, nullptr, counters, parameters.data(),
                                                   gradients.data(), nullptr, nullptr));
        for (const float value : parameters) CHECK(std::isnan(value));
    });

    check::test("learningRateZeroChangesNoParameter", [] {
        Context context;
        for (const velu_optimizer_desc& desc : algorithms(257)) {
            Run run(desc);
            const std::vector<float> before(run.parameters.data, run.parameters.data + 257);
            run.step(context, 0, 3);
            CHECK(std::vector<float>(run.parameters.data, run.parameters.data + 257) == before);
        }
    });

    const char* why = "other devices cannot look at the learning rate: the parameters become NaN there";
    check::test_on_cpu("learningRateThatIsNotANumberIsRejectedBeforeAnythingChanges", why, [] {
        Context context;
        for (const float lr : {NAN, INFINITY, -1.0f}) {
            const velu_optimizer_desc desc = optimizer(VELU_OPTIMIZER_SGD, 1);
            float parameter = 1;
            const float gradient = 1;
            double counters[2] = {4, 1};
            CHECK_EQUAL(
                velu_optimizer_step(context, &desc, &lr, nullptr, counters, &parameter, &gradient, nullptr, nullptr),
                velu_status{VELU_STATUS_INVALID_ARGUMENT});
            CHECK(std::string(velu_context_last_error(context)).find("learning rate") != std::string::npos);
            CHECK_EQUAL(parameter, 1.0f);
            CHECK_EQUAL(counters[0], 4.0);
        }
    });
    return check::report();
}
