// VeLU and fused batch normalization stored in bfloat16, against the float64 formulas of velu.h. All inputs are
// bfloat16 numbers. A result must be what float32 gives within its own tolerances, rounded to bfloat16, or a neighbour
// of that.
#include <algorithm>
#include <vector>

#include "check.h"

namespace {

using check::Context;
using check::Guarded;

constexpr velu_velu_params kReleased{0.1f, 0.1f, 0.1f, 0.1f, 0.9f, 1e-6f, VELU_STATISTIC_INVERSE_RMS, 0, 0, 0};
constexpr velu_velu_params kCurve{2.0f, 1.0f, 0.7f, 0.1f, 0.9f, 1e-6f, VELU_STATISTIC_INVERSE_RMS, 0, 0, 0};
/// Steep, but with all of its elements far from the clip.
constexpr velu_velu_params kSteep{2.0f, 0.1f, -0.1f, -0.3f, 0.9f, 1e-3f, VELU_STATISTIC_STD, 0, 0, 0};

uint16_t rounded(double value) {
    const auto narrow = static_cast<float>(value);
    uint32_t bits;
    std::memcpy(&bits, &narrow, sizeof bits);
    return static_cast<uint16_t>((bits + 0x7FFFu + (bits >> 16 & 1u)) >> 16);
}

double widened(uint16_t half) {
    const uint32_t bits = static_cast<uint32_t>(half) << 16;
    float value;
    std::memcpy(&value, &bits, sizeof value);
    return static_cast<double>(value);
}

/// Place of a bfloat16 among all, so that neighbours differ by 1; both zeros are at 0.
int32_t rank(uint16_t half) {
    const int32_t size = half & 0x7FFF;
    return (half & 0x8000) != 0 ? -size : size;
}

/// A result of which float32 would be within `tolerance` of `expected`.
void check_rounded(int line, const char* what, uint16_t actual, double expected, double tolerance) {
    const bool right = !std::isnan(widened(actual)) && rank(actual) >= rank(rounded(expected - tolerance)) - 1 &&
                       rank(actual) <= rank(rounded(expected + tolerance)) + 1;
    if (right) return;
    char message[160];
    std::snprintf(message, sizeof message, "%.60s is %.9g, not %.9g rounded", what, widened(actual), expected);
    check::fail(__FILE__, line, message);
}
#define CHECK_ROUNDED(actual, expected, tolerance) check_rounded(__LINE__, #actual, actual, expected, tolerance)

using Values = std::vector<double>;

struct Halves : Guarded<uint16_t> {
    using Guarded<uint16_t>::Guarded;

    Halves& fill(uint64_t seed, double low, double high) {
        Guarded<float> numbers(size);
        numbers.fill_uniform(seed, low, high);
        for (int64_t i = 0; i < size; ++i) data[i] = rounded(static_cast<double>(numbers[i]));
        return *this;
    }
    Values values() const {
        Values result(static_cast<size_t>(size));
        std::transform(data, data + size, result.begin(), widened);
        return result;
    }
};

Values doubles(const Guarded<float>& numbers) {
    return {numbers.data, numbers.data + numbers.size};
}

// --- The formulas ----------------------------------------------------------------------------------------------------

/// VeLU of z[rows][channels] and the gradient of sum(dy y) + w W2^2, with the sums of absolute terms of y and dz.
struct Velu {
    Values y, dz, magnitude;
    double mean = 0, std = 0, dlambda = 0, dlambda_magnitude = 0;

    Velu(const velu_velu_params& p, size_t channels, const Values& z, const Values& dy, double lambda, double w)
        : y(z.size()), dz(z.size()), magnitude(z.size()) {
        const double alpha = p.alpha, beta1 = p.beta1, beta2 = p.beta2, n = static_cast<double>(z.size());
        const auto c_count = static_cast<double>(channels);
        const bool is_std = p.statistic == VELU_STATISTIC_STD;
        Values activation(z.size()), gated(z.size()), slope(z.size()), ds(z.size()), a(z.size()), da(z.size());
        for (size_t row = 0; row < z.size(); row += channels) {
            double center = 0, square = 0;
            for (size_t i = row; i < row + channels; ++i) center += is_std ? z[i] / c_count : 0;
            for (size_t i = row; i < row + channels; ++i) square += (z[i] - center) * (z[i] - center) / c_count;
            const double root = std::sqrt(square + p.eps), s = is_std ? root : 1 / root;
            const double tanh = std::tanh(p.mu * s);
            for (size_t i = row; i < row + channels; ++i) {
                const double below = 1 - beta2 * z[i], above = 1 + beta2 * z[i];
                const double g =
                    1 /
                    (1 + std::exp(-alpha * (std::atan(beta1 * z[i]) + std::asin(std::clamp(beta2 * z[i], -1.0, 1.0)))));
                double of_angle = beta1 / (1 + beta1 * z[i] * beta1 * z[i]);
                if (below > 0 && above > 0)
                    of_angle += beta2 / std::sqrt(std::max(below * above, std::ldexp(1.0, -23)));
                a[i] = 1 + p.gamma * tanh;
                da[i] = p.gamma * p.mu * (1 - tanh * tanh);
                ds[i] = is_std ? (z[i] - center) / (c_count * s) : -s * s * s * z[i] / c_count;
                gated[i] = z[i] * g;
                slope[i] = z[i] * g * (1 - g) * alpha * of_angle;
                activation[i] = gated[i] * a[i];
                y[i] = lambda * activation[i];
                mean += activation[i] / n;
                dlambda += dy[i] * activation[i];
                dlambda_magnitude += std::fabs(dy[i] * activation[i]);
            }
        }
        for (const double v : activation) std += (v - mean) * (v - mean) / n;
        std = std::sqrt(std);
        for (size_t row = 0; row < z.size(); row += channels) {
            double through = 0, through_size = 0;
            for (size_t pass = 0; pass < 2; ++pass) {
                for (size_t i = row; i < row + channels; ++i) {
                    double d = lambda * dy[i];
                    if (w != 0) d += w * 2 / n * (mean + (std - 1) * (activation[i] - mean) / std);
                    if (pass == 0) {
                        through += d * gated[i];
                        through_size += std::fabs(d * gated[i]);
                        continue;
                    }
                    const double g = z[i] == 0 ? 0.5 : gated[i] / z[i];
                    dz[i] = d * a[i] * (g + slope[i]) + through * da[i] * ds[i];
                    magnitude[i] = std::fabs(d * a[i] * g) + std::fabs(d * a[i] * slope[i]) +
                                   through_size * std::fabs(da[i] * ds[i]);
                }
            }
        }
    }
};

void check_moments(const Velu& expected, const Guarded<float>& moments) {
    CHECK_NEAR(moments[0], expected.mean, 1e-5 * std::max(1.0, std::fabs(expected.mean)));
    CHECK_NEAR(moments[1], expected.std, 1e-5 * std::max(1.0, expected.std));
}

// --- Tests -----------------------------------------------------------------------------------------------------------

/// Rows within a warp, a row per block with one and two packs per thread, and rows that no pack divides; whole tiles of
/// rows and others.
constexpr int64_t kChannels[] = {1, 8, 33, 40, 64, 96, 256, 520, 2048, 2056, 4096};

void velu(velu_context* context, const velu_velu_params& params, int64_t rows, int64_t channels, double low,
          double high, size_t misalign) {
    const int64_t size = rows * channels;
    const float lambda = -0.75f, w = 0.1f;
    const velu_velu_desc desc{check::device(), VELU_DTYPE_BF16, rows, channels, params, w, 0};
    Halves x(size, misalign), dy(size, misalign), y(size, misalign), dx(size, misalign);
    Guarded<float> moments(3), dlambda(1);
    x.fill(static_cast<uint64_t>(size), low, high);
    dy.fill(2, -1, 1);
    CHECK_SUCCESS(context, velu_velu_forward(context, &desc, x, &lambda, y, moments));
    CHECK_SUCCESS(context, velu_velu_backward(context, &desc, x, dy, &lambda, moments, dx, dlambda));
    const Velu expected(params, static_cast<size_t>(channels), x.values(), dy.values(), lambda, w);
    for (int64_t i = 0; i < size; ++i) {
        const auto at = static_cast<size_t>(i);
        CHECK_ROUNDED(y[i], expected.y[at], 2e-6 * std::fabs(expected.y[at]) + 1e-7);
        CHECK_ROUNDED(dx[i], expected.dz[at], 4e-6 * expected.magnitude[at] + 1e-7);
    }
    check_moments(expected, moments);
    CHECK_NEAR(dlambda[0], expected.dlambda, 4e-6 * expected.dlambda_magnitude + 1e-7);
}

void velu_of_all_shapes(velu_context* context) {
    for (const int64_t channels : kChannels) {
        for (const int64_t rows : {1, 7, 101}) {
            if (rows * channels > 60000) continue;
            velu(context, kReleased, rows, channels, -4, 4, 0);
            velu(context, kCurve, rows, channels, -4, 4, 0);
            velu(context, kSteep, rows, channels, -4, 4, 0);
        }
    }
}

void unaligned(velu_context* context) {
    for (const int64_t channels : {64, 2048}) velu(context, kReleased, 5, channels, -3, 3, 2);
}

/// Both batch statistics and what follows them.
void batch_norm(velu_context* context, const velu_velu_params& params, int64_t rows, int64_t channels, bool residual) {
    const int64_t size = rows * channels;
    const auto count = static_cast<size_t>(channels);
    const float lambda = 0.75f, w = 0.1f, eps = 1e-5f;
    const velu_batch_norm_desc desc{
        check::device(), VELU_DTYPE_BF16, rows, channels, eps, 0.1f, VELU_ACTIVATION_VELU, w, params, 0, 0, 0};
    Halves x(size), dy(size), added(size), y(size), dx(size), dresidual(size);
    Guarded<float> weight(channels), bias(channels), mean(channels), inv_std(channels), dweight(channels),
        dbias(channels), moments(3), dlambda(1);
    x.fill(1, -2, 3);
    dy.fill(2, -1, 1);
    added.fill(3, -1, 1);
    weight.fill_uniform(4, 0.5, 1.5);
    bias.fill_uniform(5, -0.5, 0.5);
    CHECK_SUCCESS(context,
                  velu_batch_norm_forward_training(context, &desc, x, weight, bias, residual ? added.data : nullptr,
                                                   &lambda, nullptr, nullptr, nullptr, y, mean, inv_std, moments));
    CHECK_SUCCESS(
        context, velu_batch_norm_backward(context, &desc, x, dy, weight, bias, residual ? added.data : nullptr, &lambda,
                                          mean, inv_std, moments, nullptr, dx, residual ? dresidual.data : nullptr,
                                          dweight, dbias, dlambda));

    const auto n = static_cast<double>(rows);
    const Values from = x.values(), other = added.values(), scale = doubles(weight), shift = doubles(bias);
    Values center(count), root(count), z(from.size()), z_magnitude(from.size());
    for (size_t i = 0; i < from.size(); ++i) center[i % count] += from[i] / n;
    for (size_t i = 0; i < from.size(); ++i) root[i % count] += std::pow(from[i] - center[i % count], 2) / n;
    for (double& v : root) v = std::sqrt(v + eps);
    for (size_t i = 0; i < from.size(); ++i) {
        const size_t c = i % count;
        const double normalized = scale[c] * (from[i] - center[c]) / root[c];
        z[i] = normalized + shift[c] + (residual ? other[i] : 0);
        z_magnitude[i] = std::fabs(normalized) + std::fabs(shift[c]) + (residual ? std::fabs(other[i]) : 0);
    }
    const Velu expected(params, count, z, dy.values(), lambda, w);
    Values sum(count), product(count), sum_size(count), product_size(count);
    for (size_t i = 0; i < from.size(); ++i) {
        const size_t c = i % count;
        const double normalized = (from[i] - center[c]) / root[c];
        sum[c] += expected.dz[i];
        product[c] += expected.dz[i] * normalized;
        sum_size[c] += expected.magnitude[i];
        product_size[c] += expected.magnitude[i] * std::fabs(normalized);
    }
    // dz is stored, in bfloat16, before the means are taken from it. On the CPU, and where rows are not kept in
    // registers, the sums are of what is stored, too.
    constexpr double kHalfUnit = 0x1p-8;
    const bool sums_of_stored = check::on_cpu() || channels % 8 != 0 || channels > 4096;
    const double of_sum = sums_of_stored ? kHalfUnit : 2e-5;
    for (int64_t i = 0; i < size; ++i) {
        const auto at = static_cast<size_t>(i), c = at % count;
        // As in float32: the rounding of the statistics enters every term.
        CHECK_ROUNDED(y[i], expected.y[at], 2e-5 * z_magnitude[at] + 1e-6);
        if (residual) CHECK_ROUNDED(dresidual[i], expected.dz[at], 2e-5 * expected.magnitude[at] + 1e-6);
        const double normalized = (from[at] - center[c]) / root[c];
        const double gain = scale[c] / root[c];
        const double of_sums = sum_size[c] / n + std::fabs(normalized) * product_size[c] / n;
        const double rounding = kHalfUnit * (std::fabs(expected.dz[at]) + (sums_of_stored ? of_sums : 0));
        CHECK_ROUNDED(dx[i], gain * (expected.dz[at] - sum[c] / n - normalized * product[c] / n),
                      gain * (2e-5 * (expected.magnitude[at] + of_sums) + rounding) + 1e-6);
    }
    for (int64_t c = 0; c < channels; ++c) {
        const auto at = static_cast<size_t>(c);
        CHECK_NEAR(dbias[c], sum[at], of_sum * sum_size[at] + 1e-6);
        CHECK_NEAR(dweight[c], product[at], of_sum * product_size[at] + 1e-6);
    }
    check_moments(expected, moments);
    CHECK_NEAR(dlambda[0], expected.dlambda, 2e-5 * expected.dlambda_magnitude + 1e-6);
}

void batch_norm_of_all_shapes(velu_context* context) {
    for (const int64_t channels : kChannels) {
        for (const int64_t rows : {5, 77}) {
            if (rows * channels > 60000) continue;
            for (const bool residual : {false, true}) {
                batch_norm(context, kReleased, rows, channels, residual);
                batch_norm(context, kSteep, rows, channels, residual);
            }
        }
    }
}

/// Rows on which the backward pass takes float64.
void offset_with_regularizer(velu_context* context) {
    for (const int64_t channels : {33, 64}) {
        velu(context, kReleased, 7, channels, 64, 68, 0);
        velu(context, kSteep, 7, channels, 64, 68, 0);
    }
}

void in_place(velu_context* context) {
    constexpr int64_t rows = 300, channels = 45;
    const velu_velu_desc desc{check::device(), VELU_DTYPE_BF16, rows, channels, kCurve, 0.1f, 0};
    Halves x(rows * channels), dy(rows * channels), y(rows * channels), dx(rows * channels);
    Guarded<float> moments(3), moments_in_place(3);
    x.fill(1, -2, 2);
    dy.fill(2, -1, 1);
    CHECK_SUCCESS(context, velu_velu_forward(context, &desc, x, nullptr, y, moments));
    CHECK_SUCCESS(context, velu_velu_backward(context, &desc, x, dy, nullptr, moments, dx, nullptr));
    CHECK_SUCCESS(context, velu_velu_backward(context, &desc, x, dy, nullptr, moments, dy, nullptr));
    CHECK_SUCCESS(context, velu_velu_forward(context, &desc, x, nullptr, x, moments_in_place));
    CHECK_EQUAL(std::memcmp(x, y, x.bytes), 0);
    CHECK_EQUAL(std::memcmp(dx, dy, dx.bytes), 0);
    CHECK_EQUAL(std::memcmp(moments, moments_in_place, moments.bytes), 0);
}

}  // namespace

int main() {
    const auto test = [](const char* name, void (*body)(velu_context*)) {
        check::test_in_bfloat16(name, [&] { body(Context(2)); });
    };
    test("veluIsRoundedForAllShapes", velu_of_all_shapes);
    test("veluAcceptsPointersAlignedToOneElement", unaligned);
    test("veluWithARegularizerSurvivesALargeMean", offset_with_regularizer);
    test("veluInPlaceGivesTheSameBits", in_place);
    test("fusedBatchNormIsRoundedForAllShapes", batch_norm_of_all_shapes);
    return check::report();
}
