// Values in device memory cannot be checked before a kernel reads them: what a wrong one does on CUDA. (On the CPU it
// is an error, which the operations' own tests show.)
#include "check.h"

using check::Context;
using check::Guarded;

namespace {

constexpr int32_t kWrongLabels[] = {-2, INT32_MIN, 10, INT32_MAX};  // of 10 classes

}  // namespace

int main() {
    if (check::on_cpu()) {
        std::fprintf(stderr, "skip: on the CPU wrong labels and learning rates are errors\n");
        return EXIT_SUCCESS;
    }

    check::test("aLabelThatIsNoClassMakesTheLossNanAndItsRowsGradientZero", [] {
        Context context;
        const velu_softmax_cross_entropy_desc desc{check::device(), VELU_DTYPE_F32, 3, 10, 0.1f, 0};
        for (const int32_t wrong : kWrongLabels) {
            Guarded<float> logits(30), loss(1), sums(3), dlogits(30);
            Guarded<int32_t> labels(3);
            logits.fill_uniform(1);
            labels[0] = 4;
            labels[1] = wrong;
            labels[2] = -1;
            CHECK_SUCCESS(context, velu_softmax_cross_entropy_forward(context, &desc, logits, labels, nullptr, nullptr,
                                                                      loss, sums));
            CHECK_SUCCESS(context, velu_softmax_cross_entropy_backward(context, &desc, logits, labels, nullptr, nullptr,
                                                                       sums, nullptr, dlogits));
            CHECK(std::isnan(loss[0]));
            for (int64_t c = 0; c < 10; ++c) {
                CHECK(dlogits[c] != 0 && std::isfinite(dlogits[c]));
                CHECK_EQUAL(dlogits[10 + c], 0.0f);
                CHECK_EQUAL(dlogits[20 + c], 0.0f);
            }
        }
    });

    check::test("anOtherLabelOrShareThatIsNoneMakesTheLossNanAndItsRowsGradientZero", [] {
        Context context;
        const velu_softmax_cross_entropy_desc desc{check::device(), VELU_DTYPE_F32, 2, 10, 0.1f, 0};
        for (const int32_t wrong : {-1, 10, 3}) {
            Guarded<float> logits(20), loss(1), sums(2), dlogits(20), shares(2);
            Guarded<int32_t> labels(2), others(2);
            logits.fill_uniform(1);
            for (int row = 0; row < 2; ++row) {
                labels[row] = 4;
                others[row] = 5;
                shares[row] = 0.5f;
            }
            others[1] = wrong;
            if (wrong == 3) shares[1] = 1.5f;
            CHECK_SUCCESS(context, velu_softmax_cross_entropy_forward(context, &desc, logits, labels, others, shares,
                                                                      loss, sums));
            CHECK_SUCCESS(context, velu_softmax_cross_entropy_backward(context, &desc, logits, labels, others, shares,
                                                                       sums, nullptr, dlogits));
            CHECK(std::isnan(loss[0]));
            for (int64_t c = 0; c < 10; ++c) {
                CHECK(dlogits[c] != 0 && std::isfinite(dlogits[c]));
                CHECK_EQUAL(dlogits[10 + c], 0.0f);
            }
        }
    });

    check::test("aLabelThatIsNoClassIsNeverCorrect", [] {
        Context context;
        const velu_top_k_desc desc{check::device(), VELU_DTYPE_F32, 3, 10, 100, 0};
        for (const int32_t wrong : kWrongLabels) {
            Guarded<float> logits(30);
            Guarded<int32_t> labels(3);
            Guarded<int64_t> count(1);
            logits.fill_uniform(2);
            labels[0] = 4;
            labels[1] = wrong;
            labels[2] = 0;
            CHECK_SUCCESS(context, velu_top_k_count(context, &desc, logits, labels, count));
            CHECK_EQUAL(count[0], int64_t{2});
        }
    });

    check::test("aLearningRateThatIsNoneMakesTheParametersNan", [] {
        Context context;
        for (const int32_t algorithm :
             {VELU_OPTIMIZER_SGD, VELU_OPTIMIZER_ADAM, VELU_OPTIMIZER_ADAMW, VELU_OPTIMIZER_NADAM}) {
            for (const float wrong : {NAN, INFINITY, -1.0f}) {
                const velu_optimizer_desc desc{check::device(), VELU_DTYPE_F32, 33, algorithm, 0, 0.9f, 0.9f,
                                               0.999f,          1e-8f,          0,  0,         0, 0};
                Guarded<float> rate(1), parameters(33), gradients(33), state0(33), state1(33);
                Guarded<double> counters(2);
                rate[0] = wrong;
                counters[0] = 0;
                counters[1] = 1;
                parameters.fill_uniform(3);
                gradients.fill_uniform(4);
                state0.fill_uniform(5, 0, 1);
                state1.fill_uniform(6, 0, 1);
                CHECK_SUCCESS(context, velu_optimizer_step(context, &desc, rate, nullptr, counters, parameters,
                                                           gradients, state0, state1));
                for (int64_t i = 0; i < 33; ++i) CHECK(std::isnan(parameters[i]));
            }
        }
    });
    return check::report();
}
