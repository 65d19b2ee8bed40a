// The moments of A that VeLU's kernels store: parts of blocks (moments.cuh), joined by a kernel of its own.
#pragma once

#include "cuda/moments.cuh"

namespace velu::cuda {

/// Second stage of the moments: one block reads 24 bytes per block of the first. A kernel of its own, since the last
/// block of the first stage would have to be found by a counter that something must have cleared before: as much of a
/// launch, and a fence in every block.
static __global__ void finish_moments(const math::Moments* parts, int count, float* moments) {
    const math::Moments all = merged_moments(parts, count);
    if (threadIdx.x == 0) math::store_moments(all, moments);
}

}  // namespace velu::cuda
