// Convolution against a plain float64 loop over the definition in velu.h.
#include <algorithm>
#include <vector>

#include "check.h"
#include "reference_sum.h"

using check::Context;
using check::Guarded;
using check::test;

namespace {

struct Shape {
    const char* name;
    int64_t batch, height, width, in, out;
    int32_t kernel_height, kernel_width, stride, padding, dilation, groups;
};

const Shape kShapes[] = {
    {"1x1", 2, 5, 7, 31, 33, 1, 1, 1, 0, 1, 1},
    {"1x1 stride 2", 2, 9, 9, 16, 8, 1, 1, 2, 0, 1, 1},
    {"3x3 padded", 3, 8, 6, 33, 31, 3, 3, 1, 1, 1, 1},
    {"3x3 stride 2", 1, 11, 13, 16, 48, 3, 3, 2, 1, 1, 1},
    {"7x7 stride 2, RGB", 2, 33, 31, 3, 64, 7, 7, 2, 3, 1, 1},
    {"dilated", 2, 12, 13, 8, 9, 3, 3, 1, 2, 2, 1},
    {"dilated stride 3", 1, 20, 17, 4, 5, 3, 2, 3, 1, 3, 1},
    {"groups", 2, 7, 7, 12, 18, 3, 3, 1, 1, 1, 3},
    {"groups of 16", 2, 6, 6, 32, 64, 3, 3, 1, 1, 1, 2},
    {"depthwise", 2, 10, 9, 33, 33, 3, 3, 1, 1, 1, 33},
    {"depthwise stride 2, 5x5", 1, 14, 14, 32, 32, 5, 5, 2, 2, 1, 32},
    {"depthwise multiplier 2", 1, 6, 6, 5, 10, 3, 3, 1, 1, 1, 5},
    {"one of everything", 1, 1, 1, 1, 1, 1, 1, 1, 0, 1, 1},
    {"one pixel", 33, 1, 1, 31, 1, 3, 3, 1, 1, 1, 1},
    {"oblong kernel", 1, 9, 9, 6, 7, 1, 5, 1, 2, 1, 1},
    {"kernel as large as the image", 2, 4, 4, 8, 16, 4, 4, 1, 0, 1, 1},
    {"padding wider than the kernel", 1, 4, 5, 16, 16, 1, 1, 1, 2, 1, 1},
    {"padding wider than a 3x3 kernel", 2, 4, 5, 16, 32, 3, 3, 2, 5, 1, 1},
    {"stride over the image", 1, 3, 3, 4, 4, 1, 1, 7, 0, 1, 1},
};

velu_conv2d_desc describe(const Shape& s) {
    return {VELU_DEVICE_CPU, VELU_DTYPE_F32, s.batch,   s.height,  s.width,    s.in,       s.out,    s.kernel_height,
            s.kernel_width,  s.stride,       s.stride,  s.padding, s.padding,  s.dilation, s.dilation, s.groups,
            0};
}

int64_t windows(int64_t in, const Shape& s, int32_t kernel) {
    return (in + 2 * s.padding - s.dilation * (kernel - 1) - 1) / s.stride + 1;
}

/// Calls visit(x index, weight index, y index) for every product of the convolution.
template <class Visit>
void for_each_product(const Shape& s, const Visit& visit) {
    const int64_t oh = windows(s.height, s, s.kernel_height);
    const int64_t ow = windows(s.width, s, s.kernel_width);
    const int64_t in_per_group = s.in / s.groups;
    const int64_t out_per_group = s.out / s.groups;
    for (int64_t n = 0; n < s.batch; ++n) {
        for (int64_t i = 0; i < oh; ++i) {
            for (int64_t j = 0; j < ow; ++j) {
                for (int64_t o = 0; o < s.out; ++o) {
                    for (int64_t kh = 0; kh < s.kernel_height; ++kh) {
                        for (int64_t kw = 0; kw < s.kernel_width; ++kw) {
                            const int64_t h = i * s.stride - s.padding + kh * s.dilation;
                            const int64_t w = j * s.stride - s.padding + kw * s.dilation;
                            if (h < 0 || h >= s.height || w < 0 || w >= s.width) continue;
                            for (int64_t c = 0; c < in_per_group; ++c) {
                                visit(((n * s.height + h) * s.width + w) * s.in + o / out_per_group * in_per_group + c,
                                      ((o * s.kernel_height + kh) * s.kernel_width + kw) * in_per_group + c,
                                      ((n * oh + i) * ow + j) * s.out + o);
                            }
                        }
                    }
                }
            }
        }
    }
}

struct Case {
    explicit Case(const Shape& s)
        : shape(s),
          desc(describe(s)),
          pixels(s.batch * windows(s.height, s, s.kernel_height) * windows(s.width, s, s.kernel_width)),
          x(s.batch * s.height * s.width * s.in),
          weight(s.out * s.kernel_height * s.kernel_width * (s.in / s.groups)),
          bias(s.out),
          y(pixels * s.out) {
        x.fill_uniform(1);
        weight.fill_uniform(2);
        bias.fill_uniform(3);
        y.fill_uniform(4);
    }

    Shape shape;
    velu_conv2d_desc desc;
    int64_t pixels;
    Guarded<float> x, weight, bias, y;  // y doubles as dy
};

using Sums = std::vector<ReferenceSum>;

void near(const char* what, const Shape& shape, const Guarded<float>& actual, const Sums& expected) {
    for (int64_t i = 0; i < actual.size; ++i) {
        const ReferenceSum& sum = expected[static_cast<size_t>(i)];
        const double value = static_cast<double>(actual[i]);
        if (std::fabs(value - sum.value) <= sum.tolerance()) continue;
        char text[200];
        std::snprintf(text, sizeof text, "%s of \"%s\" at %lld is %.9g, not %.9g (tolerance %.3g)", what, shape.name,
                      static_cast<long long>(i), value, sum.value, sum.tolerance());
        check::fail(__FILE__, __LINE__, text);
    }
}

bool same(const Guarded<float>& a, const Guarded<float>& b) { return std::memcmp(a.data, b.data, a.bytes) == 0; }

void forward(velu_context* context, const Shape& shape, bool has_bias) {
    Case c(shape);
    Sums expected(static_cast<size_t>(c.y.size));
    for (int64_t i = 0; has_bias && i < c.y.size; ++i) {
        expected[static_cast<size_t>(i)].add(static_cast<double>(c.bias[i % shape.out]));
    }
    for_each_product(shape, [&](int64_t x, int64_t w, int64_t y) {
        expected[static_cast<size_t>(y)].add(static_cast<double>(c.x[x]) * static_cast<double>(c.weight[w]));
    });
    Guarded<float> y(c.y.size), again(c.y.size);
    const float* bias = has_bias ? c.bias.data : nullptr;
    CHECK_SUCCESS(context, velu_conv2d_forward(context, &c.desc, c.x, c.weight, bias, y));
    CHECK_SUCCESS(context, velu_conv2d_forward(context, &c.desc, c.x, c.weight, bias, again));
    CHECK(same(y, again));
    near("y", shape, y, expected);
}

void backward_data(velu_context* context, const Shape& shape) {
    Case c(shape);
    Sums expected(static_cast<size_t>(c.x.size));
    for_each_product(shape, [&](int64_t x, int64_t w, int64_t y) {
        expected[static_cast<size_t>(x)].add(static_cast<double>(c.y[y]) * static_cast<double>(c.weight[w]));
    });
    Guarded<float> dx(c.x.size), again(c.x.size);
    CHECK_SUCCESS(context, velu_conv2d_backward_data(context, &c.desc, c.y, c.weight, dx));
    CHECK_SUCCESS(context, velu_conv2d_backward_data(context, &c.desc, c.y, c.weight, again));
    CHECK(same(dx, again));
    near("dx", shape, dx, expected);
}

void backward_weights(velu_context* context, const Shape& shape, bool has_bias) {
    Case c(shape);
    Sums dweight_expected(static_cast<size_t>(c.weight.size));
    Sums dbias_expected(static_cast<size_t>(shape.out));
    for_each_product(shape, [&](int64_t x, int64_t w, int64_t y) {
        dweight_expected[static_cast<size_t>(w)].add(static_cast<double>(c.x[x]) * static_cast<double>(c.y[y]));
    });
    for (int64_t i = 0; i < c.y.size; ++i) {
        dbias_expected[static_cast<size_t>(i % shape.out)].add(static_cast<double>(c.y[i]));
    }
    Guarded<float> dweight(c.weight.size), again(c.weight.size), dbias(shape.out), dbias_again(shape.out);
    CHECK_SUCCESS(context, velu_conv2d_backward_weights(context, &c.desc, c.x, c.y, dweight,
                                                        has_bias ? dbias.data : nullptr));
    CHECK_SUCCESS(context, velu_conv2d_backward_weights(context, &c.desc, c.x, c.y, again,
                                                        has_bias ? dbias_again.data : nullptr));
    CHECK(same(dweight, again));
    near("dweight", shape, dweight, dweight_expected);
    if (!has_bias) return;
    CHECK(same(dbias, dbias_again));
    near("dbias", shape, dbias, dbias_expected);
}

template <class Body>
void for_each_shape_and_thread_count(const Body& body) {
    for (const int32_t threads : {1, 2, 3}) {
        const Context context(threads);
        for (const Shape& shape : kShapes) body(context, shape);
    }
}

}  // namespace

int main() {
    test("forwardMatchesTheDefinitionForOneToThreeThreads", [] {
        for_each_shape_and_thread_count([](velu_context* context, const Shape& shape) {
            forward(context, shape, false);
            forward(context, shape, true);
        });
    });
    test("backwardDataMatchesTheDefinitionForOneToThreeThreads",
         [] { for_each_shape_and_thread_count([](velu_context* c, const Shape& shape) { backward_data(c, shape); }); });
    test("backwardWeightsMatchesTheDefinitionForOneToThreeThreads", [] {
        for_each_shape_and_thread_count([](velu_context* context, const Shape& shape) {
            backward_weights(context, shape, false);
            backward_weights(context, shape, true);
        });
    });
    test("backwardWeightsOfAnEmptyBatchStoresZeros", [] {
        const Context context;
        Shape shape = kShapes[2];
        shape.batch = 0;
        const velu_conv2d_desc desc = describe(shape);
        Guarded<float> dweight(shape.out * 9 * shape.in), dbias(shape.out);
        CHECK_SUCCESS(context, velu_conv2d_backward_weights(context, &desc, nullptr, nullptr, dweight, dbias));
        for (int64_t i = 0; i < dweight.size; ++i) CHECK_EQUAL(dweight[i], 0.0f);
        for (int64_t i = 0; i < dbias.size; ++i) CHECK_EQUAL(dbias[i], 0.0f);
        CHECK_SUCCESS(context, velu_conv2d_forward(context, &desc, nullptr, nullptr, nullptr, nullptr));
    });
    test("workspaceDoesNotGrowAfterPrepare", [] {
        for (const Shape& shape : kShapes) {
            const Context context(2);
            Case c(shape);
            Guarded<float> out(std::max({c.x.size, c.y.size, c.weight.size}));
            Guarded<float> dbias(shape.out);
            for (const int32_t pass : {VELU_PASS_FORWARD, VELU_PASS_BACKWARD_DATA, VELU_PASS_BACKWARD_WEIGHTS}) {
                CHECK_SUCCESS(context, velu_conv2d_prepare(context, &c.desc, pass));
            }
            int64_t before = 0, after = 0;
            CHECK_SUCCESS(context, velu_context_workspace_size(context, &before));
            CHECK_SUCCESS(context, velu_conv2d_forward(context, &c.desc, c.x, c.weight, c.bias, out));
            CHECK_SUCCESS(context, velu_conv2d_backward_data(context, &c.desc, c.y, c.weight, out));
            CHECK_SUCCESS(context, velu_conv2d_backward_weights(context, &c.desc, c.x, c.y, out, dbias));
            CHECK_SUCCESS(context, velu_context_workspace_size(context, &after));
            CHECK_EQUAL(after, before);
        }
    });
    test("aNanInTheImageReachesTheOutputsThatReadIt", [] {
        const Context context;
        Case c(kShapes[2]);
        c.x[0] = NAN;
        Guarded<float> y(c.y.size);
        CHECK_SUCCESS(context, velu_conv2d_forward(context, &c.desc, c.x, c.weight, c.bias, y));
        CHECK(std::isnan(y[0]));
        CHECK(!std::isnan(y[c.y.size - 1]));
    });
    test("implementationHasAName", [] {
        const Context context;
        for (const char* operation : {"conv2d_forward", "conv2d_backward_data", "conv2d_backward_weights"}) {
            const velu_conv2d_desc desc = describe(kShapes[2]);
            char name[64] = "";
            CHECK_SUCCESS(context, velu_impl_name(context, operation, &desc, name, sizeof name));
            CHECK(std::strlen(name) > 2);
            std::fprintf(stderr, "    %s: %s\n", operation, name);
        }
    });
    return check::report();
}
