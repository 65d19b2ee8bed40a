// velu_normalize_image against its formula, with the same bits.
#include <vector>

#include "check.h"

using check::Context;
using check::Guarded;

namespace {

constexpr float kMean[4] = {0.485f, 0.456f, 0.406f, 0.5f};
constexpr float kStd[4] = {0.229f, 0.224f, 0.225f, 0.25f};

velu_normalize_image_desc image(int64_t batch, int64_t height, int64_t width, int64_t channels, int64_t out_height,
                                int64_t out_width) {
    velu_normalize_image_desc desc{check::device(), VELU_DTYPE_F32, batch,     height, width,
                                   channels,        out_height,     out_width, {},     {}};
    for (int64_t c = 0; c < channels; ++c) {
        desc.mean[c] = kMean[c];
        desc.std[c] = kStd[c];
    }
    return desc;
}

float normalized(int value, int64_t c) {
    return (static_cast<float>(value) / 255.0f - kMean[c]) / kStd[c];
}

void fill_bytes(Guarded<uint8_t>& x, int64_t channels) {
    for (int64_t i = 0; i < x.size; ++i) x[i] = static_cast<uint8_t>(i / channels * 7 + i);
}

/// Runs the operation and compares every element with the definition. placement: {top, left, mirrored} per image, or
/// empty for NULL. misalign: bytes by which the output misses 64-byte alignment.
void check_placement(velu_context* context, const velu_normalize_image_desc& desc,
                     const std::vector<int32_t>& placement, size_t misalign) {
    const int64_t channels = desc.channels;
    Guarded<uint8_t> x(desc.batch * desc.height * desc.width * channels, 1);
    Guarded<int32_t> places(desc.batch * 3);
    Guarded<float> y(desc.batch * desc.out_height * desc.out_width * channels, misalign);
    fill_bytes(x, channels);
    for (size_t i = 0; i < placement.size(); ++i) places[static_cast<int64_t>(i)] = placement[i];
    CHECK_SUCCESS(context,
                  velu_normalize_image_forward(context, &desc, x, placement.empty() ? nullptr : places.data, y));
    for (int64_t n = 0; n < desc.batch; ++n) {
        const int32_t* place = placement.empty() ? nullptr : &placement[static_cast<size_t>(n) * 3];
        const int64_t top = place == nullptr ? 0 : place[0], left = place == nullptr ? 0 : place[1];
        const bool mirrored = place != nullptr && place[2] != 0;
        for (int64_t i = 0; i < desc.out_height; ++i) {
            for (int64_t j = 0; j < desc.out_width; ++j) {
                const int64_t row = top + i, column = left + (mirrored ? desc.out_width - 1 - j : j);
                const bool inside = row >= 0 && row < desc.height && column >= 0 && column < desc.width;
                for (int64_t c = 0; c < channels; ++c) {
                    const int value = inside ? x[((n * desc.height + row) * desc.width + column) * channels + c] : 0;
                    CHECK_EQUAL(y[((n * desc.out_height + i) * desc.out_width + j) * channels + c],
                                normalized(value, c));
                }
            }
        }
    }
}

}  // namespace

int main() {
    check::test("everyByteOfEveryChannelMatchesTheFormula", [] {
        for (int32_t threads = 1; threads <= check::most_threads(); ++threads) {
            Context context(threads);
            for (int64_t channels = 1; channels <= 4; ++channels) {
                const int64_t pixels = 3 * 113 * 127;
                const velu_normalize_image_desc desc = image(3, 113, 127, channels, 113, 127);
                Guarded<uint8_t> x(pixels * channels, 1);
                Guarded<float> y(pixels * channels, 4);
                fill_bytes(x, channels);
                CHECK_SUCCESS(context, velu_normalize_image_forward(context, &desc, x, nullptr, y));
                for (int64_t i = 0; i < pixels * channels; ++i) {
                    const int64_t c = i % channels;
                    const double expected = (x[i] / 255.0 - kMean[c]) / kStd[c];
                    CHECK_NEAR(y[i], expected, 4e-7 * (1 + std::fabs(expected)));
                    CHECK_EQUAL(y[i], normalized(x[i], c));
                }
            }
        }
    });

    check::test("imagesAreCroppedPaddedAndMirroredByTheirPlacement", [] {
        for (int32_t threads = 1; threads <= check::most_threads(); ++threads) {
            Context context(threads);
            for (int64_t channels = 1; channels <= 4; ++channels) {
                const size_t misalign = channels == 4 ? 4 : 0;
                // Crops, mirrored or not; then images that stick out on every side, and ones wholly outside.
                check_placement(context, image(3, 13, 17, channels, 8, 12), {0, 0, 0, 5, 5, 1, 2, 3, -1}, misalign);
                check_placement(context, image(4, 9, 7, channels, 9, 8), {-3, -2, 0, 4, 3, 1, -2, 4, 1, 3, -5, 0},
                                misalign);
                check_placement(context, image(4, 5, 6, channels, 4, 5), {5, 0, 0, 0, 6, 1, -4, 0, 0, 0, -5, 1},
                                misalign);
                check_placement(context, image(2, 32, 32, channels, 32, 32), {-4, 4, 1, 0, 0, 0}, misalign);
            }
        }
    });

    check::test("withoutPlacementTheImageLiesInTheUpperLeftCorner", [] {
        Context context(2);
        for (int64_t channels = 1; channels <= 4; ++channels) {
            check_placement(context, image(2, 9, 11, channels, 6, 5), {}, 0);
            check_placement(context, image(2, 9, 11, channels, 12, 16), {}, 0);
            check_placement(context, image(2, 9, 11, channels, 9, 16), {}, 0);
        }
    });

    check::test("anyPlacementIsAllowedHoweverFarOutside", [] {
        Context context;
        check_placement(
            context, image(4, 5, 5, 3, 4, 4),
            {INT32_MIN, INT32_MIN, 0, INT32_MAX, INT32_MAX, 1, 0, INT32_MIN, INT32_MAX, INT32_MAX, 0, INT32_MIN}, 0);
    });

    check::test("anImageWithoutPixelsIsBlack", [] {
        Context context;
        const velu_normalize_image_desc desc = image(2, 0, 5, 3, 2, 4);
        Guarded<float> y(2 * 2 * 4 * 3);
        CHECK_SUCCESS(context, velu_normalize_image_forward(context, &desc, nullptr, nullptr, y));
        for (int64_t i = 0; i < y.size; ++i) CHECK_EQUAL(y[i], normalized(0, i % 3));
    });
    return check::report();
}
