// Arithmetic of sliding windows (convolution and pooling).
#pragma once

#include "core/call.h"

#include <cinttypes>

namespace velu {

/// Positions of a window along one axis of `in` >= 1 elements, rounded down; below 1 if the window does not fit.
/// Cannot overflow for in <= kMaxBytes and 32-bit window sizes.
inline int64_t window_count(int64_t in, int32_t kernel, int32_t stride, int32_t padding, int32_t dilation) {
    const int64_t free = in + 2 * int64_t{padding} - int64_t{dilation} * (int64_t{kernel} - 1) - 1;
    return free < 0 ? 0 : free / stride + 1;
}

/// Checks that the window fits at least once; axis is "height" or "width".
inline void check_window(Call& call, const char* axis, int64_t in, int32_t kernel, int32_t stride, int32_t padding,
                         int32_t dilation) {
    if (call.failed()) return;
    if (in > kMaxBytes)
        return call.fail(VELU_STATUS_INVALID_ARGUMENT, "in_%s is %" PRId64 ", more than 2^47", axis, in);
    if (window_count(in, kernel, stride, padding, dilation) >= 1) return;
    call.fail(VELU_STATUS_INVALID_ARGUMENT,
              "the window (kernel_%s %" PRId32 ", dilation %" PRId32 ") is larger than in_%s %" PRId64
              " with padding %" PRId32 " on both sides; enlarge the input or the padding",
              axis, kernel, dilation, axis, in, padding);
}

}  // namespace velu
