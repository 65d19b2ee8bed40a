#include "cpu/conv2d_choice.h"

#include <algorithm>

#include "cpu/conv2d_depthwise.h"
#include "cpu/conv2d_windows.h"
#include "cpu/conv2d_winograd.h"

namespace velu::cpu {
namespace {

/// Most elements of windows: more cost scratch memory, and so many images share what is to be done with each weight.
constexpr double kMostElements = 1 << 24;

/// Least part of the pixels in tiles that an image has, for Winograd's algorithm.
constexpr double kLeastUse = 0.75;

bool is_1x1(const velu_conv2d_desc& d) {
    return d.kernel_height == 1 && d.kernel_width == 1 && d.padding_height == 0 && d.padding_width == 0;
}

bool is_strided(const velu_conv2d_desc& d) {
    return d.stride_height > 1 || d.stride_width > 1;
}

/// Whether oneDNN has its fast kernel (jit_dw) for the gradient of a depthwise convolution's weights.
bool has_fast_depthwise_weights(const velu_conv2d_desc& d) {
    return d.kernel_height == 3 && d.kernel_width == 3 && d.dilation_height == 1 && d.dilation_width == 1 &&
           d.padding_height <= 1 && d.padding_width <= 1 && d.in_height >= 4 && d.in_width >= 4;
}

/// As a double, which cannot overflow.
double window_elements(const velu_conv2d_desc& d) {
    return static_cast<double>(conv2d_out_pixels(d)) * static_cast<double>(conv2d_window_size(d));
}

int64_t pixels_per_image(const velu_conv2d_desc& d) {
    return conv2d_out_height(d) * conv2d_out_width(d);
}

/// What Winograd's algorithm gains over oneDNN's convolutions, by which its rule is made (forward; packed where
/// marked p). Tiles are of 2 x 2 pixels, in the whole batch:
///
///     channels    tiles   gain        channels    tiles   gain        channels     tiles   gain
///     16, 16      16384   0.8         128, 128    1024    1.7         512, 512     256     1.15
///     24, 24      2048    1.2         128, 128    256     1.3         512, 512     64      1.15
///     32, 32      4096    1.3         128, 32     512     1.35        512, 512     16 p    0.6
///     48, 48      4096    1.45        128, 32     128     0.9         256, 256     49 p    1.4
///     64, 64      4096    1.7         256, 256    256     1.55        128, 32      32 p    1.25
bool winograd_is_faster(const Context& context, const velu_conv2d_desc& d, bool packed) {
    if (!has_winograd(context, d) || std::min(d.in_channels, d.out_channels) < 24) return false;
    const double tiles = static_cast<double>(d.batch) * static_cast<double>((conv2d_out_height(d) + 1) / 2) *
                         static_cast<double>((conv2d_out_width(d) + 1) / 2);
    // Tiles that stand out over an image of odd size are computed in vain.
    if (static_cast<double>(conv2d_out_pixels(d)) < 4 * kLeastUse * tiles) return false;
    if (packed) return tiles >= 32;
    // There must be enough to do with the filters once they are transformed.
    const double products = tiles * static_cast<double>(d.in_channels) * static_cast<double>(d.out_channels);
    return tiles >= 64 && products >= 1 << 21;
}

}  // namespace

bool packs_winograd(const Context& context, const velu_conv2d_desc& d) {
    return winograd_is_faster(context, d, true);
}

Conv2dMethod conv2d_method(const Context& context, const velu_conv2d_desc& d, int32_t pass) {
    if (winograd_is_faster(context, d, false)) return Conv2dMethod::kWinograd;
    const bool weights = pass == VELU_PASS_BACKWARD_WEIGHTS;
    if (weights && is_depthwise(d) && !has_fast_depthwise_weights(d)) return Conv2dMethod::kDepthwise;
    if (d.groups > 1 || conv2d_refusal(d) != nullptr || conv2d_out_pixels(d) > INT32_MAX) {
        return Conv2dMethod::kConvolution;
    }
    // Images of few pixels leave a convolution too little to do with each weight that it fetches.
    const int64_t pixels = pixels_per_image(d);
    if (is_1x1(d) && !is_strided(d)) {
        return pixels <= (weights ? 64 : 16) ? Conv2dMethod::kProduct : Conv2dMethod::kConvolution;
    }
    // The gradient of the weights is where convolutions suffer most: each image adds to all weights. Rows of a few
    // elements would cost more to copy than they are worth.
    const bool few = pixels <= (is_strided(d) ? 64 : 16) && window_elements(d) <= kMostElements;
    if (weights && d.in_channels >= 16 && few) {
        return Conv2dMethod::kProductOfWindows;
    }
    return Conv2dMethod::kConvolution;
}

const char* preferred_implementation(const velu_conv2d_desc& d, int32_t pass) {
    const bool bfloat16 = d.dtype == VELU_DTYPE_BF16;
    const char* const direct = bfloat16 ? "jit_bf16:avx512" : "jit:avx512";
    const char* const direct_1x1 = bfloat16 ? "jit_bf16_1x1:avx512" : "jit_1x1:avx512";
    if (d.groups > 1) {
        // brgconv_strided, its first choice in bfloat16, takes thirty times as long.
        return pass == VELU_PASS_BACKWARD_DATA && is_depthwise(d) && is_strided(d) ? "jit_dw:avx512" : nullptr;
    }
    if (pass == VELU_PASS_BACKWARD_WEIGHTS) {
        return is_1x1(d) && !is_strided(d) && !bfloat16 ? "x64:gemm" : nullptr;
    }
    if (is_1x1(d)) {
        // The two kinds of kernels are about as fast, but the layout of brgconv's weights takes much longer to make.
        const bool large = d.in_channels * d.out_channels >= int64_t{1} << 17;
        if (is_strided(d) || bfloat16 || (large && pass == VELU_PASS_FORWARD)) return direct_1x1;
        return nullptr;
    }
    if (pass == VELU_PASS_BACKWARD_DATA && is_strided(d)) return direct;
    return pixels_per_image(d) <= 16 ? direct : nullptr;
}

}  // namespace velu::cpu
