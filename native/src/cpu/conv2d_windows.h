// The windows of a convolution as the rows of a matrix: row p holds what the taps of output pixel p see, in the order
// of a filter's weights, zeros where that is padding. Times the gradient of y it is the gradient of the weights.
#pragma once

#include <cstddef>

#include "cpu/context.h"

namespace velu::cpu {

/// Elements of one row.
int64_t conv2d_window_size(const velu_conv2d_desc& desc);

/// Bytes of the whole matrix, in the descriptor's dtype.
size_t conv2d_windows_bytes(const velu_conv2d_desc& desc);

/// Copies the windows of x to rows, which holds conv2d_windows_bytes; groups = 1.
void gather_windows(const Context& context, const velu_conv2d_desc& desc, const void* x, void* rows);

}  // namespace velu::cpu
