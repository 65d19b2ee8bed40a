// Geometry shared by max, average and adaptive average pooling of both backends.
#pragma once

#include <velu/velu.h>

#include <cstdint>

#include "math/host_device.h"

namespace velu {

VELU_SHARED_INLINE int64_t pool2d_out_height(const velu_pool2d_desc& desc) {
    return (desc.in_height + 2 * int64_t{desc.padding_height} - desc.kernel_height) / desc.stride_height + 1;
}

VELU_SHARED_INLINE int64_t pool2d_out_width(const velu_pool2d_desc& desc) {
    return (desc.in_width + 2 * int64_t{desc.padding_width} - desc.kernel_width) / desc.stride_width + 1;
}

/// Elements from one pixel of y and dy to the next.
VELU_SHARED_INLINE int64_t pool2d_y_pitch(const velu_pool2d_desc& desc) {
    return desc.y_pitch == 0 ? desc.channels : desc.y_pitch;
}

/// A half-open range of indices; empty if begin >= end.
struct PoolRange {
    int64_t begin;
    int64_t end;
};

/// Input indices inside the image that output index `out` covers. Never empty, as padding <= kernel / 2.
VELU_SHARED_INLINE PoolRange pool2d_window(int64_t out, int64_t in_size, int32_t kernel, int32_t stride,
                                           int32_t padding) {
    const int64_t begin = out * stride - padding;
    const int64_t end = begin + kernel;
    return {begin < 0 ? 0 : begin, end < in_size ? end : in_size};
}

/// Output indices whose windows cover input index `in`; may be empty.
VELU_SHARED_INLINE PoolRange pool2d_covering(int64_t in, int64_t out_size, int32_t kernel, int32_t stride,
                                             int32_t padding) {
    const int64_t last = (in + padding) / stride;
    const int64_t before = in + padding - kernel;  // windows that start here or earlier end before `in`
    const int64_t begin = before < 0 ? 0 : before / stride + 1;
    return {begin, last + 1 < out_size ? last + 1 : out_size};
}

/// Input indices that output index `out` averages where the sizes alone decide: torch's adaptive_avg_pool2d. Never
/// empty. Sizes are below 2^31, so that their product does not overflow.
VELU_SHARED_INLINE PoolRange adaptive_pool2d_window(int64_t out, int64_t in_size, int64_t out_size) {
    return {out * in_size / out_size, ((out + 1) * in_size + out_size - 1) / out_size};
}

/// Output indices whose windows cover input index `in`; never empty. By the symmetry of the windows' bounds this is the
/// window with the two sizes exchanged.
VELU_SHARED_INLINE PoolRange adaptive_pool2d_covering(int64_t in, int64_t in_size, int64_t out_size) {
    return adaptive_pool2d_window(in, out_size, in_size);
}

}  // namespace velu
