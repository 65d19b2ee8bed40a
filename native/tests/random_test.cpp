// velu_random_fill: the generator against its authors' vectors, the distributions against mathematics, and the sequence
// against itself: a change of any number would change every seeded run.
#include <algorithm>
#include <initializer_list>
#include <vector>

#include "../src/math/philox.h"
#include "check.h"

using check::Context;
using check::Guarded;

namespace {

velu_random_desc uniform(int64_t count, float a, float b, uint64_t seed = 42, uint64_t stream = 7) {
    return {check::device(), VELU_DTYPE_F32, count, seed, stream, VELU_DISTRIBUTION_UNIFORM, a, b, 0, 0, 0};
}

velu_random_desc normal(int64_t count, float mean, float deviation, uint64_t seed = 42, uint64_t stream = 7) {
    return {check::device(), VELU_DTYPE_F32, count, seed, stream, VELU_DISTRIBUTION_NORMAL, mean, deviation, 0, 0, 0};
}

velu_random_desc truncated(int64_t count, float mean, float deviation, float low, float high) {
    velu_random_desc desc = normal(count, mean, deviation);
    desc.distribution = VELU_DISTRIBUTION_TRUNCATED_NORMAL;
    desc.low = low;
    desc.high = high;
    return desc;
}

std::vector<float> draw(velu_context* context, const velu_random_desc& desc) {
    Guarded<float> out(desc.count, 4);
    CHECK_SUCCESS(context, velu_random_fill(context, &desc, out));
    return {out.data, out.data + desc.count};
}

double mean_of(const std::vector<float>& values, int power = 1, double centre = 0) {
    long double sum = 0;
    for (const float value : values) sum += std::pow(static_cast<double>(value) - centre, power);
    return static_cast<double>(sum / static_cast<long double>(values.size()));
}

/// Largest distance of the empirical distribution from cdf (Kolmogorov and Smirnov), times sqrt(n): above 1.95 with a
/// probability of 0.1 %.
template <class Cdf>
double distance(std::vector<float> values, const Cdf& cdf) {
    std::sort(values.begin(), values.end());
    const double n = static_cast<double>(values.size());
    double largest = 0;
    for (size_t i = 0; i < values.size(); ++i) {
        const double p = cdf(static_cast<double>(values[i]));
        const double rank = static_cast<double>(i);
        largest = std::max({largest, std::fabs(p - rank / n), std::fabs(p - (rank + 1) / n)});
    }
    return largest * std::sqrt(n);
}

double normal_cdf(double z) {
    return 0.5 * std::erfc(-z / std::sqrt(2.0));
}

void check_block(const velu::PhiloxBlock& block, uint32_t w0, uint32_t w1, uint32_t w2, uint32_t w3) {
    CHECK_EQUAL(block.word[0], w0);
    CHECK_EQUAL(block.word[1], w1);
    CHECK_EQUAL(block.word[2], w2);
    CHECK_EQUAL(block.word[3], w3);
}

}  // namespace

int main() {
    check::test("philoxGivesTheKnownAnswersOfItsAuthors", [] {
        constexpr uint32_t kAll = 0xFFFFFFFFu;
        check_block(velu::philox4x32_10(0, 0, 0, 0, 0, 0), 0x6627e8d5, 0xe169c58d, 0xbc57ac4c, 0x9b00dbd8);
        check_block(velu::philox4x32_10(kAll, kAll, kAll, kAll, kAll, kAll), 0x408f276d, 0x41c83b0e, 0xa20bc7c6,
                    0x6d5451fd);
        check_block(velu::philox4x32_10(0x243f6a88, 0x85a308d3, 0x13198a2e, 0x03707344, 0xa4093822, 0x299f31d0),
                    0xd16cfe09, 0x94fdcceb, 0x5001e420, 0x24126ea1);
    });

    check::test("uniformNumbersAreTheUpper24BitsOfTheWordsInOrder", [] {
        Context context;
        const uint64_t seed = 0x0123456789ABCDEFu;
        const uint64_t stream = 0xFEDCBA9876543210u;
        const std::vector<float> values = draw(context, uniform(1000, 0, 16777216.0f, seed, stream));
        for (uint32_t i = 0; i < 1000; ++i) {
            const velu::PhiloxBlock block =
                velu::philox4x32_10(i / 4, 0, 0x76543210u, 0xFEDCBA98u, 0x89ABCDEFu, 0x01234567u);
            CHECK_EQUAL(values[i], static_cast<float>(block.word[i % 4] >> 8));
        }
    });

    check::test("normalNumbersAreBoxAndMullersInExtendedPrecision", [] {
        Context context;
        const std::vector<float> values = draw(context, normal(100000, 0, 1));
        for (uint32_t i = 0; i < 100000; ++i) {
            const velu::PhiloxBlock block = velu::philox4x32_10(i / 4, 0, 7, 0, 42, 0);
            const uint32_t* pair = block.word + i % 4 / 2 * 2;
            const long double u = (static_cast<long double>(pair[0]) + 1) / 4294967296.0L;
            const long double angle = 2 * acosl(-1.0L) * pair[1] / 4294967296.0L;
            const long double radius = sqrtl(-2 * logl(u));
            const double expected = static_cast<double>(radius * (i % 2 == 0 ? cosl(angle) : sinl(angle)));
            CHECK_NEAR(values[i], expected, 6e-8 * std::fabs(expected) + 1e-15);
        }
    });

    check::test("bitsDoNotDependOnInstructionSetOrThreads", [] {
        const int64_t count = 16384 * 2 + 257;
        const velu_random_desc descs[] = {uniform(count, -1, 1), normal(count, 1, 2), truncated(count, 0, 1, -1, 0.5f)};
        for (const velu_random_desc& desc : descs) {
            Context reference(1, VELU_ISA_BASELINE);
            const std::vector<float> expected = draw(reference, desc);
            for (int32_t isa = VELU_ISA_BASELINE; isa <= VELU_ISA_AVX512; ++isa) {
                if (!Context::supported(isa)) continue;
                for (int32_t threads = 1; threads <= check::most_threads(); ++threads) {
                    Context context(threads, isa);
                    CHECK(draw(context, desc) == expected);
                }
            }
        }
    });

    check::test("elementDoesNotDependOnTheCount", [] {
        Context context;
        for (velu_random_desc desc : {uniform(1000, 0, 1), normal(1000, 0, 1), truncated(1000, 0, 1, -1, 1)}) {
            const std::vector<float> longest = draw(context, desc);
            for (const int64_t count : {1, 2, 3, 31, 33, 257}) {
                desc.count = count;
                CHECK(draw(context, desc) == std::vector<float>(longest.begin(), longest.begin() + count));
            }
        }
    });

    check::test("seedAndStreamGiveDifferentNumbers", [] {
        Context context;
        const std::vector<float> base = draw(context, uniform(1000, 0, 1));
        for (const velu_random_desc& other :
             {uniform(1000, 0, 1, 43), uniform(1000, 0, 1, 42 + (uint64_t{1} << 32)), uniform(1000, 0, 1, 42, 8),
              uniform(1000, 0, 1, 42, 7 + (uint64_t{1} << 32))}) {
            int equal = 0;
            const std::vector<float> values = draw(context, other);
            for (size_t i = 0; i < values.size(); ++i) equal += values[i] == base[i];
            CHECK(equal <= 1);
        }
    });

    check::test("uniformNumbersFollowTheirDistribution", [] {
        Context context(2);
        const std::vector<float> values = draw(context, uniform(1000000, -2, 3));
        CHECK_NEAR(mean_of(values), 0.5, 5 * 5 / std::sqrt(12e6));
        CHECK_NEAR(mean_of(values, 2, 0.5), 25.0 / 12, 0.01);
        CHECK(distance(values, [](double x) { return (x + 2) / 5; }) < 1.95);
    });

    check::test("uniformNumbersNeverReachTheUpperEnd", [] {
        Context context;
        // One unit in the last place wide: without care half of the numbers would round to b.
        const float b = std::nextafter(1.0f, 2.0f);
        for (const float value : draw(context, uniform(10000, 1, b))) CHECK_EQUAL(value, 1.0f);
        for (const float value : draw(context, uniform(10000, -16777216.0f, -16777214.0f))) {
            CHECK(value >= -16777216.0f && value < -16777214.0f);
        }
        for (const float value : draw(context, uniform(10000, -3e38f, 3e38f))) CHECK(value >= -3e38f && value < 3e38f);
        for (const float value : draw(context, uniform(33, 5, 5))) CHECK_EQUAL(value, 5.0f);
    });

    check::test("normalNumbersFollowTheirDistribution", [] {
        Context context(2);
        const std::vector<float> values = draw(context, normal(1000000, 2, 3));
        CHECK_NEAR(mean_of(values), 2, 5 * 3e-3);
        CHECK_NEAR(mean_of(values, 2, 2), 9, 5 * 9 * std::sqrt(2e-6));
        CHECK_NEAR(mean_of(values, 3, 2) / 27, 0, 5 * std::sqrt(15e-6));
        CHECK_NEAR(mean_of(values, 4, 2) / 81, 3, 5 * std::sqrt(96e-6));
        CHECK(distance(values, [](double x) { return normal_cdf((x - 2) / 3); }) < 1.95);
        double tail = 0;
        for (const float value : values) tail += std::fabs(value - 2) > 3 * 3.5;
        CHECK_NEAR(tail, 465.3, 5 * std::sqrt(465.3));  // 2 Phi(-3.5) of a million
    });

    check::test("truncatedNormalNumbersStayInsideAndFollowTheirDistribution", [] {
        Context context(2);
        struct Bounds {
            float low;
            float high;
        };
        for (const Bounds& bounds : {Bounds{-2, 2}, Bounds{-0.5f, 1}, Bounds{2.3f, 9}}) {
            const int64_t count = 200000;
            const std::vector<float> values = draw(context, truncated(count, 0, 1, bounds.low, bounds.high));
            for (const float value : values) CHECK(value >= bounds.low && value <= bounds.high);
            const double below = normal_cdf(bounds.low);
            const double mass = normal_cdf(bounds.high) - below;
            CHECK(distance(values, [=](double x) { return (normal_cdf(x) - below) / mass; }) < 1.95);
        }
    });

    check::test("deviationZeroGivesTheMean", [] {
        Context context;
        for (const float value : draw(context, normal(33, 1.5f, 0))) CHECK_EQUAL(value, 1.5f);
        for (const float value : draw(context, truncated(33, 1.5f, 0, 1, 2))) CHECK_EQUAL(value, 1.5f);
    });

    check::test("sequenceIsTheOneOfEveryEarlierVersion", [] {
        constexpr float kUniform[8] = {0x1.9fb9bcp-2f, 0x1.caa82p-1f,  0x1.b1fb28p-2f, 0x1.55ce6p-2f,
                                       0x1.cbbbd2p-1f, 0x1.803d84p-2f, 0x1.1f9bfp-1f,  0x1.6476cp-3f};
        constexpr float kNormal[8] = {0x1.10adbap+0f, -0x1.a2929ap-1f, -0x1.512068p-1f, 0x1.22037ep+0f,
                                      -0x1.50834p-2f, 0x1.4f858cp-2f,  0x1.f917b6p-2f,  0x1.e874a2p-1f};
        constexpr float kTruncated[8] = {-0x1.77f4dep-2f, -0x1.1e5e04p-5f, -0x1.2b6cb8p-5f, -0x1.dfce94p-2f,
                                         -0x1.50834p-2f,  0x1.4f858cp-2f,  0x1.f917b6p-2f,  0x1.e5a4c6p-5f};
        Context context;
        const std::vector<float> uniforms = draw(context, uniform(8, 0, 1));
        const std::vector<float> normals = draw(context, normal(8, 0, 1));
        const std::vector<float> truncateds = draw(context, truncated(8, 0, 1, -0.5f, 0.5f));
        for (size_t i = 0; i < 8; ++i) {
            CHECK_EQUAL(uniforms[i], kUniform[i]);
            CHECK_EQUAL(normals[i], kNormal[i]);
            CHECK_EQUAL(truncateds[i], kTruncated[i]);
        }
    });
    return check::report();
}
