// Batch normalization with residual and activation against float64, on every instruction set this processor has.
//
// Tolerances: y 2e-5 of the sum of absolute terms |scale (x - mean)| + |bias| + |residual| + 1e-6; gradients 2e-5 of
// theirs
// + 1e-6. Normalizing divides by a standard deviation, whose rounding and that of the mean enter every term; a
// derivative of f, of order 1, passes them on.
#include <algorithm>
#include <array>
#include <limits>
#include <string>
#include <vector>

#include "check.h"

namespace {

using check::Context;
using check::Guarded;

constexpr float kNan = std::numeric_limits<float>::quiet_NaN();
constexpr velu_velu_params kCurve{2.0f, 1.0f, 0.2f, 0.1f, 0.9f, 1e-6f, VELU_STATISTIC_INVERSE_RMS, 0, 0, 0};
constexpr int32_t kAll[] = {VELU_ACTIVATION_IDENTITY, VELU_ACTIVATION_RELU, VELU_ACTIVATION_RELU6,
                            VELU_ACTIVATION_SILU,     VELU_ACTIVATION_GELU, VELU_ACTIVATION_VELU};

velu_batch_norm_desc descriptor(int64_t rows, int64_t channels, int32_t activation, float w2_weight = 0) {
    return {check::device(), VELU_DTYPE_F32, rows, channels, 1e-5f, 0.1f, activation, w2_weight, kCurve, 0, 0, 0};
}

// --- Reference -------------------------------------------------------------------------------------------------------

using Values = std::vector<double>;

struct Problem {
    velu_batch_norm_desc desc;
    Values x, dy, weight, bias, residual;  // residual may be empty
    double lambda = 1;

    size_t rows() const { return static_cast<size_t>(desc.rows); }
    size_t channels() const { return static_cast<size_t>(desc.channels); }
};

struct Statistics {
    Values mean, variance;  // per channel
};

Statistics statistics(const Problem& p) {
    Statistics s{Values(p.channels()), Values(p.channels())};
    const auto n = static_cast<double>(p.rows());
    for (size_t i = 0; i < p.x.size(); ++i) s.mean[i % p.channels()] += p.x[i] / n;
    for (size_t i = 0; i < p.x.size(); ++i) {
        const double deviation = p.x[i] - s.mean[i % p.channels()];
        s.variance[i % p.channels()] += deviation * deviation / n;
    }
    return s;
}

/// z and the sum of the absolute terms of z.
void normalize(const Problem& p, const Statistics& s, Values& z, Values& magnitude) {
    z.resize(p.x.size());
    magnitude.resize(p.x.size());
    for (size_t i = 0; i < p.x.size(); ++i) {
        const size_t c = i % p.channels();
        const double scaled = p.weight[c] * (p.x[i] - s.mean[c]) / std::sqrt(s.variance[c] + p.desc.eps);
        const double added = p.residual.empty() ? 0 : p.residual[i];
        z[i] = scaled + p.bias[c] + added;
        magnitude[i] = std::fabs(scaled) + std::fabs(p.bias[c]) + std::fabs(added);
    }
}

/// A of VeLU for all rows.
Values velu(const Problem& p, const Values& z) {
    const velu_velu_params& k = p.desc.params;
    Values result(z.size());
    for (size_t row = 0; row < p.rows(); ++row) {
        double square = 0;
        for (size_t c = 0; c < p.channels(); ++c) square += z[row * p.channels() + c] * z[row * p.channels() + c];
        const double a = 1 + k.gamma * std::tanh(k.mu / std::sqrt(square / static_cast<double>(p.channels()) + k.eps));
        for (size_t c = 0; c < p.channels(); ++c) {
            const double v = z[row * p.channels() + c];
            const double m = std::atan(k.beta1 * v) + std::asin(std::clamp(k.beta2 * v, -1.0, 1.0));
            result[row * p.channels() + c] = v * a / (1 + std::exp(-k.alpha * m));
        }
    }
    return result;
}

struct Moments {
    double mean = 0, std = 0, w2 = 0;
};

Moments moments_of(const Values& a) {
    Moments m;
    for (const double v : a) m.mean += v / static_cast<double>(a.size());
    for (const double v : a) m.std += (v - m.mean) * (v - m.mean) / static_cast<double>(a.size());
    m.std = std::sqrt(m.std);
    m.w2 = m.mean * m.mean + (m.std - 1) * (m.std - 1);
    return m;
}

Values activate(const Problem& p, const Values& z) {
    if (p.desc.activation == VELU_ACTIVATION_VELU) {
        Values y = velu(p, z);
        for (double& v : y) v *= p.lambda;
        return y;
    }
    Values y = z;
    for (double& v : y) {
        switch (p.desc.activation) {
            case VELU_ACTIVATION_RELU:
                v = std::max(v, 0.0);
                break;
            case VELU_ACTIVATION_RELU6:
                v = std::clamp(v, 0.0, 6.0);
                break;
            case VELU_ACTIVATION_SILU:
                v = v / (1 + std::exp(-v));
                break;
            case VELU_ACTIVATION_GELU:
                v = v * std::erfc(-v / std::sqrt(2.0)) / 2;
                break;
            default:
                break;
        }
    }
    return y;
}

/// sum(dy y) + w2_weight W2^2 as a function of the activation's input.
double loss(const Problem& p, const Values& z) {
    const Values y = activate(p, z);
    double sum = 0;
    for (size_t i = 0; i < y.size(); ++i) sum += p.dy[i] * y[i];
    if (p.desc.activation == VELU_ACTIVATION_VELU)
        sum += static_cast<double>(p.desc.w2_weight) * moments_of(velu(p, z)).w2;
    return sum;
}

/// dL/dz by central differences of fourth order: error about 1e-10, with no derivative formula to get wrong. Only rows
/// of z whose change matters are recomputed where W2 does not couple all of them.
Values loss_gradient(const Problem& p, const Values& z) {
    Values dz(z.size());
    const bool coupled = p.desc.activation == VELU_ACTIVATION_VELU && p.desc.w2_weight != 0;
    Problem part = p;
    for (size_t row = 0; row < p.rows(); ++row) {
        const auto first = static_cast<std::ptrdiff_t>(row * p.channels()), last = first + p.desc.channels;
        Values at = coupled ? z : Values(z.begin() + first, z.begin() + last);
        if (!coupled) {
            part.dy.assign(p.dy.begin() + first, p.dy.begin() + last);
            part.desc.rows = 1;
        }
        for (size_t c = 0; c < p.channels(); ++c) {
            double& v = at[coupled ? row * p.channels() + c : c];
            const double center = v, step = 1e-4;
            const auto difference = [&](double h) {
                v = center + h;
                const double right = loss(part, at);
                v = center - h;
                const double left = loss(part, at);
                v = center;
                return (right - left) / (2 * h);
            };
            dz[row * p.channels() + c] = (4 * difference(step) - difference(2 * step)) / 3;
        }
    }
    return dz;
}

Values doubles(const Guarded<float>& values) {
    return {values.data, values.data + values.size};
}

// --- Comparison ------------------------------------------------------------------------------------------------------

struct Run {
    explicit Run(const velu_batch_norm_desc& d, bool residual_given, double low = -2, double high = 2)
        : desc(d), size(d.rows * d.channels), with_residual(residual_given) {
        x.fill_uniform(1, low, high);
        dy.fill_uniform(2);
        weight.fill_uniform(3, 0.5, 1.5);
        bias.fill_uniform(4, -0.5, 0.5);
        residual.fill_uniform(5, -1, 1);
        running_mean.fill_uniform(6, -1, 1);
        running_var.fill_uniform(7, 0.5, 2);
        lambda[0] = 0.75f;
        tracked[0] = 41;
    }

    bool is_velu() const { return desc.activation == VELU_ACTIVATION_VELU; }
    const float* residual_or_null() const { return with_residual ? residual.data : nullptr; }
    const float* lambda_or_null() const { return is_velu() ? lambda.data : nullptr; }
    float* moments_or_null() { return is_velu() ? moments.data : nullptr; }

    Problem problem() const {
        return {desc,
                doubles(x),
                doubles(dy),
                doubles(weight),
                doubles(bias),
                with_residual ? doubles(residual) : Values{},
                is_velu() ? static_cast<double>(lambda[0]) : 1.0};
    }

    void forward(velu_context* context) {
        CHECK_SUCCESS(context, velu_batch_norm_forward_training(context, &desc, x, weight, bias, residual_or_null(),
                                                                lambda_or_null(), running_mean, running_var, tracked, y,
                                                                mean, inv_std, moments_or_null()));
    }
    void backward(velu_context* context) {
        CHECK_SUCCESS(context, velu_batch_norm_backward(context, &desc, x, dy, weight, bias, residual_or_null(),
                                                        lambda_or_null(), mean, inv_std, moments_or_null(), nullptr, dx,
                                                        with_residual ? dresidual.data : nullptr, dweight, dbias,
                                                        is_velu() ? dlambda.data : nullptr));
    }

    velu_batch_norm_desc desc;
    int64_t size;
    bool with_residual;
    Guarded<float> x{size}, dy{size}, residual{size}, y{size}, dx{size}, dresidual{size};
    Guarded<float> weight{desc.channels}, bias{desc.channels}, running_mean{desc.channels}, running_var{desc.channels};
    Guarded<float> mean{desc.channels}, inv_std{desc.channels}, dweight{desc.channels}, dbias{desc.channels};
    Guarded<float> lambda{1}, moments{3}, dlambda{1};
    Guarded<int64_t> tracked{1};
};

void check_forward(const Problem& p, const Statistics& s, const Run& run) {
    Values z, magnitude;
    normalize(p, s, z, magnitude);
    const Values y = activate(p, z);
    for (size_t i = 0; i < y.size(); ++i) {
        CHECK_NEAR(run.y[static_cast<int64_t>(i)], y[i], 2e-5 * magnitude[i] + 1e-6);
    }
    if (p.desc.activation == VELU_ACTIVATION_VELU) {
        const Moments m = moments_of(velu(p, z));
        CHECK_NEAR(run.moments[0], m.mean, 1e-5 * std::max(1.0, std::fabs(m.mean)));
        CHECK_NEAR(run.moments[1], m.std, 1e-5 * std::max(1.0, m.std));
        CHECK_NEAR(run.moments[2], m.w2, 1e-5 * std::max(1.0, m.w2));
    }
}

void check_backward(const Problem& p, const Statistics& s, const Run& run) {
    constexpr double tolerance = 2e-5;
    Values z, unused;
    normalize(p, s, z, unused);
    const Values dz = loss_gradient(p, z);
    const auto n = static_cast<double>(p.rows());
    Values sum(p.channels()), product(p.channels()), sum_size(p.channels()), product_size(p.channels());
    const auto normalized = [&](size_t i) {
        const size_t c = i % p.channels();
        return (p.x[i] - s.mean[c]) / std::sqrt(s.variance[c] + p.desc.eps);
    };
    for (size_t i = 0; i < dz.size(); ++i) {
        const size_t c = i % p.channels();
        // The last term covers a dz that cancels to little.
        sum[c] += dz[i];
        sum_size[c] += std::fabs(dz[i]) + 0.1 * std::fabs(p.dy[i]);
        product[c] += dz[i] * normalized(i);
        product_size[c] += (std::fabs(dz[i]) + 0.1 * std::fabs(p.dy[i])) * std::fabs(normalized(i));
    }
    for (size_t c = 0; c < p.channels(); ++c) {
        CHECK_NEAR(run.dbias[static_cast<int64_t>(c)], sum[c], tolerance * sum_size[c] + 1e-6);
        CHECK_NEAR(run.dweight[static_cast<int64_t>(c)], product[c], tolerance * product_size[c] + 1e-6);
    }
    for (size_t i = 0; i < dz.size(); ++i) {
        const size_t c = i % p.channels();
        const double scale = p.weight[c] / std::sqrt(s.variance[c] + p.desc.eps);
        const double expected = scale * (dz[i] - sum[c] / n - normalized(i) * product[c] / n);
        const double size = std::fabs(scale) * (std::fabs(dz[i]) + 0.1 * std::fabs(p.dy[i]) + sum_size[c] / n +
                                                std::fabs(normalized(i)) * product_size[c] / n);
        CHECK_NEAR(run.dx[static_cast<int64_t>(i)], expected, tolerance * size + 1e-6);
        if (run.with_residual) {
            CHECK_NEAR(run.dresidual[static_cast<int64_t>(i)], dz[i],
                       tolerance * (std::fabs(dz[i]) + 0.1 * std::fabs(p.dy[i])) + 1e-6);
        }
    }
    if (p.desc.activation == VELU_ACTIVATION_VELU) {
        const Values a = velu(p, z);
        double expected = 0, size = 0;
        for (size_t i = 0; i < a.size(); ++i) {
            expected += p.dy[i] * a[i];
            size += std::fabs(p.dy[i] * a[i]);
        }
        CHECK_NEAR(run.dlambda[0], expected, tolerance * size + 1e-7);
    }
}

/// Moves x by a little wherever z is so close to a kink of ReLU or ReLU6 that a difference quotient crosses it.
void avoid_kinks(Run& run) {
    for (int round = 0; round < 50; ++round) {
        const Problem p = run.problem();
        Values z, unused;
        normalize(p, statistics(p), z, unused);
        bool clean = true;
        for (size_t i = 0; i < z.size(); ++i) {
            if (std::fabs(z[i]) < 1e-3 || std::fabs(z[i] - 6) < 1e-3) {
                run.x[static_cast<int64_t>(i)] += 0.01f;
                clean = false;
            }
        }
        if (clean) return;
    }
    CHECK(!"x has no kinks");
}

// --- Tests -----------------------------------------------------------------------------------------------------------

void every_activation(velu_context* context) {
    for (const int32_t activation : kAll) {
        for (const bool residual : {false, true}) {
            for (const auto& [rows, channels] : {std::pair<int64_t, int64_t>{130, 3}, {2, 33}, {50, 31}, {7, 257}}) {
                Run run(descriptor(rows, channels, activation), residual);
                if (activation == VELU_ACTIVATION_RELU || activation == VELU_ACTIVATION_RELU6) avoid_kinks(run);
                const Problem p = run.problem();
                const Statistics s = statistics(p);
                run.forward(context);
                check_forward(p, s, run);
                // With two rows the normalized values are +-1 and dx cancels to almost nothing: a test of rounding
                // only.
                if (rows == 2) continue;
                run.backward(context);
                check_backward(p, s, run);
            }
        }
    }
}

void w2_gradient(velu_context* context) {
    for (const bool residual : {false, true}) {
        Run run(descriptor(21, 9, VELU_ACTIVATION_VELU, 3.0f), residual);
        const Problem p = run.problem();
        run.forward(context);
        run.backward(context);
        check_backward(p, statistics(p), run);
    }
}

void many_channels(velu_context* context) {
    Run run(descriptor(64, 2048, VELU_ACTIVATION_VELU), true);
    run.forward(context);
    const Problem p = run.problem();
    check_forward(p, statistics(p), run);
}

void large_mean(velu_context* context) {
    // An identity has no recomputed input, so its gradient keeps all digits; x itself has 1000 +- 0.01 in steps of
    // 6e-5.
    velu_batch_norm_desc desc = descriptor(1000, 19, VELU_ACTIVATION_IDENTITY);
    desc.eps = 1e-10f;
    Run run(desc, false, 999.99, 1000.01);
    const Problem p = run.problem();
    const Statistics s = statistics(p);
    run.forward(context);
    run.backward(context);
    check_forward(p, s, run);
    check_backward(p, s, run);
}

void outlier(velu_context* context) {
    // In the first row of all, in the first and in the last of 32, and in another one.
    for (const int64_t row : {0, 32, 63, 70}) {
        Run run(descriptor(200, 19, VELU_ACTIVATION_IDENTITY), false);
        for (int64_t c = 0; c < 19; ++c) run.x[row * 19 + c] = 1e5f;
        const Problem p = run.problem();
        const Statistics s = statistics(p);
        run.forward(context);
        run.backward(context);
        check_forward(p, s, run);
        check_backward(p, s, run);
    }
}

void huge_numbers(velu_context* context) {
    if (!check::on_cpu()) return;
    Run run(descriptor(100, 83, VELU_ACTIVATION_IDENTITY), false, -1e25, 1e25);
    const Problem p = run.problem();
    run.forward(context);
    check_forward(p, statistics(p), run);
}

void running_statistics(velu_context* context) {
    Run run(descriptor(301, 45, VELU_ACTIVATION_IDENTITY), false);
    const Values mean = doubles(run.running_mean), variance = doubles(run.running_var);
    run.forward(context);
    const Statistics s = statistics(run.problem());
    for (size_t c = 0; c < mean.size(); ++c) {
        const auto at = static_cast<int64_t>(c);
        CHECK_NEAR(run.mean[at], s.mean[c], 1e-7);
        CHECK_NEAR(run.inv_std[at], 1 / std::sqrt(s.variance[c] + run.desc.eps), 1e-6);
        CHECK_NEAR(run.running_mean[at], 0.9 * mean[c] + 0.1 * s.mean[c], 1e-6);
        CHECK_NEAR(run.running_var[at], 0.9 * variance[c] + 0.1 * s.variance[c] * 301 / 300, 1e-6);
    }
    CHECK_EQUAL(run.tracked[0], 42);
    // All of them may be absent.
    CHECK_SUCCESS(context,
                  velu_batch_norm_forward_training(context, &run.desc, run.x, run.weight, run.bias, nullptr, nullptr,
                                                   nullptr, nullptr, nullptr, run.y, run.mean, run.inv_std, nullptr));
}

void inference(velu_context* context) {
    for (const int32_t activation : kAll) {
        for (const bool residual : {false, true}) {
            Run run(descriptor(1 + 60 * activation, 33, activation), residual);
            const Problem p = run.problem();
            CHECK_SUCCESS(context, velu_batch_norm_forward_inference(context, &run.desc, run.x, run.weight, run.bias,
                                                                     run.residual_or_null(), run.lambda_or_null(),
                                                                     run.running_mean, run.running_var, run.y,
                                                                     run.moments_or_null()));
            check_forward(p, {doubles(run.running_mean), doubles(run.running_var)}, run);
            CHECK_SUCCESS(context, velu_batch_norm_forward_inference(context, &run.desc, run.x, run.weight, run.bias,
                                                                     run.residual_or_null(), run.lambda_or_null(),
                                                                     run.running_mean, run.running_var, run.x,
                                                                     run.moments_or_null()));
            CHECK_EQUAL(std::memcmp(run.x, run.y, run.y.bytes), 0);
        }
    }
}

void in_place(velu_context* context) {
    for (const int32_t activation : kAll) {
        for (const bool residual : {false, true}) {
            Run apart(descriptor(77, 67, activation), residual), joined(descriptor(77, 67, activation), residual);
            apart.forward(context);
            apart.backward(context);
            joined.forward(context);
            // dx in dy; with a residual also dresidual in dy.
            for (const bool residual_in_dy : {false, true}) {
                if (residual_in_dy && !residual) continue;
                joined.dy.fill_uniform(2);
                float* dx = residual_in_dy ? joined.dx.data : joined.dy.data;
                float* dresidual = !residual ? nullptr : residual_in_dy ? joined.dy.data : joined.dresidual.data;
                CHECK_SUCCESS(context,
                              velu_batch_norm_backward(context, &joined.desc, joined.x, joined.dy, joined.weight,
                                                       joined.bias, joined.residual_or_null(), joined.lambda_or_null(),
                                                       joined.mean, joined.inv_std, joined.moments_or_null(), nullptr,
                                                       dx, dresidual, joined.dweight, joined.dbias,
                                                       joined.is_velu() ? joined.dlambda.data : nullptr));
                CHECK_EQUAL(std::memcmp(dx, apart.dx, apart.dx.bytes), 0);
                if (residual) CHECK_EQUAL(std::memcmp(dresidual, apart.dresidual, apart.dx.bytes), 0);
                CHECK_EQUAL(std::memcmp(joined.dweight, apart.dweight, apart.dweight.bytes), 0);
            }
            if (!residual) continue;
            CHECK_SUCCESS(context, velu_batch_norm_forward_training(
                                       context, &joined.desc, joined.x, joined.weight, joined.bias, joined.residual,
                                       joined.lambda_or_null(), nullptr, nullptr, nullptr, joined.residual, joined.mean,
                                       joined.inv_std, joined.moments_or_null()));
            CHECK_EQUAL(std::memcmp(joined.residual, apart.y, apart.y.bytes), 0);
        }
    }
}

/// A matrix whose rows lie further apart than their channels.
struct Pitched {
    Pitched(int64_t rows, int64_t row_channels, int64_t row_pitch)
        : channels(row_channels), pitch(row_pitch), data((rows - 1) * pitch + channels) {}

    float& at(int64_t dense) { return data[dense / channels * pitch + dense % channels]; }
    void set(const Guarded<float>& dense) {
        for (int64_t i = 0; i < dense.size; ++i) at(i) = dense[i];
    }
    bool untouched_between_rows() {
        for (int64_t i = 0; i < data.size; ++i) {
            if (i % pitch >= channels && std::memcmp(data.data + i, "\xA5\xA5\xA5\xA5", 4) != 0) return false;
        }
        return true;
    }

    int64_t channels, pitch;
    Guarded<float> data;
};

/// On CUDA sums may have another order where rows do not lie side by side.
void same(const Guarded<float>& actual, const Guarded<float>& expected) {
    for (int64_t i = 0; i < expected.size; ++i) {
        CHECK_NEAR(actual[i], expected[i], check::on_cpu() ? 0 : 1e-5 * (1 + std::fabs(expected[i])));
    }
}

void pitched_rows(velu_context* context) {
    for (const int32_t activation : kAll) {
        for (const bool residual : {false, true}) {
            for (const auto& [rows, channels, rest] :
                 {std::array<int64_t, 3>{77, 67, 13}, {300, 32, 96}, {9, 300, 1}, {33, 1, 2}}) {
                Run dense(descriptor(rows, channels, activation), residual);
                Run run(descriptor(rows, channels, activation), residual);
                run.desc.x_pitch = channels + rest;
                Pitched x(rows, channels, run.desc.x_pitch);
                x.set(run.x);
                dense.forward(context);
                dense.backward(context);
                CHECK_SUCCESS(context, velu_batch_norm_forward_training(
                                           context, &run.desc, x.data, run.weight, run.bias, run.residual_or_null(),
                                           run.lambda_or_null(), run.running_mean, run.running_var, run.tracked, run.y,
                                           run.mean, run.inv_std, run.moments_or_null()));
                same(run.mean, dense.mean);
                same(run.running_var, dense.running_var);
                same(run.y, dense.y);

                // dx beside others, and what is added to it: nothing, a tensor of its own, or what dx holds.
                Guarded<float> added(run.size);
                added.fill_uniform(9);
                for (const int64_t dx_rest : {int64_t{0}, rest}) {
                    for (const int addend_kind : {0, 1, 2}) {
                        run.desc.dx_pitch = channels + dx_rest;
                        run.desc.dx_addend_pitch = addend_kind == 2 ? run.desc.dx_pitch : channels + 2 * rest;
                        Pitched dx(rows, channels, run.desc.dx_pitch);
                        Pitched addend(rows, channels, run.desc.dx_addend_pitch);
                        (addend_kind == 2 ? dx : addend).set(added);
                        const float* what = addend_kind == 0   ? nullptr
                                            : addend_kind == 1 ? addend.data.data
                                                               : dx.data.data;
                        CHECK_SUCCESS(context, velu_batch_norm_backward(
                                                   context, &run.desc, x.data, run.dy, run.weight, run.bias,
                                                   run.residual_or_null(), run.lambda_or_null(), dense.mean,
                                                   dense.inv_std, run.is_velu() ? dense.moments.data : nullptr, what,
                                                   dx.data, residual ? run.dresidual.data : nullptr, run.dweight,
                                                   run.dbias, run.is_velu() ? run.dlambda.data : nullptr));
                        for (int64_t i = 0; i < run.size; ++i) {
                            const float expected = dense.dx[i] + (addend_kind == 0 ? 0.0f : added[i]);
                            CHECK_NEAR(dx.at(i), expected,
                                       check::on_cpu() ? 0 : 1e-5 * (1 + std::fabs(expected) + std::fabs(added[i])));
                        }
                        CHECK(dx.untouched_between_rows());
                        same(run.dweight, dense.dweight);
                        same(run.dbias, dense.dbias);
                        if (residual) same(run.dresidual, dense.dresidual);
                        if (run.is_velu()) same(run.dlambda, dense.dlambda);
                    }
                }
            }
        }
    }
}

void pitched_inference(velu_context* context) {
    for (const int32_t activation : kAll) {
        Run dense(descriptor(50, 37, activation), false), run(descriptor(50, 37, activation), false);
        run.desc.x_pitch = 40;
        Pitched x(50, 37, 40);
        x.set(run.x);
        for (Run* each : {&dense, &run}) {
            CHECK_SUCCESS(context, velu_batch_norm_forward_inference(
                                       context, &each->desc, each == &run ? x.data.data : each->x.data, each->weight,
                                       each->bias, nullptr, each->lambda_or_null(), each->running_mean,
                                       each->running_var, each->y, each->moments_or_null()));
        }
        same(run.y, dense.y);
    }
}

/// An addend in dense memory, also where dx overwrites dy.
void addend_with_dx_in_dy(velu_context* context) {
    for (const int32_t activation : kAll) {
        Run apart(descriptor(77, 67, activation), false), joined(descriptor(77, 67, activation), false);
        Guarded<float> added(apart.size);
        added.fill_uniform(9);
        apart.forward(context);
        apart.backward(context);
        joined.forward(context);
        CHECK_SUCCESS(context,
                      velu_batch_norm_backward(context, &joined.desc, joined.x, joined.dy, joined.weight, joined.bias,
                                               nullptr, joined.lambda_or_null(), joined.mean, joined.inv_std,
                                               joined.moments_or_null(), added, joined.dy, nullptr, joined.dweight,
                                               joined.dbias, joined.is_velu() ? joined.dlambda.data : nullptr));
        for (int64_t i = 0; i < apart.size; ++i) CHECK_EQUAL(joined.dy[i], apart.dx[i] + added[i]);
    }
}

void nan_stays_in_its_channel(velu_context* context) {
    Run run(descriptor(40, 21, VELU_ACTIVATION_RELU), false);
    run.x[5 * 21 + 7] = kNan;
    run.forward(context);
    run.backward(context);
    for (int64_t i = 0; i < run.size; ++i) {
        CHECK_EQUAL(std::isnan(run.y[i]), i % 21 == 7);
        CHECK_EQUAL(std::isnan(run.dx[i]), i % 21 == 7);
    }
}

void same_bits_for_any_threads() {
    for (const int32_t activation : {VELU_ACTIVATION_IDENTITY, VELU_ACTIVATION_RELU, VELU_ACTIVATION_VELU}) {
        for (const auto& [rows, channels] : {std::pair<int64_t, int64_t>{5000, 33}, {64, 700}, {2, 5}}) {
            const velu_batch_norm_desc desc =
                descriptor(rows, channels, activation, activation == VELU_ACTIVATION_VELU ? 0.1f : 0.0f);
            Run one(desc, true);
            Context single(1);
            one.forward(single);
            one.backward(single);
            for (const int32_t threads : {2, 3}) {
                Run many(desc, true);
                Context context(threads);
                many.forward(context);
                many.backward(context);
                CHECK_EQUAL(std::memcmp(many.y, one.y, one.y.bytes), 0);
                CHECK_EQUAL(std::memcmp(many.mean, one.mean, one.mean.bytes), 0);
                CHECK_EQUAL(std::memcmp(many.running_var, one.running_var, one.running_var.bytes), 0);
                CHECK_EQUAL(std::memcmp(many.dx, one.dx, one.dx.bytes), 0);
                CHECK_EQUAL(std::memcmp(many.dweight, one.dweight, one.dweight.bytes), 0);
                CHECK_EQUAL(std::memcmp(many.moments, one.moments, one.moments.bytes), 0);
                CHECK_EQUAL(std::memcmp(many.dlambda, one.dlambda, one.dlambda.bytes), 0);
            }
        }
    }
}

}  // namespace

int main() {
    check::on_every_isa("agreesWithFloat64ForEveryActivation", every_activation);
    check::on_every_isa("w2GradientReachesTheInput", w2_gradient);
    check::on_every_isa("agreesWithFloat64ForManyChannels", many_channels);
    check::on_every_isa("keepsItsDigitsForTinyVarianceWithALargeMean", large_mean);
    check::on_every_isa("anOutlierLeavesTheVarianceItsDigits", outlier);
    check::on_every_isa("squaresThatFloat32CannotHoldDoNotOverflow", huge_numbers);
    check::on_every_isa("runningStatisticsFollowTorch", running_statistics);
    check::on_every_isa("inferenceUsesTheGivenStatistics", inference);
    check::on_every_isa("inPlaceGivesTheSameBits", in_place);
    check::on_every_isa("rowsThatLieApartGiveTheSameResults", pitched_rows);
    check::on_every_isa("inferenceTakesRowsThatLieApart", pitched_inference);
    check::on_every_isa("anAddendIsAddedToTheGradientInPlace", addend_with_dx_in_dy);
    check::on_every_isa("nanStaysInItsChannel", nan_stays_in_its_channel);
    check::test("sameBitsForAnyThreadCount", same_bits_for_any_threads);
    return check::report();
}
