// Convolution against a plain float64 loop over the definition in velu.h.
#include <algorithm>
#include <string>
#include <vector>

#include "check.h"
#include "conv2d_shapes.h"

using check::Context;
using check::Guarded;
using check::test;
using check::test_on_cpu;
using namespace conv2d;

namespace {

struct Case {
    explicit Case(const velu_conv2d_desc& d)
        : desc(d),
          x(d.batch * d.in_height * d.in_width * d.in_channels),
          weight(d.out_channels * d.kernel_height * d.kernel_width * (d.in_channels / d.groups)),
          bias(d.out_channels),
          y(d.batch * out_height(d) * out_width(d) * d.out_channels),
          dy(d) {
        x.fill_uniform(1);
        weight.fill_uniform(2);
        bias.fill_uniform(3);
        y.fill_uniform(4);
        dy.set(y);
    }

    velu_conv2d_desc desc;
    Guarded<float> x, weight, bias, y;  // y holds the values of dy
    Pixels dy;
};

bool same(const Guarded<float>& a, const Guarded<float>& b) {
    return std::memcmp(a.data, b.data, a.bytes) == 0;
}

void forward(velu_context* context, const velu_conv2d_desc& desc, bool has_bias) {
    Case c(desc);
    Sums expected(static_cast<size_t>(c.y.size));
    for (int64_t i = 0; has_bias && i < c.y.size; ++i) {
        expected[static_cast<size_t>(i)].add(static_cast<double>(c.bias[i % desc.out_channels]));
    }
    for_each_product(desc, [&](int64_t x, int64_t w, int64_t y) {
        expected[static_cast<size_t>(y)].add(static_cast<double>(c.x[x]) * static_cast<double>(c.weight[w]));
    });
    Pixels pixels(desc), again(desc);
    const float* bias = has_bias ? c.bias.data : nullptr;
    CHECK_SUCCESS(context, velu_conv2d_forward(context, &c.desc, c.x, c.weight, bias, pixels.data));
    CHECK_SUCCESS(context, velu_conv2d_forward(context, &c.desc, c.x, c.weight, bias, again.data));
    CHECK(same(pixels.data, again.data));
    Guarded<float> y(c.y.size);
    pixels.get(y);
    near("y", desc, y, expected, desc.activation);
}

void backward_data(velu_context* context, const velu_conv2d_desc& desc) {
    Case c(desc);
    Sums expected(static_cast<size_t>(c.x.size));
    for_each_product(desc, [&](int64_t x, int64_t w, int64_t y) {
        expected[static_cast<size_t>(x)].add(static_cast<double>(c.y[y]) * static_cast<double>(c.weight[w]));
    });
    Guarded<float> dx(c.x.size), again(c.x.size);
    CHECK_SUCCESS(context, velu_conv2d_backward_data(context, &c.desc, c.dy.data, c.weight, dx));
    CHECK_SUCCESS(context, velu_conv2d_backward_data(context, &c.desc, c.dy.data, c.weight, again));
    CHECK(same(dx, again));
    near("dx", desc, dx, expected);
}

void backward_weights(velu_context* context, const velu_conv2d_desc& desc, bool has_bias) {
    Case c(desc);
    Sums dweight_expected(static_cast<size_t>(c.weight.size));
    Sums dbias_expected(static_cast<size_t>(desc.out_channels));
    for_each_product(desc, [&](int64_t x, int64_t w, int64_t y) {
        dweight_expected[static_cast<size_t>(w)].add(static_cast<double>(c.x[x]) * static_cast<double>(c.y[y]));
    });
    for (int64_t i = 0; i < c.y.size; ++i) {
        dbias_expected[static_cast<size_t>(i % desc.out_channels)].add(static_cast<double>(c.y[i]));
    }
    Guarded<float> dweight(c.weight.size), again(c.weight.size), dbias(desc.out_channels),
        dbias_again(desc.out_channels);
    CHECK_SUCCESS(context, velu_conv2d_backward_weights(context, &c.desc, c.x, c.dy.data, dweight,
                                                        has_bias ? dbias.data : nullptr));
    CHECK_SUCCESS(context, velu_conv2d_backward_weights(context, &c.desc, c.x, c.dy.data, again,
                                                        has_bias ? dbias_again.data : nullptr));
    CHECK(same(dweight, again));
    near("dweight", desc, dweight, dweight_expected);
    if (!has_bias) return;
    CHECK(same(dbias, dbias_again));
    near("dbias", desc, dbias, dbias_expected);
}

void all_passes(velu_context* context, const velu_conv2d_desc& desc, bool has_bias) {
    forward(context, desc, has_bias);
    backward_data(context, desc);
    backward_weights(context, desc, has_bias);
}

/// 3 x 3 shapes of which the CPU computes every pass by Winograd's algorithm, if it has AVX2: work divided by tiles and
/// by filters, images of odd size, channels that fill no vector, paddings of 0 to 2.
const Shape kWinogradShapes[] = {
    {"odd image", 3, 15, 13, 64, 257, 3, 3, 1, 1, 1, 1}, {"odd channels", 6, 12, 14, 257, 33, 3, 3, 1, 1, 1, 1},
    {"few tiles", 16, 4, 4, 190, 193, 3, 3, 1, 1, 1, 1}, {"no padding", 2, 20, 18, 128, 120, 3, 3, 1, 0, 1, 1},
    {"padding 2", 2, 18, 17, 128, 84, 3, 3, 1, 2, 1, 1}, {"one tile each", 300, 2, 2, 84, 84, 3, 3, 1, 1, 1, 1},
};

bool is_winograd(velu_context* context, const char* operation, const velu_conv2d_desc& desc) {
    char name[64] = "";
    CHECK_SUCCESS(context, velu_impl_name(context, operation, &desc, name, sizeof name));
    return std::strncmp(name, "winograd:", 9) == 0;
}

}  // namespace

int main() {
    test("everyPassMatchesTheDefinitionForOneToThreeThreads", [] {
        for (int32_t threads = 1; threads <= check::most_threads(); ++threads) {
            const Context context(threads);
            for (const Shape& shape : kShapes) {
                all_passes(context, describe(shape), false);
                all_passes(context, describe(shape), true);
            }
        }
    });
    test("everyPassMatchesTheDefinitionForRandomShapes", [] {
        const Context context(2);
        uint64_t state = 5;
        for (int round = 0; round < 150; ++round) all_passes(context, random_shape(state), round % 2 == 0);
    });
    test("pixelsOfTheResultMayLieFurtherApartThanTheirChannels", [] {
        for (int32_t threads = 1; threads <= check::most_threads(); ++threads) {
            const Context context(threads);
            for (const Shape& shape : kShapes) {
                velu_conv2d_desc desc = describe(shape);
                desc.y_pitch = desc.out_channels + ((&shape - kShapes) % 2 == 0 ? 1 : 32);
                all_passes(context, desc, true);
            }
        }
    });
    test("theActivationIsThatOfTheSum", [] {
        const Context context(2);
        for (const Shape& shape : kShapes) {
            velu_conv2d_desc desc = describe(shape);
            for (const int32_t activation : kFusedActivations) {
                const bool apart = (&shape - kShapes + activation) % 2 == 0;
                desc.activation = activation;
                desc.y_pitch = apart ? desc.out_channels + 3 : 0;
                forward(context, desc, !apart);
            }
        }
    });
    test("theActivationOfALargeSumIsExact", [] {
        const Context context;
        for (const int32_t activation : kFusedActivations) {
            // One pixel, so that the sum is the bias.
            velu_conv2d_desc desc = describe({"", 1, 1, 1, 16, 32, 1, 1, 1, 0, 1, 1});
            desc.activation = activation;
            Case c(desc);
            Guarded<float> y(32);
            std::fill_n(c.x.data, c.x.size, 0.0f);
            for (int64_t i = 0; i < 32; ++i) c.bias[i] = static_cast<float>(i - 16) * (i % 2 == 0 ? 0.5f : 8.0f);
            CHECK_SUCCESS(context, velu_conv2d_forward(context, &desc, c.x, c.weight, c.bias, y));
            for (int64_t i = 0; i < 32; ++i) {
                const double expected = activation_value(activation, c.bias[i]);
                CHECK_NEAR(y[i], expected, activation_tolerance(activation, c.bias[i], 0));
            }
        }
    });
    test("windowsOfPaddingOnlyGiveTheBias", [] {
        const Context context;
        const velu_conv2d_desc desc = {check::device(), VELU_DTYPE_F32, 2, 2, 1, 2, 2, 2, 2, 2, 2, 1, 5, 1, 4, 1, 0, 0};
        all_passes(context, desc, true);
        Case c(desc);
        Guarded<float> y(c.y.size);
        CHECK_SUCCESS(context, velu_conv2d_forward(context, &desc, c.x, c.weight, c.bias, y));
        CHECK_EQUAL(y[0], c.bias[0]);
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
            velu_conv2d_desc desc = describe(shape);
            desc.activation = VELU_ACTIVATION_RELU;
            if (&shape - kShapes >= 10) desc.y_pitch = desc.out_channels + 2;
            Case c(desc);
            Guarded<float> out(std::max({c.x.size, c.dy.data.size, c.weight.size}));
            Guarded<float> dbias(shape.out);
            for (const int32_t pass : {VELU_PASS_FORWARD, VELU_PASS_BACKWARD_DATA, VELU_PASS_BACKWARD_WEIGHTS}) {
                CHECK_SUCCESS(context, velu_conv2d_prepare(context, &c.desc, pass));
            }
            int64_t before = 0, after = 0;
            CHECK_SUCCESS(context, velu_context_workspace_size(context, &before));
            CHECK_SUCCESS(context, velu_conv2d_forward(context, &c.desc, c.x, c.weight, c.bias, out));
            CHECK_SUCCESS(context, velu_conv2d_backward_data(context, &c.desc, c.dy.data, c.weight, out));
            CHECK_SUCCESS(context, velu_conv2d_backward_weights(context, &c.desc, c.x, c.dy.data, out, dbias));
            CHECK_SUCCESS(context, velu_context_workspace_size(context, &after));
            CHECK_EQUAL(after, before);
        }
    });
    test("aNanInTheImageReachesTheOutputsThatReadIt", [] {
        const Context context;
        Case c(describe(kShapes[2]));
        c.x[0] = NAN;
        Guarded<float> y(c.y.size);
        CHECK_SUCCESS(context, velu_conv2d_forward(context, &c.desc, c.x, c.weight, c.bias, y));
        CHECK(std::isnan(y[0]));
        CHECK(!std::isnan(y[c.y.size - 1]));
    });
    test("aNanComesThroughEveryActivation", [] {
        const Context context;
        for (const Shape& shape : kShapes) {
            if (shape.padding >= shape.kernel_height) continue;  // windows of padding hold no NaN
            for (const int32_t activation : kFusedActivations) {
                velu_conv2d_desc desc = describe(shape);
                desc.activation = activation;
                Case c(desc);
                std::fill_n(c.x.data, c.x.size, NAN);
                Guarded<float> y(c.y.size);
                CHECK_SUCCESS(context, velu_conv2d_forward(context, &desc, c.x, c.weight, c.bias, y));
                for (int64_t i = 0; i < y.size; ++i) CHECK(std::isnan(y[i]));
            }
        }
    });
    test_on_cpu("manyWeightsMatchTheDefinition", "there the implementation depends on their number", [] {
        const Context context(2);
        all_passes(context, describe({"1x1", 1, 1, 17, 512, 256, 1, 1, 1, 0, 1, 1}), true);
    });
    test_on_cpu("winogradsAlgorithmMatchesTheDefinitionOnEveryInstructionSetThatHasIt", "it is the CPU backend's", [] {
        for (const Shape& shape : kWinogradShapes) {
            const auto index = static_cast<int32_t>(&shape - kWinogradShapes);
            const int32_t isa = index % 2 == 0 ? VELU_ISA_AVX512 : VELU_ISA_AVX2;
            if (!Context::supported(isa)) continue;
            const Context context(1 + index % 3, isa);
            velu_conv2d_desc desc = describe(shape);
            desc.activation = kFusedActivations[index];
            desc.y_pitch = index % 3 == 1 ? desc.out_channels + 5 : 0;
            for (const char* operation : {"conv2d_forward", "conv2d_backward_data", "conv2d_backward_weights"}) {
                if (!is_winograd(context, operation, desc)) check::fail(__FILE__, __LINE__, text(desc));
            }
            all_passes(context, desc, index != 3);
        }
    });
    test_on_cpu("smallWorkAndBfloat16AreNotForWinogradsAlgorithm", "it is the CPU backend's", [] {
        const Context context(2);
        velu_conv2d_desc desc = describe({"", 16, 8, 8, 128, 128, 3, 3, 1, 1, 1, 1});
        velu_device_info info{};
        velu_device_query(VELU_DEVICE_CPU, 0, &info);
        CHECK_EQUAL(is_winograd(context, "conv2d_forward", desc), info.isa != VELU_ISA_BASELINE);
        desc.batch = 1;
        CHECK(!is_winograd(context, "conv2d_forward", desc));
        desc.batch = 0;
        CHECK(!is_winograd(context, "conv2d_forward", desc));
        if (!check::bfloat16_refusal().empty()) return;
        desc.batch = 16;
        desc.dtype = VELU_DTYPE_BF16;
        CHECK(!is_winograd(context, "conv2d_forward", desc));
    });
    test_on_cpu("aNanReachesTheTilesOfWinogradsAlgorithmThatSeeItAndNoOthers", "it is the CPU backend's", [] {
        const Context context;
        const velu_conv2d_desc desc = describe({"", 16, 8, 8, 128, 128, 3, 3, 1, 1, 1, 1});
        Case c(desc);
        c.x[(3 * 8 + 2) * 128] = NAN;  // row 3, column 2 of the first image
        Guarded<float> y(c.y.size);
        CHECK_SUCCESS(context, velu_conv2d_forward(context, &desc, c.x, c.weight, c.bias, y));
        for (int64_t row = 0; row < 8; ++row) {
            for (int64_t column = 0; column < 8; ++column) {
                const bool reads = row >= 2 && row <= 4 && column >= 1 && column <= 3;
                const bool may = row >= 2 && row <= 5 && column <= 3;
                const bool is = std::isnan(y[(row * 8 + column) * 128]);
                CHECK(reads ? is : may || !is);
            }
        }
        for (int64_t i = 8 * 8 * 128; i < y.size; ++i) CHECK(!std::isnan(y[i]));
    });
    test_on_cpu("workspaceForWinogradsAlgorithmDoesNotGrowAfterPrepare", "it is the CPU backend's", [] {
        for (const Shape& shape : {kWinogradShapes[1], kWinogradShapes[2]}) {
            Case c(describe(shape));
            Guarded<float> out(std::max({c.x.size, c.y.size, c.weight.size})), dbias(shape.out);
            for (const int32_t pass : {VELU_PASS_FORWARD, VELU_PASS_BACKWARD_DATA, VELU_PASS_BACKWARD_WEIGHTS}) {
                const Context context(2);
                int64_t before = 0, after = 0;
                CHECK_SUCCESS(context, velu_conv2d_prepare(context, &c.desc, pass));
                CHECK_SUCCESS(context, velu_context_workspace_size(context, &before));
                if (pass == VELU_PASS_FORWARD) {
                    CHECK_SUCCESS(context, velu_conv2d_forward(context, &c.desc, c.x, c.weight, c.bias, out));
                } else if (pass == VELU_PASS_BACKWARD_DATA) {
                    CHECK_SUCCESS(context, velu_conv2d_backward_data(context, &c.desc, c.y, c.weight, out));
                } else {
                    CHECK_SUCCESS(context, velu_conv2d_backward_weights(context, &c.desc, c.x, c.y, out, dbias));
                }
                CHECK_SUCCESS(context, velu_context_workspace_size(context, &after));
                CHECK_EQUAL(after, before);
            }
        }
    });
    test_on_cpu("noLayerOfANetworkGetsASlowImplementation", "the choices are oneDNN's", [] {
        const Shape layers[] = {
            {"ResNet50's first", 2, 64, 64, 3, 64, 7, 7, 2, 3, 1, 1},
            {"MobileNetV2's first", 2, 32, 32, 3, 32, 3, 3, 2, 1, 1, 1},
            {"LeNet's first", 2, 28, 28, 1, 6, 5, 5, 1, 2, 1, 1},
            {"ViT's patches", 1, 32, 32, 3, 768, 16, 16, 16, 0, 1, 1},
            {"1x1", 2, 14, 14, 256, 64, 1, 1, 1, 0, 1, 1},
            {"1x1 of few channels", 2, 14, 14, 144, 24, 1, 1, 1, 0, 1, 1},
            {"1x1, few pixels", 2, 4, 4, 2048, 512, 1, 1, 1, 0, 1, 1},
            {"1x1 stride 2", 2, 16, 16, 512, 1024, 1, 1, 2, 0, 1, 1},
            {"3x3", 2, 16, 16, 128, 128, 3, 3, 1, 1, 1, 1},
            {"3x3 stride 2", 2, 8, 8, 512, 512, 3, 3, 2, 1, 1, 1},
            {"3x3 of a dense layer", 2, 8, 8, 128, 32, 3, 3, 1, 1, 1, 1},
            {"depthwise", 2, 14, 14, 144, 144, 3, 3, 1, 1, 1, 144},
            {"depthwise stride 2", 2, 16, 16, 96, 96, 3, 3, 2, 1, 1, 96},
            {"depthwise 5x5 stride 2", 2, 14, 14, 40, 40, 5, 5, 2, 2, 1, 40},
            {"groups", 2, 14, 14, 256, 256, 3, 3, 1, 1, 1, 32},
        };
        const Context context(2);
        velu_device_info info{};
        velu_device_query(VELU_DEVICE_CPU, 0, &info);
        if (info.isa == VELU_ISA_BASELINE) return;
        for (const int32_t dtype : {VELU_DTYPE_F32, VELU_DTYPE_BF16}) {
            if (dtype == VELU_DTYPE_BF16 && !check::bfloat16_refusal().empty()) continue;
            for (const Shape& layer : layers) {
                velu_conv2d_desc desc = describe(layer);
                desc.dtype = dtype;
                for (const char* operation : {"conv2d_forward", "conv2d_backward_data", "conv2d_backward_weights"}) {
                    char name[64] = "";
                    CHECK_SUCCESS(context, velu_impl_name(context, operation, &desc, name, sizeof name));
                    // brgconv_strided takes thirty times as long as others where it computes one channel at a time.
                    const bool slow = std::strncmp(name, "ref", 3) == 0 ||
                                      (layer.groups == layer.in && std::strncmp(name, "brgconv_strided", 15) == 0);
                    if (!slow) continue;
                    check::fail(__FILE__, __LINE__, std::string(layer.name) + ": " + operation + " is " + name);
                }
            }
        }
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
