// Fully connected layer against a plain float64 loop.
#include <algorithm>
#include <vector>

#include "activation_value.h"
#include "check.h"
#include "reference_sum.h"

using check::Context;
using check::Guarded;
using check::test;

namespace {

struct Shape {
    int64_t rows, in, out;
};

const Shape kShapes[] = {{1, 1, 1},    {1, 33, 31},  {31, 1, 33},  {33, 31, 1},    {31, 33, 257},
                         {64, 64, 10}, {7, 257, 64}, {1000, 5, 3}, {300, 128, 100}};

velu_linear_desc describe(const Shape& s) {
    return {check::device(), VELU_DTYPE_F32, s.rows, s.in, s.out, 0, 0};
}

struct Case {
    explicit Case(const Shape& s)
        : desc(describe(s)), x(s.rows * s.in), weight(s.out * s.in), bias(s.out), y(s.rows * s.out) {
        x.fill_uniform(1);
        weight.fill_uniform(2);
        bias.fill_uniform(3);
        y.fill_uniform(4);
    }
    velu_linear_desc desc;
    Guarded<float> x, weight, bias, y;  // y doubles as dy
};

/// Calls visit(x index, weight index, y index) for every product of the layer.
template <class Visit>
void for_each_product(const Shape& s, const Visit& visit) {
    for (int64_t r = 0; r < s.rows; ++r) {
        for (int64_t o = 0; o < s.out; ++o) {
            for (int64_t i = 0; i < s.in; ++i) visit(r * s.in + i, o * s.in + i, r * s.out + o);
        }
    }
}

using Sums = std::vector<ReferenceSum>;

void near(const Guarded<float>& actual, const Sums& sums, int32_t activation = VELU_ACTIVATION_IDENTITY) {
    for (int64_t i = 0; i < actual.size; ++i) {
        const ReferenceSum& sum = sums[static_cast<size_t>(i)];
        CHECK_NEAR(static_cast<double>(actual[i]), activation_value(activation, sum.value),
                   activation_tolerance(activation, sum.value, sum.tolerance()));
    }
}

bool same(const Guarded<float>& a, const Guarded<float>& b) {
    return std::memcmp(a.data, b.data, a.bytes) == 0;
}

template <class Body>
void for_each_shape_and_thread_count(const Body& body) {
    for (int32_t threads = 1; threads <= check::most_threads(); ++threads) {
        const Context context(threads);
        for (const Shape& shape : kShapes) body(context, shape);
    }
}

void forward(velu_context* context, const Shape& shape, bool has_bias, int32_t activation = VELU_ACTIVATION_IDENTITY) {
    Case c(shape);
    c.desc.activation = activation;
    Sums expected(static_cast<size_t>(c.y.size));
    for (int64_t i = 0; has_bias && i < c.y.size; ++i) {
        expected[static_cast<size_t>(i)].add(static_cast<double>(c.bias[i % shape.out]));
    }
    for_each_product(shape, [&](int64_t x, int64_t w, int64_t y) {
        expected[static_cast<size_t>(y)].add(static_cast<double>(c.x[x]) * static_cast<double>(c.weight[w]));
    });
    Guarded<float> y(c.y.size), again(c.y.size);
    const float* bias = has_bias ? c.bias.data : nullptr;
    CHECK_SUCCESS(context, velu_linear_forward(context, &c.desc, c.x, c.weight, bias, y));
    CHECK_SUCCESS(context, velu_linear_forward(context, &c.desc, c.x, c.weight, bias, again));
    CHECK(same(y, again));
    near(y, expected, activation);
}

void backward(velu_context* context, const Shape& shape) {
    Case c(shape);
    Sums dx_expected(static_cast<size_t>(c.x.size));
    Sums dweight_expected(static_cast<size_t>(c.weight.size));
    Sums dbias_expected(static_cast<size_t>(shape.out));
    for_each_product(shape, [&](int64_t x, int64_t w, int64_t y) {
        dx_expected[static_cast<size_t>(x)].add(static_cast<double>(c.y[y]) * static_cast<double>(c.weight[w]));
        dweight_expected[static_cast<size_t>(w)].add(static_cast<double>(c.y[y]) * static_cast<double>(c.x[x]));
    });
    for (int64_t i = 0; i < c.y.size; ++i) {
        dbias_expected[static_cast<size_t>(i % shape.out)].add(static_cast<double>(c.y[i]));
    }
    Guarded<float> dx(c.x.size), dweight(c.weight.size), again(c.weight.size), dbias(shape.out), dbias_again(shape.out);
    CHECK_SUCCESS(context, velu_linear_backward_data(context, &c.desc, c.y, c.weight, dx));
    CHECK_SUCCESS(context, velu_linear_backward_weights(context, &c.desc, c.x, c.y, dweight, dbias));
    CHECK_SUCCESS(context, velu_linear_backward_weights(context, &c.desc, c.x, c.y, again, dbias_again));
    CHECK(same(dweight, again));
    CHECK(same(dbias, dbias_again));
    near(dx, dx_expected);
    near(dweight, dweight_expected);
    near(dbias, dbias_expected);
    CHECK_SUCCESS(context, velu_linear_backward_weights(context, &c.desc, c.x, c.y, again, nullptr));
    CHECK(same(dweight, again));
}

}  // namespace

int main() {
    test("forwardMatchesTheDefinitionForOneToThreeThreads", [] {
        for_each_shape_and_thread_count([](velu_context* context, const Shape& shape) {
            forward(context, shape, false);
            forward(context, shape, true);
        });
    });
    test("theActivationIsThatOfTheSum", [] {
        for_each_shape_and_thread_count([](velu_context* context, const Shape& shape) {
            for (const int32_t activation : kFusedActivations) forward(context, shape, true, activation);
            forward(context, shape, false, VELU_ACTIVATION_SILU);
        });
    });
    test("aNanComesThroughEveryActivation", [] {
        const Context context;
        for (const Shape& shape : kShapes) {
            for (const int32_t activation : kFusedActivations) {
                Case c(shape);
                c.desc.activation = activation;
                std::fill_n(c.x.data, c.x.size, NAN);
                Guarded<float> y(c.y.size);
                CHECK_SUCCESS(context, velu_linear_forward(context, &c.desc, c.x, c.weight, c.bias, y));
                for (int64_t i = 0; i < y.size; ++i) CHECK(std::isnan(y[i]));
            }
        }
    });
    test("gradientsDoNotKnowTheActivation", [] {
        const Context context;
        Case c(kShapes[8]);
        Guarded<float> dx(c.x.size), with(c.x.size);
        CHECK_SUCCESS(context, velu_linear_backward_data(context, &c.desc, c.y, c.weight, dx));
        c.desc.activation = VELU_ACTIVATION_GELU;
        CHECK_SUCCESS(context, velu_linear_backward_data(context, &c.desc, c.y, c.weight, with));
        CHECK(same(dx, with));
    });
    test("gradientsMatchTheDefinitionForOneToThreeThreads",
         [] { for_each_shape_and_thread_count([](velu_context* c, const Shape& shape) { backward(c, shape); }); });
    test("biasGradientDoesNotDependOnTheThreadCount", [] {
        Case c(kShapes[7]);
        Guarded<float> dweight(c.weight.size), one(c.bias.size), three(c.bias.size);
        const Context single(1), triple(3);
        CHECK_SUCCESS(single, velu_linear_backward_weights(single, &c.desc, c.x, c.y, dweight, one));
        CHECK_SUCCESS(triple, velu_linear_backward_weights(triple, &c.desc, c.x, c.y, dweight, three));
        CHECK(same(one, three));
    });
    test("gradientsOfNoRowsAreZeros", [] {
        const Context context;
        const velu_linear_desc desc = describe({0, 5, 3});
        Guarded<float> dweight(15), dbias(3);
        CHECK_SUCCESS(context, velu_linear_backward_weights(context, &desc, nullptr, nullptr, dweight, dbias));
        for (int64_t i = 0; i < dweight.size; ++i) CHECK_EQUAL(dweight[i], 0.0f);
        for (int64_t i = 0; i < dbias.size; ++i) CHECK_EQUAL(dbias[i], 0.0f);
        CHECK_SUCCESS(context, velu_linear_forward(context, &desc, nullptr, nullptr, nullptr, nullptr));
    });
    test("workspaceDoesNotGrowAfterPrepare", [] {
        for (const Shape& shape : kShapes) {
            const Context context(2);
            Case c(shape);
            Guarded<float> out(std::max({c.x.size, c.y.size, c.weight.size})), dbias(shape.out);
            for (const int32_t pass : {VELU_PASS_FORWARD, VELU_PASS_BACKWARD_DATA, VELU_PASS_BACKWARD_WEIGHTS}) {
                CHECK_SUCCESS(context, velu_linear_prepare(context, &c.desc, pass));
            }
            int64_t before = 0, after = 0;
            CHECK_SUCCESS(context, velu_context_workspace_size(context, &before));
            CHECK_SUCCESS(context, velu_linear_forward(context, &c.desc, c.x, c.weight, c.bias, out));
            CHECK_SUCCESS(context, velu_linear_backward_data(context, &c.desc, c.y, c.weight, out));
            CHECK_SUCCESS(context, velu_linear_backward_weights(context, &c.desc, c.x, c.y, out, dbias));
            CHECK_SUCCESS(context, velu_context_workspace_size(context, &after));
            CHECK_EQUAL(after, before);
        }
    });
    test("implementationHasAName", [] {
        const Context context;
        for (const char* operation : {"linear_forward", "linear_backward_data", "linear_backward_weights"}) {
            const velu_linear_desc desc = describe(kShapes[8]);
            char name[64] = "";
            CHECK_SUCCESS(context, velu_impl_name(context, operation, &desc, name, sizeof name));
            CHECK(std::strlen(name) > 2);
            std::fprintf(stderr, "    %s: %s\n", operation, name);
        }
    });
    return check::report();
}
