// Linear layer over scaled channels against a plain float64 loop.
#include <algorithm>
#include <vector>

#include "check.h"
#include "reference_sum.h"

using check::Context;
using check::Guarded;
using check::test;

namespace {

struct Shape {
    int64_t batch, pixels, in, out;
};

// The last ones are more than the CPU backend scales at once: images that are divided, and several images at a time.
const Shape kShapes[] = {{1, 1, 1, 1},   {2, 5, 33, 31},  {3, 7, 31, 33},   {1, 65, 257, 7}, {5, 1, 65, 33},
                         {2, 300, 5, 3}, {4, 49, 96, 24}, {2, 790, 197, 2}, {45, 33, 197, 3}};

velu_scaled_linear_desc describe(const Shape& s, int32_t dtype = VELU_DTYPE_F32) {
    return {check::device(), dtype, s.batch, s.pixels, s.in, s.out};
}

using Sums = std::vector<ReferenceSum>;

struct Case {
    explicit Case(const Shape& s)
        : shape(s),
          desc(describe(s)),
          x(s.batch * s.pixels * s.in),
          scale(s.batch * s.in),
          weight(s.out * s.in),
          dy(s.batch * s.pixels * s.out),
          y(dy.size),
          dx(x.size),
          dscale(scale.size),
          dweight(weight.size) {
        x.fill_uniform(1);
        scale.fill_uniform(2, 0, 1);
        weight.fill_uniform(3);
        dy.fill_uniform(4);
        scale[scale.size / 2] = 0;
    }
    void run(velu_context* context) {
        CHECK_SUCCESS(context, velu_scaled_linear_forward(context, &desc, x, scale, weight, y));
        CHECK_SUCCESS(context, velu_scaled_linear_backward_data(context, &desc, x, scale, dy, weight, dx, dscale));
        CHECK_SUCCESS(context, velu_scaled_linear_backward_weights(context, &desc, x, scale, dy, dweight));
    }
    Shape shape;
    velu_scaled_linear_desc desc;
    Guarded<float> x, scale, weight, dy, y, dx, dscale, dweight;
};

struct Reference {
    Sums y, dx, dscale, dweight;

    explicit Reference(const Case& c) : y(size(c.y)), dx(size(c.dx)), dscale(size(c.dscale)), dweight(size(c.dweight)) {
        const Shape& s = c.shape;
        for (int64_t row = 0; row < s.batch * s.pixels; ++row) {
            for (int64_t o = 0; o < s.out; ++o) {
                for (int64_t i = 0; i < s.in; ++i) add(c, row, o, i);
            }
        }
    }

private:
    static size_t size(const Guarded<float>& values) { return static_cast<size_t>(values.size); }

    void add(const Case& c, int64_t row, int64_t o, int64_t i) {
        const Shape& s = c.shape;
        const int64_t channel = row / s.pixels * s.in + i;
        const double x = double{c.x[row * s.in + i]};
        const double scale = double{c.scale[channel]};
        const double weight = double{c.weight[o * s.in + i]};
        const double dy = double{c.dy[row * s.out + o]};
        y[static_cast<size_t>(row * s.out + o)].add(x * scale * weight);
        dx[static_cast<size_t>(row * s.in + i)].add(dy * weight * scale);
        dscale[static_cast<size_t>(channel)].add(dy * weight * x);
        dweight[static_cast<size_t>(o * s.in + i)].add(dy * x * scale);
    }
};

void check_near(const char* what, const Guarded<float>& actual, const Sums& expected) {
    for (int64_t i = 0; i < actual.size; ++i) {
        const ReferenceSum& sum = expected[static_cast<size_t>(i)];
        // Scaling rounds once more than a linear layer does.
        check::near(__FILE__, __LINE__, what, double{actual[i]}, sum.value, 2 * sum.tolerance());
    }
}

void check_all(const Case& c) {
    const Reference expected(c);
    check_near("y", c.y, expected.y);
    check_near("dx", c.dx, expected.dx);
    check_near("dscale", c.dscale, expected.dscale);
    check_near("dweight", c.dweight, expected.dweight);
}

bool same(const Guarded<float>& a, const Guarded<float>& b) {
    return std::memcmp(a.data, b.data, a.bytes) == 0;
}

bool same(const Case& a, const Case& b) {
    return same(a.y, b.y) && same(a.dx, b.dx) && same(a.dscale, b.dscale) && same(a.dweight, b.dweight);
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

/// Each term may have one factor rounded to bfloat16, and the result is.
void check_rounded(const char* what, double actual, const ReferenceSum& expected) {
    const double terms = std::sqrt(static_cast<double>(expected.terms));
    check::near(__FILE__, __LINE__, what, actual, expected.value,
                0x1p-8 * (std::fabs(expected.value) + expected.magnitude * std::min(1.0, 4 / terms) + 1e-3));
}

void check_halves(const char* what, const Guarded<uint16_t>& actual, const Sums& expected) {
    for (int64_t i = 0; i < actual.size; ++i) {
        check_rounded(what, double{from_half(actual[i])}, expected[static_cast<size_t>(i)]);
    }
}

void bfloat16(velu_context* context, const Shape& shape) {
    Case c(shape);
    Guarded<uint16_t> x(c.x.size), scale(c.scale.size), weight(c.weight.size), dy(c.dy.size);
    Guarded<uint16_t> y(c.y.size), dx(c.dx.size), dscale(c.dscale.size);
    halve(c.x, x);
    halve(c.scale, scale);
    halve(c.weight, weight);
    halve(c.dy, dy);
    const velu_scaled_linear_desc desc = describe(shape, VELU_DTYPE_BF16);
    CHECK_SUCCESS(context, velu_scaled_linear_forward(context, &desc, x, scale, weight, y));
    CHECK_SUCCESS(context, velu_scaled_linear_backward_data(context, &desc, x, scale, dy, weight, dx, dscale));
    CHECK_SUCCESS(context, velu_scaled_linear_backward_weights(context, &desc, x, scale, dy, c.dweight));
    const Reference expected(c);
    check_halves("y", y, expected.y);
    check_halves("dx", dx, expected.dx);
    check_halves("dscale", dscale, expected.dscale);
    for (int64_t i = 0; i < c.dweight.size; ++i) {
        check_rounded("dweight", double{c.dweight[i]}, expected.dweight[static_cast<size_t>(i)]);
    }
}

}  // namespace

int main() {
    test("resultAndGradientsMatchTheDefinitionForOneToThreeThreads", [] {
        for (int32_t threads = 1; threads <= check::most_threads(); ++threads) {
            const Context context(threads);
            for (const Shape& shape : kShapes) {
                Case c(shape);
                c.run(context);
                check_all(c);
            }
        }
    });
    check::on_every_isa("resultAndGradientsMatchTheDefinition", [](velu_context* context) {
        for (const Shape& shape : {kShapes[1], kShapes[2], kShapes[3]}) {
            Case c(shape);
            c.run(context);
            check_all(c);
        }
    });
    test("theSameCallGivesTheSameBits", [] {
        for (int32_t threads = 1; threads <= check::most_threads(); ++threads) {
            const Context context(threads);
            for (const Shape& shape : {kShapes[6], kShapes[7], kShapes[8]}) {
                Case first(shape), second(shape);
                first.run(context);
                second.run(context);
                CHECK(same(first, second));
            }
        }
    });
    test("theGradientOfTheScaleNeedsNoScale", [] {
        const Context context;
        Case c({3, 33, 31, 5});
        std::fill_n(c.scale.data, c.scale.size, 0.0f);
        c.run(context);
        check_all(c);
        for (int64_t i = 0; i < c.y.size; ++i) CHECK_EQUAL(c.y[i], 0.0f);
        for (int64_t i = 0; i < c.dx.size; ++i) CHECK_EQUAL(c.dx[i], 0.0f);
    });
    test("aNanInAnImagesScaleSpoilsThatImageOnly", [] {
        const Context context;
        Case c({3, 7, 31, 33});
        c.scale[31 + 30] = std::nanf("");
        CHECK_SUCCESS(context, velu_scaled_linear_forward(context, &c.desc, c.x, c.scale, c.weight, c.y));
        for (int64_t i = 0; i < c.y.size; ++i) CHECK_EQUAL(std::isnan(c.y[i]), i / (7 * 33) == 1);
        CHECK_SUCCESS(context,
                      velu_scaled_linear_backward_data(context, &c.desc, c.x, c.scale, c.dy, c.weight, c.dx, c.dscale));
        for (int64_t i = 0; i < c.dx.size; ++i) CHECK_EQUAL(std::isnan(c.dx[i]), i / (7 * 31) == 1 && i % 31 == 30);
        CHECK_SUCCESS(context, velu_scaled_linear_backward_weights(context, &c.desc, c.x, c.scale, c.dy, c.dweight));
        for (int64_t i = 0; i < c.dweight.size; ++i) CHECK_EQUAL(std::isnan(c.dweight[i]), i % 31 == 30);
    });
    test("gradientsOfNoImagesAreZeros", [] {
        const Context context;
        const velu_scaled_linear_desc desc = describe({0, 7, 5, 3});
        Guarded<float> dweight(15);
        CHECK_SUCCESS(context, velu_scaled_linear_backward_weights(context, &desc, nullptr, nullptr, nullptr, dweight));
        for (int64_t i = 0; i < dweight.size; ++i) CHECK_EQUAL(dweight[i], 0.0f);
        CHECK_SUCCESS(context, velu_scaled_linear_forward(context, &desc, nullptr, nullptr, nullptr, nullptr));
        CHECK_SUCCESS(context, velu_scaled_linear_backward_data(context, &desc, nullptr, nullptr, nullptr, nullptr,
                                                                nullptr, nullptr));
    });
    test("workspaceDoesNotGrowAfterPrepare", [] {
        for (const Shape& shape : kShapes) {
            const Context context(2);
            Case c(shape);
            for (const int32_t pass : {VELU_PASS_FORWARD, VELU_PASS_BACKWARD_DATA, VELU_PASS_BACKWARD_WEIGHTS}) {
                CHECK_SUCCESS(context, velu_scaled_linear_prepare(context, &c.desc, pass));
            }
            int64_t before = 0, after = 0;
            CHECK_SUCCESS(context, velu_context_workspace_size(context, &before));
            c.run(context);
            CHECK_SUCCESS(context, velu_context_workspace_size(context, &after));
            CHECK_EQUAL(after, before);
        }
    });
    test("theScaledTensorIsNeverStoredAsAWhole", [] {
        const Context context;
        const Shape shape = {64, 3136, 144, 24};
        const velu_scaled_linear_desc desc = describe(shape);
        int64_t bytes = 0;
        for (const int32_t pass : {VELU_PASS_FORWARD, VELU_PASS_BACKWARD_DATA, VELU_PASS_BACKWARD_WEIGHTS}) {
            CHECK_SUCCESS(context, velu_scaled_linear_prepare(context, &desc, pass));
        }
        CHECK_SUCCESS(context, velu_context_workspace_size(context, &bytes));
        CHECK(bytes < shape.batch * shape.pixels * shape.in * 4 / 8);
    });
    test("implementationHasAName", [] {
        const Context context;
        for (const char* operation :
             {"scaled_linear_forward", "scaled_linear_backward_data", "scaled_linear_backward_weights"}) {
            const velu_scaled_linear_desc desc = describe({16, 196, 480, 112});
            char name[64] = "";
            CHECK_SUCCESS(context, velu_impl_name(context, operation, &desc, name, sizeof name));
            CHECK(std::strlen(name) > 2);
            std::fprintf(stderr, "    %s: %s\n", operation, name);
        }
    });
    check::test_in_bfloat16("bfloat16IsNearTheDefinition", [] {
        const Context context;
        for (const Shape& shape : kShapes) bfloat16(context, shape);
    });
    return check::report();
}
