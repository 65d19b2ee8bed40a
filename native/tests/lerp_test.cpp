// velu_lerp against the formula in float64.
#include <vector>

#include "check.h"

using check::Context;
using check::Guarded;

namespace {

velu_lerp_desc lerp(int64_t count) {
    return {check::device(), VELU_DTYPE_F32, count};
}

}  // namespace

int main() {
    check::test("averageGoesByTheWeightTowardsTheValuesWhateverTheSizeAndTheInstructionSet", [] {
        for (int32_t isa = VELU_ISA_BASELINE; isa <= VELU_ISA_AVX512; ++isa) {
            if (!Context::supported(isa)) continue;
            Context context(2, isa);
            for (const int64_t count : {1, 31, 33, 257, 16385, 100003}) {
                for (const float given : {0.0f, 0.001f, 0.5f}) {
                    const velu_lerp_desc desc = lerp(count);
                    Guarded<float> weight(1), values(count, 4), average(count, 4);
                    weight[0] = given;
                    values.fill_uniform(1, -3, 3);
                    average.fill_uniform(2, -3, 3);
                    const std::vector<float> before(average.data, average.data + count);
                    CHECK_SUCCESS(context, velu_lerp(context, &desc, weight, values, average));
                    for (int64_t i = 0; i < count; ++i) {
                        const double old = before[static_cast<size_t>(i)];
                        CHECK_NEAR(average[i], old + static_cast<double>(given) * (values[i] - old), 1e-6);
                    }
                }
            }
        }
    });

    check::test("aWeightOfOneTakesTheValuesWhateverTheAverageWas", [] {
        Context context;
        const velu_lerp_desc desc = lerp(100);
        Guarded<float> weight(1), values(100), average(100);
        weight[0] = 1;
        values.fill_uniform(3);
        for (int64_t i = 0; i < 100; ++i) average[i] = i % 2 == 0 ? NAN : INFINITY;
        CHECK_SUCCESS(context, velu_lerp(context, &desc, weight, values, average));
        for (int64_t i = 0; i < 100; ++i) CHECK_EQUAL(average[i], values[i]);
    });

    check::test("aWeightOutsideItsRangeIsAnErrorOnTheCpuAndMakesTheAverageNanElsewhere", [] {
        Context context;
        const velu_lerp_desc desc = lerp(33);
        for (const float wrong : {-0.5f, 1.5f, NAN, INFINITY}) {
            Guarded<float> weight(1), values(33), average(33);
            weight[0] = wrong;
            values.fill_uniform(4);
            average.fill_uniform(5);
            const float first = average[0];
            const velu_status status = velu_lerp(context, &desc, weight, values, average);
            if (check::on_cpu()) {
                CHECK_EQUAL(status, velu_status{VELU_STATUS_INVALID_ARGUMENT});
                CHECK(std::string(velu_context_last_error(context)).find("0 to 1") != std::string::npos);
                CHECK_EQUAL(average[0], first);
            } else {
                CHECK_SUCCESS(context, status);
                for (int64_t i = 0; i < 33; ++i) CHECK(std::isnan(average[i]));
            }
        }
    });

    check::test("anAverageThatOverlapsTheValuesIsRefused", [] {
        Context context;
        const velu_lerp_desc desc = lerp(16);
        Guarded<float> weight(1), values(32);
        weight[0] = 0.5f;
        values.fill_uniform(6);
        CHECK_EQUAL(velu_lerp(context, &desc, weight, values, values.data + 8),
                    velu_status{VELU_STATUS_INVALID_ARGUMENT});
    });

    check::test("noElementsAreNothingToDo", [] {
        Context context;
        const velu_lerp_desc desc = lerp(0);
        CHECK_SUCCESS(context, velu_lerp(context, &desc, nullptr, nullptr, nullptr));
    });
    return check::report();
}
