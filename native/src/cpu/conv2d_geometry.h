// Shapes and layouts of a convolution in oneDNN's terms, and what its implementations cannot do.
#pragma once

#include <cstddef>
#include <cstdint>
#include <oneapi/dnnl/dnnl.hpp>

#include "core/backend.h"

namespace velu::cpu {

int64_t conv2d_out_height(const velu_conv2d_desc& desc);
int64_t conv2d_out_width(const velu_conv2d_desc& desc);

/// Pixels of y in the whole batch.
int64_t conv2d_out_pixels(const velu_conv2d_desc& desc);

inline bool y_is_dense(const velu_conv2d_desc& desc) {
    return desc.y_pitch == 0 || desc.y_pitch == desc.out_channels;
}

/// Bytes of a dense y.
size_t conv2d_y_bytes(const velu_conv2d_desc& desc);

/// The operands' layouts: images nhwc, weights [O][kh][kw][I / G]; x, y and weight of the descriptor's dtype. For
/// making plans only: it allocates.
struct Conv2dLayouts {
    explicit Conv2dLayouts(const velu_conv2d_desc& desc);

    dnnl::memory::desc x;
    dnnl::memory::desc y;  // dense, whatever y_pitch is
    dnnl::memory::desc weight;
    dnnl::memory::desc any_weight;  // in a layout that the implementation chooses
    dnnl::memory::desc bias;        // float32
    dnnl::memory::dims strides;
    dnnl::memory::dims dilates;
    dnnl::memory::dims padding;

    /// The plain weight in float32.
    dnnl::memory::desc weight_f32() const;
};

/// oneDNN's kernels count along one axis in int; the message of a descriptor that is too large for them, else nullptr.
const char* conv2d_refusal(const velu_conv2d_desc& desc);

/// Whether some output's window has all its taps in the padding along one axis.
bool has_empty_windows(const velu_conv2d_desc& desc);

/// oneDNN's vectorized convolutions (3.11: brgconv) read through a null pointer where a window holds nothing but
/// padding. No network has such shapes, so they get oneDNN's reference implementation. They compute wrong results from
/// images of one channel that are one strided window wide; others are right there.
void avoid_empty_windows(const velu_conv2d_desc& desc, dnnl::primitive_desc& primitive_desc);

}  // namespace velu::cpu
