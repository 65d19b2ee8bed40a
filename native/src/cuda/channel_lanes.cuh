// How a block of threads is laid over a matrix [rows][channels]: lanes beside each other hold consecutive vectors of
// channels, strips above each other take different rows.
#pragma once

#include "cuda/launch.cuh"

#include <algorithm>
#include <cstdint>

namespace velu::cuda {

struct ChannelLanes {
    static constexpr int kThreads = 256;
    static constexpr int kMostLanes = 32;

    int64_t vectors;  // per row
    int lanes;        // vectors of one block, 1..32
    int strips;       // rows a block takes at a time, 256 / lanes
    int chunks;       // blocks that cover a row
};

/// For rows of `channels` / `width` vectors.
inline ChannelLanes channel_lanes(int64_t channels, int width) {
    ChannelLanes lanes = {};
    lanes.vectors = channels / width;
    lanes.chunks = static_cast<int>((lanes.vectors + ChannelLanes::kMostLanes - 1) / ChannelLanes::kMostLanes);
    lanes.lanes = static_cast<int>((lanes.vectors + lanes.chunks - 1) / lanes.chunks);
    lanes.strips = ChannelLanes::kThreads / lanes.lanes;
    return lanes;
}

/// a / b for a >= 0, b > 0: by the short instruction sequence where both fit 32 bits.
__device__ __forceinline__ int64_t quotient(int64_t a, int64_t b) {
    if (((a | b) >> 32) == 0) return static_cast<uint32_t>(a) / static_cast<uint32_t>(b);
    return a / b;
}

}  // namespace velu::cuda
