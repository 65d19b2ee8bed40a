// velu_softmax_cross_entropy against the definition in float64.
#include <algorithm>
#include <vector>

#include "check.h"

using check::Context;
using check::Guarded;

namespace {

struct Loss {
    double loss = 0;
    std::vector<double> log_sum_exp;
    std::vector<double> gradient;
};

/// others and shares may be nullptr, together.
Loss reference(const float* logits, const int32_t* labels, int64_t rows, int64_t classes, double smoothing,
               const int32_t* others = nullptr, const float* shares = nullptr) {
    Loss result;
    result.gradient.resize(static_cast<size_t>(rows * classes));
    int64_t labelled = 0;
    for (int64_t row = 0; row < rows; ++row) labelled += labels[row] >= 0;
    const double weight = labelled == 0 ? 0 : 1.0 / static_cast<double>(labelled);
    for (int64_t row = 0; row < rows; ++row) {
        const float* z = logits + row * classes;
        const double maximum = *std::max_element(z, z + classes);
        double sum = 0;
        for (int64_t c = 0; c < classes; ++c) sum += std::exp(z[c] - maximum);
        const double log_sum_exp = maximum + std::log(sum);
        result.log_sum_exp.push_back(log_sum_exp);
        if (labels[row] < 0) continue;
        for (int64_t c = 0; c < classes; ++c) {
            const double share = shares == nullptr ? 1 : static_cast<double>(shares[row]);
            double one_hot = c == labels[row] ? share : 0;
            if (others != nullptr && c == others[row]) one_hot += 1 - share;
            const double target = (1 - smoothing) * one_hot + smoothing / static_cast<double>(classes);
            if (target > 0) result.loss -= weight * target * (z[c] - log_sum_exp);
            result.gradient[static_cast<size_t>(row * classes + c)] = weight * (std::exp(z[c] - log_sum_exp) - target);
        }
    }
    return result;
}

velu_softmax_cross_entropy_desc cross_entropy(int64_t rows, int64_t classes, float smoothing) {
    return {check::device(), VELU_DTYPE_F32, rows, classes, smoothing, 0};
}

float loss_of(velu_context* context, const std::vector<float>& logits, const std::vector<int32_t>& labels,
              float smoothing) {
    const auto rows = static_cast<int64_t>(labels.size());
    const auto desc = cross_entropy(rows, static_cast<int64_t>(logits.size()) / rows, smoothing);
    float loss = -1;
    CHECK_SUCCESS(context, velu_softmax_cross_entropy_forward(context, &desc, logits.data(), labels.data(), nullptr,
                                                              nullptr, &loss, nullptr));
    return loss;
}

}  // namespace

int main() {
    check::test("lossAndGradientMatchFloat64ForOddSizes", [] {
        for (int32_t isa = VELU_ISA_BASELINE; isa <= VELU_ISA_AVX512; ++isa) {
            if (!Context::supported(isa)) continue;
            Context context(2, isa);
            for (const int64_t classes : {1, 2, 10, 31, 33, 257, 1000, 2001}) {
                for (const float smoothing : {0.0f, 0.1f, 1.0f}) {
                    const int64_t rows = 65;
                    const auto desc = cross_entropy(rows, classes, smoothing);
                    Guarded<float> logits(rows * classes, 4), dlogits(rows * classes, 8), log_sum_exp(rows, 4), loss(1);
                    Guarded<int32_t> labels(rows);
                    logits.fill_uniform(static_cast<uint64_t>(classes), -8, 8);
                    for (int64_t row = 0; row < rows; ++row) {
                        labels[row] = row % 7 == 3 ? -1 : static_cast<int32_t>(row * 31 % classes);
                    }
                    const Loss expected = reference(logits, labels, rows, classes, static_cast<double>(smoothing));
                    CHECK_SUCCESS(context, velu_softmax_cross_entropy_forward(context, &desc, logits, labels, nullptr,
                                                                              nullptr, loss, log_sum_exp));
                    CHECK_NEAR(loss[0], expected.loss, 3e-7 * (1 + expected.loss));
                    const float upstream = 3;
                    CHECK_SUCCESS(context,
                                  velu_softmax_cross_entropy_backward(context, &desc, logits, labels, nullptr, nullptr,
                                                                      log_sum_exp, &upstream, dlogits));
                    for (int64_t row = 0; row < rows; ++row) {
                        const double lse = expected.log_sum_exp[static_cast<size_t>(row)];
                        CHECK_NEAR(log_sum_exp[row], lse, 2e-7 * (1 + std::fabs(lse)));
                        for (int64_t c = 0; c < classes; ++c) {
                            // The error of a float32 log_sum_exp near 16 is 1e-6 of a probability; 3 / 56 is the scale.
                            CHECK_NEAR(dlogits[row * classes + c],
                                       3 * expected.gradient[static_cast<size_t>(row * classes + c)],
                                       3.0 / 56 * 1.5e-6);
                            if (labels[row] < 0) CHECK_EQUAL(dlogits[row * classes + c], 0.0f);
                        }
                    }
                }
            }
        }
    });

    check::test("rowsOfTwoClassesMatchFloat64", [] {
        for (int32_t isa = VELU_ISA_BASELINE; isa <= VELU_ISA_AVX512; ++isa) {
            if (!Context::supported(isa)) continue;
            Context context(2, isa);
            for (const int64_t classes : {1, 2, 33, 1000}) {
                for (const float smoothing : {0.0f, 0.1f, 1.0f}) {
                    const int64_t rows = 33;
                    const auto desc = cross_entropy(rows, classes, smoothing);
                    Guarded<float> logits(rows * classes, 4), dlogits(rows * classes, 8), log_sum_exp(rows, 4), loss(1);
                    Guarded<float> shares(rows, 4);
                    Guarded<int32_t> labels(rows), others(rows, 4);
                    logits.fill_uniform(static_cast<uint64_t>(classes), -8, 8);
                    for (int64_t row = 0; row < rows; ++row) {
                        labels[row] = row % 7 == 3 ? -1 : static_cast<int32_t>(row * 31 % classes);
                        others[row] = row % 7 == 3 ? -9 : static_cast<int32_t>(row * 13 % classes);
                        shares[row] = row % 7 == 3 ? NAN : static_cast<float>(row % 5) / 4;
                    }
                    const Loss expected =
                        reference(logits, labels, rows, classes, static_cast<double>(smoothing), others, shares);
                    CHECK_SUCCESS(context, velu_softmax_cross_entropy_forward(context, &desc, logits, labels, others,
                                                                              shares, loss, log_sum_exp));
                    CHECK_NEAR(loss[0], expected.loss, 3e-7 * (1 + expected.loss));
                    CHECK_SUCCESS(context, velu_softmax_cross_entropy_backward(context, &desc, logits, labels, others,
                                                                               shares, log_sum_exp, nullptr, dlogits));
                    for (int64_t i = 0; i < rows * classes; ++i) {
                        CHECK_NEAR(dlogits[i], expected.gradient[static_cast<size_t>(i)], 1.0 / 28 * 1.5e-6);
                    }
                }
            }
        }
    });

    check::test("aShareOfOneGivesTheBitsOfRowsOfOneClass", [] {
        Context context;
        const int64_t rows = 17;
        const auto desc = cross_entropy(rows, 10, 0.1f);
        Guarded<float> logits(rows * 10), dlogits(rows * 10), mixed(rows * 10), log_sum_exp(rows), loss(2),
            shares(rows);
        Guarded<int32_t> labels(rows), others(rows);
        logits.fill_uniform(9, -8, 8);
        for (int64_t row = 0; row < rows; ++row) {
            labels[row] = static_cast<int32_t>(row % 10);
            others[row] = static_cast<int32_t>(row * 3 % 10);
            shares[row] = 1;
        }
        CHECK_SUCCESS(context, velu_softmax_cross_entropy_forward(context, &desc, logits, labels, nullptr, nullptr,
                                                                  loss, log_sum_exp));
        CHECK_SUCCESS(context, velu_softmax_cross_entropy_backward(context, &desc, logits, labels, nullptr, nullptr,
                                                                   log_sum_exp, nullptr, dlogits));
        CHECK_SUCCESS(context, velu_softmax_cross_entropy_forward(context, &desc, logits, labels, others, shares,
                                                                  loss.data + 1, log_sum_exp));
        CHECK_SUCCESS(context, velu_softmax_cross_entropy_backward(context, &desc, logits, labels, others, shares,
                                                                   log_sum_exp, nullptr, mixed));
        CHECK_EQUAL(loss[1], loss[0]);
        for (int64_t i = 0; i < rows * 10; ++i) CHECK_EQUAL(mixed[i], dlogits[i]);
    });

    check::test("bitsDoNotDependOnInstructionSetOrThreads", [] {
        const int64_t rows = 129;
        const int64_t classes = 257;
        const auto desc = cross_entropy(rows, classes, 0.1f);
        Guarded<float> logits(rows * classes);
        Guarded<int32_t> labels(rows);
        logits.fill_uniform(3, -20, 20);
        for (int64_t row = 0; row < rows; ++row) labels[row] = static_cast<int32_t>(row * 2);
        std::vector<float> expected;
        for (int32_t isa = VELU_ISA_BASELINE; isa <= VELU_ISA_AVX512; ++isa) {
            if (!Context::supported(isa)) continue;
            for (int32_t threads = 1; threads <= check::most_threads(); ++threads) {
                Context context(threads, isa);
                std::vector<float> all(static_cast<size_t>(1 + rows + rows * classes));
                CHECK_SUCCESS(context, velu_softmax_cross_entropy_forward(context, &desc, logits, labels, nullptr,
                                                                          nullptr, all.data(), all.data() + 1));
                CHECK_SUCCESS(context,
                              velu_softmax_cross_entropy_backward(context, &desc, logits, labels, nullptr, nullptr,
                                                                  all.data() + 1, nullptr, all.data() + 1 + rows));
                if (expected.empty()) expected = all;
                CHECK(std::memcmp(all.data(), expected.data(), all.size() * sizeof(float)) == 0);
            }
        }
    });

    check::test("gradientMatchesCentralDifferences", [] {
        Context context;
        const int64_t classes = 7;
        const auto desc = cross_entropy(2, classes, 0.2f);
        Guarded<float> logits(2 * classes), dlogits(2 * classes), log_sum_exp(2), loss(1);
        logits.fill_uniform(8, -2, 2);
        const int32_t labels[2] = {3, 0};
        CHECK_SUCCESS(context, velu_softmax_cross_entropy_forward(context, &desc, logits, labels, nullptr, nullptr,
                                                                  loss, log_sum_exp));
        CHECK_SUCCESS(context, velu_softmax_cross_entropy_backward(context, &desc, logits, labels, nullptr, nullptr,
                                                                   log_sum_exp, nullptr, dlogits));
        const float step = 0.0625f;
        for (int64_t i = 0; i < 2 * classes; ++i) {
            float sides[2];
            const float centre = logits[i];
            for (int side = 0; side < 2; ++side) {
                logits[i] = centre + (side == 0 ? -step : step);
                CHECK_SUCCESS(context, velu_softmax_cross_entropy_forward(context, &desc, logits, labels, nullptr,
                                                                          nullptr, &sides[side], nullptr));
            }
            logits[i] = centre;
            CHECK_NEAR(dlogits[i], (sides[1] - sides[0]) / (2 * step), 2e-4);
        }
    });

    check::test("probabilitiesAreAccurateOverTheWholeRangeOfTheExponential", [] {
        for (int32_t isa = VELU_ISA_BASELINE; isa <= VELU_ISA_AVX512; ++isa) {
            if (!Context::supported(isa)) continue;
            Context context(1, isa);
            const int64_t classes = 120001;
            const auto desc = cross_entropy(1, classes, 0);
            Guarded<float> logits(classes), dlogits(classes);
            for (int64_t c = 0; c < classes; ++c) logits[c] = -120 + static_cast<float>(c) * 1e-3f;
            const int32_t label = 0;
            const float log_sum_exp = 0;  // so that the gradient is exp(logits) but for the label
            CHECK_SUCCESS(context, velu_softmax_cross_entropy_backward(context, &desc, logits, &label, nullptr, nullptr,
                                                                       &log_sum_exp, nullptr, dlogits));
            for (int64_t c = 1; c < classes; ++c) {
                const double expected = std::exp(static_cast<double>(logits[c]));
                CHECK_NEAR(dlogits[c], expected, 2e-7 * expected + 1.2e-38);
            }
        }
    });

    check::test("largeLogitsDoNotOverflow", [] {
        Context context;
        CHECK_NEAR(loss_of(context, {3e38f, -3e38f, 3e38f}, {0}, 0), std::log(2.0), 1e38 * 1e-7);
        CHECK_NEAR(loss_of(context, {1000, 0}, {1}, 0), 1000, 1e-4);
        CHECK_NEAR(loss_of(context, {1000, 0}, {0}, 0), 0, 0);
        CHECK_EQUAL(loss_of(context, {-INFINITY, 0}, {1}, 0), 0.0f);
        CHECK_EQUAL(loss_of(context, {-INFINITY, 0}, {0}, 0), INFINITY);
        CHECK_EQUAL(loss_of(context, {-INFINITY, 0}, {0}, 1), INFINITY);
    });

    check::test("aNanOrInfiniteLogitMakesTheLossNan", [] {
        for (int32_t isa = VELU_ISA_BASELINE; isa <= VELU_ISA_AVX512; ++isa) {
            if (!Context::supported(isa)) continue;
            Context context(1, isa);
            for (const float bad : {NAN, INFINITY}) {
                for (const size_t where : {size_t{0}, size_t{20}, size_t{32}}) {
                    std::vector<float> logits(33);
                    logits[where] = bad;
                    CHECK(std::isnan(loss_of(context, logits, {5}, 0.1f)));
                    const auto desc = cross_entropy(1, 33, 0);
                    const int32_t label = 5;
                    float loss, log_sum_exp;
                    std::vector<float> gradient(33);
                    CHECK_SUCCESS(context, velu_softmax_cross_entropy_forward(context, &desc, logits.data(), &label,
                                                                              nullptr, nullptr, &loss, &log_sum_exp));
                    CHECK_SUCCESS(context,
                                  velu_softmax_cross_entropy_backward(context, &desc, logits.data(), &label, nullptr,
                                                                      nullptr, &log_sum_exp, nullptr, gradient.data()));
                    for (const float value : gradient) CHECK(std::isnan(value));
                }
            }
        }
    });

    check::test("lossIsZeroIfNoRowHasALabel", [] {
        Context context;
        CHECK_EQUAL(loss_of(context, {1, 2, 3, 4}, {-1, -1}, 0.1f), 0.0f);
    });

    const char* why = "other devices cannot look at labels: the loss is NaN there";
    check::test_on_cpu("labelOutOfRangeNamesRowValueAndRange", why, [] {
        Context context;
        const auto desc = cross_entropy(3, 10, 0);
        const std::vector<float> logits(30);
        for (const int32_t label : {10, -2, INT32_MAX, INT32_MIN}) {
            const int32_t labels[3] = {9, label, -1};
            float loss = 7;
            const float log_sum_exp[3] = {0, 0, 0};
            std::vector<float> gradient(30, 7.0f);
            for (const bool forward : {true, false}) {
                const velu_status status =
                    forward ? velu_softmax_cross_entropy_forward(context, &desc, logits.data(), labels, nullptr,
                                                                 nullptr, &loss, nullptr)
                            : velu_softmax_cross_entropy_backward(context, &desc, logits.data(), labels, nullptr,
                                                                  nullptr, log_sum_exp, nullptr, gradient.data());
                CHECK_EQUAL(status, velu_status{VELU_STATUS_INVALID_ARGUMENT});
                const std::string message = velu_context_last_error(context);
                CHECK(message.find("row 1 is " + std::to_string(label)) != std::string::npos);
                CHECK(message.find("0 to 9") != std::string::npos);
            }
            CHECK_EQUAL(loss, 7.0f);
            CHECK(gradient == std::vector<float>(30, 7.0f));
        }
    });
    check::test_on_cpu("otherLabelOrShareOutOfRangeNamesRowAndValue", why, [] {
        Context context;
        const auto desc = cross_entropy(2, 10, 0);
        const std::vector<float> logits(20);
        const int32_t labels[2] = {1, 2};
        float loss = 7;
        const auto message = [&](int32_t other, float share) {
            const int32_t others[2] = {3, other};
            const float shares[2] = {1, share};
            CHECK_EQUAL(velu_softmax_cross_entropy_forward(context, &desc, logits.data(), labels, others, shares, &loss,
                                                           nullptr),
                        velu_status{VELU_STATUS_INVALID_ARGUMENT});
            return std::string(velu_context_last_error(context));
        };
        CHECK(message(10, 0.5f).find("the other label of row 1 is 10; it must be 0 to 9") != std::string::npos);
        CHECK(message(-1, 0.5f).find("the other label of row 1 is -1") != std::string::npos);
        CHECK(message(4, 1.5f).find("the label share of row 1 is 1.5; it must be 0 to 1") != std::string::npos);
        CHECK(message(4, NAN).find("the label share of row 1 is") != std::string::npos);
        CHECK_EQUAL(loss, 7.0f);
    });
    return check::report();
}
