// velu_wasserstein against float64: the quantiles by bisection of erfc, the order by std::stable_sort.
#include <algorithm>
#include <map>
#include <numeric>
#include <vector>

#include "check.h"

using check::Context;
using check::Guarded;

namespace {

struct Shape {
    int64_t rows, channels;
};

// One element, channels around the lanes of a warp and wider than a block, several tiles and blocks of the sort.
constexpr Shape kShapes[] = {{1, 1}, {2, 1}, {7, 33}, {31, 64}, {3, 257}, {2, 2048}, {4099, 5}, {20011, 1}};
constexpr int32_t kKinds[] = {VELU_W2_GAUSSIAN, VELU_W2_EMPIRICAL, VELU_W2_PER_CHANNEL};

/// Phi^-1(p) for p <= 1/2 by bisection.
double lower_quantile(double p) {
    double low = -12, high = 0;
    for (int i = 0; i < 80; ++i) {
        const double middle = (low + high) / 2;
        (std::erfc(-middle / std::sqrt(2.0)) / 2 < p ? low : high) = middle;
    }
    return (low + high) / 2;
}

/// Phi^-1((i + 1/2) / n); those of an n are found once.
double quantile(int64_t i, int64_t n) {
    static std::map<int64_t, std::vector<double>> lower_halves;
    std::vector<double>& lower = lower_halves[n];
    for (auto from = static_cast<int64_t>(lower.size()); 2 * from < n; ++from) {
        lower.push_back(lower_quantile((static_cast<double>(from) + 0.5) / static_cast<double>(n)));
    }
    return 2 * i < n ? lower[static_cast<size_t>(i)] : -lower[static_cast<size_t>(n - 1 - i)];
}

struct Reference {
    double mean, std, w2;
    std::vector<double> gradient;   // of W2^2
    std::vector<double> magnitude;  // of its terms
};

struct Moments {
    double mean, std;
};

/// Of n numbers, `step` apart.
Moments moments_of(const float* a, int64_t n, int64_t step) {
    double mean = 0, squares = 0;
    for (int64_t i = 0; i < n; ++i) mean += static_cast<double>(a[i * step]) / static_cast<double>(n);
    for (int64_t i = 0; i < n; ++i) squares += std::pow(static_cast<double>(a[i * step]) - mean, 2);
    return {mean, std::sqrt(squares / static_cast<double>(n))};
}

Reference reference(int32_t kind, const Shape& s, const float* a) {
    const int64_t n = s.rows * s.channels;
    const auto count = static_cast<double>(n);
    const Moments all = moments_of(a, n, 1);
    Reference r{all.mean, all.std, 0, std::vector<double>(static_cast<size_t>(n)), {}};
    r.magnitude = r.gradient;
    if (kind == VELU_W2_EMPIRICAL) {
        std::vector<int64_t> order(static_cast<size_t>(n));
        std::iota(order.begin(), order.end(), int64_t{0});
        std::stable_sort(order.begin(), order.end(), [&](int64_t i, int64_t j) { return a[i] < a[j]; });
        for (int64_t i = 0; i < n; ++i) {
            const int64_t at = order[static_cast<size_t>(i)];
            const double value = static_cast<double>(a[at]), z = quantile(i, n);
            r.w2 += (value - z) * (value - z) / count;
            r.gradient[static_cast<size_t>(at)] = 2 * (value - z) / count;
            r.magnitude[static_cast<size_t>(at)] = 2 * (std::fabs(value) + std::fabs(z)) / count;
        }
        return r;
    }
    const int64_t channels = kind == VELU_W2_PER_CHANNEL ? s.channels : 1;
    for (int64_t c = 0; c < channels; ++c) {
        const Moments m = moments_of(a + c, n / channels, channels);
        r.w2 += (m.mean * m.mean + (m.std - 1) * (m.std - 1)) / static_cast<double>(channels);
        for (int64_t i = c; i < n; i += channels) {
            const double value = static_cast<double>(a[i]);
            const double slope = m.std == 0 ? 0 : (m.std - 1) / m.std;
            r.gradient[static_cast<size_t>(i)] = 2 * (m.mean + slope * (value - m.mean)) / count;
            const double steepest = m.std == 0 ? 0 : (m.std + 1) / m.std;
            r.magnitude[static_cast<size_t>(i)] =
                2 * (std::fabs(m.mean) + steepest * (std::fabs(value) + std::fabs(m.mean))) / count;
        }
    }
    return r;
}

/// Floats that forward saves.
int64_t saved_size(int32_t kind, const Shape& s) {
    return kind == VELU_W2_EMPIRICAL ? s.rows * s.channels : kind == VELU_W2_GAUSSIAN ? 2 : 2 * s.channels;
}

velu_wasserstein_desc describe(int32_t kind, const Shape& s, float w2_weight = 0) {
    return {check::device(), VELU_DTYPE_F32, s.rows, s.channels, kind, w2_weight};
}

double tolerance(double expected) {
    return 1e-5 * std::max(1.0, std::fabs(expected));
}

uint32_t bits_of(float value) {
    uint32_t bits;
    std::memcpy(&bits, &value, sizeof bits);
    return bits;
}

void check_case(velu_context* context, int32_t kind, const Shape& s, Guarded<float>& a) {
    const int64_t n = s.rows * s.channels;
    const Reference r = reference(kind, s, a);
    const float w = 0.3f * static_cast<float>(n);  // so that the term weighs as much as dy
    const velu_wasserstein_desc desc = describe(kind, s, w);
    Guarded<float> y(n, 4), saved(saved_size(kind, s), 8), moments(3), lambda(1), dy(n, 12), da(n, 4), dlambda(1);
    lambda[0] = 0.7f;
    dy.fill_uniform(5);
    CHECK_SUCCESS(context, velu_wasserstein_forward(context, &desc, a, lambda, y, saved, moments));
    CHECK_NEAR(moments[0], r.mean, tolerance(r.mean));
    CHECK_NEAR(moments[1], r.std, tolerance(r.std));
    CHECK_NEAR(moments[2], r.w2, tolerance(r.w2));
    for (int64_t i = 0; i < n; ++i) CHECK_EQUAL(y[i], lambda[0] * a[i]);
    CHECK_SUCCESS(context, velu_wasserstein_backward(context, &desc, a, dy, lambda, saved, da, dlambda));
    double product = 0, magnitude = 0;
    for (int64_t i = 0; i < n; ++i) {
        const double upstream = static_cast<double>(dy[i]) * static_cast<double>(lambda[0]);
        const auto at = static_cast<size_t>(i);
        const double expected = upstream + static_cast<double>(w) * r.gradient[at];
        CHECK_NEAR(da[i], expected, 2e-6 * (std::fabs(upstream) + static_cast<double>(w) * r.magnitude[at]) + 1e-7);
        product += static_cast<double>(dy[i]) * static_cast<double>(a[i]);
        magnitude += std::fabs(static_cast<double>(dy[i]) * static_cast<double>(a[i]));
    }
    CHECK_NEAR(dlambda[0], product, 1e-7 * magnitude + 1e-7);
    // In place, and without what is not wanted.
    CHECK_SUCCESS(context, velu_wasserstein_backward(context, &desc, a, dy, lambda, saved, dy, nullptr));
    CHECK_EQUAL(std::memcmp(dy, da, da.bytes), 0);
    Guarded<float> again(3);
    CHECK_SUCCESS(context, velu_wasserstein_forward(context, &desc, a, nullptr, nullptr, nullptr, again));
    CHECK_EQUAL(std::memcmp(again, moments, moments.bytes), 0);
    CHECK_SUCCESS(context, velu_wasserstein_forward(context, &desc, a, lambda, a, nullptr, again));
    CHECK_EQUAL(std::memcmp(a, y, y.bytes), 0);
    CHECK_EQUAL(std::memcmp(again, moments, moments.bytes), 0);
}

}  // namespace

int main() {
    check::test("distanceAndGradientMatchTheDefinitionForEveryKind", [] {
        for (int32_t threads = 1; threads <= check::most_threads(); ++threads) {
            Context context(threads);
            for (const int32_t kind : kKinds) {
                for (const Shape& shape : kShapes) {
                    Guarded<float> a(shape.rows * shape.channels, 4);
                    a.fill_uniform(1, -1.5, 2.5);
                    check_case(context, kind, shape, a);
                }
            }
        }
    });

    check::test("equalElementsAreTransportedInTheirOrder", [] {
        Context context(2);
        const Shape shape{6000, 3};
        Guarded<float> a(18000), saved(18000), moments(3);
        for (int64_t i = 0; i < a.size; ++i) a[i] = i % 3 == 0 ? 1.0f : i % 3 == 1 ? -0.0f : 0.0f;
        const velu_wasserstein_desc desc = describe(VELU_W2_EMPIRICAL, shape);
        CHECK_SUCCESS(context, velu_wasserstein_forward(context, &desc, a, nullptr, nullptr, saved, moments));
        int64_t zeros = 0, ones = 12000;
        for (int64_t i = 0; i < a.size; ++i) {
            const double expected = quantile(a[i] == 1.0f ? ones++ : zeros++, a.size);
            CHECK_NEAR(saved[i], expected, 2e-7 * std::fabs(expected) + 1e-12);
        }
    });

    check::test("numbersOfEverySizeAndSignAreOrdered", [] {
        Context context(2);
        const Shape shape{1, 9};
        Guarded<float> a(9), saved(9), moments(3);
        const float values[] = {1e-40f, -1e30f, 3e38f, -1e-40f, 0.0f, -2.0f, 1.0f, -3e38f, 2.0f};
        std::copy(values, values + 9, a.data);
        const velu_wasserstein_desc desc = describe(VELU_W2_EMPIRICAL, shape);
        CHECK_SUCCESS(context, velu_wasserstein_forward(context, &desc, a, nullptr, nullptr, saved, moments));
        for (int64_t i = 0; i < 9; ++i) {
            for (int64_t j = 0; j < 9; ++j) CHECK_EQUAL(saved[i] < saved[j], a[i] < a[j]);
        }
    });

    check::test("normalQuantilesHaveNoDistance", [] {
        Context context(2);
        Guarded<float> a(30000), moments(3);
        for (int64_t i = 0; i < a.size; ++i) a[(i * 7919) % a.size] = static_cast<float>(quantile(i, a.size));
        const velu_wasserstein_desc desc = describe(VELU_W2_EMPIRICAL, {30000, 1});
        CHECK_SUCCESS(context, velu_wasserstein_forward(context, &desc, a, nullptr, nullptr, nullptr, moments));
        CHECK_NEAR(moments[2], 0, 1e-13);
    });

    check::test("notANumberMakesTheDistanceAndItsGradientNaN", [] {
        Context context(2);
        for (const int32_t kind : kKinds) {
            for (const float nan : {NAN, -NAN}) {
                const Shape shape{700, 33};
                Guarded<float> a(700 * 33), saved(saved_size(kind, shape)), moments(3), da(a.size);
                a.fill_uniform(2);
                a[5 * 33 + 4] = nan;
                const velu_wasserstein_desc desc = describe(kind, shape, 1);
                CHECK_SUCCESS(context, velu_wasserstein_forward(context, &desc, a, nullptr, nullptr, saved, moments));
                for (int64_t i = 0; i < 3; ++i) CHECK(std::isnan(moments[i]));
                CHECK_SUCCESS(context,
                              velu_wasserstein_backward(context, &desc, a, nullptr, nullptr, saved, da, nullptr));
                for (int64_t i = 0; i < a.size; ++i) {
                    CHECK_EQUAL(std::isnan(da[i]), kind != VELU_W2_PER_CHANNEL || i % 33 == 4);
                }
            }
        }
    });

    check::test("infinityMakesTheEmpiricalDistanceInfiniteAndKeepsTheOtherQuantiles", [] {
        Context context;
        Guarded<float> a(5), saved(5), moments(3);
        const float values[] = {INFINITY, 1, -INFINITY, 0, 2};
        std::copy(values, values + 5, a.data);
        const velu_wasserstein_desc desc = describe(VELU_W2_EMPIRICAL, {5, 1});
        CHECK_SUCCESS(context, velu_wasserstein_forward(context, &desc, a, nullptr, nullptr, saved, moments));
        CHECK_EQUAL(moments[2], INFINITY);
        const int64_t ranks[] = {4, 2, 0, 1, 3};
        for (int64_t i = 0; i < 5; ++i) CHECK_NEAR(saved[i], quantile(ranks[i], 5), 1e-7);
    });

    check::test("aChannelWithoutDeviationHasOnlyTheGradientOfItsMean", [] {
        Context context;
        const Shape shape{4, 2};
        Guarded<float> a(8), saved(4), moments(3), da(8);
        for (int64_t i = 0; i < 8; ++i) a[i] = i % 2 == 0 ? 0.5f : static_cast<float>(i);
        const velu_wasserstein_desc desc = describe(VELU_W2_PER_CHANNEL, shape, 8);
        CHECK_SUCCESS(context, velu_wasserstein_forward(context, &desc, a, nullptr, nullptr, saved, moments));
        CHECK_SUCCESS(context, velu_wasserstein_backward(context, &desc, a, nullptr, nullptr, saved, da, nullptr));
        for (int64_t i = 0; i < 8; i += 2) CHECK_EQUAL(da[i], 1.0f);
    });

    check::test("withoutAWeightTheGradientIsThatOfTheScaling", [] {
        Context context;
        Guarded<float> a(12), dy(12), da(12), lambda(1), dlambda(1);
        a.fill_uniform(8);
        dy.fill_uniform(9);
        lambda[0] = -2;
        const velu_wasserstein_desc desc = describe(VELU_W2_EMPIRICAL, {3, 4});
        CHECK_SUCCESS(context, velu_wasserstein_backward(context, &desc, a, dy, lambda, nullptr, da, dlambda));
        for (int64_t i = 0; i < 12; ++i) CHECK_EQUAL(da[i], -2 * dy[i]);
        CHECK_SUCCESS(context, velu_wasserstein_backward(context, &desc, a, nullptr, lambda, nullptr, da, dlambda));
        for (int64_t i = 0; i < 12; ++i) CHECK_EQUAL(da[i], 0.0f);
        CHECK_EQUAL(dlambda[0], 0.0f);
    });

    check::test("bitsDoNotDependOnThreads", [] {
        for (const int32_t kind : kKinds) {
            const Shape shape{5003, 17};
            Guarded<float> a(5003 * 17), saved(saved_size(kind, shape)), moments(3);
            a.fill_uniform(3, -2, 2);
            Context one(1);
            const velu_wasserstein_desc desc = describe(kind, shape);
            CHECK_SUCCESS(one, velu_wasserstein_forward(one, &desc, a, nullptr, nullptr, saved, moments));
            for (int32_t threads = 1; threads <= check::most_threads(); ++threads) {
                Context context(threads);
                Guarded<float> other(saved.size), others(3);
                CHECK_SUCCESS(context, velu_wasserstein_forward(context, &desc, a, nullptr, nullptr, other, others));
                CHECK_EQUAL(std::memcmp(other, saved, saved.bytes), 0);
                for (int64_t i = 0; i < 3; ++i) CHECK_EQUAL(bits_of(others[i]), bits_of(moments[i]));
            }
        }
    });

    check::test_in_bfloat16("bfloat16GivesTheDistanceOfItsValuesAndARoundedGradient", [] {
        Context context(2);
        for (const int32_t kind : kKinds) {
            const Shape shape{301, 13};
            const int64_t n = 301 * 13;
            Guarded<float> wide(n), moments(3), saved(saved_size(kind, shape)), lambda(1), dlambda(1);
            Guarded<uint16_t> a(n, 2), y(n, 2), dy(n, 6), da(n, 2);
            wide.fill_uniform(4, -2, 2);
            for (int64_t i = 0; i < n; ++i) {
                a[i] = static_cast<uint16_t>(bits_of(wide[i]) >> 16);
                dy[i] = static_cast<uint16_t>(bits_of(1.5f) >> 16);
                const uint32_t bits = uint32_t{a[i]} << 16;
                std::memcpy(wide + i, &bits, sizeof bits);
            }
            lambda[0] = 0.5f;
            velu_wasserstein_desc desc = describe(kind, shape, 0.3f * static_cast<float>(n));
            desc.dtype = VELU_DTYPE_BF16;
            const Reference r = reference(kind, shape, wide);
            CHECK_SUCCESS(context, velu_wasserstein_forward(context, &desc, a, lambda, y, saved, moments));
            CHECK_NEAR(moments[0], r.mean, tolerance(r.mean));
            CHECK_NEAR(moments[1], r.std, tolerance(r.std));
            CHECK_NEAR(moments[2], r.w2, tolerance(r.w2));
            CHECK_SUCCESS(context, velu_wasserstein_backward(context, &desc, a, dy, lambda, saved, da, dlambda));
            for (int64_t i = 0; i < n; ++i) {
                CHECK_EQUAL(uint32_t{y[i]} << 16, bits_of(wide[i] * 0.5f));
                const double expected = 0.75 + static_cast<double>(desc.w2_weight) * r.gradient[static_cast<size_t>(i)];
                const uint32_t bits = uint32_t{da[i]} << 16;
                float actual;
                std::memcpy(&actual, &bits, sizeof actual);
                CHECK_NEAR(actual, expected, 0x1p-8 * std::fabs(expected) + 2e-6 * (1 + std::fabs(expected)));
            }
        }
    });

    check::test("whatHasNoDistanceIsRefused", [] {
        Context context;
        Guarded<float> a(8), moments(3), da(8);
        const auto refused = [&](const velu_wasserstein_desc& desc, const char* what) {
            CHECK_EQUAL(velu_wasserstein_forward(context, &desc, a, nullptr, nullptr, nullptr, moments),
                        VELU_STATUS_INVALID_ARGUMENT);
            CHECK(std::strstr(velu_context_last_error(context), what) != nullptr);
        };
        refused(describe(VELU_W2_EMPIRICAL, {0, 8}), "rows is 0");
        refused(describe(VELU_W2_PER_CHANNEL, {1, 0}), "channels is 0");
        refused(describe(3, {1, 8}), "kind is 3");
        refused(describe(VELU_W2_EMPIRICAL, {1, 8}, INFINITY), "w2_weight");
        refused(describe(VELU_W2_EMPIRICAL, {int64_t{1} << 30, 4}), "use kind PER_CHANNEL");
        const velu_wasserstein_desc desc = describe(VELU_W2_EMPIRICAL, {1, 8}, 1);
        CHECK_EQUAL(velu_wasserstein_backward(context, &desc, a, nullptr, nullptr, nullptr, da, nullptr),
                    VELU_STATUS_INVALID_ARGUMENT);
        CHECK(std::strstr(velu_context_last_error(context), "saved is NULL") != nullptr);
    });
    return check::report();
}
