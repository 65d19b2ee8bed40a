// VeLU against float64, written from velu.h's formulas alone, on every instruction set this processor has.
//
// Tolerances (float32 against the exact formula): y 2e-6 |y| + 1e-7; dx 4e-6 of its sum of absolute terms + 1e-7;
// dlambda 4e-6 sum |dy A| + 1e-7; moments 1e-5 max(1, |value|).
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

constexpr velu_velu_params kReleased{0.1f, 0.1f, 0.1f, 0.1f, 0.9f, 1e-6f, VELU_STATISTIC_INVERSE_RMS, 0, 0, 0};
constexpr velu_velu_params kCurve{2.0f, 1.0f, 0.7f, 0.1f, 0.9f, 1e-6f, VELU_STATISTIC_INVERSE_RMS, 0, 0, 0};

/// Steep, but with all of its elements far from the clip.
constexpr velu_velu_params kSteep{2.0f, 0.1f, -0.1f, -0.3f, 0.9f, 1e-3f, VELU_STATISTIC_INVERSE_RMS, 0, 0, 0};

velu_velu_params with_statistic(velu_velu_params params, int32_t statistic) {
    params.statistic = statistic;
    return params;
}

velu_velu_desc descriptor(const velu_velu_params& params, int64_t rows, int64_t channels, float w2_weight = 0) {
    return {check::device(), VELU_DTYPE_F32, rows, channels, params, w2_weight, 0};
}

// --- Reference -------------------------------------------------------------------------------------------------------

struct Reference {
    std::vector<double> y, dx, magnitude;
    double mean = 0, std = 0, w2 = 0, dlambda = 0, dlambda_magnitude = 0;
};

double clipped_asin(double below, double above) {
    const double complement = std::max(0.0, std::min(below, above));  // 1 - |u|
    const double size =
        complement > 0.5 ? std::asin(1 - complement) : std::acos(0.0) - 2 * std::asin(std::sqrt(complement / 2));
    return below < above ? size : -size;
}

Reference reference(const velu_velu_desc& desc, const std::vector<double>& x, const std::vector<double>& dy,
                    double lambda) {
    const velu_velu_params& p = desc.params;
    const auto channels = static_cast<size_t>(desc.channels), rows = static_cast<size_t>(desc.rows);
    const size_t size = rows * channels;
    const double alpha = p.alpha, beta1 = p.beta1, beta2 = p.beta2, w = desc.w2_weight;
    Reference r{std::vector<double>(size), std::vector<double>(size), std::vector<double>(size)};
    std::vector<double> activation(size), gated(size), gate(size), of_gate(size), ds(size), a(rows), da(rows);
    for (size_t row = 0; row < rows; ++row) {
        double mean = 0, square = 0, variance = 0;
        for (size_t c = 0; c < channels; ++c) mean += x[row * channels + c] / static_cast<double>(channels);
        for (size_t c = 0; c < channels; ++c) {
            const double v = x[row * channels + c];
            square += v * v / static_cast<double>(channels);
            variance += (v - mean) * (v - mean) / static_cast<double>(channels);
        }
        const bool is_std = p.statistic == VELU_STATISTIC_STD;
        const double s = is_std ? std::sqrt(variance + p.eps) : 1 / std::sqrt(square + p.eps);
        const double cosh = std::cosh(p.mu * s);
        a[row] = 1 + p.gamma * std::tanh(p.mu * s);
        da[row] = p.gamma * p.mu / (cosh * cosh);
        if (p.clamp != 0 && (a[row] < p.scale_min || a[row] > p.scale_max)) {
            a[row] = a[row] < p.scale_min ? p.scale_min : p.scale_max;
            da[row] = 0;
        }
        for (size_t c = 0; c < channels; ++c) {
            const size_t i = row * channels + c;
            const double v = x[i], below = 1 - beta2 * v, above = 1 + beta2 * v;
            const double z = alpha * (std::atan(beta1 * v) + clipped_asin(below, above));
            gate[i] = 1 / (1 + std::exp(-z));
            double slope = beta1 / (1 + beta1 * v * beta1 * v);
            if (below > 0 && above > 0) slope += beta2 / std::sqrt(std::max(below * above, std::ldexp(1.0, -23)));
            of_gate[i] = v * gate[i] / (1 + std::exp(z)) * alpha * slope;
            gated[i] = v * gate[i];
            activation[i] = gated[i] * a[row];
            ds[i] = is_std ? (v - mean) / (static_cast<double>(channels) * s)
                           : -s * s * s * v / static_cast<double>(channels);
            r.y[i] = lambda * activation[i];
            // From the first element on, so that equal elements have exactly this mean, and std = 0.
            r.mean += (activation[i] - activation[0]) / static_cast<double>(size);
        }
    }
    r.mean += activation[0];
    double variance = 0;
    for (size_t i = 0; i < size; ++i) {
        variance += (activation[i] - r.mean) * (activation[i] - r.mean) / static_cast<double>(size);
        r.dlambda += dy[i] * activation[i];
        r.dlambda_magnitude += std::fabs(dy[i] * activation[i]);
    }
    r.std = std::sqrt(variance);
    r.w2 = r.mean * r.mean + (r.std - 1) * (r.std - 1);
    for (size_t row = 0; row < rows; ++row) {
        double through_scale = 0, through_magnitude = 0;
        std::vector<double> d(channels);
        for (size_t c = 0; c < channels; ++c) {
            const size_t i = row * channels + c;
            d[c] = lambda * dy[i];
            if (w != 0) {
                const double n = static_cast<double>(size);
                d[c] += w * 2 * r.mean / n;
                if (r.std > 0) d[c] += w * 2 * (r.std - 1) * (activation[i] - r.mean) / (n * r.std);
            }
            through_scale += d[c] * gated[i];
            through_magnitude += std::fabs(d[c] * gated[i]);
        }
        for (size_t c = 0; c < channels; ++c) {
            const size_t i = row * channels + c;
            r.dx[i] = d[c] * a[row] * (gate[i] + of_gate[i]) + through_scale * da[row] * ds[i];
            r.magnitude[i] = std::fabs(d[c] * a[row] * gate[i]) + std::fabs(d[c] * a[row] * of_gate[i]) +
                             through_magnitude * std::fabs(da[row] * ds[i]);
        }
    }
    return r;
}

std::vector<double> doubles(const Guarded<float>& values) {
    return {values.data, values.data + values.size};
}

/// Forward and backward of x in exactly sized buffers, against the reference.
void compare(velu_context* context, const velu_velu_desc& desc, const Guarded<float>& x, const Guarded<float>& dy,
             float lambda) {
    const int64_t size = desc.rows * desc.channels;
    Guarded<float> y(size), dx(size), moments(3), dlambda(1);
    CHECK_SUCCESS(context, velu_velu_forward(context, &desc, x, &lambda, y, moments));
    CHECK_SUCCESS(context, velu_velu_backward(context, &desc, x, dy, &lambda, moments, dx, dlambda));
    const Reference r = reference(desc, doubles(x), doubles(dy), lambda);
    for (int64_t i = 0; i < size; ++i) {
        const auto at = static_cast<size_t>(i);
        CHECK_NEAR(y[i], r.y[at], 2e-6 * std::fabs(r.y[at]) + 1e-7);
        CHECK_NEAR(dx[i], r.dx[at], 4e-6 * r.magnitude[at] + 1e-7);
    }
    CHECK_NEAR(dlambda[0], r.dlambda, 4e-6 * r.dlambda_magnitude + 1e-7);
    CHECK_NEAR(moments[0], r.mean, 1e-5 * std::max(1.0, std::fabs(r.mean)));
    CHECK_NEAR(moments[1], r.std, 1e-5 * std::max(1.0, r.std));
    CHECK_NEAR(moments[2], static_cast<float>(r.w2), 1e-5 * std::max(1.0, r.w2));  // infinite above float32's range
}

/// One row of chosen values.
void compare_row(velu_context* context, const velu_velu_params& params, const std::vector<float>& values) {
    const auto channels = static_cast<int64_t>(values.size());
    Guarded<float> x(channels), dy(channels);
    std::copy(values.begin(), values.end(), x.data);
    compare(context, descriptor(params, 1, channels), x, dy.fill_uniform(3), 1.0f);
}

// --- Tests -----------------------------------------------------------------------------------------------------------

void all_shapes(velu_context* context) {
    for (const int64_t channels : {1, 20, 31, 33, 64, 257, 1028, 2048}) {
        for (const int64_t rows : {1, 7, 130}) {
            if (channels > 1000 && rows == 130) continue;
            for (const int32_t statistic : {VELU_STATISTIC_INVERSE_RMS, VELU_STATISTIC_STD}) {
                for (const velu_velu_params& params : {kReleased, kCurve, kSteep}) {
                    // No element of these is at the clip: |beta2 x| <= 0.98 or > 1.
                    Guarded<float> x(rows * channels), dy(rows * channels);
                    x.fill_uniform(static_cast<uint64_t>(rows * channels), -1.4, 1.4);
                    compare(context, descriptor(with_statistic(params, statistic), rows, channels, 0.1f), x,
                            dy.fill_uniform(2), -0.75f);
                }
            }
        }
    }
}

/// Few large elements among many small ones, up to |beta x| = 0.73: kernels that go a shorter way for elements near 0
/// judge several at once.
void few_large_elements(velu_context* context) {
    velu_velu_params same_sign = kSteep;
    same_sign.beta2 = 0.1f;
    for (const velu_velu_params& params : {kReleased, kSteep, same_sign}) {
        for (const int64_t channels : {64, 320, 2048}) {
            Guarded<float> x(3 * channels), dy(3 * channels), large(3 * channels);
            x.fill_uniform(31, -0.3, 0.3);
            large.fill_uniform(32, -7.3, 7.3);
            for (int64_t i = 0; i < x.size; i += 16) x[i] = large[i];
            compare(context, descriptor(params, 3, channels, 0.1f), x, dy.fill_uniform(33), 1.0f);
        }
    }
}

/// Rows of uniform elements whose largest ones are 3 % apart, from far inside to far outside every range for which a
/// kernel has a shorter way: rows of all ways stand side by side.
void rows_of_all_sizes(velu_context* context) {
    constexpr int64_t kRows = 270, kChannels = 37;
    for (const int32_t statistic : {VELU_STATISTIC_INVERSE_RMS, VELU_STATISTIC_STD}) {
        for (const velu_velu_params& params : {kReleased, kCurve, kSteep}) {
            Guarded<float> x(kRows * kChannels), dy(kRows * kChannels);
            x.fill_uniform(41);
            float size = 0.02f * std::fabs(0.7f / params.beta2);
            for (int64_t row = 0; row < kRows; ++row, size *= 1.03f) {
                for (int64_t c = 0; c < kChannels; ++c) {
                    float& value = x[row * kChannels + c];
                    value *= size;
                    // The reference cannot follow the edge of the clip through the rounding of x.
                    if (std::fabs(std::fabs(params.beta2 * value) - 1.0f) < 1e-4f) value *= 0.99f;
                }
            }
            compare(context, descriptor(with_statistic(params, statistic), kRows, kChannels), x, dy.fill_uniform(42),
                    1.0f);
        }
    }
}

/// Parameters between and beyond those of the paper: every one has short ways of its own, or none.
void grid_of_parameters(velu_context* context) {
    for (const float alpha : {-3.0f, -0.4f, 0.03f, 0.7f, 1.5f, 3.0f, 6.0f}) {
        for (const float beta1 : {-0.3f, 0.0f, 0.05f, 1.0f, 4.0f}) {
            for (const float beta2 : {-1.0f, 0.0f, 0.02f, 0.3f, 2.0f}) {
                velu_velu_params params = kReleased;
                params.alpha = alpha;
                params.beta1 = beta1;
                params.beta2 = beta2;
                std::vector<float> values;
                for (float size = 0.003f; size < 100.0f; size *= 1.7f) {
                    for (const float value : {size, -size}) {
                        if (std::fabs(std::fabs(beta2 * value) - 1.0f) > 1e-3f) values.push_back(value);
                    }
                    compare_row(context, params, values);
                }
            }
        }
    }
}

void around_the_clip(velu_context* context) {
    for (velu_velu_params params : {kCurve, kReleased}) {
        for (const int32_t statistic : {VELU_STATISTIC_INVERSE_RMS, VELU_STATISTIC_STD}) {
            std::vector<float> values;
            for (const float u : {-1.0f, -0.5f, 0.5f, 1.0f}) {
                for (const float beta : {params.beta1, params.beta2}) {
                    float down = u / beta, up = down;
                    values.push_back(down);
                    for (int step = 0; step < 5; ++step) {
                        values.push_back(down = std::nextafter(down, -kInfinity));
                        values.push_back(up = std::nextafter(up, kInfinity));
                    }
                    values.push_back(u / beta * 0.999f);
                    values.push_back(u / beta * 1.001f);
                }
            }
            compare_row(context, with_statistic(params, statistic), values);
            for (const float value : values) compare_row(context, with_statistic(params, statistic), {value, 0.25f});
        }
    }
}

/// The last number inside the clip, whose distance from it is another part of a rounding for every beta2.
void last_inside_the_clip(velu_context* context) {
    for (float beta2 = 0.5f; beta2 < 2.0f; beta2 *= 1.07f) {
        velu_velu_params params = kCurve;
        params.beta2 = beta2;
        float last = 1.0f / beta2;
        while (std::fma(beta2, -last, 1.0f) <= 0) last = std::nextafter(last, 0.0f);
        compare_row(context, params, {last, 0.25f, -last, -0.5f});
    }
}

/// Squares of these overflow float32, or their sums do.
void long_rows_of_large_elements(velu_context* context) {
    for (const int32_t statistic : {VELU_STATISTIC_INVERSE_RMS, VELU_STATISTIC_STD}) {
        for (const double size : {1e8, 1e13, 3e18, 1e25}) {
            Guarded<float> x(6 * 200), dy(6 * 200);
            x.fill_uniform(61, -size, size);
            compare(context, descriptor(with_statistic(kReleased, statistic), 6, 200), x, dy.fill_uniform(62), 1.0f);
        }
    }
}

/// With gamma near -1 the adaptive scale is a small difference.
void cancelling_scale(velu_context* context) {
    constexpr int64_t kRows = 60, kChannels = 40;
    for (const int32_t statistic : {VELU_STATISTIC_INVERSE_RMS, VELU_STATISTIC_STD}) {
        for (const float gamma : {-0.9999f, -0.6f, -0.5f}) {
            velu_velu_params params = with_statistic(kCurve, statistic);
            params.gamma = gamma;
            Guarded<float> x(kRows * kChannels), dy(kRows * kChannels);
            x.fill_uniform(71);
            float size = 0.1f;
            for (int64_t row = 0; row < kRows; ++row, size *= 1.08f) {
                for (int64_t c = 0; c < kChannels; ++c) x[row * kChannels + c] *= size;
            }
            compare(context, descriptor(params, kRows, kChannels), x, dy.fill_uniform(72), 1.0f);
        }
    }
}

void all_magnitudes(velu_context* context) {
    for (const velu_velu_params& params : {kReleased, kCurve}) {
        for (const int32_t statistic : {VELU_STATISTIC_INVERSE_RMS, VELU_STATISTIC_STD}) {
            for (float size = 1e-36f; size < 1e37f; size *= 7.3f) {
                compare_row(context, with_statistic(params, statistic), {size, -size, 0.3f * size, 0.0f, -0.0f});
            }
            compare_row(context, with_statistic(params, statistic), {1e-42f, -1e-45f, 1.0f});
            compare_row(context, with_statistic(params, statistic), {1e20f, 1.0f, -1e-20f, -1e30f});
        }
    }
}

void unusual_parameters(velu_context* context) {
    std::vector<velu_velu_params> all;
    for (const float alpha : {0.0f, -2.0f, 15.0f, 300.0f, 3e38f}) {
        all.push_back(kCurve);
        all.back().alpha = alpha;
    }
    for (const float beta : {0.0f, -0.7f, 1e-30f, 50.0f}) {
        all.push_back(kCurve);
        all.back().beta1 = beta;
        all.push_back(kCurve);
        all.back().beta2 = beta;
    }
    for (const float gamma : {0.0f, -0.9f, -0.9999f, 0.9999f}) {
        all.push_back(kCurve);
        all.back().gamma = gamma;
    }
    for (const float mu : {0.0f, -0.9f, 1000.0f}) {
        all.push_back(kCurve);
        all.back().mu = mu;
    }
    for (const float eps : {1e-38f, 1e-3f, 1e10f}) {
        all.push_back(kCurve);
        all.back().eps = eps;
    }
    for (const velu_velu_params& params : all) {
        for (const int32_t statistic : {VELU_STATISTIC_INVERSE_RMS, VELU_STATISTIC_STD}) {
            compare_row(
                context, with_statistic(params, statistic),
                {-1e3f, -20.0f, -3.0f, -1.2f, -0.7f, -0.1f, -1e-4f, 0.0f, 1e-3f, 0.2f, 0.8f, 1.3f, 4.0f, 60.0f});
        }
    }
}

void clamp_of_the_scale(velu_context* context) {
    for (const float gamma : {0.6f, -0.6f}) {
        velu_velu_params params = kCurve;
        params.gamma = gamma;
        params.clamp = 1;
        params.scale_min = 0.8f;
        params.scale_max = 1.2f;
        compare_row(context, params, {0.3f, -0.2f, 0.1f});     // clips
        compare_row(context, params, {30.0f, -20.0f, 10.0f});  // does not
    }
}

void an_offset_of_the_row(velu_context* context) {
    Guarded<float> x(5 * 300), dy(5 * 300);
    x.fill_uniform(8, 999.99, 1000.01);
    compare(context, descriptor(with_statistic(kCurve, VELU_STATISTIC_STD), 5, 300), x, dy.fill_uniform(9), 1.0f);
}

/// The gradient of W2^2 divides A - mean by a std that is far below the rounding of A.
void an_offset_with_a_regularizer(velu_context* context) {
    for (const int32_t statistic : {VELU_STATISTIC_INVERSE_RMS, VELU_STATISTIC_STD}) {
        for (const velu_velu_params& params : {kReleased, kCurve}) {
            for (const int64_t channels : {1, 33, 300}) {
                for (const double deviation : {0.001, 0.1}) {
                    Guarded<float> x(7 * channels), dy(7 * channels);
                    x.fill_uniform(21, 5 - deviation, 5 + deviation);
                    compare(context, descriptor(with_statistic(params, statistic), 7, channels, 1.0f), x,
                            dy.fill_uniform(22), 1.3f);
                }
            }
        }
    }
}

/// Equal A have std = 0, where the regularizer's second term is 0.
void equal_elements_with_a_regularizer(velu_context* context) {
    for (const float value : {0.0f, 0.3f, -40.0f}) {
        for (const int64_t rows : {1, 6}) {
            Guarded<float> x(rows * 4), dy(rows * 4), dx(rows * 4), moments(3);
            std::fill_n(x.data, rows * 4, value);
            const velu_velu_desc desc = descriptor(kCurve, rows, 4, 1.0f);
            CHECK_SUCCESS(context, velu_velu_forward(context, &desc, x, nullptr, x, moments));
            CHECK_EQUAL(moments[1], 0.0f);
            std::fill_n(x.data, rows * 4, value);
            compare(context, desc, x, dy.fill_uniform(4), 1.0f);
        }
    }
}

void moments_in_place(velu_context* context) {
    // Blocks that float32 resolves and blocks that it does not.
    const velu_velu_desc desc = descriptor(kReleased, 600, 40);
    Guarded<float> x(600 * 40), y(600 * 40), moments(3), moments_in_place(3);
    x.fill_uniform(6);
    for (int64_t i = 0; i < 12000; ++i) x[i] = 1000.0f + 0.01f * x[i];
    CHECK_SUCCESS(context, velu_velu_forward(context, &desc, x, nullptr, y, moments));
    CHECK_SUCCESS(context, velu_velu_forward(context, &desc, x, nullptr, x, moments_in_place));
    CHECK_EQUAL(std::memcmp(x, y, x.bytes), 0);
    CHECK_EQUAL(std::memcmp(moments, moments_in_place, moments.bytes), 0);
}

void nan_and_infinity(velu_context* context) {
    constexpr int64_t kRows = 4, kChannels = 37;
    const velu_velu_desc desc = descriptor(kCurve, kRows, kChannels, 0.0f);
    Guarded<float> x(kRows * kChannels), dy(kRows * kChannels), y(kRows * kChannels), dx(kRows * kChannels), moments(3);
    x.fill_uniform(1);
    dy.fill_uniform(2);
    x[1 * kChannels + 5] = kNan;
    x[2 * kChannels + 36] = kInfinity;
    CHECK_SUCCESS(context, velu_velu_forward(context, &desc, x, nullptr, y, moments));
    CHECK_SUCCESS(context, velu_velu_backward(context, &desc, x, dy, nullptr, moments, dx, nullptr));
    for (int64_t c = 0; c < kChannels; ++c) {
        CHECK(std::isnan(y[kChannels + c]) && std::isnan(dx[kChannels + c]));
        CHECK(std::isfinite(y[c]) && std::isfinite(dx[c]));
        CHECK(std::isfinite(y[3 * kChannels + c]) && std::isfinite(dx[3 * kChannels + c]));
        // s = 0 in a row with an infinity: its finite elements have a = 1.
        CHECK(c == 36 || std::isfinite(y[2 * kChannels + c]));
    }
    CHECK_EQUAL(y[2 * kChannels + 36], kInfinity);
    CHECK(std::isnan(moments[0]) && std::isnan(moments[1]) && std::isnan(moments[2]));
}

/// Rows are done side by side, but a row has the bits that it has alone, whichever way its neighbours go.
void rows_and_neighbours(velu_context* context) {
    constexpr int64_t kRows = 70;
    for (const int64_t channels : {1, 16, 64, 75, 1100}) {
        Guarded<float> x(kRows * channels), dy(kRows * channels), y(kRows * channels), dx(kRows * channels);
        Guarded<float> row_x(channels), row_dy(channels), row_y(channels), row_dx(channels);
        x.fill_uniform(5);
        dy.fill_uniform(6);
        x[20 * channels] = kNan;
        x[37 * channels] = 1e30f;
        x[(kRows - 1) * channels] = 12.0f;
        velu_velu_desc desc = descriptor(kReleased, kRows, channels);
        CHECK_SUCCESS(context, velu_velu_forward(context, &desc, x, nullptr, y, nullptr));
        CHECK_SUCCESS(context, velu_velu_backward(context, &desc, x, dy, nullptr, nullptr, dx, nullptr));
        desc.rows = 1;
        for (int64_t row = 0; row < kRows; ++row) {
            std::copy_n(x.data + row * channels, channels, row_x.data);
            std::copy_n(dy.data + row * channels, channels, row_dy.data);
            CHECK_SUCCESS(context, velu_velu_forward(context, &desc, row_x, nullptr, row_y, nullptr));
            CHECK_SUCCESS(context,
                          velu_velu_backward(context, &desc, row_x, row_dy, nullptr, nullptr, row_dx, nullptr));
            CHECK_EQUAL(std::memcmp(row_y.data, y.data + row * channels, row_y.bytes), 0);
            CHECK_EQUAL(std::memcmp(row_dx.data, dx.data + row * channels, row_dx.bytes), 0);
        }
    }
}

void in_place(velu_context* context) {
    const velu_velu_desc desc = descriptor(kCurve, 9, 45, 0.1f);
    Guarded<float> x(9 * 45), dy(9 * 45), y(9 * 45), dx(9 * 45), moments(3);
    x.fill_uniform(1, -2, 2);
    dy.fill_uniform(2);
    CHECK_SUCCESS(context, velu_velu_forward(context, &desc, x, nullptr, y, moments));
    CHECK_SUCCESS(context, velu_velu_backward(context, &desc, x, dy, nullptr, moments, dx, nullptr));
    CHECK_SUCCESS(context, velu_velu_backward(context, &desc, x, dy, nullptr, moments, dy, nullptr));
    CHECK_SUCCESS(context, velu_velu_forward(context, &desc, x, nullptr, x, nullptr));
    CHECK_EQUAL(std::memcmp(x, y, x.bytes), 0);
    CHECK_EQUAL(std::memcmp(dx, dy, dx.bytes), 0);
}

void unaligned(velu_context* context) {
    const velu_velu_desc desc = descriptor(kCurve, 3, 50);
    Guarded<float> x(150, 4), dy(150, 12);
    x.fill_uniform(1);
    compare(context, desc, x, dy.fill_uniform(2), 1.0f);
}

void same_bits_for_any_threads(double low, double high) {
    constexpr int64_t kRows = 1500, kChannels = 33;
    const velu_velu_desc desc = descriptor(kCurve, kRows, kChannels, 0.1f);
    Guarded<float> x(kRows * kChannels), dy(kRows * kChannels);
    x.fill_uniform(1, low, high);
    dy.fill_uniform(2);
    Guarded<float> y1(x.size), dx1(x.size), scalars1(4);
    for (const int32_t threads : {1, 2, 3}) {
        Context context(threads);
        Guarded<float> y(x.size), dx(x.size), scalars(4);
        CHECK_SUCCESS(context, velu_velu_forward(context, &desc, x, nullptr, threads == 1 ? y1 : y,
                                                 threads == 1 ? scalars1 : scalars));
        CHECK_SUCCESS(context,
                      velu_velu_backward(context, &desc, x, dy, nullptr, threads == 1 ? scalars1 : scalars,
                                         threads == 1 ? dx1 : dx, (threads == 1 ? scalars1.data : scalars.data) + 3));
        if (threads == 1) continue;
        CHECK_EQUAL(std::memcmp(y, y1, y.bytes), 0);
        CHECK_EQUAL(std::memcmp(dx, dx1, dx.bytes), 0);
        CHECK_EQUAL(std::memcmp(scalars, scalars1, scalars.bytes), 0);
    }
}

/// The moments of a large tensor whose mean is a thousand times its deviation.
void moments_of_many(velu_context* context) {
    velu_velu_params params = kReleased;
    params.gamma = 0;
    params.alpha = 0;  // A = x / 2
    constexpr int64_t kRows = 20000, kChannels = 64;
    const velu_velu_desc desc = descriptor(params, kRows, kChannels);
    Guarded<float> x(kRows * kChannels), moments(3);
    x.fill_uniform(5, 1999, 2001);
    double mean = 0, variance = 0;
    for (int64_t i = 0; i < x.size; ++i) mean += x[i] / 2.0 / static_cast<double>(x.size);
    for (int64_t i = 0; i < x.size; ++i)
        variance += (x[i] / 2.0 - mean) * (x[i] / 2.0 - mean) / static_cast<double>(x.size);
    CHECK_SUCCESS(context, velu_velu_forward(context, &desc, x, nullptr, x, moments));
    CHECK_NEAR(moments[0], mean, 1e-7 * mean);
    CHECK_NEAR(moments[1], std::sqrt(variance), 1e-6);
}

/// Blocks that begin with an element far from all others, and rows shorter and longer than a vector.
void moments_behind_an_outlier(velu_context* context) {
    for (const int64_t channels : {1, 5, 16, 21, 64, 700}) {
        const int64_t rows = 9000 / channels;
        Guarded<float> x(rows * channels), dy(rows * channels);
        x.fill_uniform(51, 0.5, 1.5);
        x[0] = 3000.0f;
        x[1] = -40.0f;
        compare(context, descriptor(kReleased, rows, channels, 0.1f), x, dy.fill_uniform(52), 1.0f);
    }
}

void published_curve(velu_context* context) {
    const velu_velu_desc desc = descriptor(kCurve, 1, 300);
    Guarded<float> x(300), y(300);
    for (int64_t i = 0; i < 300; ++i) x[i] = static_cast<float>(-1.5 + 3.0 * static_cast<double>(i) / 299.0);
    CHECK_SUCCESS(context, velu_velu_forward(context, &desc, x, nullptr, y, nullptr));
    CHECK_NEAR(y[0], -0.00972560, 1e-7);
    CHECK_NEAR(y[299], 1.60670631, 4e-6);
    CHECK_NEAR(*std::min_element(y.data, y.data + 300), -0.09025852, 3e-7);
}

/// The reference's own gradient, so that a wrong formula in it cannot hide: loss = sum(dy y) + w W2^2.
void reference_gradient() {
    for (const int32_t statistic : {VELU_STATISTIC_INVERSE_RMS, VELU_STATISTIC_STD}) {
        const velu_velu_desc desc = descriptor(with_statistic(kCurve, statistic), 3, 5, 0.4f);
        Guarded<float> numbers(15);
        std::vector<double> x = doubles(numbers.fill_uniform(11, -1.3, 1.3));
        const std::vector<double> dy = doubles(numbers.fill_uniform(12));
        const auto loss = [&](double lambda) {
            const Reference r = reference(desc, x, dy, lambda);
            double sum = static_cast<double>(desc.w2_weight) * r.w2;
            for (size_t i = 0; i < 15; ++i) sum += dy[i] * r.y[i];
            return sum;
        };
        const Reference r = reference(desc, x, dy, 0.8);
        const double step = 1e-5;
        for (size_t i = 0; i < 15; ++i) {
            const double at = x[i];
            x[i] = at + step;
            const double right = loss(0.8);
            x[i] = at - step;
            const double left = loss(0.8);
            x[i] = at;
            CHECK_NEAR(r.dx[i], (right - left) / (2 * step), 1e-8);
        }
        CHECK_NEAR(r.dlambda, (loss(0.8 + step) - loss(0.8 - step)) / (2 * step), 1e-8);
    }
}

}  // namespace

int main() {
    check::test("referenceGradientMatchesCentralDifferences", reference_gradient);
    check::on_every_isa("agreesWithFloat64OnOddShapes", all_shapes);
    check::on_every_isa("agreesWithFloat64ForFewLargeElements", few_large_elements);
    check::on_every_isa("agreesWithFloat64ForRowsOfAllSizes", rows_of_all_sizes);
    check::on_every_isa("agreesWithFloat64ForAGridOfParameters", grid_of_parameters);
    check::on_every_isa("agreesWithFloat64AroundTheClip", around_the_clip);
    check::on_every_isa("agreesWithFloat64AtTheLastNumberInsideTheClip", last_inside_the_clip);
    check::on_every_isa("agreesWithFloat64ForLongRowsOfLargeElements", long_rows_of_large_elements);
    check::on_every_isa("agreesWithFloat64WhereTheScaleCancels", cancelling_scale);
    check::on_every_isa("agreesWithFloat64ForAllMagnitudes", all_magnitudes);
    check::on_every_isa("agreesWithFloat64ForUnusualParameters", unusual_parameters);
    check::on_every_isa("clampStopsTheScaleAndItsGradient", clamp_of_the_scale);
    check::on_every_isa("standardDeviationSurvivesALargeMean", an_offset_of_the_row);
    check::on_every_isa("gradientOfTheRegularizerSurvivesALargeMean", an_offset_with_a_regularizer);
    check::on_every_isa("regularizerLeavesOutTheDeviationOfEqualElements", equal_elements_with_a_regularizer);
    check::on_every_isa("momentsInPlaceHaveTheSameBits", moments_in_place);
    check::on_every_isa("reproducesThePublishedCurve", published_curve);
    check::on_every_isa("nanSpoilsItsRowOnlyAndInfinityFollowsIeee", nan_and_infinity);
    // On CUDA the number of rows decides how many threads share one.
    if (check::on_cpu()) check::on_every_isa("rowsHaveTheBitsTheyHaveAlone", rows_and_neighbours);
    check::on_every_isa("inPlaceGivesTheSameBits", in_place);
    check::on_every_isa("acceptsPointersAlignedToOneElement", unaligned);
    check::on_every_isa("momentsOfManySurviveALargeMean", moments_of_many);
    check::on_every_isa("momentsSurviveAnOutlierThatComesFirst", moments_behind_an_outlier);
    check::test("sameBitsForAnyThreadCount", [] { same_bits_for_any_threads(-3, 3); });
    check::test("sameBitsForAnyThreadCountInFloat64", [] { same_bits_for_any_threads(1000, 1000.001); });
    return check::report();
}
