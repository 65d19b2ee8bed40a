// velu_copy_rows against its definition, bit for bit.
#include "check.h"

using check::Context;
using check::Guarded;

namespace {

struct Size {
    int64_t rows, channels, x_pitch, y_pitch;
};

// Dense on both sides, one of them apart, both apart, single channels and rows, and rows larger than a cache's pages.
constexpr Size kSizes[] = {{1, 1, 1, 1},          {7, 3, 3, 3},      {70, 5, 5, 8},           {70, 5, 9, 5},
                           {33, 32, 96, 64},      {5, 1, 4, 3},      {1, 31, 40, 33},         {300, 17, 18, 257},
                           {3, 5000, 5001, 9000}, {400, 64, 64, 64}, {2, 20000, 20000, 20003}};

/// Any bits, NaNs with a payload among them: nothing may touch them.
template <class Word>
Word pattern(int64_t i) {
    return static_cast<Word>(static_cast<uint32_t>(i) * 2654435761u >> 3);
}

template <class Word>
void check_definition(int32_t dtype) {
    constexpr auto kUntouched = static_cast<Word>(0xA5A5A5A5u);
    for (int32_t threads = 1; threads <= check::most_threads(); ++threads) {
        Context context(threads);
        for (const Size& size : kSizes) {
            for (const int32_t zero_rest : {0, 1}) {
                const velu_copy_rows_desc desc{check::device(), dtype,        size.rows, size.channels,
                                               size.x_pitch,    size.y_pitch, zero_rest, 0};
                const int64_t last_row = zero_rest == 1 ? size.y_pitch : size.channels;
                Guarded<Word> x((size.rows - 1) * size.x_pitch + size.channels, sizeof(Word));
                Guarded<Word> y((size.rows - 1) * size.y_pitch + last_row, 3 * sizeof(Word));
                for (int64_t i = 0; i < x.size; ++i) x[i] = pattern<Word>(i);
                CHECK_SUCCESS(context, velu_copy_rows_forward(context, &desc, x, y));
                for (int64_t i = 0; i < y.size; ++i) {
                    const int64_t row = i / size.y_pitch, channel = i % size.y_pitch;
                    const Word rest = zero_rest == 1 ? Word{0} : kUntouched;
                    CHECK_EQUAL(y[i], channel < size.channels ? x[row * size.x_pitch + channel] : rest);
                }
            }
        }
    }
}

velu_status copy(velu_context* context, const Size& size, int32_t zero_rest, const void* x, void* y) {
    const velu_copy_rows_desc desc{check::device(), VELU_DTYPE_F32, size.rows, size.channels,
                                   size.x_pitch,    size.y_pitch,   zero_rest, 0};
    return velu_copy_rows_forward(context, &desc, x, y);
}

}  // namespace

int main() {
    check::test("everyElementOf4BytesFindsItsPlaceAndNothingElseIsWritten",
                [] { check_definition<uint32_t>(VELU_DTYPE_F32); });
    check::test("everyElementOf2BytesFindsItsPlaceAndNothingElseIsWritten",
                [] { check_definition<uint16_t>(VELU_DTYPE_BF16); });

    check::test("twoCopiesPutChannelsBesideEachOther", [] {
        Context context(2);
        Guarded<float> a(6 * 2), b(6 * 3), joined(6 * 5);
        a.fill_uniform(1);
        b.fill_uniform(2);
        CHECK_SUCCESS(context, copy(context, {6, 2, 2, 5}, 0, a, joined));
        const velu_copy_rows_desc second{check::device(), VELU_DTYPE_F32, 6, 3, 3, 5, 0, 0};
        CHECK_SUCCESS(context, velu_copy_rows_forward(context, &second, b, joined.data + 2));
        for (int64_t i = 0; i < joined.size; ++i) {
            CHECK_EQUAL(joined[i], i % 5 < 2 ? a[i / 5 * 2 + i % 5] : b[i / 5 * 3 + i % 5 - 2]);
        }
    });

    check::test("aPitchBelowTheChannelsIsRejected", [] {
        Context context;
        Guarded<float> x(64), y(64);
        CHECK_EQUAL(copy(context, {2, 4, 3, 4}, 0, x, y), VELU_STATUS_INVALID_ARGUMENT);
        CHECK_EQUAL(copy(context, {2, 4, 4, 3}, 0, x, y), VELU_STATUS_INVALID_ARGUMENT);
        CHECK_EQUAL(copy(context, {2, 4, 4, 4}, 2, x, y), VELU_STATUS_INVALID_ARGUMENT);
        CHECK_SUCCESS(context, copy(context, {0, 4, 4, 4}, 1, nullptr, nullptr));
    });
    return check::report();
}
