// velu_gradient_norm against a sum in extended precision.
#include <vector>

#include "check.h"

using check::Context;
using check::Guarded;

namespace {

float norm_of(velu_context* context, const float* values, int64_t count) {
    const velu_gradient_norm_desc desc{check::device(), VELU_DTYPE_F32, count};
    Guarded<float> norm(1);
    CHECK_SUCCESS(context, velu_gradient_norm(context, &desc, values, norm));
    return norm[0];
}

}  // namespace

int main() {
    check::test("normMatchesExtendedPrecision", [] {
        Context context(2);
        for (const int64_t count : {1, 31, 33, 257, 16384, 16385, 1000003}) {
            Guarded<float> values(count, 4);
            values.fill_uniform(static_cast<uint64_t>(count), -3, 3);
            long double sum = 0;
            for (int64_t i = 0; i < count; ++i) sum += static_cast<long double>(values[i]) * values[i];
            const double expected = static_cast<double>(std::sqrt(sum));
            CHECK_NEAR(norm_of(context, values, count), expected, 6e-8 * expected);
        }
    });

    check::test("bitsDoNotDependOnInstructionSetOrThreads", [] {
        const int64_t count = 16384 * 5 + 77;
        Guarded<float> values(count);
        values.fill_uniform(5, -1e3, 1e3);
        Context reference(1, VELU_ISA_BASELINE);
        const float expected = norm_of(reference, values, count);
        for (int32_t isa = VELU_ISA_BASELINE; isa <= VELU_ISA_AVX512; ++isa) {
            if (!Context::supported(isa)) continue;
            for (int32_t threads = 1; threads <= check::most_threads(); ++threads) {
                Context context(threads, isa);
                CHECK_EQUAL(norm_of(context, values, count), expected);
            }
        }
    });

    check::test("squaresNeitherOverflowNorUnderflow", [] {
        Context context;
        const std::vector<float> large(4, 1e38f);
        CHECK_NEAR(norm_of(context, large.data(), 4), 2e38, 1e31);
        const std::vector<float> small(4, 1e-38f);
        CHECK_NEAR(norm_of(context, small.data(), 4), 2e-38, 1e-44);
    });

    check::test("notFiniteGradientsShowInTheNorm", [] {
        Context context;
        std::vector<float> values(1000, 1.0f);
        values[700] = INFINITY;
        CHECK_EQUAL(norm_of(context, values.data(), 1000), INFINITY);
        values[3] = NAN;
        CHECK(std::isnan(norm_of(context, values.data(), 1000)));
    });
    return check::report();
}
