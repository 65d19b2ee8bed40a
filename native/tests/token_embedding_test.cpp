// velu_token_embedding against its definition.
#include <vector>

#include "check.h"
#include "reference_sum.h"

using check::Context;
using check::Guarded;

namespace {

struct Shape {
    int64_t batch, patches, channels;
};

// ViT's channels in part, channels around the vector widths and wider than a task, more images than one partial sum.
constexpr Shape kShapes[] = {{1, 1, 1}, {2, 9, 192}, {3, 4, 33}, {40, 3, 17}, {2, 2, 1500}, {1, 196, 100}};

struct Case {
    explicit Case(const Shape& s)
        : desc{check::device(), VELU_DTYPE_F32, s.batch, s.patches, s.channels},
          x(s.batch * s.patches * s.channels, 4),
          dx(x.size, 8),
          class_token(s.channels, 4),
          dclass_token(s.channels, 8),
          position((s.patches + 1) * s.channels, 4),
          dposition(position.size, 12),
          y(s.batch * position.size, 8),
          dy(y.size, 4) {
        x.fill_uniform(1);
        class_token.fill_uniform(2);
        position.fill_uniform(3);
        dy.fill_uniform(4);
    }

    velu_token_embedding_desc desc;
    Guarded<float> x, dx, class_token, dclass_token, position, dposition, y, dy;
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
    check::test("theClassTokenComesFirstAndEveryTokenHasItsPosition", [] {
        everywhere([](velu_context* context, const Shape& shape) {
            Case c(shape);
            CHECK_SUCCESS(context, velu_token_embedding_forward(context, &c.desc, c.x, c.class_token, c.position, c.y));
            const int64_t channels = shape.channels, size = shape.patches * channels;
            for (int64_t i = 0; i < c.y.size; ++i) {
                const int64_t image = i / (size + channels), at = i % (size + channels);
                const float token = at < channels ? c.class_token[at] : c.x[image * size + at - channels];
                CHECK_EQUAL(c.y[i], token + c.position[at]);
            }
        });
    });

    check::test("gradientsAreSumsOverTheBatch", [] {
        everywhere([](velu_context* context, const Shape& shape) {
            Case c(shape);
            CHECK_SUCCESS(context,
                          velu_token_embedding_backward(context, &c.desc, c.dy, c.dx, c.dclass_token, c.dposition));
            const int64_t channels = shape.channels, size = shape.patches * channels;
            std::vector<ReferenceSum> sums(static_cast<size_t>(size + channels));
            for (int64_t i = 0; i < c.dy.size; ++i) {
                const int64_t image = i / (size + channels), at = i % (size + channels);
                sums[static_cast<size_t>(at)].add(c.dy[i]);
                if (at >= channels) CHECK_EQUAL(c.dx[image * size + at - channels], c.dy[i]);
            }
            for (int64_t i = 0; i < size + channels; ++i) {
                const ReferenceSum& sum = sums[static_cast<size_t>(i)];
                CHECK_NEAR(c.dposition[i], sum.value, sum.tolerance());
                if (i < channels) CHECK_NEAR(c.dclass_token[i], sum.value, sum.tolerance());
            }
        });
    });

    check::test("sumsDoNotDependOnTheThreadCount", [] {
        for (const Shape& shape : kShapes) {
            Case one(shape), three(shape);
            Context single(1), triple(3);
            CHECK_SUCCESS(single, velu_token_embedding_backward(single, &one.desc, one.dy, one.dx, one.dclass_token,
                                                                one.dposition));
            CHECK_SUCCESS(triple, velu_token_embedding_backward(triple, &three.desc, three.dy, three.dx,
                                                                three.dclass_token, three.dposition));
            CHECK_EQUAL(std::memcmp(one.dposition, three.dposition, one.dposition.bytes), 0);
        }
    });

    check::test("gradientsOfAnEmptyBatchAreZeros", [] {
        Context context;
        Case c({1, 3, 5});
        c.desc.batch = 0;
        CHECK_SUCCESS(context,
                      velu_token_embedding_backward(context, &c.desc, nullptr, nullptr, c.dclass_token, c.dposition));
        for (int64_t i = 0; i < 5; ++i) CHECK_EQUAL(c.dclass_token[i], 0.0f);
        for (int64_t i = 0; i < 20; ++i) CHECK_EQUAL(c.dposition[i], 0.0f);
        CHECK_SUCCESS(context,
                      velu_token_embedding_forward(context, &c.desc, nullptr, c.class_token, c.position, nullptr));
    });
    return check::report();
}
