// Kernels that move several elements at once where pointers and sizes allow it, and one by one elsewhere, compute the
// same. Every operation runs on memory aligned to 64 bytes and on memory that misses that by one element: elements are
// then the same bits, and sums, whose order may be another, agree to 1e-6 of their size.
#include <algorithm>
#include <vector>

#include "check.h"

using check::Context;
using check::Guarded;

namespace {

/// Elements by which the two runs' pointers miss the alignment of 64 bytes.
constexpr size_t kRuns[] = {0, 1};

/// A buffer for each run, with the same content.
template <class T>
struct Twice {
    explicit Twice(int64_t count) : runs{Guarded<T>(count), Guarded<T>(count, sizeof(T))} {}

    Twice& fill(uint64_t seed, double low = -4, double high = 4) {
        for (Guarded<T>& run : runs) run.fill_uniform(seed, low, high);
        return *this;
    }
    T* operator[](size_t run) { return runs[run].data; }

    Guarded<T> runs[2];
};

template <class T>
void check_equal(const char* what, const Twice<T>& results) {
    for (int64_t i = 0; i < results.runs[0].size; ++i) {
        if (std::memcmp(&results.runs[0][i], &results.runs[1][i], sizeof(T)) == 0) continue;
        check::fail(__FILE__, __LINE__,
                    std::string(what) + ": element " + std::to_string(i) + " is " + std::to_string(results.runs[1][i]) +
                        " unaligned, not " + std::to_string(results.runs[0][i]));
    }
}

void check_near(const char* what, const Twice<float>& results) {
    for (int64_t i = 0; i < results.runs[0].size; ++i) {
        const double expected = results.runs[0][i];
        check::near(__FILE__, __LINE__, what, results.runs[1][i], expected, 1e-6 * (1 + std::fabs(expected)));
    }
}

// Whole packs, packs and a rest, and less than a pack.
constexpr int64_t kCounts[] = {4096, 1003, 3};

}  // namespace

int main() {
    check::test("activations", [] {
        Context context;
        for (const int32_t activation : {VELU_ACTIVATION_RELU, VELU_ACTIVATION_RELU6, VELU_ACTIVATION_SILU,
                                         VELU_ACTIVATION_GELU, VELU_ACTIVATION_SIGMOID}) {
            for (const int64_t count : kCounts) {
                const velu_activation_desc desc{check::device(), VELU_DTYPE_F32, count, activation, 0};
                Twice<float> x(count), dy(count), y(count), dx(count);
                x.fill(1, -9, 9);
                dy.fill(2);
                for (const size_t run : kRuns) {
                    CHECK_SUCCESS(context, velu_activation_forward(context, &desc, x[run], y[run]));
                    CHECK_SUCCESS(context, velu_activation_backward(context, &desc, x[run], dy[run], dx[run]));
                }
                check_equal("y", y);
                check_equal("dx", dx);
            }
        }
    });

    check::test("sumsOfTensors", [] {
        Context context;
        for (const int64_t count : kCounts) {
            const velu_add_desc desc{check::device(), VELU_DTYPE_F32, count};
            Twice<float> a(count), b(count), y(count);
            a.fill(3);
            b.fill(4);
            for (const size_t run : kRuns) {
                CHECK_SUCCESS(context, velu_add_forward(context, &desc, a[run], b[run], y[run]));
            }
            check_equal("y", y);
        }
    });

    check::test("dropout", [] {
        Context context;
        Guarded<int64_t> step(1);
        step[0] = 9;
        for (const int64_t count : kCounts) {
            const velu_dropout_desc desc{check::device(), VELU_DTYPE_F32, count, 42, 3, 0.3f, 1};
            Twice<float> x(count), y(count);
            x.fill(5);
            for (const size_t run : kRuns) {
                CHECK_SUCCESS(context, velu_dropout_forward(context, &desc, step, x[run], y[run]));
            }
            check_equal("y", y);
        }
    });

    check::test("pooling", [] {
        Context context;
        for (const int64_t channels : {16, 6}) {
            for (const int32_t include : {0, 1}) {
                const velu_pool2d_desc desc{
                    check::device(), VELU_DTYPE_F32, 2, 9, 7, channels, 3, 3, 2, 2, 1, 1, include, 0, 0};
                const int64_t in = 2 * 9 * 7 * channels, out = 2 * 5 * 4 * channels;
                Twice<float> x(in), dy(out), y(out), dx(in), mean(out), dmean(in);
                Twice<uint8_t> argmax(out);
                x.fill(6);
                dy.fill(7);
                for (const size_t run : kRuns) {
                    CHECK_SUCCESS(context, velu_max_pool2d_forward(context, &desc, x[run], y[run], argmax[run]));
                    CHECK_SUCCESS(context, velu_max_pool2d_backward(context, &desc, dy[run], argmax[run], dx[run]));
                    CHECK_SUCCESS(context, velu_avg_pool2d_forward(context, &desc, x[run], mean[run]));
                    CHECK_SUCCESS(context, velu_avg_pool2d_backward(context, &desc, dy[run], dmean[run]));
                }
                check_equal("largest", y);
                check_equal("argmax", argmax);
                check_equal("gradient of the largest", dx);
                check_equal("mean", mean);
                check_equal("gradient of the mean", dmean);
            }
        }
    });

    check::test("groupsOfDropout", [] {
        Context context;
        Guarded<int64_t> step(1);
        step[0] = 9;
        for (const int64_t group : {3, 16, 1003}) {
            const velu_dropout_desc desc{check::device(), VELU_DTYPE_F32, 9 * group, 42, 3, 0.3f, group};
            Twice<float> x(9 * group), y(9 * group);
            x.fill(5);
            for (const size_t run : kRuns) {
                CHECK_SUCCESS(context, velu_dropout_forward(context, &desc, step, x[run], y[run]));
            }
            check_equal("y", y);
        }
    });

    check::test("channelScales", [] {
        Context context;
        for (const int64_t channels : {260, 64, 8, 5}) {
            for (const int64_t pixels : {1, 49, 700}) {
                const velu_channel_scale_desc desc{check::device(), VELU_DTYPE_F32, 3, pixels, channels};
                Twice<float> x(3 * pixels * channels), y(3 * pixels * channels), dy(3 * pixels * channels);
                Twice<float> dx(3 * pixels * channels), scale(3 * channels), dscale(3 * channels);
                x.fill(16);
                dy.fill(17, 0, 1);
                scale.fill(18);
                for (const size_t run : kRuns) {
                    CHECK_SUCCESS(context, velu_channel_scale_forward(context, &desc, x[run], scale[run], y[run]));
                    CHECK_SUCCESS(context, velu_channel_scale_backward(context, &desc, x[run], scale[run], dy[run],
                                                                       dx[run], dscale[run]));
                }
                check_equal("y", y);
                check_equal("dx", dx);
                for (int64_t i = 0; i < 3 * channels; ++i) {
                    CHECK_NEAR(dscale.runs[1][i], dscale.runs[0][i], 1e-5 * static_cast<double>(pixels));
                }
            }
        }
    });

    check::test("tokenEmbeddings", [] {
        Context context;
        for (const int64_t channels : {192, 20, 5}) {
            const velu_token_embedding_desc desc{check::device(), VELU_DTYPE_F32, 3, 9, channels};
            Twice<float> x(3 * 9 * channels), dx(3 * 9 * channels), y(3 * 10 * channels), dy(3 * 10 * channels);
            Twice<float> class_token(channels), dclass_token(channels);
            Twice<float> position(10 * channels), dposition(10 * channels);
            x.fill(19);
            dy.fill(20);
            class_token.fill(21);
            position.fill(22);
            for (const size_t run : kRuns) {
                CHECK_SUCCESS(context, velu_token_embedding_forward(context, &desc, x[run], class_token[run],
                                                                    position[run], y[run]));
                CHECK_SUCCESS(context, velu_token_embedding_backward(context, &desc, dy[run], dx[run],
                                                                     dclass_token[run], dposition[run]));
            }
            check_equal("y", y);
            check_equal("dx", dx);
            check_near("dclass_token", dclass_token);
            check_near("dposition", dposition);
        }
    });

    check::test("adaptivePooling", [] {
        Context context;
        for (const int64_t channels : {64, 6}) {
            const velu_adaptive_avg_pool2d_desc desc{check::device(), VELU_DTYPE_F32, 2, 9, 8, channels, 6, 7};
            Twice<float> x(2 * 9 * 8 * channels), dx(2 * 9 * 8 * channels);
            Twice<float> y(2 * 6 * 7 * channels), dy(2 * 6 * 7 * channels);
            x.fill(23);
            dy.fill(24);
            for (const size_t run : kRuns) {
                CHECK_SUCCESS(context, velu_adaptive_avg_pool2d_forward(context, &desc, x[run], y[run]));
                CHECK_SUCCESS(context, velu_adaptive_avg_pool2d_backward(context, &desc, dy[run], dx[run]));
            }
            check_equal("y", y);
            check_equal("dx", dx);
        }
    });

    check::test("globalPooling", [] {
        Context context;
        for (const int64_t channels : {260, 64, 8, 5}) {
            for (const int64_t pixels : {1, 49, 700}) {
                const velu_global_avg_pool_desc desc{check::device(), VELU_DTYPE_F32, 3, pixels, channels};
                Twice<float> x(3 * pixels * channels), y(3 * channels), dy(3 * channels), dx(3 * pixels * channels);
                x.fill(8);
                dy.fill(9);
                for (const size_t run : kRuns) {
                    CHECK_SUCCESS(context, velu_global_avg_pool_forward(context, &desc, x[run], y[run]));
                    CHECK_SUCCESS(context, velu_global_avg_pool_backward(context, &desc, dy[run], dx[run]));
                }
                check_near("y", y);
                check_equal("dx", dx);
            }
        }
    });

    check::test("softmaxCrossEntropyAndTopK", [] {
        Context context;
        constexpr int64_t kRows = 13;
        for (const int64_t classes : {4, 10, 1000, 2000, 2001}) {
            const velu_softmax_cross_entropy_desc desc{check::device(), VELU_DTYPE_F32, kRows, classes, 0.1f, 0};
            const velu_top_k_desc top{check::device(), VELU_DTYPE_F32, kRows, classes, 3, 0};
            Twice<float> logits(kRows * classes), loss(1), sums(kRows), dlogits(kRows * classes);
            logits.fill(10, -8, 8);
            Guarded<int32_t> labels(kRows);
            for (int64_t row = 0; row < kRows; ++row) labels[row] = static_cast<int32_t>(row * 7 % classes);
            Guarded<int64_t> counts(2);
            for (const size_t run : kRuns) {
                CHECK_SUCCESS(context, velu_softmax_cross_entropy_forward(context, &desc, logits[run], labels, nullptr,
                                                                          nullptr, loss[run], sums[run]));
                CHECK_SUCCESS(context, velu_softmax_cross_entropy_backward(context, &desc, logits[run], labels, nullptr,
                                                                           nullptr, sums[0], nullptr, dlogits[run]));
                CHECK_SUCCESS(context, velu_top_k_count(context, &top, logits[run], labels, counts.data + run));
            }
            check_near("loss", loss);
            check_near("log_sum_exp", sums);
            check_equal("dlogits", dlogits);
            CHECK_EQUAL(counts[1], counts[0]);
        }
    });

    check::test("optimizersAndGradientNorm", [] {
        Context context;
        for (const int32_t algorithm :
             {VELU_OPTIMIZER_SGD, VELU_OPTIMIZER_ADAM, VELU_OPTIMIZER_ADAMW, VELU_OPTIMIZER_NADAM}) {
            for (const int64_t count : kCounts) {
                const velu_optimizer_desc desc{check::device(), VELU_DTYPE_F32, count, algorithm, 0,    0.9f, 0.9f,
                                               0.999f,          1e-8f,          0.1f,  0.004f,    2.0f, 0};
                const velu_gradient_norm_desc norm_desc{check::device(), VELU_DTYPE_F32, count};
                Twice<float> parameters(count), gradients(count), state0(count), state1(count), norm(1);
                parameters.fill(11);
                gradients.fill(12);
                state0.fill(13, 0, 1);
                state1.fill(14, 0, 1);
                Guarded<float> rate(1);
                rate[0] = 0.01f;
                for (const size_t run : kRuns) {
                    Guarded<double> counters(2);
                    counters[0] = 2;
                    counters[1] = 0.5;
                    CHECK_SUCCESS(context, velu_optimizer_step(context, &desc, rate, nullptr, counters, parameters[run],
                                                               gradients[run], state0[run], state1[run]));
                    CHECK_SUCCESS(context, velu_gradient_norm(context, &norm_desc, gradients[run], norm[run]));
                }
                check_equal("parameters", parameters);
                check_equal("state0", state0);
                check_equal("state1", state1);
                check_near("norm", norm);
            }
        }
    });

    check::test("randomNumbers", [] {
        Context context;
        for (const int32_t distribution :
             {VELU_DISTRIBUTION_UNIFORM, VELU_DISTRIBUTION_NORMAL, VELU_DISTRIBUTION_TRUNCATED_NORMAL}) {
            for (const int64_t count : kCounts) {
                const velu_random_desc desc{check::device(), VELU_DTYPE_F32, count, 5, 6, distribution, 0, 1, -1, 2, 0};
                Twice<float> out(count);
                for (const size_t run : kRuns) CHECK_SUCCESS(context, velu_random_fill(context, &desc, out[run]));
                check_equal("out", out);
            }
        }
    });

    check::test("normalizedImages", [] {
        Context context;
        for (int64_t channels = 1; channels <= 4; ++channels) {
            const velu_normalize_image_desc desc{
                check::device(),           VELU_DTYPE_F32, 2, 11, 13, channels, 9, 12, {0.4f, 0.5f, 0.6f, 0.7f},
                {0.2f, 0.3f, 0.25f, 0.22f}};
            Twice<uint8_t> x(2 * 11 * 13 * channels);
            Twice<float> y(2 * 9 * 12 * channels);
            Guarded<int32_t> placement(6);
            for (int64_t i = 0; i < 6; ++i) placement[i] = static_cast<int32_t>(i) - 2;
            x.fill(15, 0, 255);
            for (const size_t run : kRuns) {
                CHECK_SUCCESS(context, velu_normalize_image_forward(context, &desc, x[run], placement, y[run]));
            }
            check_equal("y", y);
        }
    });
    return check::report();
}
