// velu_adaptive_avg_pool2d against the definition of its windows in float64.
#include <vector>

#include "check.h"
#include "reference_sum.h"

using check::Context;
using check::Guarded;

namespace {

struct Shape {
    int64_t batch, in_height, in_width, channels, out_height, out_width;
};

// AlexNet's and VGG's for images of several sizes: windows that divide, that overlap, that repeat, of one pixel, of
// all.
constexpr Shape kShapes[] = {{2, 6, 6, 64, 6, 6},  {2, 7, 7, 33, 7, 7},  {1, 13, 9, 16, 6, 6}, {2, 3, 5, 31, 7, 7},
                             {3, 1, 1, 65, 7, 7},  {1, 12, 14, 4, 6, 7}, {2, 8, 10, 3, 1, 1},  {1, 5, 9, 257, 4, 2},
                             {1, 1, 33, 8, 1, 10}, {2, 10, 11, 1, 3, 13}};

struct Case {
    explicit Case(const Shape& s)
        : desc{check::device(), VELU_DTYPE_F32, s.batch,      s.in_height,
               s.in_width,      s.channels,     s.out_height, s.out_width},
          x(s.batch * s.in_height * s.in_width * s.channels, 4),
          dx(x.size, 8),
          y(s.batch * s.out_height * s.out_width * s.channels, 12),
          dy(y.size, 4) {
        x.fill_uniform(1);
        dy.fill_uniform(2);
    }

    velu_adaptive_avg_pool2d_desc desc;
    Guarded<float> x, dx, y, dy;
};

struct Window {
    int64_t first, last;
    int64_t size() const { return last - first + 1; }
};

/// The inputs of output i of an axis, by the formula of torch's documentation in real numbers.
Window window(int64_t i, int64_t in, int64_t out) {
    const auto ratio = [&](int64_t numerator) {
        return static_cast<long double>(numerator) / static_cast<double>(out);
    };
    return {static_cast<int64_t>(std::floor(ratio(i * in))), static_cast<int64_t>(std::ceil(ratio((i + 1) * in))) - 1};
}

/// body(y index, x index, elements of the window) for every element of every window.
template <class Body>
void for_windows(const velu_adaptive_avg_pool2d_desc& d, const Body& body) {
    for (int64_t n = 0; n < d.batch; ++n) {
        for (int64_t i = 0; i < d.out_height; ++i) {
            for (int64_t j = 0; j < d.out_width; ++j) {
                const Window rows = window(i, d.in_height, d.out_height);
                const Window columns = window(j, d.in_width, d.out_width);
                for (int64_t h = rows.first; h <= rows.last; ++h) {
                    for (int64_t w = columns.first; w <= columns.last; ++w) {
                        for (int64_t c = 0; c < d.channels; ++c) {
                            body(((n * d.out_height + i) * d.out_width + j) * d.channels + c,
                                 ((n * d.in_height + h) * d.in_width + w) * d.channels + c,
                                 static_cast<double>(rows.size() * columns.size()));
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

using Sums = std::vector<ReferenceSum>;

void near(const Guarded<float>& actual, const Sums& expected) {
    for (int64_t i = 0; i < actual.size; ++i) {
        const ReferenceSum& sum = expected[static_cast<size_t>(i)];
        CHECK_NEAR(actual[i], sum.value, 2 * sum.tolerance());  // 2: the division rounds, too
    }
}

}  // namespace

int main() {
    check::test("everyOutputIsTheMeanOfItsWindow", [] {
        everywhere([](velu_context* context, const Shape& shape) {
            Case c(shape);
            Sums expected(static_cast<size_t>(c.y.size));
            for_windows(c.desc, [&](int64_t out, int64_t in, double elements) {
                expected[static_cast<size_t>(out)].add(static_cast<double>(c.x[in]) / elements);
            });
            CHECK_SUCCESS(context, velu_adaptive_avg_pool2d_forward(context, &c.desc, c.x, c.y));
            near(c.y, expected);
        });
    });

    check::test("everyInputGetsItsShareOfTheWindowsThatCoverIt", [] {
        everywhere([](velu_context* context, const Shape& shape) {
            Case c(shape);
            Sums expected(static_cast<size_t>(c.x.size));
            for_windows(c.desc, [&](int64_t out, int64_t in, double elements) {
                expected[static_cast<size_t>(in)].add(static_cast<double>(c.dy[out]) / elements);
            });
            CHECK_SUCCESS(context, velu_adaptive_avg_pool2d_backward(context, &c.desc, c.dy, c.dx));
            near(c.dx, expected);
        });
    });

    check::test("theSameSizeIsTheIdentity", [] {
        Context context;
        Case c({2, 7, 5, 19, 7, 5});
        CHECK_SUCCESS(context, velu_adaptive_avg_pool2d_forward(context, &c.desc, c.x, c.y));
        CHECK_SUCCESS(context, velu_adaptive_avg_pool2d_backward(context, &c.desc, c.dy, c.dx));
        CHECK_EQUAL(std::memcmp(c.y, c.x, c.x.bytes), 0);
        CHECK_EQUAL(std::memcmp(c.dx, c.dy, c.dy.bytes), 0);
    });
    return check::report();
}
