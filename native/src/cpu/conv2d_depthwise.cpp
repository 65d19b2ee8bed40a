#include "cpu/conv2d_depthwise.h"

#include <algorithm>

#include "cpu/conv2d_geometry.h"
#include "cpu/isa/conv2d_depthwise_kernels.h"

namespace velu::cpu {
namespace {

/// Images are divided into at most so many parts with sums of their own; by the shape alone.
constexpr int64_t kMostParts = 8;

int64_t parts_of(const velu_conv2d_desc& d) {
    return std::min(d.batch, kMostParts);
}

int64_t taps_of(const velu_conv2d_desc& d) {
    return int64_t{d.kernel_height} * d.kernel_width;
}

}  // namespace

bool is_depthwise(const velu_conv2d_desc& d) {
    return d.groups > 1 && d.groups == d.in_channels && d.groups == d.out_channels;
}

size_t depthwise_scratch_bytes(const velu_conv2d_desc& d) {
    return static_cast<size_t>(parts_of(d) * taps_of(d) * d.in_channels) * sizeof(double);
}

void depthwise_backward_weights(const Context& context, const velu_conv2d_desc& d, const void* x, const void* dy,
                                void* scratch, float* dweight) {
    const DepthwiseShape shape = {d, conv2d_out_height(d), conv2d_out_width(d),
                                  d.y_pitch == 0 ? d.out_channels : d.y_pitch};
    const int64_t parts = parts_of(d);
    const int64_t taps = taps_of(d);
    const int64_t slices = (d.in_channels + kDepthwiseChannels - 1) / kDepthwiseChannels;
    const int64_t x_image = d.in_height * d.in_width * d.in_channels;
    const int64_t dy_image = shape.out_height * shape.out_width * shape.y_pitch;
    // The sums of slice s lie at [parts][taps][its channels] from first channel * parts * taps on.
    auto* sums = static_cast<double*>(scratch);
    const auto slice_sums = [&](int64_t slice) { return sums + slice * kDepthwiseChannels * parts * taps; };
    const auto channels_of = [&](int64_t slice) {
        return std::min(kDepthwiseChannels, d.in_channels - slice * kDepthwiseChannels);
    };

    with_element(d.dtype, [&]<class T>(T) {
        const Conv2dDepthwiseKernels<T>& kernels = conv2d_depthwise_kernels(context.isa).of<T>();
        parallel_for(context, slices * parts, [&](int64_t task) {
            const int64_t slice = task / parts;
            const int64_t part = task % parts;
            const int64_t first = part * d.batch / parts;
            const int64_t last = (part + 1) * d.batch / parts;
            const int64_t channel = slice * kDepthwiseChannels;
            kernels.backward_weights(shape, static_cast<const T*>(x) + first * x_image + channel,
                                     static_cast<const T*>(dy) + first * dy_image + channel, last - first,
                                     channels_of(slice), slice_sums(slice) + part * taps * channels_of(slice));
        });
    });
    parallel_for(context, slices, [&](int64_t slice) {
        const int64_t channels = channels_of(slice);
        const double* from = slice_sums(slice);
        float* to = dweight + slice * kDepthwiseChannels * taps;
        for (int64_t c = 0; c < channels; ++c) {
            for (int64_t tap = 0; tap < taps; ++tap) {
                double sum = 0;
                for (int64_t part = 0; part < parts; ++part) sum += from[(part * taps + tap) * channels + c];
                to[c * taps + tap] = static_cast<float>(sum);
            }
        }
    });
}

}  // namespace velu::cpu
