// velu_activation_statistics against counts and sums in float64.
#include <algorithm>
#include <vector>

#include "check.h"

using check::Context;
using check::Guarded;

namespace {

struct Shape {
    int64_t rows, channels;
};

// One element, channels around a warp and wider than a block, several blocks of rows.
constexpr Shape kShapes[] = {{1, 1}, {7, 33}, {31, 64}, {3, 257}, {2, 2048}, {4099, 5}, {2500, 64}};
constexpr velu_velu_params kCurve = {2.0f, 1.0f, 0.7f, 0.1f, 0.9f, 1e-6f, VELU_STATISTIC_INVERSE_RMS, 0, 0, 0};

velu_activation_statistics_desc describe(const Shape& s, int32_t activation, const velu_velu_params& params = kCurve) {
    return {check::device(), VELU_DTYPE_F32, s.rows, s.channels, activation, 0, params};
}

double scale_of(const velu_velu_params& p, const float* x, int64_t channels) {
    const auto n = static_cast<double>(channels);
    double mean = 0, squares = 0;
    if (p.statistic == VELU_STATISTIC_STD) {
        for (int64_t c = 0; c < channels; ++c) mean += static_cast<double>(x[c]) / n;
    }
    for (int64_t c = 0; c < channels; ++c) squares += std::pow(static_cast<double>(x[c]) - mean, 2);
    const double root = std::sqrt(squares / n + static_cast<double>(p.eps));
    const double s = p.statistic == VELU_STATISTIC_STD ? root : 1 / root;
    const double a = 1 + static_cast<double>(p.gamma) * std::tanh(static_cast<double>(p.mu) * s);
    return p.clamp == 0 ? a : std::clamp(a, static_cast<double>(p.scale_min), static_cast<double>(p.scale_max));
}

void check_values(velu_context* context, const velu_activation_statistics_desc& desc, const float* x, const float* a,
                  const float* lambda, int64_t dead, int64_t saturated) {
    Guarded<float> values(6);
    Guarded<int64_t> counts(2);
    CHECK_SUCCESS(context, velu_activation_statistics(context, &desc, x, a, lambda, values, counts));
    const int64_t n = desc.rows * desc.channels;
    double mean = 0, squares = 0, least = 1, most = 1, sum = 0;
    for (int64_t i = 0; i < n; ++i) mean += static_cast<double>(a[i]) / static_cast<double>(n);
    for (int64_t i = 0; i < n; ++i) squares += std::pow(static_cast<double>(a[i]) - mean, 2);
    const double std = std::sqrt(squares / static_cast<double>(n));
    for (int64_t row = 0; row < desc.rows; ++row) {
        const double scale =
            desc.activation == VELU_ACTIVATION_VELU ? scale_of(desc.params, x + row * desc.channels, desc.channels) : 1;
        least = row == 0 ? scale : std::min(least, scale);
        most = row == 0 ? scale : std::max(most, scale);
        sum += scale;
    }
    const double expected[] = {
        mean, std, mean * mean + (std - 1) * (std - 1), least, sum / static_cast<double>(desc.rows), most};
    for (int64_t i = 0; i < 6; ++i) CHECK_NEAR(values[i], expected[i], 1e-5 * std::max(1.0, std::fabs(expected[i])));
    CHECK_EQUAL(counts[0], dead);
    CHECK_EQUAL(counts[1], saturated);
}

}  // namespace

int main() {
    check::test("momentsScaleDeadUnitsAndSaturationMatchTheDefinition", [] {
        for (int32_t threads = 1; threads <= check::most_threads(); ++threads) {
            Context context(threads);
            for (const Shape& shape : kShapes) {
                const int64_t n = shape.rows * shape.channels;
                Guarded<float> x(n, 4), a(n, 8), lambda(1);
                x.fill_uniform(1, -4, 4);
                a.fill_uniform(2, 0.5, 2);
                lambda[0] = 0.5f;
                int64_t dead = 0, saturated = 0;
                for (int64_t c = 0; c < shape.channels; c += 3, ++dead) {
                    for (int64_t row = 0; row < shape.rows; ++row) a[row * shape.channels + c] = 1.5e-6f;
                }
                for (int64_t i = 0; i < n; ++i) {
                    const double u = static_cast<double>(kCurve.beta2) * static_cast<double>(x[i]);
                    saturated += std::fabs(u) >= 1 ? 1 : 0;
                }
                check_values(context, describe(shape, VELU_ACTIVATION_VELU), x, a, lambda, dead, saturated);
                // Without lambda 1.5e-6 is no dead output.
                check_values(context, describe(shape, VELU_ACTIVATION_VELU), x, a, nullptr, 0, saturated);
            }
        }
    });

    check::test("theScaleIsThatOfEveryStatisticAndClamp", [] {
        Context context(2);
        const Shape shape{63, 31};
        Guarded<float> x(63 * 31), a(63 * 31);
        x.fill_uniform(3, -1, 3);
        a.fill_uniform(4, 1, 2);
        velu_velu_params params = kCurve;
        params.beta2 = 0.1f;
        for (const int32_t statistic : {VELU_STATISTIC_INVERSE_RMS, VELU_STATISTIC_STD}) {
            params.statistic = statistic;
            check_values(context, describe(shape, VELU_ACTIVATION_VELU, params), x, a, nullptr, 0, 0);
            params.clamp = 1;
            params.scale_min = 1.04f;
            params.scale_max = 1.06f;
            check_values(context, describe(shape, VELU_ACTIVATION_VELU, params), x, a, nullptr, 0, 0);
            params.clamp = 0;
        }
    });

    check::test("saturationBeginsAtTheEdge", [] {
        Context context;
        const auto count = [&](int32_t activation, float x) {
            Guarded<float> input(1), a(1), values(6);
            Guarded<int64_t> counts(2);
            input[0] = x;
            a[0] = 1;
            velu_velu_params params = kCurve;
            params.beta2 = 0.5f;
            const velu_activation_statistics_desc desc = describe({1, 1}, activation, params);
            CHECK_SUCCESS(context, velu_activation_statistics(context, &desc, input, a, nullptr, values, counts));
            return counts[1];
        };
        const auto edge = [&](int32_t activation, float saturated, float towards) {
            CHECK_EQUAL(count(activation, saturated), 1);
            CHECK_EQUAL(count(activation, std::nextafter(saturated, towards)), 0);
        };
        edge(VELU_ACTIVATION_VELU, 2, 0);
        edge(VELU_ACTIVATION_VELU, -2, 0);
        edge(VELU_ACTIVATION_RELU, 0, 1);
        edge(VELU_ACTIVATION_RELU6, 0, 1);
        edge(VELU_ACTIVATION_RELU6, 6, 0);
        edge(VELU_ACTIVATION_SILU, -6.9067548f, 0);
        edge(VELU_ACTIVATION_GELU, -3.0902323f, 0);
        edge(VELU_ACTIVATION_SIGMOID, 6.9067548f, 0);
        edge(VELU_ACTIVATION_SIGMOID, -6.9067548f, 0);
        for (int32_t activation = VELU_ACTIVATION_RELU; activation <= VELU_ACTIVATION_SIGMOID; ++activation) {
            CHECK_EQUAL(count(activation, NAN), 0);
        }
    });

    check::test("notANumberShowsInTheScaleAndKeepsItsUnitFromBeingDead", [] {
        Context context(2);
        Guarded<float> x(40 * 8), a(40 * 8), values(6);
        Guarded<int64_t> counts(2);
        x.fill_uniform(5);
        std::fill(a.data, a.data + a.size, 0.0f);
        x[100] = NAN;
        a[100] = NAN;
        const velu_activation_statistics_desc desc = describe({40, 8}, VELU_ACTIVATION_VELU);
        CHECK_SUCCESS(context, velu_activation_statistics(context, &desc, x, a, nullptr, values, counts));
        for (int64_t i = 0; i < 6; ++i) CHECK(std::isnan(values[i]));
        CHECK_EQUAL(counts[0], 7);
    });

    check::test_in_bfloat16("bfloat16GivesTheStatisticsOfItsValues", [] {
        Context context(2);
        const Shape shape{99, 17};
        Guarded<uint16_t> x(99 * 17, 2), a(99 * 17, 6);
        Guarded<float> wide_x(99 * 17), wide_a(99 * 17), narrow_values(6), values(6);
        Guarded<int64_t> narrow_counts(2), counts(2);
        wide_x.fill_uniform(6, -3, 3);
        wide_a.fill_uniform(7, -3, 3);
        for (int64_t i = 0; i < x.size; ++i) {
            for (const auto& [narrow, wide] : {std::pair<uint16_t*, float*>{x, wide_x}, {a, wide_a}}) {
                uint32_t bits;
                std::memcpy(&bits, wide + i, sizeof bits);
                narrow[i] = static_cast<uint16_t>(bits >> 16);
                bits &= 0xFFFF0000u;
                std::memcpy(wide + i, &bits, sizeof bits);
            }
        }
        velu_activation_statistics_desc desc = describe(shape, VELU_ACTIVATION_VELU);
        CHECK_SUCCESS(context, velu_activation_statistics(context, &desc, wide_x, wide_a, nullptr, values, counts));
        desc.dtype = VELU_DTYPE_BF16;
        CHECK_SUCCESS(context, velu_activation_statistics(context, &desc, x, a, nullptr, narrow_values, narrow_counts));
        for (int64_t i = 0; i < 6; ++i) CHECK_NEAR(narrow_values[i], static_cast<double>(values[i]), 1e-6);
        CHECK_EQUAL(narrow_counts[0], counts[0]);
        CHECK_EQUAL(narrow_counts[1], counts[1]);
    });

    check::test("whatHasNoStatisticsIsRefused", [] {
        Context context;
        Guarded<float> x(8), values(6);
        Guarded<int64_t> counts(2);
        const auto refused = [&](const velu_activation_statistics_desc& desc, const char* what) {
            CHECK_EQUAL(velu_activation_statistics(context, &desc, x, x, nullptr, values, counts),
                        VELU_STATUS_INVALID_ARGUMENT);
            CHECK(std::strstr(velu_context_last_error(context), what) != nullptr);
        };
        refused(describe({0, 8}, VELU_ACTIVATION_RELU), "rows is 0");
        refused(describe({1, 0}, VELU_ACTIVATION_RELU), "channels is 0");
        refused(describe({1, 8}, VELU_ACTIVATION_IDENTITY), "activation is 0");
        velu_velu_params params = kCurve;
        params.gamma = 1;
        refused(describe({1, 8}, VELU_ACTIVATION_VELU, params), "gamma");
    });
    return check::report();
}
