// The pointwise activations against float64 on every instruction set this processor has.
// Tolerance: 2e-6 of the result (for a derivative: of its sum of absolute terms) + 1e-7, float32 against the exact
// formula.
#include <algorithm>
#include <limits>
#include <string>
#include <vector>

#include "check.h"

namespace {

using check::Context;
using check::Guarded;

constexpr float kInfinity = std::numeric_limits<float>::infinity();
constexpr float kNan = std::numeric_limits<float>::quiet_NaN();
constexpr int32_t kAll[] = {VELU_ACTIVATION_RELU, VELU_ACTIVATION_RELU6, VELU_ACTIVATION_SILU, VELU_ACTIVATION_GELU,
                            VELU_ACTIVATION_SIGMOID};

double sigmoid(double x) {
    return 1 / (1 + std::exp(-x));
}
double phi(double x) {
    return std::exp(-x * x / 2) / std::sqrt(2 * std::acos(-1.0));
}
double distribution(double x) {
    return std::erfc(-x / std::sqrt(2.0)) / 2;
}

double value(int32_t activation, double x) {
    switch (activation) {
        case VELU_ACTIVATION_RELU:
            return x > 0 ? x : 0;
        case VELU_ACTIVATION_RELU6:
            return x > 6 ? 6 : x > 0 ? x : 0;
        case VELU_ACTIVATION_SILU:
            return x * sigmoid(x);
        case VELU_ACTIVATION_SIGMOID:
            return sigmoid(x);
        default:
            return x * distribution(x);
    }
}

struct Slope {
    double value, magnitude;
};

Slope slope(int32_t activation, double x) {
    const auto sum = [](double a, double b) { return Slope{a + b, std::fabs(a) + std::fabs(b)}; };
    switch (activation) {
        case VELU_ACTIVATION_RELU:
            return sum(x > 0, 0);
        case VELU_ACTIVATION_RELU6:
            return sum(x > 0 && x < 6, 0);
        case VELU_ACTIVATION_SILU:
            return sum(sigmoid(x), x * sigmoid(x) * sigmoid(-x));
        case VELU_ACTIVATION_SIGMOID:
            return sum(sigmoid(x) * sigmoid(-x), 0);
        default:
            return sum(distribution(x), x * phi(x));
    }
}

velu_activation_desc descriptor(int32_t activation, int64_t count) {
    return {check::device(), VELU_DTYPE_F32, count, activation, 0};
}

void compare(velu_context* context, int32_t activation, const Guarded<float>& x) {
    const velu_activation_desc desc = descriptor(activation, x.size);
    Guarded<float> dy(x.size), y(x.size), dx(x.size);
    dy.fill_uniform(7);
    CHECK_SUCCESS(context, velu_activation_forward(context, &desc, x, y));
    CHECK_SUCCESS(context, velu_activation_backward(context, &desc, x, dy, dx));
    for (int64_t i = 0; i < x.size; ++i) {
        const double expected = value(activation, x[i]);
        const Slope derivative = slope(activation, x[i]);
        CHECK_NEAR(y[i], expected, 2e-6 * std::fabs(expected) + 1e-7);
        CHECK_NEAR(dx[i], dy[i] * derivative.value, 2e-6 * std::fabs(dy[i]) * derivative.magnitude + 1e-7);
    }
}

void dense_range(velu_context* context) {
    Guarded<float> x(40001);
    for (int64_t i = 0; i < x.size; ++i) x[i] = static_cast<float>(static_cast<double>(i - 20000) * 1e-3);
    for (const int32_t activation : kAll) compare(context, activation, x);
}

void odd_counts(velu_context* context) {
    for (const int64_t count : {1, 3, 7, 15, 17, 31, 33, 257, 16385}) {
        Guarded<float> x(count);
        x.fill_uniform(static_cast<uint64_t>(count), -8, 8);
        for (const int32_t activation : kAll) compare(context, activation, x);
    }
}

void special_points(velu_context* context) {
    const std::vector<float> points = {
        0.0f,   -0.0f, 6.0f, std::nextafter(6.0f, 0.0f), 1e-45f, -1e-45f, 1e-30f, -88.0f, 88.0f, -104.0f, 104.0f,
        -1e30f, 1e30f, 3e38f};
    Guarded<float> x(static_cast<int64_t>(points.size()));
    std::copy(points.begin(), points.end(), x.data);
    for (const int32_t activation : kAll) compare(context, activation, x);
}

void nan_and_infinity(velu_context* context) {
    for (const int32_t activation : kAll) {
        const velu_activation_desc desc = descriptor(activation, 18);
        Guarded<float> x(18), dy(18), y(18), dx(18);
        for (int64_t i = 0; i < 18; ++i) x[i] = kNan;
        x[3] = kInfinity;
        dy.fill_uniform(1);
        CHECK_SUCCESS(context, velu_activation_forward(context, &desc, x, y));
        CHECK_SUCCESS(context, velu_activation_backward(context, &desc, x, dy, dx));
        CHECK(std::isnan(y[0]) && std::isnan(dx[0]) && std::isnan(y[17]) && std::isnan(dx[17]));
        CHECK_EQUAL(y[3], activation == VELU_ACTIVATION_RELU6     ? 6.0f
                          : activation == VELU_ACTIVATION_SIGMOID ? 1.0f
                                                                  : kInfinity);
    }
}

/// Far from 0 the sigmoid and its slope keep their digits down to the smallest numbers, and nothing overflows.
void sigmoid_keeps_its_digits(velu_context* context) {
    Guarded<float> x(2001), dy(2001), y(2001), dx(2001);
    for (int64_t i = 0; i < x.size; ++i) x[i] = static_cast<float>(i - 1000) * 0.087f;
    x[0] = -kInfinity;
    x[2000] = kInfinity;
    std::fill_n(dy.data, dy.size, 1.0f);
    const velu_activation_desc desc = descriptor(VELU_ACTIVATION_SIGMOID, x.size);
    CHECK_SUCCESS(context, velu_activation_forward(context, &desc, x, y));
    CHECK_SUCCESS(context, velu_activation_backward(context, &desc, x, dy, dx));
    for (int64_t i = 0; i < x.size; ++i) {
        const double expected = sigmoid(x[i]), derivative = sigmoid(x[i]) * sigmoid(-x[i]);
        CHECK_NEAR(y[i], expected, 5e-7 * expected + 1e-44);
        CHECK_NEAR(dx[i], derivative, 1e-6 * derivative + 1e-44);
    }
}

/// Where f' is a function of f(x), a caller need not keep x.
void gradient_from_the_result(velu_context* context) {
    for (const int32_t activation : {VELU_ACTIVATION_RELU, VELU_ACTIVATION_RELU6}) {
        const velu_activation_desc desc = descriptor(activation, 1001);
        Guarded<float> x(1001), dy(1001), y(1001), dx(1001), from_y(1001);
        x.fill_uniform(3, -9, 9);
        x[0] = 0;
        x[1] = 6;
        x[2] = kNan;
        dy.fill_uniform(4);
        CHECK_SUCCESS(context, velu_activation_forward(context, &desc, x, y));
        CHECK_SUCCESS(context, velu_activation_backward(context, &desc, x, dy, dx));
        CHECK_SUCCESS(context, velu_activation_backward(context, &desc, y, dy, from_y));
        CHECK_EQUAL(std::memcmp(dx, from_y, dx.bytes), 0);
    }
}

void in_place(velu_context* context) {
    for (const int32_t activation : kAll) {
        const velu_activation_desc desc = descriptor(activation, 1001);
        Guarded<float> x(1001), dy(1001), y(1001), dx(1001);
        x.fill_uniform(1, -7, 7);
        dy.fill_uniform(2);
        CHECK_SUCCESS(context, velu_activation_forward(context, &desc, x, y));
        CHECK_SUCCESS(context, velu_activation_backward(context, &desc, x, dy, dx));
        CHECK_SUCCESS(context, velu_activation_backward(context, &desc, x, dy, dy));
        CHECK_SUCCESS(context, velu_activation_forward(context, &desc, x, x));
        CHECK_EQUAL(std::memcmp(x, y, y.bytes), 0);
        CHECK_EQUAL(std::memcmp(dy, dx, dx.bytes), 0);
    }
}

void same_bits_for_any_threads() {
    for (const int32_t activation : kAll) {
        const velu_activation_desc desc = descriptor(activation, 50001);
        Guarded<float> x(50001), y1(50001), y3(50001);
        x.fill_uniform(1, -7, 7);
        Context one(1), three(3);
        CHECK_SUCCESS(one, velu_activation_forward(one, &desc, x, y1));
        CHECK_SUCCESS(three, velu_activation_forward(three, &desc, x, y3));
        CHECK_EQUAL(std::memcmp(y1, y3, y1.bytes), 0);
    }
}

}  // namespace

int main() {
    check::on_every_isa("agreesWithFloat64FromMinus20To20", dense_range);
    check::on_every_isa("agreesWithFloat64ForOddCounts", odd_counts);
    check::on_every_isa("agreesWithFloat64AtKinksAndExtremes", special_points);
    check::on_every_isa("nanComesThrough", nan_and_infinity);
    check::on_every_isa("sigmoidKeepsItsDigitsWhereItIsTiny", sigmoid_keeps_its_digits);
    check::on_every_isa("reluGradientsCanBeTakenFromTheResult", gradient_from_the_result);
    check::on_every_isa("inPlaceGivesTheSameBits", in_place);
    check::test("sameBitsForAnyThreadCount", same_bits_for_any_threads);
    return check::report();
}
