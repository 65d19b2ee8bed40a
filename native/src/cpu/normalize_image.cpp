// Bytes of images to normalized float32. A byte has 256 values, so each channel's results are computed once per call,
// and a pixel is a table look-up per channel.
#include <algorithm>

#include "cpu/context.h"
#include "cpu/operations.h"

namespace velu::cpu {
namespace {

constexpr int64_t kMaxChannels = 4;

template <int64_t kChannels>
void normalize(const float (*table)[256], const uint8_t* x, float* y, int64_t pixels) {
    for (int64_t pixel = 0; pixel < pixels; ++pixel) {
        for (int64_t c = 0; c < kChannels; ++c) y[pixel * kChannels + c] = table[c][x[pixel * kChannels + c]];
    }
}

}  // namespace

velu_status normalize_image_forward(DeviceContext* context, const velu_normalize_image_desc* desc, const uint8_t* x,
                                    void* y) {
    return guarded(context, [&]() -> velu_status {
        constexpr int64_t kBlock = 16384;
        const int64_t channels = desc->channels;
        auto kernel = normalize<1>;
        switch (channels) {
            case 1:
                break;
            case 2:
                kernel = normalize<2>;
                break;
            case 3:
                kernel = normalize<3>;
                break;
            case kMaxChannels:
                kernel = normalize<kMaxChannels>;
                break;
            default:
                return context->fail(VELU_STATUS_INVALID_ARGUMENT, "channels is %lld; it must be 1 to 4",
                                     static_cast<long long>(channels));
        }
        float table[kMaxChannels][256];
        for (int64_t c = 0; c < channels; ++c) {
            for (int value = 0; value < 256; ++value) {
                table[c][value] = (static_cast<float>(value) / 255.0f - desc->mean[c]) / desc->std[c];
            }
        }
        const int64_t pixels = desc->batch * desc->height * desc->width;
        auto* output = static_cast<float*>(y);
        parallel_for(cpu(context), (pixels + kBlock - 1) / kBlock, [&](int64_t block) {
            const int64_t first = block * kBlock;
            kernel(table, x + first * channels, output + first * channels, std::min(kBlock, pixels - first));
        });
        return VELU_STATUS_SUCCESS;
    });
}

}  // namespace velu::cpu
