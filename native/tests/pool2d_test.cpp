// Max, average and global average pooling against plain loops in float64.
#include <limits>
#include <vector>

#include "check.h"

using check::Context;
using check::Guarded;

namespace {

struct Shape {
    int64_t batch, height, width, channels;
    int32_t kernel_height, kernel_width, stride_height, stride_width, padding_height, padding_width;
};

// ResNet's, VGG's and DenseNet's pools, and odd ones: strides wider than the window, windows as large as the image,
// channel counts around the vector widths.
constexpr Shape kShapes[] = {
    {2, 15, 17, 64, 3, 3, 2, 2, 1, 1}, {1, 8, 8, 33, 2, 2, 2, 2, 0, 0},   {3, 7, 5, 1, 3, 2, 1, 1, 1, 1},
    {1, 9, 11, 31, 2, 3, 5, 4, 1, 0},  {2, 7, 7, 257, 7, 7, 1, 1, 0, 0},  {1, 1, 1, 3, 1, 1, 1, 1, 0, 0},
    {1, 6, 4, 65, 5, 4, 1, 3, 2, 2},   {1, 1, 33, 16, 1, 15, 1, 7, 0, 7},
};

velu_pool2d_desc pool(const Shape& s, int32_t count_include_pad = 1) {
    return {check::device(),
            VELU_DTYPE_F32,
            s.batch,
            s.height,
            s.width,
            s.channels,
            s.kernel_height,
            s.kernel_width,
            s.stride_height,
            s.stride_width,
            s.padding_height,
            s.padding_width,
            count_include_pad,
            0,
            0};
}

int64_t out_height(const velu_pool2d_desc& d) {
    return (d.in_height + 2 * d.padding_height - d.kernel_height) / d.stride_height + 1;
}
int64_t out_width(const velu_pool2d_desc& d) {
    return (d.in_width + 2 * d.padding_width - d.kernel_width) / d.stride_width + 1;
}
int64_t in_size(const velu_pool2d_desc& d) {
    return d.batch * d.in_height * d.in_width * d.channels;
}
int64_t out_size(const velu_pool2d_desc& d) {
    return d.batch * out_height(d) * out_width(d) * d.channels;
}

/// body(output index, input index, position in the window) for every element of every window that lies in the image.
template <class Body>
void for_windows(const velu_pool2d_desc& d, const Body& body) {
    for (int64_t n = 0; n < d.batch; ++n) {
        for (int64_t oh = 0; oh < out_height(d); ++oh) {
            for (int64_t ow = 0; ow < out_width(d); ++ow) {
                for (int32_t kh = 0; kh < d.kernel_height; ++kh) {
                    for (int32_t kw = 0; kw < d.kernel_width; ++kw) {
                        const int64_t h = oh * d.stride_height - d.padding_height + kh;
                        const int64_t w = ow * d.stride_width - d.padding_width + kw;
                        if (h < 0 || h >= d.in_height || w < 0 || w >= d.in_width) continue;
                        for (int64_t c = 0; c < d.channels; ++c) {
                            body(((n * out_height(d) + oh) * out_width(d) + ow) * d.channels + c,
                                 ((n * d.in_height + h) * d.in_width + w) * d.channels + c, kh * d.kernel_width + kw);
                        }
                    }
                }
            }
        }
    }
}

/// body(context, shape) for every shape, instruction set and one to three threads.
template <class Body>
void everywhere(const Body& body) {
    for (int32_t isa = VELU_ISA_BASELINE; isa <= VELU_ISA_AVX512; ++isa) {
        if (!Context::supported(isa)) continue;
        for (int32_t threads = 1; threads <= check::most_threads(); ++threads) {
            Context context(threads, isa);
            for (const Shape& shape : kShapes) body(context, shape);
        }
    }
}

}  // namespace

int main() {
    check::test("maxPoolTakesTheFirstMaximumOfEachWindow", [] {
        everywhere([](velu_context* context, const Shape& shape) {
            const velu_pool2d_desc desc = pool(shape);
            Guarded<float> x(in_size(desc), 4), y(out_size(desc), 8), inference(out_size(desc));
            Guarded<uint8_t> argmax(out_size(desc), 1);
            x.fill_uniform(1, -8, 0);                                      // below zero, so that zero padding would win
            for (int64_t i = 0; i < x.size; ++i) x[i] = std::floor(x[i]);  // many ties
            std::vector<float> best(static_cast<size_t>(y.size), -INFINITY);
            std::vector<int32_t> position(best.size(), -1);
            for_windows(desc, [&](int64_t out, int64_t in, int32_t here) {
                const size_t o = static_cast<size_t>(out);
                if (position[o] < 0 || x[in] > best[o]) {
                    best[o] = x[in];
                    position[o] = here;
                }
            });
            CHECK_SUCCESS(context, velu_max_pool2d_forward(context, &desc, x, y, argmax));
            CHECK_SUCCESS(context, velu_max_pool2d_forward(context, &desc, x, inference, nullptr));
            for (int64_t i = 0; i < y.size; ++i) {
                CHECK_EQUAL(y[i], best[static_cast<size_t>(i)]);
                CHECK_EQUAL(inference[i], y[i]);
                CHECK_EQUAL(int32_t{argmax[i]}, position[static_cast<size_t>(i)]);
            }
        });
    });

    check::test("maxPoolGradientGoesToTheChosenElements", [] {
        everywhere([](velu_context* context, const Shape& shape) {
            const velu_pool2d_desc desc = pool(shape);
            Guarded<float> x(in_size(desc)), y(out_size(desc)), dy(out_size(desc), 4), dx(in_size(desc), 8);
            Guarded<uint8_t> argmax(out_size(desc), 1);
            x.fill_uniform(2);
            dy.fill_uniform(3);
            std::vector<double> expected(static_cast<size_t>(x.size));
            CHECK_SUCCESS(context, velu_max_pool2d_forward(context, &desc, x, y, argmax));
            CHECK_SUCCESS(context, velu_max_pool2d_backward(context, &desc, dy, argmax, dx));
            for_windows(desc, [&](int64_t out, int64_t in, int32_t here) {
                if (argmax[out] == here) expected[static_cast<size_t>(in)] += dy[out];
            });
            for (int64_t i = 0; i < x.size; ++i) CHECK_NEAR(dx[i], expected[static_cast<size_t>(i)], 4e-6);
        });
    });

    check::test("maxPoolOfMinusInfinityPointsIntoTheImage", [] {
        Context context;
        const velu_pool2d_desc desc = pool({1, 4, 4, 33, 3, 3, 2, 2, 1, 1});
        Guarded<float> x(in_size(desc)), y(out_size(desc));
        Guarded<uint8_t> argmax(out_size(desc));
        for (int64_t i = 0; i < x.size; ++i) x[i] = -INFINITY;
        CHECK_SUCCESS(context, velu_max_pool2d_forward(context, &desc, x, y, argmax));
        for (int64_t i = 0; i < y.size; ++i) {
            CHECK_EQUAL(y[i], -INFINITY);
            const int64_t pixel = i / desc.channels;
            CHECK_EQUAL(int{argmax[i]}, (pixel / 2 == 0 ? 3 : 0) + (pixel % 2 == 0 ? 1 : 0));
        }
    });

    check::test("maxPoolLetsTheFirstNanWin", [] {
        for (int32_t isa = VELU_ISA_BASELINE; isa <= VELU_ISA_AVX512; ++isa) {
            if (!Context::supported(isa)) continue;
            Context context(1, isa);
            const velu_pool2d_desc desc = pool({1, 2, 2, 33, 2, 2, 2, 2, 0, 0});
            Guarded<float> x(in_size(desc)), y(out_size(desc));
            Guarded<uint8_t> argmax(out_size(desc));
            x.fill_uniform(4);
            for (int64_t c = 0; c < 33; ++c) {
                x[33 * 1 + c] = NAN;
                x[33 * 2 + c] = c % 2 == 0 ? NAN : INFINITY;
            }
            CHECK_SUCCESS(context, velu_max_pool2d_forward(context, &desc, x, y, argmax));
            for (int64_t c = 0; c < 33; ++c) {
                CHECK(std::isnan(y[c]));
                CHECK_EQUAL(int{argmax[c]}, 1);
            }
        }
    });

    check::test("averagePoolMatchesFloat64WithBothDivisors", [] {
        for (const int32_t count_include_pad : {0, 1}) {
            everywhere([=](velu_context* context, const Shape& shape) {
                const velu_pool2d_desc desc = pool(shape, count_include_pad);
                Guarded<float> x(in_size(desc), 4), y(out_size(desc), 8);
                Guarded<float> dy(out_size(desc), 4), dx(in_size(desc), 8);
                x.fill_uniform(5);
                dy.fill_uniform(6);
                std::vector<double> sum(static_cast<size_t>(y.size)), divisor(sum.size());
                std::vector<double> gradient(static_cast<size_t>(x.size));
                for_windows(desc, [&](int64_t out, int64_t in, int32_t) {
                    sum[static_cast<size_t>(out)] += x[in];
                    divisor[static_cast<size_t>(out)] += 1;
                });
                if (count_include_pad == 1) divisor.assign(sum.size(), desc.kernel_height * desc.kernel_width);
                for_windows(desc, [&](int64_t out, int64_t in, int32_t) {
                    gradient[static_cast<size_t>(in)] += dy[out] / divisor[static_cast<size_t>(out)];
                });
                CHECK_SUCCESS(context, velu_avg_pool2d_forward(context, &desc, x, y));
                CHECK_SUCCESS(context, velu_avg_pool2d_backward(context, &desc, dy, dx));
                for (int64_t i = 0; i < y.size; ++i) {
                    CHECK_NEAR(y[i], sum[static_cast<size_t>(i)] / divisor[static_cast<size_t>(i)], 3e-7);
                }
                for (int64_t i = 0; i < x.size; ++i) CHECK_NEAR(dx[i], gradient[static_cast<size_t>(i)], 1e-6);
            });
        }
    });

    check::test("pixelsOfTheResultMayLieFurtherApartThanTheirChannels", [] {
        everywhere([](velu_context* context, const Shape& shape) {
            for (const int64_t rest : {1, 64}) {
                const velu_pool2d_desc desc = pool(shape);
                velu_pool2d_desc apart = desc;
                apart.y_pitch = desc.channels + rest;
                const int64_t pitched_size = out_size(desc) / desc.channels * apart.y_pitch - rest;
                const auto place = [&](int64_t i) { return i / desc.channels * apart.y_pitch + i % desc.channels; };
                Guarded<float> x(in_size(desc)), dy(out_size(desc)), pitched_dy(pitched_size);
                Guarded<float> y(out_size(desc)), dx(in_size(desc)), pitched_y(pitched_size), pitched_dx(in_size(desc));
                Guarded<float> mean(out_size(desc)), dmean(in_size(desc)), pitched_mean(pitched_size);
                Guarded<float> pitched_dmean(in_size(desc));
                Guarded<uint8_t> argmax(out_size(desc)), pitched_argmax(out_size(desc));
                x.fill_uniform(9);
                dy.fill_uniform(10);
                for (int64_t i = 0; i < dy.size; ++i) pitched_dy[place(i)] = dy[i];
                CHECK_SUCCESS(context, velu_max_pool2d_forward(context, &desc, x, y, argmax));
                CHECK_SUCCESS(context, velu_max_pool2d_forward(context, &apart, x, pitched_y, pitched_argmax));
                CHECK_SUCCESS(context, velu_max_pool2d_backward(context, &desc, dy, argmax, dx));
                CHECK_SUCCESS(context,
                              velu_max_pool2d_backward(context, &apart, pitched_dy, pitched_argmax, pitched_dx));
                CHECK_SUCCESS(context, velu_avg_pool2d_forward(context, &desc, x, mean));
                CHECK_SUCCESS(context, velu_avg_pool2d_forward(context, &apart, x, pitched_mean));
                CHECK_SUCCESS(context, velu_avg_pool2d_backward(context, &desc, dy, dmean));
                CHECK_SUCCESS(context, velu_avg_pool2d_backward(context, &apart, pitched_dy, pitched_dmean));
                for (int64_t i = 0; i < y.size; ++i) {
                    CHECK_EQUAL(pitched_y[place(i)], y[i]);
                    CHECK_EQUAL(pitched_mean[place(i)], mean[i]);
                }
                CHECK_EQUAL(std::memcmp(pitched_argmax, argmax, argmax.bytes), 0);
                CHECK_EQUAL(std::memcmp(pitched_dx, dx, dx.bytes), 0);
                CHECK_EQUAL(std::memcmp(pitched_dmean, dmean, dx.bytes), 0);
                for (int64_t i = 0; i < pitched_size; ++i) {
                    if (i % apart.y_pitch < desc.channels) continue;
                    CHECK_EQUAL(std::memcmp(pitched_y.data + i, "\xA5\xA5\xA5\xA5", 4), 0);
                    CHECK_EQUAL(std::memcmp(pitched_mean.data + i, "\xA5\xA5\xA5\xA5", 4), 0);
                }
            }
        });
    });

    check::test("globalAveragePoolMatchesFloat64", [] {
        for (int32_t isa = VELU_ISA_BASELINE; isa <= VELU_ISA_AVX512; ++isa) {
            if (!Context::supported(isa)) continue;
            for (int32_t threads = 1; threads <= check::most_threads(); ++threads) {
                Context context(threads, isa);
                for (const int64_t channels : {1, 31, 33, 257, 600}) {
                    for (const int64_t pixels : {1, 16, 49, 1000}) {
                        const int64_t batch = 3;
                        const velu_global_avg_pool_desc desc{check::device(), VELU_DTYPE_F32, batch, pixels, channels};
                        Guarded<float> x(batch * pixels * channels, 4), y(batch * channels, 8);
                        Guarded<float> dy(batch * channels, 4), dx(batch * pixels * channels, 8);
                        x.fill_uniform(7, 0, 2);
                        dy.fill_uniform(8);
                        CHECK_SUCCESS(context, velu_global_avg_pool_forward(context, &desc, x, y));
                        CHECK_SUCCESS(context, velu_global_avg_pool_backward(context, &desc, dy, dx));
                        for (int64_t n = 0; n < batch; ++n) {
                            for (int64_t c = 0; c < channels; ++c) {
                                double sum = 0;
                                for (int64_t p = 0; p < pixels; ++p) {
                                    sum += x[(n * pixels + p) * channels + c];
                                    CHECK_EQUAL(dx[(n * pixels + p) * channels + c],
                                                dy[n * channels + c] / static_cast<float>(pixels));
                                }
                                CHECK_NEAR(y[n * channels + c], sum / static_cast<double>(pixels), 3e-7);
                            }
                        }
                    }
                }
            }
        }
    });

    check::test("meanOfALargeImageStaysAccurate", [] {
        Context context;
        const int64_t pixels = 1 << 20;
        const velu_global_avg_pool_desc desc{check::device(), VELU_DTYPE_F32, 1, pixels, 3};
        const std::vector<float> x(static_cast<size_t>(pixels * 3), 0.1f);
        float y[3];
        CHECK_SUCCESS(context, velu_global_avg_pool_forward(context, &desc, x.data(), y));
        for (const float value : y) CHECK_NEAR(value, 0.1f, 1e-7);
    });
    return check::report();
}
