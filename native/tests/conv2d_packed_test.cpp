// Packed convolution against a plain float64 loop over the definition in velu.h, with the batch norm, residual and
// activation around it.
#include <algorithm>
#include <cmath>
#include <string>
#include <vector>

#include "check.h"
#include "conv2d_shapes.h"

using check::Context;
using check::Guarded;
using check::test;
using namespace conv2d;

namespace {

enum class Residual { kNone, kApart, kInPlace };

int64_t packed_bytes(velu_context* context, const velu_conv2d_desc& desc) {
    int64_t bytes = 0;
    CHECK_SUCCESS(context, velu_conv2d_packed_bytes(context, &desc, &bytes));
    return bytes;
}

struct Case {
    explicit Case(const velu_conv2d_desc& d)
        : desc(d),
          x(d.batch * d.in_height * d.in_width * d.in_channels),
          weight(d.out_channels * d.kernel_height * d.kernel_width * (d.in_channels / d.groups)),
          bias(d.out_channels),
          scale(d.out_channels),
          shift(d.out_channels),
          packed_bias(d.out_channels),
          residual(d.batch * out_height(d) * out_width(d) * d.out_channels) {
        x.fill_uniform(1);
        weight.fill_uniform(2);
        bias.fill_uniform(3);
        scale.fill_uniform(4, -2, 2);
        shift.fill_uniform(5);
        residual.fill_uniform(6, -3, 3);
    }

    /// The sums before the activation.
    Sums sums(bool has_bias, bool has_scale, bool has_residual) const {
        Sums sums(static_cast<size_t>(residual.size));
        const auto factor = [&](int64_t y) {
            return has_scale ? static_cast<double>(scale[y % desc.out_channels]) : 1.0;
        };
        for (int64_t i = 0; i < residual.size; ++i) {
            const int64_t o = i % desc.out_channels;
            ReferenceSum& sum = sums[static_cast<size_t>(i)];
            if (has_bias) sum.add(factor(i) * static_cast<double>(bias[o]));
            if (has_scale) sum.add(static_cast<double>(shift[o]));
            if (has_residual) sum.add(static_cast<double>(residual[i]));
        }
        for_each_product(desc, [&](int64_t from, int64_t w, int64_t to) {
            sums[static_cast<size_t>(to)].add(static_cast<double>(x[from]) * factor(to) *
                                              static_cast<double>(weight[w]));
        });
        return sums;
    }

    velu_conv2d_desc desc;
    Guarded<float> x, weight, bias, scale, shift, packed_bias, residual;
};

void forward(velu_context* context, const velu_conv2d_desc& desc, bool has_bias, bool has_scale, Residual residual) {
    Case c(desc);
    const Sums expected = c.sums(has_bias, has_scale, residual != Residual::kNone);
    Guarded<unsigned char> packed(packed_bytes(context, desc));
    CHECK_SUCCESS(context, velu_conv2d_pack(context, &desc, c.weight, has_bias ? c.bias.data : nullptr,
                                            has_scale ? c.scale.data : nullptr, has_scale ? c.shift.data : nullptr,
                                            packed, c.packed_bias));
    CHECK_SUCCESS(context, velu_conv2d_packed_prepare(context, &desc, residual == Residual::kNone ? 0 : 1));
    int64_t before = 0, after = 0;
    CHECK_SUCCESS(context, velu_context_workspace_size(context, &before));
    Pixels pixels(desc), again(desc);
    for (Pixels* to : {&pixels, &again}) {
        if (residual == Residual::kInPlace) to->set(c.residual);
        const float* added = residual == Residual::kNone      ? nullptr
                             : residual == Residual::kInPlace ? to->data.data
                                                              : c.residual.data;
        CHECK_SUCCESS(context, velu_conv2d_packed_forward(context, &desc, c.x, packed, c.packed_bias, added, to->data));
    }
    CHECK_SUCCESS(context, velu_context_workspace_size(context, &after));
    CHECK_EQUAL(after, before);
    CHECK(std::memcmp(pixels.data.data, again.data.data, pixels.data.bytes) == 0);
    Guarded<float> y(c.residual.size);
    pixels.get(y);
    near("y", desc, y, expected, desc.activation);
}

/// The upper half of a float, and the float of that half.
uint16_t narrowed(float value) {
    uint32_t bits;
    std::memcpy(&bits, &value, sizeof bits);
    return static_cast<uint16_t>(bits >> 16);
}
float widened(uint16_t half) {
    const uint32_t bits = static_cast<uint32_t>(half) << 16;
    float value;
    std::memcpy(&value, &bits, sizeof value);
    return value;
}

/// The same numbers, all of them bfloat16 ones, in both types.
struct Numbers {
    explicit Numbers(Guarded<float>& from) : halves(from.size) {
        for (int64_t i = 0; i < from.size; ++i) {
            halves[i] = narrowed(from[i]);
            from[i] = widened(halves[i]);
        }
    }
    Guarded<uint16_t> halves;
};

/// The result in bfloat16 is that in float32, rounded once or, with a residual, twice.
void forward_in_bfloat16(velu_context* context, velu_conv2d_desc desc, bool in_place) {
    Case c(desc);
    const Numbers x(c.x), weight(c.weight), residual(c.residual);
    // Powers of two: a scaled weight is then not rounded.
    for (int64_t o = 0; o < desc.out_channels; ++o) c.scale[o] = o % 2 == 0 ? 0.5f : -2.0f;
    Guarded<float> exact(c.residual.size);
    Guarded<uint16_t> rounded(c.residual.size);
    for (const int32_t dtype : {VELU_DTYPE_F32, VELU_DTYPE_BF16}) {
        desc.dtype = dtype;
        const bool narrow = dtype == VELU_DTYPE_BF16;
        Guarded<unsigned char> packed(packed_bytes(context, desc));
        CHECK_SUCCESS(context,
                      velu_conv2d_pack(context, &desc, c.weight, c.bias, c.scale, c.shift, packed, c.packed_bias));
        const void* image = narrow ? static_cast<const void*>(x.halves.data) : c.x.data;
        const void* added = narrow ? static_cast<const void*>(residual.halves.data) : c.residual.data;
        void* y = narrow ? static_cast<void*>(rounded.data) : exact.data;
        if (in_place) {
            std::memcpy(y, added, narrow ? rounded.bytes : exact.bytes);
            added = y;
        }
        CHECK_SUCCESS(context, velu_conv2d_packed_forward(context, &desc, image, packed, c.packed_bias, added, y));
    }
    for (int64_t i = 0; i < exact.size; ++i) {
        // Two roundings of 2^-8: of y without residual and bias, and of y. Where an activation is flat, y says less of
        // what goes into it: a number of order 1.
        const double y = std::fabs(static_cast<double>(exact[i]));
        const double size = 2 * y + std::fabs(static_cast<double>(c.residual[i])) +
                            std::fabs(static_cast<double>(c.packed_bias[i % desc.out_channels])) + 1;
        CHECK_NEAR(widened(rounded[i]), exact[i], size * 0x1p-8);
    }
}

/// 3 x 3 shapes that the CPU computes by Winograd's algorithm: work divided by tiles and by filters, images of odd
/// size, channels that fill no vector.
const Shape kWinogradShapes[] = {
    {"few tiles", 2, 8, 8, 33, 65, 3, 3, 1, 1, 1, 1},     {"odd image", 1, 15, 13, 24, 130, 3, 3, 1, 1, 1, 1},
    {"odd channels", 3, 7, 7, 257, 33, 3, 3, 1, 1, 1, 1}, {"one block", 1, 16, 16, 64, 64, 3, 3, 1, 1, 1, 1},
    {"some blocks", 5, 11, 10, 40, 72, 3, 3, 1, 1, 1, 1}, {"padding 2", 2, 9, 12, 32, 48, 3, 3, 1, 2, 1, 1},
    {"no padding", 2, 10, 12, 32, 129, 3, 3, 1, 0, 1, 1},
};

}  // namespace

int main() {
    test("aPackedConvolutionIsThePlainOneForOneToThreeThreads", [] {
        for (int32_t threads = 1; threads <= check::most_threads(); ++threads) {
            const Context context(threads);
            for (const Shape& shape : kShapes) forward(context, describe(shape), false, false, Residual::kNone);
        }
    });
    test("biasScaleShiftAndResidualAreAddedBeforeTheActivation", [] {
        const Context context(2);
        for (const Shape& shape : kShapes) {
            velu_conv2d_desc desc = describe(shape);
            for (const int32_t activation : kFusedActivations) {
                desc.activation = activation;
                forward(context, desc, true, true, Residual::kApart);
                forward(context, desc, false, true, Residual::kInPlace);
                forward(context, desc, true, false, Residual::kNone);
            }
        }
    });
    test("pixelsOfTheResultMayLieFurtherApartThanTheirChannels", [] {
        const Context context(2);
        for (const Shape& shape : kShapes) {
            velu_conv2d_desc desc = describe(shape);
            desc.y_pitch = desc.out_channels + ((&shape - kShapes) % 2 == 0 ? 1 : 32);
            desc.activation = kFusedActivations[(&shape - kShapes) % 6];
            forward(context, desc, false, true, Residual::kNone);
            forward(context, desc, true, true, Residual::kApart);
        }
    });
    test("randomShapesMatchTheDefinition", [] {
        const Context context(2);
        uint64_t state = 9;
        for (int round = 0; round < 100; ++round) {
            const velu_conv2d_desc desc = random_shape(state);
            const bool dense = desc.y_pitch == 0 || desc.y_pitch == desc.out_channels;
            forward(context, desc, round % 2 == 0, round % 3 == 0,
                    round % 4 == 0            ? Residual::kNone
                    : round % 4 == 1 && dense ? Residual::kInPlace
                                              : Residual::kApart);
        }
    });
    check::on_every_isa("everyInstructionSetPacksForItself", [](velu_context* context) {
        for (const Shape& shape : kShapes) {
            velu_conv2d_desc desc = describe(shape);
            desc.activation = VELU_ACTIVATION_RELU;
            forward(context, desc, true, true, Residual::kInPlace);
        }
    });
    check::test_on_cpu(
        "winogradsAlgorithmMatchesTheDefinitionOnEveryInstructionSetThatHasIt", "it is the CPU backend's", [] {
            for (const int32_t isa : {VELU_ISA_AVX2, VELU_ISA_AVX512}) {
                if (!Context::supported(isa)) continue;
                for (const Shape& shape : kWinogradShapes) {
                    const auto index = static_cast<int32_t>(&shape - kWinogradShapes);
                    for (int32_t round = 0; round < 3; ++round) {
                        const Context context(1 + round, isa);
                        velu_conv2d_desc desc = describe(shape);
                        const int32_t choice = index + 3 * round;
                        desc.activation = kFusedActivations[choice % 6];
                        desc.y_pitch = choice % 4 == 1 ? desc.out_channels + 3 : 0;
                        const Residual residual = round == 0          ? Residual::kNone
                                                  : desc.y_pitch != 0 ? Residual::kApart
                                                  : round == 1        ? Residual::kApart
                                                                      : Residual::kInPlace;
                        char name[64] = "";
                        CHECK_SUCCESS(context,
                                      velu_impl_name(context, "conv2d_packed_forward", &desc, name, sizeof name));
                        CHECK_EQUAL(std::string(name), isa == VELU_ISA_AVX2 ? "winograd:avx2" : "winograd:avx512");
                        forward(context, desc, round > 0, round < 2, residual);
                    }
                }
            }
        });
    check::test_in_bfloat16("inBfloat16TheResultIsTheRoundedOne", [] {
        const Context context(2);
        for (const Shape& shape : kShapes) {
            velu_conv2d_desc desc = describe(shape);
            for (const int32_t activation : {VELU_ACTIVATION_IDENTITY, VELU_ACTIVATION_RELU, VELU_ACTIVATION_GELU}) {
                desc.activation = activation;
                forward_in_bfloat16(context, desc, activation != VELU_ACTIVATION_GELU);
            }
        }
    });
    test("theScaleAndShiftOfABatchNormGiveItsResult", [] {
        const Context context;
        constexpr int64_t kRows = 6, kChannels = 37;
        const velu_batch_norm_desc desc = {
            check::device(), VELU_DTYPE_F32, kRows, kChannels, 1e-3f, 0, 0, 0, {}, 0, 0, 0};
        Guarded<float> x(kRows * kChannels), y(kRows * kChannels), weight(kChannels), bias(kChannels), mean(kChannels),
            var(kChannels), scale(kChannels), shift(kChannels);
        x.fill_uniform(1, -4, 4);
        weight.fill_uniform(2, -2, 2);
        bias.fill_uniform(3);
        mean.fill_uniform(4, -3, 3);
        var.fill_uniform(5, 0, 4);
        CHECK_SUCCESS(context, velu_batch_norm_fold(context, &desc, weight, bias, mean, var, scale, shift));
        CHECK_SUCCESS(context, velu_batch_norm_forward_inference(context, &desc, x, weight, bias, nullptr, nullptr,
                                                                 mean, var, y, nullptr));
        for (int64_t i = 0; i < x.size; ++i) {
            const int64_t c = i % kChannels;
            const auto product = static_cast<double>(scale[c]) * static_cast<double>(x[i]);
            const auto added = static_cast<double>(shift[c]);
            CHECK_NEAR(y[i], product + added, 3e-7 * (std::fabs(product) + std::fabs(added)));
        }
    });
    test("aNanComesThroughEveryActivationFromImageAndResidual", [] {
        const Context context;
        for (const Shape& shape : kShapes) {
            if (shape.padding >= shape.kernel_height) continue;  // windows of padding hold no NaN
            for (const int32_t activation : kFusedActivations) {
                for (const bool in_image : {true, false}) {
                    velu_conv2d_desc desc = describe(shape);
                    desc.activation = activation;
                    Case c(desc);
                    Guarded<unsigned char> packed(packed_bytes(context, desc));
                    CHECK_SUCCESS(context, velu_conv2d_pack(context, &desc, c.weight, nullptr, nullptr, nullptr, packed,
                                                            c.packed_bias));
                    Guarded<float> y(c.residual.size);
                    Guarded<float>& poisoned = in_image ? c.x : c.residual;
                    std::fill_n(poisoned.data, poisoned.size, NAN);
                    CHECK_SUCCESS(
                        context, velu_conv2d_packed_forward(context, &desc, c.x, packed, c.packed_bias, c.residual, y));
                    for (int64_t i = 0; i < y.size; ++i) CHECK(std::isnan(y[i]));
                }
            }
        }
    });
    test("reluOfALargeSumIsExact", [] {
        const Context context;
        velu_conv2d_desc desc = describe({"", 1, 1, 1, 16, 32, 1, 1, 1, 0, 1, 1});
        desc.activation = VELU_ACTIVATION_RELU;
        Case c(desc);
        Guarded<unsigned char> packed(packed_bytes(context, desc));
        std::fill_n(c.x.data, c.x.size, 0.0f);
        for (int64_t i = 0; i < 32; ++i)
            c.bias[i] = std::ldexp(i % 2 == 0 ? 1.25f : -1.25f, static_cast<int>(i * 8) - 126);
        CHECK_SUCCESS(context,
                      velu_conv2d_pack(context, &desc, c.weight, c.bias, nullptr, nullptr, packed, c.packed_bias));
        Guarded<float> y(32);
        CHECK_SUCCESS(context, velu_conv2d_packed_forward(context, &desc, c.x, packed, c.packed_bias, nullptr, y));
        for (int64_t i = 0; i < 32; ++i) CHECK_EQUAL(y[i], std::max(c.bias[i], 0.0f));
    });
    test("anEmptyBatchPacksNothing", [] {
        const Context context;
        velu_conv2d_desc desc = describe(kShapes[2]);
        desc.batch = 0;
        CHECK_EQUAL(packed_bytes(context, desc), 0);
        CHECK_SUCCESS(context, velu_conv2d_packed_prepare(context, &desc, 1));
        CHECK_SUCCESS(context, velu_conv2d_pack(context, &desc, nullptr, nullptr, nullptr, nullptr, nullptr, nullptr));
        CHECK_SUCCESS(context, velu_conv2d_packed_forward(context, &desc, nullptr, nullptr, nullptr, nullptr, nullptr));
    });
    test("whatPrepareRefusesSaysWhy", [] {
        const Context context;
        const velu_conv2d_desc desc = describe(kShapes[2]);
        CHECK_EQUAL(velu_conv2d_packed_bytes(context, &desc, nullptr), VELU_STATUS_INVALID_ARGUMENT);
        CHECK(std::strstr(velu_context_last_error(context), "bytes is NULL") != nullptr);
        CHECK_EQUAL(velu_conv2d_packed_prepare(context, &desc, 2), VELU_STATUS_INVALID_ARGUMENT);
        CHECK(std::strstr(velu_context_last_error(context), "has_residual is 2; it must be 0 to 1") != nullptr);
    });
    test("implementationHasAName", [] {
        const Context context;
        const velu_conv2d_desc desc = describe(kShapes[2]);
        char name[64] = "";
        CHECK_SUCCESS(context, velu_impl_name(context, "conv2d_packed_forward", &desc, name, sizeof name));
        CHECK(std::strlen(name) > 2);
        std::fprintf(stderr, "    conv2d_packed_forward: %s\n", name);
    });
    return check::report();
}
