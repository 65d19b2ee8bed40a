// velu_channel_scale against plain loops in float64.
#include <vector>

#include "check.h"
#include "reference_sum.h"

using check::Context;
using check::Guarded;

namespace {

struct Shape {
    int64_t batch, pixels, channels;
};

// Channels around the vector widths and wider than a task, images of one pixel and of several parts.
constexpr Shape kShapes[] = {{1, 1, 1},   {2, 49, 33},  {3, 5, 257}, {2, 700, 8},
                             {1, 513, 3}, {2, 9, 1000}, {4, 1, 64},  {1, 12544, 16}};

velu_channel_scale_desc describe(const Shape& s) {
    return {check::device(), VELU_DTYPE_F32, s.batch, s.pixels, s.channels};
}

struct Case {
    explicit Case(const Shape& s)
        : desc(describe(s)),
          size(s.batch * s.pixels * s.channels),
          x(size, 4),
          dy(size, 8),
          y(size, 12),
          dx(size, 4),
          scale(s.batch * s.channels, 4),
          dscale(s.batch * s.channels, 8) {
        x.fill_uniform(1);
        dy.fill_uniform(2);
        scale.fill_uniform(3, 0, 1);
    }
    int64_t scale_of(int64_t i) const { return i / (desc.pixels * desc.channels) * desc.channels + i % desc.channels; }

    velu_channel_scale_desc desc;
    int64_t size;
    Guarded<float> x, dy, y, dx, scale, dscale;
};

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
    check::test("everyChannelOfAnImageHasItsOwnFactor", [] {
        everywhere([](velu_context* context, const Shape& shape) {
            Case c(shape);
            CHECK_SUCCESS(context, velu_channel_scale_forward(context, &c.desc, c.x, c.scale, c.y));
            for (int64_t i = 0; i < c.size; ++i) CHECK_EQUAL(c.y[i], c.x[i] * c.scale[c.scale_of(i)]);
            CHECK_SUCCESS(context, velu_channel_scale_forward(context, &c.desc, c.x, c.scale, c.x));  // in place
            CHECK_EQUAL(std::memcmp(c.x, c.y, c.y.bytes), 0);
        });
    });

    check::test("gradientsMatchTheDefinition", [] {
        everywhere([](velu_context* context, const Shape& shape) {
            Case c(shape);
            std::vector<ReferenceSum> sums(static_cast<size_t>(c.scale.size));
            for (int64_t i = 0; i < c.size; ++i) {
                sums[static_cast<size_t>(c.scale_of(i))].add(static_cast<double>(c.dy[i]) *
                                                             static_cast<double>(c.x[i]));
            }
            CHECK_SUCCESS(context, velu_channel_scale_backward(context, &c.desc, c.x, c.scale, c.dy, c.dx, c.dscale));
            for (int64_t i = 0; i < c.size; ++i) CHECK_EQUAL(c.dx[i], c.dy[i] * c.scale[c.scale_of(i)]);
            for (int64_t i = 0; i < c.scale.size; ++i) {
                const ReferenceSum& sum = sums[static_cast<size_t>(i)];
                CHECK_NEAR(c.dscale[i], sum.value, sum.tolerance());
            }
        });
    });

    check::test("gradientInPlaceOfDyHasTheSameBits", [] {
        for (const Shape& shape : kShapes) {
            Context context(2);
            Case c(shape);
            Guarded<float> dscale(c.dscale.size);
            CHECK_SUCCESS(context, velu_channel_scale_backward(context, &c.desc, c.x, c.scale, c.dy, c.dx, c.dscale));
            CHECK_SUCCESS(context, velu_channel_scale_backward(context, &c.desc, c.x, c.scale, c.dy, c.dy, dscale));
            CHECK_EQUAL(std::memcmp(c.dy, c.dx, c.dx.bytes), 0);
            CHECK_EQUAL(std::memcmp(dscale, c.dscale, dscale.bytes), 0);
        }
    });

    check::test("sumsDoNotDependOnTheThreadCount", [] {
        for (const Shape& shape : kShapes) {
            Case one(shape), three(shape);
            Context single(1), triple(3);
            CHECK_SUCCESS(single,
                          velu_channel_scale_backward(single, &one.desc, one.x, one.scale, one.dy, one.dx, one.dscale));
            CHECK_SUCCESS(triple, velu_channel_scale_backward(triple, &three.desc, three.x, three.scale, three.dy,
                                                              three.dx, three.dscale));
            CHECK_EQUAL(std::memcmp(one.dscale, three.dscale, one.dscale.bytes), 0);
        }
    });

    check::test("sumOfALargeImageStaysAccurate", [] {
        Context context;
        Case c({1, 1 << 18, 2});
        for (int64_t i = 0; i < c.size; ++i) {
            c.x[i] = 0.1f;
            c.dy[i] = 1.0f;
        }
        CHECK_SUCCESS(context, velu_channel_scale_backward(context, &c.desc, c.x, c.scale, c.dy, c.dx, c.dscale));
        const double expected = static_cast<double>(0.1f) * (1 << 18);
        for (int64_t i = 0; i < 2; ++i) CHECK_NEAR(c.dscale[i], expected, 2e-6 * expected);
    });
    return check::report();
}
