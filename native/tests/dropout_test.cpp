// velu_dropout: the mask, its rate and what it depends on.
#include <initializer_list>
#include <vector>

#include "check.h"

using check::Context;
using check::Guarded;

namespace {

velu_dropout_desc dropout(int64_t count, float probability, uint64_t seed = 42, uint32_t stream = 7,
                          int64_t group = 1) {
    return {check::device(), VELU_DTYPE_F32, count, seed, stream, probability, group};
}

/// Dropout of ones: 0 or 1 / (1 - probability).
std::vector<float> mask(velu_context* context, const velu_dropout_desc& desc, int64_t step) {
    const std::vector<float> ones(static_cast<size_t>(desc.count), 1.0f);
    std::vector<float> y(ones.size());
    CHECK_SUCCESS(context, velu_dropout_forward(context, &desc, &step, ones.data(), y.data()));
    return y;
}

double agreement(const std::vector<float>& a, const std::vector<float>& b) {
    double equal = 0;
    for (size_t i = 0; i < a.size(); ++i) equal += a[i] == b[i];
    return equal / static_cast<double>(a.size());
}

}  // namespace

int main() {
    check::test("maskIsTheSameForEveryInstructionSetAndThreadCount", [] {
        const velu_dropout_desc desc = dropout(16384 * 3 + 33, 0.3f);
        Context reference(1, VELU_ISA_BASELINE);
        const std::vector<float> expected = mask(reference, desc, 5);
        for (int32_t isa = VELU_ISA_BASELINE; isa <= VELU_ISA_AVX512; ++isa) {
            if (!Context::supported(isa)) continue;
            for (int32_t threads = 1; threads <= check::most_threads(); ++threads) {
                Context context(threads, isa);
                CHECK(mask(context, desc, 5) == expected);
            }
        }
    });

    check::test("aGroupSharesTheDecisionOfItsIndex", [] {
        for (int32_t isa = VELU_ISA_BASELINE; isa <= VELU_ISA_AVX512; ++isa) {
            if (!Context::supported(isa)) continue;
            for (int32_t threads = 1; threads <= check::most_threads(); ++threads) {
                Context context(threads, isa);
                for (const int64_t group : {1, 2, 3, 7, 64, 1000, 20011}) {
                    constexpr int64_t kGroups = 9;
                    const std::vector<float> decisions = mask(context, dropout(kGroups, 0.5f), 5);
                    const std::vector<float> values = mask(context, dropout(kGroups * group, 0.5f, 42, 7, group), 5);
                    for (size_t i = 0; i < values.size(); ++i) {
                        CHECK_EQUAL(values[i], decisions[i / static_cast<size_t>(group)]);
                    }
                }
            }
        }
    });

    check::test("groupsAreDroppedInPlaceEvenWhereTheInputIsNotFinite", [] {
        Context context(2);
        const velu_dropout_desc desc = dropout(40 * 500, 0.5f, 42, 7, 500);
        const int64_t step = 3;
        const std::vector<float> kept = mask(context, desc, step);
        Guarded<float> x(desc.count), y(desc.count), dx(desc.count);
        x.fill_uniform(4, 1, 2);
        x[0] = x[7 * 500 + 3] = NAN;
        CHECK_SUCCESS(context, velu_dropout_forward(context, &desc, &step, x, y));
        CHECK_SUCCESS(context, velu_dropout_backward(context, &desc, &step, x, dx));
        CHECK_SUCCESS(context, velu_dropout_forward(context, &desc, &step, x, x));
        CHECK_EQUAL(std::memcmp(x, y, y.bytes), 0);
        CHECK_EQUAL(std::memcmp(dx, y, y.bytes), 0);
        for (int64_t i = 0; i < y.size; ++i) CHECK_EQUAL(y[i] == 0.0f, kept[static_cast<size_t>(i)] == 0.0f);
    });

    check::test("aGroupThatDoesNotDivideTheCountIsRejected", [] {
        Context context;
        const int64_t step = 0;
        Guarded<float> x(10), y(10);
        for (const int64_t group : {int64_t{3}, int64_t{0}, int64_t{-1}, int64_t{20}}) {
            const velu_dropout_desc desc = dropout(10, 0.5f, 42, 7, group);
            CHECK_EQUAL(velu_dropout_forward(context, &desc, &step, x, y), VELU_STATUS_INVALID_ARGUMENT);
        }
    });

    check::test("elementDoesNotDependOnTheCount", [] {
        Context context;
        const std::vector<float> longest = mask(context, dropout(1000, 0.5f), 0);
        for (const int64_t count : {1, 31, 33, 257}) {
            const std::vector<float> shorter = mask(context, dropout(count, 0.5f), 0);
            for (int64_t i = 0; i < count; ++i) {
                CHECK_EQUAL(shorter[static_cast<size_t>(i)], longest[static_cast<size_t>(i)]);
            }
        }
    });

    check::test("backwardUsesTheMaskOfForward", [] {
        Context context(2);
        const velu_dropout_desc desc = dropout(257, 0.4f);
        const int64_t step = int64_t{1} << 40;
        Guarded<float> x(257), y(257, 4), dy(257), dx(257, 8);
        x.fill_uniform(1, 1, 2);
        dy.fill_uniform(2, 1, 2);
        CHECK_SUCCESS(context, velu_dropout_forward(context, &desc, &step, x, y));
        CHECK_SUCCESS(context, velu_dropout_backward(context, &desc, &step, dy, dx));
        const float scale = static_cast<float>(1.0 / (1.0 - static_cast<double>(0.4f)));
        for (int i = 0; i < 257; ++i) {
            CHECK(y[i] == 0.0f || y[i] == x[i] * scale);
            CHECK_EQUAL(dx[i], y[i] == 0.0f ? 0.0f : dy[i] * scale);
        }
        CHECK_SUCCESS(context, velu_dropout_backward(context, &desc, &step, dy, dy));  // in place
        for (int i = 0; i < 257; ++i) CHECK_EQUAL(dy[i], dx[i]);
    });

    check::test("droppedShareMatchesTheProbability", [] {
        Context context(2);
        const int64_t count = 1000000;
        for (const float probability : {0.1f, 0.5f, 0.9f}) {
            double dropped = 0;
            for (const float value : mask(context, dropout(count, probability), 3)) dropped += value == 0.0f;
            const double p = static_cast<double>(probability);
            // Five standard deviations of a binomial share.
            CHECK_NEAR(dropped / static_cast<double>(count), p,
                       5 * std::sqrt(p * (1 - p) / static_cast<double>(count)));
        }
    });

    check::test("probabilityZeroKeepsEveryBit", [] {
        Context context;
        const velu_dropout_desc desc = dropout(257, 0.0f);
        const int64_t step = 0;
        Guarded<float> x(257), y(257);
        x.fill_uniform(9);
        CHECK_SUCCESS(context, velu_dropout_forward(context, &desc, &step, x, y));
        CHECK(std::memcmp(x.data, y.data, x.bytes) == 0);
    });

    check::test("seedStreamAndStepEachGiveAnIndependentMask", [] {
        Context context;
        const std::vector<float> base = mask(context, dropout(100000, 0.5f), 1);
        const std::vector<float> others[] = {
            mask(context, dropout(100000, 0.5f, 43, 7), 1),
            mask(context, dropout(100000, 0.5f, 42, 8), 1),
            mask(context, dropout(100000, 0.5f), 2),
            mask(context, dropout(100000, 0.5f), 1 + (int64_t{1} << 32)),
        };
        for (const std::vector<float>& other : others) CHECK_NEAR(agreement(base, other), 0.5, 0.01);
    });

    check::test("maskIsIndependentOfTheRandomNumbersOfTheSameSeedAndStream", [] {
        Context context;
        const int64_t count = 100000;
        for (const int64_t step : {int64_t{0}, int64_t{3}}) {
            // The stream whose words would be the mask's, had both the same key.
            const velu_random_desc desc{check::device(),
                                        VELU_DTYPE_F32,
                                        count,
                                        42,
                                        7 + (static_cast<uint64_t>(step) << 32),
                                        VELU_DISTRIBUTION_UNIFORM,
                                        0,
                                        1,
                                        0,
                                        0,
                                        0};
            std::vector<float> numbers(static_cast<size_t>(count));
            CHECK_SUCCESS(context, velu_random_fill(context, &desc, numbers.data()));
            for (float& number : numbers) number = number < 0.5f ? 0.0f : 2.0f;
            CHECK_NEAR(agreement(mask(context, dropout(count, 0.5f), step), numbers), 0.5, 0.01);
        }
    });

    check::test("maskIsTheOneOfEveryEarlierVersion", [] {
        Context context;
        const std::vector<float> values = mask(context, dropout(64, 0.5f), 5);
        uint64_t bits = 0;
        for (size_t i = 0; i < 64; ++i) bits |= static_cast<uint64_t>(values[i] != 0.0f) << i;
        CHECK_EQUAL(bits, uint64_t{0x4C4360AEC5C8671C});
    });

    check::test("droppedElementIsZeroEvenWhereTheInputIsNotFinite", [] {
        Context context;
        const velu_dropout_desc desc = dropout(1000, 0.5f);
        const int64_t step = 0;
        const std::vector<float> kept = mask(context, desc, step);
        for (const float value : {NAN, INFINITY}) {
            const std::vector<float> x(1000, value);
            std::vector<float> y(1000);
            CHECK_SUCCESS(context, velu_dropout_forward(context, &desc, &step, x.data(), y.data()));
            for (size_t i = 0; i < y.size(); ++i) CHECK(kept[i] == 0.0f ? y[i] == 0.0f : !std::isfinite(y[i]));
        }
    });
    return check::report();
}
