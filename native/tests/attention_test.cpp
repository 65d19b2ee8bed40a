// Attention against a float64 evaluation of its definition.
#include <algorithm>
#include <vector>

#include "check.h"

using check::Context;
using check::Guarded;
using check::on_every_isa;
using check::test;
using check::test_on_cpu;

namespace {

struct Shape {
    int64_t batch, tokens, heads, size;
};

const Shape kShapes[] = {{1, 1, 1, 1},   {2, 1, 3, 5},    {1, 5, 2, 8},    {3, 7, 5, 1},    {2, 31, 1, 33},
                         {1, 33, 3, 16}, {2, 65, 2, 64},  {1, 197, 2, 64}, {1, 197, 1, 31}, {1, 64, 1, 128},
                         {2, 70, 1, 96}, {1, 69, 2, 132}, {1, 41, 1, 130}};

velu_attention_desc describe(const Shape& s, int32_t dtype = VELU_DTYPE_F32) {
    return {check::device(), dtype, s.batch, s.tokens, s.heads, s.size, 1 / std::sqrt(static_cast<float>(s.size)), 0};
}

using Numbers = std::vector<double>;

/// Index into qkv; part is 0 for q, 1 for k, 2 for v.
size_t at(const Shape& s, int64_t image, int64_t token, int64_t part, int64_t head, int64_t channel) {
    return static_cast<size_t>((((image * s.tokens + token) * 3 + part) * s.heads + head) * s.size + channel);
}

size_t at(const Shape& s, int64_t image, int64_t token, int64_t head, int64_t channel) {
    return static_cast<size_t>(((image * s.tokens + token) * s.heads + head) * s.size + channel);
}

/// The definition and its gradients, in float64.
struct Reference {
    Numbers y, log_sum_exp, dqkv;

    Reference(const Shape& s, double scale, const Numbers& qkv, const Numbers& dy)
        : y(qkv.size() / 3), log_sum_exp(static_cast<size_t>(s.batch * s.heads * s.tokens)), dqkv(qkv.size()) {
        Numbers p(static_cast<size_t>(s.tokens)), dp(p.size());
        for (int64_t n = 0; n < s.batch; ++n) {
            for (int64_t h = 0; h < s.heads; ++h) {
                for (int64_t t = 0; t < s.tokens; ++t) row(s, scale, qkv, dy, n, h, t, p, dp);
            }
        }
    }

private:
    void row(const Shape& s, double scale, const Numbers& qkv, const Numbers& dy, int64_t n, int64_t h, int64_t t,
             Numbers& p, Numbers& dp) {
        double maximum = -HUGE_VAL, sum = 0, mean = 0;
        for (int64_t j = 0; j < s.tokens; ++j) {
            double score = 0;
            for (int64_t c = 0; c < s.size; ++c) score += qkv[at(s, n, t, 0, h, c)] * qkv[at(s, n, j, 1, h, c)];
            p[static_cast<size_t>(j)] = score * scale;
            maximum = std::max(maximum, score * scale);
        }
        for (double& value : p) sum += value = std::exp(value - maximum);
        log_sum_exp[static_cast<size_t>((n * s.heads + h) * s.tokens + t)] = maximum + std::log(sum);
        for (int64_t j = 0; j < s.tokens; ++j) {
            const auto i = static_cast<size_t>(j);
            p[i] /= sum;
            dp[i] = 0;
            for (int64_t c = 0; c < s.size; ++c) {
                const double upstream = dy[at(s, n, t, h, c)];
                y[at(s, n, t, h, c)] += p[i] * qkv[at(s, n, j, 2, h, c)];
                dp[i] += upstream * qkv[at(s, n, j, 2, h, c)];
                dqkv[at(s, n, j, 2, h, c)] += p[i] * upstream;
            }
            mean += p[i] * dp[i];
        }
        for (int64_t j = 0; j < s.tokens; ++j) {
            const auto i = static_cast<size_t>(j);
            const double ds = p[i] * (dp[i] - mean) * scale;
            for (int64_t c = 0; c < s.size; ++c) {
                dqkv[at(s, n, t, 0, h, c)] += ds * qkv[at(s, n, j, 1, h, c)];
                dqkv[at(s, n, j, 1, h, c)] += ds * qkv[at(s, n, t, 0, h, c)];
            }
        }
    }
};

Numbers widened(const Guarded<float>& values) {
    return {values.data, values.data + values.size};
}

double largest(const Numbers& values) {
    double result = 0;
    for (const double value : values) result = std::max(result, std::fabs(value));
    return result;
}

void check_near(const char* what, const Guarded<float>& actual, const Numbers& expected, double tolerance) {
    for (int64_t i = 0; i < actual.size; ++i) {
        check::near(__FILE__, __LINE__, what, double{actual[i]}, expected[static_cast<size_t>(i)], tolerance);
    }
}

struct Case {
    explicit Case(const Shape& s, size_t misalign = 0)
        : shape(s),
          desc(describe(s)),
          qkv(3 * s.batch * s.tokens * s.heads * s.size, misalign),
          y(qkv.size / 3, misalign),
          log_sum_exp(s.batch * s.heads * s.tokens),
          dy(y.size, misalign),
          dqkv(qkv.size, misalign) {
        qkv.fill_uniform(1, -2, 2);
        dy.fill_uniform(2);
    }
    void run(velu_context* context) {
        CHECK_SUCCESS(context, velu_attention_forward(context, &desc, qkv, y, log_sum_exp));
        CHECK_SUCCESS(context, velu_attention_backward(context, &desc, qkv, y, dy, log_sum_exp, dqkv));
    }
    Reference reference() const { return {shape, double{desc.scale}, widened(qkv), widened(dy)}; }
    /// error: of the scores, so relative of their exponentials.
    void check_all(double error) const {
        const Reference expected = reference();
        check_near("y", y, expected.y, error * largest(expected.y));
        check_near("log_sum_exp", log_sum_exp, expected.log_sum_exp, error + 1e-6 * largest(expected.log_sum_exp));
        check_near("dqkv", dqkv, expected.dqkv, error * std::max(1.0, largest(expected.dqkv)));
    }
    Shape shape;
    velu_attention_desc desc;
    Guarded<float> qkv, y, log_sum_exp, dy, dqkv;
};

bool same(const Guarded<float>& a, const Guarded<float>& b) {
    return std::memcmp(a.data, b.data, a.bytes) == 0;
}

float from_half(uint16_t half) {
    const uint32_t bits = static_cast<uint32_t>(half) << 16;
    float value;
    std::memcpy(&value, &bits, sizeof value);
    return value;
}

/// Makes the numbers bfloat16's own, and stores them as such.
void halve(Guarded<float>& values, Guarded<uint16_t>& halves) {
    for (int64_t i = 0; i < values.size; ++i) {
        uint32_t bits;
        std::memcpy(&bits, &values[i], sizeof bits);
        halves[i] = static_cast<uint16_t>(bits >> 16);
        values[i] = from_half(halves[i]);
    }
}

/// Probabilities, their gradients and the results may each be rounded to bfloat16.
void check_halves(const char* what, const Guarded<uint16_t>& actual, const Numbers& expected) {
    const double tolerance = 4 * 0x1p-8 * std::max(0.25, largest(expected));
    for (int64_t i = 0; i < actual.size; ++i) {
        check::near(__FILE__, __LINE__, what, double{from_half(actual[i])}, expected[static_cast<size_t>(i)],
                    tolerance);
    }
}

}  // namespace

int main() {
    on_every_isa("resultAndGradientsMatchTheDefinition", [](velu_context* context) {
        for (const Shape& shape : kShapes) {
            Case c(shape);
            c.run(context);
            c.check_all(1e-5);
        }
    });
    on_every_isa("memoryAlignedToElementsOnlyWillDo", [](velu_context* context) {
        for (const Shape& shape : {Shape{2, 5, 2, 8}, Shape{1, 33, 3, 16}}) {
            Case c(shape, sizeof(float));
            c.run(context);
            c.check_all(1e-5);
        }
    });
    test("theDefinitionsGradientsAreThoseOfCentralDifferences", [] {
        const Case c({2, 4, 2, 3});
        const double scale = double{c.desc.scale};
        const Numbers dy = widened(c.dy);
        Numbers qkv = widened(c.qkv);
        const Numbers gradients = Reference(c.shape, scale, qkv, dy).dqkv;
        const auto loss = [&] {
            const Numbers y = Reference(c.shape, scale, qkv, dy).y;
            double sum = 0;
            for (size_t i = 0; i < y.size(); ++i) sum += y[i] * dy[i];
            return sum;
        };
        for (size_t i = 0; i < qkv.size(); ++i) {
            const double value = qkv[i];
            qkv[i] = value + 1e-6;
            const double above = loss();
            qkv[i] = value - 1e-6;
            const double below = loss();
            qkv[i] = value;
            CHECK_NEAR((above - below) / 2e-6, gradients[i], 1e-7);
        }
    });
    on_every_isa("oneTokenIsItsOwnValue", [](velu_context* context) {
        const Shape shape = {3, 1, 2, 31};
        Case c(shape);
        c.run(context);
        for (int64_t n = 0; n < shape.batch; ++n) {
            for (int64_t h = 0; h < shape.heads; ++h) {
                for (int64_t channel = 0; channel < shape.size; ++channel) {
                    const auto i = static_cast<int64_t>(at(shape, n, 0, h, channel));
                    const auto part = [&](int64_t p) { return static_cast<int64_t>(at(shape, n, 0, p, h, channel)); };
                    CHECK_EQUAL(c.y[i], c.qkv[part(2)]);
                    CHECK_EQUAL(c.dqkv[part(2)], c.dy[i]);
                    CHECK_NEAR(c.dqkv[part(0)], 0, 1e-5);
                    CHECK_NEAR(c.dqkv[part(1)], 0, 1e-5);
                }
            }
        }
    });
    on_every_isa("scoresFarBeyondTheRangeOfExpAreRight", [](velu_context* context) {
        Case c({1, 33, 2, 8});
        // Whole numbers: the scores, up to 8192, are exact, and what remains is the rounding of log_sum_exp.
        for (int64_t i = 0; i < c.qkv.size; ++i) c.qkv[i] = std::nearbyint(c.qkv[i] * 16);
        c.desc.scale = 1;
        c.run(context);
        c.check_all(8192 * 0x1p-24 * 2);
        c.desc.scale = -4;
        c.run(context);
        c.check_all(4 * 8192 * 0x1p-24 * 2);
    });
    on_every_isa("aScaleOfZeroGivesTheMeanOfTheValues", [](velu_context* context) {
        Case c({1, 31, 1, 5});
        c.desc.scale = 0;
        c.run(context);
        c.check_all(1e-5);
    });
    on_every_isa("aNanInAQuerySpoilsThatQueryOnly", [](velu_context* context) {
        const Shape shape = {2, 33, 2, 8};
        Case c(shape);
        c.qkv[static_cast<int64_t>(at(shape, 1, 30, 0, 1, 7))] = std::nanf("");
        CHECK_SUCCESS(context, velu_attention_forward(context, &c.desc, c.qkv, c.y, c.log_sum_exp));
        for (int64_t i = 0; i < c.y.size; ++i) {
            CHECK_EQUAL(std::isnan(c.y[i]), i / 16 == 33 + 30 && i / 8 % 2 == 1);
        }
        for (int64_t i = 0; i < c.log_sum_exp.size; ++i) {
            CHECK_EQUAL(std::isnan(c.log_sum_exp[i]), i == 3 * 33 + 30);
        }
    });
    on_every_isa("aNanInAKeySpoilsItsHeadOnly", [](velu_context* context) {
        const Shape shape = {2, 33, 2, 8};
        Case c(shape);
        c.qkv[static_cast<int64_t>(at(shape, 0, 32, 1, 1, 0))] = std::nanf("");
        CHECK_SUCCESS(context, velu_attention_forward(context, &c.desc, c.qkv, c.y, c.log_sum_exp));
        for (int64_t i = 0; i < c.y.size; ++i) CHECK_EQUAL(std::isnan(c.y[i]), i / 16 < 33 && i / 8 % 2 == 1);
    });
    on_every_isa("aNanInAValueSpoilsItsChannelOnly", [](velu_context* context) {
        const Shape shape = {1, 33, 2, 8};
        Case c(shape);
        c.qkv[static_cast<int64_t>(at(shape, 0, 3, 2, 0, 5))] = std::nanf("");
        CHECK_SUCCESS(context, velu_attention_forward(context, &c.desc, c.qkv, c.y, c.log_sum_exp));
        for (int64_t i = 0; i < c.y.size; ++i) CHECK_EQUAL(std::isnan(c.y[i]), i % 16 == 5);
    });
    on_every_isa("aNanInTheUpstreamGradientReachesTheGradients", [](velu_context* context) {
        const Shape shape = {1, 33, 2, 8};
        Case c(shape);
        c.dy[static_cast<int64_t>(at(shape, 0, 32, 1, 2))] = std::nanf("");
        c.run(context);
        for (int64_t t = 0; t < shape.tokens; ++t) {
            for (int64_t channel = 0; channel < shape.size; ++channel) {
                for (int64_t head = 0; head < 2; ++head) {
                    const auto is_nan = [&](int64_t part) {
                        return std::isnan(c.dqkv[static_cast<int64_t>(at(shape, 0, t, part, head, channel))]);
                    };
                    CHECK_EQUAL(is_nan(0), head == 1 && t == 32);
                    CHECK_EQUAL(is_nan(1), head == 1);
                    CHECK_EQUAL(is_nan(2), head == 1 && channel == 2);
                }
            }
        }
    });
    on_every_isa("forwardWithoutLogSumExpIsTheSame", [](velu_context* context) {
        Case c({1, 33, 3, 16});
        Guarded<float> y(c.y.size);
        CHECK_SUCCESS(context, velu_attention_forward(context, &c.desc, c.qkv, c.y, c.log_sum_exp));
        CHECK_SUCCESS(context, velu_attention_forward(context, &c.desc, c.qkv, y, nullptr));
        CHECK(same(y, c.y));
    });
    test("theSameCallGivesTheSameBits", [] {
        const Context context;
        Case first({2, 65, 2, 64}), second({2, 65, 2, 64});
        first.run(context);
        second.run(context);
        CHECK(same(first.y, second.y) && same(first.dqkv, second.dqkv));
    });
    test_on_cpu("resultsDoNotDependOnTheThreadCount", "threads are the CPU's", [] {
        Case one({1, 197, 1, 31}), three({1, 197, 1, 31});
        one.run(Context(1));
        three.run(Context(3));
        CHECK(same(one.y, three.y) && same(one.dqkv, three.dqkv));
    });
    test("workspaceDoesNotGrowAfterPrepare", [] {
        for (const Shape& shape : kShapes) {
            const Context context(2);
            Case c(shape);
            for (const int32_t pass : {VELU_PASS_FORWARD, VELU_PASS_BACKWARD_DATA}) {
                CHECK_SUCCESS(context, velu_attention_prepare(context, &c.desc, pass));
            }
            int64_t before = 0, after = 0;
            CHECK_SUCCESS(context, velu_context_workspace_size(context, &before));
            c.run(context);
            CHECK_SUCCESS(context, velu_context_workspace_size(context, &after));
            CHECK_EQUAL(after, before);
        }
    });
    test("theMatrixOfScoresIsNeverStoredAsAWhole", [] {
        const Context context;
        const Shape shape = {4, 2048, 4, 32};
        const velu_attention_desc desc = describe(shape);
        int64_t bytes = 0;
        CHECK_SUCCESS(context, velu_attention_prepare(context, &desc, VELU_PASS_FORWARD));
        CHECK_SUCCESS(context, velu_attention_prepare(context, &desc, VELU_PASS_BACKWARD_DATA));
        CHECK_SUCCESS(context, velu_context_workspace_size(context, &bytes));
        CHECK(bytes < shape.batch * shape.heads * shape.tokens * shape.tokens * 4 / 4);
    });
    test("anEmptyBatchIsNothingToDo", [] {
        const Context context;
        const velu_attention_desc desc = describe({0, 5, 2, 8});
        CHECK_SUCCESS(context, velu_attention_prepare(context, &desc, VELU_PASS_FORWARD));
        CHECK_SUCCESS(context, velu_attention_forward(context, &desc, nullptr, nullptr, nullptr));
        CHECK_SUCCESS(context, velu_attention_backward(context, &desc, nullptr, nullptr, nullptr, nullptr, nullptr));
    });
    check::test_in_bfloat16("bfloat16IsNearTheDefinition", [] {
        const Context context;
        for (const Shape& shape : kShapes) {
            Case c(shape);
            Guarded<uint16_t> qkv(c.qkv.size), y(c.y.size), dy(c.y.size), dqkv(c.qkv.size);
            halve(c.qkv, qkv);
            halve(c.dy, dy);
            const velu_attention_desc desc = describe(shape, VELU_DTYPE_BF16);
            CHECK_SUCCESS(context, velu_attention_forward(context, &desc, qkv, y, c.log_sum_exp));
            CHECK_SUCCESS(context, velu_attention_backward(context, &desc, qkv, y, dy, c.log_sum_exp, dqkv));
            const Reference expected = c.reference();
            check_near("log_sum_exp", c.log_sum_exp, expected.log_sum_exp, 1e-4);
            check_halves("y", y, expected.y);
            check_halves("dqkv", dqkv, expected.dqkv);
        }
    });
    return check::report();
}
