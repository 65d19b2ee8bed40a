// Multiplication of the channels of every image by factors of its own. The gradient of a factor is summed over parts of
// the image's pixels, divided by the shape alone, and the parts are added in order.
#include <algorithm>

#include "cpu/context.h"
#include "cpu/isa/channel_scale_kernels.h"
#include "cpu/operations.h"

namespace velu::cpu {
namespace {

constexpr int64_t kPixelsPerPart = 256;

constexpr int64_t divide_up(int64_t a, int64_t b) {
    return (a + b - 1) / b;
}

}  // namespace

velu_status channel_scale_forward(DeviceContext* context, const velu_channel_scale_desc* desc, const void* x,
                                  const void* scale, void* y) {
    return guarded(context, [&] {
        with_element(desc->dtype, [&]<class T>(T) {
            const ChannelScaleKernels<T>& kernels = channel_scale_kernels(cpu(context).isa).of<T>();
            const auto* from = static_cast<const T*>(x);
            const auto* factors = static_cast<const T*>(scale);
            auto* to = static_cast<T*>(y);
            const int64_t pixels_per_block = std::clamp<int64_t>(16384 / desc->channels, 1, desc->pixels);
            const int64_t blocks = divide_up(desc->pixels, pixels_per_block);
            parallel_for(cpu(context), desc->batch * blocks, [&](int64_t task) {
                const int64_t image = task / blocks;
                const int64_t first = task % blocks * pixels_per_block;
                const int64_t start = (image * desc->pixels + first) * desc->channels;
                kernels.forward(from + start, factors + image * desc->channels, to + start,
                                std::min(pixels_per_block, desc->pixels - first), desc->channels);
            });
        });
        return VELU_STATUS_SUCCESS;
    });
}

velu_status channel_scale_backward(DeviceContext* context, const velu_channel_scale_desc* desc, const void* x,
                                   const void* scale, const void* dy, void* dx, void* dscale) {
    return guarded(context, [&] {
        with_element(desc->dtype, [&]<class T>(T) {
            const ChannelScaleKernels<T>& kernels = channel_scale_kernels(cpu(context).isa).of<T>();
            const auto* from = static_cast<const T*>(x);
            const auto* factors = static_cast<const T*>(scale);
            const auto* upstream = static_cast<const T*>(dy);
            auto* gradient = static_cast<T*>(dx);
            auto* sums = static_cast<T*>(dscale);
            const int64_t channels = desc->channels;
            const int64_t parts = divide_up(desc->pixels, kPixelsPerPart);
            const int64_t groups = divide_up(channels, kChannelScaleChannels);
            auto* partial = static_cast<double*>(
                cpu(context).workspace.reserve(static_cast<size_t>(desc->batch * parts * channels) * sizeof(double)));
            parallel_for(cpu(context), desc->batch * parts * groups, [&](int64_t task) {
                const int64_t part = task / groups;  // of all images
                const int64_t image = part / parts;
                const int64_t pixel = part % parts * kPixelsPerPart;
                const int64_t channel = task % groups * kChannelScaleChannels;
                const int64_t start = (image * desc->pixels + pixel) * channels + channel;
                kernels.backward(from + start, factors + image * channels + channel, upstream + start,
                                 std::min(kPixelsPerPart, desc->pixels - pixel), channels,
                                 std::min(kChannelScaleChannels, channels - channel), gradient + start,
                                 partial + part * channels + channel);
            });
            parallel_for(cpu(context), desc->batch, [&](int64_t image) {
                const double* of_image = partial + image * parts * channels;
                for (int64_t channel = 0; channel < channels; ++channel) {
                    double sum = 0;
                    for (int64_t part = 0; part < parts; ++part) sum += of_image[part * channels + channel];
                    put(static_cast<float>(sum), sums + image * channels + channel);
                }
            });
        });
        return VELU_STATUS_SUCCESS;
    });
}

}  // namespace velu::cpu
