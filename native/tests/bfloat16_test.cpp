// Every operation that takes bfloat16 against itself in float32: from the same inputs, all of them bfloat16 numbers, a
// bfloat16 result must be the float32 result rounded, or a neighbour of that, since sums may be added in another order.
// Results that are float32 in both (losses, parameters) agree to 1e-6 of their size. The float32 results have tests of
// their own.
#include <algorithm>
#include <utility>
#include <vector>

#include "check.h"

using check::Context;
using check::Guarded;

namespace {

uint16_t rounded(float value) {
    uint32_t bits;
    std::memcpy(&bits, &value, sizeof bits);
    if (std::isnan(value)) return static_cast<uint16_t>(bits >> 16 | 0x40u);
    return static_cast<uint16_t>((bits + 0x7FFFu + (bits >> 16 & 1u)) >> 16);
}

float widened(uint16_t half) {
    const uint32_t bits = static_cast<uint32_t>(half) << 16;
    float value;
    std::memcpy(&value, &bits, sizeof value);
    return value;
}

/// Place of a bfloat16 among all, so that neighbours differ by 1; both zeros are at 0.
int32_t rank(uint16_t half) {
    const int32_t size = half & 0x7FFF;
    return (half & 0x8000) != 0 ? -size : size;
}

/// The same numbers in both types. misalign: elements by which both miss the alignment of 64 bytes.
struct Numbers {
    explicit Numbers(int64_t count, int64_t misalign = 0)
        : floats(count, static_cast<size_t>(misalign) * 4), halves(count, static_cast<size_t>(misalign) * 2) {}

    /// Fills both with bfloat16 numbers in [low, high).
    Numbers& fill(uint64_t seed, double low = -4, double high = 4) {
        floats.fill_uniform(seed, low, high);
        for (int64_t i = 0; i < floats.size; ++i) set(i, floats[i]);
        return *this;
    }
    void set(int64_t i, float value) {
        halves[i] = rounded(value);
        floats[i] = widened(halves[i]);
    }
    void* of(int32_t dtype) {
        return dtype == VELU_DTYPE_BF16 ? static_cast<void*>(halves.data) : static_cast<void*>(floats.data);
    }

    Guarded<float> floats;
    Guarded<uint16_t> halves;
};

/// After both have been written as results.
void check_rounded(const char* what, Numbers& results) {
    for (int64_t i = 0; i < results.floats.size; ++i) {
        const float wide = results.floats[i];
        const uint16_t expected = rounded(wide);
        const uint16_t actual = results.halves[i];
        const bool right = std::isnan(wide)
                               ? std::isnan(widened(actual))
                               : !std::isnan(widened(actual)) && std::abs(rank(actual) - rank(expected)) <= 1;
        if (!right) {
            char message[160];
            std::snprintf(message, sizeof message, "%.60s: element %lld is %.9g, not %.9g rounded", what,
                          static_cast<long long>(i), static_cast<double>(widened(actual)), static_cast<double>(wide));
            check::fail(__FILE__, __LINE__, message);
        }
    }
}

void check_near(const char* what, const Guarded<float>& halves, const Guarded<float>& floats) {
    for (int64_t i = 0; i < floats.size; ++i) {
        check::near(__FILE__, __LINE__, what, halves[i], floats[i], 1e-6 * (1 + std::fabs(double{floats[i]})));
    }
}

constexpr int32_t kBoth[] = {VELU_DTYPE_F32, VELU_DTYPE_BF16};

struct Shape {
    int64_t count, misalign;
};
// Whole packs, packs and a rest, less than a pack; and pointers that allow no packs.
constexpr Shape kShapes[] = {{4096, 0}, {1003, 0}, {7, 0}, {515, 1}};

velu_pool2d_desc pool(int32_t dtype, int64_t channels, int32_t kernel, int32_t stride, int32_t padding,
                      int32_t count_include_pad) {
    return {check::device(),   dtype, 2, 9, 8, channels, kernel, kernel, stride, stride, padding, padding,
            count_include_pad, 0,     0};
}

int64_t out_size(int64_t in, const velu_pool2d_desc& desc) {
    return (in + 2 * desc.padding_height - desc.kernel_height) / desc.stride_height + 1;
}

/// Elements between the pixels of a pool's result: none, and ones that do and do not allow packs.
constexpr int64_t kRests[] = {0, 8, 3};

}  // namespace

int main() {
    const std::string why = check::bfloat16_refusal();
    if (!why.empty()) {
        std::fprintf(stderr, "skip: %s\n", why.c_str());
        return EXIT_SUCCESS;
    }

    check::test("activationsRoundTheFloat32Result", [] {
        Context context;
        for (const int32_t activation : {VELU_ACTIVATION_RELU, VELU_ACTIVATION_RELU6, VELU_ACTIVATION_SILU,
                                         VELU_ACTIVATION_GELU, VELU_ACTIVATION_SIGMOID}) {
            for (const Shape& shape : kShapes) {
                Numbers x(shape.count, shape.misalign), dy(shape.count), y(shape.count), dx(shape.count);
                x.fill(1, -9, 9);
                dy.fill(2);
                x.set(0, NAN);
                x.set(1, -INFINITY);
                x.set(2, 0);
                for (const int32_t dtype : kBoth) {
                    const velu_activation_desc desc{check::device(), dtype, shape.count, activation, 0};
                    CHECK_SUCCESS(context, velu_activation_forward(context, &desc, x.of(dtype), y.of(dtype)));
                    CHECK_SUCCESS(context,
                                  velu_activation_backward(context, &desc, x.of(dtype), dy.of(dtype), dx.of(dtype)));
                }
                check_rounded("y", y);
                check_rounded("dx", dx);
            }
        }
    });

    check::test("sumsRoundTheFloat32Result", [] {
        Context context;
        for (const Shape& shape : kShapes) {
            Numbers a(shape.count), b(shape.count, shape.misalign), y(shape.count);
            a.fill(3);
            b.fill(4, -300, 300);
            for (const int32_t dtype : kBoth) {
                const velu_add_desc desc{check::device(), dtype, shape.count};
                CHECK_SUCCESS(context, velu_add_forward(context, &desc, a.of(dtype), b.of(dtype), y.of(dtype)));
            }
            check_rounded("y", y);
        }
    });

    check::test("dropoutKeepsTheSameElements", [] {
        Context context;
        Guarded<int64_t> step(1);
        step[0] = (int64_t{5} << 32) + 11;
        for (const Shape& shape : kShapes) {
            Numbers x(shape.count, shape.misalign), y(shape.count), dx(shape.count);
            x.fill(5, 1, 4);
            for (const int32_t dtype : kBoth) {
                const velu_dropout_desc desc{check::device(), dtype, shape.count, 42, 3, 0.3f, 1};
                CHECK_SUCCESS(context, velu_dropout_forward(context, &desc, step, x.of(dtype), y.of(dtype)));
                CHECK_SUCCESS(context, velu_dropout_backward(context, &desc, step, x.of(dtype), dx.of(dtype)));
            }
            check_rounded("y", y);
            check_rounded("dx", dx);
            for (int64_t i = 0; i < shape.count; ++i) CHECK_EQUAL(y.halves[i] == 0, y.floats[i] == 0);
        }
    });

    check::test("dropoutKeepsTheSameGroups", [] {
        Context context;
        Guarded<int64_t> step(1);
        step[0] = 11;
        for (const int64_t group : {3, 8, 520}) {
            Numbers x(17 * group), y(17 * group);
            x.fill(5, 1, 4);
            for (const int32_t dtype : kBoth) {
                const velu_dropout_desc desc{check::device(), dtype, 17 * group, 42, 3, 0.3f, group};
                CHECK_SUCCESS(context, velu_dropout_forward(context, &desc, step, x.of(dtype), y.of(dtype)));
            }
            check_rounded("y", y);
            for (int64_t i = 0; i < 17 * group; ++i) CHECK_EQUAL(y.halves[i] == 0, y.floats[i] == 0);
        }
    });

    check::test("channelScaleRoundsTheFloat32Result", [] {
        Context context;
        for (const int64_t channels : {520, 64, 12, 1}) {
            for (const int64_t pixels : {1, 49, 700}) {
                Numbers x(2 * pixels * channels), y(2 * pixels * channels), dy(2 * pixels * channels, 1);
                Numbers dx(2 * pixels * channels), scale(2 * channels), dscale(2 * channels);
                x.fill(20, 0, 4);  // so that the sums do not cancel
                dy.fill(21, 0, 4);
                scale.fill(22, 0, 1);
                for (const int32_t dtype : kBoth) {
                    const velu_channel_scale_desc desc{check::device(), dtype, 2, pixels, channels};
                    CHECK_SUCCESS(
                        context, velu_channel_scale_forward(context, &desc, x.of(dtype), scale.of(dtype), y.of(dtype)));
                    CHECK_SUCCESS(context, velu_channel_scale_backward(context, &desc, x.of(dtype), scale.of(dtype),
                                                                       dy.of(dtype), dx.of(dtype), dscale.of(dtype)));
                }
                check_rounded("y", y);
                check_rounded("dx", dx);
                check_rounded("dscale", dscale);
            }
        }
    });

    check::test("tokenEmbeddingRoundsTheFloat32ResultAndSumsInFloat32", [] {
        Context context;
        for (const int64_t channels : {192, 12, 5}) {
            constexpr int64_t kBatch = 3, kPatches = 9;
            const int64_t patches = kPatches * channels, tokens = patches + channels;
            Numbers x(kBatch * patches), y(kBatch * tokens), dy(kBatch * tokens), dx(kBatch * patches);
            Guarded<float> class_token(channels), position(tokens);
            Guarded<float> dclass_token[2] = {Guarded<float>(channels), Guarded<float>(channels)};
            Guarded<float> dposition[2] = {Guarded<float>(tokens), Guarded<float>(tokens)};
            x.fill(23);
            dy.fill(24);
            class_token.fill_uniform(25);
            position.fill_uniform(26);
            for (const int32_t dtype : kBoth) {
                const velu_token_embedding_desc desc{check::device(), dtype, kBatch, kPatches, channels};
                CHECK_SUCCESS(context, velu_token_embedding_forward(context, &desc, x.of(dtype), class_token, position,
                                                                    y.of(dtype)));
                CHECK_SUCCESS(context, velu_token_embedding_backward(context, &desc, dy.of(dtype), dx.of(dtype),
                                                                     dclass_token[dtype], dposition[dtype]));
            }
            check_rounded("y", y);
            check_rounded("dx", dx);
            check_near("dclass_token", dclass_token[VELU_DTYPE_BF16], dclass_token[VELU_DTYPE_F32]);
            check_near("dposition", dposition[VELU_DTYPE_BF16], dposition[VELU_DTYPE_F32]);
        }
    });

    check::test("adaptiveAveragePoolingRoundsTheFloat32Result", [] {
        Context context;
        for (const int64_t channels : {72, 12, 5}) {
            for (const auto& [height, width] : {std::pair<int64_t, int64_t>{13, 9}, {3, 5}, {7, 7}}) {
                Numbers x(2 * height * width * channels), dx(2 * height * width * channels);
                Numbers y(2 * 7 * 6 * channels), dy(2 * 7 * 6 * channels);
                x.fill(27);
                dy.fill(28);
                for (const int32_t dtype : kBoth) {
                    const velu_adaptive_avg_pool2d_desc desc{check::device(), dtype, 2, height, width, channels, 7, 6};
                    CHECK_SUCCESS(context, velu_adaptive_avg_pool2d_forward(context, &desc, x.of(dtype), y.of(dtype)));
                    CHECK_SUCCESS(context,
                                  velu_adaptive_avg_pool2d_backward(context, &desc, dy.of(dtype), dx.of(dtype)));
                }
                check_rounded("y", y);
                check_rounded("dx", dx);
            }
        }
    });

    check::test("batchNormOfRowsThatLieApartIsThatOfDenseOnes", [] {
        Context context;
        for (const int64_t channels : {64, 12, 5}) {
            for (const int64_t rest : {8, 3}) {
                constexpr int64_t kRows = 90;
                const int64_t pitch = channels + rest;
                velu_batch_norm_desc desc = {check::device(),
                                             VELU_DTYPE_BF16,
                                             kRows,
                                             channels,
                                             1e-5f,
                                             0.1f,
                                             VELU_ACTIVATION_RELU,
                                             0,
                                             {},
                                             0,
                                             0,
                                             0};
                Numbers x(kRows * channels), dy(kRows * channels), y(kRows * channels), dx(kRows * channels);
                Numbers addend(kRows * channels), apart_x(kRows * pitch), apart_dx(kRows * pitch);
                Numbers apart_y(kRows * channels);
                Guarded<float> weight(channels), bias(channels), mean(channels), inv_std(channels), dweight(channels),
                    dbias(channels);
                x.fill(29);
                dy.fill(30, -1, 1);
                addend.fill(31);
                weight.fill_uniform(32, 0.5, 1.5);
                bias.fill_uniform(33);
                const auto place = [&](int64_t i) { return i / channels * pitch + i % channels; };
                for (int64_t i = 0; i < kRows * channels; ++i) {
                    apart_x.halves[place(i)] = x.halves[i];
                    apart_dx.halves[place(i)] = addend.halves[i];
                }
                const auto run = [&](Numbers& from, Numbers& to, Numbers& gradient, const void* added) {
                    CHECK_SUCCESS(context, velu_batch_norm_forward_training(context, &desc, from.halves, weight, bias,
                                                                            nullptr, nullptr, nullptr, nullptr, nullptr,
                                                                            to.halves, mean, inv_std, nullptr));
                    CHECK_SUCCESS(
                        context, velu_batch_norm_backward(context, &desc, from.halves, dy.halves, weight, bias, nullptr,
                                                          nullptr, mean, inv_std, nullptr, added, gradient.halves,
                                                          nullptr, dweight, dbias, nullptr));
                };
                run(x, y, dx, nullptr);
                desc.x_pitch = desc.dx_pitch = desc.dx_addend_pitch = pitch;
                run(apart_x, apart_y, apart_dx, apart_dx.halves);
                for (int64_t i = 0; i < kRows * channels; ++i) {
                    CHECK(std::abs(rank(apart_y.halves[i]) - rank(y.halves[i])) <= 1);
                    // Three results of size 3 at most are rounded: dense dx, what dx is made of, and the sum.
                    CHECK_NEAR(widened(apart_dx.halves[place(i)]), widened(dx.halves[i]) + addend.floats[i], 0x1p-5);
                }
                for (int64_t i = 0; i < kRows * pitch; ++i) {
                    if (i % pitch >= channels) CHECK_EQUAL(apart_dx.halves[i], 0xA5A5);
                }
            }
        }
    });

    check::test("maxPoolingChoosesTheSameElements", [] {
        Context context;
        for (const int64_t channels : {16, 12, 5}) {
            for (const int64_t rest : kRests) {
                velu_pool2d_desc desc = pool(VELU_DTYPE_F32, channels, 3, 2, 1, 0);
                desc.y_pitch = channels + rest;
                const int64_t in = 2 * 9 * 8 * channels, out = 2 * out_size(9, desc) * out_size(8, desc);
                Numbers x(in), y(out * desc.y_pitch), dy(out * desc.y_pitch), dx(in);
                Guarded<uint8_t> positions(out * channels), half_positions(out * channels);
                x.fill(6);
                dy.fill(7);
                x.set(channels * 3, NAN);
                for (const int32_t dtype : kBoth) {
                    desc.dtype = dtype;
                    uint8_t* argmax = dtype == VELU_DTYPE_BF16 ? half_positions.data : positions.data;
                    CHECK_SUCCESS(context, velu_max_pool2d_forward(context, &desc, x.of(dtype), y.of(dtype), argmax));
                    CHECK_SUCCESS(context,
                                  velu_max_pool2d_backward(context, &desc, dy.of(dtype), argmax, dx.of(dtype)));
                }
                check_rounded("y", y);
                check_rounded("dx", dx);
                for (int64_t i = 0; i < out * channels; ++i) CHECK_EQUAL(int{half_positions[i]}, int{positions[i]});
            }
        }
    });

    check::test("averagePoolingRoundsTheFloat32Result", [] {
        Context context;
        for (const int64_t channels : {16, 12, 5}) {
            for (const int32_t count_include_pad : {0, 1}) {
                for (const int64_t rest : kRests) {
                    velu_pool2d_desc desc = pool(VELU_DTYPE_F32, channels, 3, 2, 1, count_include_pad);
                    desc.y_pitch = channels + rest;
                    const int64_t in = 2 * 9 * 8 * channels;
                    const int64_t out = 2 * out_size(9, desc) * out_size(8, desc) * desc.y_pitch;
                    Numbers x(in), y(out), dy(out), dx(in);
                    x.fill(8);
                    dy.fill(9);
                    for (const int32_t dtype : kBoth) {
                        desc.dtype = dtype;
                        CHECK_SUCCESS(context, velu_avg_pool2d_forward(context, &desc, x.of(dtype), y.of(dtype)));
                        CHECK_SUCCESS(context, velu_avg_pool2d_backward(context, &desc, dy.of(dtype), dx.of(dtype)));
                    }
                    check_rounded("y", y);
                    check_rounded("dx", dx);
                }
            }
        }
    });

    check::test("globalAveragePoolingRoundsTheFloat32Result", [] {
        Context context;
        for (const int64_t channels : {520, 64, 12, 1}) {
            for (const int64_t pixels : {1, 49, 700}) {
                Numbers x(2 * pixels * channels), y(2 * channels), dy(2 * channels), dx(2 * pixels * channels);
                x.fill(10);
                dy.fill(11);
                for (const int32_t dtype : kBoth) {
                    const velu_global_avg_pool_desc desc{check::device(), dtype, 2, pixels, channels};
                    CHECK_SUCCESS(context, velu_global_avg_pool_forward(context, &desc, x.of(dtype), y.of(dtype)));
                    CHECK_SUCCESS(context, velu_global_avg_pool_backward(context, &desc, dy.of(dtype), dx.of(dtype)));
                }
                check_rounded("y", y);
                check_rounded("dx", dx);
            }
        }
    });

    check::test("lossAgreesAndItsGradientIsRounded", [] {
        Context context;
        for (const int64_t classes : {1, 10, 16, 1000, 2000, 2001}) {
            for (const float smoothing : {0.0f, 0.1f}) {
                constexpr int64_t kRows = 21;
                Numbers logits(kRows * classes), dlogits(kRows * classes);
                logits.fill(12, -8, 8);
                Guarded<int32_t> labels(kRows);
                for (int64_t row = 0; row < kRows; ++row) {
                    labels[row] = row % 5 == 4 ? -1 : static_cast<int32_t>(row * 37 % classes);
                }
                Guarded<float> loss(1), half_loss(1), sums(kRows), half_sums(kRows), dloss(1);
                dloss[0] = 0.5f;
                for (const int32_t dtype : kBoth) {
                    const bool half = dtype == VELU_DTYPE_BF16;
                    const velu_softmax_cross_entropy_desc desc{check::device(), dtype, kRows, classes, smoothing, 0};
                    CHECK_SUCCESS(context, velu_softmax_cross_entropy_forward(context, &desc, logits.of(dtype), labels,
                                                                              nullptr, nullptr, half ? half_loss : loss,
                                                                              half ? half_sums : sums));
                    // Both from the same sums, as cancellation would magnify a difference in the last bit.
                    CHECK_SUCCESS(context,
                                  velu_softmax_cross_entropy_backward(context, &desc, logits.of(dtype), labels, nullptr,
                                                                      nullptr, sums, dloss, dlogits.of(dtype)));
                }
                check_near("loss", half_loss, loss);
                check_near("log_sum_exp", half_sums, sums);
                check_rounded("dlogits", dlogits);
            }
        }
    });

    check::test("topKCountsTheSameRows", [] {
        Context context;
        for (const int64_t classes : {7, 16, 1000, 2000}) {
            constexpr int64_t kRows = 300;
            Numbers logits(kRows * classes);
            logits.fill(13);  // as bfloat16 numbers, many of them equal
            Guarded<int32_t> labels(kRows);
            for (int64_t row = 0; row < kRows; ++row) labels[row] = static_cast<int32_t>(row * 13 % classes);
            for (const int32_t k : {1, 5}) {
                Guarded<int64_t> counts(2);
                for (const int32_t dtype : kBoth) {
                    const velu_top_k_desc desc{check::device(), dtype, kRows, classes, k, 0};
                    CHECK_SUCCESS(context,
                                  velu_top_k_count(context, &desc, logits.of(dtype), labels, counts.data + dtype));
                }
                CHECK_EQUAL(counts[VELU_DTYPE_BF16], counts[VELU_DTYPE_F32]);
                CHECK(classes > 100 || counts[0] > 0);
            }
        }
    });

    check::test("optimizersTakeBfloat16Gradients", [] {
        Context context;
        struct Rule {
            int32_t algorithm;
            float momentum;
            int32_t nesterov;
        };
        for (const Rule& rule :
             {Rule{VELU_OPTIMIZER_SGD, 0, 0}, Rule{VELU_OPTIMIZER_SGD, 0.9f, 0}, Rule{VELU_OPTIMIZER_SGD, 0.9f, 1},
              Rule{VELU_OPTIMIZER_ADAM, 0, 0}, Rule{VELU_OPTIMIZER_ADAMW, 0, 0}, Rule{VELU_OPTIMIZER_NADAM, 0, 0}}) {
            for (const Shape& shape : kShapes) {
                Guarded<float> parameters[2] = {Guarded<float>(shape.count), Guarded<float>(shape.count)};
                const bool sgd = rule.algorithm == VELU_OPTIMIZER_SGD;
                for (const int32_t dtype : kBoth) {
                    Guarded<float>& updated = parameters[dtype];
                    updated.fill_uniform(14);
                    Guarded<float> state0(shape.count), state1(shape.count), rate(1);
                    Guarded<double> counters(2);
                    std::fill_n(state0.data, shape.count, 0.0f);
                    std::fill_n(state1.data, shape.count, 0.0f);
                    rate[0] = 0.01f;
                    counters[0] = 0;
                    counters[1] = 1;
                    const velu_optimizer_desc desc{check::device(),
                                                   dtype,
                                                   shape.count,
                                                   rule.algorithm,
                                                   rule.nesterov,
                                                   rule.momentum,
                                                   0.9f,
                                                   0.999f,
                                                   1e-8f,
                                                   0.1f,
                                                   0.004f,
                                                   2.5f,
                                                   0};
                    for (uint64_t t = 0; t < 3; ++t) {
                        Numbers gradients(shape.count, shape.misalign);
                        gradients.fill(15 + t);
                        CHECK_SUCCESS(context, velu_optimizer_step(context, &desc, rate, nullptr, counters, updated,
                                                                   gradients.of(dtype),
                                                                   sgd && rule.momentum == 0 ? nullptr : state0.data,
                                                                   sgd ? nullptr : state1.data));
                    }
                    CHECK_EQUAL(counters[0], 3.0);
                }
                check_near("parameters", parameters[VELU_DTYPE_BF16], parameters[VELU_DTYPE_F32]);
            }
        }
    });

    check::test("gradientNormIsThatOfTheSameNumbers", [] {
        Context context;
        for (const Shape& shape : kShapes) {
            Numbers gradients(shape.count, shape.misalign);
            gradients.fill(18);
            Guarded<float> norm(1), half_norm(1);
            for (const int32_t dtype : kBoth) {
                const velu_gradient_norm_desc desc{check::device(), dtype, shape.count};
                CHECK_SUCCESS(context, velu_gradient_norm(context, &desc, gradients.of(dtype),
                                                          dtype == VELU_DTYPE_BF16 ? half_norm : norm));
            }
            check_near("norm", half_norm, norm);
        }
    });

    check::test("normalizedImagesAreRounded", [] {
        Context context;
        for (int64_t channels = 1; channels <= 4; ++channels) {
            for (const int64_t width : {24, 21}) {
                Guarded<uint8_t> x(2 * 19 * 23 * channels);
                Guarded<int32_t> placement(6);
                for (int64_t i = 0; i < x.size; ++i) x[i] = static_cast<uint8_t>(i * 31 + i / 7);
                for (const int64_t i : {0, 1, 2}) placement[i] = i == 2 ? 1 : -2;
                for (const int64_t i : {3, 4, 5}) placement[i] = i == 5 ? 0 : 3;
                Numbers y(2 * 20 * width * channels);
                for (const int32_t dtype : kBoth) {
                    const velu_normalize_image_desc desc{check::device(),
                                                         dtype,
                                                         2,
                                                         19,
                                                         23,
                                                         channels,
                                                         20,
                                                         width,
                                                         {0.485f, 0.456f, 0.406f, 0.5f},
                                                         {0.229f, 0.224f, 0.225f, 0.25f}};
                    CHECK_SUCCESS(context, velu_normalize_image_forward(context, &desc, x, placement, y.of(dtype)));
                }
                check_rounded("y", y);
            }
        }
    });
    return check::report();
}
