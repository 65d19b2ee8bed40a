// Copying a matrix between memories whose rows lie differently far apart.
#pragma once

#include "cuda/context.h"

#include <cstdint>

namespace velu::cuda {

/// y[row][channel] = x[row][channel] for elements of a dtype; pitches are elements from one row to the next. With
/// zero_rest the y_pitch - channels elements after every row of y become 0.
void copy_rows(Context& context, int32_t dtype, int64_t rows, int64_t channels, const void* x, int64_t x_pitch, void* y,
               int64_t y_pitch, bool zero_rest = false);

}  // namespace velu::cuda
