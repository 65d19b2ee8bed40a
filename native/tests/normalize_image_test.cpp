// velu_normalize_image against its formula.
#include "check.h"

using check::Context;
using check::Guarded;

namespace {

constexpr float kMean[4] = {0.485f, 0.456f, 0.406f, 0.5f};
constexpr float kStd[4] = {0.229f, 0.224f, 0.225f, 0.25f};

velu_normalize_image_desc image(int64_t batch, int64_t height, int64_t width, int64_t channels) {
    velu_normalize_image_desc desc{VELU_DEVICE_CPU, VELU_DTYPE_F32, batch, height, width, channels, {}, {}};
    for (int64_t c = 0; c < channels; ++c) {
        desc.mean[c] = kMean[c];
        desc.std[c] = kStd[c];
    }
    return desc;
}

}  // namespace

int main() {
    check::test("everyByteOfEveryChannelMatchesTheFormula", [] {
        for (int32_t threads = 1; threads <= 3; ++threads) {
            Context context(threads);
            for (int64_t channels = 1; channels <= 4; ++channels) {
                const int64_t pixels = 3 * 113 * 127;
                const velu_normalize_image_desc desc = image(3, 113, 127, channels);
                Guarded<uint8_t> x(pixels * channels, 1);
                Guarded<float> y(pixels * channels, 4);
                for (int64_t i = 0; i < pixels * channels; ++i) x[i] = static_cast<uint8_t>(i / channels * 7 + i);
                CHECK_SUCCESS(context, velu_normalize_image_forward(context, &desc, x, y));
                for (int64_t i = 0; i < pixels * channels; ++i) {
                    const int64_t c = i % channels;
                    const double expected = (x[i] / 255.0 - kMean[c]) / kStd[c];
                    CHECK_NEAR(y[i], expected, 4e-7 * (1 + std::fabs(expected)));
                    CHECK_EQUAL(y[i], (static_cast<float>(x[i]) / 255.0f - kMean[c]) / kStd[c]);
                }
            }
        }
    });
    return check::report();
}
