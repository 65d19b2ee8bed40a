// The second stage of sums that many blocks make together in a fixed order.
#pragma once

#include "cuda/context.h"

#include <cstdint>

namespace velu::cuda {

/// sum[i] = sum over slices of partial[slices][count], added in float64.
void add_slices(Context& context, int64_t count, int64_t slices, const float* partial, float* sum);

}  // namespace velu::cuda
