// Shapes of convolutions, and the definition of velu.h as a plain loop.
#pragma once

#include <cstring>
#include <string>
#include <vector>

#include "activation_value.h"
#include "check.h"
#include "reference_sum.h"

namespace conv2d {

using check::Guarded;

struct Shape {
    const char* name;
    int64_t batch, height, width, in, out;
    int32_t kernel_height, kernel_width, stride, padding, dilation, groups;
};

inline const Shape kShapes[] = {
    {"1x1", 2, 5, 7, 31, 33, 1, 1, 1, 0, 1, 1},
    {"1x1 stride 2", 2, 9, 9, 16, 8, 1, 1, 2, 0, 1, 1},
    {"3x3 padded", 3, 8, 6, 33, 31, 3, 3, 1, 1, 1, 1},
    {"3x3 stride 2", 1, 11, 13, 16, 48, 3, 3, 2, 1, 1, 1},
    {"7x7 stride 2, RGB", 2, 33, 31, 3, 64, 7, 7, 2, 3, 1, 1},
    {"dilated", 2, 12, 13, 8, 9, 3, 3, 1, 2, 2, 1},
    {"dilated stride 3", 1, 20, 17, 4, 5, 3, 2, 3, 1, 3, 1},
    {"groups", 2, 7, 7, 12, 18, 3, 3, 1, 1, 1, 3},
    {"groups of 16", 2, 6, 6, 32, 64, 3, 3, 1, 1, 1, 2},
    {"depthwise", 2, 10, 9, 33, 33, 3, 3, 1, 1, 1, 33},
    {"depthwise stride 2, 5x5", 1, 14, 14, 32, 32, 5, 5, 2, 2, 1, 32},
    {"depthwise multiplier 2", 1, 6, 6, 5, 10, 3, 3, 1, 1, 1, 5},
    {"one of everything", 1, 1, 1, 1, 1, 1, 1, 1, 0, 1, 1},
    {"one pixel", 33, 1, 1, 31, 1, 3, 3, 1, 1, 1, 1},
    {"oblong kernel", 1, 9, 9, 6, 7, 1, 5, 1, 2, 1, 1},
    {"kernel as large as the image", 2, 4, 4, 8, 16, 4, 4, 1, 0, 1, 1},
    {"padding wider than the kernel", 1, 4, 5, 16, 16, 1, 1, 1, 2, 1, 1},
    {"padding wider than a 3x3 kernel", 2, 4, 5, 16, 32, 3, 3, 2, 5, 1, 1},
    {"stride over the image", 1, 3, 3, 4, 4, 1, 1, 7, 0, 1, 1},
    {"one strided window of one channel", 2, 5, 4, 1, 4, 2, 4, 3, 0, 1, 1},
    {"one strided, padded window of one channel", 1, 4, 1, 1, 3, 1, 5, 4, 2, 1, 1},
    {"1x1, few pixels", 3, 4, 3, 33, 31, 1, 1, 1, 0, 1, 1},
    {"1x1, many pixels", 2, 10, 9, 20, 24, 1, 1, 1, 0, 1, 1},
    {"3x3, few pixels", 3, 4, 4, 32, 17, 3, 3, 1, 1, 1, 1},
    {"3x3 dilated, few pixels", 2, 5, 4, 18, 9, 3, 3, 1, 2, 2, 1},
    {"5x3 stride 2, few pixels", 2, 9, 13, 48, 16, 5, 3, 2, 2, 1, 1},
};

inline velu_conv2d_desc describe(const Shape& s) {
    return {check::device(), VELU_DTYPE_F32,  s.batch,        s.height, s.width,  s.in,
            s.out,           s.kernel_height, s.kernel_width, s.stride, s.stride, s.padding,
            s.padding,       s.dilation,      s.dilation,     s.groups, 0,        0};
}

inline int64_t windows(int64_t in, int64_t kernel, int64_t stride, int64_t padding, int64_t dilation) {
    const int64_t room = in + 2 * padding - dilation * (kernel - 1) - 1;
    return room < 0 ? 0 : room / stride + 1;
}

inline int64_t out_height(const velu_conv2d_desc& d) {
    return windows(d.in_height, d.kernel_height, d.stride_height, d.padding_height, d.dilation_height);
}

inline int64_t out_width(const velu_conv2d_desc& d) {
    return windows(d.in_width, d.kernel_width, d.stride_width, d.padding_width, d.dilation_width);
}

/// Calls visit(x index, weight index, y index) for every product of the convolution.
template <class Visit>
void for_each_product(const velu_conv2d_desc& d, const Visit& visit) {
    const int64_t oh = out_height(d);
    const int64_t ow = out_width(d);
    const int64_t in_per_group = d.in_channels / d.groups;
    const int64_t out_per_group = d.out_channels / d.groups;
    for (int64_t n = 0; n < d.batch; ++n) {
        for (int64_t i = 0; i < oh; ++i) {
            for (int64_t j = 0; j < ow; ++j) {
                for (int64_t o = 0; o < d.out_channels; ++o) {
                    for (int64_t kh = 0; kh < d.kernel_height; ++kh) {
                        for (int64_t kw = 0; kw < d.kernel_width; ++kw) {
                            const int64_t h = i * d.stride_height - d.padding_height + kh * d.dilation_height;
                            const int64_t w = j * d.stride_width - d.padding_width + kw * d.dilation_width;
                            if (h < 0 || h >= d.in_height || w < 0 || w >= d.in_width) continue;
                            for (int64_t c = 0; c < in_per_group; ++c) {
                                visit(((n * d.in_height + h) * d.in_width + w) * d.in_channels +
                                          o / out_per_group * in_per_group + c,
                                      ((o * d.kernel_height + kh) * d.kernel_width + kw) * in_per_group + c,
                                      ((n * oh + i) * ow + j) * d.out_channels + o);
                            }
                        }
                    }
                }
            }
        }
    }
}

/// y as a descriptor lays it out: what lies between its pixels belongs to somebody else.
struct Pixels {
    explicit Pixels(const velu_conv2d_desc& d)
        : channels(d.out_channels),
          pitch(d.y_pitch == 0 ? channels : d.y_pitch),
          count(d.batch * out_height(d) * out_width(d)),
          data((count - 1) * pitch + channels) {}

    void set(const Guarded<float>& dense) {
        for (int64_t i = 0; i < dense.size; ++i) data[i / channels * pitch + i % channels] = dense[i];
    }
    /// Also checks that nothing was written between the pixels.
    void get(Guarded<float>& dense) const {
        for (int64_t i = 0; i < dense.size; ++i) dense[i] = data[i / channels * pitch + i % channels];
        for (int64_t i = 0; i < data.size; ++i) {
            uint32_t bits = 0;
            std::memcpy(&bits, data.data + i, sizeof bits);
            CHECK(i % pitch < channels || bits == 0xA5A5A5A5u);
        }
    }

    int64_t channels, pitch, count;
    Guarded<float> data;
};

inline std::string text(const velu_conv2d_desc& d) {
    char shape[200];
    std::snprintf(shape, sizeof shape,
                  "%lldx%lldx%lldx%lld -> %lld, kernel %dx%d stride %d,%d padding %d,%d dilation %d,%d groups %d "
                  "activation %d pitch %lld",
                  static_cast<long long>(d.batch), static_cast<long long>(d.in_height),
                  static_cast<long long>(d.in_width), static_cast<long long>(d.in_channels),
                  static_cast<long long>(d.out_channels), d.kernel_height, d.kernel_width, d.stride_height,
                  d.stride_width, d.padding_height, d.padding_width, d.dilation_height, d.dilation_width, d.groups,
                  d.activation, static_cast<long long>(d.y_pitch));
    return shape;
}

using Sums = std::vector<ReferenceSum>;

inline void near(const char* what, const velu_conv2d_desc& desc, const Guarded<float>& actual, const Sums& sums,
                 int32_t activation = VELU_ACTIVATION_IDENTITY) {
    for (int64_t i = 0; i < actual.size; ++i) {
        const ReferenceSum& sum = sums[static_cast<size_t>(i)];
        const double value = static_cast<double>(actual[i]);
        const double expected = activation_value(activation, sum.value);
        const double tolerance = activation_tolerance(activation, sum.value, sum.tolerance());
        if (std::fabs(value - expected) <= tolerance) continue;
        char numbers[128];
        std::snprintf(numbers, sizeof numbers, " at %lld is %.9g, not %.9g (tolerance %.3g)", static_cast<long long>(i),
                      value, expected, tolerance);
        check::fail(__FILE__, __LINE__, std::string(what) + " of " + text(desc) + numbers);
    }
}

/// A small shape with everything drawn at random, including windows that hold nothing but padding.
inline velu_conv2d_desc random_shape(uint64_t& state) {
    const auto draw = [&state](uint64_t low, uint64_t high) {
        state = state * 6364136223846793005u + 1442695040888963407u;
        return static_cast<int32_t>(low + (state >> 33) % (high - low + 1));
    };
    for (;;) {
        velu_conv2d_desc d{};
        d.device = check::device();
        d.groups = draw(1, 3) == 1 ? draw(1, 5) : 1;
        d.batch = draw(1, 3);
        d.in_height = draw(1, 9);
        d.in_width = draw(1, 9);
        d.in_channels = d.groups * draw(1, draw(0, 2) == 0 ? 20 : 4);
        d.out_channels = d.groups * draw(1, draw(0, 2) == 0 ? 20 : 4);
        d.kernel_height = draw(1, 4);
        d.kernel_width = draw(1, 4);
        d.stride_height = draw(1, 3);
        d.stride_width = draw(1, 3);
        d.padding_height = draw(0, draw(0, 3) == 0 ? 7 : 2);
        d.padding_width = draw(0, draw(0, 3) == 0 ? 7 : 2);
        d.dilation_height = draw(1, 4);
        d.dilation_width = draw(1, 4);
        d.activation = draw(0, 1) == 0 ? VELU_ACTIVATION_IDENTITY : kFusedActivations[draw(0, 5)];
        d.y_pitch = draw(0, 2) == 0 ? d.out_channels + draw(0, 9) : 0;
        if (out_height(d) > 0 && out_width(d) > 0) return d;
    }
}

}  // namespace conv2d
