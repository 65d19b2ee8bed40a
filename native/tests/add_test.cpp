// velu_add against the sum itself.
#include "check.h"

using check::Context;
using check::Guarded;

namespace {

constexpr int64_t kCounts[] = {1, 31, 33, 257, 16384 * 2 + 5};

}  // namespace

int main() {
    check::test("sumIsExactForEveryInstructionSetAndThreadCount", [] {
        for (int32_t isa = VELU_ISA_BASELINE; isa <= VELU_ISA_AVX512; ++isa) {
            if (!Context::supported(isa)) continue;
            for (int32_t threads = 1; threads <= check::most_threads(); ++threads) {
                Context context(threads, isa);
                for (const int64_t count : kCounts) {
                    Guarded<float> a(count, 4), b(count), y(count, 8);
                    a.fill_uniform(1, -10, 10);
                    b.fill_uniform(2, -10, 10);
                    const velu_add_desc desc{check::device(), VELU_DTYPE_F32, count};
                    CHECK_SUCCESS(context, velu_add_forward(context, &desc, a, b, y));
                    for (int64_t i = 0; i < count; ++i) CHECK_EQUAL(y[i], a[i] + b[i]);
                }
            }
        }
    });

    check::test("outputMayBeEitherInput", [] {
        Context context(2);
        for (const bool second : {false, true}) {
            Guarded<float> a(257), b(257);
            a.fill_uniform(3);
            b.fill_uniform(4);
            float expected[257];
            for (int i = 0; i < 257; ++i) expected[i] = a[i] + b[i];
            float* y = second ? b.data : a.data;
            const velu_add_desc desc{check::device(), VELU_DTYPE_F32, 257};
            CHECK_SUCCESS(context, velu_add_forward(context, &desc, a, b, y));
            for (int i = 0; i < 257; ++i) CHECK_EQUAL(y[i], expected[i]);
        }
    });
    return check::report();
}
