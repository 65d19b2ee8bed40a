// velu_cast against the definition of bfloat16, bit for bit.
#include "check.h"

using check::Context;
using check::Guarded;

namespace {

constexpr int64_t kCounts[] = {1, 7, 8, 31, 33, 257, 16384 * 2 + 5};

velu_cast_desc cast(int64_t count, int32_t source_dtype, int32_t dtype) {
    return {check::device(), dtype, count, source_dtype, 0};
}

bool is_nan(uint32_t bits) {
    return (bits & 0x7FFFFFFFu) > 0x7F800000u;
}

/// Value of a bfloat16's bits, where infinity stands for the number after the largest one.
double value_of(uint32_t bits) {
    if ((bits & 0x7FFFu) == 0x7F80u) return (bits & 0x8000u) != 0 ? -0x1p128 : 0x1p128;
    const uint32_t all = bits << 16;
    float value;
    std::memcpy(&value, &all, sizeof value);
    return static_cast<double>(value);
}

/// The nearest of the two bfloat16 that enclose a finite float, the one with an even last bit if both are.
uint32_t nearest(uint32_t bits) {
    float value;
    std::memcpy(&value, &bits, sizeof value);
    const uint32_t toward_zero = bits >> 16;
    const double below = std::fabs(static_cast<double>(value) - value_of(toward_zero));
    const double above = std::fabs(value_of(toward_zero + 1) - static_cast<double>(value));
    if (below == above) return toward_zero + (toward_zero & 1u);
    return below < above ? toward_zero : toward_zero + 1;
}

}  // namespace

int main() {
    check::test("everyBfloat16BecomesItsFloat", [] {
        Context context(2);
        Guarded<uint16_t> x(65536);
        Guarded<uint32_t> y(65536);
        for (int64_t i = 0; i < 65536; ++i) x[i] = static_cast<uint16_t>(i);
        const velu_cast_desc desc = cast(65536, VELU_DTYPE_BF16, VELU_DTYPE_F32);
        CHECK_SUCCESS(context, velu_cast_forward(context, &desc, x, y));
        for (int64_t i = 0; i < 65536; ++i) {
            const uint32_t expected = static_cast<uint32_t>(i) << 16;
            if (is_nan(expected)) {
                CHECK(is_nan(y[i]));
            } else {
                CHECK_EQUAL(y[i], expected);
            }
        }
    });

    check::test("floatsRoundToTheNearestBfloat16AndTiesToEven", [] {
        Context context(2);
        constexpr uint32_t kLow[] = {0, 1, 0x7FFF, 0x8000, 0x8001, 0xFFFF};
        constexpr int64_t kCount = 65536 * 6;
        Guarded<uint32_t> x(kCount);
        Guarded<uint16_t> y(kCount);
        for (int64_t i = 0; i < kCount; ++i) x[i] = static_cast<uint32_t>(i / 6) << 16 | kLow[i % 6];
        const velu_cast_desc desc = cast(kCount, VELU_DTYPE_F32, VELU_DTYPE_BF16);
        CHECK_SUCCESS(context, velu_cast_forward(context, &desc, x, y));
        for (int64_t i = 0; i < kCount; ++i) {
            if (is_nan(x[i])) {
                CHECK(is_nan(static_cast<uint32_t>(y[i]) << 16));
            } else if ((x[i] & 0x7FFFFFFFu) == 0x7F800000u) {
                CHECK_EQUAL(uint32_t{y[i]}, x[i] >> 16);
            } else {
                CHECK_EQUAL(uint32_t{y[i]}, nearest(x[i]));
            }
        }
    });

    check::test("everyCountAlignmentAndThreadCountGivesTheSameBits", [] {
        for (int32_t threads = 1; threads <= check::most_threads(); ++threads) {
            Context context(threads);
            for (const int64_t count : kCounts) {
                for (const size_t misalign : {0, 4}) {
                    Guarded<float> x(count, misalign), back(count, misalign);
                    Guarded<uint16_t> y(count, misalign / 2);
                    x.fill_uniform(7, -100, 100);
                    const velu_cast_desc there = cast(count, VELU_DTYPE_F32, VELU_DTYPE_BF16);
                    CHECK_SUCCESS(context, velu_cast_forward(context, &there, x, y));
                    const velu_cast_desc and_back = cast(count, VELU_DTYPE_BF16, VELU_DTYPE_F32);
                    CHECK_SUCCESS(context, velu_cast_forward(context, &and_back, y, back));
                    for (int64_t i = 0; i < count; ++i) {
                        uint32_t bits;
                        std::memcpy(&bits, &x[i], sizeof bits);
                        CHECK_EQUAL(uint32_t{y[i]}, nearest(bits));
                        CHECK_EQUAL(static_cast<double>(back[i]), value_of(y[i]));
                    }
                }
            }
        }
    });

    check::test("equalTypesCopyEveryBit", [] {
        Context context(2);
        Guarded<uint16_t> x(40001), y(40001);
        for (int64_t i = 0; i < 40001; ++i) x[i] = static_cast<uint16_t>(i * 40503);
        const velu_cast_desc halves = cast(40001, VELU_DTYPE_BF16, VELU_DTYPE_BF16);
        CHECK_SUCCESS(context, velu_cast_forward(context, &halves, x, y));
        for (int64_t i = 0; i < 40001; ++i) CHECK_EQUAL(y[i], x[i]);

        Guarded<uint32_t> wide_x(40001), wide_y(40001);
        for (int64_t i = 0; i < 40001; ++i) wide_x[i] = static_cast<uint32_t>(i) * 2654435761u;
        const velu_cast_desc floats = cast(40001, VELU_DTYPE_F32, VELU_DTYPE_F32);
        CHECK_SUCCESS(context, velu_cast_forward(context, &floats, wide_x, wide_y));
        for (int64_t i = 0; i < 40001; ++i) CHECK_EQUAL(wide_y[i], wide_x[i]);
    });

    check::test("unknownSourceTypeIsRejectedByName", [] {
        Context context;
        Guarded<float> x(1), y(1);
        const velu_cast_desc desc = cast(1, 9, VELU_DTYPE_F32);
        CHECK_EQUAL(velu_cast_forward(context, &desc, x, y), velu_status{VELU_STATUS_INVALID_ARGUMENT});
        CHECK(std::string(velu_context_last_error(context)).find("source_dtype is 9") != std::string::npos);
    });
    return check::report();
}
