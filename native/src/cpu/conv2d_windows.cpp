#include "cpu/conv2d_windows.h"

#include <algorithm>
#include <cstring>

#include "cpu/conv2d_geometry.h"

namespace velu::cpu {
namespace {

size_t element_size(const velu_conv2d_desc& d) {
    return d.dtype == VELU_DTYPE_BF16 ? 2 : 4;
}

/// One row of taps, the first of them over the given column: what is inside the image, and zeros.
void copy_taps(const velu_conv2d_desc& d, const char* image_row, int64_t column, size_t pixel_bytes, char* to) {
    if (d.dilation_width == 1) {
        // Neighbours in the image and in the row.
        const int64_t first = std::clamp<int64_t>(-column, 0, d.kernel_width);
        const int64_t last = std::clamp<int64_t>(d.in_width - column, first, d.kernel_width);
        std::memset(to, 0, static_cast<size_t>(first) * pixel_bytes);
        if (last > first) {
            std::memcpy(to + static_cast<size_t>(first) * pixel_bytes,
                        image_row + static_cast<size_t>(column + first) * pixel_bytes,
                        static_cast<size_t>(last - first) * pixel_bytes);
        }
        std::memset(to + static_cast<size_t>(last) * pixel_bytes, 0,
                    static_cast<size_t>(d.kernel_width - last) * pixel_bytes);
        return;
    }
    for (int64_t tap = 0; tap < d.kernel_width; ++tap, to += pixel_bytes) {
        const int64_t at = column + tap * d.dilation_width;
        if (at < 0 || at >= d.in_width) {
            std::memset(to, 0, pixel_bytes);
        } else {
            std::memcpy(to, image_row + static_cast<size_t>(at) * pixel_bytes, pixel_bytes);
        }
    }
}

}  // namespace

int64_t conv2d_window_size(const velu_conv2d_desc& d) {
    return int64_t{d.kernel_height} * d.kernel_width * d.in_channels;
}

size_t conv2d_windows_bytes(const velu_conv2d_desc& d) {
    return static_cast<size_t>(conv2d_out_pixels(d) * conv2d_window_size(d)) * element_size(d);
}

void gather_windows(const Context& context, const velu_conv2d_desc& d, const void* x, void* rows) {
    const int64_t out_height = conv2d_out_height(d);
    const int64_t out_width = conv2d_out_width(d);
    const size_t pixel_bytes = static_cast<size_t>(d.in_channels) * element_size(d);
    const size_t row_bytes = static_cast<size_t>(d.in_width) * pixel_bytes;
    const size_t taps_bytes = static_cast<size_t>(d.kernel_width) * pixel_bytes;
    const size_t window_bytes = static_cast<size_t>(d.kernel_height) * taps_bytes;
    parallel_for(context, d.batch * out_height, [&](int64_t task) {
        const char* image = static_cast<const char*>(x) +
                            static_cast<size_t>(task / out_height) * static_cast<size_t>(d.in_height) * row_bytes;
        char* to = static_cast<char*>(rows) + static_cast<size_t>(task * out_width) * window_bytes;
        const int64_t top = task % out_height * d.stride_height - d.padding_height;
        for (int64_t out_column = 0; out_column < out_width; ++out_column) {
            const int64_t left = out_column * d.stride_width - d.padding_width;
            for (int64_t tap = 0; tap < d.kernel_height; ++tap, to += taps_bytes) {
                const int64_t row = top + tap * d.dilation_height;
                if (row < 0 || row >= d.in_height) {
                    std::memset(to, 0, taps_bytes);
                } else {
                    copy_taps(d, image + static_cast<size_t>(row) * row_bytes, left, pixel_bytes, to);
                }
            }
        }
    });
}

}  // namespace velu::cpu
